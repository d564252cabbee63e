package client

import (
	"maps"
	"slices"
	"sort"
	"time"

	"lanchat/protocol"
)

func (s *State) joined(m *protocol.Joined, at time.Time) {
	if m.Ref == 0 {
		return // a notice: the client joins by itself, and the answer follows
	}
	r := s.Room(m.Room)
	if r == nil {
		r = &Room{Name: m.Room, Title: "#" + m.Room}
		if a, b, direct := protocol.ParseDirectRoom(m.Room); direct {
			r.Direct = a
			if a == s.Me.User {
				r.Direct = b
			}
			r.Title = "@" + r.Direct.String()[:6]
		}
		s.Rooms = append(s.Rooms, r)
	}
	if m.Reset {
		r.clear()
		s.remark(r.Name, "The server has gone back to an earlier copy of its log: this is what it has now.", at)
	}
	r.Topic, r.Head, r.Count = m.Topic, m.Head, int(m.Count)
	r.Members = map[protocol.UserID]protocol.Member{}
	r.Typing = map[protocol.UserID]Typist{}
	r.Role, r.Private, r.Locked, r.Slow = m.Role, m.Private, m.Locked, m.Slow
	for _, p := range m.Members {
		s.meet(r, p, at)
	}
	r.readTo(m.Read)
	switch {
	case r.known:
		r.gap = gap{to: m.Head}
	default:
		r.known, r.joinHead, r.Older = true, m.Head, false
		if 0 < m.Read && m.Read < m.Head {
			r.Line = m.Read
		}
	}
	if s.Active == "" {
		s.Active = r.Name
	}
	early := s.early
	s.early = nil
	for _, ev := range early {
		s.Apply(ev)
	}
}

// retitle names a direct talk after the other one.
func (s *State) retitle(r *Room, m protocol.Member) {
	if !r.Direct.IsZero() && m.User == r.Direct && m.Nick != "" {
		r.Title = "@" + m.Nick
	}
}

// clear forgets what was said: it is not in the log any more.
func (r *Room) clear() {
	r.forget()
	r.Head, r.Read, r.Unread, r.Mine, r.Older = 0, 0, 0, 0, false
	r.last, r.joinHead, r.gap, r.known = 0, 0, gap{}, false
	r.noLine()
}

// forget lets go of all items. History has them.
func (r *Room) forget() {
	r.Items, r.first, r.Older, r.late, r.hides = nil, 0, true, nil, false
}

// page takes older entries to the front.
func (s *State) page(m *protocol.Page) {
	r := s.Room(m.Room)
	switch {
	case r == nil:
		return
	case len(m.Entries) == 0 && len(r.Items) == 0:
		return
	case len(m.Entries) == 0, len(r.Items) >= maxItems: // enough is held; chat tail and search reach the rest
		r.Older = false
		return
	}
	oldest := r.FirstSeq()
	n := 0
	for n < len(m.Entries) && (oldest == 0 || m.Entries[n].Seq < oldest) {
		n++
	}
	older := m.Entries[:n]
	if n == 0 {
		return
	}
	// One piece of memory for all of a page: it comes and goes together.
	held := make([]Item, 0, n)
	items := make([]*Item, 0, n+len(r.Items))
	for i := range older {
		e := &older[i]
		s.retitle(r, protocol.Member{User: e.User, Nick: e.Nick})
		if folds(e.Kind) || s.hidden(r, e) {
			continue
		}
		held = append(held, s.item(r, e))
		items = append(items, &held[len(held)-1])
	}
	r.lift(older[n-1].Seq)
	r.Items = append(items, r.Items...)
	for i := range older {
		if e := &older[i]; e.Kind == protocol.KindDelete {
			for _, at := range r.targets(e) {
				held := *r.Items[at] // of this page, which nobody has seen yet, or an earlier one
				held.goneBy(e)
				r.Items[at] = &held
			}
		}
	}
	r.first, r.last = older[0].Seq, max(r.last, older[n-1].Seq)
	r.Older = m.More && r.first > 1
}

// lift has the notices at the front stand behind the entry with a seq, which is
// about to be put before them.
func (r *Room) lift(seq uint64) {
	for i, it := range r.Items {
		if it.Status != Notice || it.Entry.Seq >= seq {
			return
		}
		fresh := *it
		fresh.Entry.Seq = seq
		r.Items[i] = &fresh
	}
}

func (s *State) renamed(m *protocol.Nick, at time.Time) {
	if m.User != s.Me.User || m.Nick == s.Me.Nick {
		return
	}
	s.Me.Nick = m.Nick
	for _, r := range s.Rooms {
		if me, in := r.Members[m.User]; in {
			me.Nick = m.Nick
			r.Members[m.User] = me
		}
	}
	s.remark("", "You are now "+m.Nick+".", at)
}

func (s *State) presence(m *protocol.Presence, at time.Time) {
	r := s.Room(m.Room)
	if r == nil {
		return
	}
	if m.Reset {
		clear(r.Members)
	}
	for _, p := range m.Joined {
		s.meet(r, p, at)
	}
	for _, u := range m.Left {
		delete(r.Members, u)
		delete(r.Typing, u)
	}
	r.Count = int(m.Count)
}

func (s *State) who(m *protocol.Who, at time.Time) {
	r := s.Room(m.Room)
	if r == nil {
		return
	}
	for _, p := range m.People {
		s.meet(r, p, at)
	}
	r.Count = int(m.Count)
}

func (s *State) skipped(m *protocol.Skipped) {
	r := s.Room(m.Room)
	if r == nil {
		return
	}
	r.Older = true
	if last := r.LastSeq(); last > 0 {
		// What is held lies before the gap. It goes, so that the list has no hole
		// in it; scrolling back loads it again.
		r.Items = slices.DeleteFunc(slices.Clone(r.Items), func(it *Item) bool { return it.Entry.Seq <= m.To })
		r.first = 0
		r.first = r.FirstSeq()
	}
	// What was acknowledged and has not come is among what does not.
	r.Pending = slices.DeleteFunc(r.Pending, func(it *Item) bool { return it.Status == Acked })
	maps.DeleteFunc(r.changes, func(_ protocol.ID, c *Change) bool { return c.Status == Acked })
	r.recount()
}

// remark puts a notice at the end of a room.
func (s *State) remark(room, text string, at time.Time) {
	if room == "" {
		room = s.Active
	}
	r := s.Room(room)
	if r == nil {
		return
	}
	it := &Item{Status: Notice, Entry: protocol.Entry{Room: room, Seq: r.LastSeq(), Text: text}}
	if !at.IsZero() {
		it.Entry.At = at.UnixNano()
	}
	r.insert(it)
}

// insert puts an item where its seq belongs: nearly always at the end.
func (r *Room) insert(it *Item) {
	if n := len(r.Items); n == 0 || r.Items[n-1].Entry.Seq <= it.Entry.Seq {
		r.Items = append(r.Items, it)
	} else {
		at := sort.Search(n, func(i int) bool { return r.Items[i].Entry.Seq > it.Entry.Seq })
		r.Items = slices.Insert(r.Items, at, it)
	}
	if len(r.Items) > maxItems+maxItems/10 {
		r.Items = slices.Clone(r.Items[len(r.Items)-maxItems:])
		r.first = 0
		r.first, r.Older = r.FirstSeq(), true
	}
}

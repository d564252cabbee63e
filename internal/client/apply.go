package client

import (
	"fmt"
	"maps"
	"slices"
	"sort"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"lanchat/protocol"
)

// maxItems is how many items a room keeps; the oldest go, and history has them.
const maxItems = 100_000

// Apply changes the state by one event.
func (s *State) Apply(ev Event) {
	switch ev := ev.(type) {
	case WentUp:
		s.wentUp(ev)
	case WentDown:
		s.Link = Link{Phase: Waiting, Err: ev.Err, RetryAt: ev.RetryAt}
	case Retrying:
		s.Link.Phase = Trying
	case GaveUp:
		s.Link = Link{Phase: Ended, Err: ev.Err}
	case RoundTrip:
		s.Link.RoundTrip = ev.Took
	case Received:
		s.received(ev)
	case Queued:
		if r := s.Room(ev.Post.Room); r != nil {
			r.Pending = append(r.Pending, s.pendingItem(ev))
		} else {
			s.early = append(s.early, ev)
		}
	case Refused:
		s.refused(ev)
	case Dropped:
		if r := s.Room(ev.Room); r != nil {
			r.Pending = slices.DeleteFunc(r.Pending, func(it *Item) bool { return it.Entry.ID == ev.ID })
		}
	case Selected:
		s.Active = ev.Room
		if r := s.Room(ev.Room); r != nil {
			r.readTo(r.LastSeq())
		}
	case Remarked:
		if len(s.Rooms) == 0 {
			s.early = append(s.early, ev)
		}
		s.remark(ev.Room, ev.Text, ev.At)
	}
}

func (s *State) wentUp(ev WentUp) {
	s.Link = Link{Phase: Up}
	s.Server, s.Me, s.Limits = ev.Server, ev.Me, ev.Limits
	if !ev.Wiped {
		return
	}
	for _, r := range s.Rooms {
		r.clear()
		s.remark(r.Name, "This server's log was wiped or replaced: what was said before is gone, and the talk begins anew.", time.Time{})
	}
}

func (s *State) received(ev Received) {
	switch m := ev.Message.(type) {
	case *protocol.Entry:
		s.entry(m)
	case *protocol.Ack:
		s.acked(m)
	case *protocol.Joined:
		s.joined(m, ev.At)
	case *protocol.Left:
		s.Rooms = slices.DeleteFunc(s.Rooms, func(r *Room) bool { return r.Name == m.Room })
	case *protocol.Page:
		s.page(m)
	case *protocol.Nick:
		s.renamed(m, ev.At)
	case *protocol.Presence:
		s.presence(m)
	case *protocol.Who:
		s.who(m)
	case *protocol.Rooms:
		s.remark("", RoomList(m), ev.At)
	case *protocol.Found:
		s.remark("", s.FoundList(m), ev.At)
	case *protocol.Read:
		if r := s.Room(m.Room); r != nil {
			r.readTo(m.Seq)
		}
	case *protocol.Typing:
		if r := s.Room(m.Room); r != nil && m.User != s.Me.User {
			r.Typing[m.User] = Typist{m.Nick, ev.At}
		}
	case *protocol.Skipped:
		s.skipped(m, ev.At)
	case *protocol.Slow:
		s.remark("", fmt.Sprintf("The server takes your messages more slowly now (%s): they are sent in order, with pauses.", m.Why), ev.At)
	case *protocol.Error:
		if s.Room(s.Active) == nil && len(s.Rooms) > 0 { // it was a join that failed
			s.Active = s.Rooms[0].Name
		}
		s.remark("", "The server says: "+m.Error(), ev.At)
	}
}

func (s *State) entry(e *protocol.Entry) {
	r := s.Room(e.Room)
	if r == nil {
		return
	}
	r.Pending = slices.DeleteFunc(r.Pending, func(it *Item) bool { return it.Entry.ID == e.ID })
	item := s.item(r, *e)
	r.insert(item)
	r.Head = max(r.Head, e.Seq)
	delete(r.Typing, e.User)
	if e.Kind == protocol.KindTopic {
		r.Topic = e.Text
	}
	if m, known := r.Members[e.User]; known && m.Nick != e.Nick && r.LastSeq() == e.Seq {
		m.Nick = e.Nick
		r.Members[e.User] = m
	}
	s.retitle(r, protocol.Member{User: e.User, Nick: e.Nick})
	switch {
	case e.Seq <= r.Read:
	case item.Mine || s.Active == r.Name:
		if r.Unread == 0 || s.Active == r.Name {
			r.readTo(e.Seq)
		}
	case counts(e.Kind):
		r.Unread++
		if item.ForMe {
			r.Mine++
		}
	}
}

// counts is true for kinds that somebody has said something by.
func counts(k protocol.Kind) bool {
	switch k {
	case protocol.KindTopic, protocol.KindEdit, protocol.KindDelete, protocol.KindReaction:
		return false
	}
	return true
}

func (s *State) item(r *Room, e protocol.Entry) *Item {
	it := &Item{Entry: e, Mine: e.User == s.Me.User}
	it.ForMe = !it.Mine && counts(e.Kind) && (!r.Direct.IsZero() || mentions(e.Text, s.Me.Nick))
	return it
}

func (s *State) pendingItem(ev Queued) *Item {
	p := ev.Post
	return &Item{Status: Pending, Mine: true, Entry: protocol.Entry{
		Room: p.Room, ID: p.ID, User: s.Me.User, Nick: s.Me.Nick, Guest: s.Me.Guest, At: ev.At.UnixNano(),
		Kind: p.Kind, Text: p.Text, Target: p.Target}}
}

func (s *State) acked(m *protocol.Ack) {
	if r := s.Room(m.Room); r != nil {
		r.replacePending(m.ID, func(it *Item) { it.Status = Acked })
	}
}

func (s *State) refused(ev Refused) {
	for _, r := range s.Rooms {
		r.replacePending(ev.ID, func(it *Item) { it.Status, it.Err = Failed, ev.Text })
	}
}

func (r *Room) replacePending(id protocol.ID, change func(*Item)) {
	for i, it := range r.Pending {
		if it.Entry.ID == id {
			fresh := *it
			change(&fresh)
			r.Pending[i] = &fresh
		}
	}
}

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
	for _, p := range m.Members {
		r.Members[p.User] = p
		s.retitle(r, p)
	}
	r.readTo(m.Read)
	if s.Active == "" {
		s.Active = r.Name
	}
	if len(r.Items) == 0 {
		r.Older = false
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

func (r *Room) clear() {
	r.Items, r.Head, r.Read, r.Unread, r.Mine, r.Older = nil, 0, 0, 0, 0, false
}

func (s *State) page(m *protocol.Page) {
	r := s.Room(m.Room)
	if r == nil || len(m.Entries) == 0 {
		if r != nil && len(r.Items) > 0 {
			r.Older = false
		}
		return
	}
	if len(r.Items) >= maxItems {
		r.Older = false // enough is held; chat tail and search reach the rest
		return
	}
	oldest := r.FirstSeq()
	items := make([]*Item, 0, len(m.Entries)+len(r.Items))
	for _, e := range m.Entries {
		if oldest == 0 || e.Seq < oldest {
			items = append(items, s.item(r, e))
		}
	}
	if len(items) == 0 {
		return
	}
	r.Items = append(items, r.Items...)
	r.Older = m.More && items[0].Entry.Seq > 1
	for _, p := range m.Entries {
		s.retitle(r, protocol.Member{User: p.User, Nick: p.Nick})
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

func (s *State) presence(m *protocol.Presence) {
	r := s.Room(m.Room)
	if r == nil {
		return
	}
	if m.Reset {
		clear(r.Members)
	}
	for _, p := range m.Joined {
		r.Members[p.User] = p
		s.retitle(r, p)
	}
	for _, u := range m.Left {
		delete(r.Members, u)
		delete(r.Typing, u)
	}
	r.Count = int(m.Count)
}

func (s *State) who(m *protocol.Who) {
	r := s.Room(m.Room)
	if r == nil {
		return
	}
	for _, p := range m.People {
		r.Members[p.User] = p
		s.retitle(r, p)
	}
	r.Count = int(m.Count)
}

// FoundList words the answer to /search: the newest last, where one reads on.
func (s *State) FoundList(m *protocol.Found) string {
	if len(m.Entries) == 0 {
		return "Nothing was found."
	}
	var b strings.Builder
	if m.More {
		b.WriteString("… and older ones; more words, or before:DATE, narrow the search\n")
	}
	for i, e := range slices.Backward(m.Entries) {
		title := "#" + e.Room
		if r := s.Room(e.Room); r != nil {
			title = r.Title
		}
		fmt.Fprintf(&b, "%s %s <%s> %s", time.Unix(0, e.At).Format("2006-01-02 15:04"), title, ShownNick(e.Nick, e.Guest), e.Text)
		if i > 0 {
			b.WriteByte('\n')
		}
	}
	return b.String()
}

// RoomList words the answer to /rooms.
func RoomList(m *protocol.Rooms) string {
	var b strings.Builder
	for i, r := range m.Rooms {
		if i > 0 {
			b.WriteByte('\n')
		}
		fmt.Fprintf(&b, "#%s, %d here, %d entries", r.Room, r.Count, r.Head)
		if r.Topic != "" {
			fmt.Fprintf(&b, ": %s", r.Topic)
		}
	}
	if m.More {
		b.WriteString("\n… and more")
	}
	return b.String()
}

func (s *State) skipped(m *protocol.Skipped, at time.Time) {
	r := s.Room(m.Room)
	if r == nil {
		return
	}
	r.Older = true
	if last := r.LastSeq(); last > 0 {
		// What is held lies before the gap. It goes, so that the list has no hole
		// in it; scrolling back loads it again.
		kept := slices.DeleteFunc(slices.Clone(r.Items), func(it *Item) bool { return it.Entry.Seq <= m.To })
		r.Items = kept
	}
	r.recount()
}

// recount works out the unread counts of what is held. It looks at what lies
// behind the read marker only: nothing, in a room that is being read.
func (r *Room) recount() {
	r.Unread, r.Mine = 0, 0
	for _, it := range slices.Backward(r.Items) {
		if it.Entry.Seq <= r.Read {
			return
		}
		if it.Status == Said && !it.Mine && counts(it.Entry.Kind) {
			r.Unread++
			if it.ForMe {
				r.Mine++
			}
		}
	}
}

// readTo moves the read marker, never back.
func (r *Room) readTo(seq uint64) {
	if seq <= r.Read {
		return
	}
	r.Read = seq
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
		r.Older = true
	}
}

// mentions reports whether a text has the nick as a word of its own, in
// whatever case, with or without an @.
func mentions(text, nick string) bool {
	if nick == "" {
		return false
	}
	text, nick = strings.ToLower(text), strings.ToLower(nick)
	for from := 0; ; {
		i := strings.Index(text[from:], nick)
		if i < 0 {
			return false
		}
		start, end := from+i, from+i+len(nick)
		before, _ := utf8.DecodeLastRuneInString(text[:start])
		after, _ := utf8.DecodeRuneInString(text[end:])
		if !inWord(before) && !inWord(after) {
			return true
		}
		from = start + 1
	}
}

func inWord(r rune) bool {
	return r != utf8.RuneError && (unicode.IsLetter(r) || unicode.IsDigit(r) || r == '_')
}

// Nicks lists the nicks known in a room, for completion.
func (r *Room) Nicks() []string {
	nicks := map[string]struct{}{}
	for _, m := range r.Members {
		nicks[m.Nick] = struct{}{}
	}
	return slices.Sorted(maps.Keys(nicks))
}

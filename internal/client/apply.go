package client

import (
	"fmt"
	"slices"
	"time"

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
		s.Link, s.Reports = Link{Phase: Waiting, Err: ev.Err, RetryAt: ev.RetryAt}, nil
	case Retrying:
		s.Link.Phase = Trying
	case GaveUp:
		s.Link, s.Reports = Link{Phase: Ended, Err: ev.Err}, nil
	case RoundTrip:
		s.Link.RoundTrip = ev.Took
	case Received:
		s.received(ev)
	case Queued:
		s.queued(ev)
	case Refused:
		s.refused(ev)
	case Dropped:
		if r := s.Room(ev.Room); r != nil {
			r.Pending = slices.DeleteFunc(r.Pending, func(it *Item) bool { return it.Entry.ID == ev.ID })
			r.replaceChange(ev.ID, func(Change) *Change { return nil })
		}
	case Selected:
		s.selected(ev.Room)
	case Focused:
		s.focused(ev.Has)
	case Recalled, Ignored, Told, Drafted:
		s.keep(ev)
	case Themed:
		s.Theme = ev.Name
	case Remarked:
		if len(s.Rooms) == 0 {
			s.early = append(s.early, ev)
		}
		s.remark(ev.Room, ev.Text, ev.At)
	}
}

func (s *State) wentUp(ev WentUp) {
	s.Link = Link{Phase: Up}
	s.Server, s.Me, s.Limits, s.Offers = ev.Server, ev.Me, ev.Limits, ev.Offers
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
		s.left(m, ev.At)
	case *protocol.Moderate:
		s.moderated(m, ev.At)
	case *protocol.Page:
		s.page(m)
	case *protocol.Nick:
		s.renamed(m, ev.At)
	case *protocol.Presence:
		s.presence(m, ev.At)
	case *protocol.Who:
		s.who(m, ev.At)
	case *protocol.Rooms:
		if m.Direct {
			s.Directs = m.Rooms
		} else {
			s.Listed = m.Rooms
		}
	case *protocol.Refuse:
		s.refusal(m, ev.At)
	case *protocol.Found:
		s.found(m)
	case *protocol.Read:
		if r := s.Room(m.Room); r != nil {
			r.readTo(m.Seq)
		}
	case *protocol.Typing:
		if r := s.Room(m.Room); r != nil && m.User != s.Me.User && !s.ignores(m.User) {
			r.Typing[m.User] = Typist{m.Nick, ev.At}
		}
	case *protocol.Skipped:
		s.skipped(m)
	case *protocol.Notice:
		s.report(m)
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
	pending := len(r.Pending)
	r.Pending = slices.DeleteFunc(r.Pending, func(it *Item) bool { return it.Entry.ID == e.ID })
	if r.first == 0 {
		r.first = e.Seq
		r.Older = r.Older || e.Seq > 1
	}
	r.last, r.Head = max(r.last, e.Seq), max(r.Head, e.Seq)
	delete(r.Typing, e.User)
	if e.Kind == protocol.KindTopic {
		r.Topic = e.Text
	}
	if m, known := r.Members[e.User]; known && m.Nick != e.Nick && r.last == e.Seq {
		m.Nick = e.Nick
		r.Members[e.User] = m
	}
	s.retitle(r, protocol.Member{User: e.User, Nick: e.Nick})
	switch {
	case folds(e.Kind):
		s.fold(r, e)
		s.passOver(r, e.Seq)
	case s.hidden(r, e):
		s.passOver(r, e.Seq)
	default:
		it := s.item(r, e)
		r.insert(&it)
		if it.Mine && len(r.Pending) == pending && e.Seq > r.gap.to && Counts(e.Kind) {
			r.noLine() // said by another device of this user's
		}
		s.heard(r, &it)
	}
}

// Counts is true for kinds that somebody has said something by.
func Counts(k protocol.Kind) bool {
	switch k {
	case protocol.KindTopic, protocol.KindEdit, protocol.KindDelete, protocol.KindReaction, protocol.KindDeed:
		return false
	}
	return true
}

// item makes the item of an entry, with what has come about it already.
func (s *State) item(r *Room, e *protocol.Entry) Item {
	it := Item{Entry: *e, Mine: e.User == s.Me.User, Change: r.changes[e.ID]}
	for i := range r.late {
		if isAbout(&r.late[i], e) {
			apply(&it.Entry, &r.late[i])
			it.goneBy(&r.late[i])
		}
	}
	it.ForMe = s.forMe(r, &it)
	it.Entry.Room, it.Entry.Nick = r.Name, s.words.same(e.Nick)
	return it
}

func (s *State) forMe(r *Room, it *Item) bool {
	if it.Entry.Kind == protocol.KindAnnounce {
		return !it.Mine
	}
	return !it.Mine && Counts(it.Entry.Kind) && (!r.Direct.IsZero() || mentions(it.Entry.Text, s.Me.Nick))
}

// words gives the same memory to the same text: a room has few nicks and many
// entries.
type words map[string]string

func (w *words) same(text string) string {
	if kept, ok := (*w)[text]; ok {
		return kept
	}
	if *w == nil || len(*w) >= 10_000 {
		*w = words{}
	}
	(*w)[text] = text
	return text
}

func (s *State) queued(ev Queued) {
	p := ev.Post
	r := s.Room(p.Room)
	switch {
	case r == nil:
		s.early = append(s.early, ev)
		return
	case p.Kind == protocol.KindReaction: // shown when it comes: it may take one back
	case folds(p.Kind):
		r.queueChange(p)
	default:
		r.noLine()
		r.Pending = append(r.Pending, s.pendingItem(ev))
	}
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
		r.replaceChange(m.ID, func(c Change) *Change { c.Status = Acked; return &c })
	}
}

func (s *State) refused(ev Refused) {
	for _, r := range s.Rooms {
		if r.replacePending(ev.ID, func(it *Item) { it.Status, it.Err = Failed, ev.Text }) ||
			r.replaceChange(ev.ID, func(c Change) *Change { c.Status, c.Err = Failed, ev.Text; return &c }) {
			return
		}
	}
	// A reaction, or a change that a later one has taken the place of.
	s.remark("", "Not done: "+ev.Text, time.Time{})
}

func (r *Room) replacePending(id protocol.ID, change func(*Item)) bool {
	for i, it := range r.Pending {
		if it.Entry.ID == id {
			fresh := *it
			change(&fresh)
			r.Pending[i] = &fresh
			return true
		}
	}
	return false
}

package tui

import (
	"slices"

	"lanchat/internal/client"
)

// Going from one thing that is new to the next, across rooms.

// seen is the first item of the active room that is on the screen, and the last;
// what was never drawn is at its end.
func (u *chat) seen() (first, last int) {
	r, l := u.room(), u.list()
	if !l.ready(r) || l.height == 0 {
		return r.Len() - 1, r.Len() - 1
	}
	return l.span(r)
}

// nextUnread goes n = 1 on, or -1 back: to the unread line of this room when it is
// out of sight, else to a room in which something is new.
func (u *chat) nextUnread(n int) {
	if r := u.room(); r != nil && r.Line > 0 && u.toLine(r) {
		return
	}
	for _, r := range u.roomsFrom(n) {
		if r.Name != u.st.Active && r.Unread > 0 {
			u.open(r.Name)
			return
		}
	}
	u.say("Nothing else is unread")
}

// toLine goes to the unread line; it is false when that is on the screen.
func (u *chat) toLine(r *client.Room) bool {
	if first := r.FirstSeq(); r.Older && first > r.Line+1 {
		u.jumpTo(r.Name, r.Line+1)
		return true
	}
	i := firstFrom(r, r.Line+1)
	if from, to := u.seen(); i >= len(r.Items) || i >= from && i <= to {
		return false
	}
	l := u.list()
	l.toEnd()
	l.openAtLine(r)
	return true
}

// roomsFrom lists the rooms in order from the active one on, or back, around the
// end; the active one is the first.
func (u *chat) roomsFrom(n int) []*client.Room {
	count := len(u.st.Rooms)
	at := max(0, slices.IndexFunc(u.st.Rooms, func(r *client.Room) bool { return r.Name == u.st.Active }))
	out := make([]*client.Room, 0, count)
	for i := range count {
		out = append(out, u.st.Rooms[((at+i*n)%count+count)%count])
	}
	return out
}

// place is an entry of a room.
type place struct {
	room string
	seq  uint64
}

// nextMention goes n = 1 on, or -1 back, to an entry that is for this user: on in
// this room, else to one that is unread, else around all that is held.
func (u *chat) nextMention(n int) {
	to, found := u.mentionFrom(u.here(n), n)
	if !found || to == u.mention && to.room == u.st.Active && u.sees(to) {
		u.say("No more mentions")
		return
	}
	u.mention = to
	u.jumpTo(to.room, to.seq)
}

// sees reports whether an entry of the active room is on the screen.
func (u *chat) sees(p place) bool {
	r := u.room()
	if r == nil || r.Name != p.room {
		return false
	}
	i := r.Find(p.seq)
	from, to := u.seen()
	return i >= 0 && i >= from && i <= to
}

// here is the seq that one reads at in the active room.
func (u *chat) here(n int) uint64 {
	r := u.room()
	switch l := u.list(); {
	case r == nil:
		return 0
	case u.mention.room == r.Name && u.sees(u.mention):
		return u.mention.seq
	case l.atEnd() && n > 0:
		return r.LastSeq()
	case l.atEnd():
		return r.LastSeq() + 1
	}
	first, _ := u.seen()
	seq := r.LastSeq()
	if first < len(r.Items) {
		seq = r.Items[first].Entry.Seq
	}
	if n > 0 && seq > 0 {
		seq-- // it may be what is next
	}
	return seq
}

func (u *chat) mentionFrom(seq uint64, n int) (place, bool) {
	rooms := u.roomsFrom(n)
	if len(rooms) == 0 {
		return place{}, false
	}
	if rooms[0].Name == u.st.Active {
		for _, m := range mentions(rooms[0], n) {
			if n > 0 && m.seq > seq || n < 0 && m.seq < seq {
				return m, true
			}
		}
		rooms = append(rooms[1:], rooms[0]) // and at last around its end
	}
	for _, r := range rooms {
		if r.Mine == 0 {
			continue
		}
		for _, m := range mentions(r, 1) {
			if m.seq > r.Read {
				return m, true
			}
		}
	}
	for _, r := range rooms {
		if found := mentions(r, n); len(found) > 0 {
			return found[0], true
		}
	}
	return place{}, false
}

// mentions lists a room's mentions in the order of reading, or back. In a direct
// talk every line is for this user: there only the first unread one counts.
func mentions(r *client.Room, n int) []place {
	var out []place
	for _, it := range r.Items {
		if it.Status != client.Said || !it.ForMe {
			continue
		}
		if !r.Direct.IsZero() {
			if from := max(r.Line, r.Read); r.Line > 0 && it.Entry.Seq > r.Line || it.Entry.Seq > from {
				return []place{{r.Name, it.Entry.Seq}}
			}
			continue
		}
		out = append(out, place{r.Name, it.Entry.Seq})
	}
	if n < 0 {
		slices.Reverse(out)
	}
	return out
}

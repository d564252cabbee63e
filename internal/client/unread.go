package client

// maxAlerts is how many alerts wait to be taken; the oldest go.
const maxAlerts = 64

// gap is what was said while there was no connection, in one room.
type gap struct {
	to    uint64 // the newest entry there was when the room was joined again
	lined bool   // the unread line has been thought of
}

// reading is true when the user has a room before the eyes.
func (s *State) reading(r *Room) bool { return s.Active == r.Name && !s.Away }

// heard counts a new item, or takes it as read, and tells the user of it.
func (s *State) heard(r *Room, it *Item) {
	seq := it.Entry.Seq
	switch {
	case seq <= r.Read:
	case it.Mine:
		if r.Unread == 0 || s.reading(r) {
			r.readTo(seq)
		}
	case !Counts(it.Entry.Kind):
		s.passOver(r, seq)
	default:
		missed := seq <= r.gap.to
		if missed || !s.reading(r) {
			r.drawLine(seq, missed)
		}
		if s.reading(r) {
			r.readTo(seq)
			return
		}
		r.Unread++
		if it.ForMe {
			r.Mine++
		}
		s.alert(r, it)
	}
}

// passOver takes as read what nobody waits to be read, when all before it is.
func (s *State) passOver(r *Room, seq uint64) {
	if s.reading(r) {
		r.readTo(seq)
	}
}

// drawLine places the unread line before an entry that was not seen coming. It
// moves only when all that stands behind it has been read.
func (r *Room) drawLine(seq uint64, missed bool) {
	holds := r.Unread > 0 || missed && r.gap.lined || r.Line > 0 && r.Line >= r.Read
	if !holds {
		r.Line, r.Missed = seq-1, 0
	}
	if missed {
		r.gap.lined = true
		r.Missed++
	}
}

func (r *Room) noLine() { r.Line, r.Missed = 0, 0 }

// selected goes to another room. The line of the one that is left has done its
// work when everything there has been read.
func (s *State) selected(room string) {
	if old := s.Room(s.Active); old != nil && room != s.Active && !s.Away && old.Unread == 0 {
		old.noLine()
	}
	s.Active = room
	s.lookAt()
}

func (s *State) focused(has bool) {
	s.Away = !has
	s.lookAt()
}

// lookAt takes the active room as read, if anybody looks.
func (s *State) lookAt() {
	if r := s.Room(s.Active); r != nil && s.reading(r) {
		r.readTo(r.LastSeq())
	}
}

// recount works out the unread counts of what is held. It looks at what lies
// behind the read marker only: nothing, in a room that is being read.
func (r *Room) recount() {
	r.Unread, r.Mine = 0, 0
	for i := len(r.Items) - 1; i >= 0; i-- {
		it := r.Items[i]
		if it.Entry.Seq <= r.Read {
			return
		}
		if it.Status == Said && !it.Mine && Counts(it.Entry.Kind) {
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

// Policy is the policy of a room.
func (s *State) Policy(room string) Policy {
	if p, own := s.Notices[room]; own {
		return p
	}
	if s.Default != "" {
		return s.Default
	}
	return TellMentions
}

// alert notes an entry that the user did not see coming. What was said before
// the program came to the room is history.
func (s *State) alert(r *Room, it *Item) {
	if it.Entry.Seq <= r.joinHead || it.Entry.Gone {
		return
	}
	switch s.Policy(r.Name) {
	case TellNothing:
		return
	case TellAll:
	default:
		if !it.ForMe {
			return
		}
	}
	if len(s.Alerts) >= maxAlerts {
		s.Alerts = append(s.Alerts[:0], s.Alerts[len(s.Alerts)-maxAlerts+1:]...)
	}
	e := &it.Entry
	s.Alerts = append(s.Alerts, Alert{Room: r.Name, Title: r.Title, Nick: e.Nick, Guest: e.Guest, Text: e.Text, ForMe: it.ForMe})
}

// TakeAlerts returns what the user is to be told of, each alert once.
func (s *State) TakeAlerts() []Alert {
	out := s.Alerts
	s.Alerts = nil
	return out
}

package tui

import (
	"fmt"
	"time"

	"lanchat/internal/client"
)

// jump is a way to an entry of a room that may not be here yet: the room is
// joined, and its history loaded back to there.
type jump struct {
	room string
	seq  uint64
}

// jumpPage is the size of the pages that are loaded on the way.
const jumpPage = 500

// jumpTo goes to an entry, wherever it is. It is chosen when it is there.
func (u *chat) jumpTo(room string, seq uint64) {
	if u.st.Room(room) == nil {
		if err := u.cfg.Engine.Join(room); err != nil {
			u.flash(sentence(err))
			return
		}
	}
	u.open(room)
	u.flashed = ""
	if _, ok := u.over.(*choosing); !ok {
		u.over = nil // whoever asked has done its part
	}
	u.jump = &jump{room, seq}
	u.settle()
}

// in reports whether the way leads through a room's history.
func (j *jump) in(room *client.Room) bool { return j != nil && j.room == room.Name }

// page is how much of a room's history is asked for at once.
func (j *jump) page() uint32 {
	if j == nil {
		return pageSize
	}
	return jumpPage
}

// text says how far one has come.
func (j *jump) text(u *chat) string {
	if room := u.room(); room != nil {
		for _, it := range room.Items {
			if it.Status == client.Notice {
				continue
			}
			at := time.Unix(0, it.Entry.At).In(u.now().Location())
			if form := "2 January 15:04"; at.YearDay() != u.now().YearDay() || at.Year() != u.now().Year() {
				return fmt.Sprintf("Loading … back to %s. Esc cancels", at.Format(form))
			}
			return fmt.Sprintf("Loading … back to %s. Esc cancels", at.Format("15:04"))
		}
	}
	return "Loading … Esc cancels"
}

// stepJump goes on as far as it can with what is here; loadOlder asks for more.
func (u *chat) stepJump() {
	j, room := u.jump, u.room()
	switch {
	case j == nil:
		return
	case u.st.Active != j.room || u.st.Link.Phase == client.Ended:
		u.jump = nil
		return
	case room == nil || u.layout.talk.h == 0:
		return // not joined yet, or not drawn
	}
	if i := room.Find(j.seq); i >= 0 {
		u.jump = nil
		u.land(room, i)
		return
	}
	first := room.FirstSeq()
	switch {
	case room.LastSeq() < room.Head && (first == 0 || j.seq > room.LastSeq()):
		return // it is still coming
	case room.Older && (first == 0 || j.seq < first):
		return
	case j.seq < first && first > 1:
		u.flash(fmt.Sprintf("It lies further back than the %d entries that are held of a room", len(room.Items)),
			"It lies further back than what is held")
	default:
		u.flash("That message is not there any more")
	}
	u.jump = nil
}

// land stands on item i, chosen, with what was said before it above.
func (u *chat) land(room *client.Room, i int) {
	l := u.list()
	if l.height == 0 {
		l.height = u.layout.talk.h
	}
	l.looks.setWidth(u.layout.talk.w)
	l.opened = false
	if first, last := l.span(room); i <= first || i >= last {
		p, _ := l.up(room, pos{i, 0}, l.height/3)
		l.stand(room, p)
	}
	if u.talkSeen() {
		u.chooseAt(room, i).jumped = true
	}
}

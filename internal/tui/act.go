package tui

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"lanchat/internal/client"

	"github.com/rivo/tview"
)

// What the user does, apart from writing. The keys for it are in keys.go.

// open goes to a room.
func (u *chat) open(name string) {
	if name == u.st.Active {
		return
	}
	u.keepDraft(u.st.Active)
	u.st.Apply(client.Selected{Room: name})
	u.flashed, u.moved = "", time.Time{}
	u.settle()
}

// openNth goes to a room by its number in the list, from 0.
func (u *chat) openNth(n int) {
	if n < len(u.st.Rooms) {
		u.open(u.st.Rooms[n].Name)
	}
}

// openNext goes n rooms on, around the end.
func (u *chat) openNext(n int) {
	if count := len(u.st.Rooms); count > 0 {
		i := slices.IndexFunc(u.st.Rooms, func(r *client.Room) bool { return r.Name == u.st.Active })
		u.open(u.st.Rooms[(i+n+count)%count].Name)
	}
}

// enter sends what was written, or carries it out. What cannot be sent stays in
// the input.
func (u *chat) enter() {
	e, about := u.input(), u.subject()
	text := strings.TrimRight(strings.TrimLeft(e.text, "\n"), " \n\t")
	if strings.TrimSpace(text) == "" {
		if about != nil && about.edit {
			u.sendEdited(about, "")
		}
		return
	}
	command := isCommand(text)
	most := int(u.st.Limits.Text)
	switch {
	case openFence(text):
		e.insert("\n")
		u.say("The code block is open: Enter breaks the line. A line of ``` closes it, and Enter behind that sends")
		return
	case u.now().Sub(u.moved) < movedAgo:
		u.moved = time.Time{}
		u.say("You are in %s now: Enter again sends this there", u.title())
		return
	case !command && u.st.Link.Phase == client.Ended:
		u.say("There is no connection any more, so this cannot be sent; /quit leaves")
		return
	case !command && u.room() == nil && u.st.Link.Phase != client.Up && len(u.st.Rooms) == 0:
		u.say("Not yet connected: press Enter again in a moment")
		return
	case !command && u.room() == nil && u.st.Active == u.cfg.Room:
		u.say("Not yet in %s: press Enter again in a moment", u.title())
		return
	case most > 0 && len(text) > most:
		u.say("Too long: %d bytes, and a message has at most %d", len(text), most)
		return
	case about != nil && (about.edit || !command):
		u.sendEdited(about, text)
		return
	}
	before := u.st.Active
	if !u.do(text) {
		return
	}
	u.past.add(text)
	e.clear()
	u.sent(before)
	u.settle()
}

// do carries out a line in the active room. When it cannot be done the user is told
// why, and it is false.
func (u *chat) do(line string) bool {
	u.flashed = ""
	quit := false
	done, err := u.obey(line)
	if !done {
		var events []client.Event
		events, quit, err = client.Do(u.cfg.Engine, &u.st, u.st.Active, line, u.now())
		for _, ev := range events {
			u.st.Apply(ev)
		}
	}
	if err != nil {
		u.say("%s", sentence(err))
		return false
	}
	if quit {
		u.quit()
	}
	return true
}

func (u *chat) sendEdited(about *subject, text string) {
	if err := u.sendAbout(about, text); err != nil {
		u.say("%s", sentence(err))
		return
	}
	u.sent(u.st.Active)
	u.settle()
}

// sent is called when a room's input has been sent.
func (u *chat) sent(room string) {
	u.keepDraft(room)
	if l := u.lists[room]; l != nil {
		l.toEnd()
	}
}

// sentence words an error for people.
func sentence(err error) string {
	s := err.Error()
	return strings.ToUpper(s[:1]) + s[1:]
}

// quit leaves, but first lets go out what was said. Asked a second time it leaves
// without.
func (u *chat) quit() {
	n := u.cfg.Engine.Waiting()
	if n == 0 || u.leaving {
		u.leave()
		return
	}
	u.leaving = true
	if u.st.Link.Phase == client.Ended {
		u.say("%s never sent. Again: leave. Esc: stay", plural(n, "message was", "messages were"))
		return
	}
	u.say("Leaving when %s sent. Again: leave without. Esc: stay", plural(n, "message is", "messages are"))
}

// interrupt is Ctrl-C: it clears the input, and leaves when pressed twice.
func (u *chat) interrupt() {
	if now := u.now(); now.Sub(u.ctrlC) > twice {
		u.ctrlC = now
		if s := u.subject(); s != nil && s.edit {
			u.endSubject()
		} else {
			u.endSubject()
			u.input().set("")
		}
		u.say("Ctrl-C again leaves")
		return
	}
	u.quit()
}

// retryAll sends once more what was refused in this room: the oldest first, so
// that it arrives in the order in which it was written.
func (u *chat) retryAll() {
	room := u.room()
	if room == nil {
		return
	}
	var failed []*client.Item
	for i := range room.Len() {
		if it := room.At(i); it.Status == client.Failed || it.Change != nil && it.Change.Status == client.Failed {
			failed = append(failed, it)
		}
	}
	for _, it := range failed {
		events, err := client.Retry(u.cfg.Engine, &u.st, it)
		for _, ev := range events {
			u.st.Apply(ev)
		}
		if err != nil {
			u.say("%s", sentence(err))
			return
		}
	}
	if len(failed) == 0 {
		u.say("Nothing here was refused")
		return
	}
	u.say("Sent again: %s", plural(len(failed), "message", "messages"))
}

func (u *chat) mouse(action tview.MouseAction, x, y int) {
	room := u.room()
	switch action {
	case tview.MouseScrollUp, tview.MouseScrollDown:
		n := 3
		if action == tview.MouseScrollUp {
			n = -3
		}
		if u.over != nil {
			u.over.wheel(n)
		} else if room != nil {
			u.list().scroll(room, n)
		}
	case tview.MouseLeftDown, tview.MouseLeftUp:
		u.teller.acted = u.now()
		u.held = noBorder
		if action == tview.MouseLeftDown {
			u.click(x, y)
		}
	}
	u.settle()
}

// click does what stands at a place of the screen.
func (u *chat) click(x, y int) {
	l := &u.layout
	u.held = l.borderAt(x, y)
	switch {
	case u.held != noBorder:
	case u.talkSeen() && l.talk.has(x, y):
		u.clickTalk(y)
	case u.over != nil && (l.talk.has(x, y) || l.talk.h < leastOver):
		if c, ok := u.over.(interface{ click(x, y int) }); ok {
			c.click(x, y)
		}
	case l.rooms.has(x, y):
		if n := l.firstRoom + y - l.rooms.y; n < len(u.st.Rooms) {
			u.over = nil
			u.openNth(n)
		}
	case l.people.has(x, y):
		u.over = nil
		u.clickPerson(y - l.people.y)
	case !u.talkSeen():
	case l.bar.has(x, y):
		u.scroll((*msgList).toEnd)
	}
}

func plural(n int, one, many string) string {
	if n == 1 {
		return "1 " + one
	}
	return fmt.Sprintf("%d %s", n, many)
}

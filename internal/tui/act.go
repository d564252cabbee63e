package tui

import (
	"fmt"
	"slices"
	"strings"

	"lanchat/internal/client"
	"lanchat/protocol"

	"github.com/rivo/tview"
)

// What the user does, apart from writing. The keys for it are in keys.go.

// open goes to a room.
func (u *chat) open(name string) {
	if name == u.st.Active {
		return
	}
	u.st.Apply(client.Selected{Room: name})
	u.flashed = ""
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
	e := u.input()
	text := strings.TrimRight(strings.TrimLeft(e.text, "\n"), " \n\t")
	if strings.TrimSpace(text) == "" {
		return
	}
	isCommand := strings.HasPrefix(text, "/") && !strings.HasPrefix(text, "//")
	most := int(u.st.Limits.Text)
	switch {
	case !isCommand && u.st.Link.Phase == client.Ended:
		u.say("There is no connection any more, so this cannot be sent; /quit leaves")
		return
	case !isCommand && u.room() == nil && u.st.Link.Phase != client.Up && len(u.st.Rooms) == 0:
		u.say("Not yet connected: press Enter again in a moment")
		return
	case most > 0 && len(text) > most:
		u.say("Too long: %d bytes, and a message has at most %d", len(text), most)
		return
	}
	before := u.st.Active
	events, quit, err := client.Do(u.cfg.Engine, &u.st, before, text, u.now())
	for _, ev := range events {
		u.st.Apply(ev)
	}
	if err != nil {
		u.say("%s", sentence(err))
		return
	}
	u.past.add(text)
	*e = editor{}
	u.flashed = ""
	if l := u.lists[before]; l != nil {
		l.toEnd()
	}
	if quit {
		u.quit()
	}
	u.settle()
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
		u.input().set("")
		u.say("Ctrl-C again leaves")
		return
	}
	u.quit()
}

// takeBack puts the last message that was refused back into the input.
func (u *chat) takeBack() {
	room := u.room()
	if room == nil {
		return
	}
	for _, it := range slices.Backward(room.Pending) {
		if it.Status != client.Failed {
			continue
		}
		if e := u.input(); e.text != "" {
			u.say("First send or clear what you are writing")
			return
		}
		text := it.Entry.Text
		if it.Entry.Kind == protocol.KindAction {
			text = "/me " + text
		} else if strings.HasPrefix(text, "/") {
			text = "/" + text
		}
		u.input().set(text)
		u.st.Apply(client.Dropped{Room: room.Name, ID: it.Entry.ID})
		return
	}
	u.say("No message here was refused")
}

// paste puts a pasted text into the input, with its line breaks.
func (u *chat) paste(text string) {
	if u.over != nil {
		u.over.paste(text)
		return
	}
	if !u.input().insert(text) {
		u.say("Not all of it fits: an input has at most %d KiB", maxInput>>10)
	}
	u.tellTyping()
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
	case tview.MouseLeftDown:
		if u.over == nil && u.layout.rooms.has(x, y) {
			u.openNth(u.layout.firstRoom + y - u.layout.rooms.y)
		} else if u.over == nil && u.layout.bar.has(x, y) {
			u.scroll((*msgList).toEnd)
		}
	}
	u.settle()
}

func plural(n int, one, many string) string {
	if n == 1 {
		return "1 " + one
	}
	return fmt.Sprintf("%d %s", n, many)
}

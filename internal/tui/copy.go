package tui

import (
	"fmt"
	"strings"
	"unicode/utf8"

	"lanchat/internal/client"
	"lanchat/internal/safetext"

	"github.com/gdamore/tcell/v2"
)

// maxCopy bounds what is copied, in bytes: terminals take no more at once.
const maxCopy = 64 << 10

// copy hands a text to the terminal's clipboard, by OSC 52. Whether the terminal
// takes it cannot be known.
func (u *chat) copy(text string) {
	text = safetext.Text(text)
	if text == "" || u.layout.screen.s == nil {
		u.flash("There is no text in it")
		return
	}
	done := "Copied " + plural(strings.Count(text, "\n")+1, "line", "lines")
	if len(text) > maxCopy {
		done = fmt.Sprintf("Too long: copied the first %d of %d KiB", maxCopy>>10, (len(text)+1023)>>10)
		text = text[:maxCopy]
		for !utf8.ValidString(text) {
			text = text[:len(text)-1]
		}
	}
	u.layout.screen.s.SetClipboard([]byte(text))
	u.flash(done+"; where your terminal does not take it (OSC 52), F6 shows the talk without borders",
		done+". It is not there? F6 shows the talk alone", done)
}

// flash shows the user a word for a moment, in the first of its forms that fits.
func (u *chat) flash(forms ...string) {
	u.flashed, u.flashedAt = forms[len(forms)-1], u.now()
	for _, text := range forms {
		if width(text) <= u.layout.bar.w-6 {
			u.flashed = text
			return
		}
	}
}

// copying is the talk alone on the whole screen, without a line, a margin or the
// mouse: what the terminal marks there is what was said. It stands still.
type copying struct {
	u    *chat
	room string
	list *msgList
}

func (u *chat) copyMode() {
	room := u.room()
	if room == nil || !u.list().ready(room) {
		u.say("There is nothing to copy yet")
		return
	}
	l := newMsgList(&looks{bare: true, me: u.st.Me.User}, u.now().Location())
	l.hold = true
	if of := u.list(); of.standing {
		l.standing, l.top, l.topOff, l.seen = true, of.top, of.topOff, of.seen
	}
	u.over = &copying{u, room.Name, l}
	if u.layout.screen.s != nil {
		u.layout.screen.s.DisableMouse()
	}
}

func (c *copying) draw(p painter) {
	room := c.u.room()
	if room == nil || room.Name != c.room || room.Len() == 0 {
		p.text(0, 0, fit("The room is gone. Esc goes back", p.w), dim)
		return
	}
	talk := p
	if p.h >= 4 {
		talk = p.sub(0, 0, p.w, p.h-1)
		p.text(0, p.h-1, fit("Esc goes back; Up, Down, PgUp, PgDn, Home, End scroll", p.w), dim)
	}
	l := c.list
	if l.height == 0 {
		l.height = talk.h
		l.looks.setWidth(talk.w)
		if !l.standing && talk.h > 0 {
			end, _ := l.end(room)
			l.stand(room, end)
		}
	}
	l.draw(talk, room)
}

func (c *copying) paste(string) {}

func (c *copying) wheel(rows int) {
	if room := c.u.room(); room != nil && room.Name == c.room {
		c.list.scroll(room, rows)
	}
}

func (c *copying) key(ev *tcell.EventKey) bool {
	page := max(1, c.list.height-2)
	switch ev.Key() {
	case tcell.KeyUp:
		c.wheel(-1)
	case tcell.KeyDown:
		c.wheel(1)
	case tcell.KeyPgUp:
		c.wheel(-page)
	case tcell.KeyPgDn:
		c.wheel(page)
	case tcell.KeyHome:
		c.move((*msgList).home)
	case tcell.KeyEnd:
		c.move(func(l *msgList, room *client.Room) { end, _ := l.end(room); l.stand(room, end) })
	default:
		a := c.u.keys.does[struck(ev)]
		quit := a != nil && a.name == "quit"
		if ev.Key() != tcell.KeyEscape && !quit && (a == nil || a.name != "copy-mode" && a.name != "clear") {
			return true
		}
		c.u.layout.screen.s.EnableMouse()
		if quit {
			a.do(c.u)
		}
		return false
	}
	return true
}

func (c *copying) move(f func(*msgList, *client.Room)) {
	if room := c.u.room(); room != nil && room.Name == c.room && c.list.ready(room) {
		f(c.list, room)
	}
}

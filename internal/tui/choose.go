package tui

import (
	"strings"

	"lanchat/internal/client"
	"lanchat/protocol"

	"github.com/gdamore/tcell/v2"
)

// choosing is the talk with one entry chosen, for keys to act on. As a layer it
// has the keys; what it lies over is still seen.
type choosing struct {
	u      *chat
	room   string
	at     mark
	jumped bool   // one came from elsewhere: the end is where one goes back to
	sure   bool   // asked whether to delete it; the next d does
	react  bool   // a reaction is being picked
	typed  string // of it so far
}

// choose begins choosing, with what was said last of what is seen.
func (u *chat) choose() {
	room := u.room()
	if room == nil || !u.list().ready(room) {
		u.say("There is nothing to choose yet")
		return
	}
	i := room.Len() - 1
	if l := u.list(); !l.atEnd() {
		i = min(i, l.last)
	}
	u.chooseAt(room, i)
}

func (u *chat) chooseAt(room *client.Room, i int) *choosing {
	c := &choosing{u: u, room: room.Name, at: markOf(room, i)}
	u.over, u.flashed = c, ""
	u.list().show(room, i)
	return c
}

// clickTalk chooses what was clicked on.
func (u *chat) clickTalk(y int) {
	room := u.room()
	if room == nil || !u.talkSeen() {
		return
	}
	it := u.list().itemAt(y - u.layout.talk.y)
	if it == nil {
		return
	}
	m := mark{it: it, seq: it.Entry.Seq, id: it.Entry.ID, hint: room.Len()}
	if i, same := m.find(room); same {
		u.chooseAt(room, i)
	}
}

// talkSeen reports whether the talk is on the screen, as what keys are about.
func (u *chat) talkSeen() bool {
	_, choosing := u.over.(*choosing)
	return u.over == nil || choosing
}

// item is the chosen one; nil when the room is gone or another one.
func (c *choosing) item() (*client.Room, int) {
	room := c.u.room()
	if room == nil || room.Name != c.room || room.Len() == 0 {
		return nil, 0
	}
	i, _ := c.at.find(room)
	return room, min(i, room.Len()-1)
}

func (c *choosing) draw(p painter) {
	room := c.u.room()
	if room == nil || room.Len() == 0 {
		c.u.drawWelcome(p, room)
		return
	}
	l := c.u.list()
	if room.Name == c.room {
		l.chosen = &c.at
	}
	l.draw(p, room)
	l.chosen = nil
}

func (c *choosing) paste(text string) {
	if c.react {
		c.typed += text
	}
}

// wheel scrolls, and takes the choice along when it would leave the screen.
func (c *choosing) wheel(rows int) {
	room, i := c.item()
	if room == nil {
		return
	}
	l := c.u.list()
	l.scroll(room, rows)
	if first, last := l.span(room); i < first || i > last {
		c.at = markOf(room, min(max(i, first), last))
	}
}

func (c *choosing) key(ev *tcell.EventKey) bool {
	room, i := c.item()
	if room == nil {
		return false
	}
	c.u.flashed = ""
	it := room.At(i)
	if c.react {
		c.reactKey(ev, it)
		return true
	}
	sure := c.sure
	c.sure = false
	l := c.u.list()
	switch ev.Key() {
	case tcell.KeyEscape:
		switch {
		case c.u.jump != nil:
			c.u.jump = nil
			return true
		case sure:
			return true
		case c.jumped:
			l.toEnd()
		}
		return false
	case tcell.KeyUp:
		c.up(room, i)
	case tcell.KeyDown:
		c.down(room, i)
	case tcell.KeyPgUp:
		p, _ := l.up(room, pos{i, 0}, max(1, l.height-2))
		c.to(room, p.i)
	case tcell.KeyPgDn:
		c.to(room, l.down(room, pos{i, 0}, max(1, l.height-2)).i)
	case tcell.KeyHome:
		c.to(room, 0)
	case tcell.KeyEnd:
		l.toEnd()
		c.jumped = false
		c.to(room, room.Len()-1)
	case tcell.KeyEnter:
		c.origin(it)
	case tcell.KeyRune:
		return c.letter(ev.Rune(), room, i, sure)
	default:
		return c.other(ev)
	}
	return true
}

// other is for what keys do at any time: some of it goes on here.
func (c *choosing) other(ev *tcell.EventKey) bool {
	a := c.u.keys.does[struck(ev)]
	if a == nil {
		return true
	}
	switch a.name {
	case "choose", "clear":
		return false
	case "copy-mode", "redraw", "quit", "help":
		a.do(c.u)
	}
	return true
}

// letter is false when choosing ends.
func (c *choosing) letter(r rune, room *client.Room, i int, sure bool) bool {
	it := room.At(i)
	switch r {
	case 'k':
		c.up(room, i)
	case 'j':
		c.down(room, i)
	case 'o':
		c.origin(it)
	case 'c', 'y':
		c.u.copy(it.Entry.Text)
	case 'C':
		if text := codeIn(it.Entry.Text); text != "" {
			c.u.copy(text)
		} else {
			c.u.flash("There is no code in it; c copies the text")
		}
	case 'r':
		if c.can(it, false) {
			c.u.replyTo(it)
			return false
		}
	case 'e':
		if c.can(it, true) {
			c.u.editItem(it)
			return false
		}
	case 'd':
		if c.can(it, !c.u.st.MayDelete(it)) {
			if c.sure = !sure; sure {
				c.about(it, protocol.KindDelete, "")
			}
		}
	case '+', ':':
		if c.can(it, false) {
			c.react, c.typed = true, ""
		}
	}
	return true
}

// can reports whether something can be said about an item, or, with own, whether
// it can be changed; if not, it says why.
func (c *choosing) can(it *client.Item, own bool) bool {
	e := &it.Entry
	why := ""
	switch {
	case it.Status == client.Notice:
		why = "That is a remark of this program's: c copies it"
	case it.Status == client.Failed:
		why = "That was never sent: Ctrl-T sends it again"
	case it.Status != client.Said:
		why = "That is not sent yet"
	case e.Gone:
		why = "That is deleted"
	case own && !it.Mine:
		why = "Only " + client.ShownNick(e.Nick, e.Guest) + " can change that"
	case own && e.Kind != protocol.KindText && e.Kind != "" && e.Kind != protocol.KindAction:
		why = "That cannot be changed"
	case own && it.Change != nil && it.Change.Status != client.Failed:
		why = "A change of it is on its way"
	default:
		return true
	}
	c.u.flash(why)
	return false
}

func (c *choosing) about(it *client.Item, kind protocol.Kind, text string) {
	events, err := client.About(c.u.cfg.Engine, &c.u.st, it, kind, text)
	for _, ev := range events {
		c.u.st.Apply(ev)
	}
	if err != nil {
		c.u.flash(sentence(err))
	}
}

// origin goes to what an item is a reply to.
func (c *choosing) origin(it *client.Item) {
	room := c.u.room()
	switch to := heldTarget(room, it); {
	case it.Entry.Target.IsZero() && it.Entry.TargetSeq == 0:
		c.u.flash("That is no reply")
	case to != nil:
		c.u.jumpTo(room.Name, to.Entry.Seq)
	case it.Entry.TargetSeq == 0:
		c.u.flash("What that replies to is no longer in the log")
	default:
		c.u.jumpTo(room.Name, it.Entry.TargetSeq)
	}
}

// to chooses item i and shows it.
func (c *choosing) to(room *client.Room, i int) {
	i = min(max(i, 0), room.Len()-1)
	c.at = markOf(room, i)
	c.u.list().show(room, i)
}

// up and down move to the next entry; in one that is higher than the screen they
// scroll, until it has been seen.
func (c *choosing) up(room *client.Room, i int) {
	l := c.u.list()
	if top := l.at(room); top.i == i && top.r > 2 {
		l.scroll(room, -max(1, l.height/2))
		return
	}
	c.to(room, i-1)
}

func (c *choosing) down(room *client.Room, i int) {
	l := c.u.list()
	if below := l.down(room, l.at(room), l.height); below.i == i {
		l.scroll(room, max(1, l.height/2))
		return
	}
	c.to(room, i+1)
}

// hint says what the keys do, the weightiest first, as many as fit.
func (c *choosing) hint(columns int) string {
	room, i := c.item()
	if room == nil {
		return ""
	}
	it := room.At(i)
	if c.react {
		return c.reactHint(columns)
	}
	if c.sure {
		return "Delete it? d again deletes it; Esc keeps it"
	}
	var parts []string
	said := it.Status == client.Said && !it.Entry.Gone
	add := func(when bool, part string) {
		if when {
			parts = append(parts, part)
		}
	}
	add(true, "Esc ends")
	add(said, "r reply")
	add(said, "+ react")
	add(said && it.Mine, "e edit")
	add(said && (it.Mine || c.u.st.MayDelete(it)), "d delete")
	add(true, "c copy")
	add(!it.Entry.Target.IsZero() || it.Entry.TargetSeq > 0, "Enter origin")
	add(strings.Contains(it.Entry.Text, "`"), "C copy code")
	add(true, "↑↓ move")
	text := parts[0]
	for _, part := range parts[1:] {
		if width(text)+3+width(part) > columns {
			break
		}
		text += " · " + part
	}
	return text
}

package tui

import (
	"strings"

	"github.com/gdamore/tcell/v2"
)

// popup is the list of what the word before the cursor may become. It is about one
// state of the input: when that has changed by anything else, the list is closed.
type popup struct {
	room string
	text string
	at   int

	from   int // where the word begins
	list   []offer
	marked int
	top    int
	typed  string // the word
	chosen bool   // the user has moved the mark
	put    bool   // the marked one stands in the text already

	hidden int // where the word begins that no list is wanted for, and 1; 0: none
}

const popupRows = 8

// popupOpen reports whether there is a list that fits what is in the input.
func (u *chat) popupOpen() bool {
	p, e := &u.popup, u.input()
	return len(p.list) > 0 && p.room == u.st.Active && p.at == e.at && p.text == e.text
}

// suggest opens the list when a word has been typed that is to have one.
func (u *chat) suggest() {
	e, hidden := u.input(), u.popup.hidden
	if u.popup.room != u.st.Active {
		hidden = 0
	}
	from, list := u.offers(e.text[:e.at], false)
	if hidden != from+1 {
		hidden = 0
	}
	u.popup = popup{room: u.st.Active, text: e.text, at: e.at, from: from, typed: e.text[from:e.at], hidden: hidden}
	if hidden == 0 && u.layout.talk.h > 0 {
		u.popup.list = list
	}
}

// complete puts the first candidate in, and shows the others.
func (u *chat) complete() {
	e := u.input()
	from, list := u.offers(e.text[:e.at], true)
	if len(list) == 0 {
		return
	}
	u.popup = popup{room: u.st.Active, text: e.text, at: e.at, from: from, typed: e.text[from:e.at], list: list}
	u.putMarked()
}

// popupKey is a key while the list is open; it is false for those that are not
// the list's.
func (u *chat) popupKey(ev *tcell.EventKey) bool {
	p := &u.popup
	switch s := struck(ev); {
	case s.mod&(tcell.ModAlt|tcell.ModShift) != 0:
		return false
	case s.key == tcell.KeyUp:
		u.move(-1, p.put)
	case s.key == tcell.KeyDown:
		u.move(1, p.put)
	case s.key == tcell.KeyTab && !p.put:
		u.putMarked()
	case s.key == tcell.KeyTab:
		u.move(1, true)
	case s.key == tcell.KeyBacktab:
		u.move(-1, true)
	case s.key == tcell.KeyEnter && s.mod == 0:
		if p.put || !p.chosen && p.whole() {
			p.list = nil
			return false
		}
		u.putMarked()
		p.list = nil
	case s.key == tcell.KeyEscape:
		p.list, p.hidden = nil, p.from+1
	default:
		return false
	}
	return true
}

// whole reports whether Enter is to send what is typed: it is a candidate already,
// or no more than the sign that opens the list.
func (p *popup) whole() bool {
	if len(p.typed) <= 1 {
		return true
	}
	for _, c := range p.list {
		if strings.EqualFold(c.text, p.typed) {
			return true
		}
	}
	return false
}

// move moves the mark by n, around the ends.
func (u *chat) move(n int, put bool) {
	p := &u.popup
	p.marked = (p.marked + n + len(p.list)) % len(p.list)
	p.chosen = true
	if put {
		u.putMarked()
	}
}

// putMarked puts the marked candidate into the text, in the place of the word, or
// of the one that was put there before. The only one closes the list.
func (u *chat) putMarked() {
	p, e := &u.popup, u.input()
	if p.put {
		e.undo() // so that the word as it was typed is one step back
	}
	c := p.list[p.marked]
	e.replace(p.from, e.at, c.text+c.end)
	p.text, p.at, p.put = e.text, e.at, true
	if len(p.list) == 1 {
		p.list = nil
	}
	u.tellTyping()
}

// drawPopup draws the list over the lower rows of the talk.
func (u *chat) drawPopup(talk painter) {
	if !u.popupOpen() || u.over != nil {
		return
	}
	l := &u.popup
	h := min(len(l.list), popupRows, talk.h)
	l.top = max(min(l.top, l.marked, len(l.list)-h), l.marked-h+1, 0)
	p := talk.sub(0, talk.h-h, talk.w, h)
	if talk.h > h {
		talk.fill(0, talk.h-h-1, '─', dim)
	}
	names := 0
	for _, c := range l.list[l.top : l.top+h] {
		names = max(names, width(c.text))
	}
	for y := range h {
		c := l.list[l.top+y]
		sign, st, note := "  ", plain, dim
		if l.top+y == l.marked {
			sign, st, note = "▸ ", chosen, chosen
		}
		p.fill(0, y, ' ', st)
		x := p.text(0, y, sign, st)
		p.text(x, y, fit(c.text, p.w-x), st)
		if x += names + 2; x < p.w-4 {
			p.text(x, y, fit(c.note, p.w-x), note)
		}
	}
}

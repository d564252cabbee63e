package tui

import "github.com/gdamore/tcell/v2"

// stroke is a key with its modifiers; of KeyRune, which one.
type stroke struct {
	key  tcell.Key
	mod  tcell.ModMask
	rune rune
}

// binding is what keys do. The table is all there is, apart from writing.
type binding struct {
	keys    string // as people call them
	help    string
	strokes []stroke
	do      func(u *chat)
}

var bindings []binding

func init() { // not a literal: the help reads the table
	bindings = []binding{
		{"Enter", "send", []stroke{{key: tcell.KeyEnter}}, (*chat).enter},
		{"Alt+Enter", "a new line in the message; or Ctrl-J", []stroke{
			{key: tcell.KeyEnter, mod: tcell.ModAlt}, {key: tcell.KeyEnter, mod: tcell.ModShift},
			{key: tcell.KeyEnter, mod: tcell.ModCtrl}, {key: tcell.KeyCtrlJ, mod: tcell.ModCtrl}, {key: tcell.KeyCtrlJ}},
			func(u *chat) { u.input().insert("\n") }},
		{"Tab", "complete a name or a command", []stroke{{key: tcell.KeyTab}},
			func(u *chat) { u.input().complete(&u.st, u.room()) }},
		{"Up, Down", "what you sent before", nil, nil},
		{"", "", []stroke{{key: tcell.KeyUp}}, func(u *chat) { u.vertical(-1) }},
		{"", "", []stroke{{key: tcell.KeyDown}}, func(u *chat) { u.vertical(1) }},
		{"PgUp, PgDn", "scroll; so does the mouse wheel", nil, nil},
		{"", "", []stroke{{key: tcell.KeyPgUp}}, func(u *chat) { u.scroll(func(l *msgList) { l.page(u.room(), -1) }) }},
		{"", "", []stroke{{key: tcell.KeyPgDn}}, func(u *chat) { u.scroll(func(l *msgList) { l.page(u.room(), 1) }) }},
		{"Home, End", "the oldest line, the newest; in a text with Ctrl", nil, nil},
		{"", "", []stroke{{key: tcell.KeyHome}}, func(u *chat) { u.homeEnd(true) }},
		{"", "", []stroke{{key: tcell.KeyEnd}}, func(u *chat) { u.homeEnd(false) }},
		{"", "", []stroke{{key: tcell.KeyHome, mod: tcell.ModCtrl}}, func(u *chat) { u.scroll(func(l *msgList) { l.home(u.room()) }) }},
		{"", "", []stroke{{key: tcell.KeyEnd, mod: tcell.ModCtrl}}, func(u *chat) { u.scroll((*msgList).toEnd) }},
		{"Alt+Up, Ctrl-P", "the room before", []stroke{{key: tcell.KeyUp, mod: tcell.ModAlt}, {key: tcell.KeyCtrlP, mod: tcell.ModCtrl}},
			func(u *chat) { u.openNext(-1) }},
		{"Alt+Down, Ctrl-N", "the next room", []stroke{{key: tcell.KeyDown, mod: tcell.ModAlt}, {key: tcell.KeyCtrlN, mod: tcell.ModCtrl}},
			func(u *chat) { u.openNext(1) }},
		{"Alt+1 … Alt+9", "a room by its number; or click on it", nil, nil},
		{"Ctrl-R", "take a refused message back, to change it", []stroke{{key: tcell.KeyCtrlR, mod: tcell.ModCtrl}}, (*chat).takeBack},
		{"Ctrl-A, Ctrl-E", "the line's beginning, its end", nil, nil},
		{"Ctrl-W, Ctrl-U", "delete a word, the line", nil, nil},
		{"Ctrl-L", "draw the screen anew", []stroke{{key: tcell.KeyCtrlL, mod: tcell.ModCtrl}}, func(u *chat) { u.layout.screen.s.Sync() }},
		{"F1", "this help", []stroke{{key: tcell.KeyF1}}, func(u *chat) { u.help = newHelp(u.cfg.Version) }},
		{"Ctrl-C twice", "leave; once: clear the input", []stroke{{key: tcell.KeyCtrlC, mod: tcell.ModCtrl}}, (*chat).interrupt},
		{"Ctrl-Q", "leave", []stroke{{key: tcell.KeyCtrlQ, mod: tcell.ModCtrl}}, (*chat).quit},
		{"Esc", "close what is open; go to the newest line", []stroke{{key: tcell.KeyEscape}}, (*chat).escape},
	}
}

// bound finds what a key does; nil: nothing.
func bound(ev *tcell.EventKey) func(*chat) {
	mod := ev.Modifiers()
	if k := ev.Key(); k >= tcell.KeyCtrlA && k <= tcell.KeyCtrlZ {
		mod |= tcell.ModCtrl // some terminals say it, some do not
	}
	for _, b := range bindings {
		for _, s := range b.strokes {
			if s.key == ev.Key() && s.mod == mod && (s.key != tcell.KeyRune || s.rune == ev.Rune()) {
				return b.do
			}
		}
	}
	return nil
}

func (u *chat) key(ev *tcell.EventKey) {
	if u.help != nil {
		if !u.help.key(ev) {
			u.help = nil
		}
		u.settle()
		return
	}
	if do := bound(ev); do != nil {
		do(u)
	} else if r := ev.Rune(); ev.Key() == tcell.KeyRune && ev.Modifiers() == tcell.ModAlt && r >= '1' && r <= '9' {
		u.openNth(int(r - '1'))
	} else if u.input().key(ev) {
		u.tellTyping()
	}
	u.settle()
}

func (u *chat) scroll(f func(*msgList)) {
	if u.room() != nil {
		f(u.list())
	}
}

// homeEnd is for the input while something is written, and else for the talk.
func (u *chat) homeEnd(home bool) {
	e := u.input()
	switch {
	case e.text != "" && home:
		e.at = e.lineStart()
	case e.text != "":
		e.at = e.lineEnd()
	case home:
		u.scroll(func(l *msgList) { l.home(u.room()) })
	default:
		u.scroll((*msgList).toEnd)
	}
}

// vertical moves in a message of several lines, and at its edge in the history.
func (u *chat) vertical(n int) {
	if e := u.input(); !e.vertical(n) {
		u.past.recall(e, -n)
	}
}

// escape takes back what hangs over the screen, one thing at a time.
func (u *chat) escape() {
	switch {
	case u.leaving:
		u.leaving, u.flashed = false, ""
	case u.flashed != "":
		u.flashed = ""
	default:
		u.scroll((*msgList).toEnd)
	}
}

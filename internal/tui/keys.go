package tui

import (
	"fmt"
	"slices"
	"strings"

	"github.com/gdamore/tcell/v2"
)

// action is something that keys do. The table has all of them, apart from
// writing; the help and the config file's [keys] are made from it.
type action struct {
	name string   // in the config file
	keys []string // as people call them: see parseKey
	help string
	do   func(u *chat)
}

var actions []action

func init() { // not a literal: the help reads the table
	actions = []action{
		{"send", []string{"Enter"}, "send; inside ``` of a code block, a new line", (*chat).enter},
		{"newline", []string{"Alt+Enter", "Shift+Enter", "Ctrl+Enter", "Ctrl-J"}, "a new line in the message",
			func(u *chat) { u.input().insert("\n") }},
		{"complete", []string{"Tab"}, "complete a name or a command", (*chat).complete},
		{"up", []string{"Up"}, "the row above; in an empty input, change what you said last", func(u *chat) { u.vertical(-1) }},
		{"down", []string{"Down"}, "the row below", func(u *chat) { u.vertical(1) }},
		{"history-back", []string{"Ctrl-P"}, "what you sent before", func(u *chat) { u.past.recall(u.input(), 1) }},
		{"history-on", []string{"Ctrl-N"}, "on, to what you are writing", func(u *chat) { u.past.recall(u.input(), -1) }},
		{"history-search", []string{"Ctrl-R"}, "search what you sent; again: further back", (*chat).startSeek},
		{"page-up", []string{"PgUp"}, "scroll back; so does the mouse wheel", func(u *chat) { u.scroll(func(l *msgList) { l.page(u.room(), -1) }) }},
		{"page-down", []string{"PgDn"}, "scroll on", func(u *chat) { u.scroll(func(l *msgList) { l.page(u.room(), 1) }) }},
		{"home", []string{"Home"}, "the line's beginning; in an empty input, the oldest line of the talk", func(u *chat) { u.homeEnd(true) }},
		{"end", []string{"End"}, "the line's end; in an empty input, the newest line of the talk", func(u *chat) { u.homeEnd(false) }},
		{"oldest", []string{"Ctrl+Home"}, "the oldest line of the talk", func(u *chat) { u.scroll(func(l *msgList) { l.home(u.room()) }) }},
		{"newest", []string{"Ctrl+End"}, "the newest line of the talk", func(u *chat) { u.scroll((*msgList).toEnd) }},
		{"room-before", []string{"Alt+Up"}, "the room before", func(u *chat) { u.openNext(-1) }},
		{"room-after", []string{"Alt+Down"}, "the next room", func(u *chat) { u.openNext(1) }},
		{"palette", []string{"Ctrl-K"}, "find a room, somebody, a command", func(u *chat) { u.openPalette("") }},
		{"search", []string{"Ctrl-F"}, "search what was said", func(u *chat) { u.openSearch("") }},
		{"next-unread", []string{"Alt+n"}, "the unread line of this room; the next room with something new", func(u *chat) { u.nextUnread(1) }},
		{"previous-unread", []string{"Alt+p"}, "the same, backwards", func(u *chat) { u.nextUnread(-1) }},
		{"next-mention", []string{"Alt+m"}, "the next line that is for you, in any room", func(u *chat) { u.nextMention(1) }},
		{"previous-mention", []string{"Alt+M"}, "the one before", func(u *chat) { u.nextMention(-1) }},
		{"rooms-pane", []string{"F7"}, "hide or show the rooms", func(u *chat) { u.togglePane(&u.panes.rooms) }},
		{"people-pane", []string{"F8"}, "hide or show the people", func(u *chat) { u.togglePane(&u.panes.people) }},
		{"retry", []string{"Ctrl-T"}, "send again what was refused here", (*chat).retryAll},
		{"choose", []string{"Ctrl-X"}, "choose a message, to reply to it, change it, copy it; so does a click on it", (*chat).choose},
		{"copy-mode", []string{"F6"}, "the talk alone, for the terminal's own marking and copying", (*chat).copyMode},
		{"wire", []string{"F2"}, "what goes over the wire: datagrams and frames, side by side", (*chat).openWire},
		{"redraw", []string{"Ctrl-L"}, "draw the screen anew", func(u *chat) { u.layout.screen.s.Sync() }},
		{"help", []string{"F1", "?"}, "this help; ? in an empty input, and again for a ?", func(u *chat) { u.over = newHelp(u) }},
		{"clear", []string{"Ctrl-C"}, "clear the input; twice: leave", (*chat).interrupt},
		{"quit", []string{"Ctrl-Q"}, "leave", (*chat).quit},
		{"close", []string{"Esc"}, "close what is open; go to the newest line", (*chat).escape},
	}
}

// stroke is a key with its modifiers; of KeyRune, which one.
type stroke struct {
	key  tcell.Key
	mod  tcell.ModMask
	rune rune
}

// struck is the stroke of an event.
func struck(ev *tcell.EventKey) stroke {
	s := stroke{key: ev.Key(), mod: ev.Modifiers()}
	if s.key >= tcell.KeyCtrlA && s.key <= tcell.KeyCtrlUnderscore {
		s.mod |= tcell.ModCtrl // some terminals say it, some do not
	}
	if s.key == tcell.KeyRune {
		s.rune, s.mod = ev.Rune(), s.mod&^tcell.ModShift // which is in the character
	}
	return s
}

// character reports whether the key writes something. Bound to an action, it does
// so all the same where something has been written already.
func (s stroke) character() bool { return s.key == tcell.KeyRune && s.mod&^tcell.ModShift == 0 }

var keyNames = map[string]tcell.Key{
	"enter": tcell.KeyEnter, "tab": tcell.KeyTab, "esc": tcell.KeyEscape, "backspace": tcell.KeyBackspace2, "delete": tcell.KeyDelete,
	"insert": tcell.KeyInsert, "up": tcell.KeyUp, "down": tcell.KeyDown, "left": tcell.KeyLeft, "right": tcell.KeyRight,
	"pgup": tcell.KeyPgUp, "pgdn": tcell.KeyPgDn, "home": tcell.KeyHome, "end": tcell.KeyEnd,
	"f1": tcell.KeyF1, "f2": tcell.KeyF2, "f3": tcell.KeyF3, "f4": tcell.KeyF4, "f5": tcell.KeyF5, "f6": tcell.KeyF6,
	"f7": tcell.KeyF7, "f8": tcell.KeyF8, "f9": tcell.KeyF9, "f10": tcell.KeyF10, "f11": tcell.KeyF11, "f12": tcell.KeyF12,
}

// parseKey reads a key as people call it: Ctrl-K, Alt+Enter, Shift+Tab, F1, Alt+m.
// The case of names does not matter, that of a letter with Alt does.
func parseKey(name string) (stroke, error) {
	var s stroke
	rest := name
	for {
		i := strings.IndexAny(rest, "-+")
		if i <= 0 || i == len(rest)-1 {
			break
		}
		switch strings.ToLower(rest[:i]) {
		case "ctrl":
			s.mod |= tcell.ModCtrl
		case "alt":
			s.mod |= tcell.ModAlt
		case "shift":
			s.mod |= tcell.ModShift
		default:
			return s, fmt.Errorf("%q is no key: before %s stand Ctrl, Alt or Shift", name, rest[i+1:])
		}
		rest = rest[i+1:]
	}
	letters := []rune(rest)
	if key, ok := keyNames[strings.ToLower(rest)]; ok {
		s.key = key
		if s.key == tcell.KeyTab && s.mod == tcell.ModShift {
			s.key, s.mod = tcell.KeyBacktab, 0
		}
		return s, nil
	}
	if len(letters) != 1 {
		return s, fmt.Errorf("%q is no key: %q is neither one character nor a name such as Enter, PgUp or F1", name, rest)
	}
	r := letters[0]
	if s.mod&tcell.ModCtrl == 0 {
		s.key, s.rune = tcell.KeyRune, r
		s.mod &^= tcell.ModShift // it is in the character
		return s, nil
	}
	if r == '_' {
		s.key = tcell.KeyCtrlUnderscore
		return s, nil
	}
	if r |= 0x20; r < 'a' || r > 'z' {
		return s, fmt.Errorf("%q is no key that a terminal tells: with Ctrl go the letters", name)
	}
	s.key = tcell.KeyCtrlA + tcell.Key(r-'a')
	return s, nil
}

// keymap is which key does what.
type keymap struct {
	does map[stroke]*action
	keys map[string][]string // by the action's name, for the help
}

// newKeymap makes a keymap of the table, with other keys for some of the actions:
// what was asked for goes before what is usual. All keys can be read.
func newKeymap(other map[string][]string) *keymap {
	m := &keymap{does: map[stroke]*action{}, keys: map[string][]string{}}
	bind := func(changed bool) {
		for i := range actions {
			a := &actions[i]
			keys, own := other[a.name]
			if own != changed {
				continue
			}
			if !own {
				keys = a.keys
			}
			for _, key := range keys {
				if s, err := parseKey(key); err == nil && m.does[s] == nil {
					m.does[s] = a
					m.keys[a.name] = append(m.keys[a.name], key)
				}
			}
		}
	}
	bind(true)
	bind(false)
	return m
}

// layer is something over the talk. It has the keys until it closes.
type layer interface {
	draw(p painter)
	// key is false when the layer closes.
	key(ev *tcell.EventKey) bool
	paste(text string)
	wheel(rows int)
}

// away lists the actions that lead away from what is over the talk.
var away = []string{"palette", "search", "next-unread", "previous-unread", "next-mention", "previous-mention"}

// leads reports whether an action leads away from the layer that is open: not from
// one that has to be answered, or that the action itself closes.
func (u *chat) leads(a *action) bool {
	if a == nil || !slices.Contains(away, a.name) {
		return false
	}
	switch u.over.(type) {
	case *palette:
		return a.name != "palette"
	case *search:
		return a.name != "search"
	case *choosing, *help, *wireView:
		return true
	}
	return false
}

func (u *chat) key(ev *tcell.EventKey) {
	u.teller.acted = u.now()
	if u.leads(u.keys.does[struck(ev)]) {
		u.over = nil
	}
	if over := u.over; over != nil {
		if !over.key(ev) && u.over == over {
			u.over = nil
		}
		u.settle()
		return
	}
	u.struck = u.now()
	if u.seek != nil && u.seekKey(ev) || u.popupOpen() && u.popupKey(ev) {
		u.settle()
		return
	}
	s := struck(ev)
	if a := u.keys.does[s]; a != nil && (!s.character() || u.input().text == "") {
		a.do(u)
	} else if r := ev.Rune(); ev.Key() == tcell.KeyRune && ev.Modifiers() == tcell.ModAlt && r >= '1' && r <= '9' {
		u.openNth(int(r - '1'))
	} else if u.input().key(ev) {
		u.typedIn(ev)
	}
	u.settle()
}

func (u *chat) scroll(f func(*msgList)) {
	if u.room() != nil {
		f(u.list())
	}
}

// typedIn follows a key of writing.
func (u *chat) typedIn(ev *tcell.EventKey) {
	if ev.Key() == tcell.KeyRune && ev.Rune() == ':' {
		u.input().emojify()
	}
	if s := u.subject(); s != nil {
		s.sure = false
	}
	u.suggest()
	u.tellTyping()
}

// homeEnd is for the input while something is written, and else for the talk.
func (u *chat) homeEnd(home bool) {
	e := u.input()
	switch {
	case e.text != "" && home:
		e.goTo(e.lineStart())
	case e.text != "":
		e.goTo(e.lineEnd())
	case home:
		u.scroll(func(l *msgList) { l.home(u.room()) })
	default:
		u.scroll((*msgList).toEnd)
	}
}

// vertical moves in what is written; from its first row to its beginning, from its
// last to its end.
func (u *chat) vertical(n int) {
	e := u.input()
	switch {
	case e.text == "" && n < 0 && u.subject() == nil:
		u.editLast()
	case e.vertical(n):
	case n < 0:
		e.goTo(0)
	default:
		e.goTo(len(e.text))
	}
}

// escape takes back what hangs over the screen, one thing at a time.
func (u *chat) escape() {
	switch {
	case u.jump != nil:
		u.jump = nil
	case u.leaving:
		u.leaving, u.flashed = false, ""
	case u.subject() != nil:
		u.endSubject()
	case u.flashed != "":
		u.flashed = ""
	default:
		u.scroll((*msgList).toEnd)
	}
}

package tui

import "github.com/gdamore/tcell/v2"

// editing is the table of the keys of writing, for every input; the help shows it.
// Those that only the chat's input has are actions, in keys.go.
var editing = []struct {
	keys []string
	help string
	do   func(e *editor)
}{
	{[]string{"Left"}, "a character back", func(e *editor) { e.goTo(e.before()) }},
	{[]string{"Right"}, "a character on", func(e *editor) { e.goTo(e.after()) }},
	{[]string{"Ctrl+Left", "Alt+Left", "Alt+b"}, "a word back", func(e *editor) { e.goTo(e.wordBefore()) }},
	{[]string{"Ctrl+Right", "Alt+Right", "Alt+f"}, "a word on", func(e *editor) { e.goTo(e.wordAfter()) }},
	{[]string{"Ctrl-A"}, "the line's beginning", func(e *editor) { e.goTo(e.lineStart()) }},
	{[]string{"Ctrl-E"}, "the line's end", func(e *editor) { e.goTo(e.lineEnd()) }},
	{[]string{"Backspace"}, "delete the character before", func(e *editor) { e.erase(e.before(), e.at) }},
	{[]string{"Delete", "Ctrl-D"}, "delete the character behind", func(e *editor) { e.erase(e.at, e.after()) }},
	{[]string{"Ctrl-W", "Alt+Backspace", "Ctrl+Backspace"}, "cut the word before", func(e *editor) { e.cut(e.wordBefore(), e.at) }},
	{[]string{"Alt+d", "Ctrl+Delete", "Alt+Delete"}, "cut the word behind", func(e *editor) { e.cut(e.at, e.wordAfter()) }},
	{[]string{"Ctrl-U"}, "cut the line up to here", func(e *editor) { e.cut(e.lineStart(), e.at) }},
	{[]string{"Ctrl-Y"}, "put in what was cut", (*editor).yank},
	{[]string{"Ctrl-Z", "Ctrl-_"}, "take the last change back", (*editor).undo},
}

var editKeys = func() map[stroke]func(e *editor) {
	m := map[stroke]func(e *editor){}
	for _, row := range editing {
		for _, key := range row.keys {
			if s, err := parseKey(key); err == nil { // a test holds the table right
				m[s] = row.do
			}
		}
	}
	return m
}()

// key handles the keys of writing; it is false for all others.
func (e *editor) key(ev *tcell.EventKey) bool {
	s := struck(ev)
	if s.key == tcell.KeyBackspace {
		s.key = tcell.KeyBackspace2
	}
	do := editKeys[s]
	if do == nil && s.key != tcell.KeyRune {
		s.mod &^= tcell.ModShift
		do = editKeys[s]
	}
	switch {
	case do != nil:
		do(e)
	case s.key == tcell.KeyRune && s.mod&(tcell.ModAlt|tcell.ModMeta) == 0:
		e.put(s.rune)
	default:
		return false
	}
	return true
}

func (e *editor) goTo(at int) { e.at, e.last = at, moved }

// deed is what was done to a text. Several in a row of one kind are one step for
// undo, and one text for yank.
type deed int

const (
	moved deed = iota
	typed
	erased
	cutBefore
	cutBehind
	replaced
)

// undo is a text as it was.
type undo struct {
	text string
	at   int
}

// What is remembered of one text, at most.
const (
	maxUndos     = 100
	maxUndoBytes = 1 << 20
)

// remember keeps the text as it is before it is changed.
func (e *editor) remember(d deed) {
	if again := e.last == d && d != replaced; again {
		return
	}
	e.last = d
	e.undos = append(e.undos, undo{e.text, e.at})
	drop, bytes := max(0, len(e.undos)-maxUndos), 0
	for i := len(e.undos) - 1; i >= drop; i-- {
		if bytes += len(e.undos[i].text); bytes > maxUndoBytes {
			drop = i + 1
		}
	}
	e.undos = append(e.undos[:0], e.undos[drop:]...)
}

func (e *editor) undo() {
	e.last = moved
	if n := len(e.undos); n > 0 {
		e.text, e.at = e.undos[n-1].text, e.undos[n-1].at
		e.undos = e.undos[:n-1]
	}
}

// cut removes what lies between two places, up to the cursor or from it on, for
// yank. Several cuts in a row are yanked as one.
func (e *editor) cut(from, to int) {
	if from >= to {
		return
	}
	d := cutBefore
	if from == e.at {
		d = cutBehind
	}
	if e.bin == nil {
		e.bin = new(string)
	}
	switch piece := e.text[from:to]; {
	case e.last != d || len(*e.bin) > maxInput:
		*e.bin = piece
	case d == cutBefore:
		*e.bin = piece + *e.bin
	default:
		*e.bin += piece
	}
	e.remember(d)
	e.text, e.at = e.text[:from]+e.text[to:], from
}

func (e *editor) yank() {
	if e.bin != nil && *e.bin != "" && len(e.text)+len(*e.bin) <= maxInput {
		e.replace(e.at, e.at, *e.bin)
	}
}

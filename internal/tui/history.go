package tui

import (
	"strings"
	"unicode/utf8"

	"lanchat/internal/safetext"

	"github.com/gdamore/tcell/v2"
)

// history is what was sent, the newest last.
type history struct{ lines []string }

const maxHistory = 200

func (h *history) add(text string) {
	if n := len(h.lines); n > 0 && h.lines[n-1] == text {
		return
	}
	h.lines = append(h.lines, text)
	if len(h.lines) > maxHistory {
		h.lines = h.lines[1:]
	}
}

// recall moves n lines back, or on when n is negative, and puts the line there
// into the editor. What was being written is behind the newest.
func (h *history) recall(e *editor, n int) {
	h.goTo(e, min(max(0, e.back+n), len(h.lines)))
}

func (h *history) goTo(e *editor, to int) {
	if to == e.back {
		return
	}
	if e.back == 0 {
		e.kept = e.text
	}
	text := e.kept
	if to > 0 {
		text = h.lines[len(h.lines)-to]
	}
	e.set(text)
	e.back, e.recalled = to, text
}

// draft is what of this text is the user's own writing: a line of the history that
// was only looked at is not.
func (e *editor) draft() string {
	if e.back > 0 && e.text == e.recalled {
		return e.kept
	}
	return e.text
}

// seek is a search in the history, newest first. It stands in the place of the
// input, and has the keys until it ends.
type seek struct {
	word editor
	back int // of the line that is shown, as in editor; 0: none matches
}

// step goes to the next line further back that matches, or further on.
func (s *seek) step(h *history, on bool) {
	by := 1
	if on {
		by = -1
	}
	for back := s.back + by; back > 0 && back <= len(h.lines); back += by {
		if at, _ := match(h.lines[len(h.lines)-back], s.word.text); at >= 0 {
			s.back = back
			return
		}
	}
}

// match finds a word in a line, whatever the case, and returns where it begins
// and ends; -1 when it is not there, or empty.
func match(line, word string) (from, to int) {
	if word == "" {
		return -1, -1
	}
	low, lowWord, n := strings.ToLower(line), strings.ToLower(word), utf8.RuneCountInString(word)
	switch i := strings.Index(low, lowWord); {
	case i < 0:
		return -1, -1
	case len(low) == len(line):
		return i, i + len(lowWord)
	}
	for i := range line { // letters that are longer in the other case
		end := i
		for range n {
			_, size := utf8.DecodeRuneInString(line[end:])
			end += size
		}
		if strings.EqualFold(line[i:end], word) {
			return i, end
		}
	}
	return -1, -1
}

func (u *chat) startSeek() { u.seek = &seek{} }

// seekKey is a key while the history is searched. It is false for one that is none
// of the search's: that ends the search, and is obeyed as usual.
func (u *chat) seekKey(ev *tcell.EventKey) bool {
	s := u.seek
	switch ev.Key() {
	case tcell.KeyCtrlR, tcell.KeyUp, tcell.KeyCtrlP:
		s.step(&u.past, false)
	case tcell.KeyCtrlS, tcell.KeyCtrlN, tcell.KeyDown:
		s.step(&u.past, true)
	case tcell.KeyEscape, tcell.KeyCtrlC, tcell.KeyCtrlG:
		u.seek = nil
	case tcell.KeyEnter, tcell.KeyTab:
		u.endSeek()
	default:
		before := s.word.text
		if !s.word.key(ev) {
			u.seek = nil
			return false
		}
		if s.word.text != before {
			s.back = 0
			s.step(&u.past, false)
		}
	}
	return true
}

// endSeek takes the line that was found into the input.
func (u *chat) endSeek() {
	if u.seek.back > 0 {
		u.past.goTo(u.input(), u.seek.back)
	}
	u.seek = nil
}

// drawSeek draws the search in one row: what is looked for, and the line, from
// near where it matches.
func (u *chat) drawSeek(p painter) {
	s := u.seek
	x := 0
	if p.w >= 30 {
		x = p.text(0, 0, "(search) ", bold)
	}
	word := safetext.Line(s.word.text)
	for width(word) > max(1, p.w/3) {
		_, size := utf8.DecodeRuneInString(word)
		word = word[size:]
	}
	x = p.text(x, 0, word, plain)
	if p.w > 0 && p.h > 0 {
		p.s.ShowCursor(p.x+min(x, p.w-1), p.y)
	}
	x = p.text(x, 0, ": ", dim)
	if s.back == 0 {
		none := ""
		if s.word.text != "" {
			none = "nothing that you sent has it"
		}
		p.text(x, 0, fit(none, p.w-x), dim)
		return
	}
	line := u.past.lines[len(u.past.lines)-s.back]
	from, to := match(line, s.word.text)
	start := 0
	if to > from && width(safetext.Line(line[:to])) > p.w-x {
		for start < from && width(safetext.Line(line[start:to])) > (p.w-x)*2/3 {
			_, size := utf8.DecodeRuneInString(line[start:])
			start += size
		}
		x = p.text(x, 0, "…", dim)
	}
	x = p.text(x, 0, line[start:from], plain)
	x = p.text(x, 0, line[from:to], bold|underline)
	p.text(x, 0, fit(line[to:], p.w-x), plain)
}

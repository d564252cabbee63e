package tui

import (
	"strings"
	"unicode"
	"unicode/utf8"

	"lanchat/internal/safetext"

	"github.com/rivo/uniseg"
)

// maxInput bounds an input in bytes; a server takes less in one message.
const maxInput = 64 << 10

// editor is a text that is being written. at is where the cursor stands, between
// characters as people see them.
type editor struct {
	text string
	at   int
	// back is how far back in the history this is; 0: what is being written now.
	// Otherwise kept holds that, and recalled is the line of the history.
	back           int
	kept, recalled string

	undos []undo
	last  deed    // what was done last
	bin   *string // what was cut last; one for all inputs of a chat

	width, top int // as last drawn: the columns, and the first row shown

	wrapped      []row // of wrappedText at wrappedWidth
	wrappedText  string
	wrappedWidth int
}

// wrap returns the rows of the text. They are made anew only when it changes: a
// key moves, a draw asks twice.
func (e *editor) wrap(w int) []row {
	if e.wrapped == nil || e.wrappedWidth != w || e.wrappedText != e.text {
		e.wrapped, e.wrappedText, e.wrappedWidth = wrapClean(e.text, w, w), e.text, w
	}
	return e.wrapped
}

// set replaces the text.
func (e *editor) set(text string) {
	e.remember(replaced)
	e.text, e.at = text, len(text)
}

// clear makes the input an empty one, as for a new text.
func (e *editor) clear() { *e = editor{bin: e.bin} }

// insert puts text in at the cursor. It is false when there is no room for all of
// it: then nothing is put in. What cannot be seen is made visible here, before it
// is sent.
func (e *editor) insert(text string) bool {
	text = safetext.Text(text)
	if len(e.text)+len(text) > maxInput {
		return false
	}
	e.remember(replaced)
	e.text = e.text[:e.at] + text + e.text[e.at:]
	e.at += len(text)
	return true
}

// put inserts one typed character. It may be a part of one, a mark or a joiner in
// an emoji, so it is not cleaned by itself: what is drawn and sent is.
func (e *editor) put(r rune) {
	if r < ' ' || r >= 0x7f && r < 0xa0 || len(e.text) >= maxInput {
		return
	}
	if unicode.IsSpace(r) {
		e.last = moved // each word can be undone by itself
	}
	e.remember(typed)
	e.text = e.text[:e.at] + string(r) + e.text[e.at:]
	e.at += utf8.RuneLen(r)
}

// replace puts text in the place of what lies between two places.
func (e *editor) replace(from, to int, text string) {
	e.remember(replaced)
	e.text = e.text[:from] + text + e.text[to:]
	e.at = from + len(text)
}

// erase removes what lies between two places.
func (e *editor) erase(from, to int) {
	if from < to {
		e.remember(erased)
		e.text, e.at = e.text[:from]+e.text[to:], from
	}
}

// before is the place one character back.
func (e *editor) before() int {
	if e.at == 0 {
		return 0
	}
	// Within the line only: characters do not reach across, and a line is short.
	start := strings.LastIndexByte(e.text[:e.at-1], '\n') + 1
	last, rest := start, e.text[start:e.at]
	for rest != "" {
		cluster, _, _, _ := uniseg.FirstGraphemeClusterInString(rest, -1)
		if rest = rest[len(cluster):]; rest != "" {
			last += len(cluster)
		}
	}
	return last
}

// after is the place one character on.
func (e *editor) after() int {
	if e.at == len(e.text) {
		return e.at
	}
	cluster, _, _, _ := uniseg.FirstGraphemeClusterInString(e.text[e.at:], -1)
	return e.at + len(cluster)
}

func (e *editor) wordBefore() int {
	s := strings.TrimRightFunc(e.text[:e.at], notWord)
	return len(strings.TrimRightFunc(s, func(r rune) bool { return !notWord(r) }))
}

func (e *editor) wordAfter() int {
	s := strings.TrimLeftFunc(e.text[e.at:], notWord)
	return len(e.text) - len(strings.TrimLeftFunc(s, func(r rune) bool { return !notWord(r) }))
}

func notWord(r rune) bool { return unicode.IsSpace(r) }

func (e *editor) lineStart() int { return strings.LastIndexByte(e.text[:e.at], '\n') + 1 }

func (e *editor) lineEnd() int {
	if i := strings.IndexByte(e.text[e.at:], '\n'); i >= 0 {
		return e.at + i
	}
	return len(e.text)
}

// layout returns the rows of the text at a width, and where the cursor is. A tab
// is one column here.
func (e *editor) layout(w int) (rows []row, line, column int) {
	rows = e.wrap(w)
	line = len(rows) - 1
	for line > 0 && rows[line].off > e.at {
		line--
	}
	return rows, line, min(w, width(e.text[rows[line].off:e.at]))
}

// vertical moves the cursor n rows; it is false where there is no such row.
func (e *editor) vertical(n int) bool {
	rows, line, column := e.layout(max(1, e.width))
	line += n
	if line < 0 || line >= len(rows) {
		return false
	}
	r := rows[line]
	e.goTo(r.off)
	for rest := r.text; rest != ""; {
		cluster, n := next(rest)
		if column -= n; column < 0 {
			break
		}
		e.at += len(cluster)
		rest = rest[len(cluster):]
	}
	return true
}

// draw draws the rows around the cursor, and puts the terminal's cursor there.
func (e *editor) draw(p painter) {
	e.width = max(1, p.w-1) // the cursor may stand behind the last character
	rows, line, column := e.layout(e.width)
	e.top = max(min(e.top, line, len(rows)-p.h), line-p.h+1, 0)
	for y := range p.h {
		if e.top+y < len(rows) {
			p.text(0, y, rows[e.top+y].text, plain)
		}
	}
	if p.w > 0 && p.h > 0 {
		p.s.ShowCursor(p.x+min(column, p.w-1), p.y+line-e.top)
	}
}

// rows counts the rows at a width of the screen.
func (e *editor) rows(w int) int {
	return len(e.wrap(max(1, w-1)))
}

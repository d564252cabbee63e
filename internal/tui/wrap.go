package tui

import (
	"strings"
	"unicode/utf8"

	"lanchat/internal/safetext"

	"github.com/rivo/uniseg"
)

// row is one line on the screen of a wrapped text.
type row struct {
	text  string
	off   int // where in the text it begins, the same at any width
	role  rowRole
	spans []span // what is not in the row's own ink; in order
}

// rowRole says what a row of an entry is.
type rowRole uint8

const (
	bodyRow     rowRole = iota // the text
	nameRow                    // nothing but who says it, because the name is long
	quoteRow                   // what it is a reply to, as it is now
	codeRow                    // a line of code
	codeOn                     // goes on with the line above
	reactionRow                // what others think of it
	whyRow                     // the reason of a failure
)

// wrap breaks a text into rows of at most first columns, for the first one, and
// rest columns, which are no fewer. It breaks behind spaces and where Unicode's line breaking allows
// it (between ideographs, say), never inside a character as people see it; a word
// longer than a row is cut. Newlines stay. There is always one row.
func wrap(text string, first, rest int) []row {
	return wrapClean(strings.ReplaceAll(safetext.Text(text), "\t", "    "), first, rest)
}

// wrapClean is wrap for a text that is to be taken as it is.
func wrapClean(text string, first, rest int) []row {
	rest = max(1, rest)
	w := wrapper{width: min(max(1, first), rest), rest: rest}
	off := 0
	for line := range strings.SplitSeq(text, "\n") {
		if ascii(line) {
			w.ascii(line, off)
		} else {
			w.unicode(line, off)
		}
		off += len(line) + 1
	}
	return w.rows
}

type wrapper struct {
	rows  []row
	width int // of the row that comes
	rest  int
}

func (w *wrapper) emit(text string, off int) {
	w.rows = append(w.rows, row{text: text, off: off})
	w.width = w.rest
}

// ascii is for the text that most text is: a byte is a column.
func (w *wrapper) ascii(s string, off int) {
	for len(s) > w.width {
		n, skip := w.width, w.width
		if i := strings.LastIndexByte(s[:w.width+1], ' '); i > 0 && strings.TrimLeft(s[:i], " ") != "" {
			n, skip = len(strings.TrimRight(s[:i], " ")), i
			for skip < len(s) && s[skip] == ' ' {
				skip++
			}
			if skip == len(s) {
				break // only spaces are left, and they are not seen
			}
		}
		w.emit(s[:n], off)
		s, off = s[skip:], off+skip
	}
	if len(s) > w.width {
		s = strings.TrimRight(s, " ")
		s = s[:min(len(s), w.width)]
	}
	w.emit(s, off)
}

// unicode follows UAX 14 for where to break and UAX 29 for what a character is.
func (w *wrapper) unicode(s string, off int) {
	start, columns := 0, 0 // of the row
	breakAt, atBreak := 0, 0
	hung := 0 // spaces since breakAt that were not counted, being at the end of the row
	rest, state := s, -1
	for pos := 0; rest != ""; {
		var cluster string
		var bounds int
		cluster, rest, bounds, state = uniseg.StepString(rest, state)
		n := max(1, bounds>>uniseg.ShiftWidth)
		if cluster == " " && columns >= w.width {
			n = 0
			hung++
		}
		for columns+n > w.width && columns > 0 {
			if breakAt > start {
				w.emit(strings.TrimRight(s[start:breakAt], " "), off+start)
				start, columns = breakAt, columns-atBreak+hung
			} else {
				w.emit(strings.TrimRight(s[start:pos], " "), off+start)
				start, columns = pos, 0
			}
			breakAt, atBreak, hung = start, 0, 0
		}
		pos += len(cluster)
		if n > w.width {
			w.apart(cluster, off+start)
			start, breakAt = pos, pos
			continue
		}
		columns += n
		if bounds&uniseg.MaskLine != uniseg.LineDontBreak && strings.TrimLeft(s[start:pos], " ") != "" {
			breakAt, atBreak, hung = pos, columns, 0
		}
	}
	if last := s[start:]; last != "" || s == "" {
		if columns >= w.width {
			last = strings.TrimRight(last, " ")
		}
		w.emit(last, off+start)
	}
}

// apart cuts what counts as one character and is wider than a row: Unicode joins signs
// that stand before a number to it, as many as there are.
func (w *wrapper) apart(cluster string, off int) {
	start := 0
	for pos := range cluster {
		_, size := utf8.DecodeRuneInString(cluster[pos:])
		end := pos + size
		if width(cluster[start:end]) <= w.width {
			continue
		}
		if start < pos {
			w.emit(cluster[start:pos], off+start)
			start = pos
		}
		if width(cluster[start:end]) > w.width {
			w.emit("?", off+start) // a wide one in a pane of one column
			start = end
		}
	}
	if start < len(cluster) {
		w.emit(cluster[start:], off+start)
	}
}

func ascii(s string) bool {
	for i := range len(s) {
		if s[i] >= utf8.RuneSelf {
			return false
		}
	}
	return true
}

package tui

import (
	"strings"
	"unicode/utf8"

	"lanchat/internal/safetext"

	"github.com/gdamore/tcell/v2"
	"github.com/rivo/uniseg"
)

// painter draws into a rectangle of the screen, and never outside. It is the
// only way of a text to the terminal.
type painter struct {
	s          tcell.Screen
	th         *theme
	x, y, w, h int
}

// sub is a rectangle of p's, cut to what lies inside p.
func (p painter) sub(x, y, w, h int) painter {
	x, y = min(max(x, 0), p.w), min(max(y, 0), p.h)
	return painter{p.s, p.th, p.x + x, p.y + y, max(0, min(w, p.w-x)), max(0, min(h, p.h-y))}
}

// has reports whether a place of the screen is in the rectangle.
func (p painter) has(x, y int) bool {
	return x >= p.x && x < p.x+p.w && y >= p.y && y < p.y+p.h
}

// text draws one line from x on and returns where it ends. What does not fit is
// left out.
func (p painter) text(x, y int, s string, st ink) int { return p.spans(x, y, s, st, nil) }

// spans is text with parts of it in other inks.
func (p painter) spans(x, y int, s string, st ink, spans []span) int {
	if y < 0 || y >= p.h || x < 0 {
		return x
	}
	if clean := safetext.Line(s); clean != s {
		s, spans = clean, nil // they are places in another text
	}
	style := p.th.style(st)
	for at := 0; at < len(s) && x < p.w; {
		cluster, n := next(s[at:])
		if x+n > p.w {
			break
		}
		for len(spans) > 0 && spans[0].to <= at {
			spans = spans[1:]
		}
		look := style
		if len(spans) > 0 && spans[0].from <= at {
			look = p.th.style(spans[0].ink)
		}
		at += len(cluster)
		p.s.Put(p.x+x, p.y+y, shown(cluster), look)
		x += n
	}
	return x
}

const (
	keycap = "\u20e3"
	emoji  = "\ufe0f" // asks for the coloured form
)

// shown is what is drawn of a character. A mark alone gets something to stand on.
// A keycap loses the sign that asks for its coloured form: with it terminals
// disagree about its columns, one or two, and what stands at the right of it would
// be off by one in half of them; without it they agree on one. Of other emoji the
// width is two or they are followed by a move of the cursor, which puts it right.
func shown(cluster string) string {
	switch {
	case len(cluster) == 1:
		return cluster
	case strings.HasSuffix(cluster, emoji+keycap):
		return strings.TrimSuffix(cluster, emoji+keycap) + keycap
	case uniseg.StringWidth(cluster) == 0:
		return " " + cluster
	}
	return cluster
}

// fill fills a row from x on with one character.
func (p painter) fill(x, y int, r rune, st ink) {
	if y < 0 || y >= p.h {
		return
	}
	cell, style := string(r), p.th.style(st)
	for ; x < p.w; x++ {
		p.s.Put(p.x+x, p.y+y, cell, style)
	}
}

// vline draws a line down the column x.
func (p painter) vline(x int) {
	for y := range p.h {
		p.text(x, y, "│", dim)
	}
}

// right draws a text that ends at the right edge, and returns where it begins.
func (p painter) right(y int, s string, st ink) int {
	x := max(0, p.w-width(s))
	p.text(x, y, s, st)
	return x
}

// centre draws a text in the middle of a row.
func (p painter) centre(y int, s string, st ink) {
	p.text(max(0, (p.w-width(s))/2), y, s, st)
}

// next returns the first character of s as people see it, and its columns: 1 at
// least.
func next(s string) (cluster string, columns int) {
	if c := s[0]; c >= 0x20 && c < 0x7f && (len(s) == 1 || s[1] < utf8.RuneSelf) {
		return s[:1], 1
	}
	cluster, _, columns, _ = uniseg.FirstGraphemeClusterInString(s, -1)
	return cluster, max(1, columns)
}

// width counts the columns of a text of one line.
func width(s string) int {
	n := 0
	for s != "" {
		cluster, w := next(s)
		n += w
		s = s[len(cluster):]
	}
	return n
}

// fit shortens a text to so many columns; an ellipsis says that something is
// missing.
func fit(s string, columns int) string {
	s = safetext.Line(s)
	if width(s) <= columns {
		return s
	}
	if columns < 1 {
		return ""
	}
	var out strings.Builder
	left := columns - 1
	for s != "" {
		cluster, w := next(s)
		if left -= w; left < 0 {
			break
		}
		out.WriteString(cluster)
		s = s[len(cluster):]
	}
	return out.String() + "…"
}

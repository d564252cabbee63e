package tui

import "strings"

// wireLine is a line of the screen.
type wireLine struct {
	text string
	ink  ink
}

// draw draws rows from the bottom up, so that the newest one is whole.
func (c *wireColumn) draw(p painter, detail bool) {
	if len(c.rows) == 0 {
		p.text(1, 0, fit("nothing yet", p.w-1), dim)
		return
	}
	if p.h <= 0 || p.w <= 0 {
		return
	}
	at := c.bottom()
	lines := c.lines(at, p.w, detail)
	lines = lines[:min(len(lines), p.h)]
	c.page = 1
	for i := at - 1; i >= 0 && len(lines) < p.h; i-- {
		lines = append(c.lines(i, p.w, detail), lines...)
		c.page++
	}
	lines = lines[max(0, len(lines)-p.h):]
	// Where the oldest row is at the top, what is newer fills the rest.
	shown := at
	for i := at + 1; i < len(c.rows) && len(lines) < p.h; i++ {
		if lines = append(lines, c.lines(i, p.w, detail)...); len(lines) <= p.h {
			shown = i
			c.page++
		}
	}
	if shown != at {
		c.scroll(shown - at)
	}
	for y, l := range lines[:min(len(lines), p.h)] {
		p.text(0, y, l.text, l.ink)
	}
}

// The marks of a row: which way it went, and that there is something about it.
const (
	wireSent = "→"
	wireCame = "←"
	wireLoud = "!"
)

// lines are those of one row: its head, how it came, and its fields.
func (c *wireColumn) lines(i, w int, detail bool) []wireLine {
	r := &c.rows[i]
	mark, look := " ", plain
	if r.Loud {
		mark, look = wireLoud, warning
	}
	way := wireCame
	if r.Sent {
		way = wireSent
	}
	clock := ""
	switch at := r.At.In(c.zone); {
	case r.At.IsZero() || w < 30:
	case w >= 56:
		clock = at.Format("15:04:05.000") + " "
	default:
		clock = at.Format("05.000") + " "
	}
	var lines []wireLine
	begin := mark + clock + way + " "
	indent := strings.Repeat(" ", min(width(begin), w/3))
	add := func(texts []string, st ink) {
		for _, text := range texts {
			for _, part := range wrap(text, w-len(indent), w-len(indent)) {
				before := indent
				if len(lines) == 0 {
					before = begin
				}
				lines = append(lines, wireLine{fit(before+part.text, w), st})
			}
		}
	}
	add([]string{r.Head}, look)
	add(r.Notes, look)
	if detail {
		add(r.Detail, dim)
	}
	return lines
}

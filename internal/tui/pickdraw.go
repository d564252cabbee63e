package tui

import (
	"strings"
	"time"
)

// pickLine is a row of the list of servers.
type pickLine struct {
	text, right string
	ink         ink
	entry       int // -1: of none
}

// server is the lines of one server: what it is, and what one should know.
func (p *picker) server(s Server, claimed map[string]bool) (right string, more []string) {
	right = plural(s.People, "person", "people")
	if s.Passphrase {
		right = "passphrase · " + right
	}
	if s.NoGuests && !s.Passphrase {
		right = "no guests · " + right
	}
	if s.Known {
		right = "known · " + right
	}
	line := s.Addr
	if s.KeyWords != "" {
		line += "   key: " + s.KeyWords
	}
	more = append(more, line)
	for _, text := range cautions(s, claimed) {
		more = append(more, "! "+text)
	}
	var news []string
	if ago := age(p.cfg.Now(), s.Seen); ago != "" {
		news = append(news, "heard "+ago+" ago")
	}
	if took := trip(s.RoundTrip); took != "" {
		news = append(news, "round trip "+took)
	}
	if len(news) > 0 {
		more = append(more, strings.Join(news, ", "))
	}
	return right, more
}

// nothingFound is said where no server is.
func nothingFound(looked time.Duration, canType bool) string {
	if looked < hintAfter {
		return "Looking for rooms…"
	}
	text := "Nothing found yet; still looking. A firewall must let UDP port 25252 pass, here and where the room is; Wi-Fi that isolates its clients lets nothing pass. chat doctor says what is wrong."
	if canType {
		text += " An address needs no looking: a, or chat join HOST:PORT."
	}
	return text
}

func (p *picker) empty() string {
	if p.cfg.Found == nil {
		return "Discovery is switched off: rooms are not looked for."
	}
	return nothingFound(p.cfg.Now().Sub(p.began), p.cfg.CheckAddress != nil)
}

// lines are all rows, and which of them are the marked entry's.
func (p *picker) lines(w int, airy bool) (lines []pickLine, first, last int) {
	add := func(l pickLine) { lines = append(lines, l) }
	wrapped := func(text string, st ink, entry int) {
		for _, r := range wrap(text, w-2, w-2) {
			add(pickLine{"  " + r.text, "", st, entry})
		}
	}
	blank := pickLine{entry: -1}
	if len(p.found) == 0 {
		wrapped(p.empty(), dim, -1)
		add(blank)
	}
	claimed := twins(p.found)
	for i := range p.count() {
		mark, st := "  ", bold
		if i == p.at {
			mark, st, first = "▸ ", chosen|bold, len(lines)
		}
		if i < len(p.found) {
			right, more := p.server(p.found[i], claimed)
			add(pickLine{mark + p.found[i].Name, right, st, i})
			for _, m := range more {
				st := dim
				if strings.HasPrefix(m, "! ") {
					st = warning
				}
				wrapped(m, st, i)
			}
		} else {
			add(pickLine{mark + p.more[i-len(p.found)].what, "", st, i})
		}
		if i == p.at {
			last = len(lines)
		}
		if airy && i < len(p.found) {
			add(blank)
		}
	}
	return lines, first, last
}

// board draws what stands around a list, as far as there is room for it, and returns
// where the list goes: in those columns, from the row top up to bottom.
func board(all painter, title string, hint func(w int) string) (in painter, top, bottom int) {
	in = all.sub(2, 0, all.w-4, all.h)
	if all.w < 30 {
		in = all
	}
	top, bottom = 0, all.h
	if all.h >= 6 {
		in.text(0, all.h-1, fit(hint(in.w), in.w), dim)
		bottom = all.h - 1
	}
	if all.h >= 10 {
		in.text(0, 1, fit(title, in.w), bold)
		top, bottom = 3, all.h-2
	}
	return in, top, bottom
}

func (p *picker) draw(all painter) {
	in, top, bottom := board(all, "Rooms on this network", p.hint)
	if p.asking != nil {
		p.rows = nil
		p.drawAsking(in.sub(0, top, in.w, bottom-top))
		return
	}
	lines, first, last := p.lines(in.w, all.h >= 12)
	skip := min(max(0, last-(bottom-top)), first)
	p.rows = make([]int, all.h)
	for y := range p.rows {
		p.rows[y] = -1
	}
	for y := top; y < bottom && skip+y-top < len(lines); y++ {
		l := lines[skip+y-top]
		p.rows[y] = l.entry
		room := in.w
		if l.right != "" && in.w >= 2*width(l.right) {
			room -= width(l.right) + 2
			in.text(room+2, y, l.right, plain)
		}
		in.text(0, y, fit(l.text, room), l.ink)
	}
}

func (p *picker) hint(w int) string {
	switch {
	case p.asking != nil:
		return "Enter goes there, Esc goes back"
	case w < 60:
		return "Enter chooses, q leaves"
	}
	var hint strings.Builder
	hint.WriteString("Enter chooses, Up and Down move")
	for _, m := range p.more {
		hint.WriteString(", " + string(m.letter) + map[rune]string{'h': " hosts", 'a': " asks for an address"}[m.letter])
	}
	return hint.String() + ", q leaves"
}

// drawAsking draws the word that is being typed, and what is wrong with it.
func (p *picker) drawAsking(in painter) {
	a, m := p.asking, p.more[p.at-len(p.found)]
	y := 0
	if in.w >= 2*width(m.ask) {
		x := in.text(0, 0, m.ask, bold)
		a.input.draw(in.sub(x, 0, in.w-x, 1))
	} else {
		if in.h > 1 {
			in.text(0, 0, m.ask, bold)
			y = 1
		}
		a.input.draw(in.sub(0, y, in.w, 1))
	}
	for i, r := range wrap(a.wrong, in.w, in.w) {
		in.text(0, y+1+i, r.text, warning)
	}
}

package tui

import (
	"strings"

	"lanchat/internal/client"

	"github.com/gdamore/tcell/v2"
)

// help is the page of keys and commands. It is made from the tables that say
// what they do.
type help struct {
	lines  []helpLine
	top    int
	height int // as last drawn
}

type helpLine struct{ what, does string }

func newHelp(u *chat) *help {
	h := &help{}
	add := func(what, does string) { h.lines = append(h.lines, helpLine{what, does}) }
	add("", "Commands")
	for _, c := range client.Commands {
		add(strings.TrimSpace("/"+c.Name+" "+c.Args), c.Help)
	}
	add("//TEXT", "a line that begins with a /")
	add("", "")
	add("", "Keys")
	for _, a := range actions {
		if keys := u.keys.keys[a.name]; len(keys) > 0 {
			add(strings.Join(keys, ", "), a.help)
		}
	}
	add("Alt+1 … Alt+9", "a room by its number; or click on it")
	add("Ctrl-A, Ctrl-E", "the line's beginning, its end")
	add("Ctrl-W, Ctrl-U", "delete a word, the line")
	add("", "")
	add("", "Signs")
	add("~nick", "a guest: no key proves who it is")
	add(signPending, "on its way, not yet kept by the server")
	add(signFailed, "refused; the reason stands below")
	add(signForMe, "for you: it names you, or is said to you alone")
	add("", "")
	add("", "To mark text with the mouse, hold Shift.")
	if u.cfg.Version != "" {
		add("", "")
		add("", u.cfg.Version)
	}
	return h
}

func (h *help) paste(string) {}

func (h *help) wheel(rows int) { h.top += rows }

// key scrolls; it is false for a key that closes the page.
func (h *help) key(ev *tcell.EventKey) bool {
	switch ev.Key() {
	case tcell.KeyUp:
		h.wheel(-1)
	case tcell.KeyDown:
		h.wheel(1)
	case tcell.KeyPgUp:
		h.wheel(-max(1, h.height-2))
	case tcell.KeyPgDn:
		h.wheel(max(1, h.height-2))
	case tcell.KeyHome:
		h.top = 0
	case tcell.KeyEnd:
		h.top = len(h.lines)
	default:
		return false
	}
	return true
}

func (h *help) draw(p painter) {
	left := 20
	if p.w < 50 {
		left = 0
	}
	h.height = p.h - 1
	type shown struct {
		what, does string
	}
	var rows []shown
	for _, l := range h.lines {
		if l.what == "" {
			rows = append(rows, shown{"", l.does})
			continue
		}
		if left == 0 {
			for _, r := range wrap(l.what+": "+l.does, p.w, p.w) {
				rows = append(rows, shown{r.text, ""})
			}
			continue
		}
		for i, r := range wrap(l.does, p.w-left, p.w-left) {
			what := ""
			if i == 0 {
				what = l.what
			}
			rows = append(rows, shown{what + strings.Repeat(" ", max(1, left-width(what))), r.text})
		}
	}
	h.top = min(max(0, h.top), max(0, len(rows)-h.height))
	for y := range h.height {
		if h.top+y == len(rows) {
			break
		}
		r := rows[h.top+y]
		st := plain
		if r.what == "" {
			st = bold
		}
		x := p.text(0, y, r.what, plain)
		p.text(x, y, r.does, st)
	}
	hint := "Esc closes"
	if len(rows) > h.height {
		hint = "Up, Down, PgUp, PgDn scroll; Esc closes"
	}
	p.text(0, p.h-1, fit(hint, p.w), dim)
}

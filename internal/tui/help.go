package tui

import (
	"strings"

	"github.com/gdamore/tcell/v2"
)

// help is the page of keys, commands and signs. It is made from the tables that
// say what they do. What is typed narrows it down.
type help struct {
	u      *chat
	lines  []helpLine
	want   string // what was typed
	top    int
	height int // as last drawn
}

// helpLine is something and what it does; without what, it is a heading.
type helpLine struct{ what, does string }

var otherKeys = []helpLine{
	{"Alt+1 … Alt+9", "a room by its number; or click on it"},
	{"Shift+mouse", "mark text, as without this program"},
}

var signs = []helpLine{
	{"~nick", "a guest: no key proves who it is"},
	{"@nick, &nick", "among the people: an op of this room, an admin of the server"},
	{signPrivate, "behind a room: it is private, only who is invited knows of it"},
	{signPending, "on its way, not yet kept by the server"},
	{signFailed, "refused; the reason stands below"},
	{signForMe, "for you: it names you, or is said to you alone"},
}

func newHelp(u *chat) *help {
	h := &help{u: u}
	section := func(title string, lines []helpLine) {
		h.lines = append(append(append(h.lines, helpLine{"", title}), lines...), helpLine{})
	}
	var keys []helpLine
	for _, a := range actions {
		if of := u.keys.keys[a.name]; len(of) > 0 {
			keys = append(keys, helpLine{strings.Join(of, ", "), a.help})
		}
	}
	section("Keys", append(keys, otherKeys...))
	var writing []helpLine
	for _, row := range editing {
		writing = append(writing, helpLine{strings.Join(row.keys, ", "), row.help})
	}
	section("Keys in the input", writing)
	var all []helpLine
	for _, c := range commands() {
		all = append(all, helpLine{strings.TrimSpace("/" + c.name + " " + c.args), c.help})
	}
	section("Commands", append(all, helpLine{"//TEXT", "a line that begins with a /"}))
	section("Signs", signs)
	if u.cfg.Version != "" {
		section(u.cfg.Version, nil)
	}
	h.lines = h.lines[:len(h.lines)-1]
	return h
}

// shown are the lines that have what was typed, below their headings.
func (h *help) shown() []helpLine {
	if h.want == "" {
		return h.lines
	}
	var out []helpLine
	heading := helpLine{}
	for _, l := range h.lines {
		switch text := strings.ToLower(l.what + " " + l.does); {
		case l.what == "":
			heading = l
		case strings.Contains(text, strings.ToLower(h.want)):
			if heading.does != "" {
				out = append(out, helpLine{}, heading)
				heading = helpLine{}
			}
			out = append(out, l)
		}
	}
	if out == nil {
		return []helpLine{{"", "Nothing here has “" + h.want + "”."}}
	}
	return out[1:]
}

const maxWant = 60

func (h *help) narrow(want string) {
	if len(want) <= maxWant {
		h.want, h.top = want, 0
	}
}

func (h *help) paste(text string) { h.narrow(h.want + strings.Join(strings.Fields(text), " ")) }

func (h *help) wheel(rows int) { h.top += rows }

// key is false for a key that closes the page.
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
		h.top = len(h.lines) * 4 // draw takes it back to the last page
	case tcell.KeyBackspace, tcell.KeyBackspace2:
		if h.want == "" {
			return false
		}
		letters := []rune(h.want)
		h.narrow(string(letters[:len(letters)-1]))
	case tcell.KeyCtrlU:
		h.narrow("")
	case tcell.KeyEscape:
		if h.want == "" {
			return false
		}
		h.narrow("")
	case tcell.KeyRune:
		switch r := ev.Rune(); {
		case ev.Modifiers()&tcell.ModAlt != 0:
			return false
		case r == '?':
			h.u.input().insert("?")
			return false
		case r > ' ' || h.want != "":
			h.narrow(h.want + string(r))
		default:
			h.wheel(max(1, h.height-2))
		}
	default:
		return false
	}
	return true
}

// helpLeft is as much of a line as what it explains may take.
const helpLeft = 23

func (h *help) draw(p painter) {
	h.height = max(0, p.h-1)
	rows := h.rows(p.w)
	h.top = min(max(0, h.top), max(0, len(rows)-h.height))
	for y := range min(h.height, len(rows)-h.top) {
		r := rows[h.top+y]
		p.text(0, y, r.what, plain)
		p.text(r.at, y, r.does, r.ink)
	}
	h.drawHint(p.sub(0, p.h-1, p.w, 1), len(rows))
}

// helpRow is a row of the screen: what at its beginning, does where it stands.
type helpRow struct {
	what, does string
	at         int
	ink        ink
}

// rows lays the lines out: in two columns, or where it is narrow one below the
// other.
func (h *help) rows(w int) (rows []helpRow) {
	left := helpLeft
	if w < 2*helpLeft {
		left = 2
	}
	for _, l := range h.shown() {
		if l.what == "" {
			for _, r := range wrap(l.does, w, w) {
				rows = append(rows, helpRow{does: r.text, ink: bold})
			}
			continue
		}
		what := l.what
		if width(what) > left-2 { // what it does stands below
			for _, r := range wrap(what, w, w) {
				rows = append(rows, helpRow{what: r.text})
			}
			what = ""
		}
		for _, r := range wrap(l.does, w-left, w-left) {
			rows = append(rows, helpRow{what: what, does: r.text, at: left})
			what = ""
		}
	}
	return rows
}

func (h *help) drawHint(p painter, rows int) {
	hint := "Esc closes; typing finds"
	switch {
	case h.want != "":
		hint = "Find: " + h.want + "   Esc: all"
	case rows > h.height:
		hint = "Up, Down, PgUp, PgDn scroll; " + hint
	}
	x := p.text(0, 0, fit(hint, p.w), dim)
	if below := rows - h.top - h.height; below > 0 && x+8 < p.w {
		p.right(0, "▼ more", dim)
	}
}

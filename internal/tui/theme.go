package tui

import (
	"lanchat/protocol"

	"github.com/gdamore/tcell/v2"
)

// ink says what a text on the screen is: a role, and what sets it off. A theme
// says how a role looks. What an ink means is said by a sign or a word as well.
type ink uint16

// The roles.
const (
	plain   ink = iota
	dim         // beside the talk: times, remarks, lines between panes
	warning     // what must not be overlooked
	fresh       // what is new: the unread line, counts
	code        // code, and text in ` `
	quote       // what a reply is to
	link
	chosen // the entry, or the row of a list, that keys act on
	nicks  // the first of nickInks roles for people's names
	roles  = nicks + nickInks
)

const nickInks = 10

// What sets a text off, to be added to a role.
const (
	bold ink = 1 << (iota + 8)
	reverse
	underline
)

// theme is how the roles look.
type theme struct {
	name   string
	styles [roles]tcell.Style
}

func (t *theme) style(i ink) tcell.Style {
	st := t.styles[i&0xff]
	if i&bold != 0 {
		st = st.Bold(true)
	}
	if i&reverse != 0 {
		st = st.Reverse(true)
	}
	if i&underline != 0 {
		st = st.Underline(true)
	}
	return st
}

// The default theme. Of colours only the terminal's default and those of its first
// sixteen that are read well on light and on dark, so that its own theme decides
// how they look.
var terminalTheme = func() *theme {
	def := tcell.StyleDefault
	t := &theme{name: "terminal"}
	for i := range t.styles {
		t.styles[i] = def
	}
	t.styles[dim] = def.Dim(true)
	t.styles[warning] = def.Foreground(tcell.ColorMaroon).Bold(true)
	t.styles[fresh] = def.Foreground(tcell.ColorOlive).Bold(true)
	t.styles[code] = def.Foreground(tcell.ColorTeal)
	t.styles[quote] = def.Dim(true)
	t.styles[link] = def.Underline(true)
	t.styles[chosen] = def.Reverse(true)
	colours := []tcell.Color{tcell.ColorMaroon, tcell.ColorGreen, tcell.ColorOlive, tcell.ColorPurple, tcell.ColorTeal}
	for i := range ink(nickInks) {
		t.styles[nicks+i] = def.Foreground(colours[int(i)%len(colours)]).Bold(int(i) >= len(colours))
	}
	return t
}()

// nickInk is a person's colour: the same in every room, every day.
func nickInk(u protocol.UserID) ink {
	return nicks + ink((int(u[0])+int(u[7])*3+int(u[15])*7)%nickInks)
}

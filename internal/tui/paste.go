package tui

import (
	"fmt"
	"strings"

	"lanchat/internal/safetext"

	"github.com/gdamore/tcell/v2"
)

// askAbove is how many lines a paste may have that goes into the input unasked.
const askAbove = 10

// paste puts a pasted text where the keys go, with its line breaks.
func (u *chat) paste(text string) {
	switch text = safetext.Text(text); {
	case u.over != nil:
		u.over.paste(text)
	case u.seek != nil:
		u.seek.word.insert(safetext.Line(text))
		u.seek.back = 0
		u.seek.step(&u.past, false)
	case lines(text) > askAbove && len(text) <= maxInput:
		u.asking = &pasted{u: u, room: u.st.Active, text: text}
		u.over = u.asking
	default:
		u.take(text)
		u.tellTyping()
	}
	u.settle()
}

// take puts a pasted text into the input, all of it or nothing.
func (u *chat) take(text string) bool {
	e := u.input()
	if !e.insert(text) {
		u.say("Too long: %s pasted, %s fit. Nothing was put in", size(len(text)), size(maxInput))
		return false
	}
	return true
}

func size(bytes int) string {
	if bytes < 10<<10 {
		return fmt.Sprintf("%d bytes", bytes)
	}
	return fmt.Sprintf("%d KiB", bytes>>10)
}

func lines(text string) int { return strings.Count(strings.TrimRight(text, "\n"), "\n") + 1 }

// pasted is a paste of many lines, and the question what is to become of it.
type pasted struct {
	u    *chat
	room string // that was asked about
	text string
	drop bool // Esc was pressed: again drops it
	top  int
}

// keepPaste takes a paste whose question was closed by something else than an
// answer into the input: nobody has dropped it.
func (u *chat) keepPaste() {
	if a := u.asking; a != nil && (u.over == nil || u.over != layer(a)) {
		u.asking = nil
		u.inputOf(a.room).insert(a.text)
	}
}

func (a *pasted) key(ev *tcell.EventKey) bool {
	stays := a.answer(ev)
	if !stays {
		a.u.asking = nil
	}
	return stays
}

// answer is false when the question is answered.
func (a *pasted) answer(ev *tcell.EventKey) bool {
	drop := a.drop
	a.drop = false
	switch ev.Key() {
	case tcell.KeyEnter:
		if a.room != a.u.st.Active { // it has changed under the question
			a.room = a.u.st.Active
			return true
		}
		return !a.send()
	case tcell.KeyEscape, tcell.KeyCtrlC:
		a.drop = true
		return !drop
	case tcell.KeyCtrlQ: // it is in the draft when one comes back
		if !a.u.take(a.text) {
			return true
		}
		a.u.over, a.u.asking = nil, nil
		a.u.quit()
		return false
	case tcell.KeyUp:
		a.wheel(-1)
	case tcell.KeyDown:
		a.wheel(1)
	case tcell.KeyPgUp:
		a.wheel(-5)
	case tcell.KeyPgDn:
		a.wheel(5)
	case tcell.KeyRune:
		switch ev.Rune() {
		case 'e', 'E':
			return !a.u.take(a.text)
		case 'c', 'C':
			return !a.u.take(a.fenced())
		}
	}
	return true
}

// send puts the paste into the input and sends all that is there; if it cannot be
// sent it stays in the input. It is false when not even that is possible.
func (a *pasted) send() bool {
	u := a.u
	e, text := u.input(), a.text
	if e.text == "" {
		text = literal(text)
	}
	if !u.take(text) {
		return false
	}
	u.over, u.asking = nil, nil
	u.enter()
	return true
}

// fenced is the paste as a code block, on lines of its own.
func (a *pasted) fenced() string {
	e := a.u.input()
	fence := "```"
	for strings.Contains(a.text, fence) {
		fence += "`"
	}
	block := fence + "\n" + strings.TrimRight(a.text, "\n") + "\n" + fence
	if e.at > e.lineStart() {
		block = "\n" + block
	}
	if e.at < e.lineEnd() {
		block += "\n"
	}
	return block
}

// paste adds to what is asked about.
func (a *pasted) paste(text string) {
	if len(a.text)+len(text) > maxInput {
		a.u.say("Too long: with this paste it would be %s, and an input holds %s", size(len(a.text)+len(text)), size(maxInput))
		return
	}
	a.text += text
}

func (a *pasted) wheel(rows int) { a.top += rows }

func (a *pasted) draw(p painter) {
	n, room := lines(a.text), a.u.title()
	if a.room != a.u.st.Active {
		room = "another room now, " + room
	}
	question := fmt.Sprintf("Paste %d lines into %s? Enter sends them as one message now · e puts them into the input · c puts them there as a code block (```) · Esc drops them", n, room)
	if a.u.input().text != "" {
		question = fmt.Sprintf("Paste %d lines into %s? Enter sends them now, with what you have written · e puts them into it · c puts them there as a code block (```) · Esc drops them", n, room)
	}
	if most := int(a.u.st.Limits.Text); most > 0 && len(a.text) > most {
		question = fmt.Sprintf("Paste %d lines into %s? They have %s, and a message at most %s. e puts them into the input · c puts them there as a code block (```) · Esc drops them", n, room, size(len(a.text)), size(most))
	}
	if a.drop {
		question = fmt.Sprintf("Esc again drops these %d lines. Any other key keeps them.", n)
	}
	asked := wrap(question, p.w-2, p.w-2)
	if len(asked) > p.h && !a.drop {
		asked = wrap(fmt.Sprintf("%d lines: Enter sends, e input, c code, Esc drops", n), p.w-2, p.w-2)
	}
	text := p.sub(0, 0, p.w, p.h-len(asked)-1)
	rows := strings.Split(a.text, "\n")
	a.top = min(max(0, a.top), max(0, len(rows)-text.h))
	for y := range text.h {
		if a.top+y < len(rows) {
			text.text(1, y, fit(strings.ReplaceAll(rows[a.top+y], "\t", "    "), p.w-2), dim)
		}
	}
	ask := p.sub(0, text.h, p.w, p.h-text.h)
	if ask.h > len(asked) {
		ask.fill(0, 0, '─', dim)
		ask = ask.sub(0, 1, ask.w, ask.h-1)
	}
	for y, r := range asked {
		ask.text(1, y, r.text, bold)
	}
}

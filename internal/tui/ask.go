package tui

import (
	"context"
	"strings"

	"github.com/gdamore/tcell/v2"
	"github.com/rivo/tview"
)

// AskConfig says how to ask for a nick.
type AskConfig struct {
	Screen     tcell.Screen // nil: the terminal
	Suggestion string
	Check      func(nick string) error // why this cannot be a nick; nil: anything can
	Settings   *Settings               // nil: the defaults
}

// AskNick asks who the user wants to be called: once, at the first start. The
// errors are those of [Pick].
func AskNick(ctx context.Context, cfg AskConfig) (string, error) {
	stage, err := newStage(cfg.Screen)
	if err != nil {
		return "", err
	}
	stage.dress(cfg.Settings)
	a := &asker{check: cfg.Check, leave: stage.leave}
	a.input.insert(cfg.Suggestion)
	err = stage.run(ctx, a, func(context.Context, func(bool, func())) {})
	return a.nick, ended(ctx, err, a.nick != "")
}

type asker struct {
	input editor
	check func(string) error
	wrong string
	nick  string
	leave func()
}

func (a *asker) key(ev *tcell.EventKey) {
	a.wrong = ""
	switch ev.Key() {
	case tcell.KeyEscape, tcell.KeyCtrlC, tcell.KeyCtrlQ:
		a.leave()
	case tcell.KeyEnter:
		nick := strings.TrimSpace(a.input.text)
		if nick == "" {
			a.wrong = "A name is needed"
			return
		}
		if a.check != nil {
			if err := a.check(nick); err != nil {
				a.wrong = sentence(err)
				return
			}
		}
		a.nick = nick
		a.leave()
	case tcell.KeyHome:
		a.input.at = 0
	case tcell.KeyEnd:
		a.input.at = len(a.input.text)
	default:
		a.input.key(ev)
	}
}

func (a *asker) paste(text string) {
	line, _, _ := strings.Cut(strings.TrimSpace(text), "\n")
	a.input.insert(line)
}

func (a *asker) mouse(tview.MouseAction, int, int) {}

func (a *asker) draw(p painter) {
	if p.h < 5 {
		a.drawInput(p.sub(0, 0, p.w, 1))
		p.text(0, 1, a.wrong, warning)
		return
	}
	in := p.sub(2, 1, p.w-4, p.h-1)
	in.text(0, 0, "Who are you?", bold)
	a.drawInput(in.sub(0, 2, in.w, 1))
	in.text(0, 3, fit(a.wrong, in.w), warning)
	p.sub(2, p.h-1, p.w-4, 1).text(0, 0, fit("Enter takes this name, Esc leaves; /nick changes it later", p.w-4), dim)
}

func (a *asker) drawInput(p painter) {
	x := p.text(0, 0, "Your name: ", plain)
	a.input.draw(p.sub(x, 0, p.w-x, 1))
}

package tui

import (
	"errors"

	"github.com/gdamore/tcell/v2"
)

// screen stands between tview and the terminal, and gives tview the events that
// it understands.
type screen struct {
	tcell.Screen
	gone func(error) // told when the terminal is lost; before PollEvent is called
	// focus has what the terminal told last about its focus; tview ignores it.
	focus chan bool

	started bool
	pasting bool
	wasCR   bool // the last key of the paste was a carriage return
}

// init opens the terminal, once: tview calls Init again.
func (s *screen) init() error {
	s.started = true
	return s.Screen.Init()
}

// Init does nothing behind init.
func (s *screen) Init() error {
	if s.started {
		return nil
	}
	return s.init()
}

// EnableMouse asks for buttons, the wheel and moves with a button held, not for
// every move.
func (s *screen) EnableMouse(...tcell.MouseFlags) {
	s.Screen.EnableMouse(tcell.MouseButtonEvents | tcell.MouseDragEvents)
}

// write hands bytes to the terminal past what is drawn. They never fall into the
// middle of a draw: that is one write too.
func (s *screen) write(b string) {
	if tty, ok := s.Tty(); ok && tty != nil {
		_, _ = tty.Write([]byte(b))
	}
}

// told keeps the newest word about the focus, and never waits.
func (s *screen) told(has bool) {
	select {
	case <-s.focus:
	default:
	}
	s.focus <- has // there is room: PollEvent alone puts something in
}

// PollEvent waits for the next event that is tview's business.
func (s *screen) PollEvent() tcell.Event {
	for {
		switch ev := s.Screen.PollEvent().(type) {
		case nil:
			s.gone(errors.New("it was closed"))
			return nil
		case *tcell.EventError:
			s.gone(ev) // and wait for the end, which comes from run
		case *tcell.EventPaste:
			s.pasting, s.wasCR = ev.Start(), false
			return ev
		case *tcell.EventFocus:
			s.told(ev.Focused)
		case *tcell.EventKey:
			if out := s.key(ev); out != nil {
				return out
			}
		default:
			return ev
		}
	}
}

// key makes the line breaks of a paste, CR, LF or both, into the Enter that
// tview keeps there, and the odd forms of Alt+Enter into the plain one.
func (s *screen) key(ev *tcell.EventKey) tcell.Event {
	k := ev.Key()
	if s.pasting {
		wasCR := s.wasCR
		s.wasCR = k == tcell.KeyEnter
		if k == tcell.KeyCtrlJ || k == tcell.KeyLF {
			if wasCR {
				return nil
			}
			return tcell.NewEventKey(tcell.KeyEnter, 0, tcell.ModNone)
		}
		return ev
	}
	// A terminal without a keyboard protocol sends Escape and CR (or LF), which
	// arrive as Ctrl+Alt+M (or J).
	if k == tcell.KeyRune && ev.Modifiers() == tcell.ModAlt|tcell.ModCtrl && (ev.Rune() == 'm' || ev.Rune() == 'j') {
		return tcell.NewEventKey(tcell.KeyEnter, 0, tcell.ModAlt)
	}
	return ev
}

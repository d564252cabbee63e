package tui

import (
	"context"
	"errors"
	"fmt"
	"time"

	"lanchat/internal/client"
	"lanchat/protocol"

	"github.com/gdamore/tcell/v2"
	"github.com/rivo/tview"
)

func init() {
	// Before any widget is made. A terminal's own colours fit its background,
	// light or dark; ours would not.
	tview.Styles = tview.Theme{}
}

// stage is a terminal with one thing on it. It alone touches tview's queue: run's
// feed is the only goroutine that queues updates, and tview is stopped only when
// feed has returned, so no update can be queued that nobody carries out.
type stage struct {
	app    *tview.Application
	screen *screen
	theme  *theme                  // of what is drawn; the event loop may change it
	cancel context.CancelCauseFunc // ends run; nil before run
	drawn  chan struct{}           // closed at the first draw
}

// errDone is the cause of a stage that was left on purpose.
var errDone = errors.New("done")

func newStage(s tcell.Screen) (*stage, error) {
	if s == nil {
		var err error
		if s, err = tcell.NewScreen(); err != nil {
			return nil, fmt.Errorf("this terminal cannot be drawn on: %w", err)
		}
	}
	st := &stage{app: tview.NewApplication(), screen: &screen{Screen: s, focus: make(chan bool, 1)}, theme: terminalTheme, drawn: make(chan struct{})}
	// Here and not in tview, which ignores the error.
	if err := st.screen.init(); err != nil {
		return nil, fmt.Errorf("this terminal cannot be drawn on: %w", err)
	}
	return st, nil
}

// actor is what a stage shows.
type actor interface {
	draw(p painter)
	key(ev *tcell.EventKey)
	paste(text string)
	mouse(action tview.MouseAction, x, y int)
}

// dragger is an actor to which the mouse can move something. It reports whether
// anything has moved: a mouse tells many more moves than there are.
type dragger interface {
	drag(x, y int) bool
}

// feeder runs beside the event loop until ctx ends. update carries out f on the
// event loop, draws when draw is true, and returns when that is done.
type feeder func(ctx context.Context, update func(draw bool, f func()))

// run shows a until leave is called, ctx ends or the terminal is gone; only the
// last is an error. It returns when feed has returned.
func (s *stage) run(ctx context.Context, a actor, feed feeder) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	s.cancel = cancel
	s.screen.gone = func(err error) { cancel(&goneError{err}) }
	s.app.SetScreen(s.screen).EnableMouse(true).EnablePaste(true)
	s.screen.EnableMouse()
	s.screen.EnablePaste()
	s.screen.EnableFocus()
	s.app.SetRoot(&root{Box: tview.NewBox(), stage: s, actor: a}, true)
	// Everything is the root's, Ctrl-C too, which tview would end by itself with.
	s.app.SetInputCapture(func(ev *tcell.EventKey) *tcell.EventKey { a.key(ev); return nil })

	fed := make(chan struct{})
	go func() {
		defer close(fed)
		defer func() {
			if p := recover(); p != nil {
				s.screen.Fini()
				panic(p)
			}
		}()
		// Stopped before its first draw, tview would open a terminal of its own.
		<-s.drawn
		feed(ctx, s.update)
		<-ctx.Done()
		s.app.Stop()
	}()
	err := s.app.Run()
	<-fed
	if gone, ok := errors.AsType[*goneError](context.Cause(ctx)); ok {
		return gone
	}
	return err
}

// leave ends run. The event loop may call it.
func (s *stage) leave() { s.cancel(errDone) }

func (s *stage) update(draw bool, f func()) {
	s.app.QueueUpdate(func() {
		f()
		if draw {
			s.app.ForceDraw()
		}
	})
}

// goneError says that the terminal no longer answers.
type goneError struct{ err error }

func (e *goneError) Error() string { return fmt.Sprintf("the terminal is gone: %v", e.err) }
func (e *goneError) Unwrap() error { return e.err }

// root is the one primitive that tview knows: it fills the screen, and hands
// everything on.
type root struct {
	*tview.Box
	stage *stage
	actor actor
}

func (r *root) Draw(s tcell.Screen) {
	w, h := s.Size()
	s.HideCursor()
	r.stage.theme.ground(s)
	r.actor.draw(painter{s: s, th: r.stage.theme, w: w, h: h})
	select {
	case <-r.stage.drawn:
	default:
		close(r.stage.drawn)
	}
}

func (r *root) PasteHandler() func(string, func(tview.Primitive)) {
	return func(text string, _ func(tview.Primitive)) { r.actor.paste(text) }
}

func (r *root) MouseHandler() func(tview.MouseAction, *tcell.EventMouse, func(tview.Primitive)) (bool, tview.Primitive) {
	return func(action tview.MouseAction, ev *tcell.EventMouse, _ func(tview.Primitive)) (bool, tview.Primitive) {
		x, y := ev.Position()
		if action == tview.MouseMove {
			d, ok := r.actor.(dragger)
			return ok && ev.Buttons()&tcell.ButtonPrimary != 0 && d.drag(x, y), nil
		}
		r.actor.mouse(action, x, y)
		return true, nil
	}
}

// The pump's pace.
const (
	frame     = time.Second / 30
	tickEvery = 500 * time.Millisecond
	maxBatch  = 4096 // events that are applied at once, so that keys get a turn
)

// pump brings the engine's events to the event loop, and the time.
func (u *chat) pump(ctx context.Context, update func(draw bool, f func())) {
	events := u.cfg.Engine.Events()
	tick := time.NewTicker(tickEvery)
	defer tick.Stop()
	var drawn time.Time
	var owed <-chan time.Time // when what was applied without being drawn is to be drawn
	var batch []client.Event
	apply := func() { u.apply(batch) }
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
			update(true, u.tick)
			continue
		case <-owed:
			update(true, func() {})
			drawn, owed = time.Now(), nil
			continue
		case has := <-u.focus:
			update(true, func() { u.focused(has) })
			continue
		case ev, open := <-events:
			if !open {
				events = nil
				continue
			}
			batch = append(batch, ev)
		}
		due := time.After(max(0, frame-time.Since(drawn)))
		page := isPage(batch[0])
		for late := page; !late && len(batch) < maxBatch; {
			select {
			case <-ctx.Done():
				return
			case ev, open := <-events:
				if !open {
					events = nil
					late = true
					break
				}
				batch = append(batch, ev)
				page = isPage(ev)
				late = page
			case <-due:
				late = true
			}
		}
		draw := !page && len(batch) < maxBatch || time.Since(drawn) >= frame
		select {
		case has := <-u.focus: // who looked away before this was said is to be told of it
			update(false, func() { u.focused(has) })
		default:
		}
		update(draw, apply)
		if draw {
			drawn, owed = time.Now(), nil
		} else if owed == nil {
			owed = time.After(frame)
		}
		clear(batch)
		batch = batch[:0]
	}
}

// isPage is true for a page of history. It is applied at once, so that the next one
// can be asked for: a far jump needs hundreds.
func isPage(ev client.Event) bool {
	r, ok := ev.(client.Received)
	if !ok {
		return false
	}
	_, ok = r.Message.(*protocol.Page)
	return ok
}

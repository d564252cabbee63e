package tui

import (
	"context"
	"errors"
	"sync"
	"testing"

	"lanchat/protocol"

	"github.com/gdamore/tcell/v2"
)

type picked struct {
	choice Choice
	err    error
}

func TestPick(t *testing.T) {
	hack := Server{Name: "Hack Night", Addr: "192.0.2.5:25252", KeyWords: "apple boat", People: 7}
	twin := Server{Name: "hack night", Addr: "192.0.2.6:25252", KeyWords: "evil twin", People: 1}
	office := Server{Name: "Office\x1b[2J[red]", Addr: "192.0.2.7:25252", KeyWords: "moon sand", Warning: "No key was announced."}
	var mu sync.Mutex
	var found []Server
	set := func(s ...Server) { mu.Lock(); found = s; mu.Unlock() }
	pick := func(ctx context.Context, host string) (*shot, chan picked) {
		s := newShot(80, 24)
		done := make(chan picked, 1)
		go func() {
			c, err := Pick(ctx, PickConfig{Screen: s, Host: host, Found: func() []Server { mu.Lock(); defer mu.Unlock(); return found }})
			done <- picked{c, err}
		}()
		return s, done
	}

	s, done := pick(t.Context(), "Room of ann")
	s.see(t, "Looking for rooms…")
	s.see(t, "▸ Host a room here: Room of ann")
	set(hack)
	s.see(t, "▸ Hack Night")
	s.see(t, "7 people")
	s.see(t, "192.0.2.5:25252   key: apple boat")
	s.press(tcell.KeyDown, 0)
	s.see(t, "▸ Host")
	s.press(tcell.KeyUp, 0)
	set(office, hack, twin)
	s.see(t, "▸ Hack Night")
	s.see(t, "Office␛[2J[red]")
	s.see(t, "! No key was announced.")
	s.see(t, "! Another server has this name too")
	s.press(tcell.KeyDown, 0)
	s.see(t, "▸ hack night")
	s.press(tcell.KeyEnter, 0)
	if p := <-done; p.err != nil || p.choice.Server != twin || p.choice.Host {
		t.Errorf("%+v", p)
	}

	s, done = pick(t.Context(), "Room of ann")
	s.see(t, "Hack Night")
	s.press(tcell.KeyEnd, 0)
	s.press(tcell.KeyEnter, 0)
	if p := <-done; p.err != nil || !p.choice.Host {
		t.Errorf("%+v", p)
	}

	set()
	s, done = pick(t.Context(), "")
	s.see(t, "Looking for rooms…")
	s.press(tcell.KeyEnter, 0)
	s.keys("q")
	if p := <-done; !errors.Is(p.err, ErrLeft) {
		t.Errorf("%+v", p)
	}

	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, done = pick(ctx, "x")
	if p := <-done; !errors.Is(p.err, context.Canceled) {
		t.Errorf("%+v", p)
	}
}

func TestPickAtAnySize(t *testing.T) {
	p := &picker{host: "here", found: []Server{{Name: "a", Addr: "x", KeyWords: "1"}, {Name: "A", Addr: "y", KeyWords: "2", Warning: "hm"}}}
	a := &asker{wrong: "no"}
	g := newGrid(t, 1, 1)
	for w := range 60 {
		for h := range 20 {
			g.resize(w, h)
			for i := range p.count() {
				p.at = i
				g.Clear()
				p.draw(painter{s: g, th: terminalTheme, w: w, h: h})
			}
			a.draw(painter{s: g, th: terminalTheme, w: w, h: h})
		}
	}
}

func TestAskNick(t *testing.T) {
	s := newShot(60, 12)
	done := make(chan struct{})
	var nick string
	var err error
	go func() {
		defer close(done)
		nick, err = AskNick(t.Context(), AskConfig{Screen: s, Suggestion: "ann", Check: protocol.ValidNick})
	}()
	s.see(t, "Your name: ann")
	s.keys(" b")
	s.press(tcell.KeyEnter, 0)
	s.see(t, "A nick has no spaces")
	s.press(tcell.KeyBackspace, 0)
	s.press(tcell.KeyBackspace, 0)
	s.keys("e")
	s.press(tcell.KeyEnter, 0)
	<-done
	if nick != "anne" || err != nil {
		t.Errorf("%q, %v", nick, err)
	}
}

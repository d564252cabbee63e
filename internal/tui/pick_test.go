package tui

import (
	"context"
	"errors"
	"strings"
	"sync"
	"testing"
	"time"

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
	s.see(t, "Its name: Room of ann")
	s.keys(" and bob")
	s.press(tcell.KeyEnter, 0)
	if p := <-done; p.err != nil || p.choice != (Choice{Host: true, Name: "Room of ann and bob"}) {
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

	s = newShot(80, 24)
	go func() {
		c, err := Pick(t.Context(), PickConfig{Screen: s, Host: "x"})
		done <- picked{c, err}
	}()
	s.see(t, "Discovery is switched off")
	s.keys("q")
	<-done

	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, done = pick(ctx, "x")
	if p := <-done; !errors.Is(p.err, context.Canceled) {
		t.Errorf("%+v", p)
	}
}

// Another address: what is wrong with it is said, what is found meanwhile takes
// nothing away.
func TestPickAnAddress(t *testing.T) {
	var mu sync.Mutex
	var found []Server
	now := time.Unix(1_800_000_000, 0)
	s := newShot(80, 24)
	done := make(chan picked, 1)
	go func() {
		c, err := Pick(t.Context(), PickConfig{Screen: s, Host: "x", Found: func() []Server { mu.Lock(); defer mu.Unlock(); return found },
			Now: func() time.Time { mu.Lock(); defer mu.Unlock(); return now },
			CheckAddress: func(text string) error {
				if strings.Contains(text, " ") {
					return errors.New("a space")
				}
				return nil
			}})
		done <- picked{c, err}
	}()
	s.see(t, "Looking for rooms…")
	mu.Lock()
	now = now.Add(hintAfter)
	mu.Unlock()
	s.see(t, "chat join HOST:PORT")
	s.see(t, "UDP port 25252")
	s.keys("a")
	s.see(t, "HOST:PORT or a name:")
	mu.Lock()
	found = []Server{{Name: "Hack Night", Addr: "192.0.2.5:25252", Known: true, Seen: now.Add(-3 * time.Second), RoundTrip: 2 * time.Millisecond}}
	mu.Unlock()
	s.keys("q k")
	s.press(tcell.KeyEnter, 0)
	s.see(t, "A space")
	s.press(tcell.KeyEscape, 0)
	s.see(t, "known · 0 people")
	s.see(t, "heard 3 s ago, round trip 2.0 ms")
	s.see(t, "▸ Another address…")
	s.press(tcell.KeyEnter, 0)
	s.keys("192.0.2.9:1")
	s.press(tcell.KeyEnter, 0)
	if p := <-done; p.err != nil || p.choice != (Choice{Address: "192.0.2.9:1"}) {
		t.Errorf("%+v", p)
	}
}

func TestPickAtAnySize(t *testing.T) {
	p := newPicker(PickConfig{Host: "here", CheckAddress: func(string) error { return nil }})
	p.found = []Server{{Name: "a", Addr: "x", KeyWords: "1"}, {Name: "A", Addr: "y", KeyWords: "2", Warning: "hm"}}
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
			p.asking = &asking{wrong: "this is no address"}
			p.draw(painter{s: g, th: terminalTheme, w: w, h: h})
			p.asking = nil
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

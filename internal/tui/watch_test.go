package tui

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/gdamore/tcell/v2"
)

// network is what is found, and the time; a test changes both.
type network struct {
	mu    sync.Mutex
	now   time.Time
	found []Server
}

func (n *network) set(s ...Server)      { n.mu.Lock(); n.found = s; n.mu.Unlock() }
func (n *network) pass(d time.Duration) { n.mu.Lock(); n.now = n.now.Add(d); n.mu.Unlock() }
func (n *network) servers() []Server    { n.mu.Lock(); defer n.mu.Unlock(); return n.found }
func (n *network) time() time.Time      { n.mu.Lock(); defer n.mu.Unlock(); return n.now }
func (n *network) config(s *shot) WatchConfig {
	return WatchConfig{Screen: s, Found: n.servers, Now: n.time}
}

func TestWatch(t *testing.T) {
	n := &network{now: time.Unix(1_800_000_000, 0)}
	s := newShot(80, 24)
	done := make(chan error, 1)
	go func() { done <- Watch(t.Context(), n.config(s)) }()
	s.see(t, "Looking for rooms…")
	hack := Server{Name: "Hack Night", Addr: "192.168.100.105:25252", KeyWords: "zipper zigzag yogurt yellow woodpecker wizard", People: 7,
		Known: true, Seen: n.now, RoundTrip: 420 * time.Microsecond}
	office := Server{Name: "Office\x1b[2J[red]", Addr: "192.0.2.7:4000", KeyWords: "moon sand", People: 12, Seen: n.now, RoundTrip: 31 * time.Millisecond}
	n.set(hack, office)
	s.see(t, " *Hack Night                  192.168.100.105:25252       7     0 s   0.4 ms")
	s.see(t, "key: zipper zigzag yogurt yellow woodpecker wizard")
	s.see(t, "  Office␛[2J[red]             192.0.2.7:4000             12     0 s    31 ms")
	screen := s.see(t, "Servers on this network: 2")
	for line := range strings.SplitSeq(screen, "\n") {
		if width(line) > 80 {
			t.Errorf("%d columns: %s", width(line), line)
		}
	}

	// Time passes without a packet.
	n.pass(75 * time.Second)
	s.see(t, "7   1 min   0.4 ms")

	// Another one takes the name: both are marked, and the order stays.
	twin := Server{Name: "hack night", Addr: "192.0.2.66:25252", KeyWords: "evil twin", People: 1, Seen: n.now}
	n.set(hack, twin, office)
	screen = s.see(t, "! hack night ")
	for _, want := range []string{"!*Hack Night", "! Another server has this name too", "key: evil twin"} {
		if !strings.Contains(screen, want) {
			t.Errorf("there is no %q:\n%s", want, screen)
		}
	}
	if strings.Index(screen, "*Hack Night") > strings.Index(screen, "! hack night") || strings.Index(screen, "! hack night") > strings.Index(screen, "Office") {
		t.Errorf("the order is another:\n%s", screen)
	}
	n.set(office)
	s.gone(t, "ack ")

	// With room, the key words have a column.
	s.resize(140, 24)
	s.see(t, "  31 ms  moon sand")
	s.keys("q")
	if err := <-done; !errors.Is(err, ErrLeft) {
		t.Errorf("Watch = %v", err)
	}

	ctx, cancel := context.WithCancelCause(t.Context())
	s = newShot(80, 24)
	go func() { done <- Watch(ctx, n.config(s)) }()
	s.see(t, "Office")
	cause := errors.New("enough")
	cancel(cause)
	if err := <-done; err != cause {
		t.Errorf("Watch = %v", err)
	}
}

// More servers than rows: all of them can be seen, and there is always something.
func TestWatchScrolls(t *testing.T) {
	n := &network{now: time.Unix(1_800_000_000, 0)}
	for i := range 100 {
		n.found = append(n.found, Server{Name: fmt.Sprintf("room %02d.", i), Addr: "192.0.2.7:4000", KeyWords: "moon sand"})
	}
	s := newShot(80, 24)
	done := make(chan error, 1)
	go func() { done <- Watch(t.Context(), n.config(s)) }()
	s.see(t, "room 00.")
	s.press(tcell.KeyEnd, 0)
	s.see(t, "room 99.")
	s.press(tcell.KeyUp, 0)
	s.press(tcell.KeyPgUp, 0)
	s.gone(t, "room 99.")
	n.set(n.found[:1]...)
	s.see(t, "room 00.")
	s.gone(t, "room 9")
	s.press(tcell.KeyCtrlC, 0)
	if err := <-done; !errors.Is(err, ErrLeft) {
		t.Errorf("Watch = %v", err)
	}
}

func TestWatchAtAnySize(t *testing.T) {
	v := newWatcher(WatchConfig{})
	g := newGrid(t, 1, 1)
	for _, found := range [][]Server{nil, {
		{Name: "a", Addr: "[fe80::1%a-very-long-name-of-an-interface]:25252", KeyWords: "1"}, {Name: "A", Addr: "y", KeyWords: "2", Warning: "hm"}}} {
		v.found = found
		for w := range 200 {
			for h := range 16 {
				g.resize(w, h)
				g.Clear()
				v.top = h
				v.draw(painter{s: g, th: terminalTheme, w: w, h: h})
			}
		}
	}
}

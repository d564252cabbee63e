package tui

import (
	"context"
	"errors"
	"net"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"lanchat/internal/client"
	"lanchat/internal/identity"
	"lanchat/internal/roomlog"
	"lanchat/internal/server"
	"lanchat/protocol"

	"github.com/gdamore/tcell/v2"
	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// house is a server that can die and come back, with its log.
type house struct {
	testing.TB
	store roomlog.Store
	addr  string
	key   *identity.Identity // nil: no TLS
	stop  func()
}

func newHouse(t testing.TB, withTLS bool) *house {
	return newHouseOn(t, roomlog.NewMemory(), withTLS)
}

func newHouseOn(t testing.TB, store roomlog.Store, withTLS bool) *house {
	h := &house{TB: t, store: store, addr: "127.0.0.1:0"}
	if withTLS {
		h.key = newKey(t)
	}
	h.start()
	t.Cleanup(func() {
		h.stop()
		if err := h.store.Close(); err != nil {
			t.Error(err)
		}
	})
	return h
}

func newKey(t testing.TB) *identity.Identity {
	t.Helper()
	id, err := identity.LoadOrCreate(t.TempDir(), "test")
	if err != nil {
		t.Fatal(err)
	}
	return id
}

func (h *house) start() {
	h.Helper()
	l, err := net.Listen("tcp", h.addr)
	if err != nil {
		h.Fatal(err)
	}
	if h.addr == "127.0.0.1:0" {
		h.addr = l.Addr().String() // and the same one when it comes back
	}
	log := roomlog.Local(stays{h.store}) // a log has one server in its life
	cfg := server.Config{Name: "Hack Night", Log: log, Limits: server.Limits{PostRate: 10_000, PostBurst: 10_000}}
	if h.key != nil {
		cfg.TLS = h.key.ServerTLS()
	}
	s := server.New(cfg)
	served := make(chan error, 1)
	go func() { served <- s.Serve(context.Background(), l) }()
	h.stop = sync.OnceFunc(func() {
		s.Close()
		if err := <-served; !errors.Is(err, server.ErrServerClosed) {
			h.Errorf("Serve = %v", err)
		}
		if err := log.Close(); err != nil {
			h.Error(err)
		}
	})
}

// stays is a store that is not closed with a log of it.
type stays struct{ roomlog.Store }

func (stays) Close() error { return nil }

// user is a chat on a simulated terminal.
type user struct {
	testing.TB
	*shot
	engine *client.Client
	left   chan error    // what Run returned
	ended  chan struct{} // closed when the engine has ended, too
}

// shot is what a simulated terminal shows. The simulation's own contents may not
// be read while something is drawn, so the text is copied at every Show.
type shot struct {
	tcell.SimulationScreen
	mu     sync.Mutex
	rows   []string
	shows  int
	shown  *sync.Cond
	before func() // called before each Show, on the event loop

	ending sync.Mutex
	ended  bool
}

func newShot(w, h int) *shot {
	s := &shot{SimulationScreen: tcell.NewSimulationScreen("UTF-8")}
	s.shown = sync.NewCond(&s.mu)
	s.before = func() { s.SimulationScreen.SetSize(w, h) }
	return s
}

func (s *shot) Init() error {
	err := s.SimulationScreen.Init()
	s.before()
	s.before = nil
	return err
}

func (s *shot) Show() {
	w, h := s.Size()
	rows := make([]string, h)
	for y := range h {
		var b strings.Builder
		for x := 0; x < w; {
			str, _, n := s.Get(x, y)
			b.WriteString(str)
			x += max(1, n) // none, while the size changes
		}
		rows[y] = strings.TrimRight(b.String(), " ")
	}
	s.ending.Lock()
	s.SimulationScreen.Show()
	s.ending.Unlock()
	s.mu.Lock()
	s.rows = rows
	s.shows++
	s.mu.Unlock()
	s.shown.Broadcast()
}

func (s *shot) text() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return strings.Join(s.rows, "\n")
}

// until waits for a screen that fits.
func (s *shot) until(t testing.TB, what string, fits func(screen string) bool) string {
	t.Helper()
	late := false
	timer := time.AfterFunc(10*time.Second, func() {
		s.mu.Lock()
		late = true
		s.mu.Unlock()
		s.shown.Broadcast()
	})
	defer timer.Stop()
	s.mu.Lock()
	defer s.mu.Unlock()
	for {
		text := strings.Join(s.rows, "\n")
		if fits(text) {
			return text
		}
		if late {
			t.Fatalf("waiting for %s; the screen has:\n%s", what, text)
		}
		s.shown.Wait()
	}
}

func (s *shot) see(t testing.TB, text string) string {
	t.Helper()
	return s.until(t, text, func(screen string) bool { return strings.Contains(screen, text) })
}

func (s *shot) gone(t testing.TB, text string) string {
	t.Helper()
	return s.until(t, "no more "+text, func(screen string) bool { return !strings.Contains(screen, text) })
}

func (s *shot) press(key tcell.Key, mod tcell.ModMask) { s.InjectKey(key, 0, mod) }

func (s *shot) keys(text string) {
	for _, r := range text {
		s.InjectKey(tcell.KeyRune, r, tcell.ModNone)
	}
}

func (s *shot) enter(text string) {
	s.keys(text)
	s.press(tcell.KeyEnter, 0)
}

// post waits for a place in the queue of events.
func (s *shot) post(ev tcell.Event) {
	for s.PostEvent(ev) != nil {
		runtime.Gosched()
	}
}

// pasteRaw pastes as a terminal does: every byte is a key.
func (s *shot) pasteRaw(text string) {
	s.post(tcell.NewEventPaste(true))
	for _, r := range text {
		switch r {
		case '\r':
			s.InjectKey(tcell.KeyEnter, 0, tcell.ModNone)
		case '\n':
			s.InjectKey(tcell.KeyCtrlJ, 0, tcell.ModCtrl)
		case '\t':
			s.InjectKey(tcell.KeyTab, 0, tcell.ModNone)
		default:
			s.InjectKey(tcell.KeyRune, r, tcell.ModNone)
		}
	}
	s.post(tcell.NewEventPaste(false))
}

// resize changes the terminal's size, on the event loop as tview expects it.
func (s *shot) resize(w, h int) {
	s.post(&resizeTo{w: w, h: h})
}

// PollEvent carries out resize.
func (s *shot) PollEvent() tcell.Event {
	ev := s.SimulationScreen.PollEvent()
	if r, ok := ev.(*resizeTo); ok {
		s.ending.Lock()
		defer s.ending.Unlock()
		if s.ended {
			return nil
		}
		s.SetSize(r.w, r.h)
		return tcell.NewEventResize(r.w, r.h)
	}
	return ev
}

// Fini meets neither a resize nor Show: the simulation's may not be used at once, as a
// terminal's may.
func (s *shot) Fini() {
	s.ending.Lock()
	defer s.ending.Unlock()
	s.ended = true
	s.SimulationScreen.Fini()
}

type resizeTo struct {
	tcell.EventTime
	w, h int
}

func (h *house) dial(id *identity.Identity) client.DialFunc {
	if id != nil {
		pins, err := identity.OpenPins(filepath.Join(h.TempDir(), "pins"))
		if err != nil {
			h.Fatal(err)
		}
		d := &client.Dialer{Identity: id, Pins: pins, Pin: "Hack Night",
			Find: func(context.Context) ([]client.Candidate, error) { return []client.Candidate{{Addr: h.addr}}, nil }}
		return d.Dial
	}
	return func(ctx context.Context) (*client.Dialed, error) {
		nc, err := (&net.Dialer{}).DialContext(ctx, "tcp", h.addr)
		if err != nil {
			return nil, err
		}
		return &client.Dialed{Conn: nc, Addr: h.addr}, nil
	}
}

func (h *house) enter(nick string, w, height int, change ...func(*Config)) *user {
	h.Helper()
	return h.enterWith(client.Config{Nick: nick}, w, height, change...)
}

// enterWith is enter for an engine of which more than the nick is said.
func (h *house) enterWith(cc client.Config, w, height int, change ...func(*Config)) *user {
	h.Helper()
	var id *identity.Identity
	if h.key != nil {
		id = newKey(h)
	}
	cc.Dial, cc.Rooms = h.dial(id), []string{protocol.DefaultRoom}
	engine := client.New(cc)
	s := newShot(w, height)
	u := &user{TB: h.TB, shot: s, engine: engine, left: make(chan error, 1), ended: make(chan struct{})}
	ctx, cancel := context.WithCancel(context.Background())
	var running sync.WaitGroup
	running.Go(func() {
		defer close(u.ended)
		_ = engine.Run(ctx)
	})
	cfg := Config{Engine: engine, Screen: s, Now: func() time.Time { return time.Now().UTC() }}
	for _, f := range change {
		f(&cfg)
	}
	running.Go(func() {
		defer cancel() // as a program does: without its interface an engine has no use
		u.left <- Run(ctx, cfg)
	})
	h.Cleanup(func() {
		cancel()
		running.Wait()
	})
	u.see("online")
	u.gone("Going to")
	return u
}

func (u *user) see(text string) string  { u.Helper(); return u.shot.see(u.TB, text) }
func (u *user) gone(text string) string { u.Helper(); return u.shot.gone(u.TB, text) }

// say posts a text as it is, past the input.
func (u *user) say(text string) {
	u.Helper()
	if _, err := u.engine.Post(protocol.Post{Room: protocol.DefaultRoom, Text: text}); err != nil {
		u.Fatal(err)
	}
}

func (s *shot) count() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.shows
}

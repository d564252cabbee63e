package tui

import (
	"context"
	"flag"
	"fmt"
	"math/rand/v2"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"lanchat/internal/client"
	"lanchat/protocol"

	"github.com/gdamore/tcell/v2"
)

var (
	soak     = flag.Duration("soak", 3*time.Second, "how long TestSoak goes on")
	soakSeed = flag.Uint64("soak-seed", 0, "the seed of TestSoak's evenings; 0: another one each time")
)

// TestSoak has somebody hit keys, click, paste and resize without sense, over a
// network that is cut again and again, while others talk. Nothing may panic, the
// screen must answer whatever happened, and who has left has left nothing behind:
//
//	go test -race -run TestSoak ./internal/tui -soak 30m -timeout 40m
func TestSoak(t *testing.T) {
	seed := *soakSeed
	if seed == 0 {
		seed = uint64(time.Now().UnixNano())
	}
	t.Logf("-soak-seed %d", seed)
	r := rand.New(rand.NewPCG(seed, 1))
	h := newHouse(t, false)
	bob := client.New(client.Config{Dial: h.dial(nil), Nick: "bob", Rooms: []string{protocol.DefaultRoom, "kitchen"}})
	ctx, cancel := context.WithCancel(t.Context())
	var others sync.WaitGroup
	others.Go(func() { _ = bob.Run(ctx) })
	others.Go(func() { chatter(bob) })
	defer others.Wait()
	defer cancel()

	runtime.GC()
	before, evenings, did := 0, 0, 0
	for end := time.Now().Add(*soak); time.Now().Before(end) && !t.Failed(); evenings++ {
		did += oneEvening(t, h, rand.New(rand.NewPCG(r.Uint64(), 2)))
		n := settled(before + 4)
		if evenings == 0 {
			before = n // with what the first one has started for good, in the libraries
		} else if n > before+4 {
			buf := make([]byte, 1<<20)
			t.Fatalf("%d goroutines after the first evening, %d after number %d:\n%s", before, n, evenings+1, buf[:runtime.Stack(buf, true)])
		}
	}
	t.Logf("%d evenings, %d things done", evenings, did)
}

// settled counts the goroutines, once they are few enough or it takes too long.
func settled(few int) int {
	n := runtime.NumGoroutine()
	for range 200 {
		if n <= few {
			break
		}
		<-time.After(10 * time.Millisecond)
		n = runtime.NumGoroutine()
	}
	return n
}

// chatter says all manner of things now and then, about others' things too.
func chatter(c *client.Client) {
	r := rand.New(rand.NewPCG(1, 1))
	var last []protocol.ID
	for ev := range c.Events() {
		if m, ok := ev.(client.Received); ok {
			if e, ok := m.Message.(*protocol.Entry); ok && e.Kind == protocol.KindText {
				last = append(last, e.ID)
				last = last[max(0, len(last)-50):]
			}
		}
		if c.Waiting() > 5 || r.IntN(3) > 0 {
			continue
		}
		p := protocol.Post{Room: []string{protocol.DefaultRoom, "kitchen"}[r.IntN(2)], Text: talk[r.IntN(len(talk))] + " "}
		if len(last) > 0 {
			switch p.Target = last[r.IntN(len(last))]; r.IntN(4) {
			case 0:
				p.Kind, p.Text = protocol.KindReaction, []string{"👍", "🎉", ":+1:"}[r.IntN(3)]
			case 1:
				p.Kind = protocol.KindEdit
			case 2:
				p.Kind, p.Text = protocol.KindDelete, ""
			}
		}
		_, _ = c.Post(p)
	}
}

// oneEvening is one run of the client, and returns how many things were done to it.
func oneEvening(t *testing.T, h *house, r *rand.Rand) (did int) {
	t.Helper()
	engine := client.New(client.Config{Dial: h.dial(nil), Nick: fmt.Sprint("ann", r.IntN(5)), Rooms: []string{protocol.DefaultRoom}, Journals: t.TempDir()})
	s := newShot(80, 24)
	ctx, cancel := context.WithCancel(t.Context())
	var running sync.WaitGroup
	running.Go(func() { _ = engine.Run(ctx) })
	left := make(chan struct{})
	running.Go(func() {
		defer cancel()
		defer close(left)
		_ = Run(ctx, Config{Engine: engine, Screen: s})
	})
	defer running.Wait()
	defer cancel()
	s.until(t, "anything", func(screen string) bool { return screen != "" })
	for range 400 {
		did++
		if r.IntN(60) == 0 {
			h.stop()
			if r.IntN(2) == 0 {
				strikeKey(s, r, left)
			}
			h.start()
		}
		for range 1 + r.IntN(8) {
			strikeKey(s, r, left)
		}
		if r.IntN(5) > 0 {
			continue
		}
		// The loop answers: a resize is drawn.
		shows := s.count()
		for s.PostEvent(&resizeTo{w: 1 + r.IntN(160), h: 1 + r.IntN(50)}) != nil {
			select {
			case <-left:
				return did
			default:
				runtime.Gosched()
			}
		}
		deadline := time.NewTimer(20 * time.Second)
		for s.count() == shows {
			select {
			case <-left:
				deadline.Stop()
				return did
			case <-deadline.C:
				buf := make([]byte, 1<<20)
				t.Fatalf("the screen does not answer:\n%s\n%s", s.text(), buf[:runtime.Stack(buf, true)])
			case <-time.After(time.Millisecond):
			}
		}
		deadline.Stop()
	}
	return did
}

var soakRunes = []rune("ab?/@#:`你👩\u200d👧\u0301\U0001f1e9\u202e1 ")

// strikeKey does one thing to the terminal.
func strikeKey(s *shot, r *rand.Rand, left <-chan struct{}) {
	offer := func(ev tcell.Event) { _ = s.PostEvent(ev) } // a full queue is the user's bad luck
	switch r.IntN(12) {
	case 0, 1, 2:
		offer(tcell.NewEventKey(tcell.KeyRune, soakRunes[r.IntN(len(soakRunes))], tcell.ModNone))
	case 3, 4:
		a := actions[r.IntN(len(actions))]
		if a.name == "quit" && r.IntN(20) > 0 || len(a.keys) == 0 {
			return
		}
		if k, err := parseKey(a.keys[r.IntN(len(a.keys))]); err == nil {
			offer(tcell.NewEventKey(k.key, k.rune, k.mod))
		}
	case 5:
		offer(tcell.NewEventKey(tcell.KeyRune, rune('a'+r.IntN(26)), tcell.ModAlt))
	case 6:
		keys := []tcell.Key{tcell.KeyUp, tcell.KeyDown, tcell.KeyEnter, tcell.KeyEnter, tcell.KeyEscape, tcell.KeyTab, tcell.KeyBackspace2,
			tcell.KeyLeft, tcell.KeyPgUp, tcell.KeyHome, tcell.KeyEnd, tcell.KeyCtrlU, tcell.KeyCtrlZ, tcell.KeyDelete, tcell.KeyBacktab}
		offer(tcell.NewEventKey(keys[r.IntN(len(keys))], 0, tcell.ModNone))
	case 7:
		offer(tcell.NewEventPaste(true))
		for _, c := range strings.Repeat(talk[r.IntN(len(talk))]+"\n", 1+r.IntN(15)) {
			if c == '\n' {
				offer(tcell.NewEventKey(tcell.KeyEnter, 0, tcell.ModNone))
			} else {
				offer(tcell.NewEventKey(tcell.KeyRune, c, tcell.ModNone))
			}
		}
		for s.PostEvent(tcell.NewEventPaste(false)) != nil { // a paste has an end
			select {
			case <-left:
				return
			default:
				runtime.Gosched()
			}
		}
	case 8, 9:
		buttons := []tcell.ButtonMask{tcell.Button1, tcell.ButtonNone, tcell.WheelUp, tcell.WheelDown, tcell.Button2, tcell.Button1}
		offer(tcell.NewEventMouse(r.IntN(165), r.IntN(55), buttons[r.IntN(len(buttons))], tcell.ModNone))
	case 10:
		offer(tcell.NewEventFocus(r.IntN(2) == 0))
	case 11:
		for _, c := range []string{"/join kitchen", "/me waves", "/msg bob hi", "/leave", "/topic x", "/search hello", "/who", "/rooms",
			"/nick zoe", "/react 👍", "/edit changed", "/delete", "/ignore bob", "/unignore bob", "/notify all", "/theme contrast", "//x", "hello ann"}[r.IntN(18)] {
			offer(tcell.NewEventKey(tcell.KeyRune, c, tcell.ModNone))
		}
		offer(tcell.NewEventKey(tcell.KeyEnter, 0, tcell.ModNone))
	}
}

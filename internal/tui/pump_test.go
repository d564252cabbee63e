package tui

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"lanchat/internal/client"

	"github.com/gdamore/tcell/v2"
)

// TestAFloodIsDrawnInFrames sends faster than anybody can read: every line must
// arrive, few of them be drawn, and a key be answered all the same.
func TestAFloodIsDrawnInFrames(t *testing.T) {
	const total = 50_000
	e := &still{events: make(chan client.Event, 256)}
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	s := newShot(80, 24)
	left := make(chan error, 1)
	fed := make(chan struct{})
	send := func(ev client.Event) {
		select {
		case e.events <- ev:
		case <-ctx.Done():
		}
	}
	go func() { left <- Run(ctx, Config{Engine: e, Screen: s, Room: "lobby"}) }()
	go func() {
		defer close(fed)
		send(client.WentUp{Me: person(1)})
		send(client.Received{Message: joinedMessage("lobby", 3)})
		for i := range total {
			send(client.Received{Message: entry("lobby", uint64(i+1), fmt.Sprintf("line %d.", i+1))})
		}
	}()
	s.see(t, "line ")
	start, shows := time.Now(), s.count()
	s.keys("abc")
	s.see(t, "> abc")
	s.see(t, fmt.Sprintf("line %d.", total))
	most := int(time.Since(start)/frame) + 10 // the keys and the ticks are drawn besides
	if drawn := s.count() - shows; drawn > most {
		t.Errorf("drawn %d times in %v", drawn, time.Since(start))
	}
	<-fed

	// Leaving in the midst of it.
	go func() {
		for seq := uint64(total + 1); ctx.Err() == nil; seq++ {
			send(client.Received{Message: entry("lobby", seq, "more")})
		}
	}()
	s.see(t, "more")
	s.press(tcell.KeyCtrlQ, tcell.ModCtrl)
	select {
	case err := <-left:
		if err != nil {
			t.Error(err)
		}
	case <-time.After(10 * time.Second):
		t.Fatal("it does not leave")
	}
}

// TestTheEngineGivesUp shows why, keeps what is written, and hands the reason on.
func TestTheEngineGivesUp(t *testing.T) {
	e := &still{events: make(chan client.Event, 3)}
	s := newShot(80, 24)
	left := make(chan error, 1)
	go func() { left <- Run(t.Context(), Config{Engine: e, Screen: s}) }()
	s.see(t, "Connecting…")
	e.events <- client.GaveUp{Err: context.DeadlineExceeded}
	close(e.events)
	s.see(t, "no further try will be made")
	s.enter("hello")
	s.see(t, "cannot be sent")
	s.see(t, "#lobby> hello")
	s.press(tcell.KeyCtrlU, tcell.ModCtrl)
	s.enter("/quit")
	if err := <-left; err == nil {
		t.Error("Run = nil")
	}
}

// TestKeysDuringAFlood types while 2,000 lines a second arrive.
func TestKeysDuringAFlood(t *testing.T) {
	e := &still{events: make(chan client.Event, 256)}
	ctx, cancel := context.WithCancel(t.Context())
	s := newShot(120, 40)
	left := make(chan error, 1)
	go func() { left <- Run(ctx, Config{Engine: e, Screen: s, Room: "lobby"}) }()
	fed := make(chan struct{})
	go func() {
		defer close(fed)
		e.events <- client.WentUp{Me: person(1)}
		e.events <- client.Received{Message: joinedMessage("lobby", 300)}
		tick := time.NewTicker(5 * time.Millisecond)
		defer tick.Stop()
		for seq := uint64(1); ; {
			select {
			case <-ctx.Done():
				return
			case <-tick.C:
			}
			for range 10 {
				select {
				case e.events <- client.Received{Message: entry("lobby", seq, talk[seq%4])}:
					seq++
				case <-ctx.Done():
					return
				}
			}
		}
	}()
	s.see(t, "hello")
	var took []time.Duration
	var written strings.Builder
	for i := range 60 {
		written.WriteString(string(rune('a' + i%26)))
		start := time.Now()
		s.keys(written.String()[i:])
		s.see(t, "> "+written.String())
		took = append(took, time.Since(start))
	}
	cancel()
	<-left
	<-fed
	slices.Sort(took)
	t.Logf("a key is on the screen after %v (median), %v (the slowest)", took[len(took)/2], took[len(took)-1])
	if took[len(took)/2] > 50*time.Millisecond {
		t.Errorf("typing takes %v", took[len(took)/2])
	}
}

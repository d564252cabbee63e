package server

import (
	"fmt"
	"net"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"lanchat/internal/nicks"
	"lanchat/protocol"
)

// sessionOf returns the session of a guest's nick.
func sessionOf(t testing.TB, s *Server, nick string) *session {
	t.Helper()
	s.people.mu.Lock()
	defer s.people.mu.Unlock()
	p := s.people.byKey[nicks.Keys(nick)[0]]
	if p == nil {
		t.Fatalf("%s is not there", nick)
	}
	for _, ss := range p.sessions {
		return ss
	}
	return nil
}

// TestWhoDoesNotReadIsNotRead: a client that asks and asks and does not take the
// answers is no longer listened to. When it reads at last, all answers are there.
func TestWhoDoesNotReadIsNotRead(t *testing.T) {
	s, addr := start(t, func(c *Config) { c.Limits.PageBurst = 10_000 })
	b := newBystanders(t, addr)
	for range 10 {
		b.ann.say("lobby", strings.Repeat("x", 1000))
		any1[*protocol.Entry](b.bob)
	}
	deaf := bare(t, addr, "deaf")
	awaitBytes(t, deaf, "welcome")
	deaf.(*net.TCPConn).SetReadBuffer(128 << 10)
	before := inUse()
	const asked = 5_000
	var asking sync.WaitGroup
	asking.Go(func() {
		for i := range asked {
			if _, err := deaf.Write(frames(&protocol.History{Ref: uint32(i + 1), Room: "lobby", Limit: 10})); err != nil {
				t.Error(err)
				return
			}
		}
	})
	ss := sessionOf(t, s, "deaf")
	queued := func() int {
		ss.mu.Lock()
		defer ss.mu.Unlock()
		return len(ss.replies)
	}
	waitFor(t, func() bool { return queued() >= replyBytes })
	for range 50 {
		b.talk()
	}
	if n := queued(); n > replyBytes+protocol.MaxFrame {
		t.Errorf("%d bytes of answers are waiting", n)
	}
	// It is counted where the session would read on, which comes behind the queueing.
	waitFor(t, func() bool { return s.Stats().Limits["replies"] > 0 })
	// All the answers are 50 MiB; the buffers that writers share are a few.
	if grown := inUse() - before; grown > 8<<20 {
		t.Errorf("the server has grown by %d KiB", grown>>10)
	}
	r := rawOn(deaf)
	for want := uint32(1); want <= asked; want++ {
		if name, err := r.next(); err != nil || name != "page" {
			t.Fatalf("%q, %v instead of answer %d", name, err, want)
		}
		if want%100 == 0 && r.message().(*protocol.Page).Ref != want {
			t.Fatalf("another answer than the one to request %d", want)
		}
	}
	asking.Wait()
}

// TestStalledReaderCatchesUp: in a busy room a reader who stalls costs next to
// nothing, and misses nothing in the end.
func TestStalledReaderCatchesUp(t *testing.T) {
	s, addr := start(t, func(c *Config) { c.Limits.PostBurst = 100_000 })
	const stalled, total = 5, 8_000
	var readers []net.Conn
	for i := range stalled {
		nc := bare(t, addr, fmt.Sprint("stalled-", i), &protocol.Join{Ref: 1, Room: "lobby"})
		nc.(*net.TCPConn).SetReadBuffer(128 << 10)
		readers = append(readers, nc)
	}
	for _, nc := range readers {
		awaitBytes(t, nc, "joined")
	}
	ann, err := dialRaw(addr, "ann", 0)
	if err != nil {
		t.Fatal(err)
	}
	defer ann.Close()
	text := strings.Repeat("x", 1000)
	var posting sync.WaitGroup
	posting.Go(func() {
		for range total {
			if err := ann.send(&protocol.Post{ID: protocol.NewID(), Room: "lobby", Text: text}); err != nil {
				t.Error(err)
				return
			}
		}
	})
	for entries := 0; entries < total; {
		name, err := ann.next()
		if err != nil {
			t.Fatal(err)
		}
		if name == "entry" {
			entries++
		}
	}
	posting.Wait()
	with := inUse()
	for _, nc := range readers[1:] {
		nc.Close()
	}
	waitFor(t, func() bool { return sessions(s) == 2 })
	if each := (with - inUse()) / (stalled - 1); each > 640<<10 {
		t.Errorf("each stalled reader holds %d KiB", each>>10)
	}
	r := rawOn(readers[0])
	seen := make([]uint64, 0, total)
	for len(seen) < total {
		name, err := r.next()
		if err != nil {
			t.Fatalf("behind entry %d: %v", len(seen), err)
		}
		if name == "skipped" || name == "error" || name == "bye" {
			t.Fatalf("%+v", r.message())
		}
		if name == "entry" {
			seen = append(seen, r.seq())
		}
	}
	if !slices.IsSorted(seen) || seen[0] != 1 || seen[total-1] != total {
		t.Errorf("entries %d to %d", seen[0], seen[total-1])
	}
}

// rawOn reads frames from a connection that is open already.
func rawOn(nc net.Conn) *raw {
	nc.SetDeadline(time.Now().Add(time.Minute))
	return newRaw(nc)
}

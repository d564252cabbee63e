package server

import (
	"fmt"
	"testing"
	"time"

	"lanchat/protocol"
)

// TestPingsDoNotWait has a session send more joins than its rate allows, as older clients
// do, then a ping, then a post, and wants the pong at once and the post in its place.
func TestPingsDoNotWait(t *testing.T) {
	const joins = 60
	_, addr := start(t, func(c *Config) { c.Limits.PageRate, c.Limits.PageBurst = 40, 10 })
	p := connect(t, addr, "ann")
	for i := range joins {
		p.send(&protocol.Join{Ref: uint32(i + 1), Room: fmt.Sprint("room-", i)})
	}
	began := time.Now()
	id := protocol.NewID()
	p.send(&protocol.Ping{N: 5}, &protocol.Post{ID: id, Room: fmt.Sprint("room-", joins-1), Text: "at last"})
	joined, before := 0, joins
	timer := time.AfterFunc(time.Minute, func() { p.Close() })
	defer timer.Stop()
	for done := false; !done; {
		m, err := p.Read()
		if err != nil {
			t.Fatal(err)
		}
		switch m := m.(type) {
		case *protocol.Joined:
			if joined++; m.Ref != uint32(joined) {
				t.Fatalf("answer %d is to request %d", joined, m.Ref)
			}
		case *protocol.Pong:
			before = joined
			t.Logf("the pong came %v after the ping, after %d of %d joins", time.Since(began), joined, joins)
		case *protocol.Ack:
			done = m.ID == id
		}
	}
	if before > joins/2 || joined != joins {
		t.Errorf("the pong came after %d of %d joins, the ack after %d", before, joins, joined)
	}
}

// TestReadAheadIsBounded has a session send far more than is read ahead of a request that
// waits, and wants all of it to be done in order.
func TestReadAheadIsBounded(t *testing.T) {
	s, addr := start(t, func(c *Config) { c.Limits.PostRate, c.Limits.PostBurst = 200, 10 })
	p := connect(t, addr, "ann")
	p.join("lobby", 0)
	const posts = 100
	text := fmt.Sprintf("%4096d", 0)
	sent := make(chan error, 1)
	go func() {
		for range posts {
			if err := p.Write(&protocol.Post{ID: protocol.NewID(), Room: "lobby", Text: text}); err != nil {
				sent <- err
				return
			}
		}
		sent <- nil
	}()
	for seq := range uint64(posts) {
		if ack := any1[*protocol.Ack](p); ack.Seq != seq+1 {
			t.Fatalf("ack %d is of entry %d", seq+1, ack.Seq)
		}
	}
	if err := <-sent; err != nil {
		t.Fatal(err)
	}
	if s.Stats().Limits["ahead"] == 0 {
		t.Error("the queue was never full")
	}
}

package server

import (
	"bytes"
	"crypto/tls"
	"errors"
	"io"
	"math/rand/v2"
	"net"
	"sync"
	"testing"
	"time"

	"lanchat/internal/identity"
	"lanchat/protocol"
)

// linked makes a link and its peer, whose buffers are small.
func linked(t *testing.T) (*link, net.Conn) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	peer, err := net.Dial("tcp", l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	nc, err := l.Accept()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { peer.Close(); nc.Close() })
	nc.(*net.TCPConn).SetWriteBuffer(16 << 10)
	peer.(*net.TCPConn).SetReadBuffer(16 << 10)
	return &link{Conn: nc, stats: new(stats)}, peer
}

// overLink puts TLS on a link.
func overLink(t *testing.T, l *link, peer net.Conn) (server, client net.Conn) {
	t.Helper()
	s, c := tls.Server(l, newKey(t).ServerTLS()), tls.Client(peer, identity.GuestTLS(nil))
	var shaking sync.WaitGroup
	shaking.Go(func() {
		if err := c.Handshake(); err != nil {
			t.Error(err)
		}
	})
	if err := s.Handshake(); err != nil {
		t.Fatal(err)
	}
	shaking.Wait()
	return s, c
}

// TestWritesDoNotWait: a peer that does not read holds up no write. What it has not
// taken comes later, behind what it has, and in front of what is written then; TLS's
// records are whole.
func TestWritesDoNotWait(t *testing.T) {
	for name, over := range map[string]func(*testing.T, *link, net.Conn) (net.Conn, net.Conn){
		"plain": func(_ *testing.T, l *link, peer net.Conn) (net.Conn, net.Conn) { return l, peer },
		"TLS":   overLink,
	} {
		t.Run(name, func(t *testing.T) {
			l, peer := linked(t)
			server, client := over(t, l, peer)
			full := 0
			l.stopWaiting(func() { full++ })
			random := rand.NewChaCha8([32]byte{1})
			var sent bytes.Buffer
			write := func() {
				b := make([]byte, 1+random.Uint64()%(2*writeBytes))
				random.Read(b)
				sent.Write(b)
				if n, err := server.Write(b); n != len(b) || err != nil {
					t.Fatalf("wrote %d of %d bytes: %v", n, len(b), err)
				}
			}
			for range 2 {
				for !l.isFull.Load() {
					write()
				}
				write() // there is a rest already
				if full == 0 {
					t.Fatal("nobody is told that the link keeps something")
				}
				got := make([]byte, sent.Len())
				var reading sync.WaitGroup
				reading.Go(func() {
					client.SetReadDeadline(time.Now().Add(time.Minute))
					if _, err := io.ReadFull(client, got); err != nil {
						t.Error(err)
					}
				})
				if err := l.flush(); err != nil {
					t.Fatal(err)
				}
				reading.Wait()
				if !bytes.Equal(got, sent.Bytes()) {
					t.Fatal("other bytes have come than were written")
				}
				if l.rest != nil {
					t.Error("the link still holds a buffer")
				}
				sent.Reset()
			}
		})
	}
}

// TestARestIsBounded: TLS answers a peer's key updates, which it could send without end
// and without reading.
func TestARestIsBounded(t *testing.T) {
	l, _ := linked(t)
	l.stopWaiting(func() {})
	for range 100 {
		if _, err := l.Write(make([]byte, writeBytes)); errors.Is(err, errRest) {
			if len(l.rest) > restMost {
				t.Errorf("%d bytes are kept", len(l.rest))
			}
			return
		} else if err != nil {
			t.Fatal(err)
		}
	}
	t.Error("the link keeps whatever comes")
}

// TestNoWorkerWaitsForASocket: with far more stalled readers than there are workers, on
// every door, none of the workers is held, and others hear everything.
func TestNoWorkerWaitsForASocket(t *testing.T) {
	s, addr := startTLS(t, func(c *Config) {
		c.Limits.PostBurst, c.Limits.SocketBytes = 100_000, 16<<10
	})
	const each = 12
	var stalled []*session
	stall := func(nc net.Conn, nick string) {
		nc.(*net.TCPConn).SetReadBuffer(16 << 10)
		stalled = append(stalled, sessionOf(t, s, nick))
	}
	for i := range each {
		nick := "bare-" + string(rune('a'+i))
		nc := bare(t, addr, nick, &protocol.Join{Ref: 1, Room: "lobby"})
		awaitBytes(t, nc, "joined")
		stall(nc, nick)

		nick = "tls-" + string(rune('a'+i))
		p := connectTLS(t, addr, nil, nick)
		p.join("lobby", 0)
		stall(p.NetConn().(*tls.Conn).NetConn(), nick)
	}
	ann := connect(t, addr, "ann")
	ann.join("lobby", 0)
	text := string(bytes.Repeat([]byte{'x'}, 8<<10))
	isStuck := func(ss *session) bool {
		// Its goroutine has the link's lock while it waits for the peer.
		if !ss.link.mu.TryLock() {
			return true
		}
		defer ss.link.mu.Unlock()
		return false
	}
	stuck := func() bool {
		for _, ss := range stalled {
			if !isStuck(ss) {
				return false
			}
		}
		return true
	}
	for posts := 0; !stuck(); posts++ {
		if posts == 4000 {
			t.Fatal("the readers take all there is")
		}
		ann.say("lobby", text)
	}
	for range 50 {
		ann.say("lobby", text) // and is sent its ack
	}
	waitFor(t, func() bool {
		s.fanout.mu.Lock()
		defer s.fanout.mu.Unlock()
		return s.fanout.workers == 0 && len(s.fanout.due) == 0
	})
	// Who has fallen far behind is not waited for while it is given more from the log.
	waitFor(t, stuck)
}

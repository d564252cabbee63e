package server

import (
	"context"
	"encoding/binary"
	"fmt"
	"net"
	"net/netip"
	"testing"
	"testing/synctest"
	"time"

	"lanchat/internal/roomlog"
	"lanchat/protocol"
)

// TestPressure: limits that are reached in masses are told to admins, and to the ops of the
// room where that is so, once in ten seconds and until it is over. A class that comes at
// once is none of it.
func TestPressure(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := New(Config{Log: roomlog.Local(roomlog.NewMemory())})
		defer s.log.Close()
		here := func(n byte) *session { // and nothing is written to it
			ss := &session{srv: s, door: &native{}, wants: protocol.Extensions(), person: &person{user: protocol.UserID{n}}, follows: []*follow{{room: &room{name: "hall"}}}}
			ss.state.Store(writerMustLook)
			near, far := net.Pipe()
			t.Cleanup(func() { near.Close(); far.Close() })
			s.conns[near] = ss
			return ss
		}
		ann, bob, cem := here(1), here(2), here(3)
		s.rules.SetAdmins([]protocol.UserID{ann.person.user})
		if err := s.rules.SetOp("hall", bob.person.user, true); err != nil {
			t.Fatal(err)
		}
		heard := func(ss *session) (all string) {
			for b := ss.replies; len(b) > 0; {
				n := 4 + binary.BigEndian.Uint32(b)
				m, err := protocol.Decode(b[4:n])
				if err != nil {
					t.Fatal(err)
				}
				notice := m.(*protocol.Notice)
				all += fmt.Sprintf("[%s %s %s]", notice.About, notice.Room, notice.Text)
				b = b[n:]
			}
			ss.replies = nil
			return all
		}
		reach := func(times int, l limit, addr, room string) {
			for range times {
				s.stats.reached(l)
				s.pressure.note(netip.MustParseAddr(addr), room)
			}
		}
		want := func(what, admin, op string) {
			t.Helper()
			time.Sleep(pressureEvery)
			synctest.Wait()
			if got := heard(ann); got != admin {
				t.Errorf("%s: the admin is told %q", what, got)
			}
			if got := heard(bob); got != op {
				t.Errorf("%s: the op is told %q", what, got)
			}
			if got := heard(cem); got != "" {
				t.Errorf("%s: somebody else is told %q", what, got)
			}
		}
		ctx, stop := context.WithCancel(t.Context())
		go s.watchLimits(ctx)
		defer synctest.Wait()
		defer stop()
		time.Sleep(time.Second) // between two looks

		// 60 people behind one address: each waits once for the handshake, once for a page
		// of history.
		reach(60, limitAddressHandshakes, "10.0.0.7", "")
		reach(60, limitPages, "10.0.0.7", "")
		reach(1000, limitPending, "10.0.0.7", "")
		want("a class", "", "")
		reach(1000, limitPosts, "10.0.0.7", "hall")
		reach(240, limitPages, "10.0.0.8", "")
		want("a flood", "[limits  limits reached 1,240 times in 10 s, most by 10.0.0.7: posts, pages]", "[limits hall limits reached 1,000 times in 10 s by what is posted here]")
		for i := range 300 {
			reach(1, limitArrivals, fmt.Sprintf("10.1.%d.%d", i/200, i%200), "")
		}
		reach(99, limitPosts, "10.0.0.7", "hall")
		want("from many addresses, and less in the room", "[limits  limits reached 399 times in 10 s: arrivals, posts]", "[limits hall ]")
		reach(10, limitPosts, "10.0.0.7", "hall")
		want("it is over", "[limits  ]", "")
		want("and stays so", "", "")
		for i := range 10 * maxPressure {
			s.pressure.note(netip.AddrFrom4([4]byte{10, 2, byte(i >> 8), byte(i)}), fmt.Sprint(i))
		}
		if a, r := s.pressure.take(); len(a) > maxPressure || len(r) > maxPressure {
			t.Errorf("%d addresses and %d rooms are counted", len(a), len(r))
		}
	})
}

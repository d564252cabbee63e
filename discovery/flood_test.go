package discovery

import (
	"context"
	"encoding/binary"
	"errors"
	"flag"
	"net/netip"
	"runtime"
	"testing"
	"testing/synctest"
	"time"
)

var floodSize = flag.Int("flood", 100_000, "how many beacons TestFlood forges; 1000000 is the real thing")

// forgery is the ith of very many beacons, each of another server.
func forgery(i int) *Beacon {
	b := beaconOf(66)
	binary.BigEndian.PutUint64(b.Instance[:], uint64(i)+1)
	binary.BigEndian.PutUint64(b.Key[:], uint64(i)+1)
	return b
}

// However many servers a forger makes up, the memory has a bound and the one that
// is meant is found: also where he sends under that one's own address.
func TestFlood(t *testing.T) {
	pin := key(1)
	for _, same := range []bool{false, true} {
		for _, byAnswer := range []bool{false, true} {
			synctest.Test(t, func(t *testing.T) {
				n := &fakeNetwork{all: twoLinks}
				cfg := Config{network: n, Known: func(k [KeySize]byte) bool { return k == pin }}
				b, err := NewBrowser(cfg)
				if err != nil {
					t.Fatal(err)
				}
				a, err := NewAnnouncer(cfg, Announcement{Name: "n", Key: key(2), Listen: netip.MustParseAddrPort("0.0.0.0:7")})
				if err != nil {
					t.Fatal(err)
				}
				ctx, cancel := context.WithCancel(t.Context())
				ended := make(chan error, 2)
				go func() { ended <- b.Run(ctx) }()
				go func() { ended <- a.Run(ctx) }()
				synctest.Wait()
				asking, listener, serverSide := n.conn(t, ephemeral), n.conn(t, everyone), n.conn(t, server)
				token := tokenOf(t, asking)
				from := func(i int) netip.AddrPort {
					if same {
						return netip.MustParseAddrPort("10.77.0.2:25252")
					}
					return netip.AddrPortFrom(netip.AddrFrom4([4]byte{10, 77, 0, byte(i)}), 25252)
				}

				before := heap()
				for i := range *floodSize / 4 {
					raw, err := Append(nil, forgery(i))
					if err != nil {
						t.Fatal(err)
					}
					for _, c := range []*fakeConn{listener, serverSide} {
						c.in <- incoming{raw, arrival{from: from(i), index: 2}}
					}
				}
				synctest.Wait()
				grown := heap() - before
				if grown > 4<<20 {
					t.Errorf("%d bytes more", grown)
				}
				most := maxEntries
				if same {
					most = maxPerSource
				}
				if got := len(b.Servers()); got != most {
					t.Errorf("%d servers", got)
				}
				if got := len(a.crowd.known); got > most {
					t.Errorf("a server counts %d others", got)
				}

				// The one that is meant.
				if byAnswer {
					asking.arrive(t, beaconOf(1).answer(token), 2, "10.77.0.2:25252")
				} else {
					listener.arrive(t, beaconOf(1), 2, "10.77.0.2:25252")
				}
				found := false
				for _, s := range b.Servers() {
					found = found || s.Key == pin && s.Answered == byAnswer
				}
				if !found || len(b.Servers()) != most {
					t.Errorf("same source %v, answer %v: %d servers, found %v", same, byAnswer, len(b.Servers()), found)
				}
				cancel()
				for range 2 {
					if err := <-ended; err != nil {
						t.Error(err)
					}
				}
			})
		}
	}
}

func heap() int64 {
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return int64(m.HeapAlloc)
}

// A pinned server among forgeries that have its name, its address and its
// instance, before and behind it: it alone comes back.
func TestLookupAmongForgeries(t *testing.T) {
	pin := key(1)
	synctest.Test(t, func(t *testing.T) {
		n := &fakeNetwork{all: twoLinks}
		go func() {
			synctest.Wait()
			asking, listener := n.conn(t, ephemeral), n.conn(t, everyone)
			token := tokenOf(t, asking)
			for i := range 100 {
				f := forgery(i)
				f.Instance = instance(1)
				listener.arrive(t, f, 2, "10.77.0.2:25252")
				asking.arrive(t, f.answer(token), 2, "10.77.0.2:25252")
			}
			asking.arrive(t, beaconOf(1).answer(token), 2, "10.77.0.2:25252")
		}()
		list, err := Lookup(t.Context(), Config{network: n}, Want{Name: "n", Key: &pin})
		if err != nil || len(list) != 1 || list[0].Key != pin || list[0].Addr.String() != "10.77.0.2:1" {
			t.Errorf("%+v, %v", list, err)
		}
	})
	synctest.Test(t, func(t *testing.T) {
		n := &fakeNetwork{all: twoLinks}
		go func() {
			synctest.Wait()
			n.conn(t, everyone).arrive(t, forgery(1), 2, "10.77.0.2:25252")
		}()
		if list, err := Lookup(t.Context(), Config{network: n}, Want{Name: "n", Key: &pin}); !errors.Is(err, ErrOtherKey) || len(list) != 1 {
			t.Errorf("only a forgery: %+v, %v", list, err)
		}
	})
}

// Whoever asks how often: a beacon a second by an interface, no byte more by
// unicast than came, and none to anybody off the link.
func TestBytesOut(t *testing.T) {
	bubble(t, func(t *testing.T, a *Announcer, c *fakeConn, _ func()) {
		time.Sleep(4 * time.Second)
		c.take()
		began, in, out, beacons := time.Now(), 0, 0, 0
		for i := range 5000 {
			q := &Query{Token: token(1), Seq: uint32(i), Name: []string{"n", ""}[i%2]}
			from := []string{"10.77.0.2:1", "10.77.0.3:1", "10.77.0.4:9", "203.0.113.9:1", "127.0.0.1:1"}[i%5]
			c.arrive(t, q, 2, from)
			in += MaxPacket
			time.Sleep(time.Millisecond)
		}
		for _, o := range c.take() {
			switch {
			case o.packet.Type() == "answer":
				out += o.size
				if o.to.Addr() != netip.MustParseAddr("10.77.0.2") && o.to.Addr() != netip.MustParseAddr("10.77.0.3") && o.to.Addr() != netip.MustParseAddr("10.77.0.4") {
					t.Fatalf("an answer to %v", o.to)
				}
			case o.to.Addr() == limited:
				beacons++
			}
		}
		passed := time.Since(began)
		if out == 0 || out > in {
			t.Errorf("%d bytes in, %d out", in, out)
		}
		if most := int(passed/askedGap) + 1; beacons == 0 || beacons > most {
			t.Errorf("%d beacons in %v", beacons, passed)
		}
	})
}

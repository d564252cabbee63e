package discovery

import (
	"context"
	"net/netip"
	"testing"
	"testing/synctest"
	"time"
)

// Where broadcast addresses cannot be bound, a client hears everything that comes to
// the port, until a server on its host needs it.
func TestYieldToAServerOnThisHost(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := &fakeNetwork{all: twoLinks, hears: func(link) []netip.Addr { return []netip.Addr{netip.IPv4Unspecified()} }}
		b, err := NewBrowser(Config{network: n})
		if err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithCancel(t.Context())
		ended := make(chan error, 1)
		go func() { ended <- b.Run(ctx) }()
		synctest.Wait()
		open := func() (*fakeConn, bool) {
			synctest.Wait()
			c := n.conn(t, server)
			select {
			case <-c.closed:
				return c, false
			default:
				return c, true
			}
		}

		ear, ok := open()
		if !ok {
			t.Fatal("there is no listener")
		}
		ear.arrive(t, beaconOf(1), 2, "10.77.0.9:25252")
		if got := b.Servers(); len(got) != 1 {
			t.Errorf("a beacon makes %v", got)
		}
		if _, ok := open(); !ok {
			t.Error("the listener is gone because of a server elsewhere")
		}
		ear.arrive(t, beaconOf(2), 2, "10.77.0.1:25252")
		if _, ok := open(); ok {
			t.Error("the listener stays beside a server on this host")
		}
		if got := b.Servers(); len(got) != 2 {
			t.Errorf("the servers are %v", got)
		}
		time.Sleep(yieldFor - time.Second)
		if _, ok := open(); ok {
			t.Error("the listener comes back while that server may be there")
		}
		time.Sleep(time.Minute) // it asks again meanwhile
		if _, ok := open(); !ok {
			t.Error("the listener does not come back")
		}
		cancel()
		if err := <-ended; err != nil {
			t.Error(err)
		}
	})
}

// A port that a server has is no trouble to a client that would hear everything.
func TestNoEarBesideAServer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := &fakeNetwork{all: twoLinks, hears: func(link) []netip.Addr { return []netip.Addr{netip.IPv4Unspecified()} },
			refuse: func(addr netip.AddrPort) error {
				if addr.Port() == 0 {
					return nil
				}
				return errRefused
			}}
		b, err := NewBrowser(Config{network: n})
		if err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithCancel(t.Context())
		ended := make(chan error, 1)
		go func() { ended <- b.Run(ctx) }()
		time.Sleep(time.Minute)
		if s := b.Stats(); len(s.Trouble) != 0 {
			t.Errorf("trouble: %+v", s.Trouble)
		}
		cancel()
		if err := <-ended; err != nil {
			t.Error(err)
		}
	})
}

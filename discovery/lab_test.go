package discovery

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"testing"
	"time"

	"lanchat/internal/netlab"
)

// lookupOn is Lookup from a host of a lab.
func lookupOn(t *testing.T, h *netlab.Host, cfg Config, want Want) (list []Server, err error) {
	t.Helper()
	err = on(h, func() (err error) {
		list, err = Lookup(t.Context(), cfg, want)
		return err
	})
	return list, err
}

// found looks from a host of a lab until the server is found as it fits. An answer
// by one of several ways may come when a lookup has ended, where the machine stands
// still. No lookup may give the address of another way before this host's own.
func found(t *testing.T, h *netlab.Host, what, name string, fits func(Server) bool) {
	t.Helper()
	eventually(t, what, func() bool {
		list, err := lookupOn(t, h, Config{}, Want{Name: name})
		isLocal := func(a netip.AddrPort) bool { return a.Addr() == local }
		if nothingFound(err) {
			return false
		}
		if err != nil || len(list) != 1 || slices.ContainsFunc(list[0].Others, isLocal) {
			t.Fatalf("%s: %+v, %v", what, list, err)
		}
		t.Logf("%s: %v, %v", what, list[0].Addr, list[0].Others)
		return fits(list[0])
	})
}

// absentOn checks that a lookup from a host of a lab hears nobody. It does not
// wait for the whole length of one: three queries are enough.
func absentOn(t *testing.T, h *netlab.Host, cfg Config, want Want) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 500*time.Millisecond)
	defer cancel()
	err := on(h, func() error {
		list, err := Lookup(ctx, cfg, want)
		if len(list) > 0 {
			t.Errorf("from %s: %+v", h.Name, list)
		}
		return err
	})
	if !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("from %s: %v", h.Name, err)
	}
}

// Nobody has a default route, and nobody is told an address.
func TestThreeHosts(t *testing.T) {
	t.Parallel()
	lab := netlab.New(t)
	server := lab.Host("server", "10.77.0.1/24")
	clients := []*netlab.Host{lab.Host("ann", "10.77.0.2/24"), lab.Host("bob", "10.77.0.3/24")}
	announce(t, server, Config{}, Announcement{Name: "lobby", Key: key(1)})

	pin := key(1)
	for _, want := range []Want{{Name: "lobby", Key: &pin}, {Name: "lobby"}} {
		var took []time.Duration
		for n := range 20 {
			began := time.Now()
			list, err := lookupOn(t, clients[n%2], Config{}, want)
			if err != nil || len(list) != 1 || list[0].Addr.String() != "10.77.0.1:25252" || list[0].Interface != "eth0" {
				t.Fatalf("lookup %d: %+v, %v", n, list, err)
			}
			took = append(took, time.Since(began))
		}
		slices.Sort(took)
		t.Logf("pinned %v: median %v, slowest %v", want.Key != nil, took[10], took[19])
		if took[10] > 100*time.Millisecond && !raced { // how soon is asked where nothing slows it down
			t.Errorf("pinned %v: half of the lookups took %v and more", want.Key != nil, took[10])
		}
	}

	found(t, server, "from the server's own host", "lobby", func(s Server) bool { return s.Addr.String() == "127.0.0.1:25252" })
}

// The beacon alone: a client whose firewall drops the answers, here one that
// never asks.
func TestBeaconsAndGoodbye(t *testing.T) {
	t.Parallel()
	lab := netlab.New(t)
	server, client := lab.Host("server", "10.77.0.1/24"), lab.Host("client", "10.77.0.2/24")
	_, stop := announce(t, server, Config{}, Announcement{Name: "lobby", Key: key(1)})

	err := client.Do(func() error {
		cfg := Config{}
		if err := cfg.complete(); err != nil {
			return err
		}
		counts := &tally{log: cfg.Logger}
		a, err := newAsker(t.Context(), cfg, counts)
		if err != nil {
			return err
		}
		defer a.close()
		a.refresh(t.Context())
		a.listenAll(t.Context())
		// Each is sent to two broadcast addresses, by which it arrives in any order.
		next := func(want string) error {
			limit := time.After(patience)
			for {
				select {
				case h := <-a.heard:
					if h.from != netip.MustParseAddrPort("10.77.0.1:25252") {
						return fmt.Errorf("%s from %v", h.packet.Type(), h.from)
					}
					if h.packet.Type() == want {
						return nil
					}
				case <-limit:
					return fmt.Errorf("no %s", want)
				}
			}
		}
		if err := next("beacon"); err != nil {
			return err
		}
		stop()
		for range 2 * goodbyes {
			if err := next("goodbye"); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}

// A host on two networks: the server is found from both, once each, and from a
// host on both as one server with two addresses.
func TestTwoNetworks(t *testing.T) {
	t.Parallel()
	lab := netlab.New(t)
	second := lab.LAN()
	server, both := lab.Host("server", "10.77.0.1/24"), lab.Host("both", "10.77.0.2/24")
	server.Join(second, "10.78.0.1/24")
	both.Join(second, "10.78.0.2/24")
	left := lab.Host("left", "10.77.0.3/24")
	right := lab.Host("right")
	right.Join(second, "10.78.0.3/16") // with another mask
	announce(t, server, Config{}, Announcement{Name: "lobby", Key: key(1)})

	for host, want := range map[*netlab.Host]string{left: "10.77.0.1", right: "10.78.0.1"} {
		list, err := lookupOn(t, host, Config{}, Want{Name: "lobby"})
		if err != nil || len(list) != 1 || list[0].Addr.Addr().String() != want || len(list[0].Others) != 0 {
			t.Errorf("from %s: %+v, %v", host.Name, list, err)
		}
	}
	found(t, both, "from a host on both", "lobby", func(s Server) bool { return len(s.Others) == 1 })
	list, err := lookupOn(t, both, Config{Interfaces: []string{"eth1"}}, Want{Name: "lobby"})
	if err != nil || len(list) != 1 || list[0].Addr.Addr().String() != "10.78.0.1" || len(list[0].Others) != 0 {
		t.Errorf("by eth1 only: %+v, %v", list, err)
	}
}

// Two interfaces on one network hear everything twice.
func TestTwoInterfacesOnOneNetwork(t *testing.T) {
	t.Parallel()
	lab := netlab.New(t)
	server, client := lab.Host("server", "10.77.0.1/24"), lab.Host("client", "10.77.0.2/24", "10.77.0.3/24")
	announce(t, server, Config{}, Announcement{Name: "lobby", Key: key(1)})
	var list []Server
	err := client.Do(func() (err error) {
		list, err = List(t.Context(), Config{}, time.Second)
		return err
	})
	if err != nil || len(list) != 1 || len(list[0].Others) != 0 {
		t.Errorf("%+v, %v", list, err)
	}
}

// A server whose TCP listener is bound to one address is announced there only.
func TestListenNarrows(t *testing.T) {
	t.Parallel()
	lab := netlab.New(t)
	second := lab.LAN()
	server := lab.Host("server", "10.77.0.1/24")
	server.Join(second, "10.78.0.1/24")
	left, right := lab.Host("left", "10.77.0.2/24"), lab.Host("right")
	right.Join(second, "10.78.0.2/24")
	announce(t, server, Config{}, Announcement{Name: "lobby", Key: key(1), Listen: netip.MustParseAddrPort("10.78.0.1:7")})
	if list, err := lookupOn(t, right, Config{}, Want{Name: "lobby"}); err != nil || list[0].Addr.String() != "10.78.0.1:7" {
		t.Errorf("where it listens: %+v, %v", list, err)
	}
	absentOn(t, left, Config{}, Want{Name: "lobby"})
}

package discovery

import (
	"context"
	"fmt"
	"net/netip"
	"testing"
	"testing/synctest"
	"time"

	"lanchat/internal/netlab"

	"golang.org/x/sys/unix"
)

var sixLinks = []link{linkAt(1, "lo", "127.0.0.1/8"), linkAt(2, "eth0", "10.77.0.1/24"), linkAt(3, "eth1", "fe80::1/64")}

// Where an interface has no IPv4, a server is found by its link-local address of
// IPv6, is listed with the zone that it takes to get there, and can be reached.
func TestSixOnly(t *testing.T) {
	t.Parallel()
	lab := netlab.New(t)
	hosts := []*netlab.Host{lab.Host("server", "10.77.0.1/24"), lab.Host("client", "10.77.0.2/24")}
	for _, h := range hosts {
		if err := h.IP("addr flush dev eth0 scope global"); err != nil {
			t.Fatal(err)
		}
		awaitSix(t, h)
	}
	server, client := hosts[0], hosts[1]
	var port uint16
	var tcp int
	err := server.Do(func() (err error) {
		tcp, port, err = listenTCP6()
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	defer unix.Close(tcp)
	a, stop := announce(t, server, Config{}, Announcement{Name: "lobby", Key: key(1), Listen: netip.AddrPortFrom(netip.IPv6Unspecified(), port)})

	pin := key(1)
	var last netip.AddrPort
	for _, want := range []Want{{Name: "lobby", Key: &pin}, {Name: "lobby"}, {}} {
		list, err := lookupOn(t, client, Config{}, want)
		if err != nil || len(list) != 1 || !list[0].Addr.Addr().Is6() || list[0].Addr.Addr().Zone() != "eth0" ||
			list[0].Addr.Port() != port || list[0].Interface != "eth0" {
			t.Fatalf("%+v, %v", list, err)
		}
		last = list[0].Addr
	}
	eventually(t, "an answer with its round trip", func() bool { // a beacon may come before it
		list, err := lookupOn(t, client, Config{}, Want{Name: "lobby", Key: &pin})
		return err == nil && len(list) == 1 && list[0].Answered && list[0].RoundTrip > 0
	})
	err = client.Do(func() error { return dialTCP6(last) })
	if err != nil {
		t.Errorf("%v cannot be reached: %v", last, err)
	}
	// As a program hands it over: in text.
	again := netip.MustParseAddrPort(last.String())
	if list, err := lookupOn(t, client, Config{}, Want{Name: "lobby", Last: []netip.AddrPort{again}}); err != nil || list[0].Addr != last {
		t.Errorf("asked at %v: %+v, %v", again, list, err)
	}
	found(t, server, "on its own host", "lobby", func(s Server) bool { return s.Addr.Addr() == local })
	if s := a.Stats(); len(s.Trouble) != 0 || s.Interfaces[1].Own == 0 || s.Interfaces[1].Heard == 0 {
		t.Errorf("the server: %+v", s)
	}

	// Beacons and goodbyes alone.
	cfg := Config{Confirm: func(context.Context, netip.AddrPort) bool { return false }}
	b, err := NewBrowser(cfg)
	if err != nil {
		t.Fatal(err)
	}
	start(t, client, "Browser.Run", b.Run)
	await(t, b, "the server", func(l []Server) bool { return len(l) == 1 && l[0].Addr == last })
	stopping := time.Now()
	stop()
	await(t, b, "its end", func(l []Server) bool { return len(l) == 0 })
	t.Logf("gone %v after it was stopped", time.Since(stopping))
}

// awaitSix waits until the host has an address of IPv6 that it may use.
func awaitSix(t *testing.T, h *netlab.Host) {
	t.Helper()
	eventually(t, h.Name+" has an IPv6 address", func() bool {
		has := false
		err := h.Do(func() error {
			links, err := systemLinks()
			for _, l := range links {
				has = has || l.six()
			}
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
		return has
	})
}

// listenTCP6 and dialTCP6 do without package net, which keeps the names of one
// host's interfaces for all of them.
func listenTCP6() (fd int, port uint16, err error) {
	if fd, err = unix.Socket(unix.AF_INET6, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0); err != nil {
		return 0, 0, err
	}
	if err = unix.Listen(fd, 1); err != nil {
		return 0, 0, err
	}
	sa, err := unix.Getsockname(fd)
	if err != nil {
		return 0, 0, err
	}
	return fd, uint16(sa.(*unix.SockaddrInet6).Port), nil
}

func dialTCP6(to netip.AddrPort) error {
	links, err := systemLinks()
	if err != nil {
		return err
	}
	for _, l := range links {
		if l.name != to.Addr().Zone() {
			continue
		}
		fd, err := unix.Socket(unix.AF_INET6, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
		if err != nil {
			return err
		}
		defer unix.Close(fd)
		return unix.Connect(fd, &unix.SockaddrInet6{Port: int(to.Port()), ZoneId: uint32(l.index), Addr: to.Addr().As16()})
	}
	return fmt.Errorf("no interface %s", to.Addr().Zone())
}

// The group is joined where it is needed, and left where an interface has gone or
// has got an IPv4 address; what failed there is forgotten.
func TestSixComesAndGoes(t *testing.T) {
	bubbleOn(t, sixLinks, "[::]:7", func(t *testing.T, n *fakeNetwork, a *Announcer) {
		c := n.conn(t, "[::]:25252")
		joined := func() string {
			c.mu.Lock()
			defer c.mu.Unlock()
			return fmt.Sprint(c.groups)
		}
		time.Sleep(time.Second)
		sent := c.take()
		if len(sent) == 0 || sent[0].to != netip.AddrPortFrom(group, 25252) || sent[0].via != "eth1" || joined() != "map[3:true]" {
			t.Errorf("sent %+v, joined %s", sent, joined())
		}
		a.tally.outcome("send by eth1 to somewhere", "eth1", errRefused)
		n.set(sixLinks[0], sixLinks[1], linkAt(3, "eth1", "10.78.0.1/24"), linkAt(4, "eth2", "fe80::2/64"))
		time.Sleep(glance)
		if got := c.take(); joined() != "map[4:true]" || len(got) == 0 || got[0].via != "eth2" {
			t.Errorf("joined %s, sent %+v", joined(), got)
		}
		n.set(sixLinks[:2]...)
		time.Sleep(glance)
		if s := a.Stats(); joined() != "map[]" || len(s.Trouble) != 0 || len(s.Interfaces) != 2 {
			t.Errorf("joined %s, %+v", joined(), s)
		}
	})
}

// A server that listens on IPv4 only is not announced by IPv6.
func TestSixNeedsListener(t *testing.T) {
	bubbleOn(t, sixLinks, "0.0.0.0:7", func(t *testing.T, n *fakeNetwork, a *Announcer) {
		time.Sleep(time.Second)
		if s := a.Stats(); len(s.Interfaces) != 2 {
			t.Errorf("announced on %v", s.Links)
		}
	})
}

// bubbleOn runs an Announcer on a fake network with the given links.
func bubbleOn(t *testing.T, links []link, at string, test func(*testing.T, *fakeNetwork, *Announcer)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		n := &fakeNetwork{all: links}
		a, err := NewAnnouncer(Config{network: n}, Announcement{Name: "n", Key: key(1), Listen: netip.MustParseAddrPort(at)})
		if err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithCancel(t.Context())
		ended := make(chan error)
		go func() { ended <- a.Run(ctx) }()
		<-a.Ready()
		test(t, n, a)
		cancel()
		if err := <-ended; err != nil {
			t.Errorf("Run = %v", err)
		}
	})
}

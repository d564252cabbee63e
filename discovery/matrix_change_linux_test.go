package discovery

import (
	"cmp"
	"context"
	"net/netip"
	"slices"
	"testing"
	"time"

	"lanchat/internal/netlab"
)

// noticed is how soon a change of the network shows in a browser.
const noticed = 6 * time.Second

// change is a network that becomes another one while a browser runs.
type change struct {
	browser *Browser
	before  string // the address of the server before; empty: not found
	prepare func() // at a time when the beacons of what it starts still help; or nil
	change  func() // at a time when they are over
	after   string
}

var changes = []struct {
	name  string
	build func(t *testing.T, lab *netlab.Lab) change
}{
	{"interface added at the client", func(t *testing.T, lab *netlab.Lab) change {
		server, client := lab.Host("server", serverAddr+"/24"), lab.Host("client")
		announce(t, server, Config{}, lobby())
		return change{
			browser: browse(t, client, Config{}),
			change:  func() { client.Join(lab.First(), "10.77.0.2/24") },
		}
	}},
	{"interface added at the server", func(t *testing.T, lab *netlab.Lab) change {
		server, client := lab.Host("server"), lab.Host("client", "10.77.0.2/24")
		announce(t, server, Config{}, lobby())
		return change{
			browser: browse(t, client, Config{}),
			change:  func() { server.Join(lab.First(), serverAddr+"/24") },
		}
	}},
	{"address changed at the client", func(t *testing.T, lab *netlab.Lab) change {
		server, client := lab.Host("server", serverAddr+"/24"), lab.Host("client", "10.99.0.2/24")
		server.Refuse("ip daddr 255.255.255.255") // which neighbours of another network hear
		announce(t, server, Config{}, lobby())
		return change{
			browser: browse(t, client, Config{}),
			change: func() {
				mustIP(t, client, "addr del 10.99.0.2/24 dev eth0", "addr add 10.77.0.2/24 brd + dev eth0")
			},
		}
	}},
	{"address changed at the server", func(t *testing.T, lab *netlab.Lab) change {
		server, client := twoHosts(lab)
		announce(t, server, Config{}, lobby())
		return change{
			browser: browse(t, client, Config{}),
			before:  lobbyAddr,
			change: func() {
				mustIP(t, server, "addr del 10.77.0.1/24 dev eth0", "addr add 10.77.0.50/24 brd + dev eth0")
			},
			after: "10.77.0.50:25252",
		}
	}},
	{"link down and up at the client", func(t *testing.T, lab *netlab.Lab) change {
		server, client := twoHosts(lab)
		return change{
			browser: browse(t, client, Config{}),
			prepare: func() {
				mustIP(t, client, "link set eth0 down")
				announce(t, server, Config{}, lobby())
			},
			change: func() { mustIP(t, client, "link set eth0 up") },
		}
	}},
	{"link down and up at the server", func(t *testing.T, lab *netlab.Lab) change {
		server, client := twoHosts(lab)
		return change{
			browser: browse(t, client, Config{}),
			prepare: func() {
				mustIP(t, server, "link set eth0 down")
				announce(t, server, Config{}, lobby())
			},
			change: func() { mustIP(t, server, "link set eth0 up") },
		}
	}},
	{"cable out and in at the client", func(t *testing.T, lab *netlab.Lab) change {
		server, client := twoHosts(lab)
		return change{
			browser: browse(t, client, Config{}),
			prepare: func() {
				client.Unplug("eth0")
				announce(t, server, Config{}, lobby())
			},
			change: func() { client.Plug("eth0") },
		}
	}},
	{"cable out and in at the server", func(t *testing.T, lab *netlab.Lab) change {
		server, client := twoHosts(lab)
		return change{
			browser: browse(t, client, Config{}),
			prepare: func() {
				server.Unplug("eth0")
				announce(t, server, Config{}, lobby())
			},
			change: func() { server.Plug("eth0") },
		}
	}},
}

// at is whether a list has a server at an address; with an empty one, whether it
// is empty.
func at(list []Server, addr string) bool {
	if addr == "" {
		return len(list) == 0
	}
	want := netip.MustParseAddrPort(addr)
	return slices.ContainsFunc(list, func(s Server) bool { return s.Addr == want || slices.Contains(s.Others, want) })
}

func TestMatrixChanges(t *testing.T) {
	t.Parallel()
	all := make([]change, len(changes))
	for n, c := range changes {
		all[n] = c.build(t, netlab.New(t))
	}
	for n, c := range all {
		if !within(patience, func() bool { return at(c.browser.Servers(), c.before) }) {
			t.Errorf("%s: before, %+v", changes[n].name, c.browser.Servers())
		}
		if c.prepare != nil {
			c.prepare()
		}
	}
	<-time.After(startAt[len(startAt)-1] + 200*time.Millisecond)
	began := make([]time.Time, len(all))
	for n, c := range all {
		if c.prepare != nil && len(c.browser.Servers()) > 0 {
			t.Errorf("%s: found too soon: %+v", changes[n].name, c.browser.Servers())
		}
		began[n] = time.Now()
		c.change()
	}
	took := make([]time.Duration, len(all))
	within(noticed, func() bool {
		for n, c := range all {
			if took[n] == 0 && at(c.browser.Servers(), cmp.Or(c.after, lobbyAddr)) {
				took[n] = time.Since(began[n])
			}
		}
		return !slices.Contains(took, 0)
	})
	for n, c := range all {
		t.Logf("%-31s noticed after %v", changes[n].name, took[n].Round(time.Millisecond))
		if took[n] == 0 {
			t.Errorf("%s: after %v, %+v", changes[n].name, noticed, c.browser.Servers())
		}
	}
}

// A server that was killed and runs again is one server, not two.
func TestMatrixRestart(t *testing.T) {
	t.Parallel()
	server, client := twoHosts(netlab.New(t))
	first := childOn(t, server, 0, "announce", "lobby", "1", "25252")
	b := browse(t, client, Config{})
	if !within(patience, func() bool { return at(b.Servers(), lobbyAddr) }) {
		t.Fatalf("the first run: %+v", b.Servers())
	}
	first.kill()
	announce(t, server, Config{}, Announcement{Name: "lobby", Key: key(1), Flags: FlagPassphrase})
	if !within(noticed, func() bool { l := b.Servers(); return len(l) == 1 && l[0].Flags == FlagPassphrase }) {
		t.Errorf("the second run: %+v", b.Servers())
	}
}

// A server that stops takes its leave; one that is killed is missed when its
// time is over.
func TestMatrixEnds(t *testing.T) {
	t.Parallel()
	server, client := twoHosts(netlab.New(t))
	cfg := Config{Confirm: func(ctx context.Context, addr netip.AddrPort) bool {
		return dial(client, addr.String()) == nil
	}}
	closeTCP := accept(t, server)
	_, stop := announce(t, server, Config{}, lobby())
	b := browse(t, client, cfg)
	if !within(patience, func() bool { return at(b.Servers(), lobbyAddr) }) {
		t.Fatalf("not found: %+v", b.Servers())
	}
	began := time.Now()
	closeTCP()
	stop()
	limit := 300 * time.Millisecond
	if !*matrixFull {
		limit *= matrixSlack
	}
	gone := func() bool { return len(b.Servers()) == 0 }
	if !within(limit, gone) {
		t.Errorf("stopped, and there after %v: %+v", limit, b.Servers())
	}
	t.Logf("stopped cleanly: gone after %v", time.Since(began).Round(time.Millisecond))

	if !*matrixFull {
		return
	}
	victim := childOn(t, server, 0, "announce", "lobby", "1", "25252")
	if !within(patience, func() bool { return at(b.Servers(), lobbyAddr) }) {
		t.Fatalf("not found: %+v", b.Servers())
	}
	seen := b.Servers()[0].Seen
	victim.kill()
	const ttl = 35 * time.Second
	if !within(ttl+15*time.Second, gone) {
		t.Fatalf("killed, and there after its time: %+v", b.Servers())
	}
	if took := time.Since(seen); took > ttl+12*time.Second {
		t.Errorf("gone %v after it was last seen", took)
	}
	t.Logf("killed: gone %v after it was seen at first", time.Since(seen).Round(time.Millisecond))
}

package discovery

import (
	"errors"
	"net"
	"net/netip"
	"testing"
	"time"

	"lanchat/internal/netlab"

	"golang.org/x/sys/unix"
)

// absence is a network on which no packet of discovery passes.
type absence struct {
	client *netlab.Host
	want   Want
	server *Announcer // whose first beacons are over before anybody looks; or nil
	cause  error      // that the error names, or nil
	also   func() error
}

var impassable = []struct {
	name  string
	build func(t *testing.T, lab *netlab.Lab) absence
}{
	{"another LAN", func(t *testing.T, lab *netlab.Lab) absence {
		server, client := lab.Host("server", serverAddr+"/24"), lab.Host("client")
		client.Join(lab.LAN(), "10.77.0.2/24")
		announce(t, server, Config{}, lobby())
		return absence{client: client, want: remembered(serverAddr)}
	}},
	{"no network at all", func(t *testing.T, lab *netlab.Lab) absence {
		return absence{client: lab.Host("client"), want: remembered(serverAddr), cause: unix.ENETUNREACH}
	}},
	{"isolated ports", func(t *testing.T, lab *netlab.Lab) absence {
		server, client := twoHosts(lab)
		server.Isolate("eth0")
		client.Isolate("eth0")
		announce(t, server, Config{}, lobby())
		return absence{client: client, want: remembered(serverAddr)}
	}},
	{"a tunnel, nothing remembered", func(t *testing.T, lab *netlab.Lab) absence {
		server, client := lab.Host("server"), lab.Host("client", "10.77.0.2/24")
		lab.Tunnel(server, "10.9.0.1/24", client, "10.9.0.2/24")
		announce(t, server, Config{}, lobby())
		return absence{client: client}
	}},
	{"client firewall, nothing remembered", func(t *testing.T, lab *netlab.Lab) absence {
		server, client := twoHosts(lab)
		client.Firewall(netlab.Established)
		announce(t, server, Config{}, lobby())
		return absence{client: client}
	}},
	{"client firewall that drops everything", func(t *testing.T, lab *netlab.Lab) absence {
		server, client := twoHosts(lab)
		client.Firewall()
		announce(t, server, Config{}, lobby())
		return absence{client: client, want: remembered(serverAddr)}
	}},
	{"server firewall, TCP open", func(t *testing.T, lab *netlab.Lab) absence {
		server, client := twoHosts(lab)
		server.Firewall("tcp dport 25252")
		a, _ := announce(t, server, Config{}, lobby())
		accept(t, server)
		reach := func() error { return dial(client, lobbyAddr) }
		return absence{client: client, want: remembered(serverAddr), server: a, also: reach}
	}},
	{"egress refused at the client", func(t *testing.T, lab *netlab.Lab) absence {
		server, client := twoHosts(lab)
		client.Refuse(`oifname "eth0" udp dport 25252`)
		a, _ := announce(t, server, Config{}, lobby())
		return absence{client: client, want: remembered(serverAddr), server: a, cause: unix.EPERM}
	}},
	{"egress refused at the server", func(t *testing.T, lab *netlab.Lab) absence {
		server, client := twoHosts(lab)
		server.Refuse(`oifname "eth0" udp sport 25252`)
		a, _ := announce(t, server, Config{}, lobby())
		tells := func() error {
			s := a.Stats()
			if s.SendFailed == 0 || len(s.Trouble) == 0 || !errors.Is(s.Trouble[0].Err, unix.EPERM) {
				return errors.New("the server's trouble does not tell that its sending is refused")
			}
			return nil
		}
		return absence{client: client, want: remembered(serverAddr), also: tells}
	}},
	{"port held at the server", func(t *testing.T, lab *netlab.Lab) absence {
		server, client := twoHosts(lab)
		hold(t, server)
		a, _ := announce(t, server, Config{}, lobby())
		if err := a.Problem(); !errors.Is(err, unix.EADDRINUSE) {
			t.Errorf("the announcer's problem: %v", err)
		}
		return absence{client: client, want: remembered(serverAddr), server: a}
	}},
}

// Where nothing passes the search ends in time, with the error that says so.
func TestMatrixAbsent(t *testing.T) {
	t.Parallel()
	for _, tt := range impassable {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			s := tt.build(t, netlab.New(t))
			s.want.Name = "lobby"
			if s.server != nil && !quiet(s.server) {
				t.Fatal("the server does not announce itself")
			}
			began := time.Now()
			list, err := lookupOn(t, s.client, Config{}, s.want)
			if len(list) > 0 || !errors.Is(err, ErrNotFound) || !errors.Is(err, s.cause) && s.cause != nil {
				t.Errorf("%+v, %v; want %v", list, err, s.cause)
			}
			if took := time.Since(began); took < lookupTime || took > lookupTime+patience { // when exactly: TestLookupSchedule
				t.Errorf("it took %v", took)
			}
			if s.also != nil {
				if err := s.also(); err != nil {
					t.Error(err)
				}
			}
			t.Log(err)
		})
	}
}

// quiet waits until the beacons of a server's start are out: the next one comes
// in 7.5 seconds at the earliest. It reports whether that is so.
func quiet(a *Announcer) bool {
	// On a host with the loopback and one network: three datagrams each time.
	return within(patience, func() bool { return a.Stats().Sent >= uint64(3*len(startAt)) })
}

// within looks until something is so, and reports whether it came to be in time. While
// the machine stands still, which shows between two looks, no time passes: nobody else
// had a turn either.
func within(limit time.Duration, so func() bool) bool {
	const each = 5 * time.Millisecond
	look := time.NewTicker(each)
	defer look.Stop()
	for last := time.Now(); !so(); {
		if limit <= 0 {
			return false
		}
		<-look.C
		now := time.Now()
		limit -= min(now.Sub(last), 2*each)
		last = now
	}
	return true
}

// accept takes TCP connections on port 25252 of a host, and ends them.
func accept(t *testing.T, h *netlab.Host) (stop func()) {
	t.Helper()
	var l net.Listener
	err := h.Do(func() (err error) {
		l, err = net.Listen("tcp4", ":25252")
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan struct{})
	go func() {
		defer close(done)
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			_ = c.Close()
		}
	}()
	stop = func() {
		_ = l.Close()
		<-done
	}
	t.Cleanup(stop)
	return stop
}

// dial reports whether TCP gets through.
func dial(h *netlab.Host, addr string) error {
	return h.Do(func() error {
		c, err := (&net.Dialer{Timeout: 2 * time.Second}).Dial("tcp4", addr)
		if err != nil {
			return err
		}
		return c.Close()
	})
}

// A server behind a firewall that lets no query in is heard all the same, by
// whoever listens long enough; and so it is by one whose queries are refused.
func TestMatrixBeaconsOnly(t *testing.T) {
	t.Parallel()
	for name, block := range map[string]func(server, client *netlab.Host){
		"server firewall":              func(server, _ *netlab.Host) { server.Firewall() },
		"port held at the server":      func(server, _ *netlab.Host) { hold(t, server) },
		"egress refused at the client": func(_, client *netlab.Host) { client.Refuse("udp dport 25252") },
	} {
		server, client := twoHosts(netlab.New(t))
		block(server, client)
		b := browse(t, client, Config{})
		announce(t, server, Config{}, lobby())
		if !within(patience, func() bool { return len(b.Servers()) == 1 }) {
			t.Errorf("%s: %+v", name, b.Servers())
		} else if s := b.Servers()[0]; s.Answered || s.Addr.String() != lobbyAddr {
			t.Errorf("%s: %+v", name, s)
		}
	}
}

// browse runs a Browser until the test ends.
func browse(t *testing.T, h *netlab.Host, cfg Config) *Browser {
	t.Helper()
	b, err := NewBrowser(cfg)
	if err != nil {
		t.Fatal(err)
	}
	start(t, h, "Browser.Run", b.Run)
	if !within(patience, func() bool { return b.Stats().Sent+b.Stats().SendFailed > 0 }) {
		t.Fatal("the browser does not ask")
	}
	return b
}

// A source outside of the network gets nothing, since it may be forged: not one
// byte leaves the server because of it.
func TestMatrixForeignSource(t *testing.T) {
	t.Parallel()
	lab := netlab.New(t)
	server, stranger := lab.Host("server", serverAddr+"/24"), lab.Host("stranger", "198.51.100.5/24")
	mustIP(t, stranger, "route add default dev eth0")
	mustIP(t, server, "route add default dev eth0") // it could answer, and must not
	left := sniff(t, server)
	a, _ := announce(t, server, Config{}, lobby())
	if !quiet(a) {
		t.Fatal("the server does not announce itself")
	}
	left()
	const each = 10
	err := stranger.Do(func() error {
		c, err := system{}.listen(t.Context(), netip.AddrPortFrom(netip.IPv4Unspecified(), 0), 0, false)
		if err != nil {
			return err
		}
		defer c.close()
		links, err := systemLinks()
		if err != nil {
			return err
		}
		for n := range each {
			b := must(Append(nil, &Query{Token: token(1), Name: "lobby", Seq: uint32(n)}))
			for _, l := range links {
				if l.name != "eth0" {
					continue
				}
				for _, to := range []string{serverAddr, "255.255.255.255", "10.77.0.255"} {
					if err := c.write(b, netip.AddrPortFrom(netip.MustParseAddr(to), DefaultPort), l); err != nil {
						return err
					}
				}
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	// 10.77.0.255 is no broadcast to the stranger's kernel, and finds no neighbour.
	if !within(patience, func() bool { return a.Stats().Foreign >= 2*each }) {
		t.Errorf("%d datagrams from outside were noticed", a.Stats().Foreign)
	}
	if n := left(); n != 0 || a.Stats().Answered != 0 {
		t.Errorf("%d datagrams left the server", n)
	}
}

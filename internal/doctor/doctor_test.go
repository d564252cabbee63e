package doctor

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"lanchat/discovery"
	"lanchat/internal/identity"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// fake are probes that find what the test says.
type fake struct {
	local    Local
	heard    Heard
	lookup   Lookup
	attempts map[string]Attempt
	arp      []Neighbour
	tried    chan string
	stirred  []netip.Addr
	asked    atomic.Bool
}

func (p *fake) Local(context.Context) Local { return p.local }
func (p *fake) Neighbours() []Neighbour     { return p.arp }
func (p *fake) Ask(context.Context) Heard   { p.asked.Store(true); return p.heard }
func (p *fake) Lookup(context.Context, discovery.Want) Lookup {
	p.asked.Store(true)
	return p.lookup
}
func (p *fake) Try(_ context.Context, addr netip.AddrPort, _ bool) Attempt {
	p.tried <- addr.String()
	return p.attempts[addr.String()]
}
func (p *fake) Stir(_ context.Context, addrs []netip.Addr) { p.stirred = addrs }
func (p *fake) Now() time.Time                             { return noon }

var (
	noon   = time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC)
	known  = identity.Fingerprint{1}
	other  = identity.Fingerprint{2}
	lobby  = identity.Pin{Name: "lobby", Key: known, Addrs: []string{"10.77.0.1:25252"}, Last: noon.Add(-time.Hour)}
	nobody = Lookup{Done: true, Took: 3500 * time.Millisecond, Err: discovery.ErrNotFound}
)

func iface(name, flags string, addrs ...string) Interface {
	i := Interface{Name: name, Up: strings.Contains(flags, "u"), Broadcast: strings.Contains(flags, "b"),
		Loopback: strings.Contains(flags, "l"), Wireless: strings.Contains(flags, "w")}
	for _, a := range addrs {
		i.Addrs = append(i.Addrs, netip.MustParsePrefix(a))
	}
	return i
}

func server(key identity.Fingerprint, addr string, n byte) discovery.Server {
	return discovery.Server{Name: "lobby", Key: key, Addr: netip.MustParseAddrPort(addr), Instance: [8]byte{n}, Answered: true}
}

func lan() Local {
	return Local{System: "linux", Interfaces: []Interface{iface("lo", "ul", "127.0.0.1/8"), iface("eth0", "ub", "10.77.0.2/24")}}
}

// call examines and diagnoses.
func call(t *testing.T, p *fake, q Question) Report {
	t.Helper()
	p.tried = make(chan string, 64)
	if q.Port == 0 {
		q.Port = 25252
	}
	facts, err := Examine(t.Context(), p, q)
	if err != nil {
		t.Fatal(err)
	}
	return Diagnose(facts)
}

func codes(r Report) string {
	var list []string
	for _, d := range r.Diagnoses {
		list = append(list, string(d.Code))
	}
	return strings.Join(list, " ")
}

// everything is all that a report says.
func everything(r Report) string { return fmt.Sprintf("%+v", r) }

func TestDiagnose(t *testing.T) {
	const at = "10.77.0.1:25252"
	echo := Heard{Echo: []string{"eth0"}}
	one := func(a Attempt) map[string]Attempt { return map[string]Attempt{at: a} }
	there := Attempt{TCP: Answered, UDP: Answered, Key: known, By: "eth0"}
	arp := func(answers bool) []Neighbour {
		return []Neighbour{{netip.MustParseAddr("10.77.0.1"), "eth0", answers}}
	}
	with := func(edit func(*Local)) Local { l := lan(); edit(&l); return l }
	pins := []identity.Pin{lobby}
	named := Question{Name: "lobby", Pins: pins}
	for _, tt := range []struct {
		name    string
		p       *fake
		q       Question
		want    string
		reached bool
		says    string
	}{
		{"nothing is up", &fake{local: Local{System: "windows", Interfaces: []Interface{iface("Ethernet", "b")}}}, named, "no-network", false, "ipconfig"},
		{"a link-up without an address", &fake{local: Local{System: "linux", Interfaces: []Interface{iface("eth0", "ub")}}}, named, "no-network", false, "eth0"},
		{"found", &fake{local: lan(), heard: echo, lookup: Lookup{Done: true, Servers: []discovery.Server{server(known, at, 1)}, Took: 7 * time.Millisecond}, attempts: one(there)},
			named, "ok", true, "after 7 ms"},
		{"found, and forged beside it", &fake{local: lan(), heard: Heard{Echo: echo.Echo, Servers: []discovery.Server{server(other, "10.77.0.66:1", 2)}},
			lookup: Lookup{Done: true, Servers: []discovery.Server{server(known, at, 1)}}, attempts: one(there)}, named, "ok", true, "has the known key"},
		{"not found, and forged", &fake{local: lan(), heard: Heard{Echo: echo.Echo, Servers: []discovery.Server{server(other, "10.77.0.66:1", 2)}},
			lookup: Lookup{Done: true, Servers: []discovery.Server{server(other, "10.77.0.66:1", 2)}, Err: discovery.ErrOtherKey}, attempts: one(there)}, named, "ok", true, "10.77.0.1:25252"},
		{"only forged", &fake{local: lan(), heard: echo, lookup: Lookup{Done: true, Servers: []discovery.Server{server(other, "10.77.0.66:1", 2)}, Err: discovery.ErrOtherKey},
			attempts: one(Attempt{TCP: Silent})}, named, "key-changed", false, "no connection proved it"},
		{"another key, proved", &fake{local: lan(), heard: echo, lookup: nobody, attempts: one(Attempt{TCP: Answered, UDP: Answered, Key: other})}, named, "key-changed", false, other.Words()},
		{"another key, and no name was asked for", &fake{local: lan(), heard: Heard{Echo: echo.Echo, Servers: []discovery.Server{server(other, at, 1)}}, attempts: one(Attempt{TCP: Answered, UDP: Answered, Key: other})},
			Question{Pins: pins}, "key-changed", false, "chat id forget 'lobby'"},
		{"two of one name, no pin", &fake{local: lan(), heard: echo, lookup: Lookup{Done: true, Servers: []discovery.Server{server(known, at, 1), server(other, "10.77.0.3:1", 2)}}},
			Question{Name: "lobby"}, "same-name", false, "chat join 10.77.0.3:1"},
		{"replicas", &fake{local: lan(), heard: echo, lookup: Lookup{Done: true, Servers: []discovery.Server{server(known, at, 1), server(known, "10.77.0.3:1", 2)}}, attempts: one(there)},
			Question{Name: "lobby"}, "ok", true, ""},
		{"ufw drops", &fake{local: with(func(l *Local) { l.Firewalls = []Firewall{{"ufw", "ENABLED=yes"}} }), lookup: nobody, attempts: one(there)}, named, "client-firewall", true, "sudo ufw allow 25252/udp"},
		{"firewalld drops, another port", &fake{local: with(func(l *Local) { l.Firewalls = []Firewall{{"firewalld", "it is running"}} }), lookup: nobody, attempts: one(there)},
			Question{Name: "lobby", Pins: pins, Port: 4000}, "client-firewall", true, "--add-port=4000/udp"},
		{"Windows drops", &fake{local: with(func(l *Local) { l.System = "windows" }), heard: Heard{Deaf: errors.New("cannot be heard here")}, lookup: nobody, attempts: one(there)},
			Question{Name: "lobby", Pins: pins, Program: `C:\chat.exe`}, "client-firewall", true, `New-NetFirewallRule -DisplayName lanchat -Direction Inbound -Program 'C:\chat.exe' -Protocol UDP -Action Allow`},
		{"a firewall that does not drop is not blamed", &fake{local: with(func(l *Local) { l.Firewalls = []Firewall{{"ufw", "ENABLED=yes"}} }), heard: echo, lookup: nobody},
			Question{Name: "lobby"}, "nobody-answers", false, "switched on: ufw"},
		{"broadcasts are lost between", &fake{local: lan(), heard: echo, lookup: nobody, attempts: one(there)}, named, "broadcast-blocked", true, "loses broadcasts"},
		{"the answer to a question of its own is dropped", &fake{local: lan(), heard: echo, lookup: nobody, attempts: one(Attempt{TCP: Answered, UDP: Silent, Key: known})},
			named, "server-firewall discovery-off", true, "sudo ufw allow 25252/udp && sudo ufw allow 25252/tcp"},
		{"no discovery there", &fake{local: lan(), heard: echo, lookup: nobody, attempts: one(Attempt{TCP: Answered, UDP: Refused, Key: known})}, named, "discovery-off", true, "--no-discovery"},
		{"not running", &fake{local: lan(), heard: echo, lookup: nobody, attempts: one(Attempt{TCP: Refused, UDP: Refused}), arp: arp(true)}, named, "server-not-running", false, ""},
		{"something else listens", &fake{local: lan(), heard: echo, lookup: nobody, attempts: one(Attempt{TCP: Answered, TLS: errors.New("tls: no")})}, named, "not-a-server", false, "tls: no"},
		{"silent, and its host lives", &fake{local: lan(), heard: echo, lookup: nobody, attempts: one(Attempt{TCP: Silent, UDP: Silent}), arp: arp(true)}, named, "server-firewall", false, ""},
		{"it is not known whether its host lives", &fake{local: lan(), heard: echo, lookup: nobody, attempts: one(Attempt{TCP: Unreachable, UDP: Silent})}, named, "host-gone client-isolation", false, ""},
		{"nobody has the address, and a Wi-Fi's router answers", &fake{local: Local{System: "linux", Interfaces: []Interface{iface("wlan0", "ubw", "10.77.0.2/24")},
			Routes: []Route{{netip.MustParsePrefix("0.0.0.0/0"), netip.MustParseAddr("10.77.0.254"), "wlan0"}}},
			heard: Heard{Echo: []string{"wlan0"}}, lookup: nobody, attempts: one(Attempt{TCP: Unreachable}),
			arp: []Neighbour{{netip.MustParseAddr("10.77.0.1"), "wlan0", false}, {netip.MustParseAddr("10.77.0.254"), "wlan0", true}}},
			named, "client-isolation host-gone", false, "wlan0 is a Wi-Fi"},
		{"a VPN without a routing table to read", &fake{local: with(func(l *Local) {
			l.RoutesErr = errors.New("not read here")
			l.Interfaces = append(l.Interfaces, iface("utun3", "u", "10.9.0.2/32"))
		}), heard: echo, lookup: nobody, attempts: one(Attempt{TCP: Silent, By: "utun3"})}, named, "vpn-route", false, "utun3"},
		{"behind a tunnel", &fake{local: with(func(l *Local) { l.Interfaces = append(l.Interfaces, iface("wg0", "u", "10.9.0.2/32")) }), heard: echo, lookup: nobody,
			attempts: map[string]Attempt{"192.168.5.1:25252": {TCP: Silent, By: "wg0"}}},
			Question{Name: "lobby", Pins: []identity.Pin{{Name: "lobby", Key: known, Addrs: []string{"192.168.5.1:25252"}}}}, "no-broadcast", false, "wg0"},
		{"in another network, and silent", &fake{local: lan(), heard: echo, lookup: nobody, attempts: map[string]Attempt{"192.168.5.1:25252": {TCP: Unreachable}}},
			Question{Name: "lobby", Pins: []identity.Pin{{Name: "lobby", Key: known, Addrs: []string{"192.168.5.1:25252"}}}}, "other-subnet", false, "192.168.5.1"},
		{"what was met elsewhere says nothing here", &fake{local: lan(), heard: echo, attempts: map[string]Attempt{"192.168.5.1:25252": {TCP: Unreachable}}},
			Question{Pins: []identity.Pin{{Name: "work", Key: known, Addrs: []string{"192.168.5.1:25252"}}}}, "nobody-answers", false, ""},
		{"sending is refused", &fake{local: lan(), heard: Heard{Trouble: []discovery.Trouble{{What: "send by eth0 to 255.255.255.255:25252", Err: errNotPermitted}}}, lookup: nobody},
			Question{Name: "lobby"}, "egress-refused", false, "udp dport 25252 accept"},
		{"sending fails for another reason", &fake{local: lan(), heard: Heard{Trouble: []discovery.Trouble{{What: "send by eth0 to 255.255.255.255:25252", Err: errNetUnreachable}}}, lookup: nobody},
			Question{Name: "lobby"}, "nobody-answers", false, "send by eth0 to 255.255.255.255:25252: "},
		{"the port is held", &fake{local: with(func(l *Local) { l.Holders = []Holder{{UID: 7}} }), heard: Heard{Deaf: errInUse}, lookup: nobody}, Question{Name: "lobby"},
			"port-held", false, "the user with id 7"},
		{"other names", &fake{local: lan(), heard: Heard{Echo: echo.Echo, Servers: []discovery.Server{server(known, at, 1)}}, lookup: nobody}, Question{Name: "hall"}, "name-not-heard", false, "chat ls"},
		{"the clock is behind", &fake{local: lan(), heard: echo, lookup: nobody},
			Question{Name: "hall", Pins: []identity.Pin{{Name: "x", Last: noon.Add(3 * time.Hour)}}}, "nobody-answers", false, "it shows 2026-11-22 12:00:00"},
		{"hostile names", &fake{local: lan(), heard: Heard{Echo: echo.Echo, Servers: []discovery.Server{{Name: "\x1b[2Jevil\u202e", Addr: netip.MustParseAddrPort(at)}}}, lookup: nobody,
			attempts: one(Attempt{TCP: Answered, TLS: errors.New("\x1b]0;x\a")})}, Question{Name: "lobby", Pins: []identity.Pin{{Name: "lobby", Key: known, Addrs: []string{at}}}}, "not-a-server", false, "evil"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			r := call(t, tt.p, tt.q)
			said := everything(r)
			if codes(r) != tt.want || r.Reached != tt.reached || !strings.Contains(said, tt.says) {
				t.Errorf("%s, reached %v; want %s, %v, and %q in:\n%s", codes(r), r.Reached, tt.want, tt.reached, tt.says, strings.ReplaceAll(said, "} {", "}\n{"))
			}
			if strings.ContainsAny(said, "\x1b\a\u202e") {
				t.Errorf("it says what a terminal obeys: %q", said)
			}
			for _, d := range r.Diagnoses {
				if d.Cause == "" || len(d.Evidence) == 0 || d.Code != AllWell && len(d.Fix) == 0 {
					t.Errorf("%s: without a cause, evidence or a fix: %+v", d.Code, d)
				}
			}
		})
	}
}

// However much was heard, the doctor does not knock at every door.
func TestTriesAreBounded(t *testing.T) {
	p := &fake{local: lan(), attempts: map[string]Attempt{}}
	for i := range 50 {
		p.heard.Servers = append(p.heard.Servers, server(known, fmt.Sprintf("10.77.0.%d:25252", i+3), byte(i+1)))
	}
	r := call(t, p, Question{})
	if n := len(p.tried); n != maxTried {
		t.Errorf("%d addresses were tried, want %d", n, maxTried)
	}
	for _, c := range r.Checks {
		if len(c.Evidence) > 400 {
			t.Errorf("%s says too much: %s", c.Name, c.Evidence)
		}
	}
}

func TestNoDiscoverySendsNothing(t *testing.T) {
	p := &fake{local: lan(), attempts: map[string]Attempt{"10.77.0.1:25252": {TCP: Answered, Key: known}}}
	p.local.Routes = []Route{{netip.MustParsePrefix("0.0.0.0/0"), netip.MustParseAddr("10.77.0.254"), "eth0"}}
	if r := call(t, p, Question{Name: "lobby", Pins: []identity.Pin{lobby}, NoDiscovery: true}); !r.Reached || codes(r) != "ok" {
		t.Errorf("%s", everything(r))
	}
	if p.asked.Load() || p.stirred != nil {
		t.Errorf("asked %v, stirred %v", p.asked.Load(), p.stirred)
	}
	call(t, p, Question{Name: "lobby"})
	if !p.asked.Load() || len(p.stirred) != 1 {
		t.Errorf("else: asked %v, stirred %v", p.asked.Load(), p.stirred)
	}
}

func TestExamineEnds(t *testing.T) {
	ctx, cancel := context.WithCancelCause(t.Context())
	boom := errors.New("boom")
	cancel(boom)
	if _, err := Examine(ctx, System(discovery.Config{Port: 1}, time.Millisecond), Question{Port: 1, NoDiscovery: true}); err != boom {
		t.Errorf("%v", err)
	}
}

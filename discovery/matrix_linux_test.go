package discovery

import (
	"cmp"
	"flag"
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"lanchat/internal/netlab"
)

// The topology matrix: one small network for each thing that keeps people from
// finding each other. What is found or not is asserted strictly. Times are shown,
// as a table with -v, and have limits with some slack, or without any with
// -matrix.full; a busy machine is excused.
var matrixFull = flag.Bool("matrix.full", false, "the topology matrix with all of its runs, strict limits and slow endings")

const (
	matrixLimit = 100 * time.Millisecond // for half of the lookups, without loss
	matrixSlack = 5
)

// scene is a network with a server on it, and a client that looks for it.
type scene struct {
	client *netlab.Host
	cfg    Config
	want   Want
	at     string        // the address to find it at, or how that begins; or several
	gap    time.Duration // between two lookups, where something is limited by time
	slow   bool          // a few runs have to do
}

const (
	serverAddr = "10.77.0.1"
	lobbyAddr  = serverAddr + ":25252"
)

func lobby() Announcement { return Announcement{Name: "lobby", Key: key(1)} }

// remembered is a Want for the lobby with the addresses that it had.
func remembered(hosts ...string) Want {
	w := Want{Name: "lobby"}
	for _, h := range hosts {
		w.Last = append(w.Last, netip.AddrPortFrom(netip.MustParseAddr(h), 25252))
	}
	return w
}

func mustIP(t *testing.T, h *netlab.Host, commands ...string) {
	t.Helper()
	for _, c := range commands {
		if err := h.IP(c); err != nil {
			t.Fatal(err)
		}
	}
}

// twoHosts is the plain network, that most scenes make harder.
func twoHosts(lab *netlab.Lab) (server, client *netlab.Host) {
	return lab.Host("server", serverAddr+"/24"), lab.Host("client", "10.77.0.2/24")
}

type topology struct {
	name  string
	build func(t *testing.T, lab *netlab.Lab) scene
}

// A packet can pass in each of these, so the server is found in each.
var passable = []topology{
	{"no default route", func(t *testing.T, lab *netlab.Lab) scene {
		server, client := twoHosts(lab)
		announce(t, server, Config{}, lobby())
		return scene{client: client}
	}},
	{"the default route by another network", func(t *testing.T, lab *netlab.Lab) scene {
		server, client := lab.Host("server", serverAddr+"/24"), lab.Host("client")
		client.Join(lab.LAN(), "10.78.0.2/24")
		mustIP(t, client, "route add default via 10.78.0.1")
		client.Join(lab.First(), "10.77.0.2/24")
		announce(t, server, Config{}, lobby())
		return scene{client: client}
	}},
	{"two LANs on the client", func(t *testing.T, lab *netlab.Lab) scene {
		server, client := lab.Host("server"), lab.Host("client", "10.77.0.2/24")
		second := lab.LAN()
		server.Join(second, "10.78.0.1/24")
		client.Join(second, "10.78.0.2/24")
		announce(t, server, Config{}, lobby())
		return scene{client: client, at: "10.78.0.1:25252"}
	}},
	{"two LANs on the server", func(t *testing.T, lab *netlab.Lab) scene {
		server, client := lab.Host("server", serverAddr+"/24"), lab.Host("client")
		second := lab.LAN()
		server.Join(second, "10.78.0.1/24")
		client.Join(second, "10.78.0.2/24")
		announce(t, server, Config{}, lobby())
		return scene{client: client, at: "10.78.0.1:25252"}
	}},
	{"two NICs on one LAN, client", func(t *testing.T, lab *netlab.Lab) scene {
		server, client := lab.Host("server", serverAddr+"/24"), lab.Host("client", "10.77.0.2/24", "10.77.0.3/24")
		announce(t, server, Config{}, lobby())
		return scene{client: client}
	}},
	{"two NICs on one LAN, server", func(t *testing.T, lab *netlab.Lab) scene {
		server, client := lab.Host("server", serverAddr+"/24", "10.77.0.3/24"), lab.Host("client", "10.77.0.2/24")
		announce(t, server, Config{}, lobby())
		return scene{client: client, at: "10.77.0.1:25252 10.77.0.3:25252"}
	}},
	{"a wider mask at the client", func(t *testing.T, lab *netlab.Lab) scene {
		server, client := lab.Host("server", serverAddr+"/24"), lab.Host("client", "10.77.0.2/16")
		announce(t, server, Config{}, lobby())
		return scene{client: client}
	}},
	{"a wider mask at the server", func(t *testing.T, lab *netlab.Lab) scene {
		server, client := lab.Host("server", serverAddr+"/8"), lab.Host("client", "10.77.0.2/24")
		announce(t, server, Config{}, lobby())
		return scene{client: client}
	}},
	{"no IPv4 address", func(t *testing.T, lab *netlab.Lab) scene {
		server, client := twoHosts(lab)
		mustIP(t, server, "addr flush dev eth0 scope global")
		mustIP(t, client, "addr flush dev eth0 scope global")
		for _, h := range []*netlab.Host{server, client} {
			if !within(patience, func() bool { // an address that is not tried out yet cannot be used
				out, err := h.Command("ip", "-6", "-o", "addr", "show", "dev", "eth0", "-tentative").Output()
				return err == nil && len(out) > 0
			}) {
				t.Skip("no IPv6 in the network lab")
			}
		}
		announce(t, server, Config{}, Announcement{Name: "lobby", Key: key(1), Listen: netip.MustParseAddrPort("[::]:25252")})
		return scene{client: client, at: "[fe80::"}
	}},
	{"empty bridges", func(t *testing.T, lab *netlab.Lab) scene {
		server, client := lab.Host("server"), lab.Host("client")
		for _, h := range []*netlab.Host{server, client} {
			mustIP(t, h, "link add docker0 type bridge", "addr add 172.17.0.1/16 brd + dev docker0", "link set docker0 up",
				"link add virbr0 type bridge", "link set virbr0 up")
		}
		server.Join(lab.First(), serverAddr+"/24")
		client.Join(lab.First(), "10.77.0.2/24")
		announce(t, server, Config{}, lobby())
		return scene{client: client}
	}},
	{"a tunnel, by the peer", func(t *testing.T, lab *netlab.Lab) scene {
		server, client := lab.Host("server"), lab.Host("client", "10.77.0.2/24")
		lab.Tunnel(server, "10.9.0.1 peer 10.9.0.2", client, "10.9.0.2 peer 10.9.0.1")
		announce(t, server, Config{}, lobby())
		return scene{client: client, at: "10.9.0.1:25252"}
	}},
	{"a tunnel, remembered", func(t *testing.T, lab *netlab.Lab) scene {
		server, client := lab.Host("server"), lab.Host("client", "10.77.0.2/24")
		lab.Tunnel(server, "10.9.0.1/24", client, "10.9.0.2/24")
		announce(t, server, Config{}, lobby())
		return scene{client: client, at: "10.9.0.1:25252", want: remembered("10.9.0.1")}
	}},
	{"a tunnel that takes every route", func(t *testing.T, lab *netlab.Lab) scene {
		server, client := twoHosts(lab)
		lab.Tunnel(lab.Host("vpn"), "10.9.0.1/24", client, "10.9.0.2/24")
		mustIP(t, client, "route add 0.0.0.0/1 dev tun0", "route add 128.0.0.0/1 dev tun0")
		announce(t, server, Config{}, lobby())
		return scene{client: client}
	}},
	{"loopback only", func(t *testing.T, lab *netlab.Lab) scene {
		only := lab.Host("only")
		announce(t, only, Config{}, lobby())
		return scene{client: only, at: "127.0.0.1:25252"}
	}},
	{"port held at the client", func(t *testing.T, lab *netlab.Lab) scene {
		server, client := twoHosts(lab)
		hold(t, client)
		announce(t, server, Config{}, lobby())
		return scene{client: client}
	}},
	{"server restarted", func(t *testing.T, lab *netlab.Lab) scene {
		server, client := twoHosts(lab)
		_, stop := announce(t, server, Config{}, lobby())
		stop()
		announce(t, server, Config{}, lobby())
		return scene{client: client}
	}},
	{"client firewall, remembered", func(t *testing.T, lab *netlab.Lab) scene {
		server, client := twoHosts(lab)
		client.Firewall(netlab.Established)
		announce(t, server, Config{}, lobby())
		return scene{client: client, want: remembered("10.77.0.99", serverAddr)}
	}},
	{"client firewall, this port open", func(t *testing.T, lab *netlab.Lab) scene {
		server, client := twoHosts(lab)
		client.Firewall(netlab.Established, "udp dport 25252")
		a, _ := announce(t, server, Config{}, lobby())
		if !quiet(a) {
			t.Fatal("the server does not announce itself")
		}
		return scene{client: client, gap: askedGap + 20*time.Millisecond, slow: true} // found by the beacons that queries cause
	}},
	{"server firewall, this port open", func(t *testing.T, lab *netlab.Lab) scene {
		server, client := twoHosts(lab)
		server.Firewall("udp dport 25252")
		announce(t, server, Config{}, lobby())
		return scene{client: client}
	}},
	{"limited broadcast refused", func(t *testing.T, lab *netlab.Lab) scene {
		server, client := twoHosts(lab)
		client.Refuse("ip daddr 255.255.255.255")
		announce(t, server, Config{}, lobby())
		return scene{client: client}
	}},
	{"directed broadcast refused", func(t *testing.T, lab *netlab.Lab) scene {
		server, client := twoHosts(lab)
		client.Refuse("ip daddr 10.77.0.255")
		announce(t, server, Config{}, lobby())
		return scene{client: client}
	}},
	{"one of two networks refused", func(t *testing.T, lab *netlab.Lab) scene {
		server, client := lab.Host("server", serverAddr+"/24"), lab.Host("client")
		client.Join(lab.LAN(), "10.78.0.2/24")
		client.Join(lab.First(), "10.77.0.2/24")
		client.Refuse(`oifname "eth0"`)
		announce(t, server, Config{}, lobby())
		return scene{client: client}
	}},
	{"isolated from others, not the server", func(t *testing.T, lab *netlab.Lab) scene {
		server, client := twoHosts(lab)
		client.Isolate("eth0")
		lab.Host("guest", "10.77.0.3/24").Isolate("eth0")
		announce(t, server, Config{}, lobby())
		return scene{client: client}
	}},
}

// The kernel has one lock for all changes and listings of interfaces, in every
// namespace: beside other tests these would show how long that is held.
var crowded = []topology{
	{"300 more interfaces at the client", func(t *testing.T, lab *netlab.Lab) scene {
		server, client := lab.Host("server", serverAddr+"/24"), lab.Host("client")
		client.Crowd(300)
		client.Join(lab.First(), "10.77.0.2/24") // the last to come
		announce(t, server, Config{}, lobby())
		return scene{client: client, slow: true}
	}},
	{"300 more interfaces at the server", func(t *testing.T, lab *netlab.Lab) scene {
		server, client := lab.Host("server"), lab.Host("client", "10.77.0.2/24")
		server.Crowd(300)
		server.Join(lab.First(), serverAddr+"/24")
		announce(t, server, Config{}, lobby())
		return scene{client: client, slow: true}
	}},
}

func TestMatrix(t *testing.T) {
	if !*matrixFull { // one after the other the figures are cleaner
		t.Parallel()
	}
	findAll(t, passable, !*matrixFull)
}

func TestMatrixCrowd(t *testing.T) { findAll(t, crowded, false) }

func findAll(t *testing.T, all []topology, parallel bool) {
	var table timings
	t.Run("found", func(t *testing.T) {
		for _, tt := range all {
			t.Run(tt.name, func(t *testing.T) {
				if parallel {
					t.Parallel()
				}
				lab := netlab.New(t)
				s := tt.build(t, lab)
				s.at = cmp.Or(s.at, lobbyAddr)
				s.want.Name = "lobby"
				unpinned := s.measure(t)
				pin := key(1)
				s.want.Key = &pin
				table.add(tt.name, unpinned, s.measure(t))
			})
		}
	})
	table.log(t)
}

// measure looks the server up several times, and returns how long each took.
func (s scene) measure(t *testing.T) (took []time.Duration) {
	t.Helper()
	runs := 5
	switch {
	case *matrixFull:
		runs = 20
	case s.slow:
		runs = 2
	}
	for n := range runs {
		if s.gap > 0 {
			<-time.After(s.gap)
		}
		began := time.Now()
		list, err := lookupOn(t, s.client, s.cfg, s.want)
		took = append(took, time.Since(began))
		if err != nil || len(list) != 1 || !begins(list[0].Addr.String(), s.at) {
			t.Fatalf("lookup %d: %+v, %v; want it at %s", n, list, err, s.at)
		}
	}
	limit := matrixLimit
	if !*matrixFull {
		if s.slow && raced {
			return took // hundreds of sockets: that it is found is all that can be asked
		}
		limit *= matrixSlack
	}
	if half := percentile(took, 50); half > limit {
		if plain := plainLookup(t); plain > matrixLimit {
			t.Logf("half of the lookups took %v; but this machine is busy: even the plainest took %v", half, plain)
		} else {
			t.Errorf("half of the lookups took %v and more, with the key %v; the plainest took %v", half, s.want.Key != nil, plain)
		}
	}
	return took
}

// plainLookup is how long a lookup takes now in the plainest network.
func plainLookup(t *testing.T) time.Duration {
	t.Helper()
	server, client := twoHosts(netlab.New(t))
	announce(t, server, Config{}, lobby())
	began := time.Now()
	if _, err := lookupOn(t, client, Config{}, Want{Name: "lobby"}); err != nil {
		t.Errorf("in the plainest network: %v", err)
	}
	return time.Since(began)
}

// begins reports whether s begins with one of the words.
func begins(s, words string) bool {
	return slices.ContainsFunc(strings.Fields(words), func(w string) bool { return strings.HasPrefix(s, w) })
}

// percentile is the time that p of 100 do not exceed.
func percentile(took []time.Duration, p int) time.Duration {
	if len(took) == 0 {
		return 0
	}
	sorted := slices.Sorted(slices.Values(took))
	return sorted[min(len(sorted)*p/100, len(sorted)-1)]
}

// timings is a table of topologies and how long lookups took there.
type timings struct {
	mu   sync.Mutex
	rows []string
}

func (x *timings) add(name string, unpinned, pinned []time.Duration) {
	x.mu.Lock()
	defer x.mu.Unlock()
	ms := func(d time.Duration) string { return fmt.Sprintf("%.1f", d.Seconds()*1000) }
	x.rows = append(x.rows, fmt.Sprintf("%-38s %8s %8s %8s %8s", name,
		ms(percentile(unpinned, 50)), ms(slices.Max(unpinned)), ms(percentile(pinned, 50)), ms(slices.Max(pinned))))
}

func (x *timings) log(t *testing.T) {
	t.Helper()
	t.Logf("milliseconds\n%-38s %8s %8s %8s %8s\n%s", "found", "median", "slowest", "pinned", "slowest", strings.Join(x.rows, "\n"))
}

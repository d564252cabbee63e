package doctor

import (
	"net/netip"
	"slices"
	"time"

	"lanchat/discovery"
	"lanchat/internal/identity"
)

// Facts is all that was found out. Diagnose looks at nothing else.
type Facts struct {
	Question Question
	Local
	Heard    Heard
	Lookup   Lookup
	Attempts []*Attempt
	At       time.Time
}

// Local is what the system says of itself.
type Local struct {
	System     string // as runtime.GOOS
	Interfaces []Interface
	Routes     []Route
	RoutesErr  error // why there are none to look at
	Neighbours []Neighbour
	Firewalls  []Firewall // those that are known to be switched on
	Holders    []Holder   // of the discovery port
}

// Interface is one interface of this host that discovery may use.
type Interface struct {
	Name      string
	Up        bool
	Broadcast bool
	Loopback  bool
	Wireless  bool
	Addrs     []netip.Prefix // of IPv4; where there is none, the link-local one of IPv6
}

// reaches reports whether addr is a neighbour's there.
func (i Interface) reaches(addr netip.Addr) bool {
	return (addr.Zone() == "" || addr.Zone() == i.Name) &&
		slices.ContainsFunc(i.Addrs, func(p netip.Prefix) bool { return p.Contains(addr.WithZone("")) })
}

// Route is one line of the routing table.
type Route struct {
	To        netip.Prefix
	Via       netip.Addr // the zero Addr: directly
	Interface string
}

// Neighbour is a host on a network of ours that was looked for by ARP.
type Neighbour struct {
	Addr      netip.Addr
	Interface string
	Answers   bool
}

// Firewall is one that is switched on, and where that is written.
type Firewall struct{ Name, Evidence string }

// Holder is a program that has the discovery port open.
type Holder struct {
	Addr    netip.AddrPort
	Program string // "" where the system does not tell us
	PID     int
	UID     int
}

// Heard is what asking everybody brought.
type Heard struct {
	Servers []discovery.Server
	First   time.Duration // until the first of them was heard
	Err     error
	Trouble []discovery.Trouble
	// Deaf says why this host's own broadcasts were not listened for; else Echo has
	// the interfaces by which they came back.
	Deaf error
	Echo []string
}

// Lookup is what looking for a name brought.
type Lookup struct {
	Done    bool
	Servers []discovery.Server
	Took    time.Duration
	Err     error
}

// Source is how an address is known.
type Source string

// The sources of addresses.
const (
	Given      Source = "given"
	Remembered Source = "remembered"
	Announced  Source = "announced"
)

// Outcome is what came of asking an address.
type Outcome string

// The outcomes. Refused comes from the host itself, or from a firewall that says
// so; Unreachable from this host or a router; Silent is nothing at all.
const (
	Untried     Outcome = ""
	Answered    Outcome = "answered"
	Refused     Outcome = "refused"
	Silent      Outcome = "silent"
	Unreachable Outcome = "unreachable"
	Forbidden   Outcome = "forbidden"
)

// Attempt is what one address said.
type Attempt struct {
	Addr   netip.AddrPort
	Source Source
	Name   string // of the server that it is known for
	UDP    Outcome
	TCP    Outcome
	TLS    error                // why the handshake failed; with nil, Key is proved
	Key    identity.Fingerprint // zero without a handshake
	By     string               // the interface by which the system would send there; "" if none
}

// Up reports whether any interface is up with an address.
func (f *Facts) Up() bool {
	return slices.ContainsFunc(f.Interfaces, func(i Interface) bool { return i.Up && len(i.Addrs) > 0 })
}

// lans are the interfaces by which others can be found: up, with an address and
// broadcasts, and among those that the user wants.
func (f *Facts) lans() (list []Interface) {
	for _, i := range f.Interfaces {
		if i.usable() && i.Broadcast && f.wanted(i.Name) {
			list = append(list, i)
		}
	}
	return list
}

// tunnels are the interfaces to others that carry no broadcasts.
func (f *Facts) tunnels() (list []Interface) {
	for _, i := range f.Interfaces {
		if i.usable() && !i.Broadcast && f.wanted(i.Name) {
			list = append(list, i)
		}
	}
	return list
}

func (i Interface) usable() bool { return i.Up && !i.Loopback && len(i.Addrs) > 0 }

func (f *Facts) wanted(name string) bool {
	only := f.Question.Interfaces
	return len(only) == 0 || slices.Contains(only, name)
}

// lanOf is the interface that has addr for a neighbour.
func (f *Facts) lanOf(addr netip.Addr) (Interface, bool) {
	for _, i := range f.Interfaces {
		if i.usable() && i.Broadcast && i.reaches(addr) {
			return i, true
		}
	}
	return Interface{}, false
}

// own reports whether addr is this host's.
func (f *Facts) own(addr netip.Addr) bool {
	return addr.IsLoopback() || slices.ContainsFunc(f.Interfaces, func(i Interface) bool {
		return slices.ContainsFunc(i.Addrs, func(p netip.Prefix) bool { return p.Addr() == addr.WithZone("") })
	})
}

// isTunnel reports whether an interface is up and carries no broadcasts, with an
// address of its own or without.
func (f *Facts) isTunnel(name string) bool {
	return slices.ContainsFunc(f.Interfaces, func(i Interface) bool {
		return i.Name == name && i.Up && !i.Loopback && !i.Broadcast
	})
}

// gateways are the routers on networks of ours.
func (f *Facts) gateways() (list []netip.Addr) {
	for _, r := range f.Routes {
		if _, near := f.lanOf(r.Via); near && !slices.Contains(list, r.Via) {
			list = append(list, r.Via)
		}
	}
	return list
}

// arp is what is known of a neighbour.
func (f *Facts) arp(addr netip.Addr) (answers, asked bool) {
	for _, n := range f.Neighbours {
		if n.Addr == addr {
			return n.Answers, true
		}
	}
	return false, false
}

// echoed reports whether this host heard its own broadcast by an interface.
func (f *Facts) echoed(name string) bool { return slices.Contains(f.Heard.Echo, name) }

// muffled are the networks on which a broadcast was sent and not heard back.
func (f *Facts) muffled() (names []string) {
	if f.Heard.Deaf != nil || f.Question.NoDiscovery {
		return nil
	}
	for _, i := range f.lans() {
		if !f.echoed(i.Name) && !f.unsent(i.Name) {
			names = append(names, i.Name)
		}
	}
	return names
}

// reached reports whether an attempt ended at a server of ours with a key.
func (a *Attempt) reached() bool { return a.TCP == Answered && a.TLS == nil }

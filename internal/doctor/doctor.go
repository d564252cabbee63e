// Package doctor finds out why a server is not seen, and says what to do about it.
//
// [Examine] asks its [Probes] for facts: what the system says of itself, what a
// broadcast brings back, what each known address answers. [Diagnose] is a pure
// function from those [Facts] to a [Report]: checks, each with its evidence, then
// the likely causes, the likeliest first, each with its evidence and what to do.
// A cause without evidence is not named; where the evidence fits several, all of
// them are.
//
// It changes nothing: it writes no file, pins no key, joins no room. It sends what
// any search sends (package discovery), asks the addresses at which a server was
// before, and the gateways of this host's own networks, by the same query, and
// makes a TLS connection as a guest, which it closes before a word is said.
//
// # How the causes are told apart
//
//   - A broadcast of this host comes back to it by the interface that it left by,
//     through the same firewall as a neighbour's. One that is sent and not heard
//     was dropped here.
//   - A datagram that the system refuses to send was stopped by a rule here.
//   - "Connection refused" proves a host that lives and a port that nobody has.
//     Silence of a host that answers ARP is a firewall's; of one that does not,
//     the host is gone, or the network keeps its hosts apart.
//   - Where a datagram to an address would leave is asked of the system (by
//     connecting a socket, which sends nothing): when a neighbour's leave by
//     another interface, a VPN has taken the network's route.
//
// Sources: RFC 1122 section 3.3.6 (broadcast), RFC 826 (ARP), proc(5), udp(7).
package doctor

import (
	"context"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"time"

	"lanchat/discovery"
	"lanchat/internal/identity"
)

// Question is what the user wants to know.
type Question struct {
	Name string         // the server that is looked for; "": whatever is there
	Addr netip.AddrPort // the one address to look at; then Name is what was typed
	Pins []identity.Pin // all that is remembered of servers
	// Port and Interfaces are those of discovery.Config.
	Port       int
	Interfaces []string
	// NoDiscovery: no datagram is sent, and none listened for.
	NoDiscovery bool
	// Program is where the program is, for firewalls that go by programs.
	Program string
}

const (
	// maxRemembered is how many servers met before are tried when none is named.
	maxRemembered = 3
	// maxTried bounds the addresses that are tried: who is heard may be anybody.
	maxTried = 12
)

// Examine gathers the facts. The error is ctx's, when that ended too early to know.
func Examine(ctx context.Context, p Probes, q Question) (*Facts, error) {
	f := &Facts{Question: q, Local: p.Local(ctx), At: p.Now()}
	var group sync.WaitGroup
	try := func(addr netip.AddrPort, how Source, name string) {
		for _, a := range f.Attempts {
			if a.Addr == addr {
				return
			}
		}
		if len(f.Attempts) >= maxTried || !addr.IsValid() {
			return
		}
		a := &Attempt{Addr: addr, Source: how, Name: name}
		f.Attempts = append(f.Attempts, a)
		group.Go(func() {
			got := p.Try(ctx, addr, !q.NoDiscovery) // what else a has may be read meanwhile
			a.UDP, a.TCP, a.TLS, a.Key, a.By = got.UDP, got.TCP, got.TLS, got.Key, got.By
		})
	}
	if f.Up() {
		if q.Addr.IsValid() {
			try(q.Addr, Given, q.Name)
		}
		for _, pin := range f.remembered() {
			for _, addr := range pin.Addrs {
				if ap, err := netip.ParseAddrPort(addr); err == nil {
					try(ap, Remembered, pin.Name)
				}
			}
		}
		if !q.NoDiscovery {
			group.Go(func() { p.Stir(ctx, f.gateways()) })
			group.Go(func() { f.Heard = p.Ask(ctx) })
		}
		if !q.NoDiscovery && q.Name != "" && !q.Addr.IsValid() {
			want := f.want()
			group.Go(func() { f.Lookup = p.Lookup(ctx, want) })
		}
		group.Wait()
		for _, s := range f.heard() {
			try(s.Addr, Announced, s.Name)
		}
		group.Wait()
		f.Neighbours = p.Neighbours()
	}
	return f, context.Cause(ctx)
}

// remembered are the servers that the question may be about, from an earlier time.
func (f *Facts) remembered() []identity.Pin {
	q := f.Question
	switch {
	case q.Addr.IsValid():
		return nil
	case q.Name != "":
		for _, pin := range q.Pins {
			if strings.EqualFold(pin.Name, q.Name) {
				return []identity.Pin{pin}
			}
		}
		return nil
	}
	pins := slices.Clone(q.Pins)
	slices.SortStableFunc(pins, func(a, b identity.Pin) int { return b.Last.Compare(a.Last) })
	pins = pins[:min(len(pins), maxRemembered)]
	for i := range pins {
		pins[i].Addrs = pins[i].Addrs[:min(len(pins[i].Addrs), 1)]
	}
	return pins
}

// pin is the key that is known by a name.
func (f *Facts) pin(name string) (identity.Pin, bool) {
	for _, pin := range f.Question.Pins {
		if strings.EqualFold(pin.Name, name) {
			return pin, true
		}
	}
	return identity.Pin{}, false
}

func (f *Facts) want() discovery.Want {
	want := discovery.Want{Name: f.Question.Name}
	if pin, ok := f.pin(want.Name); ok {
		want.Key = (*[discovery.KeySize]byte)(&pin.Key)
		for _, a := range f.Attempts {
			want.Last = append(want.Last, a.Addr)
		}
	}
	return want
}

// heard are the servers, of those that were heard, that the question is about.
func (f *Facts) heard() (list []discovery.Server) {
	q := f.Question
	known := map[[discovery.InstanceSize]byte]bool{}
	for _, s := range append(slices.Clone(f.Lookup.Servers), f.Heard.Servers...) {
		ours := q.Name == "" || discovery.SameName(s.Name, q.Name)
		if q.Addr.IsValid() {
			ours = s.Addr == q.Addr || slices.Contains(s.Others, q.Addr)
		}
		if ours && !known[s.Instance] {
			known[s.Instance] = true
			list = append(list, s)
		}
	}
	return list
}

// Probes is what the doctor asks of the system and the network. Its methods may
// run at the same time.
type Probes interface {
	// Local reads what the system says of itself.
	Local(ctx context.Context) Local
	// Neighbours reads who answers ARP, after the others have been asked.
	Neighbours() []Neighbour
	// Ask sends queries to everybody and listens.
	Ask(ctx context.Context) Heard
	// Lookup looks for one server by its name.
	Lookup(ctx context.Context, want discovery.Want) Lookup
	// Try asks one address by TCP, and by UDP if that may be.
	Try(ctx context.Context, addr netip.AddrPort, udp bool) Attempt
	// Stir sends something to each of these, so that the system asks who they are.
	Stir(ctx context.Context, addrs []netip.Addr)
	Now() time.Time
}

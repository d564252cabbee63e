package discovery

import (
	"encoding/binary"
	"fmt"
	"net"
	"net/netip"
	"slices"
)

// link is one address of one interface of this host. An interface with two IPv4
// addresses is two links: a neighbour may share only one of the two networks. An
// interface without any is one link, by its IPv6 link-local address.
type link struct {
	index    int    // of the interface; 0 is no interface: the kernel chooses
	name     string // of the interface
	addr     netip.Prefix
	peer     netip.Addr // the host at the other end of a tunnel, where the system tells
	loopback bool
	silent   bool // nothing reaches everybody here: a tunnel
	running  bool // a cable is plugged in, as far as the system knows
}

var (
	// limited is the broadcast that no router passes on (RFC 919). Every host on
	// the link hears it, whatever it believes the network's mask to be.
	limited = netip.AddrFrom4([4]byte{255, 255, 255, 255})
	// local is where a server on this host listens.
	local = netip.AddrFrom4([4]byte{127, 0, 0, 1})
	// group is where everybody listens on a link without IPv4: of link-local
	// scope, transient, with a group ID of those that nobody assigns (RFC 3307).
	// Its low bytes are "lcht" with the highest bit set.
	group = netip.MustParseAddr("ff12::ec63:6874")
)

// directed is the broadcast address of the link's network, or the zero Addr
// where a network is too small to have one (RFC 3021), or of IPv6.
func (l link) directed() netip.Addr {
	if !l.addr.Addr().Is4() || l.addr.Bits() > 30 {
		return netip.Addr{}
	}
	a := l.addr.Addr().As4()
	n := binary.BigEndian.Uint32(a[:]) | (1<<(32-l.addr.Bits()) - 1)
	binary.BigEndian.PutUint32(a[:], n)
	return netip.AddrFrom4(a)
}

// broadcasts are the addresses that everybody on the link listens to: the
// limited one, for neighbours with another mask, and the directed one, for
// hosts on which a firewall or a driver loses the limited one.
func (l link) broadcasts() []netip.Addr {
	switch {
	case l.silent:
		return nil
	case l.six():
		return []netip.Addr{group}
	case l.loopback:
		return []netip.Addr{l.directed()}
	}
	if d := l.directed(); d.IsValid() {
		return []netip.Addr{limited, d}
	}
	return []netip.Addr{limited}
}

// targets are the addresses that a query goes to.
func (l link) targets() []netip.Addr {
	to := l.broadcasts()
	if l.loopback { // where broadcasts do not arrive, the server that came last does
		to = append(to, local)
	}
	if l.peer.IsValid() && l.silent {
		to = append(to, l.peer)
	}
	return to
}

func (l link) six() bool { return l.addr.Addr().Is6() }

// contains reports whether addr is in the link's network.
func (l link) contains(addr netip.Addr) bool {
	addr = addr.WithZone("")
	if l.addr.Contains(addr) {
		return true
	}
	return l.peer.IsValid() && netip.PrefixFrom(l.peer, l.addr.Bits()).Contains(addr)
}

// zoned is addr as a program of this host reaches it: an IPv6 link-local address
// means nothing without its interface.
func (l link) zoned(addr netip.AddrPort) netip.AddrPort {
	if !addr.Addr().Is6() || !addr.Addr().IsLinkLocalUnicast() || l.name == "" {
		return addr
	}
	return netip.AddrPortFrom(addr.Addr().WithZone(l.name), addr.Port())
}

// links lists the links to use: of every interface that is up, or only of the
// named ones.
func (c *Config) links() ([]link, error) {
	all, err := c.network.links()
	if err != nil {
		return nil, err
	}
	if len(c.Interfaces) == 0 {
		return all, nil
	}
	return slices.DeleteFunc(all, func(l link) bool { return !slices.Contains(c.Interfaces, l.name) }), nil
}

// nic is an interface as a system lists it.
type nic struct {
	index int
	name  string
	flags net.Flags
	part  bool // of a bridge or bond, which has the addresses
	addrs []nicAddr
}

type nicAddr struct {
	prefix netip.Prefix
	peer   netip.Addr
}

// links chooses what to use of an interface: all its IPv4 addresses; or, where
// it has none, the first link-local one of IPv6.
func (n *nic) links() (links []link) {
	l := link{index: n.index, name: n.name, loopback: n.flags&net.FlagLoopback != 0, running: n.flags&net.FlagRunning != 0}
	if n.flags&net.FlagUp == 0 {
		return nil
	}
	l.silent = !l.loopback && n.flags&net.FlagBroadcast == 0
	for _, a := range n.addrs {
		if !a.prefix.Addr().Is4() || l.loopback && !a.prefix.Addr().IsLoopback() {
			continue
		}
		l.addr, l.peer = a.prefix, a.peer
		links = append(links, l)
	}
	if len(links) > 0 || l.loopback || n.part || n.flags&net.FlagMulticast == 0 {
		return links
	}
	for _, a := range n.addrs {
		if a.prefix.Addr().IsLinkLocalUnicast() {
			l.addr, l.peer, l.silent = a.prefix, netip.Addr{}, false
			return []link{l}
		}
	}
	return nil
}

// portableLinks lists the links of this host by package net, which asks the
// system once for each interface.
func portableLinks() ([]link, error) {
	interfaces, err := net.Interfaces()
	if err != nil {
		return nil, fmt.Errorf("listing network interfaces: %w", err)
	}
	var links []link
	for _, i := range interfaces {
		addrs, err := i.Addrs()
		if err != nil {
			continue // the interface went away since it was listed
		}
		n := nic{index: i.Index, name: i.Name, flags: i.Flags}
		for _, a := range addrs {
			if ipnet, ok := a.(*net.IPNet); ok {
				if p, ok := prefixOf(ipnet); ok {
					n.addrs = append(n.addrs, nicAddr{prefix: p})
				}
			}
		}
		links = append(links, n.links()...)
	}
	return links, nil
}

func prefixOf(ipnet *net.IPNet) (netip.Prefix, bool) {
	ip, _ := netip.AddrFromSlice(ipnet.IP)
	ip = ip.Unmap()
	bits, size := ipnet.Mask.Size()
	if ip.Is4() && size == 128 { // an IPv4 mask in IPv6 form
		bits -= 96
	}
	p := netip.PrefixFrom(ip, bits)
	return p, size != 0 && p.IsValid()
}

// linkOf finds the link that a datagram came by: one of the interface with the
// given index whose network holds the source. On the loopback every address of
// this host is a neighbour: the kernel lets nobody else in there. index 0 means
// that the system does not tell; then the source alone decides, by its zone if it
// has one.
func linkOf(links []link, index int, source netip.Addr) (link, bool) {
	for _, l := range links {
		here := l.index == index || index == 0 && (source.Zone() == "" || source.Zone() == l.name)
		if here && l.contains(source) {
			return l, true
		}
	}
	for _, l := range links {
		if l.loopback && l.index == index {
			own := func(o link) bool { return o.addr.Addr() == source }
			return l, slices.ContainsFunc(links, own)
		}
	}
	return link{}, false
}

package discovery

import (
	"encoding/binary"
	"fmt"
	"net"
	"net/netip"
	"slices"
)

// link is one IPv4 address of one interface of this host. An interface with two
// addresses is two links: a neighbour may share only one of the two networks.
type link struct {
	index    int    // of the interface; 0 is no interface: the kernel chooses
	name     string // of the interface
	addr     netip.Prefix
	loopback bool
}

var (
	// limited is the broadcast that no router passes on (RFC 919). Every host on
	// the link hears it, whatever it believes the network's mask to be.
	limited = netip.AddrFrom4([4]byte{255, 255, 255, 255})
	// local is where a server on this host listens.
	local = netip.AddrFrom4([4]byte{127, 0, 0, 1})
)

// directed is the broadcast address of the link's network, or the zero Addr
// where a network is too small to have one (RFC 3021).
func (l link) directed() netip.Addr {
	if l.addr.Bits() > 30 {
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
	if l.loopback {
		return []netip.Addr{l.directed()}
	}
	if d := l.directed(); d.IsValid() {
		return []netip.Addr{limited, d}
	}
	return []netip.Addr{limited}
}

// links lists the links to use: of every interface that is up and either can
// broadcast or is the loopback, or only of the named ones.
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

// systemLinks lists the links of this host as they are now.
func systemLinks() ([]link, error) {
	interfaces, err := net.Interfaces()
	if err != nil {
		return nil, fmt.Errorf("listing network interfaces: %w", err)
	}
	var links []link
	for _, i := range interfaces {
		loopback := i.Flags&net.FlagLoopback != 0
		if i.Flags&net.FlagUp == 0 || !loopback && i.Flags&net.FlagBroadcast == 0 {
			continue
		}
		addrs, err := i.Addrs()
		if err != nil {
			continue // the interface went away since it was listed
		}
		for _, a := range addrs {
			ipnet, ok := a.(*net.IPNet)
			if !ok {
				continue
			}
			ip, _ := netip.AddrFromSlice(ipnet.IP)
			ip = ip.Unmap()
			bits, size := ipnet.Mask.Size()
			if !ip.Is4() || size == 0 || loopback && !ip.IsLoopback() {
				continue
			}
			if size == 128 { // an IPv4 mask in IPv6 form
				bits -= 96
			}
			links = append(links, link{index: i.Index, name: i.Name, addr: netip.PrefixFrom(ip, bits), loopback: loopback})
		}
	}
	return links, nil
}

// linkOf finds the link that a datagram came by: one of the interface with the
// given index whose network holds the source. On the loopback every address of
// this host is a neighbour: the kernel lets nobody else in there. index 0 means
// that the system does not tell; then the source alone decides.
func linkOf(links []link, index int, source netip.Addr) (link, bool) {
	for _, l := range links {
		if (index == 0 || l.index == index) && l.addr.Contains(source) {
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

package discovery

import (
	"cmp"
	"fmt"
	"net"
	"net/netip"
	"slices"
	"syscall"

	"golang.org/x/sys/unix"
)

// systemLinks lists the links of this host as they are now, by two questions to
// the kernel however many interfaces there are. Package net asks once more for
// each interface, and is told of all of them each time: with 300, that takes a
// thousand times as long.
func systemLinks() ([]link, error) {
	nics, err := netlinkInterfaces()
	if err != nil {
		return portableLinks()
	}
	var links []link
	for _, n := range nics {
		links = append(links, n.links()...)
	}
	return links, nil
}

// netlinkInterfaces lists the interfaces by index, see rtnetlink(7).
func netlinkInterfaces() ([]*nic, error) {
	byIndex := map[int]*nic{}
	err := eachMessage(unix.RTM_GETLINK, unix.RTM_NEWLINK, unix.SizeofIfInfomsg, func(m []byte, attrs []syscall.NetlinkRouteAttr) {
		n := &nic{index: int(native.Uint32(m[4:])), flags: flagsOf(native.Uint32(m[8:]))}
		for _, a := range attrs {
			switch a.Attr.Type {
			case unix.IFLA_IFNAME:
				n.name = unix.ByteSliceToString(a.Value)
			case unix.IFLA_MASTER:
				n.part = true
			}
		}
		byIndex[n.index] = n
	})
	if err != nil {
		return nil, err
	}
	err = eachMessage(unix.RTM_GETADDR, unix.RTM_NEWADDR, unix.SizeofIfAddrmsg, func(m []byte, attrs []syscall.NetlinkRouteAttr) {
		n := byIndex[int(native.Uint32(m[4:]))]
		if a, ok := addressOf(int(m[1]), uint32(m[2]), attrs); ok && n != nil {
			n.addrs = append(n.addrs, a)
		}
	})
	if err != nil {
		return nil, err
	}
	list := make([]*nic, 0, len(byIndex))
	for _, n := range byIndex {
		list = append(list, n)
	}
	slices.SortFunc(list, func(a, b *nic) int { return cmp.Compare(a.index, b.index) })
	return list, nil
}

// eachMessage asks for all of one kind and calls fn with the fixed part and the
// attributes of each.
func eachMessage(ask, answer, size int, fn func(fixed []byte, attrs []syscall.NetlinkRouteAttr)) error {
	table, err := syscall.NetlinkRIB(ask, unix.AF_UNSPEC)
	if err != nil {
		return fmt.Errorf("asking the kernel for interfaces: %w", err)
	}
	messages, err := syscall.ParseNetlinkMessage(table)
	if err != nil {
		return fmt.Errorf("what the kernel says of interfaces: %w", err)
	}
	for _, m := range messages {
		if int(m.Header.Type) != answer || len(m.Data) < size {
			continue
		}
		attrs, err := syscall.ParseNetlinkRouteAttr(&m)
		if err != nil {
			return fmt.Errorf("what the kernel says of interfaces: %w", err)
		}
		fn(m.Data[:size], attrs)
	}
	return nil
}

// addressOf reads the attributes of an address. Where a tunnel has two ends,
// IFA_ADDRESS is the other one.
func addressOf(bits int, flags uint32, attrs []syscall.NetlinkRouteAttr) (a nicAddr, ok bool) {
	var address, own netip.Addr
	for _, at := range attrs {
		switch at.Attr.Type {
		case unix.IFA_ADDRESS:
			address, _ = netip.AddrFromSlice(at.Value)
		case unix.IFA_LOCAL:
			own, _ = netip.AddrFromSlice(at.Value)
		case unix.IFA_FLAGS:
			if len(at.Value) >= 4 {
				flags = native.Uint32(at.Value)
			}
		}
	}
	if !own.IsValid() {
		own = address
	}
	if address != own {
		a.peer = address
	}
	a.prefix = netip.PrefixFrom(own, bits)
	// Of IPv6, an address that is still being checked for doubles cannot be used.
	return a, a.prefix.IsValid() && flags&(unix.IFA_F_TENTATIVE|unix.IFA_F_DADFAILED) == 0
}

func flagsOf(raw uint32) (f net.Flags) {
	for _, t := range []struct {
		raw  uint32
		flag net.Flags
	}{
		{unix.IFF_UP, net.FlagUp},
		{unix.IFF_RUNNING, net.FlagRunning},
		{unix.IFF_BROADCAST, net.FlagBroadcast},
		{unix.IFF_LOOPBACK, net.FlagLoopback},
		{unix.IFF_POINTOPOINT, net.FlagPointToPoint},
		{unix.IFF_MULTICAST, net.FlagMulticast},
	} {
		if raw&t.raw != 0 {
			f |= t.flag
		}
	}
	return f
}

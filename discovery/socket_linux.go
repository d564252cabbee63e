package discovery

import (
	"net/netip"

	"golang.org/x/sys/unix"
)

// systemEars: a socket bound to a broadcast address hears what is sent there, and
// takes nothing from a server on the same port.
func systemEars(l link) []netip.Addr { return l.broadcasts() }

func setOptions(fd uintptr, six, shared bool) error {
	// SO_REUSEADDR and not SO_REUSEPORT: the latter splits unicast among the
	// sockets, and fails between processes of two users.
	if shared {
		if err := unix.SetsockoptInt(int(fd), unix.SOL_SOCKET, unix.SO_REUSEADDR, 1); err != nil {
			return err
		}
	}
	if six {
		return unix.SetsockoptInt(int(fd), unix.IPPROTO_IPV6, unix.IPV6_RECVPKTINFO, 1)
	}
	return unix.SetsockoptInt(int(fd), unix.IPPROTO_IP, unix.IP_PKTINFO, 1)
}

// enlarge asks for the receive buffer once more, above the system's limit, which
// is for those who may administer the network, and returns what is granted. The
// system counts its own overhead, about 500 bytes a datagram, and doubles what
// one asks for in return.
func enlarge(fd uintptr) (granted int) {
	_ = unix.SetsockoptInt(int(fd), unix.SOL_SOCKET, unix.SO_RCVBUFFORCE, receiveBuffer)
	granted, _ = unix.GetsockoptInt(int(fd), unix.SOL_SOCKET, unix.SO_RCVBUF)
	return granted / 2
}

// write4 names interface and source in a control message, see ip(7). Without it
// a host that has no default route cannot send to 255.255.255.255, and one with
// two networks reaches only one of them.
func (s *socket) write4(b []byte, to netip.AddrPort, via link) error {
	var oob []byte
	if via.index != 0 {
		oob = unix.PktInfo4(&unix.Inet4Pktinfo{Ifindex: int32(via.index), Spec_dst: via.addr.Addr().As4()})
	}
	_, _, err := s.conn.WriteMsgUDPAddrPort(b, oob, to)
	return err
}

func parseControl(oob []byte) (index int, to netip.Addr) {
	for len(oob) > 0 {
		h, data, rest, err := unix.ParseOneSocketControlMessage(oob)
		if err != nil {
			break
		}
		switch {
		// struct in_pktinfo: int interface, then two addresses: the local one and
		// the one in the datagram's header.
		case h.Level == unix.IPPROTO_IP && h.Type == unix.IP_PKTINFO && len(data) >= unix.SizeofInet4Pktinfo:
			return int(native.Uint32(data)), netip.AddrFrom4([4]byte(data[8:12]))
		// struct in6_pktinfo: the address, then the interface.
		case h.Level == unix.IPPROTO_IPV6 && h.Type == unix.IPV6_PKTINFO && len(data) >= unix.SizeofInet6Pktinfo:
			return int(native.Uint32(data[16:])), netip.AddrFrom16([16]byte(data))
		}
		oob = rest
	}
	return 0, netip.Addr{}
}

func truncated(error) bool { return false }

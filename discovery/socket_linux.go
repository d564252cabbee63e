package discovery

import (
	"net/netip"

	"golang.org/x/sys/unix"
)

// bindsBroadcast: a socket bound to a broadcast address hears what is sent
// there, and takes nothing from a server on the same port.
const bindsBroadcast = true

func setOptions(fd uintptr, shared bool) error {
	// SO_REUSEADDR and not SO_REUSEPORT: the latter splits unicast among the
	// sockets, and fails between processes of two users.
	if shared {
		if err := unix.SetsockoptInt(int(fd), unix.SOL_SOCKET, unix.SO_REUSEADDR, 1); err != nil {
			return err
		}
	}
	return unix.SetsockoptInt(int(fd), unix.IPPROTO_IP, unix.IP_PKTINFO, 1)
}

// write names interface and source in a control message, see ip(7). Without it
// a host that has no default route cannot send to 255.255.255.255, and one with
// two networks reaches only one of them.
func (s *socket) write(b []byte, to netip.AddrPort, via link) error {
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
		// struct in_pktinfo: int interface, then two addresses: the local one and
		// the one in the datagram's header.
		if h.Level == unix.IPPROTO_IP && h.Type == unix.IP_PKTINFO && len(data) >= unix.SizeofInet4Pktinfo {
			return int(native.Uint32(data)), netip.AddrFrom4([4]byte(data[8:12]))
		}
		oob = rest
	}
	return 0, netip.Addr{}
}

func truncated(error) bool { return false }

package discovery

import (
	"encoding/binary"
	"errors"
	"net/netip"
	"strconv"
	"sync"
	"unsafe"

	"golang.org/x/sys/windows"
)

// sending is held while a datagram is sent: the system has no option for one
// datagram, only for the socket. One lock for all sockets is enough for so few.
var sending sync.Mutex

// systemEars: Windows binds no broadcast address.
func systemEars(l link) []netip.Addr {
	if l.silent || l.loopback || l.six() {
		return nil
	}
	return []netip.Addr{netip.IPv4Unspecified()}
}

// ipUnicastIf is IP_UNICAST_IF of ws2ipdef.h: the interface by which a socket
// sends, broadcasts too. Its value is the index in network byte order.
const ipUnicastIf = 31

func setOptions(fd uintptr, six, shared bool) error {
	if !six {
		// Without it linkOf goes by the source alone.
		_ = windows.SetsockoptInt(windows.Handle(fd), windows.IPPROTO_IP, windows.IP_PKTINFO, 1)
	}
	if !shared {
		return nil
	}
	return windows.SetsockoptInt(windows.Handle(fd), windows.SOL_SOCKET, windows.SO_REUSEADDR, 1)
}

// enlarge returns what receive buffer is granted.
func enlarge(fd uintptr) (granted int) {
	granted, _ = windows.GetsockoptInt(windows.Handle(fd), windows.SOL_SOCKET, windows.SO_RCVBUF)
	return granted
}

// listenGroup is never called, see systemEars.
func listenGroup(uint16, int) (packetConn, error) { return nil, errors.ErrUnsupported }

func joinGroup(fd uintptr, index int) error { return setMembership(fd, windows.IPV6_JOIN_GROUP, index) }

func leaveGroup(fd uintptr, index int) { _ = setMembership(fd, windows.IPV6_LEAVE_GROUP, index) }

// setMembership hands over a struct ipv6_mreq, which package windows does not do.
func setMembership(fd uintptr, option int32, index int) error {
	var mreq [20]byte
	address := group.As16()
	copy(mreq[:], address[:])
	native.PutUint32(mreq[16:], uint32(index))
	return windows.Setsockopt(windows.Handle(fd), windows.IPPROTO_IPV6, option, &mreq[0], int32(len(mreq)))
}

// write6 sends by the interface of via, which stands in the address and, for a
// group, in the socket too.
func (s *socket) write6(b []byte, to netip.AddrPort, via link) error {
	sending.Lock()
	defer sending.Unlock()
	var failed error
	err := s.raw.Control(func(fd uintptr) {
		failed = windows.SetsockoptInt(windows.Handle(fd), windows.IPPROTO_IPV6, windows.IPV6_MULTICAST_IF, via.index)
	})
	if err == nil {
		err = failed
	}
	if err != nil {
		return err
	}
	zoned := netip.AddrPortFrom(to.Addr().WithZone(strconv.Itoa(via.index)), to.Port())
	_, err = s.conn.WriteToUDPAddrPort(b, zoned)
	return err
}

// write4 names interface and source in a control message, which is as good as a
// socket bound to each address. Where the system does not take that, it sets the
// interface for the whole socket, sends, and is alone meanwhile.
func (s *socket) write4(b []byte, to netip.AddrPort, via link) error {
	if via.index != 0 {
		if _, _, err := s.conn.WriteMsgUDPAddrPort(b, packetInfo(via), to); err == nil {
			return nil
		}
	}
	sending.Lock()
	defer sending.Unlock()
	var index [4]byte
	binary.BigEndian.PutUint32(index[:], uint32(via.index))
	var failed error
	err := s.raw.Control(func(fd uintptr) {
		failed = windows.SetsockoptInt(windows.Handle(fd), windows.IPPROTO_IP, ipUnicastIf,
			int(int32(native.Uint32(index[:]))))
	})
	if err == nil {
		err = failed
	}
	if err != nil {
		return err
	}
	_, err = s.conn.WriteToUDPAddrPort(b, to)
	return err
}

// A control message here is a WSACMSGHDR and then struct in_pktinfo of ws2ipdef.h: the
// address, and the index of the interface.
const (
	controlHeader  = int(unsafe.Sizeof(windows.WSACMSGHDR{}))
	packetInfoSize = 8
)

func packetInfo(via link) []byte {
	b := make([]byte, controlHeader+packetInfoSize)
	*(*windows.WSACMSGHDR)(unsafe.Pointer(&b[0])) = windows.WSACMSGHDR{
		Len: uintptr(len(b)), Level: windows.IPPROTO_IP, Type: windows.IP_PKTINFO}
	source := via.addr.Addr().As4()
	copy(b[controlHeader:], source[:])
	native.PutUint32(b[controlHeader+4:], uint32(via.index))
	return b
}

// parseControl takes the one message that is asked for.
func parseControl(oob []byte) (index int, to netip.Addr) {
	if len(oob) < controlHeader+packetInfoSize {
		return 0, netip.Addr{}
	}
	var h windows.WSACMSGHDR
	copy(unsafe.Slice((*byte)(unsafe.Pointer(&h)), controlHeader), oob)
	if h.Level != windows.IPPROTO_IP || h.Type != windows.IP_PKTINFO {
		return 0, netip.Addr{}
	}
	info := oob[controlHeader:]
	return int(native.Uint32(info[4:])), netip.AddrFrom4([4]byte(info[:4]))
}

// truncated reports the error with which Windows returns the first part of a
// datagram that is longer than the buffer.
func truncated(err error) bool { return errors.Is(err, windows.WSAEMSGSIZE) }

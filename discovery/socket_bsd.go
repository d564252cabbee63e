//go:build darwin || freebsd

package discovery

import (
	"net/netip"
	"runtime"
	"sync"
	"unsafe"

	"golang.org/x/sys/unix"
)

// sending is held while a datagram is sent: the system has no option for one
// datagram, only for the socket. One lock for all sockets is enough for so few.
var sending sync.Mutex

// systemEars: a socket can be bound to the addresses that an interface has, of which
// its broadcast address is one. 255.255.255.255 is no interface's, and the loopback
// has no broadcast address.
func systemEars(l link) []netip.Addr {
	switch {
	case l.silent || l.loopback:
		return nil
	case l.six():
		return []netip.Addr{group}
	case l.directed().IsValid():
		return []netip.Addr{l.directed()}
	}
	return nil
}

const (
	macOS = runtime.GOOS == "darwin"

	// From netinet/in.h of the one and the other system.
	darwinPktinfo      = 26 // IP_PKTINFO, IP_RECVPKTINFO: struct in_pktinfo
	freebsdSendSrcAddr = 7  // IP_SENDSRCADDR, IP_RECVDSTADDR: struct in_addr
	freebsdOnesBcast   = 23 // IP_ONESBCAST: directed broadcasts leave as 255.255.255.255
)

func setOptions(fd uintptr, six, shared bool) error {
	set := func(level, option int) error { return unix.SetsockoptInt(int(fd), level, option, 1) }
	if shared {
		// Here it takes both for two sockets to hear one broadcast.
		if err := set(unix.SOL_SOCKET, unix.SO_REUSEADDR); err != nil {
			return err
		}
		if err := set(unix.SOL_SOCKET, unix.SO_REUSEPORT); err != nil {
			return err
		}
	}
	if six {
		return set(unix.IPPROTO_IPV6, unix.IPV6_RECVPKTINFO)
	}
	if macOS {
		return set(unix.IPPROTO_IP, darwinPktinfo)
	}
	if err := set(unix.IPPROTO_IP, freebsdSendSrcAddr); err != nil {
		return err
	}
	return set(unix.IPPROTO_IP, unix.IP_RECVIF)
}

// enlarge returns what receive buffer is granted; there is no way past the limit.
func enlarge(fd uintptr) (granted int) {
	granted, _ = unix.GetsockoptInt(int(fd), unix.SOL_SOCKET, unix.SO_RCVBUF)
	return granted
}

// write4 names the interface: macOS takes a control message for one datagram;
// FreeBSD sends a directed broadcast by the interface that it belongs to, and
// can be told to write 255.255.255.255 into it, for the whole socket.
func (s *socket) write4(b []byte, to netip.AddrPort, via link) error {
	if via.index == 0 {
		_, err := s.conn.WriteToUDPAddrPort(b, to)
		return err
	}
	source := via.addr.Addr().As4()
	if macOS {
		info := make([]byte, 12)
		native.PutUint32(info, uint32(via.index))
		copy(info[4:], source[:])
		_, _, err := s.conn.WriteMsgUDPAddrPort(b, controlMessage(darwinPktinfo, info), to)
		return err
	}
	sending.Lock()
	defer sending.Unlock()
	ones := 0
	if to.Addr() == limited && via.directed().IsValid() {
		ones, to = 1, netip.AddrPortFrom(via.directed(), to.Port())
	}
	var failed error
	err := s.raw.Control(func(fd uintptr) {
		failed = unix.SetsockoptInt(int(fd), unix.IPPROTO_IP, freebsdOnesBcast, ones)
	})
	if err != nil || failed != nil {
		return firstError(err, failed)
	}
	_, _, err = s.conn.WriteMsgUDPAddrPort(b, controlMessage(freebsdSendSrcAddr, source[:]), to)
	return err
}

func controlMessage(kind int32, data []byte) []byte {
	b := make([]byte, unix.CmsgSpace(len(data)))
	h := (*unix.Cmsghdr)(unsafe.Pointer(&b[0]))
	h.Level, h.Type = unix.IPPROTO_IP, kind
	h.SetLen(unix.CmsgLen(len(data)))
	copy(b[unix.CmsgLen(0):], data)
	return b
}

func parseControl(oob []byte) (index int, to netip.Addr) {
	messages, err := unix.ParseSocketControlMessage(oob)
	if err != nil {
		return 0, netip.Addr{}
	}
	for _, m := range messages {
		if m.Header.Level == unix.IPPROTO_IPV6 && m.Header.Type == unix.IPV6_PKTINFO && len(m.Data) >= 20 {
			return int(native.Uint32(m.Data[16:])), netip.AddrFrom16([16]byte(m.Data))
		}
		if m.Header.Level != unix.IPPROTO_IP {
			continue
		}
		switch {
		case macOS && m.Header.Type == darwinPktinfo && len(m.Data) >= 12:
			return int(native.Uint32(m.Data)), netip.AddrFrom4([4]byte(m.Data[8:12]))
		case !macOS && m.Header.Type == freebsdSendSrcAddr && len(m.Data) >= 4:
			to = netip.AddrFrom4([4]byte(m.Data[:4]))
		case !macOS && m.Header.Type == unix.IP_RECVIF && len(m.Data) >= 4:
			index = int(native.Uint16(m.Data[2:])) // struct sockaddr_dl: length, family, index
		}
	}
	return index, to
}

func truncated(error) bool { return false }

func firstError(errs ...error) error {
	for _, err := range errs {
		if err != nil {
			return err
		}
	}
	return nil
}

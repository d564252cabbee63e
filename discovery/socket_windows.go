package discovery

import (
	"encoding/binary"
	"errors"
	"net/netip"
	"sync"

	"golang.org/x/sys/windows"
)

// sending is held while a datagram is sent: the system has no option for one
// datagram, only for the socket. One lock for all sockets is enough for so few.
var sending sync.Mutex

// bindsBroadcast: Windows binds no broadcast address, and a second socket on the
// wildcard would take datagrams away from a server. A client here learns of
// servers by asking.
const bindsBroadcast = false

// ipUnicastIf is IP_UNICAST_IF of ws2ipdef.h: the interface by which a socket
// sends, broadcasts too. Its value is the index in network byte order.
const ipUnicastIf = 31

func setOptions(fd uintptr, shared bool) error {
	if !shared {
		return nil
	}
	return windows.SetsockoptInt(windows.Handle(fd), windows.SOL_SOCKET, windows.SO_REUSEADDR, 1)
}

// write sets the interface for the whole socket, sends, and is alone meanwhile.
func (s *socket) write(b []byte, to netip.AddrPort, via link) error {
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

// parseControl: what Windows tells is not asked for; linkOf goes by the source.
func parseControl([]byte) (index int, to netip.Addr) { return 0, netip.Addr{} }

// truncated reports the error with which Windows returns the first part of a
// datagram that is longer than the buffer.
func truncated(err error) bool { return errors.Is(err, windows.WSAEMSGSIZE) }

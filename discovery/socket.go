package discovery

import (
	"context"
	"encoding/binary"
	"errors"
	"net"
	"net/netip"
	"syscall"
)

// network is what the package needs from the host; tests have another one.
// The goroutine that runs an Announcer, a Browser or a Lookup is the only one
// that lists links and opens sockets.
type network interface {
	links() ([]link, error)
	// listen opens a socket on addr. shared: others on this host may have the
	// same port, and every one of them hears broadcasts. With the address group,
	// it is a socket that hears that group on the interface with the given index
	// and nothing else.
	listen(ctx context.Context, addr netip.AddrPort, index int, shared bool) (packetConn, error)
	// ears are the addresses on which a client can listen to a link's beacons. The
	// unspecified one hears everything, and takes unicast away from a server on
	// this host: see asker.yield.
	ears(link) []netip.Addr
}

// packetConn is a UDP socket that knows about interfaces. read may run beside
// write; write is safe for several goroutines; close ends both.
type packetConn interface {
	// read receives one datagram. One that is longer than b is cut to len(b).
	read(b []byte) (int, arrival, error)
	// write sends b by the interface and with the source address of via. With
	// the zero link the system chooses both.
	write(b []byte, to netip.AddrPort, via link) error
	// join makes a socket of IPv6 hear the group on an interface too; leave ends
	// that.
	join(index int) error
	leave(index int)
	// buffer is how many bytes the system keeps for what was not read yet; 0: it
	// does not tell.
	buffer() int
	// local is what the socket is bound to.
	local() netip.AddrPort
	close() error
}

// arrival is where a datagram came from.
type arrival struct {
	from  netip.AddrPort
	index int        // of the interface; 0: the system does not tell
	to    netip.Addr // the address it was sent to; the zero Addr: the system does not tell
}

// receiveBuffer is what a socket asks the system for: 1 MiB holds some thousand
// datagrams, where the usual default holds 256. Systems cap it silently, unless
// the user may administer the network.
const receiveBuffer = 1 << 20

// system is the network of this host.
type system struct{}

func (system) links() ([]link, error) { return systemLinks() }

func (system) ears(l link) []netip.Addr { return systemEars(l) }

func (system) listen(ctx context.Context, addr netip.AddrPort, index int, shared bool) (packetConn, error) {
	if addr.Addr() == group {
		return listenGroup(addr.Port(), index)
	}
	family := "udp4"
	if addr.Addr().Is6() {
		family = "udp6" // and not IPv4 too, in package net
	}
	lc := net.ListenConfig{Control: func(_, _ string, raw syscall.RawConn) error {
		var failed error
		err := raw.Control(func(fd uintptr) { failed = setOptions(fd, addr.Addr().Is6(), shared) })
		return errors.Join(err, failed)
	}}
	pc, err := lc.ListenPacket(ctx, family, addr.String())
	if err != nil {
		return nil, err
	}
	return newSocket(pc.(*net.UDPConn))
}

func newSocket(conn *net.UDPConn) (*socket, error) {
	raw, err := conn.SyscallConn()
	if err != nil {
		return nil, errors.Join(err, conn.Close())
	}
	s := &socket{conn: conn, raw: raw}
	_ = conn.SetReadBuffer(receiveBuffer) // with less it still works
	_ = raw.Control(func(fd uintptr) { s.granted = enlarge(fd) })
	return s, nil
}

// socket is a real packetConn.
type socket struct {
	conn    *net.UDPConn
	raw     syscall.RawConn
	granted int
	oob     [128]byte // of read, which one goroutine calls
}

func (s *socket) read(b []byte) (int, arrival, error) {
	n, oobn, _, from, err := s.conn.ReadMsgUDPAddrPort(b, s.oob[:])
	if err != nil && !truncated(err) {
		return 0, arrival{}, err
	}
	a := arrival{from: netip.AddrPortFrom(from.Addr().Unmap(), from.Port())}
	a.index, a.to = parseControl(s.oob[:oobn])
	return n, a, nil
}

func (s *socket) write(b []byte, to netip.AddrPort, via link) error {
	if to.Addr().Is6() {
		return s.write6(b, to, via)
	}
	return s.write4(b, to, via)
}

func (s *socket) join(index int) error {
	var failed error
	err := s.raw.Control(func(fd uintptr) { failed = joinGroup(fd, index) })
	return errors.Join(err, failed)
}

func (s *socket) leave(index int) {
	_ = s.raw.Control(func(fd uintptr) { leaveGroup(fd, index) }) // it may be gone with its interface
}

func (s *socket) buffer() int { return s.granted }

func (s *socket) local() netip.AddrPort {
	at := s.conn.LocalAddr().(*net.UDPAddr).AddrPort()
	return netip.AddrPortFrom(at.Addr().Unmap(), at.Port())
}

func (s *socket) close() error { return s.conn.Close() }

// native is the byte order of this machine, in which systems write numbers into
// control messages.
var native = binary.NativeEndian

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
	// same port, and every one of them hears broadcasts.
	listen(ctx context.Context, addr netip.AddrPort, shared bool) (packetConn, error)
}

// packetConn is a UDP socket that knows about interfaces. read may run beside
// write; write is safe for several goroutines; close ends both.
type packetConn interface {
	// read receives one datagram. One that is longer than b is cut to len(b).
	read(b []byte) (int, arrival, error)
	// write sends b by the interface and with the source address of via. With
	// the zero link the system chooses both.
	write(b []byte, to netip.AddrPort, via link) error
	close() error
}

// arrival is where a datagram came from.
type arrival struct {
	from  netip.AddrPort
	index int        // of the interface; 0: the system does not tell
	to    netip.Addr // the address it was sent to; the zero Addr: the system does not tell
}

// receiveBuffer is what a socket asks the system for: 1 MiB holds some thousand
// datagrams, where the usual default holds 256. Systems cap it silently.
const receiveBuffer = 1 << 20

// system is the network of this host.
type system struct{}

func (system) links() ([]link, error) { return systemLinks() }

func (system) listen(ctx context.Context, addr netip.AddrPort, shared bool) (packetConn, error) {
	lc := net.ListenConfig{Control: func(_, _ string, raw syscall.RawConn) error {
		var failed error
		err := raw.Control(func(fd uintptr) { failed = setOptions(fd, shared) })
		return errors.Join(err, failed)
	}}
	pc, err := lc.ListenPacket(ctx, "udp4", addr.String())
	if err != nil {
		return nil, err
	}
	conn := pc.(*net.UDPConn)
	_ = conn.SetReadBuffer(receiveBuffer) // with less it still works
	raw, err := conn.SyscallConn()
	if err != nil {
		return nil, errors.Join(err, conn.Close())
	}
	return &socket{conn: conn, raw: raw}, nil
}

// socket is a real packetConn.
type socket struct {
	conn *net.UDPConn
	raw  syscall.RawConn
	oob  [128]byte // of read, which one goroutine calls
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

func (s *socket) close() error { return s.conn.Close() }

// native is the byte order of this machine, in which systems write numbers into
// control messages.
var native = binary.NativeEndian

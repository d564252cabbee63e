package discovery

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"time"
)

// heard is a packet that came in, and how.
type heard struct {
	packet Packet
	size   int // of the datagram, in bytes
	arrival
}

// hear reads a socket until it is closed and hands each packet to deliver,
// which returns false to stop. It parses here, beside the goroutine that owns
// the state, so that garbage costs that one nothing.
func hear(conn packetConn, t *tally, deliver func(heard) bool) {
	buf := make([]byte, MaxPacket+1) // one more, to notice what is too long
	for {
		n, a, err := conn.read(buf)
		if errors.Is(err, net.ErrClosed) {
			return
		}
		if err != nil {
			// What a system reports here belongs to an earlier send, such as "port
			// unreachable"; the socket is as good as before. The pause keeps an
			// error that stays from taking a core.
			t.outcome("receive", err)
			time.Sleep(10 * time.Millisecond)
			continue
		}
		t.count(received)
		p, err := Parse(buf[:n])
		if err != nil {
			t.refused(err)
			continue
		}
		if !deliver(heard{packet: p, size: n, arrival: a}) {
			return
		}
	}
}

// send writes one datagram. Failing is no reason to stop: another path may work.
func send(conn packetConn, t *tally, b []byte, to netip.AddrPort, via link) {
	t.wrote(conn.write(b, to, via), func() string {
		if via.name == "" {
			return fmt.Sprintf("send to %v", to)
		}
		return fmt.Sprintf("send by %s to %v", via.name, to)
	})
}

// broadcast writes one datagram to everybody on the given links.
func broadcast(conn packetConn, t *tally, b []byte, port uint16, links []link) {
	for _, l := range links {
		for _, to := range l.broadcasts() {
			send(conn, t, b, netip.AddrPortFrom(to, port), l)
		}
	}
}

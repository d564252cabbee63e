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
	at     time.Time
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
			t.outcome("receive", "", err)
			time.Sleep(10 * time.Millisecond)
			continue
		}
		t.count(received)
		p, err := Parse(buf[:n])
		if t.watch != nil {
			t.watch.came(conn, buf[:n], a, p, err)
		}
		if err != nil {
			t.refused(err)
			continue
		}
		if !deliver(heard{packet: p, size: n, at: time.Now(), arrival: a}) {
			return
		}
	}
}

// pair is a socket of IPv4 and one of IPv6. The latter is there once a link has
// needed it.
type pair struct {
	four, six packetConn // nil where it could not be opened
}

var errNoSocket = errors.New("no socket to send from")

func (p *pair) write(t *tally, b []byte, to netip.AddrPort, via link) error {
	conn := p.four
	if to.Addr().Is6() {
		conn = p.six
	}
	if conn == nil {
		return errNoSocket
	}
	if t.watch != nil {
		return t.watch.write(conn, b, to, via)
	}
	return conn.write(b, to, via)
}

func (p *pair) close() {
	for _, c := range []packetConn{p.four, p.six} {
		if c != nil {
			_ = c.close()
		}
	}
}

// send writes one datagram. Failing is no reason to stop: another path may work.
func (p *pair) send(t *tally, b []byte, to netip.AddrPort, via link) {
	t.wrote(p.write(t, b, to, via), via.name, func() string {
		if via.name == "" {
			return fmt.Sprintf("send to %v", to)
		}
		return fmt.Sprintf("send by %s to %v", via.name, to)
	})
}

// broadcast writes one datagram to everybody on the given links.
func (p *pair) broadcast(t *tally, b []byte, port uint16, links []link) {
	for _, l := range links {
		for _, to := range l.broadcasts() {
			p.send(t, b, netip.AddrPortFrom(to, port), l)
		}
	}
}

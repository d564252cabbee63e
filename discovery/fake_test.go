package discovery

import (
	"context"
	"errors"
	"net"
	"net/netip"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

// fakeNetwork is a network without a kernel, for tests of what happens when:
// inside a synctest bubble time passes by itself.
type fakeNetwork struct {
	all []link

	mu     sync.Mutex
	conns  []*fakeConn
	refuse func(netip.AddrPort) error
	hears  func(link) []netip.Addr // nil: as on Linux
}

func (n *fakeNetwork) ears(l link) []netip.Addr {
	if n.hears != nil {
		return n.hears(l)
	}
	return l.broadcasts()
}

// fakeConn remembers what was sent and hears what a test puts in.
type fakeConn struct {
	addr   netip.AddrPort
	in     chan incoming
	closed chan struct{}

	mu     sync.Mutex
	sent   []outgoing
	groups map[int]bool
}

type incoming struct {
	b []byte
	arrival
}

type outgoing struct {
	packet Packet
	size   int
	to     netip.AddrPort
	via    string
	at     time.Time
}

func (n *fakeNetwork) links() ([]link, error) {
	n.mu.Lock()
	defer n.mu.Unlock()
	return slices.Clone(n.all), nil
}

func (n *fakeNetwork) listen(_ context.Context, addr netip.AddrPort, _ int, _ bool) (packetConn, error) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.refuse != nil {
		if err := n.refuse(addr); err != nil {
			return nil, err
		}
	}
	c := &fakeConn{addr: addr, in: make(chan incoming), closed: make(chan struct{}), groups: map[int]bool{}}
	n.conns = append(n.conns, c)
	return c, nil
}

// set changes the links.
func (n *fakeNetwork) set(links ...link) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.all = links
}

// conn is the socket that was opened on addr last.
func (n *fakeNetwork) conn(t *testing.T, addr string) *fakeConn {
	t.Helper()
	n.mu.Lock()
	defer n.mu.Unlock()
	for _, c := range slices.Backward(n.conns) {
		if c.addr == netip.MustParseAddrPort(addr) {
			return c
		}
	}
	t.Fatalf("no socket on %s", addr)
	return nil
}

func (c *fakeConn) read(b []byte) (int, arrival, error) {
	select {
	case in := <-c.in:
		return copy(b, in.b), in.arrival, nil
	case <-c.closed:
		return 0, arrival{}, net.ErrClosed
	}
}

func (c *fakeConn) write(b []byte, to netip.AddrPort, via link) error {
	p, err := Parse(b)
	if err != nil {
		return err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.sent = append(c.sent, outgoing{p, len(b), to, via.name, time.Now()})
	return nil
}

func (c *fakeConn) join(index int) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.groups[index] = true
	return nil
}

func (c *fakeConn) leave(index int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	delete(c.groups, index)
}

func (c *fakeConn) buffer() int { return receiveBuffer }

func (c *fakeConn) local() netip.AddrPort { return c.addr }

func (c *fakeConn) close() error {
	close(c.closed)
	return nil
}

// arrive lets a packet come in, and waits until it is worked off.
func (c *fakeConn) arrive(t *testing.T, p Packet, index int, from string) {
	t.Helper()
	b, err := Append(nil, p)
	if err != nil {
		t.Fatal(err)
	}
	c.in <- incoming{b, arrival{from: netip.MustParseAddrPort(from), index: index}}
	synctest.Wait()
}

// take returns what was sent since the last call.
func (c *fakeConn) take() []outgoing {
	synctest.Wait()
	c.mu.Lock()
	defer c.mu.Unlock()
	sent := c.sent
	c.sent = nil
	return sent
}

// times are the moments at which packets of a type went to an address.
func times(sent []outgoing, kind string, to netip.Addr, since time.Time) (at []time.Duration) {
	for _, o := range sent {
		if o.packet.Type() == kind && o.to.Addr() == to {
			at = append(at, o.at.Sub(since))
		}
	}
	return at
}

var errRefused = errors.New("refused")

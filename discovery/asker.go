package discovery

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"sync"
)

// asker is the client's end: it sends queries and hears answers and beacons. Its
// methods belong to the goroutine that made it; what it hears comes by a
// channel.
type asker struct {
	cfg       Config
	tally     *tally
	token     [TokenSize]byte
	seq       uint32
	conn      packetConn                // on a port of the kernel's choice: sends, hears answers
	listeners map[netip.Addr]packetConn // on the broadcast addresses: hear beacons
	links     []link
	heard     chan heard
	done      chan struct{}
	readers   sync.WaitGroup
}

// newAsker opens the sockets. Only without the sending one it fails; each of
// the others may fail and is noted.
func newAsker(ctx context.Context, cfg Config, t *tally) (*asker, error) {
	conn, err := cfg.network.listen(ctx, netip.AddrPortFrom(netip.IPv4Unspecified(), 0), false)
	if err != nil {
		return nil, fmt.Errorf("opening a socket to ask from: %w", err)
	}
	a := &asker{
		cfg:       cfg,
		tally:     t,
		conn:      conn,
		listeners: map[netip.Addr]packetConn{},
		heard:     make(chan heard, 64),
		done:      make(chan struct{}),
	}
	rand.Read(a.token[:])
	a.readers.Go(func() { hear(conn, t, a.deliverAnswer) })
	a.refresh(ctx)
	return a, nil
}

// close ends everything that newAsker and refresh started.
func (a *asker) close() {
	close(a.done)
	_ = a.conn.close()
	for _, l := range a.listeners {
		_ = l.close()
	}
	a.readers.Wait()
}

// deliverAnswer takes only what proves that its sender has seen the query.
func (a *asker) deliverAnswer(h heard) bool {
	if ans, ok := h.packet.(*Answer); !ok || ans.Token != a.token {
		return true
	}
	return a.deliver(h)
}

func (a *asker) deliverBeacon(h heard) bool {
	switch h.packet.(type) {
	case *Beacon, *Goodbye:
		return a.deliver(h)
	}
	return true // queries and answers of others
}

func (a *asker) deliver(h heard) bool {
	select {
	case a.heard <- h:
		return true
	case <-a.done:
		return false
	}
}

// refresh lists the links anew and opens a listener on each of their broadcast
// addresses. It reports whether the links have changed.
func (a *asker) refresh(ctx context.Context) bool {
	links, err := a.cfg.links()
	a.tally.outcome("list interfaces", err)
	if err != nil {
		return false
	}
	changed := !slices.Equal(links, a.links)
	if !changed && len(a.listeners) > 0 {
		return false
	}
	a.links = links
	a.tally.usable(links)
	if !bindsBroadcast {
		return changed
	}
	var wanted []netip.Addr
	for _, l := range links {
		wanted = append(wanted, l.broadcasts()...)
	}
	for addr, conn := range a.listeners {
		if !slices.Contains(wanted, addr) {
			_ = conn.close()
			delete(a.listeners, addr)
		}
	}
	for _, addr := range wanted {
		if a.listeners[addr] != nil || !addr.IsValid() {
			continue
		}
		at := netip.AddrPortFrom(addr, a.cfg.port())
		conn, err := a.cfg.network.listen(ctx, at, true)
		a.tally.outcome(fmt.Sprintf("listen on %v", at), err)
		if err != nil {
			continue
		}
		a.listeners[addr] = conn
		a.readers.Go(func() { hear(conn, a.tally, a.deliverBeacon) })
	}
	return changed
}

// ask sends one query on every link, and to the places where the server was
// before.
func (a *asker) ask(ctx context.Context, name string, last []netip.AddrPort) error {
	a.refresh(ctx)
	a.seq++
	b, err := Append(nil, &Query{Token: a.token, Name: name, Seq: a.seq})
	if err != nil {
		return err
	}
	broadcast(a.conn, a.tally, b, a.cfg.port(), a.links)
	for _, l := range a.links {
		if l.loopback { // where broadcasts do not arrive, the server that came last does
			send(a.conn, a.tally, b, netip.AddrPortFrom(local, a.cfg.port()), l)
		}
	}
	for _, addr := range last {
		a.askAt(b, addr.Addr().Unmap())
	}
	return nil
}

func (a *asker) askAt(b []byte, addr netip.Addr) {
	if !addr.Is4() || addr == limited || addr.IsUnspecified() || addr.IsMulticast() {
		return
	}
	to := netip.AddrPortFrom(addr, a.cfg.port())
	for _, l := range a.links {
		if l.addr.Contains(addr) {
			send(a.conn, a.tally, b, to, l)
			return
		}
	}
	// Behind a router. Named interfaces keep everything on their own networks.
	if len(a.cfg.Interfaces) == 0 {
		send(a.conn, a.tally, b, to, link{})
	}
}

// by tells by which interface something came, and whether that is one to hear.
func (a *asker) by(h heard) (string, bool) {
	if h.index == 0 {
		l, ok := linkOf(a.links, 0, h.from.Addr())
		return l.name, ok || len(a.cfg.Interfaces) == 0
	}
	for _, l := range a.links {
		if l.index == h.index {
			return l.name, true
		}
	}
	return "", false
}

// nobody is the error of a search that heard nothing fitting.
func (a *asker) nobody() error {
	if err := a.tally.last(); err != nil {
		return fmt.Errorf("%w (%w)", ErrNotFound, err)
	}
	if len(a.links) == 0 {
		return fmt.Errorf("%w (%w)", ErrNotFound, errors.New("no network interface in use"))
	}
	return ErrNotFound
}

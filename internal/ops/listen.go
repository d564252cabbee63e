package ops

import (
	"context"
	"net"
	"net/netip"
	"sync"
)

// bounded is a listener with a bound on the connections that are open at a time,
// in all and from one address. As many again are let in to be told that it is
// busy; beyond that they are closed.
type bounded struct {
	net.Listener
	total, each int

	mu   sync.Mutex
	open [2]int // those that are served, and those that are busy
	from map[netip.Addr]int
}

func (b *bounded) Accept() (net.Conn, error) {
	for {
		nc, err := b.Listener.Accept()
		if err != nil {
			return nil, err
		}
		if c := b.enter(nc); c != nil {
			return c, nil
		}
		nc.Close()
	}
}

// enter lets a connection in, or returns nil.
func (b *bounded) enter(nc net.Conn) *counted {
	b.mu.Lock()
	defer b.mu.Unlock()
	addr := addressOf(nc.RemoteAddr().String())
	c := &counted{Conn: nc}
	switch {
	case b.open[0] < b.total && b.from[addr] < b.each:
		if b.from == nil {
			b.from = map[netip.Addr]int{}
		}
		b.open[0]++
		b.from[addr]++
		c.leave = sync.OnceFunc(func() { b.leave(addr) })
	case b.open[1] < b.total:
		b.open[1]++
		c.busy = true
		c.leave = sync.OnceFunc(func() {
			b.mu.Lock()
			defer b.mu.Unlock()
			b.open[1]--
		})
	default:
		return nil
	}
	return c
}

func (b *bounded) leave(addr netip.Addr) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.open[0]--
	if b.from[addr]--; b.from[addr] == 0 {
		delete(b.from, addr)
	}
}

type counted struct {
	net.Conn
	leave func()
	busy  bool // over the bound: nothing of it is served
}

type busyKey struct{}

// markBusy is an http.Server's ConnContext: the requests of a connection over the
// bound know it.
func markBusy(ctx context.Context, nc net.Conn) context.Context {
	if c, ok := nc.(*counted); ok && c.busy {
		return context.WithValue(ctx, busyKey{}, true)
	}
	return ctx
}

func (c *counted) Close() error {
	c.leave()
	return c.Conn.Close()
}

// CloseWrite lets net/http end its side first, so that an answer given before all
// was read is not lost to a reset.
func (c *counted) CloseWrite() error {
	if half, ok := c.Conn.(interface{ CloseWrite() error }); ok {
		return half.CloseWrite()
	}
	return nil
}

// addressOf is whom a connection counts for. Whoever has one IPv6 address has all
// of its /64.
func addressOf(remote string) netip.Addr {
	ap, err := netip.ParseAddrPort(remote)
	if err != nil {
		return netip.Addr{}
	}
	addr := ap.Addr().Unmap().WithZone("")
	if addr.Is6() {
		if p, err := addr.Prefix(64); err == nil {
			return p.Addr()
		}
	}
	return addr
}

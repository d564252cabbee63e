package wiredemo

import (
	"math/rand/v2"
	"net"
	"net/netip"
	"sync/atomic"
)

// relay hands datagrams on, and throws some away.
type relay struct {
	in, out *net.UDPConn
	dropped atomic.Int64
	ended   chan struct{}
}

func newRelay(to *net.UDPAddr, loss int) (*relay, error) {
	in, err := net.ListenUDP("udp4", &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1)})
	if err != nil {
		return nil, err
	}
	out, err := net.DialUDP("udp4", &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1)}, to)
	if err != nil {
		in.Close()
		return nil, err
	}
	r := &relay{in: in, out: out, ended: make(chan struct{})}
	go r.run(loss)
	return r, nil
}

func (r *relay) addr() *net.UDPAddr   { return r.in.LocalAddr().(*net.UDPAddr) }
func (r *relay) from() netip.AddrPort { return r.out.LocalAddr().(*net.UDPAddr).AddrPort() }

func (r *relay) run(loss int) {
	defer close(r.ended)
	buf := make([]byte, 1<<16)
	for {
		n, err := r.in.Read(buf)
		switch {
		case err != nil:
			return
		case rand.IntN(100) < loss:
			r.dropped.Add(1)
		default:
			if _, err := r.out.Write(buf[:n]); err != nil {
				r.dropped.Add(1)
			}
		}
	}
}

func (r *relay) close() {
	r.in.Close()
	<-r.ended
	r.out.Close()
}

package wiredemo

import (
	"context"
	"errors"
	"net"
	"net/netip"
)

// errNoFilter is why there is no loss by the kernel where nobody asks it.
var errNoFilter = errors.New("this system has no socket filters")

// rig is the sockets: two of UDP, and both ends of a TCP connection.
type rig struct {
	udpOut, udpIn *net.UDPConn
	tcpOut, tcpIn *net.TCPConn
	relay         *relay // nil: the kernel throws datagrams away
	clean         error  // why the stream has no loss; nil: the kernel makes it
}

// newRig makes the sockets and the loss between them. The stream's loss begins
// behind its handshake: that would only take longer.
func newRig(ctx context.Context, loss int, asksRelay bool) (_ *rig, err error) {
	r := &rig{}
	defer func() {
		if err != nil {
			r.close()
		}
	}()
	loopback := &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1)}
	if r.udpIn, err = net.ListenUDP("udp4", loopback); err != nil {
		return nil, err
	}
	if err := r.connectTCP(ctx); err != nil {
		return nil, err
	}
	to := r.udpIn.LocalAddr().(*net.UDPAddr)
	if r.clean = errNoFilter; !asksRelay {
		r.clean = lose(r.tcpIn, loss)
	}
	if asksRelay || lose(r.udpIn, loss) != nil {
		if r.relay, err = newRelay(to, loss); err != nil {
			return nil, err
		}
		to = r.relay.addr()
	}
	r.udpOut, err = net.DialUDP("udp4", loopback, to)
	return r, err
}

// listen is on TCP alone: a socket of Multipath TCP, which Go makes by itself, takes
// no filter.
func listen(ctx context.Context) (net.Listener, error) {
	var cfg net.ListenConfig
	cfg.SetMultipathTCP(false)
	return cfg.Listen(ctx, "tcp4", "127.0.0.1:0")
}

func (r *rig) connectTCP(ctx context.Context) error {
	l, err := listen(ctx)
	if err != nil {
		return err
	}
	defer l.Close()
	nc, err := (&net.Dialer{}).DialContext(ctx, "tcp4", l.Addr().String())
	if err != nil {
		return err
	}
	r.tcpOut = nc.(*net.TCPConn)
	for {
		in, err := l.Accept()
		if err != nil {
			return err
		}
		if in.RemoteAddr().String() == nc.LocalAddr().String() {
			r.tcpIn = in.(*net.TCPConn)
			return nil
		}
		in.Close() // somebody else's
	}
}

// from is where datagrams come from: those of others are not of the demo.
func (r *rig) from() netip.AddrPort {
	if r.relay != nil {
		return r.relay.from()
	}
	return r.udpOut.LocalAddr().(*net.UDPAddr).AddrPort()
}

// thrownAway counts the datagrams and segments that never reached the program.
func (r *rig) thrownAway() (datagrams, segments int) {
	datagrams, segments = drops(r.udpIn), drops(r.tcpIn)
	if r.relay != nil {
		datagrams = int(r.relay.dropped.Load())
	}
	return datagrams, segments
}

func (r *rig) close() {
	for _, c := range []*net.UDPConn{r.udpOut, r.udpIn} {
		if c != nil {
			c.Close()
		}
	}
	for _, c := range []*net.TCPConn{r.tcpOut, r.tcpIn} {
		if c != nil {
			c.Close()
		}
	}
	if r.relay != nil {
		r.relay.close()
	}
}

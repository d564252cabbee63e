package server

import (
	"fmt"
	"net"
	"net/netip"
	"slices"
	"time"

	"lanchat/protocol"
)

// begin serves a connection, unless there are too many or the server stops. It
// counts it under the lock: whoever waits for all has stopped before.
func (s *Server) begin(nc net.Conn) {
	s.stats.accepted.Add(1)
	from := network(addrOf(nc))
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.stopped {
		nc.Close()
		return
	}
	if len(s.conns) >= s.limits.Connections {
		s.refuse(nc, limitConnections)
		return
	}
	one := s.addresses.hold(from, s.limits.AddressConns)
	if one == nil {
		s.pressure.note(from, "")
		s.refuse(nc, limitAddressConns)
		return
	}
	if !ownHost(from) && one.allowance[arriving].try(time.Now(), s.limits.pace(arriving)) > 0 {
		s.stats.reached(limitArrivals)
		s.pressure.note(from, "")
		s.addresses.drop(from)
		cutOff(nc)
		return
	}
	if t, ok := nc.(*net.TCPConn); ok {
		// Where that fails the kernel's own bounds hold.
		_, _ = t.SetReadBuffer(s.limits.SocketBytes), t.SetWriteBuffer(s.limits.SocketBytes)
	}
	l := &link{Conn: nc, stats: &s.stats, from: from, share: one}
	s.conns[l] = nil
	s.running.Add(1)
	go s.handle(l)
}

// ownHost tells this host's own address: behind it are the programs of whoever runs the
// server, and the ends of tunnels.
func ownHost(a netip.Addr) bool {
	return a == netip.AddrFrom4([4]byte{127, 0, 0, 1}) || a == netip.IPv6Loopback()
}

// cutOff hangs up so that nothing of the connection remains here. Who comes so often is
// not told why: that would be what costs too much.
func cutOff(nc net.Conn) {
	if t, ok := nc.(*net.TCPConn); ok {
		_ = t.SetLinger(0) // it is closed in any case
	}
	nc.Close()
}

// remove ends what begin began.
func (s *Server) remove(l *link) {
	defer s.running.Done()
	l.Close()
	s.addresses.drop(l.from)
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.conns, l)
}

const (
	refusedMost = 256 // connections that are told at a time why they are refused
	retryBusy   = 5 * time.Second
)

// refuse tells a connection that there are too many, in a line that everybody
// understands: which door it is for is not known yet, and finding out would cost what
// there is too much of. It does not wait. mu is held, or the caller is counted in
// running.
func (s *Server) refuse(nc net.Conn, why limit) {
	s.stats.reached(why)
	if s.refusing.Add(1) > refusedMost {
		s.refusing.Add(-1)
		nc.Close()
		return
	}
	s.running.Go(func() {
		defer s.refusing.Add(-1)
		tellBusy(nc, why)
	})
}

func tellBusy(nc net.Conn, why limit) {
	where := "from your address"
	if why == limitConnections || why == limitHandshakes {
		where = "at this server"
	}
	if nc.SetWriteDeadline(time.Now().Add(hangUpAfter)) == nil {
		seconds := int(retryBusy.Seconds())
		_, _ = fmt.Fprintf(nc, "%s %d: too many connections %s; come again in %d seconds\n", protocol.Busy, seconds, where, seconds)
	}
	hangUp(nc)
}

// startHandshake lets a connection say who it is; 0: it may now. Of one address only so
// many do at a time, and the others wait, so that a whole room behind one address gets
// in, and nobody takes the places of other addresses.
func (s *Server) startHandshake(l *link) limit {
	t := &s.addresses
	t.mu.Lock()
	if l.share.handshakes >= s.limits.AddressHandshakes {
		turn := make(chan struct{})
		l.share.waiting = append(l.share.waiting, turn)
		t.mu.Unlock()
		if !s.awaitTurn(l, turn) {
			return limitAddressHandshakes
		}
	} else {
		l.share.handshakes++
		t.mu.Unlock()
	}
	if int(s.handshakes.Add(1)) > s.limits.Handshakes {
		s.endHandshake(l)
		return limitHandshakes
	}
	return 0
}

// awaitTurn waits for the place of another handshake of the address.
func (s *Server) awaitTurn(l *link, turn chan struct{}) bool {
	timer := time.NewTimer(protocol.HandshakeTimeout)
	defer timer.Stop()
	select {
	case <-turn:
		return true
	case <-timer.C:
	case <-s.stopping:
	}
	t := &s.addresses
	t.mu.Lock()
	defer t.mu.Unlock()
	if at := slices.Index(l.share.waiting, turn); at >= 0 {
		l.share.waiting = slices.Delete(l.share.waiting, at, at+1)
		return false
	}
	return true // it was given the place meanwhile
}

func (s *Server) endHandshake(l *link) {
	s.handshakes.Add(-1)
	s.addresses.mu.Lock()
	defer s.addresses.mu.Unlock()
	if len(l.share.waiting) > 0 {
		next := l.share.waiting[0]
		l.share.waiting = slices.Delete(l.share.waiting, 0, 1)
		close(next)
		return
	}
	l.share.handshakes--
}

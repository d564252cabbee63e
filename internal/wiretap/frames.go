package wiretap

import (
	"crypto/tls"
	"fmt"
	"net"
	"net/netip"
	"time"

	"lanchat/internal/client"
	"lanchat/internal/safetext"
	"lanchat/protocol"
)

const (
	maxRequests = 1024 // of one connection, that wait for their answer
	maxStreams  = 16
)

// stream is one connection.
type stream struct {
	n           uint64
	local, peer netip.AddrPort
	kernel      func() (kernel, bool)
	now         kernel
	told        bool // the kernel has told something
	reads       uint64
	writes      uint64
	inRead      int // frames that the last read has ended
	inWrite     int
	waits       map[string]time.Time
	order       []string // of waits, the oldest first
}

// kernel is what a kernel tells of a connection.
type kernel struct {
	rtt                     time.Duration
	retransmitted           uint64 // segments, since the beginning
	reordered               uint64
	unacked                 uint64 // segments, now
	segmentsIn, segmentsOut uint64
}

// Stream takes in a new connection, and returns what takes in its frames: it is
// a client.Config.Watch.
func (t *Tap) Stream(link *client.Dialed) func(protocol.Frame) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.tcp.Connections++
	s := &stream{n: t.tcp.Connections, waits: map[string]time.Time{}, kernel: kernelOf(bare(link.Conn))}
	if link.Conn != nil {
		s.local, s.peer = addrOf(link.Conn.LocalAddr()), addrOf(link.Conn.RemoteAddr())
	}
	if len(t.streams) == maxStreams { // what it had counted stays
		t.retire(t.streams[0])
		t.streams = append(t.streams[:0], t.streams[1:]...)
	}
	t.streams = append(t.streams, s)
	return func(f protocol.Frame) { t.frame(s, f) }
}

// bare is the connection below TLS.
func bare(nc net.Conn) net.Conn {
	if t, ok := nc.(*tls.Conn); ok {
		return t.NetConn()
	}
	return nc
}

func addrOf(a net.Addr) netip.AddrPort {
	if t, ok := a.(*net.TCPAddr); ok {
		ap := t.AddrPort()
		return netip.AddrPortFrom(ap.Addr().Unmap(), ap.Port())
	}
	return netip.AddrPort{}
}

func (t *Tap) frame(s *stream, f protocol.Frame) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.settle(f.At)
	r := Row{Stream: true, Conn: s.n, At: f.At, Sent: f.Sent, Local: s.local, Peer: s.peer, Bytes: 4 + len(f.Body), Type: clean(f.Type)}
	if f.Message != nil {
		r.Fields = fieldsOf(f.Message)
	}
	if f.Sent {
		t.tcp.Sent++
		t.tcp.SentBytes += uint64(r.Bytes)
		t.tcp.Writes += f.Last - s.writes
		if f.Last != s.writes {
			s.writes, s.inWrite = f.Last, 0
		}
		s.inWrite++
	} else {
		t.tcp.Received++
		t.tcp.ReceivedBytes += uint64(r.Bytes)
		t.tcp.Reads += f.Last - s.reads
		if f.Last != s.reads {
			s.reads, s.inRead = f.Last, 0
		}
		s.inRead++
	}
	s.moved(&r, f)
	switch {
	case f.Err != nil:
		r.note(Failed, true, "it breaks the protocol: %s", safetext.Line(f.Err.Error()))
	case f.Message == nil:
		r.note(Failed, false, "a type of another version: it is skipped")
	default:
		s.roundTrip(&r, f)
	}
	s.ask(&r)
	raw := make([]byte, 0, r.Bytes)
	raw = append(raw, byte(len(f.Body)>>24), byte(len(f.Body)>>16), byte(len(f.Body)>>8), byte(len(f.Body)))
	t.add(r, append(raw, f.Body...))
}

// moved says which reads or which write moved a frame.
func (s *stream) moved(r *Row, f protocol.Frame) {
	switch {
	case f.Sent && s.inWrite+f.More > 1:
		r.note(Reads, false, "frame %d of %d in write %d (%d bytes)", s.inWrite, s.inWrite+f.More, f.Last, f.Size)
	case f.Sent:
		r.note(Reads, false, "write %d (%d bytes)", f.Last, f.Size)
	case f.First == f.Last && s.inRead+f.More > 1:
		r.note(Reads, false, "frame %d of %d in read %d (%d bytes)", s.inRead, s.inRead+f.More, f.Last, f.Size)
	case f.First == f.Last:
		r.note(Reads, false, "read %d (%d bytes)", f.Last, f.Size)
	default:
		r.note(Reads, false, "1 frame over %d reads: %d to %d", f.Last-f.First+1, f.First, f.Last)
		if s.inRead+f.More > 1 {
			r.note(Reads, false, "frame %d of %d that read %d ended", s.inRead, s.inRead+f.More, f.Last)
		}
	}
}

// roundTrip matches answers with what was asked for.
func (s *stream) roundTrip(r *Row, f protocol.Frame) {
	side := func(sent bool) string {
		if sent {
			return "ours "
		}
		return "theirs "
	}
	asks, answers := questions(f.Message)
	if asks != "" && s.asks(f) {
		s.wait(side(f.Sent)+asks, f.At)
		return
	}
	if answers == "" {
		return
	}
	key := side(!f.Sent) + answers
	if at, ok := s.waits[key]; ok {
		delete(s.waits, key)
		r.note(RoundTrip, false, "answers %s, round trip %s", answers, short(f.At.Sub(at)))
	}
}

// asks tells a request from an answer of the same name: only a client asks, and
// a Tap sits at a client. Pings go both ways.
func (s *stream) asks(f protocol.Frame) bool {
	_, ping := f.Message.(*protocol.Ping)
	return f.Sent || ping
}

func (s *stream) wait(key string, at time.Time) {
	if len(s.order) >= maxRequests {
		delete(s.waits, s.order[0])
		s.order = s.order[1:]
	}
	if _, again := s.waits[key]; !again {
		s.order = append(s.order, key)
	}
	s.waits[key] = at
}

// questions says which request a message is, if sent, and which it answers, if
// it came.
func questions(m protocol.Message) (asks, answers string) {
	both := func(ref uint32) (string, string) {
		if ref == 0 {
			return "", ""
		}
		r := fmt.Sprintf("request %d", ref)
		return r, r
	}
	switch m := m.(type) {
	case *protocol.Hello:
		return "hello", ""
	case *protocol.Welcome:
		return "", "hello"
	case *protocol.Ping:
		return fmt.Sprintf("ping %d", m.N), ""
	case *protocol.Pong:
		return "", fmt.Sprintf("ping %d", m.N)
	case *protocol.Post:
		return "post " + m.ID.String(), ""
	case *protocol.Ack:
		return "", "post " + m.ID.String()
	case *protocol.Error:
		if !m.ID.IsZero() {
			return "", "post " + m.ID.String()
		}
		_, answers = both(m.Ref)
		return "", answers
	case *protocol.Join:
		return both(m.Ref)
	case *protocol.Joined:
		return both(m.Ref)
	case *protocol.Leave:
		return both(m.Ref)
	case *protocol.Left:
		return both(m.Ref)
	case *protocol.History:
		return both(m.Ref)
	case *protocol.Page:
		return both(m.Ref)
	case *protocol.Search:
		return both(m.Ref)
	case *protocol.Found:
		return both(m.Ref)
	case *protocol.Nick:
		return both(m.Ref)
	case *protocol.Topic:
		return both(m.Ref)
	case *protocol.Rooms:
		return both(m.Ref)
	case *protocol.Who:
		return both(m.Ref)
	case *protocol.Invite:
		return both(m.Ref)
	case *protocol.Refuse:
		return both(m.Ref)
	}
	return "", ""
}

// ask asks the kernel, and notes what is new.
func (s *stream) ask(r *Row) {
	was, first := s.now, !s.told
	if !s.refresh() {
		return
	}
	if !first {
		if n := s.now.retransmitted - was.retransmitted; n > 0 {
			r.note(Resent, true, "the kernel sent %s again", segments(n))
		}
		if n := s.now.reordered - was.reordered; n > 0 {
			r.note(Reordered, true, "%s came behind a gap: one was lost or late", segments(n))
		}
	}
	if !first && s.now.rtt == was.rtt && s.now.unacked == 0 {
		return
	}
	text := "kernel: rtt " + short(s.now.rtt)
	if s.now.unacked > 0 {
		text += fmt.Sprintf(", %s not yet acknowledged", segments(s.now.unacked))
	}
	r.note(Kernel, false, "%s", text)
}

func segments(n uint64) string {
	if n == 1 {
		return "1 segment"
	}
	return fmt.Sprintf("%d segments", n)
}

// refresh asks the kernel. Of a connection that is closed the last word stays.
func (s *stream) refresh() bool {
	if k, ok := s.kernel(); ok {
		s.now, s.told = k, true
		return true
	}
	return false
}

// retire adds what a connection had counted to the totals.
func (t *Tap) retire(s *stream) { s.addTo(&t.tcp) }

func (s *stream) addTo(to *TCPTotals) {
	if !s.told {
		return
	}
	to.Kernel = true
	to.Retransmitted += s.now.retransmitted
	to.Reordered += s.now.reordered
	to.SegmentsIn += s.now.segmentsIn
	to.SegmentsOut += s.now.segmentsOut
	to.RTT = s.now.rtt
}

func (t *Tap) streamTotals() TCPTotals {
	sum := t.tcp
	for i, s := range t.streams {
		if i == len(t.streams)-1 {
			s.refresh()
		}
		s.addTo(&sum)
	}
	return sum
}

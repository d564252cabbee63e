package server

import (
	"errors"
	"net"
	"net/netip"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"lanchat/protocol"
)

// link is a connection that was accepted. It counts its bytes.
//
// Until its session begins, Write waits for the peer, as that of any connection. From
// then on Write never waits: what the kernel does not take at once the link keeps, in
// front of all that is written later, until flush. So whoever writes, below TLS too
// where half a record would end the stream, is not held up by a peer that does not read.
type link struct {
	net.Conn
	stats *stats
	from  netip.Addr // what counts as one address
	share *share     // of that address
	first byte       // was read to find out which door it is for,
	again bool       // and is to be read once more

	isFull atomic.Bool // something waits for flush

	mu   sync.Mutex      // TLS answers a peer's key update from the reader
	raw  syscall.RawConn // nil: all that is written is kept for flush
	keep bool            // Write does not wait
	rest []byte          // what the kernel has not taken yet
	full func()          // is called when there is a rest
}

// restMost is what a link keeps at most: the largest write of a session, and what a
// peer makes TLS say meanwhile.
const restMost = 2*replyBytes + writeBytes

var errRest = errors.New("the peer reads nothing, and has more and more to be told")

func (l *link) Read(b []byte) (int, error) {
	if l.again && len(b) > 0 {
		l.again = false
		b[0] = l.first
		return 1, nil
	}
	n, err := l.Conn.Read(b)
	l.stats.bytesIn.Add(uint64(n))
	return n, err
}

// stopWaiting has Write wait no more. full is called, by whoever writes, when the link
// keeps something: somebody has to call flush then.
func (l *link) stopWaiting(full func()) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.keep, l.full = true, full
	if c, ok := l.Conn.(syscall.Conn); ok {
		l.raw, _ = c.SyscallConn() // without it, flush writes everything
	}
}

// waitAgain ends what stopWaiting began.
func (l *link) waitAgain() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.keep = false
}

func (l *link) Write(b []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if !l.keep {
		n, err := l.Conn.Write(b)
		l.stats.bytesOut.Add(uint64(n))
		return n, err
	}
	taken := 0
	if l.raw != nil && len(l.rest) == 0 {
		var err error
		if taken, err = tryWrite(l.raw, b); err != nil {
			return taken, err
		}
		l.stats.bytesOut.Add(uint64(taken))
	}
	if taken == len(b) {
		return taken, nil
	}
	if len(l.rest)+len(b)-taken > restMost {
		return taken, errRest
	}
	l.rest = append(l.rest, b[taken:]...)
	l.isFull.Store(true)
	l.full()
	return len(b), nil
}

// flush waits until the kernel has taken all that was written. Each piece has
// protocol.WriteTimeout, so that a slow peer lasts as long as it takes two kilobytes a
// second, however much it is.
func (l *link) flush() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if len(l.rest) == 0 {
		return nil
	}
	for b := l.rest; len(b) > 0; {
		if err := l.Conn.SetWriteDeadline(time.Now().Add(protocol.WriteTimeout)); err != nil {
			return err
		}
		n, err := l.Conn.Write(b[:min(len(b), writePiece)])
		l.stats.bytesOut.Add(uint64(n))
		if err != nil {
			return err
		}
		b = b[n:]
	}
	l.rest = nil // an idle connection holds no buffer
	l.isFull.Store(false)
	return l.Conn.SetWriteDeadline(time.Time{})
}

// CloseWrite ends the stream towards the peer.
func (l *link) CloseWrite() error {
	if half, ok := l.Conn.(interface{ CloseWrite() error }); ok {
		return half.CloseWrite()
	}
	return nil
}

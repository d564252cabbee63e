package server

import (
	"errors"
	"io"
	"time"

	"lanchat/protocol"
)

// Requests are handled in order, and one that is over its rate waits. So that a ping is
// answered at once all the same, another goroutine reads on while the reader waits: it
// answers pings, and queues everything else for the reader, which hands back the reading
// when the queue is empty. The queue is bounded by aheadBytes; what is over it stays in
// the socket.

// queued is a request that was read and has to wait for its turn.
type queued struct {
	m    protocol.Message
	size int
}

// readAhead has another goroutine read on, as the reader is about to wait.
func (ss *session) readAhead() {
	if ss.ahead || ss.door.kind() != nativeDoor {
		return
	}
	ss.mu.Lock()
	ss.ahead = true
	ss.mu.Unlock()
	go ss.readOnly()
}

// readOnly reads until it may handle what it has read; then it is the reader.
func (ss *session) readOnly() {
	var m protocol.Message
	var err error
	for ss.mayRead() {
		if err = ss.door.await(); err != nil {
			break
		}
		if m, err = ss.door.read(); err != nil {
			break
		}
		if ss.pong(m) || ss.queue(m) {
			continue
		}
		if ss.take(m) {
			go ss.read()
		}
		return
	}
	ss.mu.Lock()
	waits := ss.ahead
	if waits {
		ss.readEnded, ss.readErr = true, err
	}
	ss.mu.Unlock()
	switch {
	case !waits:
		ss.readingEnded(err)
	case err != nil && !errors.Is(err, io.EOF) && readError(err) == nil:
		ss.end(&protocol.Bye{}) // the peer is gone
	}
}

// take handles a request. It is false when somebody else reads on.
func (ss *session) take(m protocol.Message) bool {
	ss.handle(m)
	if !ss.ahead {
		return true
	}
	ss.catchUp()
	return false
}

// pong answers a ping at once, unless it comes within a second of the one before.
func (ss *session) pong(m protocol.Message) bool {
	ping, ok := m.(*protocol.Ping)
	now := time.Now()
	if !ok || now.Sub(ss.pinged) < pingEvery {
		return false
	}
	ss.pinged = now
	ss.reply(&protocol.Pong{N: ping.N})
	return true
}

// queue puts a request into the queue, waiting for space. It is false when nothing waits
// any more.
func (ss *session) queue(m protocol.Message) bool {
	size := queuedSize + len(appendFrame(nil, m))
	ss.mu.Lock()
	defer ss.mu.Unlock()
	if ss.ahead && ss.queuedBytes+size > aheadBytes {
		ss.srv.stats.reached(limitAhead)
	}
	for ss.ahead && ss.bye == nil && ss.queuedBytes > 0 && ss.queuedBytes+size > aheadBytes {
		ss.readOn.Wait()
	}
	if !ss.ahead {
		return false
	}
	ss.waiting = append(ss.waiting, queued{m, size})
	ss.queuedBytes += size
	return true
}

// catchUp handles what was queued.
func (ss *session) catchUp() {
	for {
		ss.mu.Lock()
		if len(ss.waiting) == 0 || ss.bye != nil {
			ss.ahead, ss.waiting, ss.queuedBytes = false, nil, 0
			ended, err := ss.readEnded, ss.readErr
			ss.readOn.Broadcast()
			ss.mu.Unlock()
			if ended {
				ss.readingEnded(err)
			}
			return
		}
		next := ss.waiting[0]
		ss.waiting[0] = queued{}
		ss.waiting = ss.waiting[1:]
		ss.queuedBytes -= next.size
		ss.readOn.Broadcast()
		ss.mu.Unlock()
		if ss.mayRead() {
			ss.handle(next.m)
		}
	}
}

package client

import (
	"context"
	"errors"
	"slices"
	"sync/atomic"
	"time"

	"lanchat/protocol"
)

// session is one connection's life. Two goroutines share it: one receives, the
// caller of once; one sends.
type session struct {
	c     *Client
	conn  *protocol.Conn
	pongs chan uint64
	slow  atomic.Int64 // until when the server may read nothing, Unix nanoseconds: it said slow
}

var errDead = errors.New("the server no longer answers")

// send sends what there is to send, and pings. It ends with ctx.
func (l *session) send(ctx context.Context) error {
	ping := time.NewTicker(roundTripEach)
	defer ping.Stop()
	var n uint64
	var pinged time.Time // of the ping that is not yet answered
	sendPing := func() error {
		n++
		pinged = time.Now()
		return l.conn.Write(&protocol.Ping{N: n})
	}
	for {
		if err := l.sendAll(); err != nil {
			return readError(err)
		}
		if n == 0 {
			if err := sendPing(); err != nil {
				return readError(err)
			}
		}
		select {
		case <-ctx.Done():
			return nil
		case <-l.c.wake:
		case got := <-l.pongs:
			if got == n && !pinged.IsZero() {
				took := time.Since(pinged)
				pinged = time.Time{}
				if l.c.emit(ctx, RoundTrip{took}) != nil {
					return nil
				}
			}
		case <-ping.C:
			switch {
			case pinged.IsZero():
				if err := sendPing(); err != nil {
					return readError(err)
				}
			case time.Since(pinged) > deadAfter && time.Since(time.Unix(0, l.slow.Load())) > deadAfter:
				return errDead
			}
		}
	}
}

// sendAll sends what is to be left, then the joins that the user wants, then requests,
// then posts, then a few joins of direct talks that others opened, until none is left
// over.
func (l *session) sendAll() error {
	for {
		ms := l.next()
		if len(ms) == 0 {
			return nil
		}
		for batch := range slices.Chunk(ms, 64) {
			if err := l.conn.Write(batch...); err != nil {
				return err
			}
		}
	}
}

func (l *session) next() []protocol.Message {
	c := l.c
	c.mu.Lock()
	defer c.mu.Unlock()
	var ms []protocol.Message
	// Who leaves a room and joins it again at once wants to be in it.
	c.requests = slices.DeleteFunc(c.requests, func(m protocol.Message) bool {
		_, leaves := m.(*protocol.Leave)
		if leaves {
			ms = append(ms, m)
		}
		return leaves
	})
	join := func(w *wish) {
		w.asked = true
		ref := c.nextRef()
		c.joins[ref] = w.room
		ms = append(ms, &protocol.Join{Ref: ref, Room: w.room, After: w.cursor, Live: w.live && w.cursor == 0, Quiet: w.quiet})
	}
	invited := 0 // joins of which the answer has not come
	for _, w := range c.rooms {
		switch {
		case !w.asked && !w.invited:
			join(w)
		case w.asked && !w.in && w.invited:
			invited++
		}
	}
	ms = append(ms, c.requests...)
	c.requests = nil
	for _, p := range c.outbox.next(c.window) {
		if w := c.wished(p.Room); w != nil && !w.asked { // the server takes the post after this join alone
			join(w)
		}
		ms = append(ms, &p)
	}
	for _, w := range c.rooms {
		if invited < maxInvited && !w.asked {
			join(w)
			invited++
		}
	}
	return ms
}

// receive turns messages into events until the connection ends.
func (l *session) receive(ctx context.Context) error {
	for {
		m, err := l.conn.Read()
		if err != nil {
			return readError(err)
		}
		clean(m)
		if err := l.receiveOne(ctx, m); err != nil {
			return err
		}
	}
}

func (l *session) receiveOne(ctx context.Context, m protocol.Message) error {
	switch m := m.(type) {
	case *protocol.Pong:
		select {
		case l.pongs <- m.N:
		default:
		}
		return nil
	case *protocol.Slow: // a ping that was sent after posts is read after them
		l.slow.Store(time.Now().Add(time.Duration(m.For) * time.Millisecond).UnixNano())
	case *protocol.Ping:
		return l.conn.Write(&protocol.Pong{N: m.N})
	case *protocol.Bye:
		return &byeError{m}
	case *protocol.Entry:
		if !l.fresh(m) {
			return nil
		}
	case *protocol.Skipped:
		l.moveCursor(m.Room, m.To)
	case *protocol.Joined:
		l.joined(m)
	case *protocol.Nick:
		if m.Ref != 0 { // the user's own wish, to come back with
			l.c.mu.Lock()
			l.c.cfg.Nick = m.Nick
			l.c.mu.Unlock()
		}
	case *protocol.Ack:
		l.answered(m.ID)
	case *protocol.Error:
		if !m.ID.IsZero() {
			l.answered(m.ID)
			return l.c.emit(ctx, Refused{m.ID, m.Error()})
		}
		if room, left := l.left(m.Ref); left { // one was not in it any more
			return l.c.emit(ctx, Received{&protocol.Left{Ref: m.Ref, Room: room}, time.Now()})
		}
		l.joinFailed(m.Ref)
	case *protocol.Left:
		if l.left(m.Ref); m.Ref == 0 {
			l.putOut(m.Room)
		}
	case *protocol.Moderate:
		if m.Ref != 0 && m.Do == protocol.DeedPrivate {
			if err := l.c.Join(m.Room); err != nil {
				return err
			}
		}
	}
	return l.c.emit(ctx, Received{m, time.Now()})
}

// left notes the answer to a leave, if ref is one's.
func (l *session) left(ref uint32) (room string, ok bool) {
	l.c.mu.Lock()
	defer l.c.mu.Unlock()
	room, ok = l.c.leaves[ref]
	delete(l.c.leaves, ref)
	return room, ok
}

// leftUnanswered are the rooms whose leave the connection took with it. They are
// not joined again, so they are left.
func (c *Client) leftUnanswered() (rooms []string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, room := range c.leaves {
		if c.wished(room) == nil {
			rooms = append(rooms, room)
		}
	}
	clear(c.leaves)
	return rooms
}

// fresh moves the room's cursor to an entry, and reports whether the entry is a
// new one.
func (l *session) fresh(e *protocol.Entry) bool {
	l.c.mu.Lock()
	defer l.c.mu.Unlock()
	w := l.c.wished(e.Room)
	if w == nil || !w.in || e.Seq <= w.cursor {
		return false
	}
	w.cursor = e.Seq
	l.c.journal.seen(e.Room, e.Seq, time.Now())
	return true
}

func (l *session) moveCursor(room string, seq uint64) {
	l.c.mu.Lock()
	defer l.c.mu.Unlock()
	if w := l.c.wished(room); w != nil && w.in {
		w.cursor = max(w.cursor, seq)
	}
}

// joined notes a join's answer; a notice that a direct talk exists makes the
// client join it.
func (l *session) joined(m *protocol.Joined) {
	c := l.c
	c.mu.Lock()
	defer c.mu.Unlock()
	if m.Ref == 0 {
		if c.wished(m.Room) == nil {
			c.wish(m.Room).invited = true
		}
		c.wakeUp()
		return
	}
	_, wanted := c.joins[m.Ref]
	delete(c.joins, m.Ref)
	w := c.wished(m.Room)
	if !wanted || w == nil {
		return // it was left meanwhile
	}
	if w.in = true; w.invited {
		c.wakeUp() // for the next one
	}
	switch {
	case m.Reset:
		w.cursor = 0
	case w.live && w.cursor == 0:
		w.cursor, w.live = m.Head, false // from here on nothing may be missed
	}
}

// putOut forgets a room that this user was put out of: who wants to be in it again says
// so.
func (l *session) putOut(room string) {
	l.c.mu.Lock()
	defer l.c.mu.Unlock()
	l.c.unwish(room)
}

// joinFailed forgets a room that the server does not let this user into.
func (l *session) joinFailed(ref uint32) {
	l.c.mu.Lock()
	defer l.c.mu.Unlock()
	if room, ok := l.c.joins[ref]; ok {
		delete(l.c.joins, ref)
		l.c.unwish(room)
		l.c.wakeUp()
	}
}

// answered takes a post out of the outbox.
func (l *session) answered(id protocol.ID) {
	c := l.c
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.outbox.remove(id) {
		c.journal.done(id)
		close(c.drained)
		c.drained = make(chan struct{})
		c.wakeUp()
	}
}

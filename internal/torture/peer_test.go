package torture

import (
	"context"
	"crypto/tls"
	"math/rand/v2"
	"net"
	"slices"
	"sync"
	"time"

	"lanchat/internal/identity"
	"lanchat/protocol"
)

const (
	maxBurst   = 60  // lines in one go
	maxOpen    = 500 // lines that a peer has not heard of: below the server's limit
	awayAtMost = 1500 * time.Millisecond
)

// peer is a client of its own: it knows the protocol, and nothing of our client's
// engine. Its one goroutine decides; another reads.
type peer struct {
	*record
	run *run
	rng *rand.Rand
	tls *tls.Config // nil: a guest without TLS

	mu    sync.Mutex
	state map[string]following // of this connection
	stall time.Time            // until when nothing is read
}

type following int

const (
	absent following = iota
	joining
	in
	leaving
)

func newPeer(r *run, name string, i int, id *identity.Identity, rng *rand.Rand) *peer {
	p := &peer{run: r, record: newRecord(r.judge, name), rng: rng}
	switch i % 3 {
	case 0:
		p.tls = id.ClientTLS(nil)
	case 1:
		p.tls = identity.GuestTLS(nil)
	}
	p.views[rooms[0]].follows = true
	return p
}

func (p *peer) book() *record { return p.record }

// live connects again and again.
func (p *peer) live(ctx context.Context) {
	for ctx.Err() == nil {
		conn, err := p.connect(ctx)
		if err != nil {
			wait(ctx, upTo(p.rng, 50*time.Millisecond))
			continue
		}
		p.serve(ctx, conn)
		if !p.run.quiet.Load() && p.rng.IntN(4) == 0 {
			wait(ctx, upTo(p.rng, awayAtMost))
		}
	}
}

func (p *peer) connect(ctx context.Context) (*protocol.Conn, error) {
	conn, _, err := protocol.Dial(ctx, p.run.addr(), p.tls, &protocol.Hello{Nick: p.name})
	return conn, err
}

// cut ends a connection without a goodbye: the other side gets a reset.
func cut(nc net.Conn) {
	if t, ok := nc.(*tls.Conn); ok {
		nc = t.NetConn()
	}
	if t, ok := nc.(*net.TCPConn); ok {
		_ = t.SetLinger(0) // it may be closed already
	}
	nc.Close()
}

// serve serves one connection to its end.
func (p *peer) serve(ctx context.Context, conn *protocol.Conn) {
	ended := make(chan struct{})
	defer func() { <-ended }()
	defer cut(conn.NetConn())
	p.record.mu.Lock()
	p.ups++
	p.state = map[string]following{}
	var ms []protocol.Message
	for _, room := range rooms {
		// It may have spoken in a room without having heard that it was let in.
		spoken := slices.ContainsFunc(p.open, func(l *line) bool { return l.room == room })
		if v := p.views[room]; v.follows || spoken {
			ms = append(ms, &protocol.Join{Ref: 1, Room: room, After: v.cursor})
			p.state[room] = joining
		}
	}
	p.record.mu.Unlock()
	go func() {
		defer close(ended)
		p.read(ctx, conn)
	}()
	if conn.Write(append(ms, p.resend()...)...) != nil {
		return
	}
	for {
		select {
		case <-time.After(p.run.pauseFor(p.rng)):
		case <-ended:
			return
		case <-ctx.Done():
			return
		}
		if !p.run.quiet.Load() && !p.act(conn) {
			return
		}
	}
}

// act does something; false when the connection is over.
func (p *peer) act(conn *protocol.Conn) bool {
	room := p.run.room(p.rng)
	switch roll := p.rng.IntN(100); {
	case roll < 70:
		return p.talk(conn, room)
	case roll < 76: // cut off in the middle of it
		p.talk(conn, room)
		return false
	case roll < 80:
		return false
	case roll < 84: // slow to read
		p.mu.Lock()
		p.stall = time.Now().Add(upTo(p.rng, 400*time.Millisecond))
		p.mu.Unlock()
		return true
	case roll < 88:
		return conn.Write(&protocol.History{Ref: 2, Room: room, Before: p.rng.Uint64N(p.cursor(room) + 2), Limit: 1 + p.rng.Uint32N(200)}) == nil
	}
	switch state := p.stateOf(room); {
	case state == absent:
		p.setState(room, joining)
		if p.rng.IntN(3) == 0 { // all anew
			p.forget(room)
		}
		return conn.Write(&protocol.Join{Ref: 1, Room: room, After: p.cursor(room)}) == nil
	case state == in && p.waiting(room) == 0:
		p.setState(room, leaving)
		return conn.Write(&protocol.Leave{Ref: 3, Room: room}) == nil
	}
	return true
}

func (p *peer) stateOf(room string) following {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.state[room]
}

func (p *peer) setState(room string, s following) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.state[room] = s
}

// talk says a few lines, in writes of various sizes.
func (p *peer) talk(conn *protocol.Conn, room string) bool {
	if s := p.stateOf(room); s != in && s != joining {
		return true
	}
	n := min(1+p.rng.IntN(maxBurst), maxOpen-p.waiting(""))
	for n = p.run.take(max(n, 0)); n > 0; {
		var ms []protocol.Message
		for range min(n, 1+p.rng.IntN(20)) {
			ms = append(ms, p.say(room, lineSize(p.rng)))
		}
		if n -= len(ms); conn.Write(ms...) != nil {
			return false
		}
	}
	return true
}

// lineSize is mostly small, and sometimes large.
func lineSize(rng *rand.Rand) int {
	if rng.IntN(50) == 0 {
		return rng.IntN(8 << 10)
	}
	return rng.IntN(200)
}

// read reads until the connection ends.
func (p *peer) read(ctx context.Context, conn *protocol.Conn) {
	for {
		m, err := conn.Read()
		if err != nil {
			return
		}
		p.mu.Lock()
		stall := time.Until(p.stall)
		p.mu.Unlock()
		if stall > 0 && !wait(ctx, stall) {
			return
		}
		switch m := m.(type) {
		case *protocol.Entry:
			p.entry(m)
		case *protocol.Ack:
			p.acked(m)
		case *protocol.Joined:
			p.begin(m.Room, p.cursor(m.Room), m.Reset)
			p.setState(m.Room, in)
		case *protocol.Left:
			p.leave(m.Room)
			p.setState(m.Room, absent)
		case *protocol.Skipped:
			p.skipped(m)
			// What is left out is asked for: some of it.
			if conn.Write(&protocol.History{Ref: 2, Room: m.Room, After: m.From - 1, Before: m.To + 1, Oldest: true}) != nil {
				return
			}
		case *protocol.Page:
			p.page(m)
		case *protocol.Error:
			if m.Ref == 2 && m.Code == protocol.CodeNotFound {
				break // a page of a room that nobody has opened yet
			}
			p.wrong(other, "%s: the server says %q, %s (ref %d, id %v)", p.name, m.Text, m.Code, m.Ref, m.ID)
		case *protocol.Bye:
			if m.RetryAfter == 0 {
				p.wrong(other, "%s: the server says %+v", p.name, m)
			}
		}
	}
}

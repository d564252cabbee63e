package bench

import (
	"bufio"
	"context"
	"encoding/binary"
	"fmt"
	"io"
	"net"
	"sync"
)

// Relay is a bare relay: it serves l until ctx ends. A connection first says its room's
// number and the size of its records, four bytes each, big-endian, and is answered with
// one byte. From then on each record that it sends goes to all connections of the room.
func Relay(ctx context.Context, l net.Listener, batched bool) error {
	r := &relay{batched: batched, rooms: map[uint32]*relayRoom{}}
	stop := context.AfterFunc(ctx, func() { l.Close() })
	defer stop()
	for {
		nc, err := l.Accept()
		if err != nil {
			if ctx.Err() != nil {
				return nil
			}
			return err
		}
		go r.serve(nc)
	}
}

type relay struct {
	batched bool
	mu      sync.Mutex
	rooms   map[uint32]*relayRoom
}

type relayRoom struct {
	mu    sync.RWMutex
	conns map[*relayConn]struct{}
}

type relayConn struct {
	nc net.Conn

	// Of the batched kind.
	mu      sync.Mutex
	pending []byte
	more    sync.Cond
	closed  bool
}

func (r *relay) serve(nc net.Conn) {
	defer nc.Close()
	var head [8]byte
	if _, err := io.ReadFull(nc, head[:]); err != nil {
		return
	}
	size := binary.BigEndian.Uint32(head[4:])
	if size < 1 || size > MaxSize {
		return
	}
	c := &relayConn{nc: nc}
	c.more.L = &c.mu
	room := r.enter(binary.BigEndian.Uint32(head[:]), c)
	defer room.leave(c)
	if _, err := nc.Write([]byte{1}); err != nil {
		return
	}
	if r.batched {
		go c.write()
	}
	in := bufio.NewReader(nc)
	record := make([]byte, size)
	for {
		if _, err := io.ReadFull(in, record); err != nil {
			return
		}
		room.mu.RLock()
		for to := range room.conns {
			if r.batched {
				to.queue(record)
			} else {
				_, _ = to.nc.Write(record) // its own reader notices the end
			}
		}
		room.mu.RUnlock()
	}
}

func (r *relay) enter(number uint32, c *relayConn) *relayRoom {
	r.mu.Lock()
	defer r.mu.Unlock()
	room := r.rooms[number]
	if room == nil {
		room = &relayRoom{conns: map[*relayConn]struct{}{}}
		r.rooms[number] = room
	}
	room.mu.Lock()
	defer room.mu.Unlock()
	room.conns[c] = struct{}{}
	return room
}

func (room *relayRoom) leave(c *relayConn) {
	room.mu.Lock()
	delete(room.conns, c)
	room.mu.Unlock()
	c.mu.Lock()
	defer c.mu.Unlock()
	c.closed = true
	c.more.Signal()
}

func (c *relayConn) queue(record []byte) {
	c.mu.Lock()
	c.pending = append(c.pending, record...)
	c.mu.Unlock()
	c.more.Signal()
}

func (c *relayConn) write() {
	var out []byte
	for {
		c.mu.Lock()
		for len(c.pending) == 0 && !c.closed {
			c.more.Wait()
		}
		if c.closed {
			c.mu.Unlock()
			return
		}
		out, c.pending = c.pending, out[:0]
		c.mu.Unlock()
		if _, err := c.nc.Write(out); err != nil {
			return
		}
	}
}

// Bare is a bare relay as a target.
type Bare struct{ Addr string }

// connect implements Target.
func (t *Bare) connect(ctx context.Context, room, n int, l Load) (peer, error) {
	nc, err := dial(ctx, t.Addr, n)
	if err != nil {
		return nil, err
	}
	stop := context.AfterFunc(ctx, func() { nc.Close() })
	defer stop()
	head := binary.BigEndian.AppendUint32(nil, uint32(room))
	head = binary.BigEndian.AppendUint32(head, uint32(l.Size))
	if _, err := nc.Write(head); err != nil {
		nc.Close()
		return nil, err
	}
	p := &barePeer{nc: nc, in: bufio.NewReaderSize(nc, l.readBuffer()), record: make([]byte, l.Size)}
	if b, err := p.in.ReadByte(); err != nil || b != 1 {
		nc.Close()
		return nil, fmt.Errorf("the relay does not answer: %w", err)
	}
	return p, nil
}

type barePeer struct {
	nc     net.Conn
	in     *bufio.Reader
	record []byte
	out    []byte
}

func (p *barePeer) post(text []byte) { p.out = append(p.out, text...) }

func (p *barePeer) flush() error {
	_, err := p.nc.Write(p.out)
	p.out = p.out[:0]
	return err
}

func (p *barePeer) next() ([]byte, int, error) {
	_, err := io.ReadFull(p.in, p.record)
	return p.record, len(p.record), err
}

func (p *barePeer) close() { p.nc.Close() }

package bench

import (
	"bufio"
	"bytes"
	"context"
	"crypto/tls"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
	"sync/atomic"
	"time"

	"lanchat/protocol"
)

// Chat is a chat server as a target. Config is that of TLS; nil: without it.
type Chat struct {
	Addr   string
	Config *tls.Config
	Slowed *atomic.Int64 // counts what the server says of slowness; nil: nobody
}

// connect implements Target.
func (t *Chat) connect(ctx context.Context, room, n int, l Load) (peer, error) {
	nc, err := t.welcomed(ctx, n)
	if err != nil {
		return nil, err
	}
	stop := context.AfterFunc(ctx, func() { nc.Close() })
	defer stop()
	name := fmt.Sprint("bench-", room)
	join, err := protocol.AppendFrame(nil, &protocol.Join{Ref: 1, Room: name, Live: true})
	if err != nil {
		return nil, err
	}
	if _, err := nc.Write(join); err != nil {
		nc.Close()
		return nil, err
	}
	// From here on the frames are read by the peer itself. Behind welcome nothing comes
	// to a guest who has asked for nothing, so none was read ahead.
	p := &chatPeer{nc: nc, in: bufio.NewReaderSize(nc, l.readBuffer()), room: name, size: l.Size, slowed: t.Slowed}
	if err := p.awaitJoined(); err != nil {
		nc.Close()
		return nil, err
	}
	return p, p.makePost()
}

// welcomed is a connection that the server has said welcome on.
func (t *Chat) welcomed(ctx context.Context, n int) (net.Conn, error) {
	for tries := 1; ; tries++ {
		nc, err := dial(ctx, t.Addr, n)
		if err != nil {
			return nil, err
		}
		if t.Config != nil {
			nc = tls.Client(nc, t.Config)
		}
		_, _, err = protocol.Handshake(ctx, nc, &protocol.Hello{Nick: fmt.Sprint("bench-", n), Software: "chat bench"})
		if errors.Is(err, protocol.ErrGreeted) && tries < 5 {
			continue // where thousands come at once, one may say its first word too late
		}
		return nc, err
	}
}

// sources is how many addresses of this host the connections come from: servers bound how
// many come from one, and how many of these are new.
const sources = 200

// dial connects, on this host from one of its addresses after the other.
func dial(ctx context.Context, addr string, n int) (net.Conn, error) {
	d := net.Dialer{Timeout: 10 * time.Second}
	if to, err := netip.ParseAddrPort(addr); err == nil && to.Addr().Unmap().Is4() && to.Addr().Unmap().IsLoopback() {
		d.LocalAddr = &net.TCPAddr{IP: net.IPv4(127, 1, 0, byte(1+n%sources))}
		if nc, err := d.DialContext(ctx, "tcp", addr); err == nil {
			return nc, nil
		}
		d.LocalAddr = nil // not every system has the whole of 127.0.0.0/8
	}
	return d.DialContext(ctx, "tcp", addr)
}

// chatPeer speaks the protocol as far as a load needs it, without making a message of
// each frame: what the load costs, the server lacks.
type chatPeer struct {
	nc     net.Conn
	in     *bufio.Reader
	used   int // of the frame that was returned last
	room   string
	size   int
	slowed *atomic.Int64

	frame    []byte // of a post
	idAt     int
	textAt   int
	sequence uint64
	out      []byte
}

func (p *chatPeer) awaitJoined() error {
	for {
		body, _, err := p.nextFrame()
		if err != nil {
			return err
		}
		m, err := protocol.Decode(body)
		if err != nil {
			return err
		}
		switch m := m.(type) {
		case *protocol.Joined:
			return nil
		case *protocol.Error:
			return m
		}
	}
}

// makePost makes the frame in which a post's id and text are put.
func (p *chatPeer) makePost() (err error) {
	id := protocol.NewID()
	text := bytes.Repeat([]byte{'@'}, p.size)
	if p.frame, err = protocol.AppendFrame(nil, &protocol.Post{ID: id, Room: p.room, Text: string(text)}); err != nil {
		return err
	}
	p.idAt, p.textAt = bytes.Index(p.frame, id[:]), bytes.Index(p.frame, text)
	p.sequence = binary.BigEndian.Uint64(id[8:])
	return nil
}

func (p *chatPeer) post(text []byte) {
	// A UUIDv7 (RFC 9562): milliseconds, version, and behind the variant a number.
	id := p.frame[p.idAt : p.idAt+16]
	ms := uint64(time.Now().UnixMilli())
	binary.BigEndian.PutUint64(id, ms<<16|0x7000)
	p.sequence++
	binary.BigEndian.PutUint64(id[8:], 1<<63|p.sequence&(1<<62-1))
	copy(p.frame[p.textAt:], text)
	p.out = append(p.out, p.frame...)
}

func (p *chatPeer) flush() error {
	_, err := p.nc.Write(p.out)
	p.out = p.out[:0]
	return err
}

// nextFrame returns a frame's body, and its length with the header.
func (p *chatPeer) nextFrame() ([]byte, int, error) {
	if _, err := p.in.Discard(p.used); err != nil {
		return nil, 0, err
	}
	p.used = 0
	head, err := p.in.Peek(4)
	if err != nil {
		return nil, 0, err
	}
	n := int(binary.BigEndian.Uint32(head))
	if n < 1 || n > protocol.MaxFrame {
		return nil, 0, protocol.ErrProtocol
	}
	if 4+n > p.in.Size() { // the largest are a little larger than the buffer
		if _, err := p.in.Discard(4); err != nil {
			return nil, 0, err
		}
		body := make([]byte, n)
		_, err := io.ReadFull(p.in, body)
		return body, 4 + n, err
	}
	b, err := p.in.Peek(4 + n)
	if err != nil {
		return nil, 0, err
	}
	p.used = 4 + n
	return b[4:], 4 + n, nil
}

var entryName = []byte("\x92\xa5entry")

func (p *chatPeer) next() (text []byte, read int, err error) {
	body, n, err := p.nextFrame()
	if err != nil {
		return nil, 0, err
	}
	if bytes.HasPrefix(body, entryName) {
		if text := p.textOf(body); text != nil {
			return text, n, nil
		}
	}
	if bytes.HasPrefix(body, []byte("\x92\xa3ack")) {
		return nil, n, nil
	}
	m, err := protocol.Decode(body)
	if err != nil {
		return nil, 0, err
	}
	switch m := m.(type) {
	case *protocol.Entry:
		return []byte(m.Text), n, nil
	case *protocol.Slow:
		if p.slowed != nil {
			p.slowed.Add(1)
		}
	case *protocol.Error:
		return nil, 0, fmt.Errorf("the server refuses a post: %w", m)
	case *protocol.Bye:
		return nil, 0, fmt.Errorf("the server says goodbye: %s", m.Text)
	case *protocol.Ping:
		return nil, n, errors.Join(p.answer(m))
	}
	return nil, n, nil
}

// textOf is the text of a load's entry, which stands at the end of its frame.
func (p *chatPeer) textOf(body []byte) []byte {
	at := len(body) - p.size
	for _, head := range []int{2, 3} { // MessagePack: str 8, str 16
		if before := at - head - 5; before > 0 && string(body[before:before+5]) == "\xa4text" {
			return body[at:]
		}
	}
	return nil
}

func (p *chatPeer) answer(m *protocol.Ping) error {
	frame, err := protocol.AppendFrame(nil, &protocol.Pong{N: m.N})
	if err == nil {
		_, err = p.nc.Write(frame)
	}
	return err
}

func (p *chatPeer) close() { p.nc.Close() }

package protocol

import (
	"errors"
	"io"
	"net"
	"sync"
	"sync/atomic"
	"time"
)

// The deadlines of a connection.
const (
	HandshakeTimeout = 10 * time.Second // from connect to welcome
	PingInterval     = 30 * time.Second // a client that has sent nothing for so long sends a ping
	SilenceTimeout   = 75 * time.Second // a peer of which no whole frame came for so long is gone
	WriteTimeout     = 30 * time.Second // a write that makes no way for so long ends the connection
)

const (
	readBufferMin = 4 << 10
	readBufferMax = MaxFrame + frameHeader
	deadlineSlack = SilenceTimeout / 15 // how stale a read deadline may grow before it is set anew
)

// Conn is one connection, behind the handshake or before it.
//
// One goroutine at a time may call Read. Write, WriteFrames and Close may be
// called by several at once, beside Read: each call's frames stay together.
// After an error of Read or Write the connection is of no more use; the caller
// closes it.
//
// While no byte is waiting a Conn holds no read buffer: the next frame's header
// is read into the Conn itself, and the buffer for the body comes from a pool.
// A buffer starts at 4 KiB and doubles only as bytes arrive to fill it.
type Conn struct {
	nc    net.Conn
	limit int // bytes of a body that may be read now

	head     [frameHeader]byte
	begun    int    // bytes of head that are read and not yet used
	buf      []byte // from the pool; nil while nothing is buffered
	r, w     int    // buf[r:w] is read and not yet used
	grow     bool   // the last read filled its buffer
	deadline time.Time

	answer func(*Auth) (*Auth, error) // nil: nothing can be proved; of a client

	watch  func(Frame) // nil: nobody watches
	stream stream      // of what is read, where somebody does

	wmu    sync.Mutex
	writes uint64       // counted where somebody watches
	sent   atomic.Int64 // when the last write ended, Unix nanoseconds
}

// NewConn makes a Conn of a connection whose handshake is still to come, which
// bounds frames to MaxHandshakeFrame. Most callers want Dial or Accept.
func NewConn(nc net.Conn) *Conn {
	return &Conn{nc: nc, limit: MaxHandshakeFrame}
}

// NetConn returns the connection underneath.
func (c *Conn) NetConn() net.Conn { return c.nc }

// Close closes the connection at once. A Read or Write under way fails.
func (c *Conn) Close() error { return c.nc.Close() }

// LastWrite returns when the last write ended.
func (c *Conn) LastWrite() time.Time { return time.Unix(0, c.sent.Load()) }

// established lifts the bounds of the handshake.
func (c *Conn) established() error {
	c.limit = MaxFrame
	c.deadline = time.Time{}
	return c.nc.SetDeadline(time.Time{})
}

// Read returns the next message of a type that this version knows. It fails
// with io.EOF when the peer closed between two frames, with
// io.ErrUnexpectedEOF inside one, with os.ErrDeadlineExceeded after
// SilenceTimeout, and with an error that wraps ErrProtocol for bytes that break
// the spec.
func (c *Conn) Read() (Message, error) {
	for {
		body, err := c.next()
		if err != nil {
			return nil, err
		}
		m, err := Decode(body)
		if c.watch != nil {
			c.tellRead(body, m, err)
		}
		if err != nil {
			return nil, err
		}
		if m != nil {
			return m, nil
		}
	}
}

// Buffered returns how many bytes have been read and not yet used: while it is
// not zero, Read likely returns without waiting.
func (c *Conn) Buffered() int { return c.begun + c.w - c.r }

// Await returns when Read has something to begin with, or would fail. It counts as a
// Read, and takes less of the stack while it waits.
func (c *Conn) Await() error {
	if c.Buffered() > 0 || c.watch != nil {
		return nil
	}
	c.release()
	if err := c.refreshDeadline(); err != nil {
		return err
	}
	n, err := c.nc.Read(c.head[:])
	if c.begun = n; n > 0 {
		return nil
	}
	return err
}

// next returns the next frame's body, valid until the next call.
func (c *Conn) next() ([]byte, error) {
	if err := c.refreshDeadline(); err != nil {
		return nil, err
	}
	if c.watch != nil {
		return c.nextWatched()
	}
	if c.r == c.w {
		c.release()
		begun := c.begun
		c.begun = 0
		if _, err := io.ReadFull(c.nc, c.head[begun:]); err != nil {
			if begun > 0 && errors.Is(err, io.EOF) {
				err = io.ErrUnexpectedEOF
			}
			return nil, err
		}
		n, err := frameLen(c.head[:], c.limit)
		if err != nil {
			return nil, err
		}
		return c.body(n)
	}
	if err := c.fill(frameHeader); err != nil {
		return nil, err
	}
	n, err := frameLen(c.buf[c.r:], c.limit)
	if err != nil {
		return nil, err
	}
	c.r += frameHeader
	return c.body(n)
}

func (c *Conn) body(n int) ([]byte, error) {
	if err := c.fill(n); err != nil {
		return nil, err
	}
	body := c.buf[c.r : c.r+n]
	c.r += n
	return body, nil
}

// fill reads until at least n bytes are buffered.
func (c *Conn) fill(n int) error {
	for c.w-c.r < n {
		c.makeRoom()
		got, err := c.nc.Read(c.buf[c.w:])
		c.w += got
		if c.watch != nil {
			c.stream.moved(got)
		}
		c.grow = c.w == len(c.buf)
		if err != nil && c.w-c.r < n {
			if errors.Is(err, io.EOF) {
				return io.ErrUnexpectedEOF
			}
			return err
		}
	}
	return nil
}

// makeRoom makes sure that there is a buffer with space behind w: a fresh one,
// the same one with its used front moved away, or one twice as large when bytes
// have filled it before.
func (c *Conn) makeRoom() {
	switch size := len(c.buf); {
	case c.buf == nil:
		c.buf = getBuffer(readBufferMin)
	case c.w < size:
	case c.grow && size < readBufferMax:
		larger := getBuffer(min(2*size, readBufferMax))
		c.w = copy(larger, c.buf[c.r:c.w])
		putBuffer(c.buf)
		c.buf, c.r = larger, 0
	case c.r > 0:
		c.w = copy(c.buf, c.buf[c.r:c.w])
		c.r = 0
	}
}

func (c *Conn) release() {
	if c.buf != nil {
		putBuffer(c.buf)
		c.buf, c.r, c.w = nil, 0, 0
	}
}

// refreshDeadline gives the peer SilenceTimeout for the next whole frame.
// Setting a deadline costs a timer, so one that is only a little old stays.
func (c *Conn) refreshDeadline() error {
	if c.limit == MaxHandshakeFrame {
		return nil // the handshake has one deadline for all of it
	}
	now := time.Now()
	if c.deadline.Sub(now) > SilenceTimeout-deadlineSlack {
		return nil
	}
	c.deadline = now.Add(SilenceTimeout)
	return c.nc.SetReadDeadline(c.deadline)
}

// Write sends messages in one write. Those before one that does not fit a frame
// are not sent either.
func (c *Conn) Write(ms ...Message) error {
	buf := getBuffer(readBufferMin)
	defer func() { putBuffer(buf) }()
	out := buf[:0]
	for _, m := range ms {
		var err error
		if out, err = AppendFrame(out, m); err != nil {
			return err
		}
	}
	if cap(out) > cap(buf) {
		buf = out[:cap(out)]
	}
	return c.WriteFrames(out)
}

// WriteFrames sends frames that AppendFrame made. It returns when the kernel
// has taken them all, or after WriteTimeout without it.
func (c *Conn) WriteFrames(frames []byte) error {
	c.wmu.Lock()
	defer c.wmu.Unlock()
	if c.limit != MaxHandshakeFrame {
		if err := c.nc.SetWriteDeadline(time.Now().Add(WriteTimeout)); err != nil {
			return err
		}
	}
	if c.watch != nil {
		c.tellWrite(frames)
	}
	_, err := c.nc.Write(frames)
	c.sent.Store(time.Now().UnixNano())
	return err
}

// buffers are kept by size: 4, 8, … 64 KiB and a little.
var buffers sync.Map // int → *sync.Pool of *[]byte

func getBuffer(size int) []byte {
	if pool, ok := buffers.Load(size); ok {
		if b, ok := pool.(*sync.Pool).Get().(*[]byte); ok {
			return *b
		}
	}
	return make([]byte, size)
}

func putBuffer(b []byte) {
	if len(b) > readBufferMax {
		return
	}
	pool, ok := buffers.Load(len(b))
	if !ok {
		if len(b)&(len(b)-1) != 0 && len(b) != readBufferMax {
			return // not one of the sizes that are asked for
		}
		pool, _ = buffers.LoadOrStore(len(b), new(sync.Pool))
	}
	pool.(*sync.Pool).Put(&b)
}

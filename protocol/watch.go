package protocol

import (
	"encoding/binary"
	"errors"
	"io"
	"time"

	"lanchat/internal/wire"
)

// Frame is one frame that was sent or came in, as a function given to Conn.Watch
// is told.
type Frame struct {
	At      time.Time // its write began, or the read that brought its last byte ended
	Sent    bool
	Body    []byte  // valid during the call only
	Type    string  // as it stands in the body; "" where Err says that it cannot be read
	Message Message // nil: a type this version does not know, or Err says why
	Err     error   // what Decode said
	// First and Last are the numbers, from 1, of the reads that brought its first
	// and its last byte; of one that was sent, both are that of its write.
	First, Last uint64
	// Size is how many bytes the read or write with the number Last moved.
	Size int
	// More is how many whole frames stand behind this one that the same read or
	// write moved.
	More int
}

// Watch has watch told of every frame that is sent or comes in. It is to be
// called before the first Read or Write. watch may be called by two goroutines at
// once, one that reads and one that writes, and must not block: the connection
// stands still meanwhile. A Conn that nobody watches pays one comparison a frame.
//
// A Conn that is watched keeps a read buffer while it waits, so that each read
// takes all that has come: else the first four bytes of a frame would always come
// alone, and say nothing about the stream.
func (c *Conn) Watch(watch func(Frame)) { c.watch = watch }

// stream counts the reads of a Conn that is watched.
type stream struct {
	reads uint64
	first uint64 // the read that brought the first byte of the frame under way
	size  int    // bytes of the last read
	at    time.Time
}

func (s *stream) moved(n int) {
	if n > 0 {
		s.reads++
		s.size, s.at = n, time.Now()
	}
}

// nextWatched is next with a buffer from the start.
func (c *Conn) nextWatched() ([]byte, error) {
	c.stream.first = c.stream.reads // what is left over came with the last read
	if c.r == c.w {
		c.release()
		c.stream.first++
	}
	if err := c.fill(frameHeader); err != nil {
		if c.r == c.w && errors.Is(err, io.ErrUnexpectedEOF) {
			return nil, io.EOF // between two frames
		}
		return nil, err
	}
	copy(c.head[:], c.buf[c.r:])
	n, err := frameLen(c.head[:], c.limit)
	if err != nil {
		return nil, err
	}
	c.r += frameHeader
	return c.body(n)
}

// tellRead tells of a frame that came. One that has no place in the stream, by
// its length, is no frame.
func (c *Conn) tellRead(body []byte, m Message, err error) {
	c.watch(Frame{At: c.stream.at, Body: body, Type: typeOf(body), Message: m, Err: err,
		First: c.stream.first, Last: c.stream.reads, Size: c.stream.size, More: whole(c.buf[c.r:c.w])})
}

// tellWrite tells of the frames of one write, before it: the answer may come
// while it is under way. c.wmu is held.
func (c *Conn) tellWrite(frames []byte) {
	c.writes++
	now, size := time.Now(), len(frames)
	for more := whole(frames); more > 0; more-- {
		n := frameHeader + int(binary.BigEndian.Uint32(frames))
		body := frames[frameHeader:n]
		frames = frames[n:]
		m, err := Decode(body)
		c.watch(Frame{At: now, Sent: true, Body: body, Type: typeOf(body), Message: m, Err: err,
			First: c.writes, Last: c.writes, Size: size, More: more - 1})
	}
}

// whole counts the frames at the beginning of b that are there to their end.
func whole(b []byte) (frames int) {
	for len(b) >= frameHeader {
		n := binary.BigEndian.Uint32(b)
		if n == 0 || n > MaxFrame || int(n) > len(b)-frameHeader {
			break
		}
		b = b[frameHeader+int(n):]
		frames++
	}
	return frames
}

func typeOf(body []byte) string {
	name, _, _ := wire.Split(body)
	return name
}

package protocol

import (
	"encoding/binary"
	"fmt"

	"lanchat/internal/wire"
)

// The bounds of a frame's body, in bytes.
const (
	MaxFrame          = 64 << 10
	MaxHandshakeFrame = 4 << 10 // until welcome is sent
	frameHeader       = 4
)

// AppendFrame appends m as one frame. It fails with ErrTooLarge when the body
// would not fit; dst is returned as it was.
func AppendFrame(dst []byte, m Message) ([]byte, error) {
	start := len(dst)
	out := wire.Append(append(dst, 0, 0, 0, 0), m.wireName(), m)
	n := len(out) - start - frameHeader
	if n > MaxFrame {
		return dst[:start], ErrTooLarge
	}
	binary.BigEndian.PutUint32(out[start:], uint32(n))
	return out, nil
}

// frameLen reads a frame's header. It is where a length is checked, before a
// byte of the body is read or a buffer made for it.
func frameLen(head []byte, limit int) (int, error) {
	n := binary.BigEndian.Uint32(head)
	if n == 0 || n > uint32(limit) {
		return 0, fmt.Errorf("%w: a frame of %d bytes, at most %d", ErrProtocol, n, limit)
	}
	return int(n), nil
}

// Decode reads a frame's body. A type that this version does not know gives
// nil and no error: it is to be skipped. Other errors wrap ErrProtocol.
func Decode(body []byte) (Message, error) {
	name, fields, err := wire.Split(body)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrProtocol, err)
	}
	make, known := messages[name]
	if !known {
		if err := wire.Check(fields); err != nil {
			return nil, fmt.Errorf("%w: %w", ErrProtocol, err)
		}
		return nil, nil
	}
	m := make()
	if err := wire.Decode(fields, m); err != nil {
		return nil, fmt.Errorf("%w: %s: %w", ErrProtocol, name, err)
	}
	return m, nil
}

// MaxSize is the most bytes that the entry can take on the wire, as a message
// of its own or in a list.
func (e *Entry) MaxSize() int {
	const fixed = 144 // header, names, numbers, ids and every flag; a test holds it
	size := fixed + len(e.Room) + len(e.Nick) + len(e.Kind) + len(e.Text)
	for i := range e.Reactions {
		r := &e.Reactions[i]
		size += 24 + len(r.Text) + 18*len(r.By)
	}
	if len(e.Purged) > 0 {
		size += 10 + 9*len(e.Purged)
	}
	return size
}

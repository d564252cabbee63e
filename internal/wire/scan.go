package wire

import (
	"bytes"
	"encoding/binary"
	"unicode/utf8"
)

// kind is what a MessagePack value is, without its size.
type kind byte

const (
	kindNil kind = iota
	kindBool
	kindInt
	kindFloat
	kindString
	kindBinary
	kindExt
	kindArray
	kindMap
)

func (k kind) String() string {
	return [...]string{"nil", "bool", "integer", "float", "string", "binary", "extension", "array", "map"}[k]
}

// head is one value's first bytes, read: its kind, and then either its length
// (bytes of a string, binary or extension; elements of an array; pairs of a
// map) or the integer itself.
type head struct {
	kind     kind
	n        int
	u        uint64 // the integer, when negative is false
	i        int64  // the integer, when negative is true
	negative bool
}

// scanner walks over MessagePack bytes without allocating.
type scanner struct {
	b  []byte
	at int
}

func (s *scanner) left() int { return len(s.b) - s.at }

func (s *scanner) end() error {
	if s.left() > 0 {
		return malformed("%d bytes behind the end", s.left())
	}
	return nil
}

// uint reads n bytes (1, 2, 4 or 8) as a big-endian number.
func (s *scanner) uint(n int) (uint64, error) {
	if s.left() < n {
		return 0, malformed("it ends in the middle of a value")
	}
	p := s.b[s.at : s.at+n]
	s.at += n
	switch n {
	case 1:
		return uint64(p[0]), nil
	case 2:
		return uint64(binary.BigEndian.Uint16(p)), nil
	case 4:
		return uint64(binary.BigEndian.Uint32(p)), nil
	}
	return binary.BigEndian.Uint64(p), nil
}

// header reads a value's head and checks its announced length against the
// bytes left: an element takes at least one byte, a pair two.
func (s *scanner) header() (head, error) {
	if s.left() == 0 {
		return head{}, malformed("it ends in the middle of a value")
	}
	b := s.b[s.at]
	s.at++
	switch {
	case b <= 0x7f:
		return head{kind: kindInt, u: uint64(b)}, nil
	case b <= 0x8f:
		return s.sized(kindMap, uint64(b&0x0f), 2)
	case b <= 0x9f:
		return s.sized(kindArray, uint64(b&0x0f), 1)
	case b <= 0xbf:
		return s.sized(kindString, uint64(b&0x1f), 1)
	case b >= 0xe0:
		return signed(int64(int8(b))), nil
	}
	switch b {
	case 0xc0:
		return head{kind: kindNil}, nil
	case 0xc2:
		return head{kind: kindBool}, nil
	case 0xc3:
		return head{kind: kindBool, u: 1}, nil
	case 0xc4, 0xc5, 0xc6:
		return s.long(kindBinary, 1<<(b-0xc4), 1)
	case 0xc7, 0xc8, 0xc9:
		h, err := s.long(kindExt, 1<<(b-0xc7), 1)
		if err != nil {
			return head{}, err
		}
		return s.sized(kindExt, uint64(h.n)+1, 1) // the extension's type is one more byte
	case 0xca:
		return s.sized(kindFloat, 4, 1)
	case 0xcb:
		return s.sized(kindFloat, 8, 1)
	case 0xcc, 0xcd, 0xce, 0xcf:
		u, err := s.uint(1 << (b - 0xcc))
		return head{kind: kindInt, u: u}, err
	case 0xd0:
		u, err := s.uint(1)
		return signed(int64(int8(u))), err
	case 0xd1:
		u, err := s.uint(2)
		return signed(int64(int16(u))), err
	case 0xd2:
		u, err := s.uint(4)
		return signed(int64(int32(u))), err
	case 0xd3:
		u, err := s.uint(8)
		return signed(int64(u)), err
	case 0xd4, 0xd5, 0xd6, 0xd7, 0xd8:
		return s.sized(kindExt, 1+1<<(b-0xd4), 1)
	case 0xd9, 0xda, 0xdb:
		return s.long(kindString, 1<<(b-0xd9), 1)
	case 0xdc, 0xdd:
		return s.long(kindArray, 2<<(b-0xdc), 1)
	case 0xde, 0xdf:
		return s.long(kindMap, 2<<(b-0xde), 2)
	}
	return head{}, malformed("byte 0x%02x begins no value", b)
}

func signed(i int64) head {
	if i < 0 {
		return head{kind: kindInt, i: i, negative: true}
	}
	return head{kind: kindInt, u: uint64(i)}
}

// long reads a length of the given width, then does as sized.
func (s *scanner) long(k kind, width int, each uint64) (head, error) {
	n, err := s.uint(width)
	if err != nil {
		return head{}, err
	}
	return s.sized(k, n, each)
}

func (s *scanner) sized(k kind, n, each uint64) (head, error) {
	if n*each > uint64(s.left()) { // n < 2^32, so the product fits
		return head{}, malformed("a %s announces %d, more than the bytes left can hold", k, n)
	}
	return head{kind: k, n: int(n)}, nil
}

// take returns the next n bytes; header has checked that they are there.
func (s *scanner) take(n int) []byte {
	p := s.b[s.at : s.at+n]
	s.at += n
	return p
}

// key reads a string of at most MaxName bytes: a map's key, a message's name.
func (s *scanner) key() ([]byte, error) {
	h, err := s.header()
	if err != nil {
		return nil, err
	}
	if h.kind != kindString {
		return nil, malformed("a name is a %s, not a string", h.kind)
	}
	if h.n > MaxName {
		return nil, malformed("a name of %d bytes", h.n)
	}
	p := s.take(h.n)
	if !utf8.Valid(p) {
		return nil, malformed("a name is not UTF-8")
	}
	return p, nil
}

// skipValue checks and passes over the rest of a value of any shape. depth is
// the nesting that the value itself has.
func (s *scanner) skipValue(h head, depth int) error {
	switch h.kind {
	case kindString:
		if !utf8.Valid(s.take(h.n)) {
			return malformed("a string is not UTF-8")
		}
	case kindBinary, kindExt, kindFloat:
		s.take(h.n)
	case kindArray:
		if depth > MaxDepth {
			return malformed("nested deeper than %d", MaxDepth)
		}
		for range h.n {
			if err := s.skipNext(depth + 1); err != nil {
				return err
			}
		}
	case kindMap:
		return s.pairs(h, depth, func([]byte) error { return s.skipNext(depth + 1) })
	}
	return nil
}

func (s *scanner) skipNext(depth int) error {
	h, err := s.header()
	if err != nil {
		return err
	}
	return s.skipValue(h, depth)
}

// pairs walks a map: value is called behind each key, to pass over its value.
func (s *scanner) pairs(h head, depth int, value func(key []byte) error) error {
	if depth > MaxDepth {
		return malformed("nested deeper than %d", MaxDepth)
	}
	if h.n > MaxKeys {
		return malformed("a map of %d keys", h.n)
	}
	var seen [MaxKeys][]byte
	for n := range h.n {
		k, err := s.key()
		if err != nil {
			return err
		}
		for _, other := range seen[:n] {
			if bytes.Equal(other, k) {
				return malformed("the key %q stands twice", k)
			}
		}
		seen[n] = k
		if err := value(k); err != nil {
			return err
		}
	}
	return nil
}

// Package wire is bounded MessagePack: the one way in which a body from the
// network becomes Go values, for the stream (package protocol) and the
// datagram (package discovery) alike.
//
// A body is one MessagePack array of two, [name string, fields map]. The
// MessagePack library believes what a peer says: five bytes that announce an
// array of 2^28 elements make it allocate gigabytes. So nothing reaches it
// unchecked. [Decode] first walks the bytes once, beside the Go type that they
// are meant for, and refuses
//
//   - an array or map header that announces more than the bytes left can hold,
//     or more than the field's own limit (struct tag `max:"N"`)
//   - nesting deeper than [MaxDepth], in unknown fields too
//   - text that is not UTF-8
//   - a map with a key twice, with more than [MaxKeys] keys, or with a key that
//     is not a string
//   - another shape than the field has: an array where a map belongs, a nil, a
//     float for an integer, a binary of another length than a fixed-size one
//   - an integer outside the field's range
//   - anything behind the end of the value
//
// Only then the library fills the struct. Unknown fields are checked by the
// same rules and ignored, so versions can live together.
//
// Source: the MessagePack specification, https://github.com/msgpack/msgpack/blob/master/spec.md.
// All functions may be called by several goroutines at once.
package wire

import (
	"errors"
	"fmt"
	"reflect"

	"github.com/vmihailenco/msgpack/v5"
)

const (
	// MaxDepth is how deep arrays and maps may nest, the fields map included.
	MaxDepth = 8
	// MaxKeys is how many keys one map may have.
	MaxKeys = 64
	// MaxName is the longest message name or map key, in bytes.
	MaxName = 32
)

// ErrMalformed is wrapped by every error about bytes that a peer sent.
var ErrMalformed = errors.New("malformed message")

func malformed(format string, args ...any) error {
	return fmt.Errorf("%w: %s", ErrMalformed, fmt.Sprintf(format, args...))
}

// Append appends the body [name, fields] to dst. fields is a pointer to a
// struct whose fields have msgpack tags, in their order; its zero values marked
// omitempty are left out, and numbers and lengths take as few bytes as they can.
// It panics for a type that cannot be a message: see [Decode].
func Append(dst []byte, name string, fields any) []byte {
	v := message(fields)
	w := writers.Get().(*writer)
	w.b = dst
	_, _ = w.enc.EncodeArrayLen(2), w.enc.EncodeString(name)
	w.value(shapeOf(v.Type()), v)
	dst, w.b = w.b, nil
	writers.Put(w)
	return dst
}

// message returns the struct that a pointer leads to.
func message(p any) reflect.Value {
	v := reflect.ValueOf(p)
	if v.Kind() != reflect.Pointer || v.Elem().Kind() != reflect.Struct {
		panic(fmt.Sprintf("wire: %T is not a pointer to a struct", p))
	}
	return v.Elem()
}

// Split takes a body apart. The fields are not yet checked: hand them to
// [Decode], or to [Check] when the name is not known.
func Split(body []byte) (name string, fields []byte, err error) {
	s := scanner{b: body}
	h, err := s.header()
	if err != nil {
		return "", nil, err
	}
	if h.kind != kindArray || h.n != 2 {
		return "", nil, malformed("the body is not an array of two")
	}
	raw, err := s.key()
	if err != nil {
		return "", nil, err
	}
	return string(raw), body[s.at:], nil
}

// Check checks a fields map of unknown shape.
func Check(fields []byte) error {
	s := scanner{b: fields}
	h, err := s.header()
	if err != nil {
		return err
	}
	if h.kind != kindMap {
		return malformed("the fields are not a map")
	}
	if err := s.skipValue(h, 1); err != nil {
		return err
	}
	return s.end()
}

// Decode checks a fields map against the struct that into points to, and fills
// it. Nothing is allocated, and into is untouched, unless the check passed.
//
// A field may be a bool, a string, an integer, a []byte, a [N]byte, a struct,
// or a slice of those. It panics for any other type.
func Decode(fields []byte, into any) error {
	s := scanner{b: fields}
	if err := s.checkValue(shapeOf(message(into).Type()), 1); err != nil {
		return err
	}
	if err := s.end(); err != nil {
		return err
	}
	if err := msgpack.Unmarshal(fields, into); err != nil {
		return malformed("%v", err)
	}
	return nil
}

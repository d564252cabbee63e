package wire

import (
	"reflect"
	"sync"

	"github.com/vmihailenco/msgpack/v5"
)

// writer appends values to b, by the library's encoder for single values: its own walk
// through a struct allocates for each message, and the shape is known here.
type writer struct {
	enc *msgpack.Encoder // into this writer; it never fails, as memory takes everything
	b   []byte
}

var writers = sync.Pool{New: func() any {
	w := &writer{}
	w.enc = msgpack.NewEncoder(w)
	return w
}}

func (w *writer) Write(b []byte) (int, error) {
	w.b = append(w.b, b...)
	return len(b), nil
}

func (w *writer) WriteByte(b byte) error {
	w.b = append(w.b, b)
	return nil
}

// value appends a value of the shape. Byte arrays must be addressable, as all is that a
// pointer leads to.
func (w *writer) value(s *shape, v reflect.Value) {
	switch s.kind {
	case kindBool:
		_ = w.enc.EncodeBool(v.Bool())
	case kindInt:
		if s.signed {
			_ = w.enc.EncodeInt(v.Int())
		} else {
			_ = w.enc.EncodeUint(v.Uint())
		}
	case kindString:
		_ = w.enc.EncodeString(v.String())
	case kindBinary:
		raw := v.Bytes()
		_ = w.enc.EncodeBytesLen(len(raw)) // EncodeBytes makes nil of none
		w.b = append(w.b, raw...)
	case kindArray:
		_ = w.enc.EncodeArrayLen(v.Len())
		for i := range v.Len() {
			w.value(s.elem, v.Index(i))
		}
	case kindMap:
		n := 0
		for _, f := range s.order {
			if !f.omit || !isEmpty(&f.shape, v.Field(f.at)) {
				n++
			}
		}
		_ = w.enc.EncodeMapLen(n)
		for _, f := range s.order {
			if field := v.Field(f.at); !f.omit || !isEmpty(&f.shape, field) {
				_ = w.enc.EncodeString(f.name)
				w.value(&f.shape, field)
			}
		}
	}
}

// isEmpty is true for what omitempty leaves out.
func isEmpty(s *shape, v reflect.Value) bool {
	if s.kind == kindArray || s.kind == kindBinary && s.fixed == 0 {
		return v.Len() == 0
	}
	return v.IsZero()
}

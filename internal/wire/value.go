package wire

import (
	"bytes"
	"encoding/binary"
	"math"
	"reflect"
)

// appendValue appends a value of the shape. Byte arrays must be addressable, as
// all is that a pointer leads to.
func appendValue(b []byte, s *shape, v reflect.Value) []byte {
	switch s.kind {
	case kindBool:
		if v.Bool() {
			return append(b, 0xc3)
		}
		return append(b, 0xc2)
	case kindInt:
		if s.signed {
			return appendInt(b, v.Int())
		}
		return appendUint(b, v.Uint())
	case kindString:
		return appendString(b, v.String())
	case kindBinary:
		raw := v.Bytes()
		return append(binaryForm.append(b, len(raw)), raw...)
	case kindArray:
		b = arrayForm.append(b, v.Len())
		for i := range v.Len() {
			b = appendValue(b, s.elem, v.Index(i))
		}
	case kindMap:
		n := 0
		for _, f := range s.order {
			if !f.omit || !isEmpty(&f.shape, v.Field(f.at)) {
				n++
			}
		}
		b = mapForm.append(b, n)
		for _, f := range s.order {
			if field := v.Field(f.at); !f.omit || !isEmpty(&f.shape, field) {
				b = appendValue(append(b, f.key...), &f.shape, field)
			}
		}
	}
	return b
}

// isEmpty is true for what omitempty leaves out.
func isEmpty(s *shape, v reflect.Value) bool {
	if s.kind == kindArray || s.kind == kindBinary && s.fixed == 0 {
		return v.Len() == 0
	}
	return v.IsZero()
}

func appendString(b []byte, s string) []byte {
	return append(stringForm.append(b, len(s)), s...)
}

// form is how a length is written: in one byte with short where it is below end,
// else behind a code. Arrays and maps have no code8.
type form struct {
	short         byte
	end           int
	code8, code16 byte
}

var (
	stringForm = form{0xa0, 32, 0xd9, 0xda}
	binaryForm = form{0, 0, 0xc4, 0xc5}
	arrayForm  = form{0x90, 16, 0, 0xdc}
	mapForm    = form{0x80, 16, 0, 0xde}
)

func (f *form) append(b []byte, n int) []byte {
	switch {
	case n < f.end:
		return append(b, f.short|byte(n))
	case n <= math.MaxUint8 && f.code8 != 0:
		return append(b, f.code8, byte(n))
	case n <= math.MaxUint16:
		return binary.BigEndian.AppendUint16(append(b, f.code16), uint16(n))
	}
	return binary.BigEndian.AppendUint32(append(b, f.code16+1), uint32(n))
}

func appendUint(b []byte, n uint64) []byte {
	switch {
	case n <= 0x7f:
		return append(b, byte(n))
	case n <= math.MaxUint8:
		return append(b, 0xcc, byte(n))
	case n <= math.MaxUint16:
		return binary.BigEndian.AppendUint16(append(b, 0xcd), uint16(n))
	case n <= math.MaxUint32:
		return binary.BigEndian.AppendUint32(append(b, 0xce), uint32(n))
	}
	return binary.BigEndian.AppendUint64(append(b, 0xcf), n)
}

func appendInt(b []byte, n int64) []byte {
	switch {
	case n >= 0:
		return appendUint(b, uint64(n))
	case n >= -32:
		return append(b, byte(n))
	case n >= math.MinInt8:
		return append(b, 0xd0, byte(n))
	case n >= math.MinInt16:
		return binary.BigEndian.AppendUint16(append(b, 0xd1), uint16(n))
	case n >= math.MinInt32:
		return binary.BigEndian.AppendUint32(append(b, 0xd2), uint32(n))
	}
	return binary.BigEndian.AppendUint64(append(b, 0xd3), uint64(n))
}

// fill sets v to the next value, which checkValue has passed.
func (s *scanner) fill(want *shape, v reflect.Value) {
	h, _ := s.header()
	switch h.kind {
	case kindBool:
		v.SetBool(h.u == 1)
	case kindInt:
		switch {
		case h.negative:
			v.SetInt(h.i)
		case want.signed:
			v.SetInt(int64(h.u))
		default:
			v.SetUint(h.u)
		}
	case kindString:
		v.SetString(string(s.take(h.n)))
	case kindBinary:
		if want.fixed > 0 {
			copy(v.Bytes(), s.take(h.n))
		} else {
			v.SetBytes(bytes.Clone(s.take(h.n)))
		}
	case kindArray:
		v.Set(reflect.MakeSlice(v.Type(), h.n, h.n))
		for i := range h.n {
			s.fill(want.elem, v.Index(i))
		}
	case kindMap:
		for range h.n {
			key, _ := s.header()
			if f := want.fields[string(s.take(key.n))]; f != nil {
				s.fill(&f.shape, v.Field(f.at))
			} else {
				_ = s.skipNext(0)
			}
		}
	}
}

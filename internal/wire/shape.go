package wire

import (
	"fmt"
	"math"
	"reflect"
	"strconv"
	"strings"
	"sync"
	"unicode/utf8"
)

// shape is what a Go type accepts, worked out once for each type.
type shape struct {
	kind   kind
	fixed  int    // a binary of exactly so many bytes; 0: any length
	max    int    // elements of an array, bytes of a string or binary; 0: no limit of its own
	least  int64  // of an integer
	most   uint64 // of an integer
	signed bool   // an integer of Go's that may be negative
	elem   *shape
	fields map[string]*field
	order  []*field // the same, as the struct has them
}

// field is one field of a struct.
type field struct {
	shape
	name string
	at   int  // its place in the struct
	omit bool // left out when it is zero
}

var shapes sync.Map // reflect.Type → *shape

func shapeOf(t reflect.Type) *shape {
	if s, ok := shapes.Load(t); ok {
		return s.(*shape)
	}
	s := makeShape(t)
	shapes.Store(t, s)
	return s
}

func makeShape(t reflect.Type) *shape {
	s := &shape{}
	isByte := func(t reflect.Type) bool { return t.Kind() == reflect.Uint8 }
	switch k := t.Kind(); {
	case k == reflect.Bool:
		s.kind = kindBool
	case k == reflect.String:
		s.kind = kindString
	case k >= reflect.Int && k <= reflect.Int64:
		s.kind, s.signed = kindInt, true
		s.least, s.most = -1<<(t.Bits()-1), 1<<(t.Bits()-1)-1
	case k >= reflect.Uint && k <= reflect.Uint64:
		s.kind, s.most = kindInt, math.MaxUint64>>(64-t.Bits())
	case k == reflect.Slice && isByte(t.Elem()):
		s.kind = kindBinary
	case k == reflect.Array && isByte(t.Elem()):
		s.kind, s.fixed = kindBinary, t.Len()
	case k == reflect.Slice:
		s.kind, s.elem = kindArray, shapeOf(t.Elem())
	case k == reflect.Struct:
		s.kind, s.fields = kindMap, map[string]*field{}
		for i := range t.NumField() {
			f := t.Field(i)
			name, option, _ := strings.Cut(f.Tag.Get("msgpack"), ",")
			if name == "" || name == "-" || !f.IsExported() {
				panic(fmt.Sprintf("wire: %v.%s has no name on the wire", t, f.Name))
			}
			field := field{shape: *shapeOf(f.Type), name: name, at: i, omit: option == "omitempty"}
			if m := f.Tag.Get("max"); m != "" {
				n, err := strconv.Atoi(m)
				if err != nil {
					panic(fmt.Sprintf("wire: %v.%s: max:%q is no number", t, f.Name, m))
				}
				field.max = n
			}
			if each := f.Tag.Get("each"); each != "" {
				n, err := strconv.Atoi(each)
				if err != nil || field.elem == nil {
					panic(fmt.Sprintf("wire: %v.%s: each:%q bounds no element", t, f.Name, each))
				}
				elem := *field.elem
				elem.max = n
				field.elem = &elem
			}
			if field.kind == kindArray && field.max == 0 {
				panic(fmt.Sprintf("wire: %v.%s is a list without a max", t, f.Name))
			}
			s.fields[name] = &field
			s.order = append(s.order, &field)
		}
	default:
		panic(fmt.Sprintf("wire: no message may hold a %v", t))
	}
	return s
}

// checkValue checks that the next value is of the shape and passes over it.
func (s *scanner) checkValue(want *shape, depth int) error {
	h, err := s.header()
	if err != nil {
		return err
	}
	if h.kind != want.kind {
		return malformed("a %s where a %s belongs", h.kind, want.kind)
	}
	if want.max > 0 && h.n > want.max {
		return malformed("a %s of %d, at most %d", h.kind, h.n, want.max)
	}
	switch h.kind {
	case kindInt:
		if h.negative && h.i < want.least || !h.negative && h.u > want.most {
			return malformed("a number out of range")
		}
	case kindString:
		if !utf8.Valid(s.take(h.n)) {
			return malformed("a string is not UTF-8")
		}
	case kindBinary:
		if want.fixed > 0 && h.n != want.fixed {
			return malformed("a binary of %d bytes, not %d", h.n, want.fixed)
		}
		s.take(h.n)
	case kindArray:
		if depth > MaxDepth {
			return malformed("nested deeper than %d", MaxDepth)
		}
		for range h.n {
			if err := s.checkValue(want.elem, depth+1); err != nil {
				return err
			}
		}
	case kindMap:
		return s.pairs(h, depth, func(key []byte) error {
			field, known := want.fields[string(key)]
			if !known {
				return s.skipNext(depth + 1)
			}
			if err := s.checkValue(&field.shape, depth+1); err != nil {
				return fmt.Errorf("%w (in %s)", err, key)
			}
			return nil
		})
	}
	return nil
}

package wiretap

import (
	"encoding/hex"
	"fmt"
	"reflect"
	"strings"
	"unicode/utf8"

	"lanchat/internal/safetext"
)

// maxText is how many bytes of a field's text are kept.
const maxText = 200

// secret are the fields of which only the length is told: a screen may be on a
// projector.
var secret = map[string]bool{"auth.data": true, "hello.token": true, "invite.token": true}

// fieldsOf lists what stands in a packet or message, by the names of the wire.
func fieldsOf(of any) []Field {
	v := reflect.Indirect(reflect.ValueOf(of))
	return appendFields(nil, "", strings.ToLower(v.Type().Name()), v)
}

func appendFields(fields []Field, prefix, of string, v reflect.Value) []Field {
	for i := range v.NumField() {
		name, options, _ := strings.Cut(v.Type().Field(i).Tag.Get("msgpack"), ",")
		f := v.Field(i)
		if name == "" || options == "omitempty" && f.IsZero() {
			continue
		}
		if f.Kind() == reflect.Struct {
			fields = appendFields(fields, prefix+name+".", of, f)
			continue
		}
		fields = append(fields, Field{prefix + name, valueOf(f, secret[of+"."+name])})
	}
	return fields
}

func valueOf(f reflect.Value, hidden bool) any {
	if s, ok := f.Interface().(fmt.Stringer); ok {
		return clean(s.String())
	}
	switch f.Kind() {
	case reflect.String:
		if hidden {
			return fmt.Sprintf("%d bytes, not shown", f.Len())
		}
		return clean(f.String())
	case reflect.Bool:
		return f.Bool()
	case reflect.Uint8, reflect.Uint16, reflect.Uint32, reflect.Uint64:
		return f.Uint()
	case reflect.Int, reflect.Int8, reflect.Int16, reflect.Int32, reflect.Int64:
		return f.Int()
	case reflect.Array: // of bytes: an id or key
		b := make([]byte, f.Len())
		reflect.Copy(reflect.ValueOf(b), f)
		return hex.EncodeToString(b)
	case reflect.Slice:
		if f.Type().Elem().Kind() == reflect.Uint8 {
			return fmt.Sprintf("%d bytes", f.Len())
		}
		return uint64(f.Len())
	}
	return "?"
}

// clean makes a peer's text one that may be shown, and keeps its beginning.
func clean(s string) string {
	if len(s) > maxText {
		cut := maxText
		for cut > 0 && !utf8.RuneStart(s[cut]) {
			cut--
		}
		return safetext.Line(s[:cut]) + "…"
	}
	return safetext.Line(s)
}

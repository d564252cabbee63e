package peers

import (
	"math/rand/v2"
	"reflect"
	"strconv"
)

// letters are of one to four bytes, and of what languages like to get wrong.
var letters = []rune("az09 \"\\<\n\x7fäßé\u0301\u2028ℵ中文👍\U0010ffff")

// Fill sets the fields of a message at random: some to their zero, numbers of any
// width, texts of any length up to a little.
func Fill(r *rand.Rand, v reflect.Value) {
	if r.IntN(4) == 0 && v.Kind() != reflect.Struct {
		return
	}
	switch k := v.Kind(); {
	case k == reflect.Bool:
		v.SetBool(true)
	case k == reflect.String:
		text := make([]rune, r.IntN(11))
		for i := range text {
			text[i] = letters[r.IntN(len(letters))]
		}
		v.SetString(string(text))
	case k == reflect.Int64:
		v.SetInt(int64(r.Uint64()) >> r.IntN(64))
	case k == reflect.Uint8:
		v.SetUint(r.Uint64N(256))
	case v.CanUint():
		v.SetUint(r.Uint64() >> (64 - r.IntN(v.Type().Bits()+1)))
	case k == reflect.Array:
		for i := range v.Len() {
			v.Index(i).SetUint(r.Uint64N(256))
		}
	case k == reflect.Slice:
		if n := r.IntN(5); n > 0 { // an empty one is left out on the wire, and comes back as nil
			v.Set(reflect.MakeSlice(v.Type(), n, n))
		}
		for i := range v.Len() {
			Fill(r, v.Index(i))
		}
	case k == reflect.Struct:
		for f, field := range v.Fields() {
			Fill(r, field)
			cut(field, f.Tag.Get("max"))
			for i := 0; f.Tag.Get("each") != "" && i < field.Len(); i++ {
				cut(field.Index(i), f.Tag.Get("each"))
			}
		}
	}
}

// cut shortens a text to as many bytes as a field's tag allows.
func cut(text reflect.Value, tag string) {
	maxBytes, err := strconv.Atoi(tag)
	for err == nil && text.Kind() == reflect.String && text.Len() > maxBytes {
		runes := []rune(text.String())
		text.SetString(string(runes[:len(runes)-1]))
	}
}

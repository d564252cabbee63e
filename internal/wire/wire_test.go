package wire

import (
	"bytes"
	"encoding/hex"
	"errors"
	"math"
	"reflect"
	"runtime"
	"strings"
	"testing"

	"github.com/vmihailenco/msgpack/v5"
)

type person struct {
	Key  [4]byte `msgpack:"key"`
	Nick string  `msgpack:"nick,omitempty" max:"8"`
}

type sample struct {
	Ref    uint32   `msgpack:"ref,omitempty"`
	Seq    uint64   `msgpack:"seq,omitempty"`
	Delta  int8     `msgpack:"delta,omitempty"`
	On     bool     `msgpack:"on,omitempty"`
	Text   string   `msgpack:"text,omitempty"`
	Raw    []byte   `msgpack:"raw,omitempty" max:"16"`
	People []person `msgpack:"people,omitempty" max:"3"`
	Names  []string `msgpack:"names,omitempty" max:"3"`
}

func TestRoundTrip(t *testing.T) {
	in := sample{Ref: 7, Seq: 1 << 60, Delta: -3, On: true, Text: "grüß", Raw: []byte{1, 2},
		People: []person{{Key: [4]byte{1, 2, 3, 4}, Nick: "ann"}}, Names: []string{"a", "b"}}
	body := Append([]byte("x"), "sample", &in)
	name, fields, err := Split(body[1:])
	if err != nil || name != "sample" {
		t.Fatalf("Split = %q, %v", name, err)
	}
	if err := Check(fields); err != nil {
		t.Fatalf("Check refuses what Append made: %v", err)
	}
	var out sample
	if err := Decode(fields, &out); err != nil {
		t.Fatal(err)
	}
	again := Append(nil, "sample", &out)
	if !bytes.Equal(again, body[1:]) {
		t.Errorf("decoded and encoded again: %x, was %x", again, body[1:])
	}
}

// byLibrary is what the MessagePack library makes of a message.
func byLibrary(t *testing.T, name string, fields any) []byte {
	var b bytes.Buffer
	enc := msgpack.NewEncoder(&b)
	enc.UseCompactInts(true)
	if err := errors.Join(enc.EncodeArrayLen(2), enc.EncodeString(name), enc.Encode(fields)); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// Numbers and lengths at the bounds of each form have the bytes that others write,
// and are read back.
func TestForms(t *testing.T) {
	type forms struct {
		I     int64     `msgpack:"i"`
		U     uint64    `msgpack:"u"`
		Text  string    `msgpack:"text"`
		Raw   []byte    `msgpack:"raw"`
		List  []bool    `msgpack:"list" max:"70000"`
		Inner struct{}  `msgpack:"inner"`
		Fixed [300]byte `msgpack:"fixed"`
		Flat  [][2]byte `msgpack:"flat" max:"2"`
	}
	for _, n := range []int{0, 1, 15, 16, 31, 32, 33, 127, 128, 129, 255, 256, 32767, 32768, 32769, 65535, 65536} {
		for _, i := range []int64{int64(n), -int64(n), 1<<31 - int64(n), -1<<31 - int64(n), 1<<32 - int64(n), math.MaxInt64 - int64(n), math.MinInt64 + int64(n)} {
			in := forms{I: i, U: uint64(i), Text: strings.Repeat("x", n), Raw: make([]byte, n), List: make([]bool, n), Flat: [][2]byte{{1, 2}}}
			body := Append(nil, "forms", &in)
			if want := byLibrary(t, "forms", &in); !bytes.Equal(body, want) {
				t.Fatalf("%d, %d: %.200x, by the library %.200x", n, i, body, want)
			}
			_, fields, err := Split(body)
			var out forms
			if err == nil {
				err = Decode(fields, &out)
			}
			if err != nil || !reflect.DeepEqual(in, out) {
				t.Fatalf("%d, %d: read back %.200v, %v", n, i, out, err)
			}
		}
	}
}

// nested returns fields in which the value of an unknown key nests arrays.
func nested(deep int) string {
	return "81a178" + strings.Repeat("91", deep) + "c0"
}

func TestHostileFields(t *testing.T) {
	tests := []struct {
		name, hex string
		ok        bool
	}{
		{"empty map", "80", true},
		{"unknown field is ignored", "81a17893c0cb0000000000000000d600ffffffff", true},
		{"nothing", "", false},
		{"array of 2^28 in five bytes", "dd10000000", false},
		{"array of 2^28 in a known list", "81a66e616d6573dd10000000", false},
		{"array of 2^28 in an unknown field", "81a178dd10000000", false},
		{"map of 2^32-1", "dfffffffff", false},
		{"string longer than the rest", "81a474657874d9ff41", false},
		{"minus one as an unsigned number", "81a3736571ff", false},
		{"a small number in a signed encoding", "81a3736571d005", true},
		{"2^32 in 32 bits", "81a3726566cf0000000100000000", false},
		{"128 in a signed byte", "81a564656c7461cc80", false},
		{"-129 in a signed byte", "81a564656c7461d1ff7f", false},
		{"-128 in a signed byte", "81a564656c7461d080", true},
		{"float for an integer", "81a3736571cb3ff0000000000000", false},
		{"nil for a string", "81a474657874c0", false},
		{"invalid UTF-8 in a known field", "81a474657874a1ff", false},
		{"invalid UTF-8 in an unknown field", "81a178a1ff", false},
		{"key twice", "82a3736571" + "01" + "a3736571" + "02", false},
		{"unknown key twice", "82a17801a17802", false},
		{"key twice in an unknown map", "81a17882a17901a17902", false},
		{"key that is no string", "810101", false},
		{"array instead of the fields map", "9801020301a16101020304", false},
		{"array instead of a map in a list", "81a670656f706c659192c40401020304a161", false},
		{"binary shorter than its array", "81a670656f706c659181a36b6579c403010203", false},
		{"binary of the right length", "81a670656f706c659181a36b6579c40401020304", true},
		{"list over its limit", "81a56e616d657394a161a162a163a164", false},
		{"string over its limit", "81a670656f706c659181a46e69636ba9313233343536373839", false},
		{"bytes behind the end", "8000", false},
		{"0xc1 begins nothing", "81a178c1", false},
		{"as deep as allowed", nested(MaxDepth - 1), true},
		{"one deeper", nested(MaxDepth), false},
		{"60,000 deep", nested(60_000), false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			raw, err := hex.DecodeString(tt.hex)
			if err != nil {
				t.Fatal(err)
			}
			var before, after runtime.MemStats
			runtime.ReadMemStats(&before)
			err = Decode(raw, &sample{})
			runtime.ReadMemStats(&after)
			if (err == nil) != tt.ok {
				t.Fatalf("Decode = %v, want ok %v", err, tt.ok)
			}
			if err != nil && !errors.Is(err, ErrMalformed) {
				t.Errorf("the error %v does not wrap ErrMalformed", err)
			}
			if grown := after.TotalAlloc - before.TotalAlloc; grown > 64<<10 {
				t.Errorf("%d input bytes made it allocate %d", len(raw), grown)
			}
		})
	}
}

func TestSplitRefuses(t *testing.T) {
	for _, h := range []string{"", "80", "91a161", "93a16180c0", "920180", "92a1ff80", "92d921" + strings.Repeat("61", 33) + "80", "dd10000000"} {
		raw, _ := hex.DecodeString(h)
		if name, _, err := Split(raw); !errors.Is(err, ErrMalformed) {
			t.Errorf("Split(%s) = %q, %v", h, name, err)
		}
	}
}

func TestManyKeys(t *testing.T) {
	for n, ok := range map[int]bool{MaxKeys: true, MaxKeys + 1: false} {
		m := map[string]int{}
		for i := range n {
			m[strings.Repeat("k", i%30+1)+string(rune('a'+i/30))] = i
		}
		raw, err := msgpack.Marshal(m)
		if err != nil {
			t.Fatal(err)
		}
		if err := Check(raw); (err == nil) != ok {
			t.Errorf("%d keys: %v", n, err)
		}
	}
}

// What is accepted must survive a round trip, and what Decode accepts Check
// must accept too: a peer may not know the type.
func FuzzDecode(f *testing.F) {
	seed := Append(nil, "s", &sample{Ref: 1, Text: "a", People: []person{{}}, Names: []string{"x"}})
	f.Add(seed)
	f.Add([]byte{0x92, 0xa1, 's', 0xdd, 0x10, 0, 0, 0})
	f.Fuzz(func(t *testing.T, body []byte) {
		name, fields, err := Split(body)
		if err != nil {
			return
		}
		var v sample
		if Decode(fields, &v) != nil {
			return
		}
		if err := Check(fields); err != nil {
			t.Fatalf("Decode accepts what Check refuses: %v", err)
		}
		var reference sample
		if err := msgpack.Unmarshal(fields, &reference); err != nil || !reflect.DeepEqual(v, reference) {
			t.Fatalf("read %+v, and by the library %+v, %v", v, reference, err)
		}
		again := Append(nil, name, &v)
		if want := byLibrary(t, name, &v); !bytes.Equal(again, want) {
			t.Fatalf("wrote %x, and the library %x", again, want)
		}
		_, fields, err = Split(again)
		if err != nil {
			t.Fatal(err)
		}
		var w sample
		if err := Decode(fields, &w); err != nil || !reflect.DeepEqual(v, w) {
			t.Fatalf("read back %+v, %v; was %+v", w, err, v)
		}
	})
}

func BenchmarkDecode(b *testing.B) {
	body := Append(nil, "sample", &sample{Ref: 7, Text: strings.Repeat("x", 100), Raw: make([]byte, 16)})
	b.ReportAllocs()
	for b.Loop() {
		_, fields, err := Split(body)
		if err != nil {
			b.Fatal(err)
		}
		var v sample
		if err := Decode(fields, &v); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkAppend(b *testing.B) {
	in := &sample{Ref: 7, Text: strings.Repeat("x", 100), Raw: make([]byte, 16)}
	var body []byte
	b.ReportAllocs()
	for b.Loop() {
		body = Append(body[:0], "sample", in)
	}
}

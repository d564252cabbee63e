package discovery

import (
	"bytes"
	"errors"
	"math"
	"math/rand/v2"
	"reflect"
	"strings"
	"testing"

	"lanchat/internal/wire"
)

func TestValidName(t *testing.T) {
	tests := []struct {
		name string
		ok   bool
	}{
		{"lobby", true},
		{"Hack Night", true},
		{"Büro 2 – 🎉", true},
		{strings.Repeat("n", MaxName), true},
		{strings.Repeat("ü", 31), true},
		{"a-b", true},
		{"", false},
		{strings.Repeat("n", MaxName+1), false},
		{strings.Repeat("ü", 32), false},
		{"-n", false},
		{" a", false},
		{"a ", false},
		{"a\u3000", false},
		{"a\nb", false},
		{"a\x1b[2Jb", false},
		{"a\u202eb", false},
		{"a\xff", false},
	}
	for _, tt := range tests {
		err := ValidName(tt.name)
		if (err == nil) != tt.ok || err != nil && !errors.Is(err, ErrName) {
			t.Errorf("ValidName(%q) = %v", tt.name, err)
		}
		b := beaconOf(1)
		b.Name = tt.name
		if _, err := Append(nil, b); (err == nil) != tt.ok {
			t.Errorf("Append of a beacon of %q: %v", tt.name, err)
		}
	}
	if !SameName("Büro", "bÜRO") || SameName("a b", "a  b") {
		t.Error("SameName")
	}
}

// The largest of each still fits, and leaves room for fields to come.
func TestLargest(t *testing.T) {
	name := strings.Repeat("n", MaxName)
	b := &Beacon{instance(1), key(1), name, math.MaxUint16, math.MaxUint32, math.MaxUint16, math.MaxUint32, math.MaxUint16}
	answer := b.answer(token(1))
	answer.Asked, answer.Wait = math.MaxUint32, math.MaxUint32
	for _, p := range []Packet{b, answer, &Query{Token: token(1), Name: name, Seq: math.MaxUint32}} {
		raw, err := Append(nil, p)
		if err != nil {
			t.Fatal(err)
		}
		if p.Type() == "query" {
			if len(raw) != MaxPacket {
				t.Errorf("a query of %d bytes", len(raw))
			}
		} else if len(raw) > MaxPacket-24 {
			t.Errorf("%s: %d bytes", p.Type(), len(raw))
		}
	}
}

func TestParseRefuses(t *testing.T) {
	packet := func(name string, fields any) []byte {
		return wire.Append([]byte(Magic+"\x01"), name, fields)
	}
	good := func(change func(*Beacon)) *Beacon {
		b := beaconOf(1)
		change(b)
		return b
	}
	plain := packet("beacon", beaconOf(1))
	version := bytes.Clone(plain)
	version[4] = 2
	magic := bytes.Clone(plain)
	magic[0] ^= 1
	type any1 struct {
		A int `msgpack:"a"`
	}
	tests := []struct {
		name string
		raw  []byte
		want error // nil: accepted
	}{
		{"good", plain, nil},
		{"nothing", nil, ErrMalformed},
		{"only the magic", []byte(Magic), ErrMalformed},
		{"only the header", []byte(Magic + "\x01"), ErrMalformed},
		{"another magic", magic, ErrMalformed},
		{"another version", version, ErrVersion},
		{"a byte behind", append(bytes.Clone(plain), 0), ErrMalformed},
		{"257 bytes", append(bytes.Clone(plain), make([]byte, 257-len(plain))...), ErrMalformed},
		{"64 KiB", make([]byte, 64<<10), ErrMalformed},
		{"an unknown type", packet("shout", &any1{1}), ErrUnknownType},
		{"an unknown type, broken", append(packet("shout", &any1{1}), 0), ErrMalformed},
		{"port 0", packet("beacon", good(func(b *Beacon) { b.Port = 0 })), ErrMalformed},
		{"ttl 0", packet("beacon", good(func(b *Beacon) { b.TTL = 0 })), ErrMalformed},
		{"no key", packet("beacon", good(func(b *Beacon) { b.Key = key(0) })), ErrMalformed},
		{"no instance", packet("beacon", good(func(b *Beacon) { b.Instance = instance(0) })), ErrMalformed},
		{"no name", packet("beacon", good(func(b *Beacon) { b.Name = "" })), ErrMalformed},
		{"an escape sequence for a name", packet("beacon", good(func(b *Beacon) { b.Name = "\x1b[2J" })), ErrMalformed},
		{"a name too long", packet("beacon", good(func(b *Beacon) { b.Name = strings.Repeat("n", 64) })), ErrMalformed},
		{"a query without a token", packet("query", &Query{}), ErrMalformed},
		{"a query with a bad name", packet("query", &Query{Token: token(1), Name: "-x"}), ErrMalformed},
		{"a query without padding", packet("query", &Query{Token: token(1)}), nil},
		{"an answer without a token", packet("answer", beaconOf(1)), ErrMalformed},
		{"a goodbye without a key", packet("goodbye", &Goodbye{Instance: instance(1)}), ErrMalformed},
	}
	for _, tt := range tests {
		p, err := Parse(tt.raw)
		if !errors.Is(err, tt.want) || (p == nil) != (err != nil) {
			t.Errorf("%s: %v, %v, want %v", tt.name, p, err, tt.want)
		}
	}
}

// Fields of a later version are ignored.
func TestUnknownField(t *testing.T) {
	type later struct {
		Beacon2  string             `msgpack:"later"`
		Instance [InstanceSize]byte `msgpack:"instance"`
		Key      [KeySize]byte      `msgpack:"key"`
		Name     string             `msgpack:"name"`
		Port     uint16             `msgpack:"port"`
		Seq      uint32             `msgpack:"seq"`
		TTL      uint16             `msgpack:"ttl"`
	}
	raw := wire.Append([]byte(Magic+"\x01"), "beacon", &later{"x", instance(1), key(2), "n", 3, 4, 5})
	want := &Beacon{Instance: instance(1), Key: key(2), Name: "n", Port: 3, Seq: 4, TTL: 5}
	if got, err := Parse(raw); err != nil || !reflect.DeepEqual(got, want) {
		t.Errorf("%+v, %v", got, err)
	}
}

func TestEveryTruncation(t *testing.T) {
	for _, tt := range golden {
		raw, err := Append(nil, tt.packet)
		if err != nil {
			t.Fatal(err)
		}
		for n := range raw {
			if p, err := Parse(raw[:n]); err == nil {
				t.Errorf("%s, cut to %d of %d bytes: %+v", tt.name, n, len(raw), p)
			}
		}
	}
}

func TestNoise(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	b := make([]byte, MaxPacket)
	for range 100_000 {
		n := r.IntN(len(b))
		for i := range b[:n] {
			b[i] = byte(r.Uint32())
		}
		if n > headerSize && r.IntN(2) == 0 {
			copy(b, Magic+"\x01\x92")
		}
		if p, err := Parse(b[:n]); err == nil {
			t.Fatalf("noise %x is %+v", b[:n], p)
		}
	}
}

func FuzzParse(f *testing.F) {
	for _, tt := range golden {
		raw, err := Append(nil, tt.packet)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(raw)
	}
	f.Fuzz(func(t *testing.T, raw []byte) {
		p, err := Parse(raw)
		if err != nil {
			if p != nil {
				t.Fatal("a packet and an error")
			}
			return
		}
		again, err := Append(nil, p)
		if err != nil {
			t.Fatalf("%+v was accepted but is not sent: %v", p, err)
		}
		q, err := Parse(again)
		if err != nil {
			t.Fatalf("our own bytes are refused: %v", err)
		}
		if a, ok := p.(*Query); ok { // the padding is the sender's affair
			a.Pad, q.(*Query).Pad = nil, nil
		}
		if !reflect.DeepEqual(p, q) {
			t.Fatalf("%+v became %+v", p, q)
		}
	})
}

func beaconOf(c byte) *Beacon {
	return &Beacon{Instance: instance(c), Key: key(c), Name: "n", Port: 1, Seq: 1, TTL: 35}
}

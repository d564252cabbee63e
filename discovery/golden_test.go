package discovery

import (
	"encoding/hex"
	"reflect"
	"strings"
	"testing"
)

// The packets as they are on the wire, to the byte. A change here is a change of
// the protocol: old and new peers will meet.
var golden = []struct {
	name   string
	packet Packet
	hex    string
}{
	{
		"query for everybody",
		&Query{Token: token(1), Pad: make([]byte, 213)},
		"6c636874 01 92 a57175657279 82" +
			"a5746f6b656e c410 01010101010101010101010101010101" +
			"a3706164 c4d5" + strings.Repeat("00", 213),
	},
	{
		"query for a name, repeated",
		&Query{Token: token(2), Name: "Hack Night", Seq: 300, Pad: make([]byte, 190)},
		"6c636874 01 92 a57175657279 84" +
			"a5746f6b656e c410 02020202020202020202020202020202" +
			"a46e616d65 aa4861636b204e69676874" +
			"a3736571 cd012c" +
			"a3706164 c4be" + strings.Repeat("00", 190),
	},
	{
		"answer",
		&Answer{Token: token(3), Instance: instance(4), Key: key(5), Name: "Hack Night", Port: 25252,
			People: 12, Flags: FlagPassphrase | FlagNoGuests, Seq: 7, TTL: 35},
		"6c636874 01 92 a6616e73776572 89" +
			"a5746f6b656e c410 03030303030303030303030303030303" +
			"a8696e7374616e6365 c408 0404040404040404" +
			"a36b6579 c420 0505050505050505050505050505050505050505050505050505050505050505" +
			"a46e616d65 aa4861636b204e69676874" +
			"a4706f7274 cd62a4" +
			"a670656f706c65 0c" +
			"a5666c616773 03" +
			"a3736571 07" +
			"a374746c 23",
	},
	{
		"answer that waited",
		&Answer{Token: token(3), Instance: instance(4), Key: key(5), Name: "n", Port: 1, Seq: 7, TTL: 35, Asked: 2, Wait: 70000},
		"6c636874 01 92 a6616e73776572 89" +
			"a5746f6b656e c410 03030303030303030303030303030303" +
			"a8696e7374616e6365 c408 0404040404040404" +
			"a36b6579 c420 0505050505050505050505050505050505050505050505050505050505050505" +
			"a46e616d65 a16e" +
			"a4706f7274 01" +
			"a3736571 07" +
			"a374746c 23" +
			"a561736b6564 02" +
			"a477616974 ce00011170",
	},
	{
		"beacon of an empty room",
		&Beacon{Instance: instance(6), Key: key(7), Name: "Büro", Port: 1, Seq: 70000, TTL: 300},
		"6c636874 01 92 a6626561636f6e 86" +
			"a8696e7374616e6365 c408 0606060606060606" +
			"a36b6579 c420 0707070707070707070707070707070707070707070707070707070707070707" +
			"a46e616d65 a542c3bc726f" +
			"a4706f7274 01" +
			"a3736571 ce00011170" +
			"a374746c cd012c",
	},
	{
		"the beacon in the package doc",
		&Beacon{Instance: instance(6), Key: key(7), Name: "Büro", Port: 25252, People: 3, Seq: 7, TTL: 35},
		"6c636874 01 92 a6626561636f6e 87" +
			"a8696e7374616e6365 c408 0606060606060606" +
			"a36b6579 c420 0707070707070707070707070707070707070707070707070707070707070707" +
			"a46e616d65 a542c3bc726f" +
			"a4706f7274 cd62a4" +
			"a670656f706c65 03" +
			"a3736571 07" +
			"a374746c 23",
	},
	{
		"goodbye",
		&Goodbye{Instance: instance(8), Key: key(9), Seq: 1},
		"6c636874 01 92 a7676f6f64627965 83" +
			"a8696e7374616e6365 c408 0808080808080808" +
			"a36b6579 c420 0909090909090909090909090909090909090909090909090909090909090909" +
			"a3736571 01",
	},
}

func token(c byte) (t [TokenSize]byte) {
	for i := range t {
		t[i] = c
	}
	return t
}

func instance(c byte) (id [InstanceSize]byte) {
	for i := range id {
		id[i] = c
	}
	return id
}

func TestGolden(t *testing.T) {
	types := map[string]bool{}
	for _, tt := range golden {
		types[tt.packet.Type()] = true
		want := strings.ReplaceAll(tt.hex, " ", "")
		b, err := Append([]byte("x"), tt.packet)
		if err != nil {
			t.Errorf("%s: %v", tt.name, err)
			continue
		}
		if got := hex.EncodeToString(b[1:]); got != want {
			t.Errorf("%s:\n got %s\nwant %s", tt.name, got, want)
		}
		raw, err := hex.DecodeString(want)
		if err != nil {
			t.Fatal(err)
		}
		if got, err := Parse(raw); err != nil || !reflect.DeepEqual(got, tt.packet) {
			t.Errorf("%s: parsed to %+v, %v", tt.name, got, err)
		}
	}
	for _, name := range []string{"query", "answer", "beacon", "goodbye"} {
		if !types[name] {
			t.Errorf("no golden row for %q", name)
		}
	}
}

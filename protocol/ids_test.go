package protocol

import (
	"strings"
	"testing"

	"pgregory.net/rapid"
)

func TestDirectRoom(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var a, b UserID
		copy(a[:], rapid.SliceOfN(rapid.Byte(), 16, 16).Draw(t, "a"))
		copy(b[:], rapid.SliceOfN(rapid.Byte(), 16, 16).Draw(t, "b"))
		room := DirectRoom(a, b)
		if room != DirectRoom(b, a) {
			t.Fatal("it depends on who asks")
		}
		x, y, ok := ParseDirectRoom(room)
		if a == b {
			if ok {
				t.Fatal("a talk with oneself")
			}
			return
		}
		if !ok || !(x == a && y == b || x == b && y == a) {
			t.Fatalf("%s parsed to %v, %v, %v", room, x, y, ok)
		}
	})
	x, y := UserID{1}.String(), UserID{2}.String()
	for _, room := range []string{"lobby", "dm:", "dm:" + y + ":" + x, "dm:" + x + ":" + y + ":", "dm:" + x,
		"dm:" + strings.ToUpper(x) + ":" + y, "dm:" + x[:25] + "b:" + y} {
		if _, _, ok := ParseDirectRoom(room); ok {
			t.Errorf("%q passes for a direct talk", room)
		}
	}
}

func TestValidNames(t *testing.T) {
	tests := []struct {
		name       string
		room, nick bool
	}{
		{"lobby", true, true}, {"a-b_c.9", true, true}, {"grüße", true, true}, {"部屋", true, true},
		{"Lobby", false, true}, {"👍", false, true}, {"o'neil", false, true},
		{"", false, false}, {"a b", false, false}, {"#x", false, false}, {"@x", false, false}, {"a:b", false, false},
		{"a\n", false, false}, {"\x1b[m", false, false}, {"a\u202eb", false, false}, {"a\xff", false, false}, {"a,b", false, false},
		{strings.Repeat("x", 32), true, true}, {strings.Repeat("x", 33), true, false}, {strings.Repeat("x", 49), false, false},
		{"~x", false, false}, {"<x>", false, false}, {"dm:x", false, false}, {"-x", true, false},
	}
	for _, tt := range tests {
		if err := ValidRoom(tt.name); (err == nil) != tt.room {
			t.Errorf("room %q: %v", tt.name, err)
		}
		if err := ValidNick(tt.name); (err == nil) != tt.nick {
			t.Errorf("nick %q: %v", tt.name, err)
		}
	}
}

func TestReservedNick(t *testing.T) {
	id := UserID{1, 2, 3, 0xff, 15: 0x1d}.String()
	for _, nick := range []string{id, strings.ToUpper(id), strings.ToUpper(id[:1]) + id[1:], UserID{}.String(), strings.Repeat("l", 25) + "4",
		strings.Repeat("1", 25) + "4", strings.Repeat("0", 25) + "a", "10.0.0.5", "[10.0.0.5]", "10.0.0.5%eth0", "I0.0.0.5", "1o.0.0.l", "::1", "FE80::1%eth0", "[fe80::1]"} {
		if ReservedNick(nick) == nil {
			t.Errorf("%s may be a nick", nick)
		}
	}
	for _, nick := range []string{"ann", "10", "1.2.3", "10.0.0.5.6", "host-10.0.0.5", id + "a", id[1:], "abba", "deadbeef", "1e5", "10m", "x.y.z.w", "fox🦊"} {
		if err := ReservedNick(nick); err != nil {
			t.Errorf("%s: %v", nick, err)
		}
	}
}

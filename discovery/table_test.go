package discovery

import (
	"net/netip"
	"testing"
	"time"
)

func everything(*entry) bool { return true }

func TestTableBounds(t *testing.T) {
	now := time.Now()
	source := func(i int) netip.Addr { return netip.AddrFrom4([4]byte{10, 1, byte(i >> 8), byte(i)}) }
	b := func(i int) Beacon {
		b := *beaconOf(1)
		b.Instance[0], b.Instance[1] = byte(i), byte(i>>8)+1
		return b
	}
	tb := newTable()
	for i := range 100 {
		tb.put(b(i), source(0), "eth0", false, now)
	}
	if n := len(tb.entries); n != maxPerSource {
		t.Errorf("%d entries of one source", n)
	}
	for i := range 3000 {
		tb.put(b(i), source(i), "eth0", false, now.Add(time.Duration(i)*time.Millisecond))
	}
	if n := len(tb.entries); n != maxEntries {
		t.Errorf("%d entries", n)
	}
	if _, full := tb.put(b(5000), source(5000), "eth0", false, now); !full {
		t.Error("a beacon got into a full table")
	}
	for i := range 2000 {
		tb.put(b(i), source(6000+i), "eth0", true, now.Add(time.Minute))
	}
	proved := len(tb.servers(func(e *entry) bool { return e.answered }))
	if len(tb.entries) != maxEntries || proved != maxEntries {
		t.Errorf("%d entries, %d that answered", len(tb.entries), proved)
	}
	if tb.expire(now.Add(30 * time.Second)) {
		t.Error("expired too early")
	}
	if !tb.expire(now.Add(time.Hour)) || len(tb.entries) != 0 || len(tb.perSource) != 0 {
		t.Errorf("%d entries, %d sources left", len(tb.entries), len(tb.perSource))
	}
}

// The highest sequence number, forged, silences nobody for long; the longest
// time to live keeps nobody for long.
func TestTableForged(t *testing.T) {
	now := time.Now()
	from := netip.MustParseAddr("10.1.1.1")
	tb := newTable()
	b := *beaconOf(1)
	tb.put(b, from, "eth0", true, now)
	evil := b
	evil.Seq, evil.People, evil.TTL = b.Seq+1<<31-1, 666, 65535
	tb.put(evil, from, "eth0", false, now)
	if at, _ := tb.nextExpiry(); at.Sub(now) != maxTTL*time.Second {
		t.Errorf("kept for %v", at.Sub(now))
	}
	b.Seq++
	tb.put(b, from, "eth0", false, now.Add(stale))
	if got := tb.servers(everything); len(got) != 1 || got[0].People != 0 {
		t.Errorf("%+v", got)
	}
	// Another host with the same instance is another address, no more.
	thief := b
	tb.put(thief, netip.MustParseAddr("10.1.1.2"), "eth0", false, now)
	got := tb.servers(everything)
	if len(got) != 1 || got[0].Addr.Addr() != from || len(got[0].Others) != 1 {
		t.Errorf("%+v", got)
	}
}

func TestBestAddress(t *testing.T) {
	now := time.Now()
	tb := newTable()
	put := func(from string, answered bool, after time.Duration) {
		tb.put(*beaconOf(1), netip.MustParseAddr(from), "x", answered, now.Add(after))
	}
	for _, tt := range []struct {
		from     string
		answered bool
		want     string
	}{
		{"10.1.1.3", false, "10.1.1.3"},
		{"10.1.1.1", false, "10.1.1.3"},
		{"10.1.1.2", true, "10.1.1.2"},
		{"10.1.1.4", true, "10.1.1.2"},
		{"127.0.0.1", false, "127.0.0.1"},
	} {
		put(tt.from, tt.answered, time.Duration(len(tb.entries))*time.Second)
		if got := tb.servers(everything); len(got) != 1 || got[0].Addr.Addr().String() != tt.want {
			t.Errorf("with %s: %+v", tt.from, got)
		}
	}
}

func TestSightings(t *testing.T) {
	var r sightings
	for round := range 3 {
		for i := range 10 * recent {
			if s := (sighting{seq: uint32(round*10*recent + i)}); !r.first(s) || r.first(s) {
				t.Fatal("not once and only once")
			}
		}
	}
	if len(r.known) > recent {
		t.Errorf("%d remembered", len(r.known))
	}
}

package discovery

import (
	"net/netip"
	"testing"
	"time"
)

func everything(*entry) bool { return true }

// said is one packet about a server.
func said(b Beacon, from netip.Addr, answered bool, at time.Time) sighted {
	return sighted{Beacon: b, from: from, by: "eth0", answered: answered, at: at}
}

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
		tb.put(said(b(i), source(0), false, now))
	}
	if n := len(tb.entries); n != maxPerSource {
		t.Errorf("%d entries of one source", n)
	}
	for i := range 3000 {
		tb.put(said(b(i), source(i), false, now.Add(time.Duration(i)*time.Millisecond)))
	}
	if n := len(tb.entries); n != maxEntries {
		t.Errorf("%d entries", n)
	}
	if v := tb.put(said(b(5000), source(5000), false, now)); v != full {
		t.Error("a beacon got into a full table")
	}
	tb.dear = func(key [KeySize]byte) bool { return key == b(5000).Key }
	if v := tb.put(said(b(5000), source(5000), false, now)); v != changed || len(tb.entries) != maxEntries {
		t.Errorf("the beacon of a server that the user knows: %v, %d entries", v, len(tb.entries))
	}
	for i := range 2000 {
		tb.put(said(b(i), source(6000+i), true, now.Add(time.Minute+time.Duration(i)*time.Millisecond)))
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
	if _, ok := tb.nextExpiry(); ok {
		t.Error("an empty table expires")
	}
}

// Whoever forges a server's address fills its share of the table with beacons and
// answers; what the server itself answers gets in, in the place of one of these.
func TestTableForgedSource(t *testing.T) {
	now := time.Now()
	from, other := netip.MustParseAddr("10.1.1.1"), netip.MustParseAddr("10.1.1.2")
	for _, answered := range []bool{false, true} {
		tb := newTable()
		tb.put(said(*beaconOf(200), other, false, now))
		for i := range 100 {
			tb.put(said(*beaconOf(byte(1 + i)), from, answered, now.Add(time.Duration(i))))
		}
		if v := tb.put(said(*beaconOf(150), from, true, now.Add(time.Second))); v != changed {
			t.Errorf("forged answers %v: the server's answer: %v", answered, v)
		}
		if len(tb.entries) != maxPerSource+1 || tb.perSource[from] != maxPerSource || tb.perSource[other] != 1 {
			t.Errorf("forged answers %v: %d entries, %d of the source", answered, len(tb.entries), tb.perSource[from])
		}
	}
}

// The highest sequence number, forged, silences nobody for long; the longest
// time to live keeps nobody for long.
func TestTableForged(t *testing.T) {
	now := time.Now()
	from := netip.MustParseAddr("10.1.1.1")
	tb := newTable()
	b := *beaconOf(1)
	tb.put(said(b, from, true, now))
	evil := b
	evil.Seq, evil.People, evil.TTL = b.Seq+1<<31-1, 666, 65535
	tb.put(said(evil, from, false, now))
	if !tb.expire(now.Add(maxTTL * time.Second)) {
		t.Error("kept for longer than the longest time")
	}
	tb.put(said(b, from, true, now))
	tb.put(said(evil, from, false, now))
	b.Seq++
	tb.put(said(b, from, false, now.Add(stale)))
	if got := tb.servers(everything); len(got) != 1 || got[0].People != 0 {
		t.Errorf("%+v", got)
	}
	// Another host with the same instance is another address, no more.
	thief := b
	tb.put(said(thief, netip.MustParseAddr("10.1.1.2"), false, now))
	got := tb.servers(everything)
	if len(got) != 1 || got[0].Addr.Addr() != from || len(got[0].Others) != 1 {
		t.Errorf("%+v", got)
	}
}

// Another name, key or port under the same address and instance is another
// server: the true one stays as it is, whoever speaks first.
func TestTableContradiction(t *testing.T) {
	now := time.Now()
	from := netip.MustParseAddr("10.1.1.1")
	true1 := *beaconOf(1)
	for what, change := range map[string]func(*Beacon){
		"name": func(b *Beacon) { b.Name = "evil" },
		"key":  func(b *Beacon) { b.Key = key(66) },
		"port": func(b *Beacon) { b.Port = 666 },
	} {
		forgery := true1
		forgery.Seq += 1000
		change(&forgery)
		for _, order := range [][]Beacon{{true1, forgery}, {forgery, true1}} {
			tb := newTable()
			if v := tb.put(said(order[0], from, true, now)); v != changed {
				t.Errorf("%s: first %v", what, v)
			}
			if v := tb.put(said(order[1], from, false, now)); v != contested {
				t.Errorf("%s: then %v", what, v)
			}
			list := tb.servers(func(e *entry) bool {
				return e.beacon.Name == true1.Name && e.beacon.Key == true1.Key && e.beacon.Port == true1.Port
			})
			if len(list) != 1 || list[0].Addr.Port() != true1.Port {
				t.Errorf("%s: %+v", what, list)
			}
		}
	}
}

// A server that was killed and started again is one server.
func TestTableRestart(t *testing.T) {
	now := time.Now()
	from := netip.MustParseAddr("10.1.1.1")
	tb := newTable()
	old, young := *beaconOf(1), *beaconOf(1)
	young.Instance = instance(2)
	tb.put(said(old, from, true, now))
	tb.put(said(young, from, true, now.Add(5*time.Second)))
	if got := tb.servers(everything); len(got) != 1 || got[0].Instance != young.Instance {
		t.Errorf("%+v", got)
	}
	// What only says so does not replace what answers.
	tb.put(said(*beaconOf(1), from, true, now))
	forgery := old
	forgery.Instance = instance(3)
	tb.put(said(forgery, from, false, now.Add(10*time.Second)))
	if got := tb.servers(everything); len(got) != 1 || got[0].Instance != young.Instance {
		t.Errorf("%+v", got)
	}
}

func TestBestAddress(t *testing.T) {
	now := time.Now()
	tb := newTable()
	put := func(from string, answered bool, after time.Duration) {
		tb.put(said(*beaconOf(1), netip.MustParseAddr(from), answered, now.Add(after)))
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
			if s := (sighting{seq: uint32(round*10*recent + i)}); r.again(s) != 0 || r.again(s) != 1 || r.again(s) != 2 {
				t.Fatal("miscounted")
			}
		}
	}
	if len(r.known) > recent {
		t.Errorf("%d remembered", len(r.known))
	}
}

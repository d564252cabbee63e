package server

import (
	"fmt"
	"net/netip"
	"testing"
	"time"

	"lanchat/internal/access"
	"lanchat/protocol"
)

// slowed makes tries with a clock of the test's, and somebody new each time.
func slowed() (t *tries, now *time.Time, newcomer func() access.Who) {
	at := time.Now()
	n := uint16(0)
	return newTries(func() time.Time { return at }), &at, func() access.Who {
		n++
		return access.Who{User: protocol.UserID{byte(n >> 8), byte(n), 1}}
	}
}

func TestTriesAreSlowed(t *testing.T) {
	tries, now, who := slowed()
	addr, other := netip.MustParseAddr("10.0.0.7"), netip.MustParseAddr("10.0.0.8")
	wrong := func(addr netip.Addr) {
		t.Helper()
		y, wait := tries.begin(addr, who())
		if y == nil {
			t.Fatalf("a try has to wait %v", wait)
		}
		y.failed()
	}
	for range freeTries {
		wrong(addr)
	}
	for _, want := range []time.Duration{1, 2, 4, 8, 16, 30, 30} {
		if y, wait := tries.begin(addr, who()); y != nil || wait != want*time.Second {
			t.Fatalf("the next one has to wait %v, want %v s", wait, int(want))
		}
		*now = now.Add(want * time.Second)
		y, _ := tries.begin(addr, who())
		if y == nil {
			t.Fatal("who has waited is not heard")
		}
		if two, _ := tries.begin(addr, who()); two != nil {
			t.Error("a guesser tries twice at once")
		}
		y.failed()
	}
	wrong(other) // is not concerned
	*now = now.Add(triesFor)
	wrong(addr)
	wrong(addr)
}

// A room of a hundred behind one address gets in at once, and those who were in come
// back while one of them guesses.
func TestManyBehindOneAddress(t *testing.T) {
	tries, _, who := slowed()
	addr := netip.MustParseAddr("10.0.0.7")
	var people []access.Who
	var under []*try
	for range 100 {
		p := who()
		y, wait := tries.begin(addr, p)
		if y == nil {
			t.Fatalf("number %d has to wait %v", len(people), wait)
		}
		people, under = append(people, p), append(under, y)
	}
	for _, y := range under {
		y.passed()
	}
	for range 2 * freeTries {
		if y, _ := tries.begin(addr, who()); y != nil {
			y.failed()
		}
	}
	if y, _ := tries.begin(addr, who()); y != nil {
		t.Error("the guesser does not wait")
	}
	for range 2 {
		y, wait := tries.begin(addr, people[0])
		if y == nil {
			t.Fatalf("who was in has to wait %v", wait)
		}
		y.dropped()
	}
	y, _ := tries.begin(addr, people[0])
	y.failed() // the passphrase is another one now
	if y, _ := tries.begin(addr, people[0]); y != nil {
		t.Error("who was in once may guess for ever")
	}
	// What a guesser has for nothing.
	all := 0
	for ; ; all++ {
		if y, _ := tries.begin(netip.MustParseAddr("10.0.0.9"), who()); y == nil {
			break
		}
	}
	if all != firstTries {
		t.Errorf("%d tries at once", all)
	}
}

func TestTriesAreBounded(t *testing.T) {
	tries, now, who := slowed()
	for i := range 2 * triesKept {
		*now = now.Add(time.Millisecond)
		y, _ := tries.begin(netip.MustParseAddr(fmt.Sprintf("2001:db8:%x::1", i)), who())
		y.failed()
		y, _ = tries.begin(netip.MustParseAddr(fmt.Sprintf("10.1.%d.%d", i/256, i%256)), who())
		y.passed()
	}
	if len(tries.from) > triesKept || len(tries.passed) > passedKept {
		t.Errorf("%d addresses and %d people are kept", len(tries.from), len(tries.passed))
	}
	// Of IPv6 the network counts.
	for i := range freeTries {
		y, _ := tries.begin(netip.MustParseAddr(fmt.Sprintf("2001:db9::%x", i+1)), who())
		y.failed()
	}
	if y, _ := tries.begin(netip.MustParseAddr("2001:db9::ffff"), who()); y != nil {
		t.Error("another address of the same network does not wait")
	}
}

package server

import (
	"maps"
	"net/netip"
	"slices"
	"sync"
	"time"

	"lanchat/internal/access"
	"lanchat/protocol"
)

// tries slows the guessing of the passphrase, by address: after three wrong ones the
// next is heard a second later, then two, four, … up to thirty. One that comes too
// early is refused without being looked at. Nobody waits inside the server.
//
// Behind one address may be a whole room. So those whose passphrase was right before
// do not wait for what others do there, and where nobody has guessed yet many may try
// at the same time: firstTries, so that a guesser has no more than that for nothing.
//
// It remembers triesKept addresses and passedKept people; of the addresses those are
// forgotten first that have been quiet for longest, and all after triesFor. Of IPv6 a
// network of 64 bits counts as one address: anybody has as many as they like in it.
type tries struct {
	now func() time.Time

	mu     sync.Mutex
	from   map[netip.Addr]*tried
	passed map[protocol.UserID]time.Time // people, and when they did last
}

const (
	freeTries  = 3
	firstTries = 128
	slowFirst  = time.Second
	slowMost   = 30 * time.Second
	triesFor   = time.Hour
	triesKept  = 4096
	passedKept = 4096
)

// tried is what is known of an address.
type tried struct {
	wrong   int       // since the last quiet hour
	running int       // tries of which the end is not known
	last    time.Time // something was wrong, or began
	next    time.Time // not to be heard before
}

func newTries(now func() time.Time) *tries {
	return &tries{now: now, from: map[netip.Addr]*tried{}, passed: map[protocol.UserID]time.Time{}}
}

// try is one that is under way. One of its methods is to be called.
type try struct {
	t    *tries
	addr netip.Addr
	who  access.Who
	free bool // it does not count
}

// begin begins a try, or says how long to wait.
func (t *tries) begin(addr netip.Addr, who access.Who) (*try, time.Duration) {
	addr = network(addr)
	t.mu.Lock()
	defer t.mu.Unlock()
	now := t.now()
	if _, passed := t.passed[who.User]; passed && !who.Guest {
		return &try{t: t, addr: addr, who: who, free: true}, 0
	}
	f := t.from[addr]
	if f != nil && f.running == 0 && now.Sub(f.last) >= triesFor {
		delete(t.from, addr)
		f = nil
	}
	if f == nil {
		t.makeRoom(now)
		f = &tried{}
		t.from[addr] = f
	}
	atOnce := firstTries
	if f.wrong > 0 {
		atOnce = max(freeTries-f.wrong, 1)
	}
	switch {
	case now.Before(f.next):
		return nil, f.next.Sub(now)
	case f.running >= atOnce:
		return nil, slowFirst
	}
	f.running++
	f.last = now
	return &try{t: t, addr: addr, who: who}, 0
}

// failed counts a wrong passphrase, and returns how many there were.
func (y *try) failed() (times int) {
	y.end(func(f *tried, now time.Time) {
		delete(y.t.passed, y.who.User) // until it is right again
		f.wrong++
		times = f.wrong
		if over := f.wrong - freeTries; over >= 0 {
			f.next = now.Add(min(slowFirst<<min(over, 10), slowMost))
		}
	})
	return times
}

// passed remembers who knows the passphrase. What was wrong before stays: it may have
// been somebody else behind the same address.
func (y *try) passed() {
	y.end(func(*tried, time.Time) {})
	if y.who.Guest {
		return
	}
	t := y.t
	t.mu.Lock()
	defer t.mu.Unlock()
	if _, known := t.passed[y.who.User]; !known && len(t.passed) >= passedKept {
		forgetOldest(t.passed, func(at time.Time) time.Time { return at })
	}
	t.passed[y.who.User] = t.now()
}

// dropped ends a try that came to nothing.
func (y *try) dropped() { y.end(func(*tried, time.Time) {}) }

func (y *try) end(change func(f *tried, now time.Time)) {
	t := y.t
	t.mu.Lock()
	defer t.mu.Unlock()
	now := t.now()
	f := t.from[y.addr]
	if f == nil { // free, or forgotten meanwhile
		t.makeRoom(now)
		f = &tried{running: 1}
		t.from[y.addr] = f
	} else if y.free {
		f.running++
	}
	f.running = max(0, f.running-1)
	f.last = now
	if change(f, now); f.wrong == 0 && f.running == 0 {
		delete(t.from, y.addr)
	}
}

// makeRoom makes room for one more address. mu is held.
func (t *tries) makeRoom(now time.Time) {
	if len(t.from) < triesKept {
		return
	}
	maps.DeleteFunc(t.from, func(_ netip.Addr, f *tried) bool { return now.Sub(f.last) >= triesFor })
	if len(t.from) >= triesKept {
		forgetOldest(t.from, func(f *tried) time.Time { return f.last })
	}
}

// forgetOldest drops an eighth of a map, so that it is not looked through each time.
func forgetOldest[K comparable, V any](m map[K]V, at func(V) time.Time) {
	keys := slices.SortedFunc(maps.Keys(m), func(a, b K) int { return at(m[a]).Compare(at(m[b])) })
	for _, k := range keys[:len(keys)/8] {
		delete(m, k)
	}
}

// network is what counts as one address.
func network(a netip.Addr) netip.Addr {
	a = a.Unmap().WithZone("")
	if a.Is6() {
		if p, err := a.Prefix(64); err == nil {
			return p.Addr()
		}
	}
	return a
}

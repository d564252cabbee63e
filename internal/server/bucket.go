package server

import (
	"sync"
	"time"
)

// pace is how fast something may be done: so many times a second in the long run, and
// burst times at once.
type pace struct{ rate, burst float64 }

// times is the pace of several together.
func (p pace) times(n int) pace { return pace{p.rate * float64(n), p.burst * float64(n)} }

// part is the n-th part of a pace.
func (p pace) part(n int) pace { return pace{p.rate / float64(n), p.burst / float64(n)} }

// bucket is a token bucket: it holds burst tokens, and gains rate a second.
type bucket struct {
	mu     sync.Mutex
	tokens float64
	filled int64 // Unix nanoseconds; 0: it is new, and full
}

// take takes one token and returns how long to wait before it is there.
func (b *bucket) take(now time.Time, p pace) time.Duration {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.fill(now, p)
	b.tokens--
	return b.debt(0, p)
}

// used reports whether a tenth of the burst is used up now.
func (b *bucket) used(now time.Time, p pace) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.fill(now, p)
	return b.tokens < 0.9*p.burst
}

// try takes one token if there is one, and otherwise returns how long it will be
// until there is.
func (b *bucket) try(now time.Time, p pace) time.Duration {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.fill(now, p)
	wait := b.debt(1, p)
	if wait == 0 {
		b.tokens--
	}
	return wait
}

// giveBack returns a token that was taken and not used.
func (b *bucket) giveBack() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.tokens++
}

// full reports whether the bucket is as if it had never been used.
func (b *bucket) full(now time.Time, p pace) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.fill(now, p)
	return b.tokens >= p.burst
}

// fill adds what has come since the last time. A clock that was put back adds nothing.
// b.mu is held.
func (b *bucket) fill(now time.Time, p pace) {
	at := now.UnixNano()
	if b.filled == 0 {
		b.tokens = p.burst
	} else if passed := at - b.filled; passed > 0 {
		b.tokens = min(p.burst, b.tokens+float64(passed)/1e9*p.rate)
	}
	b.filled = at
}

// debt is how long it takes until there are so many tokens. b.mu is held.
func (b *bucket) debt(tokens float64, p pace) time.Duration {
	if b.tokens >= tokens {
		return 0
	}
	return max(time.Duration((tokens-b.tokens)/p.rate*float64(time.Second)), 1)
}

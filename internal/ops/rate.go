package ops

import (
	"net/netip"
	"sync"
	"time"
)

// bucket is a token bucket: burst at once, then rate a second. What is refused
// costs nothing.
type bucket struct {
	left float64
	at   time.Time
}

func newBucket(now time.Time, burst int) *bucket { return &bucket{left: float64(burst), at: now} }

// take returns 0, or how long to wait before there is something to take.
func (b *bucket) take(now time.Time, rate, burst int) time.Duration {
	b.left = min(float64(burst), b.left+max(now.Sub(b.at), 0).Seconds()*float64(rate))
	b.at = now
	if b.left >= 1 {
		b.left--
		return 0
	}
	return time.Duration((1 - b.left) / float64(rate) * float64(time.Second))
}

// full reports whether a new bucket would do as well.
func (b *bucket) full(now time.Time, rate, burst int) bool {
	return b.left+now.Sub(b.at).Seconds()*float64(rate) >= float64(burst)
}

// maxStrikes is how many addresses are known by their wrong tokens. Where there
// are more, the rest are counted as one.
const maxStrikes = 1024

// strikes counts wrong tokens.
type strikes struct {
	mu     sync.Mutex
	by     map[netip.Addr]*bucket
	count  int // since they were last told of
	toldAt time.Time
}

// another counts one, and returns how long the address has to wait. tell is not 0
// when it is time to log how many there were.
func (s *strikes) another(now time.Time, addr netip.Addr) (wait time.Duration, tell int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.count++; now.Sub(s.toldAt) >= time.Minute {
		tell, s.count, s.toldAt = s.count, 0, now
	}
	b := s.by[addr]
	if b == nil && len(s.by) >= maxStrikes {
		for a, old := range s.by {
			if old.full(now, badRate, badBurst) {
				delete(s.by, a)
			}
		}
		if len(s.by) >= maxStrikes {
			addr = netip.Addr{}
			b = s.by[addr]
		}
	}
	if b == nil {
		if s.by == nil {
			s.by = map[netip.Addr]*bucket{}
		}
		b = newBucket(now, badBurst)
		s.by[addr] = b
	}
	return b.take(now, badRate, badBurst), tell
}

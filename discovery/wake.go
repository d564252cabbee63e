package discovery

import "time"

const (
	// glance is how often one looks whether networks came or went, and whether
	// this host slept.
	glance = 2 * time.Second
	// asleep is the least gap that counts as sleep. The clock on the wall is set
	// by less every now and then.
	asleep = 5 * time.Second
)

// sleeper notices that this host was asleep, or this process stopped. Timers
// stand still meanwhile, and so does the monotonic clock of most systems; the
// clock on the wall does not.
type sleeper struct {
	wall, mono time.Time
}

// slept returns for how long nothing ran since the last call, more than the
// clock of the timers has noticed; woke tells whether that was a sleep. To be
// called every glance.
func (s *sleeper) slept(wall, mono time.Time) (unnoticed time.Duration, woke bool) {
	was := *s
	s.wall, s.mono = wall, mono
	if was.mono.IsZero() {
		return 0, false
	}
	passed := mono.Sub(was.mono)
	unnoticed = max(0, wall.Sub(was.wall)-passed)
	return unnoticed, max(unnoticed, passed-glance) >= asleep
}

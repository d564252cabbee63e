package bench

import (
	"math/bits"
	"time"
)

// histogram counts durations with a precision of 1/32, from a microsecond to a quarter
// of an hour. The zero histogram is empty.
type histogram struct {
	buckets [30 * 32]uint32
	n       int64
	max     time.Duration
}

func (h *histogram) count(d time.Duration) {
	h.max = max(h.max, d)
	h.n++
	h.buckets[bucketOf(d)]++
}

// bucketOf is 32 buckets for each doubling of microseconds.
func bucketOf(d time.Duration) int {
	us := uint64(max(d, 0) / time.Microsecond)
	if us < 32 {
		return int(us)
	}
	shift := bits.Len64(us) - 6
	return min(shift*32+int(us>>shift), 30*32-1)
}

// upperOf is the longest duration in a bucket.
func upperOf(i int) time.Duration {
	if i < 64 {
		return time.Duration(i+1) * time.Microsecond
	}
	shift := i/32 - 1
	return time.Duration(uint64(i-shift*32+1)<<shift) * time.Microsecond
}

func (h *histogram) add(o *histogram) {
	for i, n := range o.buckets {
		h.buckets[i] += n
	}
	h.n += o.n
	h.max = max(h.max, o.max)
}

// at is the duration that the part q of all are not longer than.
func (h *histogram) at(q float64) time.Duration {
	left := int64(q*float64(h.n)) + 1
	for i, n := range h.buckets {
		if left -= int64(n); left <= 0 {
			return min(upperOf(i), h.max)
		}
	}
	return h.max
}

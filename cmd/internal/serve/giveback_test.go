package serve

import (
	"context"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
)

// TestMemoryIsGivenBackBehindAMass: once, when calm has come, and not for the few who
// come and go all day.
func TestMemoryIsGivenBackBehindAMass(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		var accepted, freed atomic.Uint64
		go whenCalm(ctx, accepted.Load, func() { freed.Add(1) })
		step := func(what string, come uint64, times int, want uint64) {
			t.Helper()
			for range times {
				synctest.Wait()
				accepted.Add(come)
				time.Sleep(calmFor)
			}
			synctest.Wait()
			if got := freed.Load(); got != want {
				t.Errorf("%s: given back %d times, not %d", what, got, want)
			}
		}
		step("a few", calmMost-1, 50, 0)
		step("a mass comes", massOf, 3, 0)
		step("calm", 0, 5, 1)
		step("another mass", massOf, 1, 1)
		step("calm again", 1, 5, 2)
	})
}

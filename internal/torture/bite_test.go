package torture

import (
	"testing"
	"time"
)

// Every broken promise is found, and named for what it is; without a broken one
// nothing is.
func TestTheCheckBites(t *testing.T) {
	for _, tt := range []struct {
		fault
		want string
	}{
		{honest, ""},
		{earlyAck, lost},
		{everyID, doubled},
		{refusesOne, reordered},
		{swaps, reordered},
		{holes, gap},
		{renumbers, changed},
		{forgetsRoom, lost},
	} {
		t.Run(string(tt.fault), func(t *testing.T) {
			t.Parallel()
			r := torture(t, newEngine(t, newDisk(tt.fault)), plan{seed: flags.seed, length: 2 * time.Second, posts: 4000, acks: 1000,
				every: 300 * time.Millisecond, pause: 20 * time.Millisecond, peers: 4, users: 2})
			if tt.want == "" {
				t.Log(r)
				r.fail(t)
				return
			}
			if r.count[tt.want] == 0 {
				t.Errorf("the store %s, and %q is not reported: %v", tt.fault, tt.want, r)
			}
			t.Logf("reported: %v", r.count)
		})
	}
}

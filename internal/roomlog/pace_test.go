package roomlog

import (
	"testing"
	"time"
)

// Commits gather posts only where these come fast and few at a time; whoever posts
// alone is never held up.
func TestPace(t *testing.T) {
	const ms = time.Millisecond
	for _, tt := range []struct {
		name    string
		every   time.Duration // from one commit to the next, unless it has to wait
		posts   int           // that come in each ms; 0: one for each commit
		commits int
		waits   bool // the last one
	}{
		{"somebody posts now and then", time.Second, 0, 5, false},
		{"somebody posts on, each behind the last one's ack", 2 * ms, 0, 100, false},
		{"three posts in 4 ms", 4 * ms / 3, 0, 100, false},
		{"the first of many", ms, 4, 1, false},
		{"many, a few at a time", ms, 4, 100, true},
		{"many, one at a time", ms, 1, 100, true},
		{"so many that each commit has enough", ms, 32, 100, false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			var p pace
			var wait time.Duration
			at := time.Unix(1000, 0)
			for range tt.commits {
				gap := max(wait, tt.every)
				at = at.Add(gap)
				wait = p.next(at, max(1, int(gap/ms)*tt.posts))
			}
			if (wait > 0) != tt.waits || wait > gatherFor {
				t.Errorf("the next commit waits %v", wait)
			}
			if wait = p.next(at.Add(time.Second), 1); wait > 0 {
				t.Errorf("a second later, a single post makes the next one wait %v", wait)
			}
		})
	}
}

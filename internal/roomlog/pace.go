package roomlog

import "time"

const (
	gatherFor  = 4 * time.Millisecond // from one commit's beginning to the next one's
	gatherFrom = 4                    // posts in that time, before any is held up
	gatherUpTo = 32                   // posts in one commit, from where more make it hardly cheaper
)

// pace says when commits are to wait for more posts. A commit costs as much as 20
// posts in it, so where posts come fast but not many at once, most of the work
// would be commits. A post that comes alone, or behind others slowly, never waits;
// nor do those who send so many at once that each commit has many anyway.
type pace struct {
	began time.Time // when counting began
	posts int       // since then
	busy  bool
}

// next hears of a commit of n posts that began then, and returns how long after
// that the next one may begin; 0: at once.
func (p *pace) next(began time.Time, n int) time.Duration {
	p.posts += n
	if counted := began.Sub(p.began); counted >= gatherFor {
		p.busy = time.Duration(p.posts)*gatherFor/gatherFrom >= counted
		p.began, p.posts = began, 0
	}
	if !p.busy || n >= gatherUpTo {
		return 0
	}
	return gatherFor
}

package roomlog

import (
	"time"

	"lanchat/protocol"
)

// What is in no hurry is committed apart from what is: whoever hears both at once has to
// get through the one to hear the other. Its best time is a little after something else,
// when those who hear that are done with it and the next is the longest way off.
const (
	laterAfter = 15 * time.Millisecond  // so long after something else,
	laterMost  = 100 * time.Millisecond // at the latest so long after the first that waits,
	laterUpTo  = 64                     // or when so many wait
)

// unhurried is what waits for its time to join the log's queue. All is guarded by the log's
// lock.
type unhurried struct {
	log     *local
	entries []submission
	bytes   int
	times   uint64    // that there were some and they joined
	most    time.Time // when the first has waited for laterMost
	timer   *time.Timer
}

// SubmitLater is Submit for an entry that is in no hurry: it is committed with others of
// its kind, within 100 ms. A poster's entries keep their order, whichever way they were
// submitted.
func (p *Poster) SubmitLater(e protocol.Entry) error { return p.submit(e, false) }

func (w *unhurried) add(s submission) {
	w.entries = append(w.entries, s)
	w.bytes += s.entry.MaxSize()
	s.poster.later = w.times + 1
	if len(w.entries) == 1 {
		w.most = time.Now().Add(laterMost)
		w.wait(laterMost)
	}
	if len(w.entries) >= laterUpTo || w.log.bytes > queueBytes {
		w.end()
	}
}

// passedBy lets an entry that is in a hurry go first, unless its own poster waits here.
func (w *unhurried) passedBy(p *Poster) {
	switch {
	case len(w.entries) == 0:
	case p.later == w.times+1:
		w.end()
	default:
		w.wait(min(laterAfter, time.Until(w.most)))
	}
}

// wait ends the waiting after d.
func (w *unhurried) wait(d time.Duration) {
	if w.timer != nil {
		w.timer.Reset(d)
		return
	}
	w.timer = time.AfterFunc(d, func() {
		w.log.mu.Lock()
		defer w.log.mu.Unlock()
		w.end()
	})
}

// end has what waits join the queue.
func (w *unhurried) end() {
	if len(w.entries) == 0 {
		return
	}
	w.timer.Stop() // where it was too late, it finds nothing, or something a little early
	w.log.queue = append(w.log.queue, w.entries...)
	clear(w.entries)
	w.entries, w.bytes = w.entries[:0], 0
	w.times++
	w.log.wake.Signal()
}

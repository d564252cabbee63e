package roomlog

import (
	"errors"
	"fmt"
	"sync"
	"time"

	"lanchat/protocol"
)

// queueBytes is how much may wait for the next commit, in bytes; Submit waits
// above it.
const queueBytes = 64 << 20

// Local makes a Log of a Store of this process: one goroutine commits, and
// whatever was submitted during one commit goes into the next. Where a commit waits
// for a disk and posts come fast, the next one waits for more of them: see pace.
func Local(store Store) Log {
	l := &local{Store: store, most: commitBytesMost, ended: make(chan struct{})}
	if s, ok := store.(*SQLite); ok {
		l.durable, l.most = true, s.commitBytes()
	}
	l.wake.L, l.space.L = &l.mu, &l.mu
	l.later.log = l
	go l.commitAll()
	return l
}

type local struct {
	Store
	follow  func([]protocol.Entry) (told func())
	durable bool
	most    int // bytes of one commit, about
	ended   chan struct{}

	mu    sync.Mutex
	wake  sync.Cond // there is something to commit now, or the log is closed
	space sync.Cond // the queue has become shorter, or was committed
	queue []submission
	bytes int // of the queue and of later
	// How many were submitted, and how many of them committed or refused.
	submitted, committed uint64
	later                unhurried
	closed               bool
}

type submission struct {
	poster *Poster
	entry  protocol.Entry
}

// Flush implements Sequencer.
func (l *local) Flush() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.later.end()
	for most := l.submitted; l.committed < most; {
		l.space.Wait()
	}
}

// Poster submits one sender's posts. One goroutine at a time may use it.
type Poster struct {
	From Place // of all its posts; set it before the first

	log  *local
	done func(*protocol.Entry, error)
	// later counts the times that what is in no hurry was committed, when an entry of
	// this poster joined it last; 0: none did.
	later uint64
	// broken is why this poster's posts are refused from now on; the committing
	// goroutine owns it.
	broken error
}

func (l *local) Follow(fn func([]protocol.Entry) (told func())) { l.follow = fn }

func (l *local) Poster(done func(*protocol.Entry, error)) *Poster {
	return &Poster{log: l, done: done}
}

// Submit hands an entry over; Seq and At are still to come. The poster's done
// is called for it exactly once, on another goroutine, unless Submit returns
// ErrClosed. Submit waits while very much is waiting to be committed.
func (p *Poster) Submit(e protocol.Entry) error { return p.submit(e, true) }

func (p *Poster) submit(e protocol.Entry, now bool) error {
	l := p.log
	l.mu.Lock()
	defer l.mu.Unlock()
	for l.bytes > queueBytes && !l.closed {
		l.space.Wait()
	}
	if l.closed {
		return ErrClosed
	}
	l.bytes += e.MaxSize()
	l.submitted++
	if !now {
		l.later.add(submission{p, e})
		return nil
	}
	l.later.passedBy(p)
	l.queue = append(l.queue, submission{p, e})
	l.wake.Signal()
	return nil
}

// took notes that so many were committed or refused.
func (l *local) took(n int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.committed += uint64(n)
	l.space.Broadcast()
}

// take waits until there is something to commit and takes it, leaving the emptied queue
// that is given. It is empty when the log is closed.
func (l *local) take(queue []submission) []submission {
	clear(queue)
	l.mu.Lock()
	defer l.mu.Unlock()
	for !l.closed && len(l.queue) == 0 {
		l.wake.Wait()
	}
	if l.closed {
		l.later.end()
	}
	queue, l.queue = l.queue, queue[:0]
	l.bytes = l.later.bytes
	l.space.Broadcast()
	return queue
}

// Close commits what was submitted and closes the store. Nobody is called any
// more when it returns.
func (l *local) Close() error {
	l.mu.Lock()
	again := l.closed
	l.closed = true
	l.wake.Signal()
	l.space.Broadcast()
	l.mu.Unlock()
	<-l.ended
	if again {
		return nil
	}
	return l.Store.Close()
}

func (l *local) commitAll() {
	defer close(l.ended)
	var queue []submission
	var batch []Record
	var entries []protocol.Entry
	var pace pace
	for {
		if queue = l.take(queue); len(queue) == 0 {
			return
		}
		began := time.Now()
		for rest := queue; len(rest) > 0; {
			n := l.fits(rest)
			batch, entries = l.commit(rest[:n], batch[:0], entries[:0])
			rest = rest[n:]
			l.took(n)
		}
		if wait := pace.next(began, len(queue)); l.durable && wait > 0 {
			time.Sleep(wait - time.Since(began))
		}
		if cap(queue) > 1<<14 { // a burst's memory is not kept
			queue, batch, entries = nil, nil, nil
		}
	}
}

// fits returns how many of the first in the queue one commit takes: so none waits for
// very many others, and a log with a bound can make room for each commit.
func (l *local) fits(queue []submission) int {
	size := 0
	for i := range queue {
		if size += queue[i].entry.MaxSize(); size > l.most {
			return max(1, i)
		}
	}
	return len(queue)
}

// commit commits one queue. It returns the two buffers for the next time.
func (l *local) commit(queue []submission, batch []Record, entries []protocol.Entry) ([]Record, []protocol.Entry) {
	for _, s := range queue {
		if s.poster.broken == nil {
			batch = append(batch, Record{Entry: s.entry, From: s.poster.From})
		}
	}
	var failed error
	if len(batch) > 0 {
		failed = l.Store.Append(batch)
	}
	if failed != nil && !errors.Is(failed, ErrUnavailable) {
		failed = fmt.Errorf("%w: %w", ErrUnavailable, failed)
	}
	if failed == nil {
		for i := range batch {
			if r := &batch[i]; r.Err == nil && !r.Known {
				entries = append(entries, r.Entry)
			}
		}
		if len(entries) > 0 && l.follow != nil {
			if told := l.follow(entries); told != nil {
				defer told()
			}
		}
	}
	next := 0
	for i := range queue {
		s := &queue[i]
		if s.poster.broken != nil {
			s.poster.done(&s.entry, s.poster.broken)
			continue
		}
		if failed != nil {
			s.poster.broken = failed
			s.poster.done(&s.entry, failed)
			continue
		}
		r := &batch[next]
		next++
		// Not r.Entry itself, which may be folded: a poster counts on what it gave.
		s.entry.Seq, s.entry.At = r.Entry.Seq, r.Entry.At
		s.poster.done(&s.entry, r.Err)
	}
	clear(batch)
	clear(entries)
	return batch, entries
}

package bench

import (
	"context"
	"sync"
	"sync/atomic"
	"time"
)

// client is one connection of a load: it reads, checks what it reads and, when it is a
// poster, posts.
type client struct {
	run  *run
	peer peer
	room int
	id   int // of the poster, over all rooms; -1: it only reads

	posted    atomic.Int64
	delivered atomic.Int64
	bytes     atomic.Int64
	stall     atomic.Int64 // nanoseconds for which to stop reading, once
	measured  atomic.Bool  // what comes now counts for the latency

	// The reader's, and whoever asks after it has ended.
	last    []uint32 // by poster of the room: the newest number
	lost    int64    // left out, with later ones behind
	missing int64    // not there at the end
	doubled int64
	latency histogram

	mu      sync.Mutex
	moved   sync.Cond
	back    int64         // of the own posts
	quits   chan struct{} // closed: no more posts
	quitted sync.Once
	ends    chan struct{} // closed: no more reading either
	writing sync.WaitGroup
	reading sync.WaitGroup
	stopped sync.Once
}

func newClient(r *run, p peer, n int) *client {
	each := r.load.Readers + r.load.Posters
	c := &client{run: r, peer: p, room: n / each, id: -1, last: make([]uint32, r.load.Posters), quits: make(chan struct{}), ends: make(chan struct{})}
	if at := n % each; at >= r.load.Readers {
		c.id = n/each*r.load.Posters + at - r.load.Readers
	}
	c.moved.L = &c.mu
	return c
}

func (c *client) startReading() { c.reading.Go(c.read) }

func (c *client) startPosting(ctx context.Context) {
	if c.id >= 0 {
		c.writing.Go(func() { c.write(ctx) })
	}
}

// quit ends the posting.
func (c *client) quit() {
	c.quitted.Do(func() {
		close(c.quits)
		c.mu.Lock()
		defer c.mu.Unlock()
		c.moved.Broadcast()
	})
}

func (c *client) hasQuit() bool {
	select {
	case <-c.quits:
		return true
	default:
		return false
	}
}

// stop ends everything.
func (c *client) stop() {
	c.stopped.Do(func() {
		c.quit()
		close(c.ends)
		c.peer.close()
		c.writing.Wait()
		c.reading.Wait()
	})
}

// finish ends the client and counts what never came.
func (c *client) finish() {
	c.run.ending.Store(true)
	c.stop()
	l := c.run.load
	first := c.room * (l.Readers + l.Posters)
	for i, last := range c.last {
		c.missing += c.run.clients[first+l.Readers+i].posted.Load() - int64(last)
	}
}

func (c *client) read() {
	posters := len(c.last)
	for {
		text, n, err := c.peer.next()
		if err != nil {
			c.run.broken(err)
			return
		}
		c.bytes.Add(int64(n))
		if text == nil {
			continue
		}
		m, ok := parseMark(text)
		if !ok || m.poster/posters != c.room {
			continue // somebody else's
		}
		last := &c.last[m.poster%posters]
		switch {
		case m.number <= *last:
			c.doubled++
			continue
		case m.number > *last+1:
			c.lost += int64(m.number - *last - 1)
		}
		*last = m.number
		c.delivered.Add(1)
		if c.measured.Load() {
			c.latency.count(time.Duration(time.Now().UnixNano() - m.at))
		}
		if m.poster == c.id {
			c.cameBack(int64(m.number))
		}
		if d := time.Duration(c.stall.Swap(0)); d > 0 {
			select {
			case <-time.After(d):
			case <-c.ends:
			}
		}
	}
}

func (c *client) cameBack(number int64) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.back = number
	c.moved.Signal()
}

// write posts until the client quits.
func (c *client) write(ctx context.Context) {
	l := c.run.load
	text := make([]byte, l.Size)
	for i := range text {
		text[i] = 'x'
	}
	begin := time.Now()
	for k := int64(1); ; {
		at := time.Now()
		n := c.mayPost(k)
		if n == 0 {
			return
		}
		if l.Rate > 0 {
			at = begin.Add(time.Duration(float64(k) / l.Rate * float64(time.Second)))
			if !c.sleepUntil(ctx, at) {
				return
			}
			n = 1
		}
		for range n {
			putMark(text, mark{c.id, uint32(k), at.UnixNano()})
			c.peer.post(text)
			k++
		}
		c.posted.Add(n)
		if err := c.peer.flush(); err != nil {
			c.run.broken(err)
			return
		}
	}
}

// mayPost waits until the post k may be sent, and returns how many may be; 0: the client
// quits.
func (c *client) mayPost(k int64) int64 {
	window := int64(c.run.load.Window)
	if c.run.load.Rate > 0 {
		window = max(window, 1<<20)
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	for c.back+window < k && !c.hasQuit() {
		c.moved.Wait()
	}
	if c.hasQuit() {
		return 0
	}
	return min(c.back+window-k+1, 64)
}

// sleepUntil is false when the client quits first.
func (c *client) sleepUntil(ctx context.Context, at time.Time) bool {
	t := time.NewTimer(time.Until(at))
	defer t.Stop()
	select {
	case <-t.C:
		return true
	case <-c.quits:
	case <-ctx.Done():
	}
	return false
}

// Package bench puts a load on a chat server, or on a bare relay to compare it with,
// and measures what comes of it. It is behind chat bench.
//
// A load has rooms, each with readers and posters. Every connection, a poster's too, is
// sent what all posters of its room say. A text is ASCII of a fixed length that begins
// with who posted it, its number and when, so that each reader can tell what is lost,
// doubled or out of order, and how long it took:
//
//	PPPP KKKKKKKK TTTTTTTTTTTTTTTT …     poster, number from 1, Unix nanoseconds; in hex, without the spaces
//
// Where posts come at a rate, a text's time is when it should have been sent: a server
// that holds a poster up is charged for it. Both clocks are this machine's, and the
// load's own CPU time is measured too: where a machine has few cores, it competes with
// the server, which is why results are compared with those of a bare relay under the
// same load and not with other machines'.
//
// A load without posters is one of silent people: what is measured then is how long it
// takes until all have joined, and what each costs the server in memory.
//
// # Bare relays
//
// [Relay] is what relaying costs at least: records of a fixed size, no names, no log, no
// limits, nothing checked. Inline, the connection's reader writes each record to every
// socket of the room, one write each. Batched, each connection has a writer that sends
// all that is pending in one write.
package bench

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"
)

// Load says what to do to a server.
type Load struct {
	Rooms   int           `json:"rooms"`
	Readers int           `json:"readers"` // in each room
	Posters int           `json:"posters"` // in each room, who read too
	Rate    float64       `json:"rate"`    // posts a second of each poster; 0: as fast as Window lets it
	Window  int           `json:"window"`  // a poster waits until its post k−Window has come back
	Size    int           `json:"size"`    // bytes of a text
	Time    time.Duration `json:"-"`       // how long it is measured,
	Warm    time.Duration `json:"-"`       // after so long
	Stall   time.Duration `json:"-"`       // the first reader stops reading for so long, when measuring begins
}

// The bounds of a load.
const (
	MinSize = markSize
	MaxSize = 16 << 10
	maxRate = 1_000_000
)

// Connections is how many the load makes.
func (l Load) Connections() int { return l.Rooms * (l.Readers + l.Posters) }

// Check reports what is wrong with a load.
func (l Load) Check() error {
	switch {
	case l.Rooms < 1 || l.Rooms > 10_000:
		return fmt.Errorf("%d rooms: it is 1 to 10,000", l.Rooms)
	case l.Readers < 0 || l.Posters < 0 || l.Readers+l.Posters < 1 || l.Connections() > 50_000:
		return fmt.Errorf("%d readers and %d posters in %d rooms: it is 1 to 50,000 connections", l.Readers, l.Posters, l.Rooms)
	case l.Rooms*l.Posters > 1<<16:
		return fmt.Errorf("%d posters: it is %d at most", l.Rooms*l.Posters, 1<<16)
	case l.Size < MinSize || l.Size > MaxSize:
		return fmt.Errorf("texts of %d bytes: it is %d to %d", l.Size, MinSize, MaxSize)
	case !(l.Rate >= 0 && l.Rate <= maxRate): // not a number is none of both
		return fmt.Errorf("a rate of %g: it is 0 to %d", l.Rate, maxRate)
	case l.Rate == 0 && l.Window < 1 && l.Posters > 0:
		return errors.New("posters need a rate, or a window of at least 1")
	case l.Time <= 0 || l.Time > time.Hour:
		return fmt.Errorf("%v: the time is more than nothing and at most an hour", l.Time)
	case l.Warm < 0 || l.Warm > time.Hour:
		return fmt.Errorf("%v: warming up takes nothing to an hour", l.Warm)
	case l.Stall < 0 || l.Stall > l.Time:
		return fmt.Errorf("a stall of %v: it ends within the time that is measured, %v", l.Stall, l.Time)
	case l.Stall > 0 && (l.Readers < 2 || l.Posters < 1):
		return errors.New("a stall needs a reader that stops, others to compare with, and a poster")
	}
	return nil
}

// Result is what came of a load.
type Result struct {
	Load       Load    `json:"load"`
	Seconds    float64 `json:"seconds"`    // that were measured
	Connect    float64 `json:"connect_s"`  // until all were connected and had joined
	Posts      int64   `json:"posts"`      // made while it was measured,
	Deliveries int64   `json:"deliveries"` // and delivered
	PerSecond  float64 `json:"deliveries_per_s"`
	Lost       int64   `json:"lost"`    // of the whole run, as are the next two
	Doubled    int64   `json:"doubled"` // or out of order
	Missing    int64   `json:"missing"` // when the run ended: lost, or still to come
	Slowed     int64   `json:"slowed"`  // times that the server said slow
	Bytes      float64 `json:"bytes_per_delivery"`
	P50        float64 `json:"p50_ms"`
	P99        float64 `json:"p99_ms"`
	Max        float64 `json:"max_ms"`
	Received   float64 `json:"received_per_connection"` // bytes in all, joining included
	// Late is how many deliveries the reader of Stall never got, or had not got when
	// the run ended; latencies are those of the others.
	Late   int64  `json:"stalled_missing,omitempty"`
	Server *Usage `json:"server,omitempty"`
	Self   *Usage `json:"self,omitempty"`
}

// Usage is what a process took while it was measured.
type Usage struct {
	CPU    float64 `json:"cpu_s"`           // seconds, user and system
	Per    float64 `json:"cpu_us_delivery"` // microseconds a delivery
	RSS    int64   `json:"rss"`             // bytes at the end,
	Before int64   `json:"rss_before"`      // before the first connection,
	Begin  int64   `json:"rss_begin"`       // when measuring began,
	Peak   int64   `json:"rss_peak"`        // and the most since then
}

// PerConnection is the memory that a load's connections have added, for each of them.
func (u *Usage) PerConnection(l Load) float64 {
	return float64(u.RSS-u.Before) / float64(l.Connections())
}

// peer is one connection of a load. One goroutine posts and flushes, one calls next.
type peer interface {
	// post puts a text where flush sends it.
	post(text []byte)
	flush() error
	// next returns the next text that was delivered, valid until the next call, and
	// how many bytes were read for it.
	next() (text []byte, read int, err error)
	close()
}

// Target makes the connections of a load.
type Target interface {
	connect(ctx context.Context, room, n int, l Load) (peer, error)
}

// readBuffer is the size of a connection's buffer: thousands of silent ones should fit
// beside the server that is measured.
func (l Load) readBuffer() int {
	if l.Posters == 0 {
		return 4 << 10
	}
	return 64 << 10
}

// atOnce is how many connections are made at the same time.
const atOnce = 64

// Run puts a load on a target. progress, when not nil, hears now and then how much of
// it is done, from 0 to 1. usage, when not nil, measures the server.
func Run(ctx context.Context, target Target, l Load, progress func(done float64, what string), usage func() (cpu time.Duration, rss int64, err error)) (*Result, error) {
	if err := l.Check(); err != nil {
		return nil, err
	}
	if progress == nil {
		progress = func(float64, string) {}
	}
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	r := &run{load: l, cancel: cancel}
	_, before, _ := used(usage)
	begin := time.Now()
	err := r.connectAll(ctx, target, progress)
	defer r.closeAll()
	if err != nil {
		return nil, err
	}
	connected := time.Since(begin)
	res, err := r.measure(ctx, progress, usage)
	if err != nil {
		return nil, err
	}
	res.Connect = connected.Seconds()
	if res.Server != nil {
		res.Server.Before = before
	}
	return res, nil
}

// run is one load being carried out.
type run struct {
	load    Load
	cancel  context.CancelCauseFunc
	clients []*client
	ending  atomic.Bool // connections that end are no failure any more
	slowed  atomic.Int64
}

func (r *run) connectAll(ctx context.Context, target Target, progress func(float64, string)) error {
	l := r.load
	r.clients = make([]*client, l.Connections())
	each := l.Readers + l.Posters
	var group sync.WaitGroup
	var made atomic.Int64
	failed := make(chan error, 1)
	next := make(chan int)
	for range min(atOnce, len(r.clients)) {
		group.Go(func() {
			for i := range next {
				p, err := target.connect(ctx, i/each, i, l)
				if err != nil {
					select {
					case failed <- fmt.Errorf("connection %d of %d: %w", i+1, len(r.clients), err):
					default:
					}
					r.cancel(err)
					continue
				}
				r.clients[i] = newClient(r, p, i)
				r.clients[i].startReading() // a server asks now and then whether anybody is there
				if n := made.Add(1); n%100 == 0 {
					progress(float64(n)/float64(len(r.clients)), "connecting")
				}
			}
		})
	}
	for i := range r.clients {
		select {
		case next <- i:
		case <-ctx.Done():
		}
	}
	close(next)
	group.Wait()
	select {
	case err := <-failed:
		return err
	default:
		return context.Cause(ctx)
	}
}

// broken ends the run because of a connection, unless connections end anyway.
func (r *run) broken(err error) {
	if !r.ending.Load() {
		r.cancel(fmt.Errorf("a connection of the load broke: %w", err))
	}
}

func (r *run) closeAll() {
	r.ending.Store(true)
	var group sync.WaitGroup
	for _, c := range r.clients {
		if c != nil {
			group.Go(c.stop)
		}
	}
	group.Wait()
}

// measure lets the posters post, and counts between two moments.
func (r *run) measure(ctx context.Context, progress func(float64, string), usage func() (time.Duration, int64, error)) (*Result, error) {
	l := r.load
	for _, c := range r.clients {
		c.startPosting(ctx)
	}
	if !wait(ctx, l.Warm, func(done float64) { progress(done, "warming up") }) {
		return nil, context.Cause(ctx)
	}
	before := r.count()
	cpu, rssBegin, usageErr := used(usage)
	peak := rssBegin
	self, _, _ := Self()
	for _, c := range r.clients {
		c.measured.Store(true)
	}
	if l.Stall > 0 {
		r.clients[0].stall.Store(int64(l.Stall))
	}
	begin := time.Now()
	if !wait(ctx, l.Time, func(done float64) {
		progress(done, "measuring")
		_, rss, _ := used(usage)
		peak = max(peak, rss)
	}) {
		return nil, context.Cause(ctx)
	}
	took := time.Since(begin)
	after := r.count()
	cpuAfter, rss, _ := used(usage)
	selfAfter, selfRSS, _ := Self()
	for _, c := range r.clients {
		c.measured.Store(false)
	}
	progress(1, "waiting for the last ones")
	r.drain(ctx)

	res := &Result{Load: l, Seconds: took.Seconds(), Posts: after.posts - before.posts, Deliveries: after.deliveries - before.deliveries, Slowed: r.slowed.Load()}
	res.PerSecond = float64(res.Deliveries) / res.Seconds
	if res.Deliveries > 0 {
		res.Bytes = float64(after.bytes-before.bytes) / float64(res.Deliveries)
	}
	var took1 histogram
	var received int64
	for i, c := range r.clients {
		c.finish()
		res.Lost += c.lost
		res.Missing += c.missing
		res.Doubled += c.doubled
		received += c.bytes.Load()
		if l.Stall > 0 && i == 0 { // it is late on purpose
			res.Late = c.lost + c.missing
			continue
		}
		took1.add(&c.latency)
	}
	res.Received = float64(received) / float64(len(r.clients))
	res.P50, res.P99, res.Max = ms(took1.at(0.5)), ms(took1.at(0.99)), ms(took1.max)
	res.Self = usageOf(selfAfter-self, selfRSS, res.Deliveries)
	if usage != nil && usageErr == nil {
		res.Server = usageOf(cpuAfter-cpu, rss, res.Deliveries)
		res.Server.Begin, res.Server.Peak = rssBegin, max(peak, rss)
	}
	return res, nil
}

func ms(d time.Duration) float64 { return float64(d.Microseconds()) / 1000 }

func used(usage func() (time.Duration, int64, error)) (time.Duration, int64, error) {
	if usage == nil {
		return 0, 0, nil
	}
	return usage()
}

func usageOf(cpu time.Duration, rss, deliveries int64) *Usage {
	u := &Usage{CPU: cpu.Seconds(), RSS: rss}
	if deliveries > 0 {
		u.Per = float64(cpu.Nanoseconds()) / 1000 / float64(deliveries)
	}
	return u
}

// wait waits for a time and tells how much of it is over; false: ctx has ended.
func wait(ctx context.Context, d time.Duration, tell func(done float64)) bool {
	tick := time.NewTicker(100 * time.Millisecond)
	defer tick.Stop()
	end := time.NewTimer(d)
	defer end.Stop()
	begin := time.Now()
	for {
		select {
		case <-end.C:
			return ctx.Err() == nil
		case <-tick.C:
			tell(min(1, time.Since(begin).Seconds()/d.Seconds()))
		case <-ctx.Done():
			return false
		}
	}
}

// drainQuiet is after how long without a delivery the rest is missing, and drainMost how
// long the last ones may take.
const (
	drainQuiet = 10 * time.Second
	drainMost  = time.Minute
)

// drain ends the posting, and waits until everybody has everything, or nothing comes any
// more.
func (r *run) drain(ctx context.Context) {
	for _, c := range r.clients {
		c.quit()
	}
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		for _, c := range r.clients {
			c.writing.Wait()
		}
	}()
	end := time.After(drainMost)
	select {
	case <-ended:
	case <-end: // the server no longer reads
		return
	case <-ctx.Done():
		return
	}
	moved, have := time.Now(), int64(0)
	for time.Since(moved) < drainQuiet {
		n := r.count().deliveries
		if n >= r.expected() {
			return
		}
		if n > have {
			moved, have = time.Now(), n
		}
		select {
		case <-time.After(10 * time.Millisecond):
		case <-end:
			return
		case <-ctx.Done():
			return
		}
	}
}

// expected is how many deliveries all posts of the run make.
func (r *run) expected() (n int64) {
	each := r.load.Readers + r.load.Posters
	for _, c := range r.clients {
		n += c.posted.Load() * int64(each)
	}
	return n
}

type counts struct{ posts, deliveries, bytes int64 }

func (r *run) count() (n counts) {
	for _, c := range r.clients {
		n.posts += c.posted.Load()
		n.deliveries += c.delivered.Load()
		n.bytes += c.bytes.Load()
	}
	return n
}

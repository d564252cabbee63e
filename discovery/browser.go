package discovery

import (
	"context"
	"math/rand/v2"
	"net/netip"
	"sync"
	"time"
)

const (
	// askAgain is how often a browser asks when beacons reach it anyway, and
	// askBlind when they do not. With more than a hundred servers both grow like
	// the interval of beacons.
	askAgain = 30 * time.Second
	askBlind = 10 * time.Second
	// confirms is how many goodbyes are checked at one time. One that comes on
	// top is ignored: the server then goes when its time is over.
	confirms = 4
)

// Browser keeps a live list of the servers on the networks of this host. All
// methods may be called by several goroutines; Run once.
type Browser struct {
	cfg     Config
	tally   tally
	changed chan struct{}

	mu       sync.Mutex
	table    *table
	checking map[place]bool // goodbyes that are being checked
}

// NewBrowser makes a browser; Run starts it.
func NewBrowser(cfg Config) (*Browser, error) {
	if err := cfg.complete(); err != nil {
		return nil, err
	}
	table := newTable()
	table.dear = cfg.Known
	return &Browser{
		cfg:      cfg,
		tally:    tally{log: cfg.Logger, watch: newWatcher(cfg)},
		changed:  make(chan struct{}, 1),
		table:    table,
		checking: map[place]bool{},
	}, nil
}

// Servers are those known now, by name. Before Run, and where nothing is heard,
// there are none; after Run the last state stays.
func (b *Browser) Servers() []Server {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.table.servers(func(*entry) bool { return true })
}

// Changed gets a value when Servers would give another list than before, the
// times aside. Several changes may be told as one. There is one channel: of
// several readers, one gets each value.
func (b *Browser) Changed() <-chan struct{} { return b.changed }

// Stats counts since the browser was made.
func (b *Browser) Stats() Stats { return b.tally.snapshot() }

// Run listens until ctx ends and then returns nil, when everything it started
// has ended. It fails only if it cannot open a socket at all. Networks that come
// and go meanwhile are noticed within 5 s.
func (b *Browser) Run(ctx context.Context) error {
	a, err := newAsker(ctx, b.cfg, &b.tally)
	if err != nil {
		return err
	}
	defer a.close()

	var checks sync.WaitGroup
	defer checks.Wait()
	ctx, cancel := context.WithCancel(ctx)
	defer cancel() // before the wait
	gone := make(chan place, confirms)

	look := time.NewTicker(glance)
	defer look.Stop()
	expiry := time.NewTimer(time.Hour)
	defer expiry.Stop()
	ask := time.NewTimer(0)
	defer ask.Stop()
	asked := 0
	var sleep sleeper
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-look.C:
			d, woke := sleep.slept(b.cfg.wall(), time.Now())
			if woke {
				b.tally.count(woken)
				b.mu.Lock()
				b.table.slept(d, time.Now(), ListTime)
				b.mu.Unlock()
				expiry.Reset(b.untilExpiry())
			}
			if a.refresh(ctx) || woke {
				asked = 0
				ask.Reset(0)
			}
		case <-ask.C:
			if err := a.ask(ctx, "", nil); err != nil {
				return err
			}
			asked++
			ask.Reset(b.pause(asked, len(a.listeners) > 0))
		case h := <-a.heard:
			b.take(ctx, a, h, &checks, gone)
			expiry.Reset(b.untilExpiry())
		case at := <-gone:
			b.mu.Lock()
			b.table.drop(at)
			b.mu.Unlock()
			b.tell()
		case <-expiry.C:
			b.mu.Lock()
			changed := b.table.expire(time.Now())
			b.mu.Unlock()
			if changed {
				b.tell()
			}
			expiry.Reset(b.untilExpiry())
		}
	}
}

// pause is how long to wait after the nth query.
func (b *Browser) pause(n int, hearsBeacons bool) time.Duration {
	if n < len(listAt) {
		return listAt[n] - listAt[n-1]
	}
	b.mu.Lock()
	crowd := time.Duration(max(1, len(b.table.entries)/100))
	b.mu.Unlock()
	if hearsBeacons {
		return jitter(crowd * askAgain)
	}
	return jitter(crowd * askBlind)
}

// jitter is d ± 25 %: hosts that started together, with the power, drift apart.
func jitter(d time.Duration) time.Duration {
	return d - d/4 + rand.N(d/2+1)
}

func (b *Browser) untilExpiry() time.Duration {
	b.mu.Lock()
	defer b.mu.Unlock()
	at, ok := b.table.nextExpiry()
	if !ok {
		return time.Hour
	}
	return time.Until(at)
}

func (b *Browser) tell() {
	select {
	case b.changed <- struct{}{}:
	default: // the last one is not read yet
	}
}

func (b *Browser) take(ctx context.Context, a *asker, h heard, checks *sync.WaitGroup, gone chan<- place) {
	s, speaks := a.arrived(h)
	if g, ok := h.packet.(*Goodbye); ok && s.from.IsValid() {
		b.check(ctx, s.from, g, checks, gone)
	}
	if !speaks {
		return
	}
	b.mu.Lock()
	v := b.table.put(s)
	b.mu.Unlock()
	switch v {
	case changed:
		b.tell()
	case full:
		b.tally.count(throttled)
	case contested:
		b.tally.contradicted(s)
		b.tell()
	}
}

// check asks whether a server that said goodbye is still there. Without a way to
// ask, the goodbye counts for nothing.
func (b *Browser) check(ctx context.Context, from netip.Addr, g *Goodbye, checks *sync.WaitGroup, gone chan<- place) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.cfg.Confirm == nil {
		return
	}
	for at, e := range b.table.entries {
		if at.source != from || at.instance != g.Instance || at.key != g.Key || b.checking[at] || len(b.checking) >= confirms {
			continue
		}
		b.checking[at] = true
		addr := e.addr
		checks.Go(func() {
			there := b.cfg.Confirm(ctx, addr)
			b.mu.Lock()
			delete(b.checking, at)
			b.mu.Unlock()
			if there || ctx.Err() != nil {
				return
			}
			select {
			case gone <- at:
			case <-ctx.Done():
			}
		})
	}
}

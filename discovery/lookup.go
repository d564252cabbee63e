package discovery

import (
	"context"
	"net/netip"
	"slices"
	"time"
)

// When a search asks. A datagram may be lost, and a server may be just starting.
var (
	lookupAt = []time.Duration{0, 100 * time.Millisecond, 300 * time.Millisecond, 700 * time.Millisecond,
		1500 * time.Millisecond, 2500 * time.Millisecond}
	listAt = []time.Duration{0, 300 * time.Millisecond, 900 * time.Millisecond}
)

const (
	lookupTime = 3500 * time.Millisecond
	// settle is how long a lookup without a pin goes on after the first match,
	// to notice another server of that name.
	settle = 50 * time.Millisecond
	// ListTime is how long List listens when it is not told.
	ListTime = 1500 * time.Millisecond
)

// Want says which server Lookup is to find.
type Want struct {
	// Name as people know it; upper and lower case are one. With an empty Name
	// every server matches.
	Name string
	// Key, when not nil, is the pinned fingerprint: no other server will do.
	Key *[KeySize]byte
	// Last are TCP addresses that the server had before. Their hosts are asked by
	// unicast too, at the discovery port.
	Last []netip.AddrPort
	// Skip are TCP addresses that are not it: a connection there met another
	// key. They are passed over.
	Skip []netip.AddrPort
}

// Lookup finds the server by name, with nothing configured. It asks at once and
// five times more. With a pinned key it returns at the first server that
// announces that key; otherwise 50 ms after the first match. After 3.5 s it
// gives up with ErrNotFound, or with ErrOtherKey when only servers with another
// key than the pinned one were there; these are returned beside the error. When
// ctx ends first, its error is returned.
//
// More than one server may come back, those that answered first. With the same
// key they are replicas, any will do. When servers with different keys claim the
// name, they are returned beside ErrConflict: show them and let the user choose.
// Whatever comes back is a hint: check the key in the TLS handshake, try the next address when
// it differs, and look up again with those that failed in Skip.
//
// Several lookups may run at once.
func Lookup(ctx context.Context, cfg Config, want Want) ([]Server, error) {
	if want.Name != "" {
		if err := ValidName(want.Name); err != nil {
			return nil, err
		}
	}
	named := func(b *Beacon, addr netip.AddrPort) bool {
		return (want.Name == "" || SameName(want.Name, b.Name)) && !slices.Contains(want.Skip, addr)
	}
	pinned := func(key [KeySize]byte) bool { return want.Key != nil && key == *want.Key }
	s := search{cfg: cfg, want: want, schedule: lookupAt, length: lookupTime, wanted: named, dear: pinned}
	s.enough = func(b *Beacon) time.Duration {
		switch {
		case want.Key == nil:
			return settle
		case pinned(b.Key):
			return 0
		}
		return -1
	}
	nobody, err := s.run(ctx)
	if err != nil {
		return nil, err
	}
	found := byAnswer(s.table.servers(func(e *entry) bool { return want.Key == nil || pinned(e.beacon.Key) }))
	switch {
	case len(found) == 0:
		if others := byAnswer(s.table.servers(func(*entry) bool { return true })); len(others) > 0 {
			return others, ErrOtherKey
		}
		return nil, nobody
	case want.Name != "" && slices.ContainsFunc(found, func(s Server) bool { return s.Key != found[0].Key }):
		return found, ErrConflict
	}
	return found, nil
}

// byAnswer puts those that answered before those that only announced themselves.
func byAnswer(list []Server) []Server {
	slices.SortStableFunc(list, func(a, b Server) int {
		switch {
		case a.Answered == b.Answered:
			return 0
		case a.Answered:
			return -1
		}
		return 1
	})
	return list
}

// List finds every server that can be heard within d, ListTime when d is 0,
// sorted by name. An empty list is no error. When ctx ends first, what was
// found until then is returned with its error. Several may run at once.
func List(ctx context.Context, cfg Config, d time.Duration) ([]Server, error) {
	if d <= 0 {
		d = ListTime
	}
	s := search{
		cfg: cfg, schedule: listAt, length: d,
		wanted: func(*Beacon, netip.AddrPort) bool { return true },
		enough: func(*Beacon) time.Duration { return -1 },
	}
	_, err := s.run(ctx)
	if s.table == nil {
		return nil, err
	}
	return s.table.servers(func(*entry) bool { return true }), err
}

// search asks on a schedule and collects what it hears.
type search struct {
	cfg      Config
	want     Want
	schedule []time.Duration
	length   time.Duration
	wanted   func(*Beacon, netip.AddrPort) bool // whom to remember; nobody else takes up room
	dear     func([KeySize]byte) bool
	enough   func(*Beacon) time.Duration // how much longer to listen, now that it was heard; negative: all the time there is
	table    *table
}

// run fills the table. nobody is the error to return if nothing is in it.
func (s *search) run(ctx context.Context) (nobody, err error) {
	if err := s.cfg.complete(); err != nil {
		return nil, err
	}
	a, err := newAsker(ctx, s.cfg, &tally{log: s.cfg.Logger, watch: newWatcher(s.cfg)})
	if err != nil {
		return nil, err
	}
	defer a.close()
	s.table = newTable()
	s.table.dear = s.dear
	start := time.Now()
	end := time.NewTimer(s.length)
	defer end.Stop()
	next := time.NewTimer(0)
	defer next.Stop()
	settling := false
	for asked := 0; ; {
		select {
		case <-ctx.Done():
			s.takeRest(a)
			return nil, context.Cause(ctx)
		case <-end.C:
			s.takeRest(a)
			return a.nobody(), nil
		case <-next.C:
			if err := a.ask(ctx, s.want.Name, s.want.Last); err != nil {
				return nil, err
			}
			if asked++; asked < len(s.schedule) {
				next.Reset(time.Until(start.Add(s.schedule[asked])))
			}
		case h := <-a.heard:
			if wait := s.take(a, h); wait == 0 {
				return nil, nil
			} else if wait > 0 && !settling {
				settling = true
				end.Reset(wait)
				next.Stop()
			}
		}
	}
}

// take puts what was heard into the table, and tells what enough says of it.
func (s *search) take(a *asker, h heard) time.Duration {
	heard, ok := a.arrived(h)
	if !ok || !s.wanted(&heard.Beacon, heard.addr()) || s.table.put(heard) == full {
		return -1
	}
	return s.enough(&heard.Beacon)
}

// takeRest takes what came before the end. On a machine that stood still the end is
// there at the same time as what came meanwhile, and select picks either.
func (s *search) takeRest(a *asker) {
	for range len(a.heard) { // not what a flood adds
		s.take(a, <-a.heard)
	}
}

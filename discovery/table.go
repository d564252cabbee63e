package discovery

import (
	"cmp"
	"net/netip"
	"slices"
	"strings"
	"time"
)

const (
	// maxEntries and maxPerSource bound what strangers can make a table hold:
	// about 300 bytes an entry.
	maxEntries   = 1024
	maxPerSource = 16
	// maxTTL bounds what a packet may claim, in seconds.
	maxTTL = 600
	// stale is how long a packet with a lower sequence number counts as
	// overtaken. Not for ever: else one forged packet with the highest number
	// would silence a server.
	stale = 2 * time.Second
)

// entry is one server at one address.
type entry struct {
	beacon   Beacon
	addr     netip.AddrPort // of TCP
	by       string         // the interface
	answered bool           // it has echoed our token
	first    time.Time
	seen     time.Time
}

func (e *entry) expires() time.Time {
	return e.seen.Add(time.Duration(min(e.beacon.TTL, maxTTL)) * time.Second)
}

// place is what makes two packets speak of one entry. The address is part of it,
// or one host could change what is known of another.
type place struct {
	source   netip.Addr
	instance [InstanceSize]byte
}

// table is what a client has heard. It belongs to one goroutine, or is guarded
// by its owner.
type table struct {
	entries   map[place]*entry
	perSource map[netip.Addr]int
}

func newTable() *table {
	return &table{entries: map[place]*entry{}, perSource: map[netip.Addr]int{}}
}

// put takes in what a server said. changed: a reader of the table would see a
// difference other than the time. full: there was no room.
//
// When the table is full, one that answered takes the place of the one longest
// unheard that did not: an answer proves that its sender sees our queries, a
// beacon comes from anywhere.
func (t *table) put(b Beacon, from netip.Addr, by string, answered bool, now time.Time) (changed, full bool) {
	at := place{from, b.Instance}
	addr := netip.AddrPortFrom(from, b.Port)
	if e := t.entries[at]; e != nil {
		if int32(b.Seq-e.beacon.Seq) < 0 && now.Sub(e.seen) < stale {
			return false, false
		}
		was := e.beacon
		was.Seq, was.TTL = b.Seq, b.TTL
		changed = was != b
		e.beacon, e.addr, e.by, e.seen = b, addr, by, now
		e.answered = e.answered || answered
		return changed, false
	}
	if t.perSource[from] >= maxPerSource {
		return false, true
	}
	if len(t.entries) >= maxEntries {
		victim, found := t.unproved()
		if !answered || !found {
			return false, true
		}
		t.drop(victim)
	}
	t.entries[at] = &entry{beacon: b, addr: addr, by: by, answered: answered, first: now, seen: now}
	t.perSource[from]++
	return true, false
}

// unproved finds the entry longest unheard among those that never answered.
func (t *table) unproved() (at place, found bool) {
	for p, e := range t.entries {
		if !e.answered && (!found || e.seen.Before(t.entries[at].seen)) {
			at, found = p, true
		}
	}
	return at, found
}

func (t *table) drop(at place) {
	if t.entries[at] == nil {
		return
	}
	delete(t.entries, at)
	if t.perSource[at.source]--; t.perSource[at.source] == 0 {
		delete(t.perSource, at.source)
	}
}

// expire drops what has not been heard for its time to live.
func (t *table) expire(now time.Time) (changed bool) {
	for p, e := range t.entries {
		if !e.expires().After(now) {
			t.drop(p)
			changed = true
		}
	}
	return changed
}

// nextExpiry is when expire has something to do.
func (t *table) nextExpiry() (at time.Time, ok bool) {
	for _, e := range t.entries {
		if x := e.expires(); !ok || x.Before(at) {
			at, ok = x, true
		}
	}
	return at, ok
}

// servers lists those that match, by name: one Server for each run of a server,
// however many addresses it was heard from.
func (t *table) servers(match func(*entry) bool) []Server {
	type run struct {
		instance [InstanceSize]byte
		key      [KeySize]byte
		name     string
	}
	groups := map[run][]*entry{}
	for _, e := range t.entries {
		if match(e) {
			r := run{e.beacon.Instance, e.beacon.Key, e.beacon.Name}
			groups[r] = append(groups[r], e)
		}
	}
	list := make([]Server, 0, len(groups))
	for _, g := range groups {
		slices.SortFunc(g, better)
		list = append(list, serverOf(g))
	}
	slices.SortFunc(list, func(a, b Server) int {
		return cmp.Or(
			strings.Compare(strings.ToLower(a.Name), strings.ToLower(b.Name)),
			slices.Compare(a.Key[:], b.Key[:]),
			a.Addr.Compare(b.Addr),
			slices.Compare(a.Instance[:], b.Instance[:]),
		)
	})
	return list
}

// better sorts the addresses of one server: first this host's own loopback, of
// which nobody else can say it is there; then those that answered; then the
// one first heard.
func better(a, b *entry) int {
	first := func(yes, other bool) int {
		switch {
		case yes == other:
			return 0
		case yes:
			return -1
		}
		return 1
	}
	return cmp.Or(
		first(a.addr.Addr().IsLoopback(), b.addr.Addr().IsLoopback()),
		first(a.answered, b.answered),
		a.first.Compare(b.first),
		a.addr.Compare(b.addr),
	)
}

// serverOf joins the entries of one server, best first.
func serverOf(g []*entry) Server {
	newest := slices.MaxFunc(g, func(a, b *entry) int {
		return cmp.Or(a.seen.Compare(b.seen), cmp.Compare(a.beacon.Seq, b.beacon.Seq))
	})
	s := Server{
		Name:      g[0].beacon.Name,
		Key:       g[0].beacon.Key,
		Addr:      g[0].addr,
		Interface: g[0].by,
		People:    int(newest.beacon.People),
		Flags:     newest.beacon.Flags,
		Instance:  g[0].beacon.Instance,
		Seen:      newest.seen,
	}
	for _, e := range g {
		s.Answered = s.Answered || e.answered
		if e != g[0] {
			s.Others = append(s.Others, e.addr)
		}
	}
	return s
}

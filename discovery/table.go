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

// sighted is what one packet says of a server.
type sighted struct {
	Beacon
	from      netip.Addr
	by        string // the interface
	answered  bool   // it echoed our token
	roundTrip time.Duration
	at        time.Time
}

func (s *sighted) addr() netip.AddrPort { return netip.AddrPortFrom(s.from, s.Port) }

// entry is one server at one address.
type entry struct {
	beacon    Beacon
	addr      netip.AddrPort // of TCP
	by        string         // the interface
	answered  bool           // it has echoed our token
	roundTrip time.Duration  // of the last answer
	first     time.Time
	seen      time.Time
	until     time.Time // it expires
}

func ttl(b *Beacon) time.Duration { return time.Duration(min(b.TTL, maxTTL)) * time.Second }

// place is what makes two packets speak of one entry: all that is the same for a
// whole run of a server. The address is part of it, or one host could change what
// is known of another; and so is the rest, or whoever forges the address could.
type place struct {
	source   netip.Addr
	instance [InstanceSize]byte
	key      [KeySize]byte
	name     string
	port     uint16
}

func (s *sighted) place() place { return place{s.from, s.Instance, s.Key, s.Name, s.Port} }

// table is what a client has heard. It belongs to one goroutine, or is guarded
// by its owner.
type table struct {
	// dear, where not nil, tells the keys that the user knows: their servers get a
	// place like those that answered.
	dear      func(key [KeySize]byte) bool
	entries   map[place]*entry
	perSource map[netip.Addr]int
	soonest   time.Time // no entry expires before it; zero: there are none
}

func newTable() *table {
	return &table{entries: map[place]*entry{}, perSource: map[netip.Addr]int{}}
}

// verdict is what became of a packet.
type verdict int

const (
	same      verdict = iota // as before, the time aside
	changed                  // a reader of the table sees a difference
	contested                // changed, and contradicts what the same run of a server said
	full                     // there was no room
)

// put takes in what a server said.
//
// When the table or the source's share of it is full, one that answered takes
// the place of one that did not, the longest unheard, or else of any: an answer
// proves that its sender sees our queries, a beacon comes from anywhere.
func (t *table) put(s sighted) verdict {
	at := s.place()
	if e := t.entries[at]; e != nil {
		return t.renew(e, s)
	}
	if t.perSource[s.from] >= maxPerSource || len(t.entries) >= maxEntries {
		if !s.answered && (t.dear == nil || !t.dear(s.Key)) {
			return full
		}
		t.drop(t.victim(s.from))
	}
	v := changed
	if t.contradicts(at) {
		v = contested
	}
	e := &entry{beacon: s.Beacon, addr: s.addr(), by: s.by, answered: s.answered, roundTrip: s.roundTrip,
		first: s.at, seen: s.at, until: s.at.Add(ttl(&s.Beacon))}
	t.entries[at] = e
	t.perSource[s.from]++
	t.sooner(e.until)
	return v
}

// contradicts reports whether the run of a server at that place is already known,
// as another server. One of the two is forged.
func (t *table) contradicts(at place) bool {
	if t.perSource[at.source] == 0 {
		return false
	}
	for p := range t.entries {
		if p.source == at.source && p.instance == at.instance {
			return true
		}
	}
	return false
}

// renew takes in news of a server that is known.
func (t *table) renew(e *entry, s sighted) verdict {
	v := same
	if s.answered && !e.answered {
		e.answered, v = true, changed
	}
	if s.roundTrip > 0 {
		e.roundTrip = s.roundTrip
	}
	if int32(s.Seq-e.beacon.Seq) < 0 && s.at.Sub(e.seen) < stale {
		return v // a beacon may overtake the answer that went before it
	}
	was := e.beacon
	was.Seq, was.TTL = s.Seq, s.TTL
	if was != s.Beacon {
		v = changed
	}
	e.beacon, e.by, e.seen, e.until = s.Beacon, s.by, s.at, s.at.Add(ttl(&s.Beacon))
	t.sooner(e.until)
	return v
}

// victim finds the entry that goes for one of the given source: if that has its
// share already, one of its own; of these one that never answered, if there is
// any; of these the longest unheard.
func (t *table) victim(source netip.Addr) (at place) {
	own := t.perSource[source] >= maxPerSource
	var worst *entry
	for p, e := range t.entries {
		switch {
		case own && p.source != source:
		case worst == nil, worst.answered && !e.answered, worst.answered == e.answered && e.seen.Before(worst.seen):
			at, worst = p, e
		}
	}
	return at
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

func (t *table) sooner(until time.Time) {
	if t.soonest.IsZero() || until.Before(t.soonest) {
		t.soonest = until
	}
}

// expire drops what has not been heard for its time to live.
func (t *table) expire(now time.Time) (any bool) {
	t.soonest = time.Time{}
	for p, e := range t.entries {
		if !e.until.After(now) {
			t.drop(p)
			any = true
			continue
		}
		t.sooner(e.until)
	}
	return any
}

// nextExpiry is when to call expire; it may find nothing then.
func (t *table) nextExpiry() (at time.Time, ok bool) { return t.soonest, !t.soonest.IsZero() }

// slept puts everything back by the time that this host slept, during which it
// heard nothing. What is over by that has grace to answer the query that follows.
func (t *table) slept(d time.Duration, now time.Time, grace time.Duration) {
	for _, e := range t.entries {
		e.seen = e.seen.Add(-d)
		e.until = e.until.Add(-d)
		if least := now.Add(grace); e.until.Before(least) {
			e.until = least
		}
		t.sooner(e.until)
	}
}

// servers lists those that match, by name: one Server for each run of a server,
// however many addresses it was heard from. Of two runs with all else the same,
// address too, one is over, or was never there: the one is listed that answered,
// or that was heard last.
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
	type claim struct {
		key  [KeySize]byte
		name string
		addr netip.AddrPort
	}
	latest := map[claim]int{}
	for _, g := range groups {
		slices.SortFunc(g, better)
		s := serverOf(g)
		c := claim{s.Key, s.Name, s.Addr}
		i, double := latest[c]
		switch {
		case !double:
			latest[c] = len(list)
			list = append(list, s)
		case s.Answered == list[i].Answered && s.Seen.After(list[i].Seen), s.Answered && !list[i].Answered:
			list[i] = s
		}
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
		RoundTrip: g[0].roundTrip,
	}
	for _, e := range g {
		s.Answered = s.Answered || e.answered
		if e != g[0] {
			s.Others = append(s.Others, e.addr)
		}
	}
	return s
}

package discovery

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"math"
	mathrand "math/rand/v2"
	"net/netip"
	"slices"
	"sync"
	"sync/atomic"
	"time"
)

const (
	// interval is between two beacons of a server, ± 25 %. With more than a
	// hundred servers it grows: together they send at most ten beacons a second.
	interval      = 10 * time.Second
	crowdInterval = 100 * time.Millisecond // for each server
	// lifetimes is for how many intervals a beacon stays good: three may be lost.
	lifetimes = 3.5
	// listDelay spreads the answers to a query that means everybody. At most so far
	// that those to the last query of a list arrive before its end.
	listDelay      = 100 * time.Millisecond
	crowdListDelay = time.Millisecond // for each server
	maxListDelay   = 500 * time.Millisecond
	// maxPending is how many answers may wait at one time; more are dropped.
	maxPending = 256
	// askedGap is the least time between two beacons on an interface that
	// queries caused.
	askedGap = time.Second
	// linksFor is how long queries are judged by one listing of the links.
	linksFor = time.Second

	goodbyes   = 3
	goodbyeGap = 50 * time.Millisecond
)

// The beacons of a start, then one an interval.
var startAt = []time.Duration{0, time.Second, 3 * time.Second}

// Announcement is what a server says of itself.
type Announcement struct {
	Name string        // see ValidName
	Key  [KeySize]byte // SHA-256 of the TLS certificate (DER)
	// Listen is where the TCP listener is bound. Its port is announced; with an
	// address that is not unspecified (0.0.0.0, ::), only the network of that
	// address hears of the server: from another it could not be reached.
	Listen netip.AddrPort
	Flags  Flags
}

// Announcer makes a server known: it sends beacons and answers queries. All
// methods may be called by several goroutines; Run once.
type Announcer struct {
	cfg    Config
	ann    Announcement
	people atomic.Uint32
	ready  chan struct{}
	tally  tally

	mu      sync.Mutex
	problem error // of opening the port

	// What follows belongs to Run.
	instance [InstanceSize]byte
	seq      uint32
	conn     pair
	bound    bool         // conn is on the port of discovery
	joined   map[int]bool // the interfaces on which conn.six hears the group
	in       chan heard
	done     chan struct{}
	readers  sync.WaitGroup
	sleep    sleeper
	links    []link
	listed   time.Time
	rate     rate
	seen     sightings
	crowd    crowd
	pending  []reply
	beaconed map[int]time.Time // the last beacon, by interface
}

// reply is an answer that waits for its time.
type reply struct {
	came  time.Time
	at    time.Time
	query *Query
	size  int // of the query's datagram
	to    netip.AddrPort
	via   link
}

// NewAnnouncer checks what is to be announced; Run starts it.
func NewAnnouncer(cfg Config, ann Announcement) (*Announcer, error) {
	if err := cfg.complete(); err != nil {
		return nil, err
	}
	if err := ValidName(ann.Name); err != nil {
		return nil, err
	}
	if ann.Key == [KeySize]byte{} {
		return nil, errors.New("discovery: an announcement without a key")
	}
	if ann.Listen.Port() == 0 {
		return nil, errors.New("discovery: an announcement without a port")
	}
	a := &Announcer{cfg: cfg, ann: ann, ready: make(chan struct{}), tally: tally{log: cfg.Logger, watch: newWatcher(cfg)},
		in: make(chan heard, 64), done: make(chan struct{}), joined: map[int]bool{}, beaconed: map[int]time.Time{}}
	rand.Read(a.instance[:])
	return a, nil
}

// SetPeople tells how many people are online. The next packet carries it.
func (a *Announcer) SetPeople(n int) {
	a.people.Store(uint32(min(max(n, 0), math.MaxInt32)))
}

// Ready is closed when Run has tried to open its sockets: from then on queries
// are answered, unless there is a Problem.
func (a *Announcer) Ready() <-chan struct{} { return a.ready }

// Problem is a *BindError while the port of discovery cannot be opened, because
// another program has it for itself. Until it can, which is tried every 2 s, the
// server is announced, but queries are not answered: it is harder to find, and
// no reason to end. Else it is nil.
func (a *Announcer) Problem() error {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.problem
}

// Instance is the random id of this announcer, as servers found carry it.
func (a *Announcer) Instance() [InstanceSize]byte { return a.instance }

// Stats counts since the announcer was made.
func (a *Announcer) Stats() Stats { return a.tally.snapshot() }

// Run announces until ctx ends, says goodbye, which takes a tenth of a second,
// and returns nil when everything it started has ended. The TCP listener should
// be closed when ctx ends: a goodbye is believed where it no longer accepts. What
// fails it notes in Stats and goes on. Networks that come and go, and a sleep of
// this host, are noticed within 2 s; beacons then go out at once.
func (a *Announcer) Run(ctx context.Context) error {
	defer a.readers.Wait()
	defer func() {
		close(a.done)
		a.conn.close()
	}()
	a.open(ctx)
	a.look(ctx)
	close(a.ready)

	beacon := time.NewTimer(0)
	defer beacon.Stop()
	due := time.NewTimer(time.Hour)
	defer due.Stop()
	look := time.NewTicker(glance)
	defer look.Stop()
	for beacons := 0; ; {
		select {
		case <-ctx.Done():
			a.look(context.WithoutCancel(ctx))
			a.goodbye()
			return nil
		case <-look.C:
			a.open(ctx)
			_, woke := a.sleep.slept(a.cfg.wall(), time.Now())
			if woke {
				a.tally.count(woken)
			}
			if a.look(ctx) || woke {
				beacons = 0
				beacon.Reset(0)
			}
		case <-beacon.C:
			a.look(ctx)
			a.beacon(a.links)
			if beacons++; beacons < len(startAt) {
				beacon.Reset(startAt[beacons] - startAt[beacons-1])
			} else {
				beacon.Reset(jitter(a.interval()))
			}
		case h := <-a.in:
			a.take(ctx, h)
			due.Reset(a.untilDue())
		case <-due.C:
			a.flush()
			due.Reset(a.untilDue())
		}
	}
}

// open opens the port of discovery, if it is not open. While that fails, there
// is another port to send beacons from.
func (a *Announcer) open(ctx context.Context) {
	if a.bound {
		return
	}
	conn, err := a.cfg.network.listen(ctx, netip.AddrPortFrom(netip.IPv4Unspecified(), a.cfg.port()), 0, true)
	a.tally.quietly(fmt.Sprintf("listen on UDP port %d", a.cfg.port()), "", err) // see Problem
	a.bound = err == nil
	a.mu.Lock()
	a.problem = nil
	if err != nil {
		a.problem = &BindError{Port: int(a.cfg.port()), Err: err}
	}
	a.mu.Unlock()
	if err != nil && a.conn.four == nil {
		conn, err = a.cfg.network.listen(ctx, netip.AddrPortFrom(netip.IPv4Unspecified(), 0), 0, false)
	}
	if err != nil {
		return
	}
	if a.conn.four != nil {
		_ = a.conn.four.close()
	}
	a.conn.four = conn
	a.tally.opened(conn)
	a.listen(conn)
}

// listen reads a socket until it is closed.
func (a *Announcer) listen(conn packetConn) {
	a.readers.Go(func() {
		hear(conn, &a.tally, func(h heard) bool {
			select {
			case a.in <- h:
				return true
			case <-a.done:
				return false
			}
		})
	})
}

// look lists the links on which the TCP listener can be reached, and reports
// whether there are new ones.
func (a *Announcer) look(ctx context.Context) (fresh bool) {
	links, err := a.cfg.links()
	a.tally.outcome("list interfaces", "", err)
	a.listed = time.Now()
	if err != nil {
		return false
	}
	if at := a.ann.Listen.Addr().Unmap(); at.IsValid() && at != netip.IPv6Unspecified() {
		links = slices.DeleteFunc(links, func(l link) bool {
			if at.IsUnspecified() { // of IPv4
				return l.six()
			}
			return l.addr.Addr() != at.WithZone("") && !(l.loopback && at.IsLoopback())
		})
	}
	was := a.links
	if !slices.Equal(links, was) {
		a.links = links
		a.tally.usable(links)
	}
	a.join(ctx)
	return slices.ContainsFunc(links, func(l link) bool { return !slices.Contains(was, l) })
}

// join opens the socket of IPv6 when a link needs it, and makes it hear the
// group on those links and no others.
func (a *Announcer) join(ctx context.Context) {
	six := slices.DeleteFunc(slices.Clone(a.links), func(l link) bool { return !l.six() })
	if a.conn.six == nil {
		if len(six) == 0 {
			return
		}
		at := netip.AddrPortFrom(netip.IPv6Unspecified(), a.cfg.port())
		conn, err := a.cfg.network.listen(ctx, at, 0, true)
		a.tally.outcome(fmt.Sprintf("listen on UDP port %d of IPv6", a.cfg.port()), "", err)
		if err != nil {
			return
		}
		a.conn.six = conn
		a.listen(conn)
	}
	for index := range a.joined {
		if !slices.ContainsFunc(six, func(l link) bool { return l.index == index }) {
			a.conn.six.leave(index)
			delete(a.joined, index)
		}
	}
	for _, l := range six {
		if a.joined[l.index] {
			continue
		}
		err := a.conn.six.join(l.index)
		a.tally.outcome("listen to the group by "+l.name, l.name, err)
		a.joined[l.index] = err == nil
	}
}

func (a *Announcer) interval() time.Duration {
	all := a.crowd.size(time.Now()) + 1
	return max(interval, time.Duration(all)*crowdInterval)
}

// say is what there is to say now, under a new sequence number.
func (a *Announcer) say() *Beacon {
	a.seq++
	return &Beacon{
		Instance: a.instance,
		Key:      a.ann.Key,
		Name:     a.ann.Name,
		Port:     a.ann.Listen.Port(),
		People:   a.people.Load(),
		Flags:    a.ann.Flags,
		Seq:      a.seq,
		TTL:      uint16(math.Ceil(lifetimes * a.interval().Seconds())),
	}
}

// beacon sends one on each of the links, but for those on whose interface one
// went out within the last second, whoever asks.
func (a *Announcer) beacon(links []link) {
	now := time.Now()
	links = slices.DeleteFunc(slices.Clone(links), func(l link) bool {
		last, known := a.beaconed[l.index]
		return known && now.Sub(last) < askedGap
	})
	if len(links) == 0 {
		return
	}
	a.broadcast(a.say(), links)
	for index := range a.beaconed {
		if now.Sub(a.beaconed[index]) > time.Hour { // it may be gone for good
			delete(a.beaconed, index)
		}
	}
	for _, l := range links {
		a.beaconed[l.index] = now
	}
}

func (a *Announcer) broadcast(p Packet, links []link) {
	b, err := Append(nil, p)
	a.tally.outcome("encode", "", err)
	if err == nil {
		a.conn.broadcast(&a.tally, b, a.cfg.port(), links)
	}
}

func (a *Announcer) goodbye() {
	for n := range goodbyes {
		if n > 0 {
			time.Sleep(goodbyeGap)
		}
		a.seq++
		a.broadcast(&Goodbye{Instance: a.instance, Key: a.ann.Key, Seq: a.seq}, a.links)
	}
}

// take handles one packet of another.
func (a *Announcer) take(ctx context.Context, h heard) {
	if h.at.Sub(a.listed) >= linksFor {
		a.look(ctx)
	}
	via, ok := linkOf(a.links, h.index, h.from.Addr())
	if !ok {
		// Only neighbours: an answer to a source that others forged, in another
		// network, would make this server a weapon against that one.
		a.tally.count(foreign)
		return
	}
	own := false
	switch p := h.packet.(type) {
	case *Beacon:
		if own = p.Instance == a.instance; !own {
			a.crowd.heard(p, h.from.Addr(), h.at)
		}
	case *Goodbye:
		if own = p.Instance == a.instance; !own {
			a.crowd.left(p, h.from.Addr())
		}
	case *Query:
		if p.Name == "" || SameName(p.Name, a.ann.Name) {
			a.query(p, h, via)
		}
	}
	a.tally.came(via.name, own, h.at)
}

func (a *Announcer) query(q *Query, h heard, via link) {
	from := h.from
	if a.ours(from.Addr()) { // by each interface from another address, and yet the same
		from = netip.AddrPortFrom(local, from.Port())
	}
	before := a.seen.again(sighting{from, q.Token, q.Seq})
	if before >= copies || before > 0 && q.Name == "" {
		return // the same one by another way
	}
	if before == 0 && !a.rate.allow(h.from.Addr(), h.at) || len(a.pending) >= maxPending {
		a.tally.count(throttled)
		return
	}
	if slices.ContainsFunc(a.pending, func(r reply) bool { return r.to == h.from && r.query.Token == q.Token }) {
		return // asked again while the answer waits: one answer is enough
	}
	via = source(a.links, via, h.to)
	r := reply{came: h.at, at: h.at, query: q, size: h.size, to: h.from, via: via}
	if q.Name == "" {
		spread := time.Duration(a.crowd.size(h.at)+1) * crowdListDelay
		r.at = h.at.Add(mathrand.N(min(max(spread, listDelay), maxListDelay)))
	}
	a.pending = append(a.pending, r)
	a.flush()
}

// ours reports whether addr is one of this host.
func (a *Announcer) ours(addr netip.Addr) bool {
	addr = addr.WithZone("")
	return slices.ContainsFunc(a.links, func(l link) bool { return l.addr.Addr() == addr })
}

// source is the link to answer by: with the address that the query was sent to,
// where that is one of ours. A firewall at the other end expects it.
func source(links []link, via link, to netip.Addr) link {
	for _, l := range links {
		if l.addr.Addr() == to {
			via.addr = l.addr
		}
	}
	return via
}

func (a *Announcer) untilDue() time.Duration {
	d := time.Hour
	for _, r := range a.pending {
		d = min(d, time.Until(r.at))
	}
	return d
}

// flush sends the replies whose time has come.
func (a *Announcer) flush() {
	now := time.Now()
	a.pending = slices.DeleteFunc(a.pending, func(r reply) bool {
		if r.at.After(now) {
			return false
		}
		a.reply(r, now)
		return true
	})
}

// reply answers by unicast, from the socket that the query came to: a firewall
// at the other end lets nothing else in. And by a beacon, for those whose
// firewall lets not even that in.
func (a *Announcer) reply(r reply, now time.Time) {
	ans := a.say().answer(r.query.Token)
	ans.Asked, ans.Wait = r.query.Seq, uint32(now.Sub(r.came).Microseconds())
	b, err := Append(nil, ans)
	a.tally.outcome("encode", "", err)
	if err == nil && len(b) <= r.size { // a query that is too short gets no more than it brought
		a.tally.count(answered)
		// Not by send: what failed is noted for the interface, not for each asker.
		a.tally.wrote(a.conn.write(&a.tally, b, r.to, r.via), r.via.name, func() string { return "answer by " + r.via.name })
	}
	gap := askedGap
	if r.query.Name == "" { // everybody is asked: together no more beacons than without
		gap = max(gap, time.Duration(a.crowd.size(now)+1)*crowdInterval)
	}
	if now.Sub(a.beaconed[r.via.index]) >= gap {
		a.beacon(slices.DeleteFunc(slices.Clone(a.links), func(l link) bool { return l.index != r.via.index }))
	}
}

package discovery

import (
	"context"
	"crypto/rand"
	"errors"
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
	// listDelay spreads the answers to a query that means everybody.
	listDelay      = 100 * time.Millisecond
	crowdListDelay = 2 * time.Millisecond // for each server
	maxListDelay   = time.Second
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

	// What follows belongs to Run.
	instance [InstanceSize]byte
	seq      uint32
	conn     packetConn
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
	a := &Announcer{cfg: cfg, ann: ann, ready: make(chan struct{}), tally: tally{log: cfg.Logger},
		beaconed: map[int]time.Time{}}
	rand.Read(a.instance[:])
	return a, nil
}

// SetPeople tells how many people are online. The next packet carries it.
func (a *Announcer) SetPeople(n int) {
	a.people.Store(uint32(min(max(n, 0), math.MaxUint32)))
}

// Ready is closed when the socket is open: from then on queries are answered.
// When Run fails it never is; select on both.
func (a *Announcer) Ready() <-chan struct{} { return a.ready }

// Instance is the random id of this announcer, as servers found carry it.
func (a *Announcer) Instance() [InstanceSize]byte { return a.instance }

// Stats counts since the announcer was made.
func (a *Announcer) Stats() Stats { return a.tally.snapshot() }

// Run announces until ctx ends, says goodbye, which takes a tenth of a second,
// and returns nil when everything it started has ended. The TCP listener should
// be closed when ctx ends: a goodbye is believed where it no longer accepts. Run
// returns a *BindError
// at once when the port cannot be opened: no reason to end the server, which is
// only harder to find then. Other failures it notes in Stats and goes on.
func (a *Announcer) Run(ctx context.Context) error {
	at := netip.AddrPortFrom(netip.IPv4Unspecified(), a.cfg.port())
	conn, err := a.cfg.network.listen(ctx, at, true)
	if err != nil {
		return &BindError{Port: int(a.cfg.port()), Err: err}
	}
	a.conn = conn
	in, done := make(chan heard, 64), make(chan struct{})
	var reader sync.WaitGroup
	reader.Go(func() {
		hear(conn, &a.tally, func(h heard) bool {
			select {
			case in <- h:
				return true
			case <-done:
				return false
			}
		})
	})
	defer reader.Wait()
	defer func() {
		close(done)
		_ = conn.close()
	}()
	close(a.ready)

	start := time.Now()
	beacon := time.NewTimer(0)
	defer beacon.Stop()
	due := time.NewTimer(time.Hour)
	defer due.Stop()
	for beacons := 0; ; {
		select {
		case <-ctx.Done():
			a.goodbye()
			return nil
		case <-beacon.C:
			a.list()
			a.beacon(a.links)
			if beacons++; beacons < len(startAt) {
				beacon.Reset(time.Until(start.Add(startAt[beacons])))
			} else {
				beacon.Reset(jitter(a.interval()))
			}
		case h := <-in:
			a.take(h)
			due.Reset(a.untilDue())
		case <-due.C:
			a.flush()
			due.Reset(a.untilDue())
		}
	}
}

// list lists the links on which the TCP listener can be reached.
func (a *Announcer) list() {
	links, err := a.cfg.links()
	a.tally.outcome("list interfaces", err)
	a.listed = time.Now()
	if err != nil {
		return
	}
	if at := a.ann.Listen.Addr().Unmap(); at.IsValid() && !at.IsUnspecified() {
		links = slices.DeleteFunc(links, func(l link) bool {
			return l.addr.Addr() != at && !(l.loopback && at.IsLoopback())
		})
	}
	a.links = links
	a.tally.usable(links)
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

// beacon sends one on each of the links.
func (a *Announcer) beacon(links []link) {
	a.broadcast(a.say(), links)
	now := time.Now()
	for _, l := range links {
		a.beaconed[l.index] = now
	}
}

func (a *Announcer) broadcast(p Packet, links []link) {
	b, err := Append(nil, p)
	a.tally.outcome("encode", err)
	if err == nil {
		broadcast(a.conn, &a.tally, b, a.cfg.port(), links)
	}
}

func (a *Announcer) goodbye() {
	a.list()
	for n := range goodbyes {
		if n > 0 {
			time.Sleep(goodbyeGap)
		}
		a.seq++
		a.broadcast(&Goodbye{Instance: a.instance, Key: a.ann.Key, Seq: a.seq}, a.links)
	}
}

// take handles one packet of another.
func (a *Announcer) take(h heard) {
	now := time.Now()
	if now.Sub(a.listed) >= linksFor {
		a.list()
	}
	via, ok := linkOf(a.links, h.index, h.from.Addr())
	if !ok {
		// Only neighbours: an answer to a source that others forged, in another
		// network, would make this server a weapon against that one.
		a.tally.count(foreign)
		return
	}
	switch p := h.packet.(type) {
	case *Beacon:
		if p.Instance != a.instance {
			a.crowd.heard(p, now)
		}
	case *Goodbye:
		a.crowd.left(p)
	case *Query:
		if p.Name == "" || SameName(p.Name, a.ann.Name) {
			a.query(p, h, via, now)
		}
	}
}

func (a *Announcer) query(q *Query, h heard, via link, now time.Time) {
	if !a.seen.first(sighting{h.from, q.Token, q.Seq}) {
		return // the same one by another way
	}
	if !a.rate.allow(h.from.Addr(), now) || len(a.pending) >= maxPending {
		a.tally.count(throttled)
		return
	}
	via = source(a.links, via, h.to)
	r := reply{at: now, query: q, size: h.size, to: h.from, via: via}
	if q.Name == "" {
		spread := time.Duration(a.crowd.size(now)+1) * crowdListDelay
		r.at = now.Add(mathrand.N(min(max(spread, listDelay), maxListDelay)))
	}
	a.pending = append(a.pending, r)
	a.flush()
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
	b, err := Append(nil, a.say().answer(r.query.Token))
	a.tally.outcome("encode", err)
	if err == nil && len(b) <= r.size { // a query that is too short gets no more than it brought
		a.tally.count(answered)
		// Not by send: what failed is noted for the interface, not for each asker.
		a.tally.wrote(a.conn.write(b, r.to, r.via), func() string { return "answer by " + r.via.name })
	}
	if now.Sub(a.beaconed[r.via.index]) >= askedGap {
		a.beacon(slices.DeleteFunc(slices.Clone(a.links), func(l link) bool { return l.index != r.via.index }))
	}
}

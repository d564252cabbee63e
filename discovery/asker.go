package discovery

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"sync"
	"time"
)

// atOnce is how many listeners are opened with the first query.
const atOnce = 32

// asker is the client's end: it sends queries and hears answers and beacons. Its
// methods belong to the goroutine that made it; what it hears comes by a
// channel.
type asker struct {
	cfg       Config
	tally     *tally
	token     [TokenSize]byte
	seq       uint32
	asked     [16]time.Time       // when the last queries were sent, by seq
	conn      pair                // on ports of the kernel's choice: sends, hears answers
	listeners map[spot]packetConn // on the broadcast addresses: hear beacons
	links     []link
	hosted    time.Time // when a server on this host was heard
	heard     chan heard
	done      chan struct{}
	readers   sync.WaitGroup
}

// spot is where a listener stands. An interface that comes again is another one,
// so for IPv6 the address is not enough.
type spot struct {
	addr  netip.Addr
	index int // 0 for IPv4
}

// newAsker opens the sending socket, and fails only without that. The others are
// opened by the first query; each may fail and is noted.
func newAsker(ctx context.Context, cfg Config, t *tally) (*asker, error) {
	conn, err := cfg.network.listen(ctx, netip.AddrPortFrom(netip.IPv4Unspecified(), 0), 0, false)
	if err != nil {
		return nil, fmt.Errorf("opening a socket to ask from: %w", err)
	}
	a := &asker{
		cfg:       cfg,
		tally:     t,
		conn:      pair{four: conn},
		listeners: map[spot]packetConn{},
		heard:     make(chan heard, 64),
		done:      make(chan struct{}),
	}
	rand.Read(a.token[:])
	t.opened(conn)
	a.readers.Go(func() { hear(conn, t, a.deliverAnswer) })
	return a, nil
}

// close ends everything that was started.
func (a *asker) close() {
	close(a.done)
	a.conn.close()
	for _, l := range a.listeners {
		_ = l.close()
	}
	a.readers.Wait()
}

// deliverAnswer takes only what proves that its sender has seen the query.
func (a *asker) deliverAnswer(h heard) bool {
	if ans, ok := h.packet.(*Answer); !ok || ans.Token != a.token {
		return true
	}
	return a.deliver(h)
}

func (a *asker) deliverBeacon(h heard) bool {
	switch p := h.packet.(type) {
	case *Beacon, *Goodbye:
		return a.deliver(h)
	case *Query:
		if p.Token == a.token { // ours, which came back
			return a.deliver(h)
		}
	}
	return true // queries and answers of others
}

func (a *asker) deliver(h heard) bool {
	select {
	case a.heard <- h:
		return true
	case <-a.done:
		return false
	}
}

// refresh lists the links anew and reports whether they have changed.
func (a *asker) refresh(ctx context.Context) bool {
	links, err := a.cfg.links()
	a.tally.outcome("list interfaces", "", err)
	if err != nil {
		return false
	}
	changed := !slices.Equal(links, a.links)
	if changed {
		a.links = links
		a.tally.usable(links)
	}
	return changed
}

// listenAll has a listener on each address on which the links' beacons can be heard,
// and on no other.
func (a *asker) listenAll(ctx context.Context) {
	wanted := map[spot]link{}
	for _, l := range a.links {
		for _, to := range a.cfg.network.ears(l) {
			if to.IsUnspecified() && time.Since(a.hosted) < yieldFor {
				continue
			}
			s := spot{addr: to}
			if l.six() {
				s.index = l.index
			}
			wanted[s] = l
		}
	}
	for s, conn := range a.listeners {
		if _, still := wanted[s]; !still {
			_ = conn.close()
			delete(a.listeners, s)
		}
	}
	for s, l := range wanted {
		// Hundreds take a while, and the answers wait. So of many only those that
		// matter most come with the first query, the others with the second.
		if a.listeners[s] == nil && (a.seq > 1 || len(wanted) <= atOnce || s.addr == limited || l.loopback) {
			a.listen(ctx, s, l)
		}
	}
}

func (a *asker) listen(ctx context.Context, s spot, l link) {
	at := netip.AddrPortFrom(s.addr, a.cfg.port())
	if s.addr.IsUnspecified() {
		// Not shared: where a server has the port already, this fails, as it should.
		if conn, err := a.cfg.network.listen(ctx, at, 0, false); err == nil {
			a.hearBeacons(s, conn)
		}
		return
	}
	conn, err := a.cfg.network.listen(ctx, at, s.index, true)
	by, what := l.name, fmt.Sprintf("listen on %v", at)
	if s.addr == limited { // one for all of them
		by = ""
	} else if s.index != 0 {
		what += " by " + l.name
	}
	a.tally.outcome(what, by, err)
	if err != nil {
		return
	}
	a.hearBeacons(s, conn)
}

func (a *asker) hearBeacons(s spot, conn packetConn) {
	a.listeners[s] = conn
	a.readers.Go(func() { hear(conn, a.tally, a.deliverBeacon) })
}

// yieldFor is how long a server on this host is taken to be there after it was
// heard: longer than from one beacon to the next.
const yieldFor = 30 * time.Second

// yield gives up a listener on the unspecified address when a server on this host is
// heard, which needs what comes there by unicast. Asking finds the others meanwhile.
func (a *asker) yield(from netip.Addr, at time.Time) {
	own := func(l link) bool { return l.addr.Addr() == from }
	if !from.IsLoopback() && !slices.ContainsFunc(a.links, own) {
		return
	}
	a.hosted = at
	everything := spot{addr: netip.IPv4Unspecified()}
	if conn := a.listeners[everything]; conn != nil {
		_ = conn.close()
		delete(a.listeners, everything)
	}
}

// openSix opens the sending socket of IPv6 when a link needs it.
func (a *asker) openSix(ctx context.Context) {
	if a.conn.six != nil || !slices.ContainsFunc(a.links, link.six) {
		return
	}
	conn, err := a.cfg.network.listen(ctx, netip.AddrPortFrom(netip.IPv6Unspecified(), 0), 0, false)
	a.tally.outcome("open a socket of IPv6", "", err)
	if err != nil {
		return
	}
	a.conn.six = conn
	a.readers.Go(func() { hear(conn, a.tally, a.deliverAnswer) })
}

// ask sends one query on every link, and to the places where the server was
// before.
func (a *asker) ask(ctx context.Context, name string, last []netip.AddrPort) error {
	a.refresh(ctx)
	a.seq++
	b, err := Append(nil, &Query{Token: a.token, Name: name, Seq: a.seq})
	if err != nil {
		return err
	}
	a.openSix(ctx)
	// The query may bring a beacon at once. With many interfaces it takes a while
	// to listen on each; the one listener that hears all of them is enough for now.
	all := spot{addr: limited}
	if a.listeners[all] == nil && slices.ContainsFunc(a.links, func(l link) bool { return slices.Contains(a.cfg.network.ears(l), limited) }) {
		a.listen(ctx, all, link{})
	}
	a.asked[a.seq%uint32(len(a.asked))] = time.Now()
	for _, l := range a.links {
		for _, to := range l.targets() {
			a.conn.send(a.tally, b, netip.AddrPortFrom(to, a.cfg.port()), l)
		}
	}
	for _, addr := range slices.Concat(last, a.cfg.Last) {
		a.askAt(b, addr.Addr().Unmap())
	}
	a.listenAll(ctx)
	return nil
}

func (a *asker) askAt(b []byte, addr netip.Addr) {
	if addr == limited || addr.IsUnspecified() || addr.IsMulticast() {
		return
	}
	to := netip.AddrPortFrom(addr.WithZone(""), a.cfg.port())
	for _, l := range a.links {
		if l.contains(addr) && (addr.Zone() == "" || addr.Zone() == l.name) {
			a.conn.send(a.tally, b, to, l)
			return
		}
	}
	// Behind a router. Named interfaces keep everything on their own networks.
	if addr.Is4() && len(a.cfg.Interfaces) == 0 {
		a.conn.send(a.tally, b, to, link{})
	}
}

// roundTrip is how long an answer took, without the time that the server waited
// on purpose; 0 where that cannot be told.
func (a *asker) roundTrip(ans *Answer, at time.Time) time.Duration {
	if ans.Asked == 0 || ans.Asked > a.seq || a.seq-ans.Asked >= uint32(len(a.asked)) {
		return 0
	}
	sent := a.asked[ans.Asked%uint32(len(a.asked))]
	return max(0, at.Sub(sent)-time.Duration(ans.Wait)*time.Microsecond)
}

// by tells by which link something came, and whether that is one to hear. Where
// it is neither a neighbour's nor by a named interface, only what came as an
// answer is heard, from behind a router.
func (a *asker) by(h heard) (link, bool) {
	if l, ok := linkOf(a.links, h.index, h.from.Addr()); ok {
		return l, true
	}
	if h.index == 0 {
		return link{}, len(a.cfg.Interfaces) == 0
	}
	for _, l := range a.links {
		if l.index == h.index {
			return l, true
		}
	}
	return link{}, false
}

// arrived tells what a packet says of a server, if it does, and counts it.
func (a *asker) arrived(h heard) (s sighted, ok bool) {
	l, ok := a.by(h)
	if !ok {
		a.tally.count(foreign)
		return s, false
	}
	s = sighted{from: l.zoned(h.from).Addr(), by: l.name, at: h.at}
	switch p := h.packet.(type) {
	case *Answer:
		s.Beacon, s.answered, s.roundTrip = p.Beacon(), true, a.roundTrip(p, h.at)
	case *Beacon:
		s.Beacon = *p
	case *Query:
		a.tally.came(l.name, true, h.at)
		return s, false
	default:
		ok = false
	}
	a.yield(h.from.Addr(), h.at)
	a.tally.came(l.name, false, h.at)
	return s, ok
}

// nobody is the error of a search that heard nothing fitting.
func (a *asker) nobody() error {
	if err := a.tally.last(); err != nil {
		return fmt.Errorf("%w (%w)", ErrNotFound, err)
	}
	if len(a.links) == 0 {
		return fmt.Errorf("%w (%w)", ErrNotFound, errors.New("no network interface in use"))
	}
	return ErrNotFound
}

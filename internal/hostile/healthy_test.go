package hostile

import (
	"context"
	"crypto/tls"
	"fmt"
	"net"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"lanchat/internal/identity"
	"lanchat/internal/nicks"
	"lanchat/protocol"
)

const (
	people = 100
	lobby  = protocol.DefaultRoom
	dens   = 4 // rooms that have their share of the people each
)

func den(i int) string { return fmt.Sprint("den-", i%dens) }

// crowd is the healthy people, and what they find wrong.
type crowd struct {
	addr   string
	all    []*person
	byUser map[protocol.UserID]*person
	byKey  map[string]*person // by what nicks are compared by
	phase  atomic.Int32       // measured now; those said in another one are not

	mu      sync.Mutex
	wrongs  int
	told    []string            // the first few
	foreign map[string]struct{} // nicks of others that were looked at
}

// The phases of a run. Lines of unmeasured are checked like all others.
const (
	unmeasured = iota
	without
	with
	again
	phases
)

func (c *crowd) wrong(format string, args ...any) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.wrongs++; len(c.told) < 20 {
		c.told = append(c.told, fmt.Sprintf(format, args...))
	}
}

// person is one healthy client. It talks in the lobby and in one den.
type person struct {
	crowd *crowd
	n     int
	nick  string
	conn  *protocol.Conn
	user  protocol.UserID
	rooms []string
	done  atomic.Bool // what follows is the end of the connection by itself

	mu      sync.Mutex
	said    []*line
	open    int            // not acknowledged
	delays  [phases]spread // until others were heard
	directs []string       // talks that others opened

	// The reader's, until it has ended.
	next  map[string]uint64 // the seq that comes next, by room
	heard map[string]int    // lines of healthy people
	count atomic.Int64      // the same, of all rooms
	ended chan struct{}
}

// line is something that a healthy person has said.
type line struct {
	id    protocol.ID
	room  string
	at    time.Time
	phase int32
	seq   atomic.Uint64 // as it was told or acknowledged first
	acked atomic.Bool
}

// nickOf gives people names with letters that have doubles in other scripts.
func nickOf(n int) string { return fmt.Sprintf("Pascale-%02d", n) }

// gather connects everybody. The first one's nick is what the thief is after.
func gather(t *testing.T, addr string, n int) *crowd {
	t.Helper()
	c := &crowd{addr: addr, byUser: map[protocol.UserID]*person{}, byKey: map[string]*person{}, foreign: map[string]struct{}{}}
	dir := t.TempDir()
	for n := range n {
		id, err := identity.LoadOrCreate(fmt.Sprintf("%s/%d", dir, n), nickOf(n))
		if err != nil {
			t.Fatal(err)
		}
		p := &person{crowd: c, n: n, nick: nickOf(n), rooms: []string{lobby, den(n)},
			next: map[string]uint64{}, heard: map[string]int{}, ended: make(chan struct{})}
		from := net.IPv4(127, 1, byte(n/250), byte(n%250+1))
		conn, welcome, err := dial(t.Context(), from, addr, id.ClientTLS(nil), p.nick)
		if err != nil {
			t.Fatalf("%s cannot come: %v", p.nick, err)
		}
		if welcome.Nick != p.nick {
			t.Fatalf("%s is called %s", p.nick, welcome.Nick)
		}
		p.conn, p.user = conn, welcome.User
		t.Cleanup(func() { p.done.Store(true); conn.Close() })
		c.all = append(c.all, p)
		c.byUser[p.user] = p
		for _, key := range nicks.Keys(p.nick) {
			c.byKey[key] = p
		}
	}
	var joins sync.WaitGroup
	for _, p := range c.all {
		joins.Add(len(p.rooms))
		var ms []protocol.Message
		for i, room := range p.rooms {
			ms = append(ms, &protocol.Join{Ref: uint32(i + 1), Room: room})
		}
		if err := p.conn.Write(ms...); err != nil {
			t.Fatal(err)
		}
		go p.read(joins.Done)
	}
	joins.Wait()
	return c
}

// dial connects from an address of its own.
func dial(ctx context.Context, from net.IP, addr string, config *tls.Config, nick string) (*protocol.Conn, *protocol.Welcome, error) {
	nc, err := (&net.Dialer{LocalAddr: &net.TCPAddr{IP: from}, Timeout: 5 * time.Second}).DialContext(ctx, "tcp", addr)
	if err != nil {
		return nil, nil, err
	}
	if config != nil {
		nc = tls.Client(nc, config)
	}
	return protocol.Handshake(ctx, nc, &protocol.Hello{Nick: nick, Software: "hostile"})
}

// talk has everybody take turns until ctx ends, so many lines a second in all.
func (c *crowd) talk(ctx context.Context, rate int) {
	var talking sync.WaitGroup
	every := time.Duration(len(c.all)) * time.Second / time.Duration(rate)
	for i, p := range c.all {
		talking.Go(func() {
			next := time.Now().Add(time.Duration(i) * every / time.Duration(len(c.all)))
			for turn := 0; ; turn++ {
				select {
				case <-time.After(time.Until(next)):
				case <-ctx.Done():
					return
				}
				if !p.say(p.rooms[turn%len(p.rooms)]) {
					return
				}
				next = next.Add(every)
			}
		})
	}
	talking.Wait()
	c.phase.Store(unmeasured)
}

// say says a line whose text tells its number.
func (p *person) say(room string) bool {
	l := &line{id: protocol.NewID(), room: room, at: time.Now(), phase: p.crowd.phase.Load()}
	p.mu.Lock()
	n := len(p.said)
	p.said = append(p.said, l)
	p.open++
	p.mu.Unlock()
	err := p.conn.Write(&protocol.Post{ID: l.id, Room: room, Text: fmt.Sprintf("%d is what I say now, as people do in a room", n)})
	if err != nil {
		p.crowd.wrong("%s cannot post: %v", p.nick, err)
	}
	return err == nil
}

func (p *person) line(n int) *line {
	p.mu.Lock()
	defer p.mu.Unlock()
	if n < 0 || n >= len(p.said) {
		return nil
	}
	return p.said[n]
}

// read reads until the connection ends, which it must not before the test does.
func (p *person) read(joined func()) {
	defer close(p.ended)
	for {
		m, err := p.conn.Read()
		if err != nil {
			if !p.done.Load() {
				p.crowd.wrong("%s is disconnected: %v", p.nick, err)
			}
			return
		}
		switch m := m.(type) {
		case *protocol.Entry:
			p.hear(m)
		case *protocol.Ack:
			p.acked(m)
		case *protocol.Joined:
			if m.Ref == 0 { // a stranger's direct talk, which is not joined
				p.mu.Lock()
				if len(p.directs) < 1000 && !slices.Contains(p.directs, m.Room) {
					p.directs = append(p.directs, m.Room)
				}
				p.mu.Unlock()
				continue
			}
			p.next[m.Room] = 1
			joined()
		case *protocol.Presence:
			for i := range m.Joined {
				p.crowd.look(m.Joined[i].User, m.Joined[i].Nick)
			}
		case *protocol.Typing, *protocol.Pong:
		default: // slow, skipped, error, bye
			if !p.done.Load() {
				p.crowd.wrong("%s is told %T %+v", p.nick, m, m)
			}
		}
	}
}

// hear notes an entry of a room.
func (p *person) hear(e *protocol.Entry) {
	now := time.Now()
	c := p.crowd
	switch next := p.next[e.Room]; {
	case next == 0:
		c.wrong("%s hears of %s, where it is not", p.nick, e.Room)
	case e.Seq < next:
		c.wrong("%s is told %s %d twice", p.nick, e.Room, e.Seq)
	case e.Seq > next:
		c.wrong("%s is told %s %d and not %d", p.nick, e.Room, e.Seq, next)
	}
	p.next[e.Room] = e.Seq + 1
	by := c.byUser[e.User]
	if by == nil {
		c.look(e.User, e.Nick)
		return
	}
	number, _, _ := strings.Cut(e.Text, " ")
	n, err := strconv.Atoi(number)
	l := by.line(n)
	if err != nil || l == nil || l.id != e.ID || l.room != e.Room {
		c.wrong("%s hears from %s what it has not said: %+v", p.nick, by.nick, e)
		return
	}
	if e.Nick != by.nick || e.Guest || e.Bot {
		c.wrong("%s hears %s as %q, guest %v, bot %v", p.nick, by.nick, e.Nick, e.Guest, e.Bot)
	}
	by.stands(l, e.Seq)
	p.heard[e.Room]++
	p.count.Add(1)
	if by != p && l.phase != unmeasured {
		p.mu.Lock()
		defer p.mu.Unlock()
		p.delays[l.phase] = append(p.delays[l.phase], now.Sub(l.at))
	}
}

// stands notes under which number a line was told or acknowledged.
func (p *person) stands(l *line, seq uint64) {
	if !l.seq.CompareAndSwap(0, seq) && l.seq.Load() != seq {
		p.crowd.wrong("a line of %s stands in %s as %d and as %d", p.nick, l.room, l.seq.Load(), seq)
	}
}

func (p *person) acked(a *protocol.Ack) {
	p.mu.Lock()
	defer p.mu.Unlock()
	// The line is the oldest that is not acknowledged: acks come in order.
	l := p.said[len(p.said)-p.open]
	if l.id != a.ID {
		p.crowd.wrong("%s: an acknowledgement out of turn: %+v", p.nick, a)
		return
	}
	p.open--
	p.stands(l, a.Seq)
	l.acked.Store(true)
}

// look makes sure that a stranger is not called like one of the healthy.
func (c *crowd) look(user protocol.UserID, nick string) {
	if c.byUser[user] != nil {
		return
	}
	c.mu.Lock()
	_, seen := c.foreign[nick]
	if !seen && len(c.foreign) < 100_000 {
		c.foreign[nick] = struct{}{}
	}
	c.mu.Unlock()
	if seen {
		return
	}
	for _, key := range nicks.Keys(nick) {
		if p := c.byKey[key]; p != nil {
			c.wrong("a stranger is called %q, as %s is", nick, p.nick)
		}
	}
}

// settle waits until everybody has heard everything that was said, and leaves.
func (c *crowd) settle(t *testing.T) {
	t.Helper()
	said := map[string]int{}
	for _, p := range c.all {
		for _, l := range p.said {
			said[l.room]++
		}
	}
	missing := func() (n int64) {
		for _, p := range c.all {
			for _, room := range p.rooms {
				n += int64(said[room])
			}
			n -= p.count.Load()
		}
		return n
	}
	for end := time.Now().Add(15 * time.Second); missing() > 0 && time.Now().Before(end); {
		<-time.After(20 * time.Millisecond)
	}
	for _, p := range c.all {
		p.done.Store(true)
		p.conn.Close()
		<-p.ended
	}
	for _, p := range c.all {
		for _, room := range p.rooms {
			if p.heard[room] != said[room] {
				c.wrong("%s has heard %d of the %d lines of %s", p.nick, p.heard[room], said[room], room)
			}
		}
		last := map[string]uint64{}
		for n, l := range p.said {
			if !l.acked.Load() {
				c.wrong("line %d of %s was never acknowledged", n, p.nick)
			}
			if seq := l.seq.Load(); seq <= last[l.room] {
				c.wrong("line %d of %s stands before what it said before", n, p.nick)
			} else {
				last[l.room] = seq
			}
		}
	}
}

// delay is how long it took in a phase until lines were heard.
func (c *crowd) delay(phase int32) (all spread) {
	for _, p := range c.all {
		p.mu.Lock()
		all = append(all, p.delays[phase]...)
		p.mu.Unlock()
	}
	return sorted(all)
}

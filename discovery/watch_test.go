package discovery

import (
	"context"
	"log/slog"
	"net"
	"net/netip"
	"sync"
	"testing"
	"testing/synctest"
)

// diary is a watcher.
type diary struct {
	mu    sync.Mutex
	lines []Datagram
}

func (d *diary) watch(g Datagram) {
	d.mu.Lock()
	defer d.mu.Unlock()
	g.Bytes = append([]byte(nil), g.Bytes...)
	d.lines = append(d.lines, g)
}

func (d *diary) take() []Datagram {
	d.mu.Lock()
	defer d.mu.Unlock()
	lines := d.lines
	d.lines = nil
	return lines
}

// quick answers each query from within the call that sends it: no answer comes
// sooner after its query.
type quick struct{ *fakeNetwork }

type quickConn struct{ *fakeConn }

func (n quick) listen(ctx context.Context, addr netip.AddrPort, index int, shared bool) (packetConn, error) {
	c, err := n.fakeNetwork.listen(ctx, addr, index, shared)
	if err != nil {
		return nil, err
	}
	return quickConn{c.(*fakeConn)}, nil
}

func (c quickConn) write(b []byte, to netip.AddrPort, via link) error {
	if err := c.fakeConn.write(b, to, via); err != nil {
		return err
	}
	p, _ := Parse(b)
	q, ok := p.(*Query)
	if !ok || to.Addr() != limited {
		return nil
	}
	beacon := Beacon{Instance: [InstanceSize]byte{1}, Key: [KeySize]byte{2}, Name: "Hack Night", Port: 25252, Seq: 7, TTL: 35}
	ans := beacon.answer(q.Token)
	ans.Asked = q.Seq
	answer, _ := Append(nil, ans)
	c.in <- incoming{answer, arrival{from: netip.MustParseAddrPort("10.77.0.9:25252"), index: via.index}}
	return nil
}

// An answer is told of after its query, even where it comes before the call that
// sends the query returns.
func TestWatchKeepsTheOrder(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var d diary
		n := quick{&fakeNetwork{all: []link{{index: 2, name: "eth0", addr: netip.MustParsePrefix("10.77.0.1/24")}}}}
		found, err := Lookup(t.Context(), Config{network: n, Watch: d.watch}, Want{Name: "Hack Night"})
		if err != nil || len(found) != 1 {
			t.Fatal(found, err)
		}
		sent := map[uint32]bool{}
		answers := 0
		for _, g := range d.take() {
			switch p := g.Packet.(type) {
			case *Query:
				sent[p.Seq] = true
				if !g.Sent || g.Interface != "eth0" || g.Local.Addr() != netip.MustParseAddr("10.77.0.1") || len(g.Bytes) != MaxPacket {
					t.Errorf("the query is told of as %+v", g)
				}
			case *Answer:
				answers++
				if g.Sent || !sent[p.Asked] || g.Peer != netip.MustParseAddrPort("10.77.0.9:25252") {
					t.Errorf("the answer is told of as %+v; of queries only %v were before", g, sent)
				}
			}
		}
		if answers == 0 {
			t.Error("no answer is told of")
		}
	})
}

// The server's side: what it sends, what the system refuses, and what is not of
// this protocol.
func TestWatchAnAnnouncer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var d diary
		n := &fakeNetwork{all: []link{{index: 2, name: "eth0", addr: netip.MustParsePrefix("10.77.0.1/24")}}}
		a, err := NewAnnouncer(Config{network: n, Watch: d.watch}, Announcement{Name: "Hack Night", Key: [KeySize]byte{2}, Listen: netip.MustParseAddrPort("0.0.0.0:25252")})
		if err != nil {
			t.Fatal(err)
		}
		ctx, stop := context.WithCancel(t.Context())
		ended := make(chan error, 1)
		go func() { ended <- a.Run(ctx) }()
		synctest.Wait()
		for _, g := range d.take() {
			if b, ok := g.Packet.(*Beacon); !ok || !g.Sent || b.Seq != 1 || g.Local != netip.MustParseAddrPort("10.77.0.1:25252") || g.Err != nil {
				t.Errorf("at the start: %+v", g)
			}
		}
		c := n.conn(t, "0.0.0.0:25252")
		c.in <- incoming{[]byte("hello"), arrival{from: netip.MustParseAddrPort("10.77.0.5:99"), to: netip.MustParseAddr("10.77.0.255")}}
		synctest.Wait()
		switch got := d.take(); {
		case len(got) != 1:
			t.Errorf("a datagram of another protocol is told of %d times", len(got))
		case got[0].Err == nil || got[0].Packet != nil || string(got[0].Bytes) != "hello" || got[0].Local != netip.MustParseAddrPort("10.77.0.255:25252"):
			t.Errorf("a datagram of another protocol is told of as %+v", got[0])
		}
		c.arrive(t, &Query{Token: [TokenSize]byte{3}, Name: "Hack Night", Seq: 1}, 2, "10.77.0.5:4000")
		got := d.take()
		if len(got) < 2 || got[0].Sent || got[0].Packet.Type() != "query" || !got[1].Sent || got[1].Packet.Type() != "answer" {
			t.Errorf("a query: %+v", got)
		}
		stop()
		if err := <-ended; err != nil {
			t.Error(err)
		}
		goodbyes := 0
		for _, g := range d.take() {
			if g.Packet.Type() == "goodbye" {
				goodbyes++
			}
		}
		if goodbyes != 2*3 { // to both broadcast addresses
			t.Errorf("%d goodbyes are told of", goodbyes)
		}
	})
}

// idle is a socket that takes everything, and gives one datagram so many times.
type idle struct {
	packetConn
	b     []byte
	times int
}

func (i *idle) write([]byte, netip.AddrPort, link) error { return nil }
func (i *idle) local() netip.AddrPort                    { return netip.AddrPort{} }

func (i *idle) read(b []byte) (int, arrival, error) {
	if i.times--; i.times < 0 {
		return 0, arrival{}, net.ErrClosed
	}
	return copy(b, i.b), arrival{from: netip.AddrPortFrom(local, 25252), index: 1}, nil
}

var costBeacon = &Beacon{Instance: [InstanceSize]byte{1}, Key: [KeySize]byte{2}, Name: "Hack Night", Port: 25252, Seq: 7, TTL: 35}

// Where nobody watches, a datagram is sent without an allocation, and heard with
// those of Parse alone.
func TestUnwatchedAllocatesNothing(t *testing.T) {
	b, err := Append(nil, costBeacon)
	if err != nil {
		t.Fatal(err)
	}
	counts := &tally{log: slog.New(slog.DiscardHandler)}
	p := pair{four: &idle{}}
	to, via := netip.AddrPortFrom(limited, DefaultPort), link{index: 2, name: "eth0"}
	if n := testing.AllocsPerRun(1000, func() { p.send(counts, b, to, via) }); n > 0 {
		t.Errorf("sending allocates %v times", n)
	}
	const times = 1000
	parse := testing.AllocsPerRun(times, func() { Parse(b) })
	all := testing.AllocsPerRun(10, func() {
		hear(&idle{b: b, times: times}, counts, func(heard) bool { return true })
	})
	// One more for each would be as many as there are. (The race detector's pools
	// forget, so Parse has not always the same number.)
	if extra := all - times*parse; extra > times*3/4 {
		t.Errorf("hearing %d datagrams allocates %v times more than Parse", times, extra)
	}
}

func BenchmarkWatch(b *testing.B) {
	datagram, err := Append(nil, costBeacon)
	if err != nil {
		b.Fatal(err)
	}
	to, via := netip.AddrPortFrom(limited, DefaultPort), link{index: 2, name: "eth0"}
	for _, who := range []string{"nobody", "somebody"} {
		counts := &tally{log: slog.New(slog.DiscardHandler)}
		if who == "somebody" {
			counts.watch = newWatcher(Config{Watch: func(Datagram) {}})
		}
		b.Run("send/"+who, func(b *testing.B) {
			p := pair{four: &idle{}}
			b.ReportAllocs()
			for b.Loop() {
				p.send(counts, datagram, to, via)
			}
		})
		b.Run("hear/"+who, func(b *testing.B) {
			b.ReportAllocs()
			hear(&idle{b: datagram, times: b.N}, counts, func(heard) bool { return true })
		})
	}
}

package discovery

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"testing"
	"testing/synctest"
	"time"
)

var twoLinks = []link{linkAt(1, "lo", "127.0.0.1/8"), linkAt(2, "eth0", "10.77.0.1/24")}

const (
	ephemeral = "0.0.0.0:0"
	server    = "0.0.0.0:25252"
	everyone  = "255.255.255.255:25252"
)

func TestLookupSchedule(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := &fakeNetwork{all: twoLinks}
		start := time.Now()
		last := []netip.AddrPort{netip.MustParseAddrPort("10.77.0.9:1"), netip.MustParseAddrPort("203.0.113.1:1"), netip.MustParseAddrPort("[::1]:1")}
		_, err := Lookup(t.Context(), Config{network: n}, Want{Name: "x", Last: last})
		if !errors.Is(err, ErrNotFound) || time.Since(start) != lookupTime {
			t.Errorf("%v after %v", err, time.Since(start))
		}
		sent := n.conn(t, ephemeral).take()
		seqs := map[uint32]int{}
		for _, o := range sent {
			q := o.packet.(*Query)
			seqs[q.Seq]++
			if o.size != MaxPacket || q.Name != "x" || q.Token != sent[0].packet.(*Query).Token {
				t.Errorf("sent %+v", o)
			}
		}
		for _, to := range []string{"127.255.255.255", "127.0.0.1", "255.255.255.255", "10.77.0.255", "10.77.0.9", "203.0.113.1"} {
			if got := times(sent, "query", netip.MustParseAddr(to), start); !slices.Equal(got, lookupAt) {
				t.Errorf("to %s at %v", to, got)
			}
		}
		if len(sent) != 6*len(lookupAt) || len(seqs) != len(lookupAt) {
			t.Errorf("%d datagrams, %d sequence numbers", len(sent), len(seqs))
		}
	})
}

// With no pin 50 ms from the first match on, with one at once.
func TestLookupReturns(t *testing.T) {
	pin := key(2)
	for _, tt := range []struct {
		key  *[KeySize]byte
		want time.Duration
	}{{nil, 60 * time.Millisecond}, {&pin, 30 * time.Millisecond}} {
		synctest.Test(t, func(t *testing.T) {
			n := &fakeNetwork{all: twoLinks}
			start := time.Now()
			go func() {
				synctest.Wait()
				c := n.conn(t, ephemeral)
				token := c.take()[0].packet.(*Query).Token
				say := func(after time.Duration, c byte, token [TokenSize]byte) {
					time.Sleep(time.Until(start.Add(after)))
					b := beaconOf(c)
					n.conn(t, ephemeral).arrive(t, b.answer(token), 2, fmt.Sprintf("10.77.0.%d:25252", c))
				}
				say(5*time.Millisecond, 9, [TokenSize]byte{1}) // a token that is not ours
				say(10*time.Millisecond, 1, token)
				say(30*time.Millisecond, 2, token)
			}()
			list, err := Lookup(t.Context(), Config{network: n}, Want{Name: "N", Key: tt.key})
			took := time.Since(start)
			if (tt.key == nil) != errors.Is(err, ErrConflict) || took != tt.want || (tt.key == nil) != (len(list) == 2) {
				t.Errorf("pinned %v: %v, %v after %v", tt.key != nil, list, err, took)
			}
		})
	}
}

// stalling is a network on which listing the interfaces once takes very long, as
// where the machine stands still.
type stalling struct {
	*fakeNetwork
	after int // so many lists that take no time
	stall func()
}

func (n *stalling) links() ([]link, error) {
	if n.after--; n.after == -1 {
		n.stall()
	}
	return n.fakeNetwork.links()
}

// What has come counts, though the time was over before anybody looked at it.
func TestLookupStalled(t *testing.T) {
	for range 20 { // each time select may pick it by chance
		synctest.Test(t, func(t *testing.T) {
			n := &stalling{&fakeNetwork{all: twoLinks}, 1, func() { time.Sleep(2 * lookupTime) }}
			go func() {
				time.Sleep(lookupAt[1] + time.Millisecond)
				c := n.conn(t, ephemeral)
				b := beaconOf(1)
				a := b.answer(tokenOf(t, c))
				c.arrive(t, a, 2, "10.77.0.1:25252")
				c.arrive(t, a, 1, "127.0.0.1:25252")
			}()
			list, err := Lookup(t.Context(), Config{network: n}, Want{Name: "N"})
			if err != nil || len(list) != 1 || list[0].Addr.Addr() != local || len(list[0].Others) != 1 {
				t.Fatalf("%+v, %v", list, err)
			}
		})
	}
}

// bubble runs an Announcer on a fake network.
func bubble(t *testing.T, test func(t *testing.T, a *Announcer, c *fakeConn, stop func())) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		n := &fakeNetwork{all: twoLinks}
		a, err := NewAnnouncer(Config{network: n}, Announcement{Name: "n", Key: key(1), Listen: netip.MustParseAddrPort("0.0.0.0:7")})
		if err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithCancel(t.Context())
		ended := make(chan error)
		go func() { ended <- a.Run(ctx) }()
		<-a.Ready()
		stopped := false
		stop := func() {
			stopped = true
			cancel()
			if err := <-ended; err != nil {
				t.Errorf("Run = %v", err)
			}
		}
		test(t, a, n.conn(t, server), stop)
		if !stopped {
			stop()
		}
	})
}

func TestBeaconSchedule(t *testing.T) {
	bubble(t, func(t *testing.T, a *Announcer, c *fakeConn, stop func()) {
		start := time.Now()
		time.Sleep(5 * time.Minute)
		sent := c.take()
		var seq uint32
		for _, o := range sent {
			b := o.packet.(*Beacon)
			if b.Seq < seq || b.TTL != 35 || b.Instance != a.Instance() || b.Name != "n" || b.Port != 7 {
				t.Fatalf("sent %+v behind %d", b, seq)
			}
			seq = b.Seq
		}
		at := times(sent, "beacon", limited, start)
		for _, to := range []string{"10.77.0.255", "127.255.255.255"} {
			if got := times(sent, "beacon", netip.MustParseAddr(to), start); !slices.Equal(got, at) {
				t.Errorf("to %s at %v, to all at %v", to, got, at)
			}
		}
		if len(sent) != 3*len(at) {
			t.Errorf("%d datagrams, %d beacons", len(sent), len(at))
		}
		if !slices.Equal(at[:3], startAt) {
			t.Errorf("at the start: %v", at[:3])
		}
		gaps := map[time.Duration]bool{}
		for i := 3; i < len(at); i++ {
			gap := at[i] - at[i-1]
			gaps[gap] = true
			if gap < 7500*time.Millisecond || gap > 12500*time.Millisecond {
				t.Errorf("%v between two beacons", gap)
			}
		}
		if len(at) < 25 || len(gaps) < 10 {
			t.Errorf("%d beacons, %d different gaps", len(at), len(gaps))
		}

		stopping := time.Now()
		stop()
		if got := times(c.take(), "goodbye", limited, stopping); !slices.Equal(got, []time.Duration{0, goodbyeGap, 2 * goodbyeGap}) {
			t.Errorf("goodbyes at %v", got)
		}
	})
}

// With 300 servers around, each sends every 30 s, and promises accordingly.
func TestCrowd(t *testing.T) {
	bubble(t, func(t *testing.T, a *Announcer, c *fakeConn, _ func()) {
		stop := time.Now().Add(10 * time.Minute)
		var at []time.Duration
		start := time.Now()
		for time.Now().Before(stop) {
			for i := range 299 {
				b := beaconOf(1)
				b.Instance[0], b.Instance[1], b.TTL = byte(i), 1+byte(i>>8), 105
				c.arrive(t, b, 2, fmt.Sprintf("10.77.0.%d:25252", 2+i%200))
			}
			time.Sleep(30 * time.Second)
			sent := c.take()
			at = append(at, times(sent, "beacon", limited, start)...)
			for _, o := range sent {
				if b := o.packet.(*Beacon); time.Since(start) > time.Minute && b.TTL != 105 {
					t.Fatalf("a ttl of %d", b.TTL)
				}
			}
		}
		if n := len(at); n < 16 || n > 30 {
			t.Errorf("%d beacons in 10 minutes", n)
		}
	})
}

func TestAnswers(t *testing.T) {
	bubble(t, func(t *testing.T, a *Announcer, c *fakeConn, _ func()) {
		time.Sleep(4 * time.Second)
		c.take()
		query := func(c byte, name string) *Query { return &Query{Token: token(c), Name: name} }

		c.arrive(t, query(1, "N"), 2, "10.77.0.2:40000")
		sent := c.take()
		if len(sent) != 3 || sent[0].packet.Type() != "answer" || sent[0].to.String() != "10.77.0.2:40000" || sent[0].via != "eth0" ||
			sent[1].packet.Type() != "beacon" || sent[1].via != "eth0" || sent[2].via != "eth0" {
			t.Errorf("to a query by name: %+v", sent)
		}
		time.Sleep(askedGap / 2)
		c.arrive(t, query(2, "n"), 2, "10.77.0.2:40000")
		if sent := c.take(); len(sent) != 1 || sent[0].packet.(*Answer).Token != token(2) {
			t.Errorf("soon after, no beacon: %+v", sent)
		}
		c.arrive(t, query(3, "n"), 1, "127.0.0.1:40000")
		if sent := c.take(); len(sent) != 2 || sent[0].via != "lo" || sent[1].to.String() != "127.255.255.255:25252" {
			t.Errorf("another interface has its own beacons: %+v", sent)
		}
		c.arrive(t, query(2, "n"), 2, "10.77.0.2:40000")
		if sent := c.take(); len(sent) != 1 || sent[0].packet.(*Answer).Token != token(2) {
			t.Errorf("the second copy, by the other broadcast: %+v", sent)
		}
		for _, silent := range []struct {
			what string
			q    *Query
			link int
			from string
		}{
			{"the same once more", query(2, "n"), 2, "10.77.0.2:40000"},
			{"another name", query(4, "m"), 2, "10.77.0.2:40000"},
			{"from elsewhere", query(5, "n"), 2, "203.0.113.1:40000"},
			{"by another interface", query(6, "n"), 7, "10.77.0.2:40000"},
		} {
			c.arrive(t, silent.q, silent.link, silent.from)
			if sent := c.take(); len(sent) != 0 {
				t.Errorf("to a query that is %s: %+v", silent.what, sent)
			}
		}
		if s := a.Stats(); s.Foreign != 2 || s.Answered != 4 {
			t.Errorf("counted %+v", s)
		}

		// A query for everybody: each waits for a time of its own.
		var waits []time.Duration
		for i := range 40 {
			began := time.Now()
			c.arrive(t, query(byte(10+i), ""), 2, "10.77.0.2:40000")
			time.Sleep(time.Second)
			waits = append(waits, times(c.take(), "answer", netip.MustParseAddr("10.77.0.2"), began)...)
		}
		slices.Sort(waits)
		if len(waits) != 40 || waits[0] == waits[39] || waits[39] >= listDelay {
			t.Errorf("answers after %v", waits)
		}
	})
}

func TestRateLimits(t *testing.T) {
	bubble(t, func(t *testing.T, a *Announcer, c *fakeConn, _ func()) {
		time.Sleep(time.Until(time.Now().Truncate(time.Second).Add(5 * time.Second)))
		c.take()
		flood := func(source string, n int) (answers int) {
			for i := range n {
				q := &Query{Token: token(1), Name: "n", Seq: uint32(i)}
				c.arrive(t, q, 2, source)
			}
			return len(times(c.take(), "answer", netip.MustParseAddrPort(source).Addr(), time.Now()))
		}
		for i := range 4 {
			if n := flood(fmt.Sprintf("10.77.0.%d:1", 2+i), 100); n != perSource {
				t.Errorf("%d answers to one source", n)
			}
		}
		if n := flood("10.77.0.99:1", 10); n != 0 {
			t.Errorf("%d answers above %d in all", n, perAll)
		}
		if n := len(a.rate.sources); n > perAll {
			t.Errorf("%d sources remembered", n)
		}
		time.Sleep(time.Second)
		if n := flood("10.77.0.99:2", 10); n != 10 {
			t.Errorf("%d answers in the next second", n)
		}
		if got := a.Stats().Limited; got != 4*50+10 {
			t.Errorf("%d over the limit", got)
		}
	})
}

func TestBrowserLife(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := &fakeNetwork{all: slices.Clone(twoLinks)}
		b, err := NewBrowser(Config{network: n})
		if err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithCancel(t.Context())
		ended := make(chan error)
		go func() { ended <- b.Run(ctx) }()
		synctest.Wait()
		told := func() bool {
			synctest.Wait()
			select {
			case <-b.Changed():
				return true
			default:
				return false
			}
		}

		listener := n.conn(t, everyone)
		first := beaconOf(1)
		listener.arrive(t, first, 2, "10.77.0.2:25252")
		if !told() || len(b.Servers()) != 1 {
			t.Fatalf("a beacon makes %v", b.Servers())
		}
		listener.arrive(t, first, 2, "10.77.0.2:25252")
		if told() {
			t.Error("the same beacon, by the other broadcast address, is a change")
		}
		// What nobody can vouch for.
		listener.arrive(t, beaconOf(2).answer(token(1)), 2, "10.77.0.3:25252")
		listener.arrive(t, beaconOf(3), 9, "10.77.0.4:25252")
		n.conn(t, ephemeral).arrive(t, beaconOf(4), 2, "10.77.0.5:25252")
		listener.arrive(t, &Goodbye{Instance: instance(1), Key: key(1), Seq: 9}, 2, "10.77.0.2:25252")
		if told() || len(b.Servers()) != 1 {
			t.Errorf("changed to %v", b.Servers())
		}

		time.Sleep(34 * time.Second)
		busier := *first
		busier.People, busier.Seq = 5, 2
		listener.arrive(t, &busier, 2, "10.77.0.2:25252")
		overtaken := *first
		overtaken.People = 4
		listener.arrive(t, &overtaken, 2, "10.77.0.2:25252")
		if got := b.Servers(); !told() || len(got) != 1 || got[0].People != 5 {
			t.Errorf("after news: %+v", got)
		}
		time.Sleep(34 * time.Second)
		if told() || len(b.Servers()) != 1 {
			t.Errorf("gone too early")
		}
		time.Sleep(time.Second)
		if !told() || len(b.Servers()) != 0 {
			t.Errorf("still there after its time: %v", b.Servers())
		}

		// A network comes: it is asked, and listened to.
		n.conn(t, ephemeral).take()
		n.mu.Lock()
		n.all = append(n.all, linkAt(3, "eth1", "10.78.0.1/24"))
		n.mu.Unlock()
		time.Sleep(glance + time.Millisecond)
		if sent := n.conn(t, ephemeral).take(); !slices.ContainsFunc(sent, func(o outgoing) bool { return o.via == "eth1" }) {
			t.Errorf("on the new network: %+v", sent)
		}
		n.conn(t, "10.78.0.255:25252").arrive(t, beaconOf(5), 3, "10.78.0.2:25252")
		if !told() || len(b.Servers()) != 1 || b.Servers()[0].Interface != "eth1" {
			t.Errorf("by the new network: %+v", b.Servers())
		}

		cancel()
		if err := <-ended; err != nil {
			t.Error(err)
		}
	})
}

// When no broadcast address can be bound, answers are enough.
func TestDeafBrowser(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := &fakeNetwork{all: twoLinks, refuse: func(addr netip.AddrPort) error {
			if addr.Port() == 0 {
				return nil
			}
			return errRefused
		}}
		b, err := NewBrowser(Config{network: n})
		if err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithCancel(t.Context())
		ended := make(chan error)
		go func() { ended <- b.Run(ctx) }()
		synctest.Wait()
		c := n.conn(t, ephemeral)
		token := c.take()[0].packet.(*Query).Token
		start := time.Now()
		c.arrive(t, beaconOf(1).answer(token), 2, "10.77.0.2:25252")
		if got := b.Servers(); len(got) != 1 || !got[0].Answered {
			t.Errorf("%+v", got)
		}
		time.Sleep(time.Minute)
		if got := times(c.take(), "query", limited, start); len(got) < 5 {
			t.Errorf("asked at %v", got)
		}
		if s := b.Stats(); len(s.Trouble) != 3 || !errors.Is(s.Trouble[0].Err, errRefused) {
			t.Errorf("trouble: %+v", s.Trouble)
		}
		cancel()
		if err := <-ended; err != nil {
			t.Error(err)
		}
	})
}

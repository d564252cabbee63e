package discovery

import (
	"context"
	"net/netip"
	"slices"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
)

func TestSleeper(t *testing.T) {
	start := time.Now()
	for _, tt := range []struct {
		what       string
		wall, mono time.Duration // passed since the last look
		unnoticed  time.Duration
		woke       bool
	}{
		{"as usual", glance, glance, 0, false},
		{"a busy machine", glance + 3*time.Second, glance + 3*time.Second, 0, false},
		{"the clock was set forward by a little", glance + 3*time.Second, glance, 3 * time.Second, false},
		{"the clock was set back", glance - time.Hour, glance, 0, false},
		{"sleep, with timers that stood still", time.Hour, glance, time.Hour - glance, true},
		{"sleep that the timers noticed", time.Hour, time.Hour, 0, true},
	} {
		var s sleeper
		if d, woke := s.slept(start, start); d != 0 || woke {
			t.Error("the first look is a sleep")
		}
		if d, woke := s.slept(start.Add(tt.wall), start.Add(tt.mono)); d != tt.unnoticed || woke != tt.woke {
			t.Errorf("%s: %v, %v", tt.what, d, woke)
		}
	}
}

// A host that slept sends a beacon and a query at once. What is over by then goes,
// unless it answers.
func TestWake(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var slept atomic.Int64
		n := &fakeNetwork{all: slices.Clone(twoLinks)}
		cfg := Config{network: n, wall: func() time.Time { return time.Now().Round(0).Add(time.Duration(slept.Load())) }}
		ctx, cancel := context.WithCancel(t.Context())
		ended := make(chan error, 2)
		a, err := NewAnnouncer(cfg, Announcement{Name: "n", Key: key(1), Listen: netip.MustParseAddrPort("0.0.0.0:7")})
		if err != nil {
			t.Fatal(err)
		}
		b, err := NewBrowser(cfg)
		if err != nil {
			t.Fatal(err)
		}
		go func() { ended <- a.Run(ctx) }()
		go func() { ended <- b.Run(ctx) }()
		time.Sleep(21 * time.Second)
		serverSide, asking := n.conn(t, server), n.conn(t, ephemeral)
		token := tokenOf(t, asking)
		for c := range byte(2) {
			long := beaconOf(1 + c)
			long.TTL = 100
			n.conn(t, everyone).arrive(t, long, 2, []string{"10.77.0.2:1", "10.77.0.3:1"}[c])
		}
		serverSide.take()
		asking.take()

		slept.Add(int64(time.Hour))
		woke := time.Now()
		time.Sleep(glance)
		if got := times(serverSide.take(), "beacon", limited, woke); len(got) == 0 {
			t.Error("no beacon")
		}
		if got := times(asking.take(), "query", limited, woke); len(got) == 0 {
			t.Error("no query")
		}
		if a.Stats().Woken != 1 || b.Stats().Woken != 1 || len(b.Servers()) != 2 {
			t.Errorf("%d, %d times awake, %d servers", a.Stats().Woken, b.Stats().Woken, len(b.Servers()))
		}
		back := beaconOf(1)
		back.Seq = 2
		asking.arrive(t, back.answer(token), 2, "10.77.0.2:1")
		time.Sleep(ListTime)
		synctest.Wait()
		if got := b.Servers(); len(got) != 1 || got[0].Key != key(1) {
			t.Errorf("after the sleep: %+v", got)
		}
		cancel()
		for range 2 {
			if err := <-ended; err != nil {
				t.Error(err)
			}
		}
	})
}

// tokenOf is the token of the queries that went out.
func tokenOf(t *testing.T, c *fakeConn) [TokenSize]byte {
	t.Helper()
	for _, o := range c.take() {
		if q, ok := o.packet.(*Query); ok {
			return q.Token
		}
	}
	t.Fatal("no query")
	return [TokenSize]byte{}
}

package server

import (
	"net/netip"
	"testing"
	"testing/synctest"
	"time"

	"lanchat/protocol"
)

// TestBytesOfPosts: what somebody can write without a pause, by the server's clock. After
// the first day only a day's bytes come back in a day.
func TestBytesOfPosts(t *testing.T) {
	const kib, mib = 1 << 10, 1 << 20
	someone := func(known, guest bool) func() *person {
		return func() *person {
			p := &person{own: new(allowance), guest: guest}
			p.known.Store(known)
			return p
		}
	}
	known, fresh, guest := someone(true, false), someone(false, false), someone(false, true)
	tests := []struct {
		name              string
		who               func() *person
		people            int
		from              string
		limits            Limits
		once, minute, day int // bytes at most, at once, in a minute after that, and in the second day
	}{
		{"known", known, 1, "10.0.0.1", Limits{}, mib, 60 * 64 * kib, 200 * mib},
		{"fresh", fresh, 1, "10.0.0.1", Limits{}, mib / 4, 60 * 16 * kib, 50 * mib},
		{"guest", guest, 1, "10.0.0.1", Limits{}, mib / 4, 60 * 16 * kib, 50 * mib},
		{"known, of one address", known, 6, "10.0.0.1", Limits{}, 4 * mib, 4 * 60 * 64 * kib, 800 * mib},
		{"fresh, of one address", fresh, 40, "10.0.0.1", Limits{}, 4 * mib, 4 * 60 * 64 * kib, 800 * mib},
		{"guests, of one address", guest, 6, "10.0.0.1", Limits{}, mib, 4 * 60 * 16 * kib, 200 * mib},
		{"known, of this host", known, 6, "127.0.0.1", Limits{}, 6 * mib, 6 * 60 * 64 * kib, 6 * 200 * mib},
		{"more posts", fresh, 1, "10.0.0.1", Limits{PostRate: 10}, mib / 2, 2 * 60 * 16 * kib, 100 * mib},
		{"fewer posts", fresh, 1, "10.0.0.1", Limits{PostRate: 3}, mib / 4, 60 * 16 * kib, 50 * mib},
		{"bytes of one's own", fresh, 1, "10.0.0.1", Limits{PostRate: 10, ByteBurst: 4 * mib, ByteRate: 64 * kib, DayBytes: 200 * mib}, mib, 60 * 16 * kib, 50 * mib},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				s := &Server{limits: test.limits.orDefaults()}
				s.limits.PostBurst, s.limits.PostRate = 1<<30, 1<<30 // bytes alone
				address := new(share)
				begin := time.Now()
				const size = 16 * kib
				sent := make(chan time.Duration)
				for range test.people {
					ss := &session{srv: s, door: &lines{}, addr: netip.MustParseAddr(test.from), link: &link{share: address}, person: test.who(), ended: make(chan struct{}), slowed: time.Now().Add(1000 * time.Hour)}
					go func() {
						for time.Since(begin) < 48*time.Hour && ss.waitToPost(size) {
							sent <- time.Since(begin)
						}
						sent <- -1
					}()
				}
				var once, minute, day int
				for running := test.people; running > 0; {
					switch at := <-sent; {
					case at < 0:
						running--
					case at == 0:
						once += size
					case at <= time.Minute:
						minute += size
					case at > 24*time.Hour && at <= 48*time.Hour:
						day += size
					}
				}
				for _, got := range []struct {
					what      string
					got, want int
				}{{"at once", once, test.once}, {"in a minute", minute, test.minute}, {"in the second day", day, test.day}} {
					if slack := got.want/16 + 2*size; got.got > got.want+slack || got.got < got.want-slack {
						t.Errorf("%s %d KiB, not %d", got.what, got.got/kib, got.want/kib)
					}
				}
			})
		})
	}
}

// TestBytesDelayPosts: they are read later, in order, and none is lost; what a connection
// that is gone did not get to post is not counted.
func TestBytesDelayPosts(t *testing.T) {
	s, addr := start(t, func(c *Config) {
		c.Limits = Limits{PostRate: 1000, PostBurst: 1000, ByteRate: 200_000, ByteBurst: 20_000, DayBytes: 1 << 30}
	})
	p := connect(t, addr, "ann")
	p.join("lobby", 0)
	text := make([]byte, 5_000)
	for i := range text {
		text[i] = 'x'
	}
	const posts = 8
	for i := range posts {
		p.send(&protocol.Post{ID: protocol.NewID(), Room: "lobby", Text: string(rune('a'+i)) + string(text)})
	}
	slow := false
	for next := 0; next < posts; {
		switch m := any1[protocol.Message](p).(type) {
		case *protocol.Slow:
			slow = true
		case *protocol.Entry:
			if m.Text[0] != byte('a'+next) {
				t.Fatalf("entry %d is %c", next, m.Text[0])
			}
			next++
		}
	}
	if !slow || s.Stats().Limits["post_bytes"] == 0 {
		t.Errorf("told slow: %v; counted %v", slow, s.Stats().Limits)
	}

	var a allowance
	l := Limits{}.orDefaults()
	paces := l.postPaces(true, 1)
	now := time.Now()
	a.post(now, &paces, 100)
	a.refund(100)
	if !a.unused(now, &l, 1) {
		t.Error("a refund is not all of it")
	}
}

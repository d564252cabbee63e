package bench

import (
	"context"
	"math"
	"net"
	"testing"
	"time"

	"lanchat/internal/roomlog"
	"lanchat/internal/server"
)

func listen(t *testing.T) net.Listener {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	return l
}

func startRelay(t *testing.T, batched bool) *Bare {
	l := listen(t)
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- Relay(ctx, l, batched) }()
	t.Cleanup(func() {
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
	return &Bare{Addr: l.Addr().String()}
}

func startChat(t *testing.T) *Chat {
	l := listen(t)
	log := roomlog.Local(roomlog.NewMemory())
	s := server.New(server.Config{Name: "bench", Log: log, Limits: server.Limits{PostRate: 1 << 20, PostBurst: 1 << 20}})
	done := make(chan error, 1)
	go func() { done <- s.Serve(context.Background(), l) }()
	t.Cleanup(func() {
		s.Close()
		<-done
		log.Close()
	})
	return &Chat{Addr: l.Addr().String()}
}

// What is counted is what was sent: everybody gets every post, once and in order, at a
// rate and as fast as the window lets it, one and several rooms.
func TestLoads(t *testing.T) {
	targets := map[string]func(t *testing.T) Target{
		"inline":  func(t *testing.T) Target { return startRelay(t, false) },
		"batched": func(t *testing.T) Target { return startRelay(t, true) },
		"chat":    func(t *testing.T) Target { return startChat(t) },
	}
	loads := map[string]Load{
		"fast":  {Rooms: 1, Readers: 5, Posters: 2, Window: 16, Size: 100, Time: 300 * time.Millisecond},
		"rate":  {Rooms: 3, Readers: 2, Posters: 1, Rate: 50, Size: 300, Time: 400 * time.Millisecond, Warm: 100 * time.Millisecond},
		"stall": {Rooms: 1, Readers: 3, Posters: 1, Rate: 100, Size: 28, Time: 400 * time.Millisecond, Stall: 200 * time.Millisecond},
		"idle":  {Rooms: 1, Readers: 20, Size: 100, Time: 50 * time.Millisecond},
	}
	for name, target := range targets {
		for of, l := range loads {
			t.Run(name+"/"+of, func(t *testing.T) {
				res := runLoad(t, target(t), l)
				if res.Lost != 0 || res.Doubled != 0 || res.Missing != 0 || res.Slowed != 0 {
					t.Errorf("%+v", res)
				}
				if l.Posters == 0 {
					return
				}
				if res.Deliveries == 0 || res.Posts == 0 || res.P50 > res.P99 || res.P99 > res.Max || res.Max == 0 {
					t.Errorf("%+v", res)
				}
				// A machine that stands still for half of the time posts half as much.
				for try := 1; !asPlanned(l, res); try++ {
					if try == 5 {
						t.Fatalf("of %v posts a second for each of %d there are %d, and %d deliveries, in %v s", l.Rate, l.Rooms*l.Posters, res.Posts, res.Deliveries, res.Seconds)
					}
					res = runLoad(t, target(t), l)
				}
			})
		}
	}
}

func runLoad(t *testing.T, target Target, l Load) *Result {
	t.Helper()
	res, err := Run(t.Context(), target, l, nil, nil)
	if err != nil {
		t.Fatal(err)
	}
	return res
}

// asPlanned reports whether about as much was posted and delivered as the rate says.
func asPlanned(l Load, res *Result) bool {
	if l.Rate == 0 {
		return true // as fast as it goes
	}
	want := int64(l.Rate * res.Seconds * float64(l.Rooms*l.Posters))
	return res.Posts >= want/2 && res.Posts <= 2*want && res.Deliveries >= want*int64(l.Readers+l.Posters)/2
}

// fakePeer delivers what a test says.
type fakePeer struct {
	texts [][]byte
	said  chan struct{} // closed when all were delivered, and taken
	ended chan struct{}
}

func newFake() *fakePeer { return &fakePeer{said: make(chan struct{}), ended: make(chan struct{})} }

func (p *fakePeer) post([]byte)  {}
func (p *fakePeer) flush() error { return nil }
func (p *fakePeer) close()       { close(p.ended) }
func (p *fakePeer) next() ([]byte, int, error) {
	if len(p.texts) == 0 {
		close(p.said)
		<-p.ended
		return nil, 0, net.ErrClosed
	}
	text := p.texts[0]
	p.texts = p.texts[1:]
	return text, len(text), nil
}

// The checker counts what is missing, doubled and out of order.
func TestChecker(t *testing.T) {
	for name, tt := range map[string]struct {
		numbers                []uint32
		lost, doubled, missing int64
	}{
		"all":          {[]uint32{1, 2, 3, 4}, 0, 0, 0},
		"one lost":     {[]uint32{1, 3, 4}, 1, 0, 0},
		"the end lost": {[]uint32{1, 2}, 0, 0, 2},
		"one twice":    {[]uint32{1, 2, 2, 3, 4}, 0, 1, 0},
		"out of order": {[]uint32{1, 3, 2, 4}, 1, 1, 0},
		"nothing":      {nil, 0, 0, 4},
	} {
		r := &run{load: Load{Rooms: 1, Readers: 1, Posters: 1, Size: markSize}}
		p := newFake()
		for _, n := range tt.numbers {
			text := make([]byte, markSize)
			putMark(text, mark{0, n, time.Now().UnixNano()})
			p.texts = append(p.texts, text)
		}
		reader, poster := newClient(r, p, 0), newClient(r, newFake(), 1)
		r.clients = []*client{reader, poster}
		poster.posted.Store(4)
		reader.startReading()
		<-p.said
		reader.finish()
		if reader.lost != tt.lost || reader.doubled != tt.doubled || reader.missing != tt.missing {
			t.Errorf("%s: %d lost, %d doubled, %d missing; want %d, %d, %d", name, reader.lost, reader.doubled, reader.missing, tt.lost, tt.doubled, tt.missing)
		}
	}
}

func TestHistogram(t *testing.T) {
	var h histogram
	for us := range 100_000 {
		h.count(time.Duration(us) * time.Microsecond)
	}
	for q, want := range map[float64]time.Duration{0: time.Microsecond, 0.5: 50 * time.Millisecond, 0.99: 99 * time.Millisecond, 1: 100 * time.Millisecond} {
		if got := h.at(q); got < want-want/20-time.Microsecond || got > want+want/20+time.Microsecond {
			t.Errorf("%v of all take %v at most, want about %v", q, got, want)
		}
	}
	for i := range 30 * 32 {
		if d := upperOf(i) - 1; bucketOf(d) != i {
			t.Fatalf("%v, the end of bucket %d, is in %d", d, i, bucketOf(d))
		}
	}
	h.count(365 * 24 * time.Hour) // more than there are buckets for
	if h.at(1) != 365*24*time.Hour {
		t.Errorf("the longest is %v", h.at(1))
	}
}

func TestLoadsThatAreNone(t *testing.T) {
	good := Load{Rooms: 1, Readers: 1, Posters: 1, Window: 1, Size: 100, Time: time.Second}
	for name, spoil := range map[string]func(*Load){
		"no room":        func(l *Load) { l.Rooms = 0 },
		"nobody":         func(l *Load) { l.Readers, l.Posters = 0, 0 },
		"too many":       func(l *Load) { l.Readers = 60_000 },
		"tiny texts":     func(l *Load) { l.Size = 27 },
		"huge texts":     func(l *Load) { l.Size = 20_000 },
		"no window":      func(l *Load) { l.Window = 0 },
		"negative rate":  func(l *Load) { l.Rate = -1 },
		"no time":        func(l *Load) { l.Time = 0 },
		"a day":          func(l *Load) { l.Time = 24 * time.Hour },
		"negative count": func(l *Load) { l.Posters = -1 },
		"no number":      func(l *Load) { l.Rate = math.NaN() },
		"infinite rate":  func(l *Load) { l.Rate = math.Inf(1) },
		"negative warm":  func(l *Load) { l.Warm = -1 },
		"negative stall": func(l *Load) { l.Readers, l.Stall = 2, -1 },
		"too long stall": func(l *Load) { l.Readers, l.Stall = 2, 2*time.Second },
		"lonely stall":   func(l *Load) { l.Stall = time.Second },
	} {
		l := good
		spoil(&l)
		if l.Check() == nil {
			t.Errorf("%s passes", name)
		}
	}
	if err := good.Check(); err != nil {
		t.Error(err)
	}
}

package client

import (
	"context"
	"errors"
	"fmt"
	"net"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"lanchat/internal/roomlog"
	"lanchat/internal/server"
	"lanchat/protocol"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// room is a server on loopback whose connections can be cut.
type room struct {
	testing.TB
	addr string
	log  roomlog.Log

	mu    sync.Mutex
	conns []net.Conn
	away  bool
}

func startRoom(t testing.TB) *room {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	log := roomlog.Local(roomlog.NewMemory())
	s := server.New(server.Config{Name: "Hack Night", Log: log, Limits: server.Limits{PostBurst: 100_000}})
	served := make(chan error, 1)
	go func() { served <- s.Serve(context.Background(), l) }()
	t.Cleanup(func() {
		s.Close()
		<-served
		log.Close()
	})
	return &room{TB: t, addr: l.Addr().String(), log: log}
}

func (r *room) dial(ctx context.Context) (*Dialed, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.away {
		return nil, errors.New("the server is away")
	}
	nc, err := new(net.Dialer).DialContext(ctx, "tcp", r.addr)
	if err != nil {
		return nil, err
	}
	r.conns = append(r.conns, nc)
	return &Dialed{Conn: nc, Addr: r.addr}, nil
}

// pause makes the server unreachable, or reachable again.
func (r *room) pause(away bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.away = away
}

// cut kills every connection without a goodbye.
func (r *room) cut() {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, c := range r.conns {
		c.(*net.TCPConn).SetLinger(0)
		c.Close()
	}
	r.conns = nil
}

// user is a client and its state, run by a test.
type user struct {
	*Client
	testing.TB
	state State
	downs int // how often the connection was lost
	ended chan error
	stop  func()
}

func (r *room) join(nick string, change ...func(*Config)) *user {
	r.Helper()
	cfg := Config{Dial: r.dial, Nick: nick, Rooms: []string{"lobby"}, random: func() float64 { return 0 }}
	for _, f := range change {
		f(&cfg)
	}
	u := &user{Client: New(cfg), TB: r.TB, ended: make(chan error, 1)}
	ctx, cancel := context.WithCancel(context.Background())
	go func() { u.ended <- u.Run(ctx) }()
	u.stop = func() {
		cancel()
		for range u.Events() {
		}
	}
	r.Cleanup(u.stop)
	return u
}

// until applies events until a condition on the state holds.
func (u *user) until(what string, cond func() bool) {
	u.Helper()
	limit := time.After(time.Minute) // whether, and not how soon
	for !cond() {
		select {
		case ev, ok := <-u.Events():
			if !ok {
				u.Fatalf("%s: the client has ended: %v", what, u.state.Link.Err)
			}
			u.state.Apply(ev)
			if _, down := ev.(WentDown); down {
				u.downs++
			}
		case <-limit:
			u.Fatalf("%s: not within a minute; %d posts wait; %+v", what, u.Waiting(), u.state.Link)
		}
	}
}

func (u *user) joined(room string) *Room {
	u.Helper()
	u.until("joining "+room, func() bool { return u.state.Room(room) != nil })
	return u.state.Room(room)
}

func (u *user) say(room, text string) protocol.ID {
	u.Helper()
	ev, err := u.Post(protocol.Post{Room: room, Text: text})
	if err != nil {
		u.Fatal(err)
	}
	u.state.Apply(ev)
	return ev.Post.ID
}

func texts(items []*Item) (out []string) {
	for _, it := range items {
		if it.Status != Notice {
			out = append(out, it.Entry.Text)
		}
	}
	return out
}

func TestTalk(t *testing.T) {
	r := startRoom(t)
	ann, bob := r.join("ann"), r.join("bob")
	a, b := ann.joined("lobby"), bob.joined("lobby")
	ann.say("lobby", "hello bob")
	if len(a.Pending) != 1 || a.Pending[0].Status != Pending {
		t.Errorf("a post is not shown at once: %+v", a.Pending)
	}
	bob.state.Apply(Selected{Room: ""}) // reads no room
	bob.until("the line", func() bool { return len(b.Items) == 1 })
	if it := b.Items[0]; it.Entry.Nick != "ann" || !it.ForMe || it.Mine || b.Unread != 1 || b.Mine != 1 {
		t.Errorf("bob sees %+v, unread %d, for him %d", it, b.Unread, b.Mine)
	}
	bob.state.Apply(Selected{Room: "lobby"})
	if b.Unread != 0 || b.Read != 1 {
		t.Errorf("read, and still %d unread, marker %d", b.Unread, b.Read)
	}
	ann.until("her own line", func() bool { return len(a.Items) == 1 && len(a.Pending) == 0 })
	if ann.until("the ack", func() bool { return ann.Waiting() == 0 }); !a.Items[0].Mine {
		t.Errorf("ann's line is not hers: %+v", a.Items[0])
	}
	ann.until("two people", func() bool { return a.Count == 2 && len(a.Nicks()) == 2 })
	if _, err := ann.Request(&protocol.Nick{Nick: "bob"}); err != nil {
		t.Fatal(err)
	}
	ann.until("the refusal", func() bool { return len(a.Items) == 2 })
	if it := a.Items[1]; it.Status != Notice || !strings.Contains(it.Entry.Text, "bob is taken") {
		t.Errorf("notice %+v", it)
	}
	ann.until("a round trip", func() bool { return ann.state.Link.RoundTrip > 0 })
}

// Cut off again and again in the middle of it, nothing is lost, doubled or
// reordered on either side.
func TestNothingLostOverBrokenConnections(t *testing.T) {
	const lines = 2000
	r := startRoom(t)
	ann, bob := r.join("ann"), r.join("bob")
	a, b := ann.joined("lobby"), bob.joined("lobby")
	var want []string
	const cuts = 20
	for i := range lines {
		want = append(want, fmt.Sprint(i))
		ann.say("lobby", want[i])
		if i == 0 { // to a guest who has heard nothing yet, not all would be told again
			ann.until("her first line", func() bool { return len(a.Items) == 1 })
			bob.until("the first line", func() bool { return len(b.Items) == 1 })
		}
		if i%50 == 49 {
			// Above 1,000 missed lines the server would skip some.
			ann.until("some acks", func() bool { return ann.Waiting() < 200 && len(a.Items) > i-600 })
			bob.until("some lines", func() bool { return len(b.Items) > i-600 })
		}
		if i%(lines/cuts) == 0 { // in the midst of whatever is under way
			r.cut()
		}
	}
	ann.until("all acks", func() bool { return ann.Waiting() == 0 })
	bob.until("all lines", func() bool { return len(b.Items) >= lines })
	if got := texts(b.Items); !slices.Equal(got, want) {
		t.Errorf("bob sees %d lines, first difference at %d", len(got), firstDifference(got, want))
	}
	ann.until("her own lines", func() bool { return len(a.Items) >= lines })
	if got := texts(a.Items); !slices.Equal(got, want) || len(a.Pending) > 0 {
		t.Errorf("ann sees %d lines, %d pending, first difference at %d", len(got), len(a.Pending), firstDifference(got, want))
	}
	if ann.downs < cuts/4 {
		t.Errorf("ann was cut off only %d times", ann.downs)
	}
}

func firstDifference(a, b []string) int {
	for i := range min(len(a), len(b)) {
		if a[i] != b[i] {
			return i
		}
	}
	return min(len(a), len(b))
}

func TestRefusedPostIsShownAndTheRestGoesOn(t *testing.T) {
	r := startRoom(t)
	ann := r.join("ann")
	a := ann.joined("lobby")
	ann.say("lobby", strings.Repeat("x", 17<<10))
	ann.say("lobby", "fine")
	ann.until("both answers", func() bool { return ann.Waiting() == 0 && len(a.Items) == 1 })
	if len(a.Pending) != 1 || a.Pending[0].Status != Failed || !strings.Contains(a.Pending[0].Err, "at most 16384 bytes") {
		t.Errorf("pending: %+v", a.Pending)
	}
	ann.state.Apply(Dropped{Room: "lobby", ID: a.Pending[0].Entry.ID})
	if len(a.Pending) != 0 {
		t.Error("a dropped post is still shown")
	}
}

func TestJoinFailsAndLeave(t *testing.T) {
	r := startRoom(t)
	ann := r.join("ann")
	a := ann.joined("lobby")
	if err := ann.Join("No Room"); err == nil {
		t.Error("a bad name is taken")
	}
	other := protocol.DirectRoom(protocol.UserID{1}, protocol.UserID{2})
	if err := ann.Join(other); err != nil {
		t.Fatal(err)
	}
	ann.until("the refusal", func() bool { return len(a.Items) == 1 })
	if err := ann.Join("kitchen"); err != nil {
		t.Fatal(err)
	}
	ann.joined("kitchen")
	if err := ann.Leave("kitchen"); err != nil {
		t.Fatal(err)
	}
	ann.until("having left", func() bool { return ann.state.Room("kitchen") == nil })
	r.cut()
	ann.until("being back", func() bool { return ann.state.Link.Phase == Waiting })
	ann.until("being back", func() bool { return ann.state.Link.Phase == Up })
	ann.say("lobby", "back")
	ann.until("the ack", func() bool { return ann.Waiting() == 0 })
	if ann.state.Room("kitchen") != nil || ann.state.Room(other) != nil {
		t.Error("a room that was left or refused is joined again")
	}
}

func TestSkippedAndHistory(t *testing.T) {
	r := startRoom(t)
	ann := r.join("ann")
	ann.joined("lobby")
	var want []string
	for i := range 1500 {
		want = append(want, fmt.Sprint(i))
		ann.say("lobby", want[i])
	}
	ann.until("all acks", func() bool { return ann.Waiting() == 0 })
	bob := r.join("bob")
	b := bob.joined("lobby")
	bob.until("a guest's first hundred", func() bool { return len(b.Items) == 100 })
	if !b.Older {
		t.Error("it does not know of the older ones")
	}
	for b.Older {
		had := len(b.Items)
		if _, err := bob.Request(&protocol.History{Room: "lobby", Before: b.FirstSeq(), Limit: 200}); err != nil {
			t.Fatal(err)
		}
		bob.until("a page", func() bool { return len(b.Items) > had })
	}
	if got := texts(b.Items); !slices.Equal(got, want) {
		t.Errorf("%d lines, first difference at %d", len(got), firstDifference(got, want))
	}
}

// A client whose first try fails gives up; later it tries again, with growing
// pauses, and not before the server wants it.
func TestWhenItTriesAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var tries []time.Duration
		begin := time.Now()
		lost := errors.New("no route")
		dial := func(context.Context) (*Dialed, error) {
			tries = append(tries, time.Since(begin))
			switch len(tries) {
			case 1:
				return &Dialed{Conn: fakeServer(t, &protocol.Bye{Code: protocol.CodeShuttingDown, RetryAfter: 3000})}, nil
			case 2, 3, 4, 5, 6, 7, 8:
				return nil, lost
			}
			return nil, &FinalError{lost}
		}
		c := New(Config{Dial: dial, Nick: "ann", random: func() float64 { return 1 }})
		ended := make(chan error, 1)
		go func() { ended <- c.Run(t.Context()) }()
		for range c.Events() {
		}
		if err := <-ended; !errors.Is(err, lost) {
			t.Errorf("Run = %v", err)
		}
		want := []time.Duration{0, 3000, 3500, 4500, 6500, 10500, 18500, 33500, 48500}
		for i := range want {
			want[i] *= time.Millisecond
		}
		if !slices.Equal(tries, want) {
			t.Errorf("it tried at %v, want %v", tries, want)
		}

		first := New(Config{Dial: func(context.Context) (*Dialed, error) { return nil, lost }})
		go func() { ended <- first.Run(t.Context()) }()
		for range first.Events() {
		}
		if err := <-ended; !errors.Is(err, lost) {
			t.Errorf("the first try failed, and Run = %v", err)
		}
	})
}

// fakeServer welcomes a client, sends it one message and waits for its end.
func fakeServer(t *testing.T, m protocol.Message) net.Conn {
	a, b := net.Pipe()
	go func() {
		defer b.Close()
		c, err := protocol.Accept(b, func(h *protocol.Hello, _ *protocol.Exchange) (*protocol.Welcome, error) {
			return &protocol.Welcome{Version: protocol.Version, Nick: h.Nick}, nil
		})
		if err != nil {
			return
		}
		if m != nil {
			go c.Write(m)
		}
		for {
			if _, err := c.Read(); err != nil {
				return
			}
		}
	}()
	return a
}

// A server that is connected and silent is noticed, later where it said that it is slow.
func TestDeadServerIsNoticed(t *testing.T) {
	for _, tt := range []struct {
		says protocol.Message
		from time.Duration
	}{
		{nil, deadAfter},
		{&protocol.Slow{Why: "rate", For: 40_000}, deadAfter + 40*time.Second},
	} {
		synctest.Test(t, func(t *testing.T) {
			dials := 0
			c := New(Config{Nick: "ann", Dial: func(context.Context) (*Dialed, error) {
				if dials++; dials > 1 {
					return nil, &FinalError{errors.New("enough")}
				}
				return &Dialed{Conn: fakeServer(t, tt.says)}, nil
			}})
			go c.Run(t.Context())
			begin := time.Now()
			for ev := range c.Events() {
				if down, ok := ev.(WentDown); ok {
					if took := time.Since(begin); !errors.Is(down.Err, errDead) || took < tt.from || took > tt.from+2*roundTripEach {
						t.Errorf("after %v, not %v: %v", took, tt.from, down.Err)
					}
				}
			}
			if dials != 2 {
				t.Errorf("%d dials", dials)
			}
		})
	}
}

func TestMentions(t *testing.T) {
	for _, tt := range []struct {
		text string
		want bool
	}{
		{"hi ann", true}, {"@Ann: look", true}, {"ANN!", true}, {"anna", false}, {"joann", false}, {"", false},
		{"anna and ann", true}, {"ann_b", false}, {"größe ann", true},
	} {
		if got := mentions(tt.text, "ann"); got != tt.want {
			t.Errorf("mentions(%q) = %v", tt.text, got)
		}
	}
}

func TestWipedServer(t *testing.T) {
	var s State
	s.Apply(WentUp{Me: protocol.Member{User: protocol.UserID{1}}})
	s.Apply(Received{Message: &protocol.Joined{Ref: 1, Room: "lobby", Head: 5}})
	s.Apply(Received{Message: &protocol.Entry{Room: "lobby", Seq: 5, Text: "old", ID: protocol.NewID()}})
	s.Apply(WentUp{Wiped: true})
	r := s.Room("lobby")
	if got := texts(r.Items); len(got) > 0 || len(r.Items) != 1 || r.Items[0].Status != Notice {
		t.Errorf("after the wipe: %q, %d items", got, len(r.Items))
	}
}

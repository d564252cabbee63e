package server

import (
	"context"
	"errors"
	"net"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"lanchat/internal/roomlog"
	"lanchat/protocol"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// start serves on a port of the kernel's choice until the test ends.
func start(t testing.TB, change ...func(*Config)) (*Server, string) {
	t.Helper()
	cfg := Config{Name: "Hack Night", Log: roomlog.Local(roomlog.NewMemory()), Limits: Limits{PostRate: 10_000, PostBurst: 10_000, PageRate: 10_000, PageBurst: 10_000}}
	for _, f := range change {
		f(&cfg)
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	s := New(cfg)
	served := make(chan error, 1)
	go func() { served <- s.Serve(context.Background(), l) }()
	t.Cleanup(func() {
		s.Close()
		if err := <-served; !errors.Is(err, ErrServerClosed) {
			t.Errorf("Serve = %v", err)
		}
		if err := cfg.Log.Close(); err != nil {
			t.Error(err)
		}
	})
	return s, l.Addr().String()
}

// peer is a native client of the tests, without TLS.
type peer struct {
	testing.TB
	*protocol.Conn
	welcome *protocol.Welcome
}

func connect(t testing.TB, addr, nick string) *peer {
	t.Helper()
	c, w, err := protocol.Dial(t.Context(), addr, nil, &protocol.Hello{Nick: nick})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	return &peer{t, c, w}
}

// send sends messages.
func (p *peer) send(ms ...protocol.Message) {
	p.Helper()
	if err := p.Write(ms...); err != nil {
		p.Fatal(err)
	}
}

// await reads until a message of type M comes that fits, and fails the test when
// none comes for ten seconds.
func await[M protocol.Message](p *peer, fits func(M) bool) M {
	p.Helper()
	timer := time.AfterFunc(10*time.Second, func() { p.Close() })
	defer timer.Stop()
	for {
		m, err := p.Read()
		if err != nil {
			var none M
			p.Fatalf("waiting for %T: %v", none, err)
		}
		if want, ok := m.(M); ok && fits(want) {
			return want
		}
	}
}

func any1[M protocol.Message](p *peer) M {
	p.Helper()
	return await(p, func(M) bool { return true })
}

func (p *peer) join(room string, after uint64) *protocol.Joined {
	p.Helper()
	p.send(&protocol.Join{Ref: 7, Room: room, After: after})
	return await(p, func(j *protocol.Joined) bool { return j.Ref == 7 })
}

func (p *peer) say(room, text string) *protocol.Ack {
	p.Helper()
	id := protocol.NewID()
	p.send(&protocol.Post{ID: id, Room: room, Text: text})
	return await(p, func(a *protocol.Ack) bool { return a.ID == id })
}

func (p *peer) hears(text string) *protocol.Entry {
	p.Helper()
	return await(p, func(e *protocol.Entry) bool { return e.Text == text })
}

// fails sends a request and wants an error of the code.
func (p *peer) fails(code protocol.Code, m protocol.Message) {
	p.Helper()
	p.send(m)
	if e := any1[*protocol.Error](p); e.Code != code {
		p.Errorf("%s: %s (%s), want %s", protocol.Name(m), e.Code, e.Text, code)
	}
}

func TestTalk(t *testing.T) {
	_, addr := start(t)
	ann, bob := connect(t, addr, "ann"), connect(t, addr, "bob")
	ann.join("lobby", 0)
	if j := bob.join("lobby", 0); j.Count != 2 || len(j.Members) != 2 {
		t.Errorf("joined: %+v", j)
	}
	ack := ann.say("lobby", "hello")
	e := bob.hears("hello")
	if e.Seq != ack.Seq || e.ID != ack.ID || e.At != ack.At || e.Nick != "ann" || !e.Guest || e.User != ann.welcome.User {
		t.Errorf("entry %+v for ack %+v", e, ack)
	}
	bob.send(&protocol.Topic{Ref: 3, Room: "lobby", Topic: "pizza\x1b[2J"})
	if r := any1[*protocol.Topic](bob); r.Ref != 3 || r.Topic != "pizza␛[2J" {
		t.Errorf("topic: %+v", r)
	}
	if e := await(ann, func(e *protocol.Entry) bool { return e.Kind == protocol.KindTopic }); e.Text != "pizza␛[2J" {
		t.Errorf("topic entry: %+v", e)
	}
	carl := connect(t, addr, "carl")
	if j := carl.join("lobby", 0); j.Topic != "pizza␛[2J" || j.Head != 2 {
		t.Errorf("joined: %+v", j)
	}
	carl.hears("hello")
	await(ann, func(p *protocol.Presence) bool { return p.Count == 3 })
	carl.Close()
	p := await(ann, func(p *protocol.Presence) bool { return p.Count == 2 })
	if len(p.Left) != 1 || p.Left[0] != carl.welcome.User {
		t.Errorf("presence: %+v", p)
	}
	bob.send(&protocol.Leave{Ref: 9, Room: "lobby"})
	any1[*protocol.Left](bob)
	bob.fails(protocol.CodeNotJoined, &protocol.Post{ID: protocol.NewID(), Room: "lobby", Text: "x"})
}

func TestResumeReplaysExactlyWhatWasMissed(t *testing.T) {
	_, addr := start(t, func(c *Config) { c.Limits.PostBurst = 10_000 })
	ann := connect(t, addr, "ann")
	ann.join("lobby", 0)
	const total = 3000
	go func() {
		for range total {
			if ann.Write(&protocol.Post{ID: protocol.NewID(), Room: "lobby", Text: strings.Repeat("x", 300)}) != nil {
				return
			}
		}
	}()
	await(ann, func(a *protocol.Ack) bool { return a.Seq == total })

	for _, tt := range []struct {
		join  protocol.Join
		first uint64 // the first entry that comes
		reset bool
	}{
		{protocol.Join{After: total - 3}, total - 2, false},
		{protocol.Join{After: total - 1000}, total - 999, false}, // the tail does not reach so far back
		{protocol.Join{After: 5}, total - 999, false},
		{protocol.Join{After: total + 1}, total - 999, true},
	} {
		bob := connect(t, addr, "bob")
		tt.join.Room, tt.join.Ref = "lobby", 1
		bob.send(&tt.join)
		if j := any1[*protocol.Joined](bob); j.Reset != tt.reset || j.Head != total {
			t.Errorf("%+v: %+v", tt.join, j)
		}
		if from := tt.join.After; tt.first > from+1 && !tt.reset || tt.reset {
			if tt.reset {
				from = 0
			}
			if s := any1[*protocol.Skipped](bob); s.From != from+1 || s.To != tt.first-1 {
				t.Errorf("%+v: skipped %+v", tt.join, s)
			}
		}
		for want := tt.first; want <= total; want++ {
			if e := any1[*protocol.Entry](bob); e.Seq != want {
				t.Fatalf("%+v: entry %d where %d belongs", tt.join, e.Seq, want)
			}
		}
		bob.Close()
	}

	live := connect(t, addr, "live")
	live.send(&protocol.Join{Ref: 1, Room: "lobby", Live: true})
	any1[*protocol.Joined](live)
	ann.say("lobby", "new")
	if e := any1[*protocol.Entry](live); e.Text != "new" {
		t.Errorf("a live join was sent %d first", e.Seq)
	}

	live.send(&protocol.History{Ref: 4, Room: "lobby", Before: 100, Limit: 5})
	page := any1[*protocol.Page](live)
	if len(page.Entries) != 5 || page.Entries[0].Seq != 95 || !page.More {
		t.Errorf("a page of %d entries, more %v", len(page.Entries), page.More)
	}
	live.send(&protocol.History{Ref: 5, Room: "lobby"})
	if page := any1[*protocol.Page](live); page.Entries[len(page.Entries)-1].Seq != total+1 || !page.More {
		t.Errorf("the last page: %d entries", len(page.Entries))
	}
}

func TestSamePostTwice(t *testing.T) {
	_, addr := start(t)
	ann, bob := connect(t, addr, "ann"), connect(t, addr, "bob")
	ann.join("lobby", 0)
	bob.join("lobby", 0)
	post := &protocol.Post{ID: protocol.NewID(), Room: "lobby", Text: "once"}
	ann.send(post, post)
	a, b := any1[*protocol.Ack](ann), any1[*protocol.Ack](ann)
	bob.send(post)
	c := any1[*protocol.Ack](bob)
	if *a != *b || *a != *c {
		t.Errorf("acks differ: %+v, %+v, %+v", a, b, c)
	}
	other := *post
	other.Text = "twice"
	ann.fails(protocol.CodeIDConflict, &other)
	if end := ann.say("lobby", "end"); end.Seq != 2 {
		t.Errorf("the next entry is number %d", end.Seq)
	}
}

func TestNicks(t *testing.T) {
	_, addr := start(t)
	ann := connect(t, addr, "ann")
	second := connect(t, addr, "Ann")
	if ann.welcome.Nick != "ann" || second.welcome.Nick != "Ann-2" {
		t.Errorf("nicks %q and %q", ann.welcome.Nick, second.welcome.Nick)
	}
	second.fails(protocol.CodeNickTaken, &protocol.Nick{Ref: 1, Nick: "ANN"})
	for _, bad := range []string{"", strings.Repeat("x", 33), "a b", "a\x1b[m", "a\u202eb", "\u3164", "guest-1"} {
		second.fails(protocol.CodeBadNick, &protocol.Nick{Ref: 1, Nick: bad})
		_, _, err := protocol.Dial(t.Context(), addr, nil, &protocol.Hello{Nick: bad})
		if !errors.Is(err, &protocol.Error{Code: protocol.CodeBadNick}) {
			t.Errorf("hello with nick %q: %v", bad, err)
		}
	}
	ann.join("lobby", 0)
	second.join("lobby", 0)
	second.send(&protocol.Nick{Ref: 5, Nick: "beth"})
	if n := await(second, func(n *protocol.Nick) bool { return n.Ref == 5 }); n.Nick != "beth" {
		t.Errorf("%+v", n)
	}
	await(ann, func(p *protocol.Presence) bool {
		return slices.Contains(p.Joined, protocol.Member{User: second.welcome.User, Nick: "beth", Guest: true})
	})
	second.say("lobby", "as beth")
	if e := ann.hears("as beth"); e.Nick != "beth" {
		t.Errorf("entry as %q", e.Nick)
	}
	third := connect(t, addr, "Ann-2") // free again
	if third.welcome.Nick != "Ann-2" {
		t.Errorf("nick %q", third.welcome.Nick)
	}
}

func TestBadRequestsLeaveTheRestAlone(t *testing.T) {
	_, addr := start(t)
	ann := connect(t, addr, "ann")
	ann.join("lobby", 0)
	id := protocol.NewID
	ann.fails(protocol.CodeTooLong, &protocol.Post{ID: id(), Room: "lobby", Text: strings.Repeat("x", 16<<10+1)})
	ann.fails(protocol.CodeTooLong, &protocol.Post{ID: id(), Room: "lobby", Text: strings.Repeat("\x1b", 16<<10)})
	ann.fails(protocol.CodeBadText, &protocol.Post{ID: id(), Room: "lobby", Text: " \n"})
	ann.fails(protocol.CodeBadID, &protocol.Post{ID: protocol.ID{1}, Room: "lobby", Text: "x"})
	ann.fails(protocol.CodeNotJoined, &protocol.Post{ID: id(), Room: "kitchen", Text: "x"})
	ann.fails(protocol.CodeBadRoom, &protocol.Join{Ref: 1, Room: "no room\n"})
	ann.fails(protocol.CodeNotFound, &protocol.Who{Ref: 1, Room: "nowhere"})
	ann.fails(protocol.CodeNotFound, &protocol.Post{ID: id(), Room: "lobby", Kind: protocol.KindDelete, Target: id()})
	ann.fails(protocol.CodeUnsupported, &protocol.Post{ID: id(), Room: "lobby", Kind: "topic", Text: "x"})
	ann.fails(protocol.CodeTooLong, &protocol.Topic{Ref: 1, Room: "lobby", Topic: strings.Repeat("x", 513)})
	bob := connect(t, addr, "bob")
	bob.join("lobby", 0)
	mine := ann.say("lobby", "mine")
	bob.hears("mine")
	bob.fails(protocol.CodeForbidden, &protocol.Post{ID: id(), Room: "lobby", Kind: protocol.KindEdit, Target: mine.ID, Text: "not mine"})
	if e := ann.say("lobby", strings.Repeat("y", 16<<10)); e.Seq != 2 {
		t.Errorf("of what was refused something stayed: seq %d", e.Seq)
	}
}

func TestLimits(t *testing.T) {
	_, addr := start(t, func(c *Config) {
		c.Limits = Limits{Rooms: 2, AllRooms: 2, PostRate: 50, PostBurst: 1}
	})
	ann := connect(t, addr, "ann")
	ann.join("lobby", 0)
	ann.join("kitchen", 0)
	ann.fails(protocol.CodeLimit, &protocol.Join{Ref: 1, Room: "garden"})
	bob := connect(t, addr, "bob")
	bob.fails(protocol.CodeLimit, &protocol.Join{Ref: 1, Room: "garden"})
	bob.join("kitchen", 0)
	begin := time.Now()
	for range 6 {
		ann.send(&protocol.Post{ID: protocol.NewID(), Room: "lobby", Text: "x"})
	}
	if s := any1[*protocol.Slow](ann); s.For == 0 || s.Why != "rate" {
		t.Errorf("%+v", s)
	}
	await(ann, func(a *protocol.Ack) bool { return a.Seq == 6 })
	if took := time.Since(begin); took < 90*time.Millisecond {
		t.Errorf("six posts at 50 a second took %v", took)
	}
}

func TestShutdownSaysByeAndLosesNothing(t *testing.T) {
	s, addr := start(t)
	var wg sync.WaitGroup
	for range 5 {
		p := connect(t, addr, "p")
		p.join("lobby", 0)
		wg.Go(func() {
			posted := p.Write(&protocol.Post{ID: protocol.NewID(), Room: "lobby", Text: "x"})
			if posted != nil {
				t.Error(posted)
			}
			await(p, func(*protocol.Ack) bool { return true })
			if b := any1[*protocol.Bye](p); b.Code != protocol.CodeShuttingDown || b.RetryAfter != 3000 {
				t.Errorf("%+v", b)
			}
		})
	}
	silent, err := net.Dial("tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	defer silent.Close()
	waitFor(t, func() bool { info, _ := s.log.Room("lobby"); return info.Head == 5 })
	if err := s.Shutdown(t.Context(), 3*time.Second); err != nil {
		t.Errorf("Shutdown = %v", err)
	}
	wg.Wait()
}

// waitFor waits for a condition that another goroutine brings about.
func waitFor(t testing.TB, cond func() bool) {
	t.Helper()
	deadline := time.After(10 * time.Second)
	for tick := time.NewTicker(time.Millisecond); !cond(); {
		select {
		case <-tick.C:
		case <-deadline:
			t.Fatal("it has not come true in ten seconds")
		}
	}
}

func TestSearch(t *testing.T) {
	store, err := roomlog.OpenSQLite(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	_, addr := start(t, func(c *Config) {
		c.Log.Close()
		c.Log = roomlog.Local(store)
	})
	ann := connect(t, addr, "ann")
	ann.join("lobby", 0)
	ann.join("kitchen", 0)
	var acks []*protocol.Ack
	for _, text := range []string{"pizza one", "nothing", "pizza two", "pizza three"} {
		acks = append(acks, ann.say("lobby", text))
	}
	ann.say("kitchen", "pizza here too")
	search := func(m protocol.Search) (texts []string, more bool) {
		t.Helper()
		ann.send(&m)
		found := any1[*protocol.Found](ann)
		for _, e := range found.Entries {
			texts = append(texts, e.Text)
		}
		return texts, found.More
	}
	for _, tt := range []struct {
		m    protocol.Search
		want []string
		more bool
	}{
		{protocol.Search{Ref: 1, Query: "pizza"}, []string{"pizza here too", "pizza three", "pizza two", "pizza one"}, false},
		{protocol.Search{Ref: 2, Query: "pizza", Room: "lobby", Limit: 2}, []string{"pizza three", "pizza two"}, true},
		{protocol.Search{Ref: 3, Query: "pizza", Room: "lobby", Before: uint64(acks[2].At)}, []string{"pizza one"}, false},
		{protocol.Search{Ref: 4, Query: "pizza in:lobby", After: uint64(acks[2].At)}, []string{"pizza three"}, false},
		{protocol.Search{Ref: 5, Query: "pizza", From: "nobody"}, nil, false},
	} {
		if got, more := search(tt.m); !slices.Equal(got, tt.want) || more != tt.more {
			t.Errorf("%+v: %q, more %v; want %q, %v", tt.m, got, more, tt.want, tt.more)
		}
	}
	ann.fails(protocol.CodeBadText, &protocol.Search{Ref: 6, Query: `"`})
	ann.fails(protocol.CodeTooLong, &protocol.Search{Ref: 7, Query: strings.Repeat("x", 2000)})
	ann.fails(protocol.CodeBadRoom, &protocol.Search{Ref: 8, Query: "x in:a:b"})
}

// Who joins quietly posts and is answered, is seen, and is sent nothing of the room.
func TestQuietJoin(t *testing.T) {
	_, addr := start(t)
	ann, pipe := connect(t, addr, "ann"), connect(t, addr, "pipe")
	ann.join("lobby", 0)
	ann.say("lobby", "before")
	pipe.send(&protocol.Join{Ref: 7, Room: "lobby", Quiet: true})
	if j := any1[*protocol.Joined](pipe); j.Head != 1 || j.Count != 2 {
		t.Errorf("joined: %+v", j)
	}
	await(ann, func(p *protocol.Presence) bool {
		return slices.ContainsFunc(p.Joined, func(m protocol.Member) bool { return m.Nick == "pipe" })
	})
	id := protocol.NewID()
	pipe.send(&protocol.Post{ID: id, Room: "lobby", Text: "one line of many"})
	ann.hears("one line of many")
	ann.say("lobby", "thank you")
	pipe.send(&protocol.Ping{N: 5})
	for acked := false; ; {
		m, err := pipe.Read()
		if err != nil {
			t.Fatal(err)
		}
		if a, ok := m.(*protocol.Ack); ok && a.ID == id {
			acked = true
			continue
		}
		if p, ok := m.(*protocol.Pong); !ok || p.N != 5 || !acked {
			t.Errorf("it is sent %+v, acknowledged: %v", m, acked)
		}
		break
	}
	pipe.send(&protocol.History{Ref: 8, Room: "lobby"}) // what it asks for it gets
	if p := any1[*protocol.Page](pipe); len(p.Entries) != 3 {
		t.Errorf("%d entries", len(p.Entries))
	}
	// It can change its mind, and leaves like everybody.
	if j := pipe.join("lobby", 0); j.Head != 3 {
		t.Errorf("joined: %+v", j)
	}
	pipe.hears("before")
	pipe.send(&protocol.Join{Ref: 9, Room: "lobby", Quiet: true}, &protocol.Leave{Ref: 10, Room: "lobby"})
	await(pipe, func(l *protocol.Left) bool { return l.Ref == 10 })
	await(ann, func(p *protocol.Presence) bool { return slices.Contains(p.Left, pipe.welcome.User) })
	ann.say("lobby", "goodbye")
}

package tui

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"lanchat/internal/client"
	"lanchat/internal/safetext"
	"lanchat/protocol"

	"github.com/gdamore/tcell/v2"
	"github.com/rivo/tview"
	"github.com/rivo/uniseg"
)

// still is an engine that takes everything and does nothing.
type still struct {
	events chan client.Event
	asked  []protocol.Message
	posted []protocol.Post
	kept   []client.Event
}

func (s *still) Events() <-chan client.Event { return s.events }
func (s *still) Waiting() int                { return 0 }
func (s *still) Join(string) error           { return nil }
func (s *still) Leave(string) error          { return nil }
func (s *still) Keep(ev client.Event)        { s.kept = append(s.kept, ev) }
func (s *still) Post(p protocol.Post) (client.Queued, error) {
	p.ID = protocol.NewID()
	s.posted = append(s.posted, p)
	return client.Queued{Post: p, At: time.Unix(1_800_000_000, 0)}, nil
}
func (s *still) Request(m protocol.Message) (uint32, error) {
	s.asked = append(s.asked, m)
	return 1, nil
}

// grid is a screen that complains of what a painter must not do.
type grid struct {
	testing.TB
	tcell.SimulationScreen
	w, h int
	lax  bool // measure: look at nothing, and leave out Show, which in a simulation is no terminal's
}

func newGrid(t testing.TB, w, h int) *grid {
	s := tcell.NewSimulationScreen("UTF-8")
	if err := s.Init(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.Fini)
	s.SetSize(w, h)
	return &grid{TB: t, SimulationScreen: s, w: w, h: h}
}

func (g *grid) Put(x, y int, s string, st tcell.Style) (string, int) {
	if g.lax {
		return g.SimulationScreen.Put(x, y, s, st)
	}
	if n := max(1, uniseg.StringWidth(s)); x < 0 || y < 0 || x+n > g.w || y >= g.h {
		g.Errorf("%q at %d,%d of a screen of %dx%d", s, x, y, g.w, g.h)
	}
	if safetext.Line(s) != s && strings.TrimLeft(s, " ") != "" {
		g.Errorf("%q leaves for the screen", s)
	}
	return g.SimulationScreen.Put(x, y, s, st)
}

func (g *grid) draw(u *chat) {
	g.Clear()
	u.theme.ground(g)
	u.draw(painter{s: g, th: u.theme, w: g.w, h: g.h})
	if !g.lax {
		g.Show()
	}
}

func (g *grid) resize(w, h int) {
	g.w, g.h = w, h
	g.SetSize(w, h)
}

func quiet() (*chat, *still) {
	e := &still{events: make(chan client.Event)}
	now := time.Unix(1_800_000_000, 0).UTC()
	u := newChat(Config{Engine: e, Room: "lobby", Now: func() time.Time { return now }})
	u.leave = func() {}
	return u, e
}

func person(n int) protocol.Member {
	return protocol.Member{User: protocol.UserID{byte(n), 7: byte(n >> 3), 15: 1}, Nick: fmt.Sprintf("%s%d", []string{"ann", "bartholomäus-der-große", "你好", "c"}[n%4], n), Guest: n%3 == 0}
}

func joinedMessage(room string, people int) *protocol.Joined {
	j := &protocol.Joined{Ref: 1, Room: room, Count: uint32(people), Topic: "a topic that is rather long, 你好 [red]"}
	for i := range min(people, 100) {
		j.Members = append(j.Members, person(i))
	}
	return j
}

func joined(u *chat, room string, people int) {
	u.apply([]client.Event{client.Received{Message: joinedMessage(room, people)}})
}

func up(u *chat) {
	u.apply([]client.Event{client.WentUp{Server: client.Server{Name: "Hack Night", Encrypted: true, KeyWords: "a b c"}, Me: person(1)}})
}

func entry(room string, seq uint64, text string) *protocol.Entry {
	p := person(int(seq) % 50)
	return &protocol.Entry{Room: room, Seq: seq, ID: protocol.NewID(), User: p.User, Nick: p.Nick, Guest: p.Guest,
		At: 1_700_000_000_000_000_000 + int64(seq)*7_000_000_000_000, Text: text}
}

var talk = []string{"hello", "a longer line of words that has to be wrapped sooner or later, in most sizes",
	"你好世界，这是一个很长的句子没有空格", "👩‍👩‍👧 🇩🇪🇫🇷 👍🏽", "one\ntwo\n\n\tfour", strings.Repeat("x", 300), "\u0301", "", "e\u0301\u0302", "\x1b[31m$<2000>[red]", "ann1 look", strings.Repeat("many\n", 12), "```\ncode", ":ta",
	"see\n```go\nif x {\n\ty = `1`\n}\n```\n`code`\u0301 https://example.org/" + strings.Repeat("你", 90), "```\n\n```", "1️⃣ ```\n" + strings.Repeat("⸻1️⃣", 40) + "```"}

// TestAnySizeAndAnyKey draws at sizes from 0x0 to 200x60 while all manner of
// things happen, in no particular order.
func TestAnySizeAndAnyKey(t *testing.T) {
	g := newGrid(t, 80, 24)
	r := rand.New(rand.NewPCG(1, 2))
	u, _ := quiet()
	g.draw(u)
	up(u)
	g.draw(u)
	rooms := []string{"lobby", "kitchen", protocol.DirectRoom(person(1).User, person(2).User)}
	for i, room := range rooms {
		joined(u, room, 1+i*150)
	}
	seq := map[string]uint64{}
	keys := []tcell.Key{tcell.KeyUp, tcell.KeyDown, tcell.KeyLeft, tcell.KeyRight, tcell.KeyHome, tcell.KeyEnd, tcell.KeyPgUp,
		tcell.KeyPgDn, tcell.KeyEnter, tcell.KeyTab, tcell.KeyBackspace, tcell.KeyDelete, tcell.KeyEscape, tcell.KeyF1, tcell.KeyCtrlN, tcell.KeyCtrlT,
		tcell.KeyCtrlU, tcell.KeyCtrlW, tcell.KeyCtrlK, tcell.KeyCtrlR, tcell.KeyCtrlC, tcell.KeyCtrlL, tcell.KeyPgUp,
		tcell.KeyCtrlP, tcell.KeyCtrlS, tcell.KeyCtrlY, tcell.KeyCtrlZ, tcell.KeyCtrlUnderscore, tcell.KeyCtrlA, tcell.KeyCtrlE, tcell.KeyBacktab, tcell.KeyUp, tcell.KeyCtrlR,
		tcell.KeyCtrlX, tcell.KeyF6, tcell.KeyCtrlX, tcell.KeyCtrlF, tcell.KeyF7, tcell.KeyF8}
	one := []rune("abcCrd+onpmM /@#:`ec你👩\u200d👧\u0301\U0001f1e9\U0001f1ea\u202e1")
	for range 1500 {
		room := rooms[r.IntN(len(rooms))]
		switch r.IntN(12) {
		case 0:
			g.resize(r.IntN(201), r.IntN(61))
		case 1:
			g.resize(r.IntN(80), r.IntN(24))
		case 2:
			g.resize(r.IntN(12), r.IntN(6))
		case 3, 4, 5:
			seq[room]++
			e := entry(room, seq[room], safetext.Text(talk[r.IntN(len(talk))]))
			e.Kind = []protocol.Kind{"", "", "", protocol.KindAction, protocol.KindTopic, protocol.KindDelete, "new"}[r.IntN(7)]
			u.apply([]client.Event{client.Received{Message: e}})
		case 6, 7:
			u.key(tcell.NewEventKey(keys[r.IntN(len(keys))], 0, tcell.ModMask(r.IntN(8))))
		case 8, 9:
			u.key(tcell.NewEventKey(tcell.KeyRune, one[r.IntN(len(one))], tcell.ModMask(r.IntN(8)&4)))
		case 10:
			u.paste(talk[r.IntN(len(talk))])
		case 11:
			u.mouse([]tview.MouseAction{tview.MouseScrollUp, tview.MouseScrollDown, tview.MouseLeftDown}[r.IntN(3)], r.IntN(80), r.IntN(24))
			for _, it := range u.st.Rooms[0].Pending {
				if r.IntN(4) == 0 {
					u.apply([]client.Event{client.Refused{ID: it.Entry.ID, Text: "no"}})
				}
			}
			u.tick()
			if r.IntN(20) == 0 {
				phases := []client.Event{client.WentDown{Err: errors.New("lost\nx"), RetryAt: u.now().Add(time.Second)}, client.Retrying{}, client.GaveUp{Err: errors.New("no")}}
				u.apply(phases[r.IntN(3):][:1])
				g.draw(u)
				up(u)
			}
		}
		g.draw(u)
	}
	for w := range 45 {
		for h := range 14 {
			g.resize(w, h)
			g.draw(u)
		}
	}
}

// TestTheListStays holds the list to its place, whatever happens around it.
func TestTheListStays(t *testing.T) {
	g := newGrid(t, 80, 24)
	u, e := quiet()
	up(u)
	joined(u, "lobby", 3)
	u.room().Head = 700
	u.apply([]client.Event{client.Received{Message: &protocol.Skipped{Room: "lobby", From: 1, To: 500}}})
	for seq := uint64(501); seq <= 700; seq++ {
		u.apply([]client.Event{client.Received{Message: entry("lobby", seq, fmt.Sprintf("%d. %s", seq, talk[seq%7]))}})
	}
	e.asked = nil
	g.draw(u)
	u.key(tcell.NewEventKey(tcell.KeyHome, 0, 0))
	g.draw(u)
	u.settle()
	if len(e.asked) != 1 {
		t.Fatalf("asked %v", e.asked)
	}
	if h, ok := e.asked[0].(*protocol.History); !ok || h.Before != 501 || h.Limit != pageSize {
		t.Fatalf("asked %+v", e.asked[0])
	}
	u.settle()
	if len(e.asked) != 1 {
		t.Error("asked twice")
	}
	l := u.list()
	page := &protocol.Page{Ref: 1, Room: "lobby", More: true}
	for seq := uint64(301); seq <= 500; seq++ {
		page.Entries = append(page.Entries, *entry("lobby", seq, "older"))
	}
	u.apply([]client.Event{client.Received{Message: page}})
	g.draw(u)
	u.tick()
	if histories := slices.DeleteFunc(e.asked, func(m protocol.Message) bool { return protocol.Name(m) != "history" }); len(histories) != 1 {
		t.Errorf("asked %d times for one page", len(histories))
	}
	if got := u.room().At(l.first).Entry.Seq; got != 501 {
		t.Errorf("after an older page the first line is %d", got)
	}
	for range 10 {
		u.key(tcell.NewEventKey(tcell.KeyPgDn, 0, 0))
		g.draw(u)
	}
	first := u.room().At(l.first).Entry.Seq
	for _, w := range []int{40, 120, 61, 20, 80} {
		g.resize(w, 24)
		g.draw(u)
		if got := u.room().At(l.first).Entry.Seq; got != first {
			t.Errorf("at width %d the first line is %d, not %d", w, got, first)
		}
	}
	u.apply([]client.Event{client.Received{Message: entry("lobby", 702, "new")}})
	g.draw(u)
	if got := u.room().At(l.first).Entry.Seq; got != first {
		t.Errorf("after a new line the first is %d, not %d", got, first)
	}
	if n, _, _ := l.news(u.room()); n != 1 {
		t.Errorf("after a new line %d are new", n)
	}
	for range 100 {
		u.key(tcell.NewEventKey(tcell.KeyPgDn, 0, 0))
	}
	g.draw(u)
	if !l.atEnd() {
		t.Error("paging down does not reach the end")
	}
}

func TestPanicLeavesTheTerminalAsItWas(t *testing.T) {
	s := newShot(80, 24)
	finished := make(chan struct{})
	stage, err := newStage(&finiScreen{Screen: s, finished: finished})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	panicked := make(chan any, 1)
	fed := make(chan struct{})
	go func() {
		defer func() { panicked <- recover() }()
		_ = stage.run(ctx, &panicky{}, func(ctx context.Context, _ func(bool, func())) {
			defer close(fed)
			<-ctx.Done()
		})
	}()
	s.see(t, "?")
	s.keys("x")
	<-finished
	if p := <-panicked; p != "oh" {
		t.Errorf("panic %v", p)
	}
	cancel()
	<-fed
}

// panicky shows a question mark and bears no key.
type panicky struct{ asker }

func (*panicky) draw(p painter)      { p.text(0, 0, "?", plain) }
func (*panicky) key(*tcell.EventKey) { panic("oh") }

type finiScreen struct {
	tcell.Screen
	finished chan struct{}
}

func (s *finiScreen) Fini() {
	s.Screen.Fini()
	select {
	case <-s.finished:
	default:
		close(s.finished)
	}
}

func big(b *testing.B, n int) (*chat, *grid) {
	u, _ := quiet()
	up(u)
	joined(u, "lobby", 50)
	for i := range n {
		u.st.Apply(client.Received{Message: entry("lobby", uint64(i+1), talk[i%2])})
	}
	g := newGrid(b, 80, 24)
	g.lax = true
	g.draw(u)
	return u, g
}

func BenchmarkAppendAndDraw(b *testing.B) {
	u, g := big(b, 100_000)
	seq := uint64(100_000)
	for b.Loop() {
		seq++
		u.apply([]client.Event{client.Received{Message: entry("lobby", seq, talk[seq%2])}})
		g.draw(u)
	}
}

func BenchmarkResize(b *testing.B) {
	u, g := big(b, 100_000)
	w := 80
	for b.Loop() {
		w = 200 - w
		g.resize(w, 50)
		g.draw(u)
	}
}

func BenchmarkScrolledBackResize(b *testing.B) {
	u, g := big(b, 100_000)
	u.list().home(u.room())
	u.list().scroll(u.room(), 100_000)
	w := 80
	for b.Loop() {
		w = 200 - w
		g.resize(w, 50)
		g.draw(u)
	}
}

func BenchmarkKey(b *testing.B) {
	u, g := big(b, 100_000)
	for b.Loop() {
		if u.key(tcell.NewEventKey(tcell.KeyRune, 'x', 0)); len(u.input().text) > 60 {
			u.input().set("")
		}
		g.draw(u)
	}
}

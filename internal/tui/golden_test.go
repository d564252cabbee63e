package tui

import (
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"lanchat/internal/client"
	"lanchat/protocol"

	"github.com/gdamore/tcell/v2"
)

var update = flag.Bool("update", false, "write testdata/golden anew")

// The screens of the main states at four sizes, as text. A change shows in the
// diff, where somebody looks at it; -update writes them anew.
func TestGolden(t *testing.T) {
	states := []struct {
		name string
		show func(u *chat)
	}{
		{"talk", func(u *chat) {}},
		{"history", func(u *chat) {
			u.scroll(func(l *msgList) { l.home(u.room()) })
			u.scroll(func(l *msgList) { l.scroll(u.room(), 3) })
			u.apply(said(60, bob, "said while one reads further up, ann"))
		}},
		{"help", func(u *chat) { u.key(tcell.NewEventKey(tcell.KeyF1, 0, 0)) }},
		{"palette", func(u *chat) {
			u.key(tcell.NewEventKey(tcell.KeyCtrlK, 0, 0))
			u.apply([]client.Event{client.Received{Message: &protocol.Rooms{Ref: 1, Rooms: []protocol.RoomInfo{
				{Room: "bikes", Topic: "who rides on Sunday?", Count: 3}, {Room: "lobby", Count: 4}}}}})
		}},
		{"search", func(u *chat) {
			u.openSearch("pizza from:bob")
			u.apply([]client.Event{client.Received{Message: foundPizza()}})
			u.key(tcell.NewEventKey(tcell.KeyDown, 0, 0))
		}},
		{"reconnecting", func(u *chat) {
			u.apply([]client.Event{client.WentDown{Err: fmt.Errorf("read tcp 192.168.1.7: connection reset by peer"), RetryAt: u.now().Add(3 * time.Second)}})
		}},
		{"report", func(u *chat) {
			u.apply([]client.Event{client.Received{Message: &protocol.Notice{About: protocol.NoticeLimits,
				Text: "limits reached 1,240 times in 10 s, most by 10.0.0.7: posts, joins"}}})
		}},
		{"hostile", func(u *chat) {
			u.apply(said(60, eve, "\x1b[2J\x1b]52;c;YQ==\x07 $<2000> [red]no[-] [:::http://x]y[:::-]\r08:00 ann  forged\u2028forged\u202e too"))
			u.apply(said(61, eve, strings.Repeat("Z͑ͫ̓ͪ̂ͫ", 4)+" ㅤ⠀pay\u200bpal 👨\u200d👩\u200d👧 "+strings.Repeat("wide你", 20)))
		}},
	}
	for _, size := range []struct{ w, h int }{{120, 40}, {80, 24}, {40, 12}, {20, 6}} {
		for _, state := range states {
			t.Run(fmt.Sprintf("%s-%dx%d", state.name, size.w, size.h), func(t *testing.T) {
				g := newGrid(t, size.w, size.h)
				u, _ := quiet()
				u.apply(evening())
				g.draw(u) // some states depend on what is on the screen
				state.show(u)
				g.draw(u)
				g.compare(t)
			})
		}
		t.Run(fmt.Sprintf("picker-%dx%d", size.w, size.h), func(t *testing.T) {
			g := newGrid(t, size.w, size.h)
			p := newPicker(PickConfig{Host: "ann's laptop", CheckAddress: func(string) error { return nil }})
			p.show([]Server{
				{Name: "Hack Night", Addr: "192.168.1.5:25252", KeyWords: "omelet gulf banjo salmon origami jasmine", People: 12, Known: true},
				{Name: "Hack Night", Addr: "192.168.1.66:25252", KeyWords: "velvet amber tunnel ginger saddle rhino", People: 1},
				{Name: "build\x1b[31m room 你好", Addr: "10.0.0.2:40123", KeyWords: "tulip ember panda mosaic lagoon quartz", People: 340},
			})
			p.draw(painter{s: g, th: terminalTheme, w: size.w, h: size.h})
			g.Show()
			g.compare(t)
		})
	}
}

// compare holds the screen against the file of the test's name.
func (g *grid) compare(t *testing.T) {
	t.Helper()
	var out strings.Builder
	for y := range g.h {
		var row strings.Builder
		for x := 0; x < g.w; {
			s, _, n := g.Get(x, y)
			row.WriteString(s)
			x += max(1, n)
		}
		out.WriteString(strings.TrimRight(row.String(), " ") + "\n")
	}
	if x, y, visible := g.GetCursor(); visible {
		fmt.Fprintf(&out, "cursor %d,%d\n", x, y)
	}
	_, name, _ := strings.Cut(t.Name(), "/")
	file := filepath.Join("testdata", "golden", name+".txt")
	if *update {
		if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(file, []byte(out.String()), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if got := out.String(); got != string(want) {
		t.Errorf("the screen is not that of %s; if that is meant, run with -update and look at the diff:\n%s", file, got)
	}
}

// The people of the golden evening.
var (
	ann  = protocol.Member{User: protocol.UserID{1}, Nick: "ann"}
	bob  = protocol.Member{User: protocol.UserID{2}, Nick: "bob"}
	cem  = protocol.Member{User: protocol.UserID{3}, Nick: "cem", Guest: true}
	dora = protocol.Member{User: protocol.UserID{4}, Nick: "dóra"}
	eve  = protocol.Member{User: protocol.UserID{5}, Nick: "eve"}
	ci   = protocol.Member{User: protocol.UserID{6}, Nick: "ci", Bot: true}
)

// said is an entry of the lobby, seq minutes into the evening.
func said(seq uint64, who protocol.Member, text string) []client.Event {
	return about(protocol.Entry{Seq: seq, Text: text}, who)
}

func about(e protocol.Entry, who protocol.Member) []client.Event {
	e.Room, e.User, e.Nick, e.Guest, e.Bot = protocol.DefaultRoom, who.User, who.Nick, who.Guest, who.Bot
	e.ID = protocol.ID{15: byte(e.Seq), 14: 1}
	e.At = 1_799_996_400_000_000_000 + int64(e.Seq)*60_000_000_000
	return []client.Event{client.Received{Message: &e}}
}

// evening is a talk that has everything in it.
func evening() []client.Event {
	lobby := &protocol.Joined{Ref: 1, Room: "lobby", Topic: "Hack Night · pizza at 20:00", Head: 30, Count: 6,
		Members: []protocol.Member{ann, bob, cem, dora, eve, ci}}
	events := []client.Event{
		client.WentUp{Me: ann, Limits: protocol.Limits{Text: 16384}, Server: client.Server{Name: "Hack Night", Addr: "192.168.1.5:25252",
			KeyWords: "omelet gulf banjo salmon origami jasmine", Encrypted: true}},
		client.Received{Message: lobby},
		client.Received{Message: &protocol.Joined{Ref: 2, Room: "build", Count: 2, Members: []protocol.Member{ann, ci}}},
		client.Received{Message: &protocol.Joined{Ref: 3, Room: protocol.DirectRoom(ann.User, dora.User), Count: 2, Members: []protocol.Member{ann, dora}}},
		client.RoundTrip{Took: 412 * time.Microsecond},
	}
	add := func(more []client.Event) { events = append(events, more...) }
	for i, line := range strings.Split(strings.TrimSpace(evenings), "\n") {
		add(said(uint64(i+1), []protocol.Member{bob, dora, cem, ann}[i%4], line))
	}
	add(said(30, bob, "ann, which port was it again?"))
	id := func(seq uint64) protocol.ID { return protocol.ID{15: byte(seq), 14: 1} }
	add(about(protocol.Entry{Seq: 31, Text: "25252, on UDP and on TCP", Target: id(30), TargetSeq: 30}, ann))
	add(about(protocol.Entry{Seq: 32, Kind: protocol.KindReaction, Text: "👍", Target: id(31), TargetSeq: 31,
		Reactions: []protocol.Reaction{{Text: "👍", Count: 2, By: []protocol.UserID{bob.User, dora.User}}}}, dora))
	add(about(protocol.Entry{Seq: 33, Kind: protocol.KindReaction, Text: "🎉", Target: id(31), TargetSeq: 31,
		Reactions: []protocol.Reaction{{Text: "🎉", Count: 1, By: []protocol.UserID{ann.User}}}}, ann))
	add(said(34, dora, "this did it:\n```\nfor i := range n {\n    fmt.Println(i)\n}\n```\nsee https://go.dev/ref/spec"))
	add(said(35, cem, "I'l be late"))
	add(about(protocol.Entry{Seq: 36, Kind: protocol.KindEdit, Text: "I'll be late", Target: id(35), TargetSeq: 35}, cem))
	add(said(37, eve, "something that she took back"))
	add(about(protocol.Entry{Seq: 38, Kind: protocol.KindDelete, Target: id(37), TargetSeq: 37}, eve))
	add(about(protocol.Entry{Seq: 39, Kind: protocol.KindAction, Text: "orders the pizza"}, bob))
	add([]client.Event{client.Received{Message: &protocol.Entry{Room: "build", Seq: 1, ID: protocol.ID{1}, User: ci.User, Nick: ci.Nick, Bot: true, Text: "ann: main is green", At: 1_799_999_000_000_000_000}}})
	add([]client.Event{client.Queued{Post: protocol.Post{ID: protocol.ID{9}, Room: "lobby", Text: "on my way"}, At: time.Unix(1_799_999_940, 0)}})
	return events
}

const evenings = `
evening! who is here?
me, and I brought the switch with the eight ports
hello from netcat
then we can wire the corner by the window too, the Wi-Fi there isolates its clients and nobody finds anybody
I have two cables of ten metres
who can look at the beacon with me? It is found on eth0 and not on the bridge
the bridge has no address, I think
ip addr show br0
你好！今天我们用局域网聊天
مرحبا بالجميع
שלום לכולם
flags 🇩🇪 🇫🇷, keycaps 1️⃣ 2️⃣, a family 👨‍👩‍👧‍👦, a wave 👋🏽
combining: é ö ñ Å
`

// foundPizza is an answer of a server's to a search.
func foundPizza() *protocol.Found {
	f := &protocol.Found{Ref: 1, More: true}
	for i, text := range []string{"Pizza is at eight; who wants some?", "the pizza place called back", strings.Repeat("and then, as ever, ", 8) + "PIZZA for all\nof us"} {
		f.Entries = append(f.Entries, protocol.Entry{Room: []string{"lobby", "build", "kitchen"}[i], Seq: uint64(20 - i), User: bob.User, Nick: bob.Nick,
			At: 1_799_990_000_000_000_000 - int64(i)*86_400_000_000_000, Text: text})
	}
	return f
}

package tui

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"lanchat/internal/client"
	"lanchat/internal/roomlog"
	"lanchat/protocol"

	"github.com/gdamore/tcell/v2"
	"github.com/rivo/tview"
)

func TestFuzzy(t *testing.T) {
	names := []string{"lobby", "hack-night", "backnight", "kitchen", "next unread", "次の部屋", "Ünal", "nightly-builds"}
	for query, want := range map[string]string{
		"lob": "lobby", "hn": "hack-night", "night": "nightly-builds", "ktch": "kitchen", "nu": "next unread", "部屋": "次の部屋", "ün": "Ünal", "zzz": "",
		"lobby": "lobby", "back": "backnight",
	} {
		best, worth := "", -1
		for _, name := range names {
			if w := fuzzy(lettersOf(query), lettersOf(name)); w > worth {
				best, worth = name, w
			}
		}
		if best != want {
			t.Errorf("%q finds %q, not %q", query, best, want)
		}
	}
	if fuzzy(lettersOf("nb"), lettersOf("nightly-builds")) <= fuzzy(lettersOf("nb"), lettersOf("sunburn")) {
		t.Error("the beginnings of words count for nothing")
	}
	if fuzzy(lettersOf("lobby"), lettersOf("lobby")) <= fuzzy(lettersOf("lobby"), lettersOf("lobby-two")) {
		t.Error("a name that is all of the query is not the best")
	}
}

// names are the names that the palette shows, the best first.
func (p *palette) names() []string {
	var out []string
	for _, i := range p.shown {
		out = append(out, string(p.all[i].sign)+p.all[i].name)
	}
	return out
}

func typeIn(u *chat, text string) {
	for _, r := range text {
		u.key(tcell.NewEventKey(tcell.KeyRune, r, 0))
	}
}

func press(u *chat, key tcell.Key) { u.key(tcell.NewEventKey(key, 0, 0)) }

func alt(u *chat, r rune) { u.key(tcell.NewEventKey(tcell.KeyRune, r, tcell.ModAlt)) }

// screen is what the grid shows.
func (g *grid) screen() string {
	var rows []string
	for y := range g.h {
		var row strings.Builder
		for x := 0; x < g.w; {
			s, _, n := g.Get(x, y)
			row.WriteString(s)
			x += max(1, n)
		}
		rows = append(rows, strings.TrimRight(row.String(), " "))
	}
	return strings.Join(rows, "\n")
}

func TestPalette(t *testing.T) {
	g := newGrid(t, 80, 24)
	u, e := quiet()
	u.apply(evening())
	g.draw(u)
	typeIn(u, "half a line")
	press(u, tcell.KeyCtrlK)
	p := u.over.(*palette)
	if _, ok := e.asked[len(e.asked)-1].(*protocol.Rooms); !ok {
		t.Errorf("asked %v", e.asked)
	}
	// Pages are asked for as long as there are more, and the choice stays.
	press(u, tcell.KeyDown)
	u.apply([]client.Event{client.Received{Message: &protocol.Rooms{Ref: 1, More: true, Rooms: []protocol.RoomInfo{{Room: "bikes", Topic: "Sunday rides"}, {Room: "lobby"}}}}})
	if m, ok := e.asked[len(e.asked)-1].(*protocol.Rooms); !ok || m.After != "lobby" {
		t.Errorf("asked %+v", e.asked[len(e.asked)-1])
	}
	if p.at != 1 || slices.Index(p.names(), "#bikes") < 0 || strings.Count(fmt.Sprint(p.names()), "#lobby") != 1 {
		t.Errorf("at %d of %v", p.at, p.names())
	}
	for query, want := range map[string]string{"#b": "#build", "@d": "@dóra", "/h": "/help", "jo": "/join", ">help": ">help", "sunday": "#bikes", "cem": "@~cem"} {
		p.input.set(query)
		p.edited()
		if names := p.names(); len(names) == 0 || names[0] != want {
			t.Errorf("%q finds %v", query, names)
		}
		if strings.ContainsAny(query[:1], "#@/>") {
			for _, name := range p.names() {
				if name[0] != query[0] {
					t.Errorf("%q finds %s", query, name)
				}
			}
		}
	}
	// Letter by letter finds what the whole finds.
	p.input.set("")
	p.edited()
	for _, r := range "kit" {
		typeIn(u, string(r))
	}
	byLetter := p.names()
	p.query, p.shown = "", nil
	p.search()
	if !slices.Equal(byLetter, p.names()) {
		t.Errorf("typed it finds %v, at once %v", byLetter, p.names())
	}

	find := func(query string) {
		press(u, tcell.KeyCtrlK)
		if _, open := u.over.(*palette); !open {
			press(u, tcell.KeyCtrlK)
		}
		g.draw(u)
		typeIn(u, query)
		g.draw(u)
		press(u, tcell.KeyEnter)
		g.draw(u)
	}
	find("#build")
	if u.st.Active != "build" || u.over != nil {
		t.Errorf("in %s, over it %v", u.st.Active, u.over)
	}
	find("#lobby")
	if u.input().text != "half a line" {
		t.Errorf("the draft is %q", u.input().text)
	}
	find("@cem")
	if u.st.Active != "lobby" || !strings.Contains(g.screen(), "cem is a guest") {
		t.Errorf("a talk with a guest:\n%s", g.screen())
	}
	find("/topic")
	if u.input().text != "/topic " {
		t.Errorf("the input has %q", u.input().text)
	}
	u.input().set("half a line")
	find("/help")
	if u.input().text != "half a line" {
		t.Errorf("the input has %q", u.input().text)
	}
	u.over = nil
	find("@bob")
	if u.st.Active != protocol.DirectRoom(ann.User, bob.User) {
		t.Errorf("in %s", u.st.Active)
	}
	u.open("lobby")
	find(">rooms pane")
	if u.layout.rooms.w != 0 {
		t.Error("the action did not hide the rooms")
	}
	// The mouse chooses, and a late answer is not put into the talk.
	press(u, tcell.KeyCtrlK)
	p = u.over.(*palette)
	typeIn(u, "#build")
	g.draw(u)
	u.mouse(tview.MouseLeftDown, p.list.x+3, p.list.y)
	before := len(u.st.Room("build").Items)
	u.apply([]client.Event{client.Received{Message: &protocol.Rooms{Ref: 1}}})
	if u.st.Active != "build" || len(u.st.Room("build").Items) != before {
		t.Errorf("in %s with %d items, not %d", u.st.Active, len(u.st.Room("build").Items), before)
	}
}

func TestSearchPage(t *testing.T) {
	g := newGrid(t, 80, 24)
	u, e := quiet()
	u.apply(evening())
	g.draw(u)
	press(u, tcell.KeyCtrlF)
	typeIn(u, "pizza")
	press(u, tcell.KeyEnter)
	if m, ok := e.asked[len(e.asked)-1].(*protocol.Search); !ok || m.Query != "pizza" || m.Before != 0 {
		t.Fatalf("asked %+v", e.asked[len(e.asked)-1])
	}
	found := foundPizza()
	u.apply([]client.Event{client.Received{Message: found}})
	g.draw(u)
	row := strings.Split(g.screen(), "\n")[3]
	x := width(row[:strings.Index(row, "Pizza")])
	for i, bolds := range []bool{true, true, true, true, true, false} {
		_, st, _ := g.Get(x+i, 3)
		if _, _, attrs := st.Decompose(); attrs&tcell.AttrBold != 0 != bolds {
			t.Errorf("column %d of %q is bold: %v", i, row, !bolds)
		}
	}
	// At the end older ones are asked for, from the last on.
	for range 3 {
		press(u, tcell.KeyPgDn)
	}
	if m, ok := e.asked[len(e.asked)-1].(*protocol.Search); !ok || m.Before != uint64(found.Entries[2].At) {
		t.Errorf("asked %+v", e.asked[len(e.asked)-1])
	}
	older := &protocol.Found{Ref: 1, Entries: []protocol.Entry{{Room: "lobby", Seq: 2, Nick: "bob", Text: "older pizza", At: 1_799_000_000_000_000_000}}}
	u.apply([]client.Event{client.Received{Message: older}})
	if s := u.over.(*search); len(s.entries) != 4 || s.at != 2 {
		t.Errorf("%d entries, at %d", len(s.entries), s.at)
	}
	// It closes, and opens as it was.
	press(u, tcell.KeyEscape)
	press(u, tcell.KeyCtrlF)
	press(u, tcell.KeyDown)
	g.draw(u)
	if !strings.Contains(g.screen(), "Search: pizza") || !strings.Contains(g.screen(), "4 of 4") {
		t.Errorf("opened again:\n%s", g.screen())
	}
	press(u, tcell.KeyEnter)
	g.draw(u)
	if screen := g.screen(); u.st.Active != "lobby" || !strings.Contains(screen, "I brought the switch") || strings.Contains(screen, "Search:") {
		t.Errorf("after the jump:\n%s", screen)
	}
	u.over = nil
	// What the server refuses is said where one looks.
	u.openSearch(`"open`)
	u.apply([]client.Event{client.Received{Message: &protocol.Error{Ref: 1, Code: protocol.CodeBadText, Text: "a quotation mark is not closed"}}})
	g.draw(u)
	if !strings.Contains(g.screen(), "quotation mark is not closed") {
		t.Errorf("a refused search:\n%s", g.screen())
	}
	u.openSearch("more")
	u.apply([]client.Event{client.WentDown{Err: fmt.Errorf("gone")}})
	g.draw(u)
	if !strings.Contains(g.screen(), "connection was lost") {
		t.Errorf("without a connection:\n%s", g.screen())
	}
}

func TestWordsThatWereSought(t *testing.T) {
	for _, c := range []struct{ query, text, want string }{
		{"pizza", "Pizza, pizzas and a megapizza", "[Pizza], [pizza]s and a megapizza"},
		{`from:bob "two words" in:x`, "two Words; from bob", "[two] [Words]; from bob"},
		{"piz*", "a pizza", "a [piz]za"},
		{"你好", "我说你好世界", "我说[你好]世界"},
		{"É", "été", "[é]té"},
		{"", "nothing", "nothing"},
	} {
		out, last := "", 0
		for _, h := range hitsIn(c.text, soughtIn(c.query)) {
			out += c.text[last:h.from] + "[" + c.text[h.from:h.to] + "]"
			last = h.to
		}
		if out += c.text[last:]; out != c.want {
			t.Errorf("%q in %q: %q", c.query, c.text, out)
		}
	}
}

func TestSearchOverTheServer(t *testing.T) {
	store, err := roomlog.OpenSQLite(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	h := newHouseOn(t, store, false)
	ann := h.enter("ann", 80, 24)
	for i := range 400 {
		ann.say(fmt.Sprintf("line %d of many", i))
	}
	ann.see("line 399 of many")
	ann.press(tcell.KeyCtrlF, tcell.ModCtrl)
	ann.enter(`"open`)
	ann.see("quotation mark is not")
	ann.press(tcell.KeyCtrlU, tcell.ModCtrl)
	ann.enter("many")
	ann.see("1 of 50; Enter goes there")
	for range 12 {
		ann.press(tcell.KeyPgDn, 0)
	}
	ann.see("of 100;")
	ann.press(tcell.KeyCtrlU, tcell.ModCtrl)
	ann.enter("17 of many")
	ann.see("~ann")
	ann.see("1 of 1;")
	ann.press(tcell.KeyEnter, 0)
	ann.see("line 17 of many")
	ann.gone("Search:")
	ann.press(tcell.KeyCtrlK, tcell.ModCtrl)
	ann.enter("#nowhere")
	ann.see("Nothing here is called that")
	ann.press(tcell.KeyCtrlU, tcell.ModCtrl)
	ann.enter(">search")
	ann.see("Search: 17 of many")

	// A server without an index says so.
	mem := newHouse(t, false)
	bob := mem.enter("bob", 80, 24)
	bob.press(tcell.KeyCtrlF, tcell.ModCtrl)
	bob.enter("anything")
	bob.see("without an index")
}

func BenchmarkPaletteKey(b *testing.B) {
	u, _ := quiet()
	up(u)
	j := joinedMessage("lobby", 1)
	for i := range 5000 {
		j.Members = append(j.Members, protocol.Member{User: protocol.UserID{byte(i), byte(i >> 8), 1}, Nick: fmt.Sprintf("person-%d", i)})
	}
	u.apply([]client.Event{client.Received{Message: j}})
	u.openPalette("")
	p := u.over.(*palette)
	list := &protocol.Rooms{Ref: 1}
	for i := range 10_000 {
		list.Rooms = append(list.Rooms, protocol.RoomInfo{Room: fmt.Sprintf("room-%d", i), Topic: "what the people of this room talk about"})
	}
	p.answer(list)
	g := newGrid(b, 80, 24)
	g.lax = true
	n := 0
	for b.Loop() {
		if n++; n%8 == 0 {
			p.input.set("")
			p.edited()
		}
		u.key(tcell.NewEventKey(tcell.KeyRune, rune("room-42"[n%8%7]), 0))
		g.draw(u)
	}
}

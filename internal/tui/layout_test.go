package tui

import (
	"fmt"
	"strings"
	"testing"

	"lanchat/internal/client"
	"lanchat/protocol"

	"github.com/gdamore/tcell/v2"
	"github.com/rivo/tview"
)

func TestPanesHideAndMove(t *testing.T) {
	g := newGrid(t, 120, 24)
	u, _ := quiet()
	u.apply(evening())
	g.draw(u)
	if u.layout.rooms.w == 0 || u.layout.people.w == 0 {
		t.Fatal("no panes")
	}
	press(u, tcell.KeyF7)
	press(u, tcell.KeyF8)
	g.draw(u)
	if u.layout.rooms.w > 0 || u.layout.people.w > 0 || u.layout.talk.w != 120 {
		t.Errorf("hidden: rooms %d, people %d, talk %d", u.layout.rooms.w, u.layout.people.w, u.layout.talk.w)
	}
	if !strings.Contains(g.screen(), "3 rooms +1 »1") {
		t.Errorf("nothing says what is unread elsewhere:\n%s", g.screen())
	}
	press(u, tcell.KeyF7)
	g.draw(u)
	if u.layout.rooms.w == 0 {
		t.Error("the rooms do not come back")
	}
	// What is asked for is there at a width that has it not by itself, down to where
	// nothing could be read any more.
	press(u, tcell.KeyF8)
	g.resize(70, 24)
	g.draw(u)
	if u.layout.people.w == 0 {
		t.Error("at 70 columns the people that were asked for are missing")
	}
	for w := range 121 {
		g.resize(w, 24)
		g.draw(u)
		if (u.layout.rooms.w > 0 || u.layout.people.w > 0) && u.layout.talk.w < leastTalk-3 {
			t.Errorf("at %d columns the talk has %d", w, u.layout.talk.w)
		}
	}
	g.resize(30, 24)
	u, _ = quiet()
	u.apply(evening())
	g.draw(u)
	press(u, tcell.KeyF7)
	if u.flashed != "There is no room for it" {
		t.Errorf("at 30 columns F7 says %q", u.flashed)
	}
	g.resize(120, 24)

	// The mouse moves the borders, in bounds, and what it does not hold stays.
	g.draw(u)
	border, people := u.layout.rooms.w, u.layout.people.w
	if u.drag(50, 5) {
		t.Error("a border moves that nobody holds")
	}
	drag := func(from, to int) {
		u.mouse(tview.MouseLeftDown, from, 5)
		u.drag(to, 5)
		u.mouse(tview.MouseLeftUp, to, 5)
		u.drag(3, 5)
		g.draw(u)
	}
	drag(border, 40)
	if u.layout.rooms.w != 40 || u.layout.people.w != people {
		t.Errorf("dragged to 40: rooms %d, people %d", u.layout.rooms.w, u.layout.people.w)
	}
	drag(40, 1)
	if u.layout.rooms.w != leastPane {
		t.Errorf("dragged to 1: rooms %d", u.layout.rooms.w)
	}
	drag(u.layout.people.x-2, 80)
	if u.layout.people.w != 38 {
		t.Errorf("dragged to 80: people %d", u.layout.people.w)
	}
	drag(u.layout.rooms.w, 119)
	if u.layout.rooms.w < leastPane || u.layout.people.w < leastPane || u.layout.talk.w < leastTalk-3 {
		t.Errorf("dragged too far: %d, %d, %d", u.layout.rooms.w, u.layout.talk.w, u.layout.people.w)
	}
}

func TestClicks(t *testing.T) {
	g := newGrid(t, 120, 24)
	u, _ := quiet()
	u.apply(evening())
	g.draw(u)
	click := func(x, y int) {
		u.mouse(tview.MouseLeftDown, x, y)
		u.mouse(tview.MouseLeftUp, x, y)
		g.draw(u)
	}
	on := func(what string) (x, y int) {
		t.Helper()
		for y, row := range strings.Split(g.screen(), "\n") {
			if before, _, found := strings.Cut(row, what); found {
				return width(before), y
			}
		}
		t.Fatalf("%s is not on the screen:\n%s", what, g.screen())
		return
	}
	click(on("#build"))
	if u.st.Active != "build" {
		t.Errorf("in %s", u.st.Active)
	}
	click(on("#lobby"))
	x := u.layout.people.x
	row := func(nick string) int {
		for i, m := range u.people {
			if m.Nick == nick {
				return u.layout.people.y + 1 + i
			}
		}
		return 0
	}
	click(x, row("cem"))
	if !strings.Contains(u.flashed, "cem is a guest") || u.st.Active != "lobby" {
		t.Errorf("a click on a guest says %q", u.flashed)
	}
	click(x, row("bob"))
	if u.st.Active != protocol.DirectRoom(ann.User, bob.User) {
		t.Errorf("in %s", u.st.Active)
	}
	u.open("lobby")
	g.draw(u)
	click(x, u.layout.people.y)
	if p, open := u.over.(*palette); !open || p.names()[0][0] != signPerson {
		t.Error("the head of the people does not lead to all of them")
	}
	// Over the talk a room can be clicked on all the same.
	click(on("#build"))
	if u.st.Active != "build" || u.over != nil {
		t.Errorf("in %s", u.st.Active)
	}
	u.open("lobby")
	g.draw(u)
	press(u, tcell.KeyPgUp)
	press(u, tcell.KeyPgUp)
	g.draw(u)
	click(on("▼"))
	if !u.list().atEnd() {
		t.Error("a click on ▼ does not go to the end")
	}
}

// In a low terminal a layer has the screen, and the cursor is in its input.
func TestALayerInALowTerminal(t *testing.T) {
	for _, size := range []struct{ w, h int }{{80, 24}, {40, 12}, {20, 6}, {20, 3}, {30, 1}} {
		g := newGrid(t, size.w, size.h)
		u, _ := quiet()
		u.apply(evening())
		for _, key := range []tcell.Key{tcell.KeyCtrlK, tcell.KeyCtrlF} {
			u.over = nil
			press(u, key)
			typeIn(u, "ab")
			g.draw(u)
			screen := g.screen()
			if x, y, visible := g.GetCursor(); !visible || y > 1 || !strings.HasSuffix(strings.TrimSpace(strings.Split(screen, "\n")[y]), "ab") || x < 8 {
				t.Errorf("%v: the cursor is at %d,%d of\n%s", size, x, y, screen)
			}
		}
	}
}

func TestTheHeaderAndTheBarOfOnePane(t *testing.T) {
	g := newGrid(t, 40, 12)
	u, _ := quiet()
	u.apply(evening())
	u.apply([]client.Event{client.Received{Message: &protocol.Entry{Room: "build", Seq: 2, ID: protocol.NewID(), User: ci.User, Nick: "ci", Text: "a remark", At: 1}}})
	g.draw(u)
	if head, _, _ := strings.Cut(g.screen(), "\n"); !strings.Contains(head, "#lobby") || !strings.Contains(head, "3 rooms +2 »1") {
		t.Errorf("the header is %q", head)
	}
	g.resize(20, 6)
	g.draw(u)
	if !strings.Contains(g.screen(), "+2 »1") {
		t.Errorf("without a header:\n%s", g.screen())
	}
}

func TestTheStatusIsHonest(t *testing.T) {
	g := newGrid(t, 40, 12)
	u, _ := quiet()
	events := evening()
	up := events[0].(client.WentUp)
	up.Server.Encrypted = false
	events[0] = up
	u.apply(events)
	g.draw(u)
	if !strings.Contains(g.screen(), "online, 0.4 ms · NOT ENCRYPTED") {
		t.Errorf("not encrypted:\n%s", g.screen())
	}
	g.resize(100, 12)
	u.st.Room("build").Missed = 5
	u.st.Room("lobby").Missed = 7
	g.draw(u)
	if !strings.Contains(g.screen(), "12 missed") {
		t.Errorf("after a pause:\n%s", g.screen())
	}
}

func TestToWhatIsUnread(t *testing.T) {
	g := newGrid(t, 80, 24)
	u, _ := quiet()
	up(u)
	rooms := []string{"a", "b", "c", "d"}
	for _, room := range rooms {
		joined(u, room, 3)
	}
	u.open("a")
	g.draw(u)
	seq := map[string]uint64{}
	say := func(room, text string) uint64 {
		seq[room]++
		e := entry(room, seq[room], text)
		e.User, e.Nick = bob.User, bob.Nick
		u.apply([]client.Event{client.Received{Message: e}})
		return e.Seq
	}
	for _, room := range rooms { // read before
		say(room, "before")
		u.open(room)
		g.draw(u)
	}
	u.open("a")
	g.draw(u)
	me := u.st.Me.Nick
	for i := range 60 {
		text := fmt.Sprintf("line %d.", i)
		if i == 10 || i == 50 {
			text = me + ": mention " + fmt.Sprint(i)
		}
		say("c", text)
	}
	say("d", "hello")
	g.draw(u)
	go1 := func(r rune, room, text string) {
		t.Helper()
		alt(u, r)
		g.draw(u)
		u.tick()
		g.draw(u)
		if u.st.Active != room || !strings.Contains(g.screen(), text) {
			t.Errorf("Alt+%c leads to %s:\n%s", r, u.st.Active, g.screen())
		}
	}
	go1('p', "d", "hello")
	go1('n', "c", "line 0.") // at its unread line
	u.list().toEnd()
	g.draw(u)
	go1('n', "c", "line 0.")
	go1('n', "c", "Nothing else is unread")
	go1('m', "c", "mention 10")
	go1('m', "c", "mention 50")
	u.over = nil
	u.open("a")
	last := say("b", me+"! over here")
	say("a", me+": here too")
	g.draw(u)
	go1('m', "b", "over here")
	if u.mention != (place{"b", last}) {
		t.Errorf("at %+v", u.mention)
	}
	go1('m', "c", "mention 10")
	go1('M', "b", "over here")
	go1('M', "a", "here too")
	go1('M', "c", "mention 50")
	go1('M', "c", "mention 10")
	u.over = nil
	u.open("a")
	u.list().toEnd()
	g.draw(u)
	say("d", me+": urgent")
	go1('m', "d", "urgent")
	u, _ = quiet()
	joined(u, "a", 1)
	alt(u, 'm')
	if u.flashed != "No more mentions" {
		t.Errorf("with none: %q", u.flashed)
	}
}

// A border follows the mouse while its button is held; moves that change nothing
// draw nothing.
func TestDraggingABorder(t *testing.T) {
	e := &still{events: make(chan client.Event, 100)}
	s := newShot(120, 24)
	left := make(chan error, 1)
	go func() { left <- Run(t.Context(), Config{Engine: e, Screen: s, Room: "lobby"}) }()
	for _, ev := range evening() {
		e.events <- ev
	}
	s.see(t, "#build            »1│")
	s.InjectMouse(23, 5, tcell.Button1, 0)
	s.InjectMouse(30, 6, tcell.Button1, 0)
	s.see(t, "#build                   »1│")
	s.InjectMouse(30, 6, tcell.ButtonNone, 0)
	s.keys("x")
	s.see(t, "> x")
	shows := s.count()
	for i := range 500 {
		s.post(tcell.NewEventMouse(40+i%20, 5, tcell.ButtonNone, 0))
		s.post(tcell.NewEventMouse(40+i%20, 6, tcell.ButtonNone, 0))
	}
	s.keys("y")
	s.see(t, "> xy")
	if n := s.count() - shows; n > 20 {
		t.Errorf("1,000 moves without a button draw %d times", n)
	}
	s.see(t, "#build                   »1│")
	s.press(tcell.KeyCtrlQ, tcell.ModCtrl)
	if err := <-left; err != nil {
		t.Error(err)
	}
}

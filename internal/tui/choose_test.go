package tui

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"

	"lanchat/internal/client"
	"lanchat/protocol"

	"github.com/gdamore/tcell/v2"
	"github.com/rivo/tview"
)

func TestTheUnreadLine(t *testing.T) {
	g, u, _ := reading(t, 80, 24, 40)
	joined(u, "kitchen", 3)
	room := u.st.Room("kitchen")
	for seq := uint64(1); seq <= 60; seq++ {
		hear(u, entry("kitchen", seq, fmt.Sprintf("dish %d.", seq)))
	}
	room.Line, room.Missed = 55, 0
	u.open("kitchen")
	g.want(u, "── new ──", "dish 60.")
	if !u.list().atEnd() {
		t.Error("what is new fits the screen, and yet the list is not at its end")
	}
	screen := g.text()
	if line, first := strings.Index(screen, " new "), strings.Index(screen, "dish 56."); line < 0 || line > first || line < strings.Index(screen, "dish 55.") {
		t.Errorf("the line is not between what was read and what is new:\n%s", screen)
	}
	for seq := uint64(61); seq <= 200; seq++ {
		hear(u, entry("kitchen", seq, fmt.Sprintf("dish %d.", seq)))
	}
	u.open("lobby")
	g.draw(u)
	room.Line, room.Missed = 60, 100
	u.open("kitchen")
	screen = g.want(u, "── 100 missed, ", "dish 61.", "dish 60.")
	if row := strings.Count(screen[:strings.Index(screen, " missed")], "\n"); row > 5 {
		t.Errorf("the line is in row %d, and should be near the top:\n%s", row, screen)
	}
	if u.list().atEnd() {
		t.Error("the list is at its end")
	}
	// It holds still while lines come, and while one scrolls.
	first := u.list().at(room)
	hear(u, entry("kitchen", 201, "one more"))
	g.draw(u)
	if u.list().at(room) != first {
		t.Error("a new line has moved the list")
	}
	strike(u, tcell.KeyEnd)
	g.want(u, "one more")
	u.open("lobby")
	g.draw(u)
	u.lists["kitchen"].scroll(room, -90)
	room.Line, room.Missed = 60, 0
	was := u.lists["kitchen"].at(room)
	u.open("kitchen")
	g.draw(u)
	if got := u.list().at(room); got != was {
		t.Errorf("where one was reading is left for the unread line: %v, was %v", got, was)
	}
	room.Older, room.Line = true, 0
	room.Items = room.Items[10:]
	room.Line, room.Missed = 3, 5
	strike(u, tcell.KeyHome)
	if screen := g.want(u, "dish 11."); strings.Contains(screen, "─ 5 missed") {
		t.Errorf("there is a line where nobody knows what is before it:\n%s", screen)
	}
}

func TestNewsCountsWhatOthersSay(t *testing.T) {
	g, u, _ := reading(t, 90, 24, 60)
	strike(u, tcell.KeyPgUp)
	g.want(u, "▼ Esc: to the end")
	topic := entry("lobby", 61, "a topic")
	topic.Kind = protocol.KindTopic
	mine := entry("lobby", 62, "mine")
	mine.User = u.st.Me.User
	hear(u, topic)
	hear(u, mine)
	g.want(u, "▼ Esc: to the end")
	for seq := uint64(63); seq < 70; seq++ {
		text := "x"
		if seq == 65 {
			text = "hey " + u.st.Me.Nick
		}
		hear(u, entry("lobby", seq, text))
	}
	g.want(u, "▼ 7 new, 1 for you")
	strike(u, tcell.KeyEnd)
	strike(u, tcell.KeyPgUp)
	g.want(u, "▼ Esc: to the end")
}

func TestChoosingAnEntry(t *testing.T) {
	g, u, e := reading(t, 100, 24, 60)
	replace(u, 58, func(it *client.Item) { it.Entry.User, it.Mine = u.st.Me.User, true })
	strike(u, tcell.KeyCtrlX)
	screen := g.want(u, "▌", "Esc ends · r reply")
	chosenRow := func() string {
		for row := range strings.SplitSeq(g.text(), "\n") {
			if strings.Contains(row, "▌") {
				return row
			}
		}
		return ""
	}
	if !strings.Contains(chosenRow(), "line 60.") || !strings.Contains(screen, "line 50.") {
		t.Errorf("chosen: %q", chosenRow())
	}
	letters(u, "e")
	g.want(u, "Only ")
	strike(u, tcell.KeyUp)
	letters(u, "k")
	g.want(u, "d delete")
	letters(u, "d")
	if g.want(u, "d again deletes it"); len(e.posted) != 0 {
		t.Fatal("deleted at the first d")
	}
	strike(u, tcell.KeyEscape)
	letters(u, "d")
	letters(u, "j")
	letters(u, "k")
	letters(u, "d")
	if len(e.posted) != 0 {
		t.Fatal("a d somewhere else confirmed it")
	}
	letters(u, "d")
	if len(e.posted) != 1 || e.posted[0].Kind != protocol.KindDelete || e.posted[0].Target != u.room().Items[57].Entry.ID {
		t.Fatalf("posted %+v", e.posted)
	}
	g.want(u, "(being deleted)")
	strike(u, tcell.KeyUp)
	letters(u, "+")
	g.want(u, "1 👍", "0 👎")
	letters(u, "4")
	letters(u, ":🧀")
	strike(u, tcell.KeyBackspace)
	letters(u, "🍕")
	g.want(u, "React with 🍕")
	strike(u, tcell.KeyEnter)
	if len(e.posted) != 3 || e.posted[1].Text != "🎉" || e.posted[2].Text != "🍕" || e.posted[2].Kind != protocol.KindReaction {
		t.Fatalf("posted %+v", e.posted)
	}
	letters(u, "c")
	g.want(u, "Copied 1 line")
	if got := string(g.GetClipboardData()); got != "line 57." {
		t.Errorf("copied %q", got)
	}
	for range 100 {
		strike(u, tcell.KeyUp)
		if g.draw(u); chosenRow() == "" {
			t.Fatal("the chosen one is off the screen")
		}
	}
	if !strings.Contains(chosenRow(), "line 1.") {
		t.Errorf("chosen: %q", chosenRow())
	}
	strike(u, tcell.KeyPgDn, tcell.KeyPgDn)
	if g.draw(u); chosenRow() == "" || strings.Contains(chosenRow(), "line 1.") {
		t.Errorf("chosen: %q", chosenRow())
	}
	// A change of it, and lines that come, leave it chosen.
	c := u.over.(*choosing)
	seq := c.at.seq
	replace(u, seq, func(it *client.Item) { it.Entry.Text = "changed" })
	for n := uint64(61); n < 100; n++ {
		hear(u, entry("lobby", n, "more"))
	}
	if g.draw(u); !strings.Contains(chosenRow(), "changed") {
		t.Errorf("chosen: %q", chosenRow())
	}
	strike(u, tcell.KeyEnd)
	for n := uint64(100); n < 140; n++ {
		hear(u, entry("lobby", n, "more"))
		if g.draw(u); chosenRow() == "" {
			t.Fatal("lines that came have moved the chosen one off the screen")
		}
	}
	strike(u, tcell.KeyEscape)
	if g.draw(u); u.over != nil || chosenRow() != "" {
		t.Error("Esc does not end it")
	}
	l := u.layout
	u.mouse(tview.MouseLeftDown, l.talk.x+12, l.talk.y+5)
	if g.draw(u); !strings.Contains(strings.Split(g.text(), "\n")[l.talk.y+5], "▌") {
		t.Errorf("a click does not choose: %q", chosenRow())
	}
	for _, w := range []int{40, 25, 10} {
		g.resize(w, 12)
		g.want(u, "▌")
	}
}

func TestCopyIsBounded(t *testing.T) {
	g, u, _ := reading(t, 110, 24, 2)
	u.copy(strings.Repeat("ä\n", maxCopy))
	if got := g.GetClipboardData(); len(got) > maxCopy || !strings.HasPrefix(string(got), "ä\nä") {
		t.Errorf("%d bytes", len(got))
	}
	g.want(u, "Too long: copied the first 64 of 192 KiB")
	u.copy("a\x1b]52;c;x\x07\nb")
	if got := string(g.GetClipboardData()); got != "a␛]52;c;x␇\nb" {
		t.Errorf("copied %q", got)
	}
	hear(u, entry("lobby", 3, "x\n```sh\n\tls  -l\n  cd\n```\ny"))
	strike(u, tcell.KeyCtrlX)
	letters(u, "C")
	if got := string(g.GetClipboardData()); got != "\tls  -l\n  cd" {
		t.Errorf("copied %q", got)
	}
}

// mice counts who has the mouse.
type mice struct {
	*grid
	off bool
}

func (m *mice) DisableMouse()                   { m.off = true }
func (m *mice) EnableMouse(...tcell.MouseFlags) { m.off = false }

func TestCopyModeIsTheTalkAlone(t *testing.T) {
	g, u, _ := reading(t, 120, 24, 60)
	long := strings.Repeat("word ", 60)
	hear(u, entry("lobby", 62, long+"\n```\n  code\n```"))
	m := &mice{grid: g}
	draw := func() string {
		g.Clear()
		u.draw(painter{s: m, th: terminalTheme, w: g.w, h: g.h})
		return g.text()
	}
	draw()
	strike(u, tcell.KeyF6)
	screen := draw()
	if strings.ContainsAny(screen, "│─▸") || strings.Contains(screen, "Hack Night") || !m.off {
		t.Errorf("not the talk alone (mouse off: %v):\n%s", m.off, screen)
	}
	if !strings.Contains(screen, "\nword word") || !strings.Contains(screen, "\n  code\n") {
		t.Errorf("what follows on further rows does not begin at the left:\n%s", screen)
	}
	hear(u, entry("lobby", 63, "later"))
	if got := draw(); got != screen {
		t.Errorf("it does not stand still:\n%s", got)
	}
	strike(u, tcell.KeyPgUp)
	if got := draw(); got == screen {
		t.Error("it does not scroll")
	}
	strike(u, tcell.KeyHome)
	if got := draw(); !strings.Contains(got, "line 1.") {
		t.Errorf("Home: %s", got)
	}
	strike(u, tcell.KeyF6)
	if draw(); m.off || u.over != nil {
		t.Error("F6 does not end it, or the mouse is off still")
	}
	g.want(u, "later")
}

func TestJumpingToAnEntryLoadsItsHistory(t *testing.T) {
	g, u, e := reading(t, 90, 24, 0)
	u.room().Head = 2000
	hear(u, &protocol.Skipped{Room: "lobby", From: 1, To: 1900})
	for seq := uint64(1901); seq <= 2000; seq++ {
		hear(u, entry("lobby", seq, fmt.Sprintf("line %d.", seq)))
	}
	answer := entry("lobby", 2001, "so be it")
	answer.Target, answer.TargetSeq = protocol.NewID(), 700
	hear(u, answer)
	g.draw(u)
	e.asked = nil
	page := func() (asked bool) {
		if len(e.asked) == 0 {
			return false
		}
		h := e.asked[len(e.asked)-1].(*protocol.History)
		e.asked = nil
		p := &protocol.Page{Ref: 1, Room: "lobby", More: true}
		for seq := h.Before - uint64(min(h.Limit, uint32(h.Before-1))); seq < h.Before; seq++ {
			p.Entries = append(p.Entries, *entry("lobby", seq, fmt.Sprintf("line %d.", seq)))
		}
		hear(u, p)
		g.draw(u)
		return true
	}
	strike(u, tcell.KeyCtrlX, tcell.KeyEnter)
	g.want(u, "Loading … back to", "Esc cancels", "so be it")
	strike(u, tcell.KeyEscape)
	for page() {
	}
	if u.room().FirstSeq() < 1000 {
		t.Fatalf("after Esc it was loaded back to %d", u.room().FirstSeq())
	}
	strike(u, tcell.KeyEnter)
	for n := 0; page(); n++ {
		if n > 10 {
			t.Fatal("it does not end")
		}
	}
	screen := g.want(u, "▌", "line 700.", "line 697.")
	for row := range strings.SplitSeq(screen, "\n") {
		if strings.Contains(row, "▌") && !strings.Contains(row, "line 700.") {
			t.Errorf("chosen: %q", row)
		}
	}
	strike(u, tcell.KeyEscape)
	g.want(u, "so be it")
	if !u.list().atEnd() || u.over != nil {
		t.Error("Esc does not go back to the end")
	}
	// What is not there any more, and what lies further back than is held.
	u.jumpTo("lobby", 5000)
	g.want(u, "That message is not there any more")
	u.room().Older = false
	u.jumpTo("lobby", 3)
	g.want(u, "further back than")
	// Another room, which is not joined yet.
	u.jumpTo("kitchen", 7)
	if u.st.Active != "kitchen" || u.jump == nil {
		t.Fatalf("in %s", u.st.Active)
	}
	j := joinedMessage("kitchen", 2)
	j.Head = 9
	hear(u, j)
	for seq := uint64(1); seq <= 9; seq++ {
		hear(u, entry("kitchen", seq, fmt.Sprintf("dish %d.", seq)))
		g.draw(u)
	}
	u.tick()
	if g.want(u, "▌"); u.jump != nil || u.over.(*choosing).at.seq != 7 {
		t.Errorf("the jump has not arrived: %+v", u.jump)
	}
}

// TestTheListStaysWhateverChanges does at random what may happen to the entries
// around and above the first one that is seen; its place on the screen stays.
func TestTheListStaysWhateverChanges(t *testing.T) {
	r := rand.New(rand.NewPCG(3, 4))
	g, u, _ := reading(t, 80, 24, 0)
	u.room().Head = 400
	hear(u, &protocol.Skipped{Room: "lobby", From: 1, To: 300})
	seq := uint64(300)
	for seq < 400 {
		seq++
		hear(u, entry("lobby", seq, fmt.Sprintf("%d. %s", seq, talk[seq%7])))
	}
	g.draw(u)
	l, room := u.list(), u.room()
	l.scroll(room, -150)
	g.draw(u)
	// What is held is the item and the place in its text.
	place := func() (uint64, int) { return l.top.seq, l.topOff }
	for step := range 300 {
		if step%20 == 0 {
			l.scroll(room, r.IntN(60)-30)
			if !l.standing {
				l.scroll(room, -100)
			}
			g.draw(u)
		}
		at, off := place()
		row := l.find(room)
		what := ""
		i := r.IntN(len(room.Items))
		it := room.Items[i]
		switch r.IntN(6) {
		case 0:
			what = "a new line"
			seq++
			hear(u, entry("lobby", seq, "new"))
		case 1:
			what = "a reaction"
			replace(u, it.Entry.Seq, func(it *client.Item) {
				it.Entry.Reactions = []protocol.Reaction{{Text: "👍", Count: 1}, {Text: strings.Repeat("x", 30), Count: 2}}[:r.IntN(3)]
			})
		case 2:
			what = "an edit elsewhere"
			if it.Entry.Seq == at {
				continue
			}
			replace(u, it.Entry.Seq, func(it *client.Item) {
				it.Entry.Text, it.Entry.Gone = talk[r.IntN(7)], r.IntN(9) == 0
			})
		case 3:
			what = "the unread line"
			if room.Line = uint64(r.IntN(int(seq))); r.IntN(2) == 0 {
				room.Line = at - 1 // right above what is seen first
			}
		case 4:
			what = "an older page"
			page := &protocol.Page{Ref: 1, Room: "lobby", More: true}
			if first := room.FirstSeq(); first > 10 {
				for s := first - 10; s < first; s++ {
					page.Entries = append(page.Entries, *entry("lobby", s, talk[s%7]))
				}
			}
			hear(u, page)
		case 5:
			what = "somebody ignored"
			if it.Entry.Seq == at || len(room.Items) < 60 {
				continue
			}
			room.Items = append(room.Items[:i:i], room.Items[i+1:]...)
		}
		if off == lineOff && what == "the unread line" {
			g.draw(u)
			l.scroll(room, 1)
			continue // it is what one looked at
		}
		g.resize(80, 24)
		g.draw(u)
		if !l.standing {
			l.scroll(room, -100)
			g.draw(u)
			continue
		}
		if got, o := place(); got != at || o != off {
			t.Fatalf("step %d, %s: the list stands at %d/%d, not %d/%d", step, what, got, o, at, off)
		}
		first := l.itemAt(0)
		if off >= 0 && (first == nil || first.Entry.Seq != at) {
			t.Fatalf("step %d, %s: the first row is of %+v, not of %d (was %v, is %v)", step, what, first, at, row, l.find(room))
		}
		for _, r := range l.looks.of(room.At(l.find(room).i)) {
			if got := strings.Split(g.text(), "\n")[u.layout.talk.y]; r.off == off && !strings.Contains(got, r.text) {
				t.Fatalf("step %d, %s: the first row is %q, not %q", step, what, got, r.text)
			}
		}
		w := []int{40, 61, 120}[r.IntN(3)]
		g.resize(w, 24)
		g.draw(u)
		if got, o := place(); got != at || o != off {
			t.Fatalf("at width %d the list stands at %d/%d, not %d/%d", w, got, o, at, off)
		}
		g.resize(80, 24)
		g.draw(u)
	}
	// Somebody who is seen first is ignored: what is next stands there.
	at := l.find(room).i
	next := room.Items[at+1].Entry.Seq
	room.Items = append(room.Items[:at:at], room.Items[at+1:]...)
	g.draw(u)
	if got := room.At(l.first).Entry.Seq; got != next {
		t.Errorf("the first one is %d, not %d", got, next)
	}
}

// With a server: a reply is loaded for, edited, reacted to, as its author sees it.
func TestRepliesOverTheWire(t *testing.T) {
	h := newHouse(t, false)
	ann, bob := h.enter("ann", 90, 24), h.enter("bob", 90, 24)
	ann.enter("what about pizza?")
	bob.see("ann  what about pizza?")
	bob.press(tcell.KeyCtrlX, tcell.ModCtrl)
	bob.see("▌")
	bob.keys("d")
	bob.see("Only ~ann can change that")
	bob.press(tcell.KeyEscape, 0)
	bob.gone("▌")
	ann.press(tcell.KeyCtrlX, tcell.ModCtrl)
	ann.see("d delete")
	ann.keys("dd")
	bob.see("(deleted)")
	bob.gone("pizza")
}

package tui

import (
	"fmt"
	"strings"
	"testing"

	"lanchat/internal/client"
	"lanchat/protocol"

	"github.com/gdamore/tcell/v2"
)

// people puts some people into the lobby, of whom some have spoken.
func (d *writer) people(speakers []string, silent ...string) {
	j := &protocol.Joined{Ref: 1, Room: "lobby", Members: []protocol.Member{d.st.Me}}
	for i, nick := range append(silent, speakers...) {
		j.Members = append(j.Members, protocol.Member{User: protocol.UserID{1: byte(i + 1)}, Nick: nick})
	}
	d.apply([]client.Event{client.Received{Message: j}})
	for i, nick := range speakers {
		e := entry("lobby", uint64(i+1), "hi")
		e.Nick, e.User = nick, protocol.UserID{1: byte(len(silent) + i + 1)}
		d.apply([]client.Event{client.Received{Message: e}})
	}
}

func (d *writer) lists(want ...string) {
	d.Helper()
	var got []string
	if d.popupOpen() {
		for _, c := range d.popup.list {
			got = append(got, c.text)
		}
	}
	if fmt.Sprint(got) != fmt.Sprint(want) {
		d.Errorf("the list has %q, want %q", got, want)
	}
}

func TestPopupOfNicks(t *testing.T) {
	d := newWriter(t, 80, 24)
	d.people([]string{"bob", "Bea", "eve"}, "bert", "ann", "BEN")
	d.press("hi @b")
	d.lists("@Bea", "@bob", "@BEN", "@bert")
	d.sees("▸ @Bea", "  @bert")
	d.press("Down", "Down", "Up")
	d.sees("▸ @bob")
	d.press("Enter")
	d.holds("hi @bob ")
	d.lists()
	d.sent()
	d.press("Ctrl-U", "@b", "Up")
	d.sees("▸ @bert")
	d.press("Esc")
	d.lists()
	d.press("e")
	d.lists()
	d.press(" @e")
	d.lists("@eve")
	d.press("Ctrl-U")

	// Tab takes at once; again the next one; then Enter sends.
	d.press("b", "Tab")
	d.holds("Bea: ")
	d.lists("Bea", "bob", "BEN", "bert")
	d.press("Tab", "Tab", "Shift+Tab")
	d.holds("bob: ")
	d.press("Ctrl-Z")
	d.holds("b")
	d.press("Tab", "Down", "yes", "Enter")
	d.sent("bob: yes")
	d.press("nobody like tha", "Tab")
	d.holds("nobody like tha")
	d.press("Ctrl-U", "x@b")
	d.lists()
	d.press("Ctrl-U", "oh, e", "Tab")
	d.holds("oh, eve ")
	d.lists()

	// What is a whole name already is sent, and so is a lone sign.
	d.press("Ctrl-U", "hi @BOB", "Enter")
	d.sent("hi @BOB")
	d.press("see you @", "Enter")
	d.sent("see you @")
	// Whoever spoke last comes first.
	d.hears(9, "x")
	d.press("@", "Enter")
	d.sent("@")
	// A list does not outlive its text.
	d.press("@b")
	d.open("kitchen")
	d.lists()
	d.open("lobby")
	d.input().set("other")
	d.lists()
}

func TestPopupOfCommandsAndRooms(t *testing.T) {
	d := newWriter(t, 80, 24)
	d.press("/me")
	d.sees("/me", "say what you do")
	d.press("Ctrl-U", "/")
	if len(d.popup.list) != len(d.offered()) {
		t.Errorf("%d of %d commands", len(d.popup.list), len(d.offered()))
	}
	for range 10 {
		d.press("Down")
	}
	d.sees("▸ " + d.popup.list[10].text)
	d.press("Ctrl-U", "/he", "Enter")
	d.holds("/help")
	d.press("Enter")
	if d.over == nil {
		t.Error("no help")
	}
	d.sees("typing finds")
	d.press("Esc", "//he")
	d.lists()
	d.press("Ctrl-U")

	joined(d.chat, "kitchen", 2)
	joined(d.chat, protocol.DirectRoom(person(1).User, person(2).User), 2)
	d.press("see #")
	d.lists("#lobby", "#kitchen")
	d.press("Ctrl-U", "/join ki", "Tab", "Enter")
	if d.st.Active != "kitchen" {
		t.Errorf("in %s", d.st.Active)
	}
	for _, h := range []int{1, 2, 3, 4, 5, 6} {
		d.grid.resize(20, h)
		d.press("Ctrl-U", "/", "Down", "Tab", "Esc")
	}
}

func TestPopupOfEmoji(t *testing.T) {
	d := newWriter(t, 80, 24)
	d.press("yes :t")
	d.lists()
	d.press("ad")
	d.sees("▸ 🎉", ":tada:")
	d.press("Enter")
	d.holds("yes 🎉 ")
	d.press(":tada:")
	d.holds("yes 🎉 🎉")
	d.press("Ctrl-Z")
	d.holds("yes 🎉 :tada:")
	d.press("Ctrl-U", "at 10:100:00, a::b: http://x :nonsense:")
	d.holds("at 10:100:00, a::b: http://x :nonsense:")
	d.press("Ctrl-U", "```", "Enter", ":tada: @c")
	d.holds("```\n:tada: @c")
	d.lists()
}

func TestCommandsAreListedOnce(t *testing.T) {
	seen := map[string]bool{}
	for _, c := range commands() {
		if seen[c.name] || c.help == "" {
			t.Errorf("/%s: %q", c.name, c.help)
		}
		seen[c.name] = true
	}
	for _, name := range []string{"help", "search", "copy", "join", "quit"} {
		if !seen[name] {
			t.Errorf("/%s is not listed", name)
		}
	}
}

func BenchmarkCompletionIn5000People(b *testing.B) {
	u, _ := quiet()
	up(u)
	j := &protocol.Joined{Ref: 1, Room: "lobby", Count: 5000}
	for i := range 5000 {
		j.Members = append(j.Members, protocol.Member{User: protocol.UserID{byte(i), byte(i >> 8), 1}, Nick: fmt.Sprintf("%s%d", []string{"ann", "Bartholomäus", "你好"}[i%3], i)})
	}
	u.apply([]client.Event{client.Received{Message: j}})
	for i := range 10_000 {
		u.st.Apply(client.Received{Message: entry("lobby", uint64(i+1), strings.Repeat("x", i%50))})
	}
	g := newGrid(b, 80, 24)
	g.lax = true
	g.draw(u)
	for _, word := range []string{"@", "@你", "@nobody"} {
		b.Run(word, func(b *testing.B) {
			u.input().set(word[:len(word)-len(string([]rune(word)[len([]rune(word))-1]))])
			last := []rune(word)[len([]rune(word))-1]
			text := u.input().text
			for b.Loop() {
				u.key(tcell.NewEventKey(tcell.KeyRune, last, 0))
				u.input().set(text)
			}
		})
	}
}

// A list that was scrolled on a low screen is whole again on a higher one.
func TestPopupOnAGrowingScreen(t *testing.T) {
	d := newWriter(t, 80, 7)
	d.people([]string{"bob", "bea", "bill", "bert", "ben"})
	d.press("hi @b", "Up") // to the last one
	last := d.popup.list[d.popup.marked].text
	d.sees("▸ " + last)
	d.grid.resize(80, 24)
	d.grid.draw(d.chat)
	d.sees("▸ "+last, "@bob", "@bea", "@bill")
}

package tui

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"lanchat/internal/client"
	"lanchat/internal/safetext"
	"lanchat/protocol"

	"github.com/gdamore/tcell/v2"
)

// writer is a chat in which somebody writes, on a screen that is drawn after every
// key.
type writer struct {
	*testing.T
	*chat
	grid   *grid
	engine *still
}

func newWriter(t *testing.T, w, h int) *writer {
	u, e := quiet()
	up(u)
	joined(u, "lobby", 5)
	d := &writer{T: t, chat: u, grid: newGrid(t, w, h), engine: e}
	d.grid.draw(u)
	return d
}

// press presses keys as people call them; of others each character is typed.
func (d *writer) press(keys ...string) {
	d.Helper()
	for _, key := range keys {
		s, err := parseKey(key)
		if err != nil {
			for _, r := range key {
				d.key(tcell.NewEventKey(tcell.KeyRune, r, 0))
				d.grid.draw(d.chat)
			}
			continue
		}
		d.key(tcell.NewEventKey(s.key, s.rune, s.mod))
		d.grid.draw(d.chat)
	}
}

func (d *writer) holds(want string) {
	d.Helper()
	if got := d.input().text; got != want {
		d.Errorf("the input holds %q, want %q", got, want)
	}
}

func (d *writer) screen() string {
	d.grid.draw(d.chat)
	var b strings.Builder
	for y := range d.grid.h {
		for x := 0; x < d.grid.w; {
			s, _, n := d.grid.Get(x, y)
			b.WriteString(s)
			x += max(1, n)
		}
		b.WriteString("\n")
	}
	return b.String()
}

func (d *writer) sees(what ...string) {
	d.Helper()
	screen := d.screen()
	for _, text := range what {
		if !strings.Contains(screen, text) {
			d.Errorf("%q is not on the screen:\n%s", text, screen)
		}
	}
}

// posted are the texts that were sent since the last call.
func (d *writer) posted() []string {
	var out []string
	for _, p := range d.engine.posted {
		out = append(out, strings.TrimSpace(string(p.Kind)+" "+p.Text))
	}
	d.engine.posted = nil
	return out
}

func (d *writer) sent(want ...string) {
	d.Helper()
	if got := d.posted(); !slices.Equal(got, want) {
		d.Errorf("sent %q, want %q", got, want)
	}
}

// said puts an entry of this user's into the talk.
func (d *writer) said(seq uint64, text string) *client.Item {
	e := entry("lobby", seq, text)
	e.User, e.Nick = d.st.Me.User, d.st.Me.Nick
	d.apply([]client.Event{client.Received{Message: e}})
	return d.room().At(d.room().Len() - 1)
}

func (d *writer) hears(seq uint64, text string) *client.Item {
	d.apply([]client.Event{client.Received{Message: entry("lobby", seq, text)}})
	return d.room().At(d.room().Len() - 1)
}

// Every key of writing can be read, and does one thing.
func TestTheTableOfEditing(t *testing.T) {
	m := newKeymap(nil)
	taken := map[stroke]string{}
	for _, row := range editing {
		for _, key := range row.keys {
			s, err := parseKey(key)
			if err != nil {
				t.Error(err)
			}
			if a := m.does[s]; a != nil {
				t.Errorf("%s is taken by %s", key, a.name)
			}
			if other := taken[s]; other != "" {
				t.Errorf("%s does %q and %q", key, other, row.help)
			}
			taken[s] = row.help
		}
	}
}

func TestEditingKeys(t *testing.T) {
	d := newWriter(t, 80, 24)
	d.press("one two three", "Ctrl-W", "Alt+Backspace")
	d.holds("one ")
	d.press("Ctrl-Y")
	d.holds("one two three")
	d.press("Ctrl-A", "Alt+d")
	d.holds(" two three")
	d.press("Ctrl-E", "Ctrl-Y")
	d.holds(" two threeone")
	d.press("Ctrl-Z")
	d.holds(" two three")
	d.press("Ctrl-_")
	d.holds("one two three")
	d.press("Ctrl+Right", "Ctrl+Right", "Ctrl+Left", "x", "Ctrl-U")
	d.holds("two three")
	d.press("Ctrl-Z", "Ctrl-Z", "Ctrl-Z", "Ctrl-Z", "Ctrl-Z", "Ctrl-Z", "Ctrl-Z", "Ctrl-Z")
	d.holds("")
	for i := range 3 * maxUndos {
		d.take(fmt.Sprint(i))
	}
	if n := len(d.input().undos); n > maxUndos {
		t.Errorf("%d steps can be undone", n)
	}
	d.input().set("")
	d.take(strings.Repeat("x", maxInput-100))
	for range 100 {
		d.take("y")
	}
	bytes := 0
	for _, u := range d.input().undos {
		bytes += len(u.text)
	}
	if bytes > maxUndoBytes {
		t.Errorf("undo holds %d bytes", bytes)
	}
}

func TestHistory(t *testing.T) {
	d := newWriter(t, 80, 24)
	d.press("first pizza", "Enter", "Second", "Enter", "third pizza?", "Enter")
	d.sent("first pizza", "Second", "third pizza?")
	d.press("draft", "Ctrl-P", "Ctrl-P")
	d.holds("Second")
	if got := d.draft("lobby"); got != "draft" {
		t.Errorf("the draft is %q meanwhile", got)
	}
	d.press("Ctrl-N", "Ctrl-N", "Ctrl-N")
	d.holds("draft")

	d.press("Ctrl-R", "PIZ")
	d.sees("(search) PIZ: third pizza?")
	if _, st, _ := d.grid.Get(strings.Index(row1(d, "(search)"), "pizza"), rowOf(d, "(search)")); !isBold(st) {
		t.Error("what matches is not set off")
	}
	d.press("Ctrl-R")
	d.sees("PIZ: first pizza")
	d.press("Ctrl-S", "Enter")
	d.holds("third pizza?")
	d.press("Ctrl-N")
	d.holds("draft")
	d.press("Ctrl-R", "nowhere")
	d.sees("nothing that you sent has it")
	d.press("Esc")
	d.holds("draft")
	d.press("Ctrl-R", "zz", "Backspace", "Backspace", "sec", "Enter", "Enter")
	d.sent("Second")
}

func row1(d *writer, what string) string {
	return strings.Split(d.screen(), "\n")[rowOf(d, what)]
}

func rowOf(d *writer, what string) int {
	return slices.IndexFunc(strings.Split(d.screen(), "\n"), func(row string) bool { return strings.Contains(row, what) })
}

func isBold(st tcell.Style) bool {
	_, _, attr := st.Decompose()
	return attr&tcell.AttrBold != 0
}

func TestMatch(t *testing.T) {
	for _, tt := range []struct{ line, word, want string }{
		{"Hello World", "o w", "o W"}, {"Ärger", "är", "Är"}, {"x", "", ""}, {"ab", "abc", ""}, {"İİstanbul", "stan", "stan"}, {"", "x", ""},
	} {
		from, to := match(tt.line, tt.word)
		if got := tt.line[max(0, from):max(0, to)]; got != tt.want {
			t.Errorf("match(%q, %q) = %q", tt.line, tt.word, got)
		}
	}
}

func TestUpAndDownInWhatIsWritten(t *testing.T) {
	d := newWriter(t, 80, 24)
	d.said(1, "mine")
	d.press("one", "Ctrl-J", "two", "Up")
	if e := d.input(); e.at != 3 {
		t.Errorf("up: at %d", e.at)
	}
	d.press("Up")
	if e := d.input(); e.at != 0 || e.text != "one\ntwo" {
		t.Errorf("up in the first row: at %d of %q", e.at, e.text)
	}
	d.press("Down", "Down")
	if e := d.input(); e.at != len(e.text) {
		t.Errorf("down in the last row: at %d", e.at)
	}
}

func TestReply(t *testing.T) {
	d := newWriter(t, 80, 24)
	it := d.hears(1, "who brings pizza?\nand what else")
	d.press("already written")
	d.replyTo(it)
	d.sees("↪ "+client.ShownNick(it.Entry.Nick, it.Entry.Guest)+": who brings pizza? and what else", "(Esc: not a reply)", "#lobby> already written")
	d.press("Esc")
	d.holds("already written")
	d.press("Enter")
	if p := d.engine.posted; len(p) != 1 || !p[0].Target.IsZero() {
		t.Errorf("posted %+v", p)
	}
	d.engine.posted = nil
	d.replyTo(it)
	d.press("me", "Enter")
	if p := d.engine.posted; len(p) != 1 || p[0].Target != it.Entry.ID || p[0].Text != "me" || p[0].Kind != protocol.KindText {
		t.Errorf("posted %+v", p)
	}
	if d.subject() != nil {
		t.Error("the next one would be a reply too")
	}
	// A command is none, and ends no reply.
	d.engine.posted = nil
	d.replyTo(it)
	d.press("/me waves", "Enter")
	if p := d.engine.posted; len(p) != 1 || !p[0].Target.IsZero() || d.subject() == nil {
		t.Errorf("posted %+v", p)
	}
	// Of another room's input it is nothing.
	joined(d.chat, "kitchen", 2)
	d.open("kitchen")
	if d.subject() != nil {
		t.Error("a reply in the wrong room")
	}
	d.grid.resize(30, 4)
	d.open("lobby")
	d.sees("↪ #lobby> ")
}

func TestEditLast(t *testing.T) {
	d := newWriter(t, 80, 24)
	d.press("Up")
	d.sees("You have said nothing here yet")
	mine := d.said(1, "/usr is fulll")
	d.hears(2, "oh")
	d.press("Up")
	d.holds("//usr is fulll")
	d.sees("✎ changing: /usr is fulll", "(Esc: leave it as it is)")
	d.press("Backspace", "Enter")
	d.sent("edit /usr is full")
	if d.engine.posted = nil; d.subject() != nil {
		t.Error("still changing")
	}
	d.holds("")

	// Esc leaves it, and brings back what was there.
	d.press("draft")
	d.editItem(mine)
	if got := d.draft("lobby"); got != "draft" {
		t.Errorf("while a message is changed the draft is %q", got)
	}
	d.press("x", "Esc")
	d.holds("draft")
	d.press("Ctrl-U")

	// A command is not what anybody wants to have said.
	d.press("Up", "Ctrl-U", "/quit", "Enter")
	d.sent()
	d.sees("Esc ends that")
	// Emptied it is deleted, after a question.
	d.press("Ctrl-U", "Enter")
	d.sees("Press Enter again to delete this message")
	d.sent()
	d.press("x", "Backspace", "Enter")
	if d.sent(); d.subject() == nil {
		t.Error("deleted after something else was typed")
	}
}

func TestEditDeletes(t *testing.T) {
	d := newWriter(t, 80, 24)
	mine := d.said(1, "oops")
	d.press("Up", "Ctrl-U", "Enter", "Enter")
	if p := d.engine.posted; len(p) != 1 || p[0].Kind != protocol.KindDelete || p[0].Target != mine.Entry.ID {
		t.Errorf("posted %+v", p)
	}
	if d.subject() != nil {
		t.Error("still changing")
	}
}

// Whoever leaves a room while changing a message finds the draft there again.
func TestLeavingWhileChanging(t *testing.T) {
	d := newWriter(t, 80, 24)
	joined(d.chat, "kitchen", 1)
	mine := d.said(1, "mine")
	d.press("draft")
	d.editItem(mine)
	d.apply([]client.Event{client.Received{Message: &protocol.Left{Room: "lobby"}}})
	if got := d.inputOf("lobby").text; got != "draft" {
		t.Errorf("the input holds %q", got)
	}
	d.holds("")
}

func TestPasteAsks(t *testing.T) {
	text := strings.TrimSuffix(strings.Repeat("a line\n", 25), "\n")
	d := newWriter(t, 80, 24)
	d.press("before  after", "Alt+b", "Left")
	d.paste("8\n7\n6\n5\n4\n3\n2\n1")
	d.holds("before 8\n7\n6\n5\n4\n3\n2\n1 after")
	d.input().clear()

	d.paste(text)
	d.sees("Paste 25 lines into #lobby?")
	d.holds("")
	d.press("Esc")
	d.sees("Esc again drops these 25 lines")
	d.press("x")
	d.sees("Paste 25 lines")
	d.press("Esc", "Esc")
	if d.over != nil {
		t.Error("still asking")
	}
	d.holds("")

	d.paste(text)
	d.press("e")
	d.holds(text)
	d.press("Ctrl-Z")
	d.holds("")

	d.paste(text)
	d.press("Enter")
	d.sent(text)
	d.holds("")

	d.press("look:")
	d.paste(text + "\n")
	d.press("c", "!")
	d.holds("look:\n```\n" + text + "\n```!")
	d.input().clear()

	d.paste("/etc/fstab:\n" + text)
	d.press("Enter")
	d.sent("/etc/fstab:\n" + text)

	// Small screens say less, and still which keys there are.
	d.grid.resize(20, 8)
	d.paste(text)
	d.sees("25 lines:", "Esc")
	d.grid.resize(80, 24)
	d.press("Esc", "Esc")

	// What is too much is not put in by half.
	d.paste(strings.Repeat("much\n", maxInput))
	d.holds("")
	d.sees("Too long: 320 KiB pasted")
	d.st.Limits.Text = 100
	d.paste(text)
	d.press("Enter")
	d.holds(text)
	d.sees("Too long: 174 bytes")
	d.sent()

	// A question that is closed by something else loses nothing.
	d.input().clear()
	d.paste(text)
	d.over = nil
	d.settle()
	d.holds(text)
	d.input().clear()
	d.paste(text)
	d.end()
	if got := d.draft("lobby"); got != text {
		t.Errorf("at the end the draft is %q", got)
	}

	// Nor does it go where it was not meant to.
	d.st.Limits.Text = 0
	d.input().clear()
	joined(d.chat, "kitchen", 1)
	d.paste(text)
	d.apply([]client.Event{client.Received{Message: &protocol.Left{Room: "lobby"}}})
	d.sees("another room now, #kitchen")
	d.press("Enter")
	d.sent()
}

func TestAnOpenCodeBlock(t *testing.T) {
	d := newWriter(t, 80, 24)
	d.press("```go", "Enter", "x := 1", "Enter", "```", "Enter")
	d.sent("```go\nx := 1\n```")
	for text, open := range map[string]bool{"```": true, "```x```": false, "a ``` b": false, "```\na\n```": false, "````\n```": true, "```\n```\n```": true, "x\n ```\ny": true, "```\ncode```": false, "```\ncode``` and\n```": true, "": false} {
		if openFence(text) != open {
			t.Errorf("openFence(%q) = %v", text, !open)
		}
	}
}

func TestRoomChangesUnderWhatIsWritten(t *testing.T) {
	d := newWriter(t, 80, 24)
	joined(d.chat, "kitchen", 1)
	d.press("secr")
	d.apply([]client.Event{client.Received{Message: &protocol.Left{Room: "lobby"}}})
	d.press("et", "Enter")
	d.sent()
	d.sees("You are in #kitchen now: Enter again sends this there")
	d.press("Enter")
	d.sent("et")
}

func TestPromptNamesTheRoom(t *testing.T) {
	d := newWriter(t, 80, 24)
	for w := 20; w < 130; w++ {
		for h := 1; h < 12; h++ {
			d.grid.resize(w, h)
			d.sees("#lobby> ")
		}
	}
}

func TestDraftsAreKept(t *testing.T) {
	d := newWriter(t, 80, 24)
	joined(d.chat, "kitchen", 1)
	kept := func(want ...client.Event) {
		t.Helper()
		if !slices.Equal(d.engine.kept, want) {
			t.Errorf("kept %+v, want %+v", d.engine.kept, want)
		}
		d.engine.kept = nil
	}
	d.press("half")
	d.tick()
	kept(client.Drafted{Room: "lobby", Text: "half"})
	d.press(" a line")
	d.open("kitchen")
	kept(client.Drafted{Room: "lobby", Text: "half a line"})
	d.press("Alt+Up", "!", "Enter")
	kept(client.Drafted{Room: "lobby"})
	d.press("x")
	d.keepDrafts()
	kept(client.Drafted{Room: "lobby", Text: "x"})
	d.keepDrafts()
	kept()

	// They come back where nothing has been written yet.
	d.apply([]client.Event{client.Recalled{Drafts: map[string]string{"lobby": "older", "kitchen": "salt"}}})
	d.holds("x")
	d.open("kitchen")
	d.holds("salt")
	d.press("Ctrl-U", "Ctrl-P")
	d.holds("older")
}

func TestRetryAll(t *testing.T) {
	d := newWriter(t, 80, 24)
	d.press("Ctrl-T")
	d.sees("Nothing here was refused")
	d.press("one", "Enter", "two", "Enter")
	d.posted()
	for _, it := range slices.Clone(d.room().Pending) {
		d.apply([]client.Event{client.Refused{ID: it.Entry.ID, Text: "no"}})
	}
	d.press("Ctrl-T")
	d.sent("one", "two")
	if n := len(d.room().Pending); n != 2 {
		t.Errorf("%d are on their way", n)
	}
	// The last refused one is taken back by Up.
	d.apply([]client.Event{client.Refused{ID: d.room().Pending[1].Entry.ID, Text: "no"}})
	d.press("Up")
	d.holds("two")
	if n := len(d.room().Pending); n != 1 {
		t.Errorf("%d are left", n)
	}
}

func TestEmojiTable(t *testing.T) {
	if len(emojis) < 200 {
		t.Errorf("%d emoji", len(emojis))
	}
	seen := map[string]bool{}
	for _, e := range emojis {
		if seen[e.name] || strings.Trim(e.name, "abcdefghijklmnopqrstuvwxyz0123456789_+-") != "" {
			t.Errorf("%q", e.name)
		}
		seen[e.name] = true
		if cluster, _ := next(e.text); cluster != e.text || safetext.Line(e.text) != e.text || e.text[0] < 0x80 && !strings.Contains(e.text, "\u20e3") {
			t.Errorf(":%s: is %q", e.name, e.text)
		}
	}
}

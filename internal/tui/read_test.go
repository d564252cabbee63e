package tui

import (
	"fmt"
	"strings"
	"testing"

	"lanchat/internal/client"
	"lanchat/protocol"

	"github.com/gdamore/tcell/v2"
)

// text is what the grid shows.
func (g *grid) text() string {
	var rows []string
	for y := range g.h {
		var b strings.Builder
		for x := 0; x < g.w; {
			s, _, n := g.Get(x, y)
			b.WriteString(s)
			x += n
		}
		rows = append(rows, strings.TrimRight(b.String(), " "))
	}
	return strings.Join(rows, "\n")
}

func (g *grid) want(u *chat, texts ...string) string {
	g.Helper()
	g.draw(u)
	screen := g.text()
	for _, text := range texts {
		if !strings.Contains(screen, text) {
			g.Errorf("not seen: %q in\n%s", text, screen)
		}
	}
	return screen
}

// reading is a chat in a room with entries 1 to n.
func reading(t testing.TB, w, h, n int) (*grid, *chat, *still) {
	g := newGrid(t, w, h)
	u, e := quiet()
	up(u)
	joined(u, "lobby", 3)
	for seq := uint64(1); seq <= uint64(n); seq++ {
		hear(u, entry("lobby", seq, fmt.Sprintf("line %d.", seq)))
	}
	g.draw(u)
	return g, u, e
}

func hear(u *chat, m protocol.Message) { u.apply([]client.Event{client.Received{Message: m}}) }

func strike(u *chat, keys ...tcell.Key) {
	for _, k := range keys {
		u.key(tcell.NewEventKey(k, 0, 0))
	}
}

func letters(u *chat, text string) {
	for _, r := range text {
		u.key(tcell.NewEventKey(tcell.KeyRune, r, 0))
	}
}

// replace puts a changed item in the place of an entry, as the state does.
func replace(u *chat, seq uint64, change func(*client.Item)) {
	i := u.room().Find(seq)
	fresh := *u.room().Items[i]
	change(&fresh)
	u.room().Items[i] = &fresh
}

func TestWhatIsSaidAboutAnEntryIsSeenAtIt(t *testing.T) {
	g, u, _ := reading(t, 80, 24, 3)
	reply := entry("lobby", 4, "the answer")
	reply.Target, reply.TargetSeq = u.room().At(1).Entry.ID, 2
	hear(u, reply)
	g.want(u, "↪ 你好2: line 2.", "the answer")
	replace(u, 2, func(it *client.Item) { it.Entry.Text = "\nother words\nand more" })
	g.want(u, "↪ 你好2: other words …")
	replace(u, 2, func(it *client.Item) { it.Entry.Gone, it.Entry.Text = true, "" })
	if screen := g.want(u, "↪ a deleted message", "(deleted)"); strings.Contains(screen, "line 2") {
		t.Errorf("a deleted text is still seen:\n%s", screen)
	}
	far := entry("lobby", 5, "to something old")
	far.Target, far.TargetSeq = protocol.NewID(), 0
	hear(u, far)
	g.want(u, "↪ an earlier message")
	replace(u, 5, func(it *client.Item) { it.Entry.Edited = true })
	g.want(u, "to something old (edited)")
	replace(u, 5, func(it *client.Item) {
		it.Entry.Reactions = []protocol.Reaction{{Text: "👍", Count: 3, By: []protocol.UserID{person(2).User, u.st.Me.User}}, {Text: "🎉", Count: 1}}
	})
	g.want(u, "[👍 3]  🎉 1")
	for i := range protocol.MaxReactions {
		replace(u, 5, func(it *client.Item) {
			it.Entry.Reactions = append(it.Entry.Reactions[:i:i], protocol.Reaction{Text: fmt.Sprintf("reaction-number-%d", i), Count: 1})
		})
	}
	g.want(u, "reaction-number…", "(edited)")
	replace(u, 5, func(it *client.Item) { it.Entry.Reactions = nil })

	replace(u, 3, func(it *client.Item) {
		it.Mine, it.Change = true, &client.Change{Kind: protocol.KindEdit, Text: "better", Status: client.Pending}
	})
	if screen := g.want(u, "c3… better"); strings.Contains(screen, "line 3") {
		t.Errorf("the old text is seen beside the new one:\n%s", screen)
	}
	replace(u, 3, func(it *client.Item) {
		it.Change = &client.Change{Kind: protocol.KindEdit, Text: "better", Status: client.Failed, Err: "too late"}
	})
	g.want(u, "c3✗ line 3.", "not changed: too late (Ctrl-T")
	replace(u, 3, func(it *client.Item) { it.Change = &client.Change{Kind: protocol.KindDelete, Status: client.Acked} })
	g.want(u, "c3… line 3. (being deleted)")
	replace(u, 3, func(it *client.Item) {
		it.Change = &client.Change{Kind: protocol.KindDelete, Status: client.Failed, Err: "no"}
	})
	g.want(u, "not deleted: no (Ctrl-T")
}

func TestCodeKeepsItsSpaces(t *testing.T) {
	g, u, _ := reading(t, 60, 16, 0)
	hear(u, entry("lobby", 2, "see:\n```go\nif x  {\n\treturn    1\n}\n```\nand `a  b`, https://example.org/x_(y)."))
	screen := g.want(u, "see:", "│ if x  {", "│     return    1", "│ }", "and `a  b`,", "https://example.org/x_(y).")
	if strings.Contains(screen, "```") {
		t.Errorf("a fence is seen:\n%s", screen)
	}
	at := func(text string) ink {
		for y, row := range strings.Split(screen, "\n") {
			if before, _, found := strings.Cut(row, text); found {
				_, st, _ := g.Get(width(before), y)
				for _, i := range []ink{plain, code, link, dim} {
					if st == terminalTheme.style(i) {
						return i
					}
				}
			}
		}
		return ink(999)
	}
	for text, want := range map[string]ink{"see:": plain, "if x": code, "return": code, "and ": plain, "`a": code, "https": link, "y)": link} {
		if got := at(text); got != want {
			t.Errorf("%q is drawn in ink %d, not %d", text, got, want)
		}
	}
	hear(u, entry("lobby", 3, "```\n"+strings.Repeat("0123456789", 8)+"\n```"))
	digits := 0
	for row := range strings.SplitSeq(g.want(u, "│ 0123456789", "│…"), "\n") {
		if _, text, found := strings.Cut(row, "│         │"); found && !strings.Contains(row, " return") {
			digits += len(strings.Map(func(r rune) rune {
				if r < '0' || r > '9' {
					return -1
				}
				return r
			}, text))
		}
	}
	if digits != 80 {
		t.Errorf("of 80 characters of a line of code %d are seen:\n%s", digits, g.text())
	}
	g.resize(24, 16)
	g.want(u, "│ if x  {")
}

func TestStretches(t *testing.T) {
	for _, tt := range []struct {
		text  string
		parts []string // code begins with a bar
		code  string
	}{
		{"", []string{""}, ""},
		{"no code", []string{"no code"}, ""},
		{"```\na\n```", []string{"|a"}, "a"},
		{"```go\na\n\n  b\n```", []string{"|a\n\n  b"}, "a\n\n  b"},
		{"x\n```\na\n```\ny", []string{"x", "|a", "y"}, "a"},
		{"x ```a b\nc``` y", []string{"x ", "|a b\nc", " y"}, "a b\nc"},
		{"```\na\n```\n```\nb\n```", []string{"|a", "|b"}, "a\nb"},
		{"```\nnever closed", []string{"```\nnever closed"}, ""},
		{"```in line``` x", []string{"```in line``` x"}, "in line"},
		{"```\n```", []string{"|"}, ""},
		{"````\na\n```\nb\n````\ny", []string{"|a\n```\nb", "y"}, "a\n```\nb"},
		{"````\nopen\n```\nb\n```", []string{"````\nopen", "|b"}, "b"},
		{"`a` and `b`", []string{"`a` and `b`"}, "a\nb"},
	} {
		var parts []string
		for _, s := range stretches(tt.text) {
			part := tt.text[s.from:s.to]
			if s.code {
				part = "|" + part
			}
			parts = append(parts, part)
		}
		if fmt.Sprint(parts) != fmt.Sprint(tt.parts) || len(parts) != len(tt.parts) {
			t.Errorf("stretches(%q) = %q, want %q", tt.text, parts, tt.parts)
		}
		if got := codeIn(tt.text); got != tt.code {
			t.Errorf("codeIn(%q) = %q, want %q", tt.text, got, tt.code)
		}
	}
}

func TestSpans(t *testing.T) {
	for text, want := range map[string]string{
		"see http://a.b/c, or":           "http://a.b/c",
		"(https://a.b/c_(d))":            "https://a.b/c_(d)",
		"<https://a.b>":                  "https://a.b",
		"xhttp://a.b":                    "",
		"http:// and https://":           "",
		"HTTPS://A.B!":                   "HTTPS://A.B",
		"`http://a.b`":                   "`http://a.b`",
		"``a ` b``":                      "``a ` b``",
		"a lone ` here":                  "",
		"`over\nlines`":                  "",
		"http://你好.example/ü? https://b": "http://你好.example/ü|https://b",
	} {
		var got []string
		for _, s := range spansIn(text) {
			got = append(got, text[s.from:s.to])
		}
		if strings.Join(got, "|") != want {
			t.Errorf("%q: %q, want %q", text, got, want)
		}
	}
}

// A link or code that is broken into rows is inked in each.
func TestSpansOverRows(t *testing.T) {
	text := "go to https://example.org/" + strings.Repeat("x", 50) + " now"
	rows := wrapClean(text, 20, 20)
	inked(rows, spansIn(text))
	var links strings.Builder
	for _, r := range rows {
		for _, s := range r.spans {
			links.WriteString(r.text[s.from:s.to])
		}
	}
	if want := "https://example.org/" + strings.Repeat("x", 50); links.String() != want {
		t.Errorf("inked: %q, want %q", links.String(), want)
	}
}

// Whatever a character is, the line at the right of it stays straight, and the
// list counts as many columns as the screen.
func TestWideTextLeavesTheBordersStraight(t *testing.T) {
	for _, c := range []string{"a", "1️⃣", "#️⃣", "1⃣", "❤️", "☺", "☺️", "⌨️", "©️", "🇩🇪", "🇩", "🇩🇪🇫", "👩‍👩‍👧", "👍🏽", "🏻", "🏴󠁧󠁢󠁥󠁮󠁧󠁿", "🏳️‍🌈",
		"你", "ﷺ", "ｱ", "Ａ", "각", "각", "é", "e\u0301\u0302", "\u0301", "ก็", "क्षि", "א", "שלום", "مرحبا", "لا", "⸻", "…", "\u200d", "\u3000"} {
		g := newGrid(t, 120, 20)
		u, _ := quiet()
		up(u)
		joined(u, "lobby", 3)
		texts := []string{c, strings.Repeat(c, 90), "x" + strings.Repeat(c+" ", 60), "```\n" + strings.Repeat(c, 90) + "\n```"}
		for i, text := range texts {
			hear(u, entry("lobby", uint64(i)+2, text))
		}
		screen := g.want(u)
		for y, row := range strings.Split(screen, "\n") {
			if y == 0 || y >= g.h-3 {
				continue
			}
			for _, x := range []int{u.layout.rooms.w, u.layout.people.x - 2} {
				if s, _, _ := g.Get(x, y); s != "│" {
					t.Errorf("%q: row %d has %q at the border: %s", c, y, s, row)
				}
			}
			for x, cells := u.layout.talk.x, 0; x < u.layout.talk.x+u.layout.talk.w; x += cells {
				s, _, n := g.Get(x, y)
				if _, ours := next(s); n != ours {
					t.Errorf("%q: the screen gives %q %d columns, the list %d", c, s, n, ours)
				}
				cells = n
			}
		}
		if strings.Contains(screen, keycap) && strings.Contains(screen, emoji+keycap) {
			t.Errorf("%q leaves as a keycap of contested width", c)
		}
	}
}

// What a bot has said is marked, whatever it says.
func TestBotsAreMarked(t *testing.T) {
	for kind, want := range map[protocol.Kind]string{protocol.KindText: " (bot)", protocol.KindAction: " (bot)", protocol.KindTopic: ""} {
		it := &client.Item{Entry: protocol.Entry{Nick: "cobot", Kind: kind, Text: "beep", Bot: true}}
		if got := word(it).tail; got != want {
			t.Errorf("an entry of the kind %q ends with %q, want %q", kind, got, want)
		}
	}
}

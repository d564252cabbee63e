package tui

import (
	"slices"
	"strings"
	"testing"

	"lanchat/internal/safetext"

	"github.com/rivo/uniseg"
)

func texts(rows []row) []string {
	var out []string
	for _, r := range rows {
		out = append(out, r.text)
	}
	return out
}

func TestWrap(t *testing.T) {
	for _, tt := range []struct {
		text        string
		first, rest int
		want        []string
	}{
		{"", 10, 10, []string{""}},
		{"hello", 10, 10, []string{"hello"}},
		{"hello there", 10, 10, []string{"hello", "there"}},
		{"hello there", 11, 11, []string{"hello there"}},
		{"hello  there ", 7, 7, []string{"hello", "there "}},
		{"a b c d", 3, 3, []string{"a b", "c d"}},
		{"abcdefghij", 4, 4, []string{"abcd", "efgh", "ij"}},
		{"to abcdefghij", 4, 6, []string{"to", "abcdef", "ghij"}},
		{"one\ntwo\n\nfour", 9, 9, []string{"one", "two", "", "four"}},
		{"a\tb", 10, 10, []string{"a    b"}},
		{"    four", 10, 10, []string{"    four"}},
		{"word          ", 6, 6, []string{"word"}},
		{"你好世界", 4, 4, []string{"你好", "世界"}},
		{"你好世界", 5, 5, []string{"你好", "世界"}},
		{"你", 1, 1, []string{"?"}},
		{"a👩‍👩‍👧b", 3, 3, []string{"a👩‍👩‍👧", "b"}},
		{"🇩🇪🇫🇷", 2, 2, []string{"🇩🇪", "🇫🇷"}},
		{"👍🏽👍🏽", 3, 3, []string{"👍🏽", "👍🏽"}},
		{"e\u0301e\u0301e\u0301", 2, 2, []string{"e\u0301e\u0301", "e\u0301"}},
		{"größer als gedacht", 8, 8, []string{"größer", "als", "gedacht"}},
		{"grün      ", 4, 4, []string{"grün"}},
		{"x\r\ny", 5, 5, []string{"x", "y"}},
		{"https://example.org/ä/b", 12, 12, []string{"https://", "example.org/", "ä/b"}},
	} {
		if got := texts(wrap(tt.text, tt.first, tt.rest)); !slices.Equal(got, tt.want) {
			t.Errorf("wrap(%q, %d, %d) = %q, want %q", tt.text, tt.first, tt.rest, got, tt.want)
		}
	}
}

// FuzzWrap holds wrap to what draws rely on: no row is too wide, no character is
// taken apart, nothing but spaces is lost.
func FuzzWrap(f *testing.F) {
	for _, s := range []string{"hello there", "你好 a👩‍👩‍👧b 🇩🇪🇫🇷🇩", "e\u0301\u0302 \u0301", "a\n\n b\t", "ก็ क्षि 각", "\u202eabc\u200d", "🏴󠁧󠁢󠁥󠁮󠁧󠁿", strings.Repeat("ab ", 40)} {
		f.Add(s, 7, 5)
	}
	f.Fuzz(func(t *testing.T, s string, first, rest int) {
		first, rest = 1+abs(first)%80, 1+abs(rest)%80
		rows := wrap(s, first, rest)
		if len(rows) == 0 {
			t.Fatal("no rows")
		}
		clean := strings.ReplaceAll(safetext.Text(s), "\t", "    ")
		var seen strings.Builder
		w := first
		for i, r := range rows {
			if n := width(r.text); n > w {
				t.Errorf("row %d %q has %d columns of %d", i, r.text, n, w)
			}
			if strings.Contains(r.text, "\n") {
				t.Errorf("row %q", r.text)
			}
			if i > 0 && r.off <= rows[i-1].off && r.text != "" {
				t.Errorf("offsets %d, %d", rows[i-1].off, r.off)
			}
			if r.text != "?" && !strings.HasPrefix(clean[r.off:], r.text) {
				t.Errorf("row %q is not at %d", r.text, r.off)
			}
			seen.WriteString(r.text)
			w = rest
		}
		bare := strings.NewReplacer(" ", "", "\n", "")
		if got, want := bare.Replace(seen.String()), bare.Replace(clean); !tooWide(s, min(first, rest)) && got != want {
			t.Errorf("lost: %q, want %q", got, want)
		}
	})
}

// tooWide tells a row that cannot hold every character: most take two columns at most,
// dashes of two and three ems more.
func tooWide(s string, columns int) bool {
	return columns < 2 || columns < 4 && strings.ContainsAny(s, "⸺⸻")
}

func abs(n int) int {
	if n < 0 {
		return max(0, -n)
	}
	return n
}

func TestFit(t *testing.T) {
	for _, tt := range []struct {
		text string
		n    int
		want string
	}{{"hello", 5, "hello"}, {"hello!", 5, "hell…"}, {"你好世", 5, "你好…"}, {"你好世界", 4, "你…"}, {"x", 0, ""}, {"a\nb", 3, "a b"}, {"ab", 1, "…"}} {
		if got := fit(tt.text, tt.n); got != tt.want || uniseg.StringWidth(got) > tt.n {
			t.Errorf("fit(%q, %d) = %q, want %q", tt.text, tt.n, got, tt.want)
		}
	}
}

func TestEditor(t *testing.T) {
	e := &editor{width: 10}
	e.insert("one two\n👩‍👩‍👧é")
	e.at = e.before()
	if e.at = e.before(); e.text[e.at:] != "👩‍👩‍👧é" {
		t.Errorf("cursor before %q", e.text[e.at:])
	}
	if !e.vertical(-1) || e.at != 0 {
		t.Errorf("up: at %d", e.at)
	}
	if e.vertical(-1) {
		t.Error("there is nothing above")
	}
	e.at = e.wordAfter()
	e.put('!')
	if e.text != "one! two\n👩‍👩‍👧é" {
		t.Errorf("%q", e.text)
	}
	e.at = len(e.text)
	e.cut(e.before(), e.at)
	e.cut(e.before(), e.at)
	e.cut(e.before(), e.at)
	if e.text != "one! two" {
		t.Errorf("%q", e.text)
	}
	e.cut(e.wordBefore(), e.at)
	if e.text != "one! " {
		t.Errorf("%q", e.text)
	}
	if e.insert(strings.Repeat("ä", maxInput)) || e.text != "one! " {
		t.Errorf("too much was put in: %d bytes", len(e.text))
	}
}

package safetext

import (
	"strings"
	"testing"
	"unicode"
	"unicode/utf8"

	"github.com/rivo/uniseg"
)

func TestText(t *testing.T) {
	tests := []struct{ name, in, want string }{
		{"plain", "hello, world", "hello, world"},
		{"umlauts and CJK", "grüß dich 你好", "grüß dich 你好"},
		{"newline and tab stay", "a\n\tb", "a\n\tb"},
		{"carriage return forges no line", "a\rroot: b\r\nc", "a\nroot: b\nc"},
		{"separators", "a\u2028b\u2029c\u0085d\ve\ff", "a\nb\nc\nd\ne\nf"},
		{"escape sequence", "\x1b]0;title\x07", "␛]0;title␇"},
		{"one-byte CSI", "\u009b31m", "\ufffd31m"},
		{"delete", "a\x7fb", "a␡b"},
		{"direction override", "abc\u202etxt.exe\u202c", "abctxt.exe"},
		{"isolates", "\u2066a\u2069", "a"},
		{"zero width", "pay\u200bpal\ufeff\u2060", "paypal"},
		{"family stays whole", "👨‍👩‍👧‍👦", "👨‍👩‍👧‍👦"},
		{"heart on fire", "❤️‍🔥", "❤️‍🔥"},
		{"joiner between letters goes", "a\u200db", "ab"},
		{"joiner before a flag goes", "👧\u200d🇩🇪", "👧🇩🇪"},
		{"joiner behind a letter with a selector goes", "a\ufe0f\u200d👧", "a\ufe0f👧"},
		{"astronaut with a skin tone", "👩🏽‍🚀", "👩🏽‍🚀"},
		{"joiner at the end goes", "👨\u200d", "👨"},
		{"Persian keeps its non-joiner", "می\u200cخواهم", "می\u200cخواهم"},
		{"flag of Scotland", "🏴\U000e0067\U000e0062\U000e0073\U000e0063\U000e0074\U000e007f!", "🏴\U000e0067\U000e0062\U000e0073\U000e0063\U000e0074\U000e007f!"},
		{"tags alone", "a\U000e0067\U000e007f", "a"},
		{"too many marks", "e" + strings.Repeat("\u0301", 50), "e" + strings.Repeat("\u0301", 4)},
		{"fillers", "a\u3164\u115f\u2800b", "ab"},
		{"private use", "\ue0b0", "\ufffd"},
		{"not UTF-8", "a\xffb", "a\ufffdb"},
		{"keycap", "1️⃣", "1️⃣"},
		{"keycap of a star", "*️⃣", "*️⃣"},
		{"the longest emoji", "👩🏽‍❤️‍💋‍👨🏽", "👩🏽‍❤️‍💋‍👨🏽"},
		{"pirates and rainbows", "🏴‍☠️🏳️‍🌈🏳️‍⚧️", "🏴‍☠️🏳️‍🌈🏳️‍⚧️"},
		{"emoji without end", strings.Repeat("👨\u200d", 9) + "👨", strings.Repeat("👨\u200d", 4) + "👨" + strings.Repeat("👨\u200d", 4) + "👨"},
		{"skin tones pile up", "👩🏽🏽🏽 a🏽", "👩🏽 a"},
		{"selectors pile up", "❤\ufe0f\ufe0f\ufe0e a\ufe00\ufe01", "❤\ufe0f a\ufe00"},
		{"selectors of ideographs", "葛\U000e0100", "葛"},
		{"spacing marks pile up", "क" + strings.Repeat("\u093e", 50), "क" + strings.Repeat("\u093e", 4)},
		{"half a Hangul syllable piles up", "\u1100" + strings.Repeat("\u1161", 50), "\u1100" + strings.Repeat("\u1161", 4)},
		{"Hangul syllables", "\u1112\u1161\u11ab 한글", "\u1112\u1161\u11ab 한글"},
		{"signs before a character pile up", strings.Repeat("\u0600", 9) + "1", strings.Repeat("\u0600", 4) + "1"},
		{"interlinear annotation", "\ufff9a\ufffab\ufffb", "ab"},
		{"deprecated format characters", "\u206aa\u206f", "a"},
		{"invisible operators", "a\u2062b\u00adc", "abc"},
		{"noncharacters", "\ufdd0\uffff\U0001ffff", "\ufffd\ufffd\ufffd"},
		{"half a surrogate pair", "\xed\xa0\x80", "\ufffd\ufffd\ufffd"},
		{"overlong escape", "\xc0\x9b[2J", "\ufffd\ufffd[2J"},
		{"null notehead", "\U0001d159", ""},
		{"Hebrew and Arabic stay as they were written", "ann: שלום (abc) مرحبا 123", "ann: שלום (abc) مرحبا 123"},
		{"points and cantillation", "בְּרֵאשִׁ֖ית", "בְּרֵאשִׁ֖ית"},
		{"Thai", "น้ำ กี่", "น้ำ กี่"},
	}
	for _, tt := range tests {
		if got := Text(tt.in); got != tt.want {
			t.Errorf("%s: Text(%q) = %q, want %q", tt.name, tt.in, got, tt.want)
		}
	}
	if got := Line("a\r\nb\tc\nd"); got != "a b c d" {
		t.Errorf("Line = %q", got)
	}
}

func TestLinks(t *testing.T) {
	for in, want := range map[string]string{
		"see http://a.b/c?d=e#f, or":           "see http://a.b/c?d=e#f, or",
		"https://\u0430pple.com/x":             "https://xn--pple-43d.com/x", // a Cyrillic а
		"https://你好.example:80/ü.":             "https://xn--6qq79v.example:80/%C3%BC.",
		"https://evil。example/":                "https://evil.example/",
		"https://bank.example@evil.example/x!": "https://bank.example@evil.example/x (at evil.example)!",
		"https://bank.example%2f@evil.example": "https://bank.example%2f@evil.example (at evil.example)",
		"https://evil.example\\@bank.example":  "https://evil.example\\@bank.example", // the link ends before the backslash
		"http://a_\u0430.b/":                   "http://a_%D0%B0.b/",
		"ftp://\u0430.b javascript:\u0430":     "ftp://\u0430.b javascript:\u0430",
		"xhttp://\u0430.b":                     "xhttp://\u0430.b",
		"（https://a.b/c）。":                     "（https://a.b/c）。",
		"http://\u05d0.b/\u05d1 \u05d2":        "http://xn--4db.b/%D7%91 \u05d2",
	} {
		if got := Links(in); got != want {
			t.Errorf("Links(%q) = %q, want %q", in, got, want)
		}
	}
}

func FuzzLinks(f *testing.F) {
	f.Add("see https://bank.example@\u0430.example/ü and http://x\\y (http://a.b/c_(d))")
	f.Add("http://a@b\u3002c (at b)")
	f.Fuzz(func(t *testing.T, s string) {
		s = Text(s)
		got := Links(s)
		if again := Links(got); again != got {
			t.Fatalf("not idempotent: %q, then %q, then %q", s, got, again)
		}
		if again := Text(got); again != got {
			t.Fatalf("not clean: %q, then %q", got, again)
		}
		if len(got) > 8*len(s) {
			t.Fatalf("%d bytes became %d", len(s), len(got))
		}
		for i := range got {
			if n := Link(got, i); n > 0 && !isASCII(got[i:i+n]) {
				t.Fatalf("%q: the link %q is not ASCII", got, got[i:i+n])
			}
		}
	})
}

func FuzzText(f *testing.F) {
	f.Add("a\x1b[2J\u202e\r\u200d👨‍👩‍👧")
	f.Add("🏴\U000e0067\U000e0062\U000e0073\U000e007f")
	f.Add("👩🏽🏽\ufe0f\u20e3\u1100\u1100\u1161\u0600\u0600a\u0301\ufdd0")
	f.Fuzz(func(t *testing.T, s string) {
		for _, fn := range []func(string) string{Text, Line} {
			got := fn(s)
			if !utf8.ValidString(got) {
				t.Fatalf("%q: not UTF-8", got)
			}
			if again := fn(got); again != got {
				t.Fatalf("not idempotent: %q, then %q", got, again)
			}
			if len(got) > 3*len(s) {
				t.Fatalf("%d bytes became %d", len(s), len(got))
			}
			for _, r := range got {
				if unicode.IsControl(r) && r != '\n' && r != '\t' || unicode.In(r, unicode.Bidi_Control, unicode.Co, unicode.Noncharacter_Code_Point) ||
					r == 0x2028 || r == 0x2029 || r >= 0xfff0 && r <= 0xfffb {
					t.Fatalf("%q holds %U", got, r)
				}
			}
			holdsNoPile(t, got)
		}
		if strings.ContainsAny(Line(s), "\n\t") {
			t.Fatalf("Line(%q) is not one line", s)
		}
	})
}

// holdsNoPile looks at each character as people see it, by rules that are not ours.
func holdsNoPile(t *testing.T, s string) {
	// The most: five emoji with a tone, a selector, marks and a joiner each, and signs
	// before them.
	const most = 5*(3+MaxMarks) + MaxMarks
	for rest := s; rest != ""; {
		var cluster string
		cluster, rest, _, _ = uniseg.FirstGraphemeClusterInString(rest, -1)
		if n := utf8.RuneCountInString(cluster); n > most {
			t.Fatalf("%q: %d runes are one character: %q", s, n, cluster)
		}
	}
}

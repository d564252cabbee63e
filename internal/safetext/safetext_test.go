package safetext

import (
	"strings"
	"testing"
	"unicode"
	"unicode/utf8"
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

func FuzzText(f *testing.F) {
	f.Add("a\x1b[2J\u202e\r\u200d👨‍👩‍👧")
	f.Add("🏴\U000e0067\U000e0062\U000e0073\U000e007f")
	f.Fuzz(func(t *testing.T, s string) {
		for _, fn := range []func(string) string{Text, Line} {
			got := fn(s)
			if !utf8.ValidString(got) {
				t.Fatalf("%q: not UTF-8", got)
			}
			if again := fn(got); again != got {
				t.Fatalf("not idempotent: %q, then %q", got, again)
			}
			for _, r := range got {
				if unicode.IsControl(r) && r != '\n' && r != '\t' || unicode.Is(unicode.Bidi_Control, r) {
					t.Fatalf("%q holds %U", got, r)
				}
			}
		}
		if strings.ContainsAny(Line(s), "\n\t") {
			t.Fatalf("Line(%q) is not one line", s)
		}
	})
}

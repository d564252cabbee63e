package identity

import (
	"encoding/json"
	"regexp"
	"strings"
	"testing"
)

func TestWordsOfTheList(t *testing.T) {
	if len(words) != 1024 {
		t.Fatalf("%d words, not 1024", len(words))
	}
	shape := regexp.MustCompile(`^[a-z]{3,7}$`)
	for i, w := range words {
		if !shape.MatchString(w) {
			t.Errorf("%q is not 3 to 7 small letters", w)
		}
		for _, other := range words[:i] {
			if other >= w {
				t.Errorf("%q and %q are not in order, or twice", other, w)
			}
			if alike(other, w) {
				t.Errorf("%q and %q are too much alike", other, w)
			}
		}
	}
}

func TestAlike(t *testing.T) {
	tests := []struct {
		a, b string
		want bool
	}{
		{"boat", "coat", true},
		{"boat", "bolt", true},
		{"beta", "beat", true},
		{"camp", "campus", true},
		{"acorn", "corn", true},
		{"radio", "radius", true},
		{"barn", "barn", true},
		{"bran", "barns", false},
		{"acid", "zipper", false},
		{"tide", "tiger", false},
	}
	for _, test := range tests {
		if got := alike(test.a, test.b); got != test.want {
			t.Errorf("%q and %q: %v", test.a, test.b, got)
		}
		if got := alike(test.b, test.a); got != test.want {
			t.Errorf("%q and %q: %v", test.b, test.a, got)
		}
	}
}

// alike says whether one word is easily taken for another: one letter more, less or
// other, two neighbours swapped, one the beginning of the other, or the same four
// letters at the beginning.
func alike(a, b string) bool {
	if len(a) > len(b) {
		a, b = b, a
	}
	if strings.HasPrefix(b, a) || len(a) > 3 && a[:4] == b[:4] {
		return true
	}
	from := 0 // the first letter that differs
	for from < len(a) && a[from] == b[from] {
		from++
	}
	switch len(b) - len(a) {
	case 0:
		return a[from+1:] == b[from+1:] ||
			from+1 < len(a) && a[from] == b[from+1] && a[from+1] == b[from] && a[from+2:] == b[from+2:]
	case 1:
		return a[from:] == b[from+1:]
	}
	return false
}

func TestWords(t *testing.T) {
	var f Fingerprint
	if got, want := f.Words(), strings.TrimSpace(strings.Repeat("acid ", 6)); got != want {
		t.Errorf("zero: %q, want %q", got, want)
	}
	for i := range f {
		f[i] = 0xff
	}
	if got, want := f.Words(), strings.TrimSpace(strings.Repeat("zipper ", 6)); got != want {
		t.Errorf("ones: %q, want %q", got, want)
	}
	// 0, 1, 2, 3, 4, 5 in ten bits each.
	f = Fingerprint{0x00, 0x00, 0x10, 0x08, 0x03, 0x01, 0x00, 0x50}
	if got, want := f.Words(), strings.Join(words[:6], " "); got != want {
		t.Errorf("in order: %q, want %q", got, want)
	}
	// Each of the first 60 bits changes the words, and no other does.
	for bit := range 256 {
		g := f
		g[bit/8] ^= 0x80 >> (bit % 8)
		if changed := g.Words() != f.Words(); changed != (bit < 60) {
			t.Errorf("bit %d changes the words: %v", bit, changed)
		}
	}
}

func TestFingerprintText(t *testing.T) {
	f := Fingerprint{0: 0xab, 15: 0x01, 16: 0x02, 31: 0xef}
	s := f.String()
	if want := "ab" + strings.Repeat("00", 14) + "0102" + strings.Repeat("00", 14) + "ef"; s != want {
		t.Fatalf("%s, want %s", s, want)
	}
	for _, text := range []string{s, strings.ToUpper(s)} {
		if got, err := ParseFingerprint(text); err != nil || got != f {
			t.Errorf("ParseFingerprint(%q) = %v, %v", text, got, err)
		}
	}
	for _, text := range []string{"", s[1:], s + "00", " " + s[1:], "g" + s[1:], f.Words()} {
		if _, err := ParseFingerprint(text); err == nil {
			t.Errorf("ParseFingerprint(%q) succeeds", text)
		}
	}
	if id := f.UserID(); id != [16]byte{0: 0xab, 15: 0x01} {
		t.Errorf("user id %x", id)
	}
	var back Fingerprint
	text, err := json.Marshal(f)
	if err != nil || string(text) != `"`+s+`"` {
		t.Fatalf("as JSON %s, %v", text, err)
	}
	if err := json.Unmarshal(text, &back); err != nil || back != f {
		t.Errorf("from JSON %v, %v", back, err)
	}
	if err := json.Unmarshal([]byte(`"12"`), &back); err == nil {
		t.Error("a short one is taken from JSON")
	}
}

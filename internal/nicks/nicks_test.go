package nicks

import (
	"strings"
	"testing"
	"unicode/utf8"
)

func TestSame(t *testing.T) {
	same := [][]string{
		{"ann", "ANN", "Ann", "ａｎｎ", "аnn", "𝐚𝐧𝐧", "ɑnn"}, // Cyrillic а, mathematical letters, Latin alpha
		{"bill", "BILL", "biil", "b1ll", "bi|l", "BlLL"},
		{"bob", "b0b", "BOB", "bоb", "Вob"},
		{"вов", "ВОВ", "Вов"},
		{"BOB", "ВОВ"},
		{"modern", "rnodern", "MODERN"},
		{"paypal", "раураӏ"},
		{"straße", "STRAßE"},
		{"Ἀθηνᾶ", "ἀθηνᾶ"},
	}
	for _, group := range same {
		for _, a := range group {
			for _, b := range group {
				if !Same(a, b) {
					t.Errorf("%s and %s are two nicks: %q, %q", a, b, Keys(a), Keys(b))
				}
			}
		}
	}
	all := []string{"ann", "anna", "bob", "bobby", "käthe", "kathe", "мария", "marie", "山田", "山口", "김민수", "ann-2", "ann-3", "guest-1", "guest-2", "🦊", "🐺"}
	for i, a := range all {
		for _, b := range all[:i] {
			if Same(a, b) {
				t.Errorf("%s and %s are one nick", a, b)
			}
		}
	}
}

func TestPrepare(t *testing.T) {
	for nick, want := range map[string]string{"ann": "ann", "Ann_2": "Ann_2", "ａｎｎ": "ann", "мария": "мария", "山田taro": "山田taro", "김-lee": "김-lee", "🦊": "🦊", "fox🦊": "fox🦊", "Ελένη": "Ελένη"} {
		if got, err := Prepare(nick); err != nil || got != want {
			t.Errorf("%s becomes %q, %v", nick, got, err)
		}
	}
	for _, nick := range []string{"аnn", "annα", "мapия", "a\u0000b", "a\x1bb", "", "\xff", "\u200b"} {
		if got, err := Prepare(nick); err == nil {
			t.Errorf("%q is taken, as %q", nick, got)
		}
	}
}

func FuzzNicks(f *testing.F) {
	for _, nick := range []string{"ann", "ANN", "аnn", "Ａ", "ß", "İ", "🦊", "\xff", "1l|I", "山田taro"} {
		f.Add(nick)
	}
	f.Fuzz(func(t *testing.T, nick string) {
		prepared, err := Prepare(nick)
		if err != nil {
			return
		}
		if !utf8.ValidString(prepared) || prepared == "" {
			t.Fatalf("%q becomes %q", nick, prepared)
		}
		again, err := Prepare(prepared)
		if err != nil || again != prepared {
			t.Errorf("%q, prepared, becomes %q: %v", prepared, again, err)
		}
		if !Same(prepared, nick) {
			t.Errorf("%q and what it becomes, %q, are two nicks", nick, prepared)
		}
		if other := strings.ToUpper(prepared); !Same(prepared, other) {
			t.Errorf("%q and %q are two nicks: %q, %q", prepared, other, Keys(prepared), Keys(other))
		}
	})
}

package main

import (
	"bytes"
	"fmt"
	"os"
	"strconv"
	"testing"
	"unicode"
	"unicode/utf8"
)

// controls reads what goes to a terminal as ECMA-48 and xterm do, and counts its
// control functions by what they are: "CSI ?1049h", "CSI m", "OSC 52", "ESC (",
// "DCS", "C0 07". Parameters count only where they say what the function does. The
// rest is the text, with newlines.
func controls(b []byte) (kinds map[string]int, text []byte) {
	kinds = map[string]int{}
	for i := 0; i < len(b); {
		r, n := utf8.DecodeRune(b[i:])
		switch {
		case r == 0x1b:
			kind, n := escape(b[i+1:])
			kinds[kind]++
			i += 1 + n
			continue
		case r == utf8.RuneError && n == 1 && b[i] < 0xa0, unicode.Is(unicode.Cc, r) && r >= 0x80:
			kinds[fmt.Sprintf("C1 %02x", b[i+n-1])]++ // in eight bits, or as UTF-8
		case r == utf8.RuneError && n == 1:
			kinds["no UTF-8"]++
		case r == 0x7f, r < ' ' && r != '\n':
			kinds[fmt.Sprintf("C0 %02x", r)]++
		default:
			text = append(text, b[i:i+n]...)
		}
		i += n
	}
	return kinds, text
}

// escape is the function whose bytes come behind an ESC, and how many they are.
func escape(b []byte) (kind string, n int) {
	if len(b) == 0 {
		return "ESC at the end", 0
	}
	switch b[0] {
	case '[':
		end := bytes.IndexFunc(b[1:], func(r rune) bool { return r >= 0x40 && r <= 0x7e })
		if end < 0 {
			return "CSI without an end", len(b)
		}
		params, final := string(b[1:1+end]), string(b[1+end])
		switch {
		case final == "h" || final == "l" || final == "t" || final == "u" || final == "q" || final == "r":
			return "CSI " + params + final, end + 2
		case params != "" && params[0] >= '<' && params[0] <= '?':
			return "CSI " + params[:1] + final, end + 2
		}
		return "CSI " + final, end + 2
	case ']', 'P', '_', '^', 'X', 'k':
		end, length := len(b), len(b)
		for i := 1; i < len(b); i++ {
			if b[i] == 7 || b[i] == 0x1b {
				if end, length = i, i+1; b[i] == 0x1b {
					length++
				}
				break
			}
		}
		name := map[byte]string{']': "OSC", 'P': "DCS", '_': "APC", '^': "PM", 'X': "SOS", 'k': "screen's title"}[b[0]]
		if b[0] == ']' {
			number, _, _ := bytes.Cut(b[1:end], []byte{';'})
			name += " " + string(number[:min(len(number), 4)])
		}
		return name, min(length, len(b))
	case '(', ')', '*', '+', '#', ' ', '%':
		return "ESC " + string(b[:min(2, len(b))]), min(2, len(b))
	}
	return "ESC " + string(b[:1]), 1
}

// Every way to write a control is seen.
func TestControlsAreSeen(t *testing.T) {
	for in, want := range map[string]string{
		"\x1b]52;c;x\x07": "OSC 52", "\x1b]8;;u\x1b\\": "OSC 8", "\x1b]0;t\x07": "OSC 0", "\x1b]P1ffffff": "OSC P1ff", "\x1bPq\x1b\\": "DCS",
		"\x1b_G\x1b\\": "APC", "\x1b^x\x1b\\": "PM", "\x1bXx\x1b\\": "SOS", "\x1bkx\x1b\\": "screen's title", "\x1b[2J": "CSI J", "\x1b[1;2m": "CSI m",
		"\x1b[?1049h": "CSI ?1049h", "\x1bc": "ESC c", "\x1b(0": "ESC (0", "\u009b2J": "C1 9b", "\x9b2J": "C1 9b", "\xff": "no UTF-8", "\x05": "C0 05",
		"\x7f": "C0 7f", "\x1b": "ESC at the end", "\x1b[>4;2m": "CSI >m",
	} {
		kinds, text := controls([]byte("a" + in))
		if len(kinds) == 0 || kinds[want] != 1 {
			t.Errorf("%q: %v, want %s", in, kinds, want)
		}
		if text[0] != 'a' {
			t.Errorf("%q: text %q", in, text)
		}
	}
	if kinds, text := controls([]byte("ü\x1b[1mx\x1b]0;t\x07y\n")); string(text) != "üxy\n" || len(kinds) != 2 {
		t.Errorf("%v %q", kinds, text)
	}
}

// evil is one text of the corpus.
type evil struct{ name, text string }

func corpus(t testing.TB) (all []evil) {
	t.Helper()
	data, err := os.ReadFile("testdata/hostile.txt")
	if err != nil {
		t.Fatal(err)
	}
	for line := range bytes.Lines(data) {
		name, quoted, ok := bytes.Cut(bytes.TrimSpace(line), []byte{' '})
		if len(name) == 0 || name[0] == '#' {
			continue
		}
		text, err := strconv.Unquote(string(quoted))
		if !ok || err != nil {
			t.Fatalf("testdata/hostile.txt: %s: %v", line, err)
		}
		all = append(all, evil{string(name), text})
	}
	return all
}

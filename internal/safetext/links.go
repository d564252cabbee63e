package safetext

import (
	"strings"
	"unicode"
	"unicode/utf8"

	"golang.org/x/net/idna"
)

// Link is how long the link is that begins at a place of a text, 0 where none does.
// Only http and https are links, and none begins within a word. What ends a sentence
// around one is no part of it, nor is anything behind a backslash, which some programs
// take for a slash.
func Link(text string, at int) int {
	s := text[at:]
	scheme := schemeLen(s)
	if scheme == 0 || inWord(text[:at]) {
		return 0
	}
	end := strings.IndexFunc(s, func(r rune) bool {
		return unicode.IsSpace(r) || unicode.IsControl(r) || r == utf8.RuneError || strings.ContainsRune("<>\"`\\", r)
	})
	if end < 0 {
		end = len(s)
	}
	open, closed := strings.Count(s[:end], "("), strings.Count(s[:end], ")")
	for end > scheme {
		last, n := utf8.DecodeLastRuneInString(s[:end])
		if last == ')' && open >= closed || !strings.ContainsRune(".,;:!?')]}*", last) && (last < utf8.RuneSelf || !unicode.IsPunct(last)) {
			return end
		}
		if last == ')' {
			closed--
		}
		end -= n
	}
	return 0
}

func schemeLen(s string) int {
	for _, name := range []string{"https://", "http://"} {
		if len(s) > len(name) && strings.EqualFold(s[:len(name)], name) {
			return len(name)
		}
	}
	return 0
}

// inWord reports whether what follows s goes on with a word.
func inWord(s string) bool {
	last, _ := utf8.DecodeLastRuneInString(s)
	return s != "" && (unicode.IsLetter(last) || unicode.IsDigit(last))
}

// Links has every link in a text show where it leads: the host as the network knows
// it (xn--…, so that no letter passes for another one), everything else that is not
// ASCII percent-encoded. Behind one with an @ before its host, which can pass for
// another host, the host stands once more: https://bank.example@evil.example
// (at evil.example). It is idempotent; text without links stays as it is.
func Links(s string) string {
	if !strings.Contains(s, "://") {
		return s
	}
	var out strings.Builder
	done := 0
	for at := 0; at < len(s); {
		i := strings.IndexAny(s[at:], "hH")
		if i < 0 {
			break
		}
		at += i
		n := Link(s, at)
		if n == 0 {
			at++
			continue
		}
		link, aside := shown(s[at : at+n])
		out.WriteString(s[done:at])
		out.WriteString(link)
		if at += n; !strings.HasPrefix(s[at:], aside) {
			out.WriteString(aside)
		}
		done = at
	}
	return out.String() + s[done:]
}

// shown is a link as it is to be seen, and what is to be said beside it.
func shown(link string) (whole, aside string) {
	scheme := schemeLen(link)
	rest := link[scheme:]
	end := strings.IndexAny(rest, "/?#")
	if end < 0 {
		end = len(rest)
	}
	authority, rest := rest[:end], rest[end:]
	at := strings.LastIndexByte(authority, '@') + 1
	host := hostOf(authority[at:])
	if at > 0 && host != "" {
		aside = " (at " + host + ")"
	}
	return link[:scheme] + encoded(authority[:at]) + host + encoded(rest), aside
}

// hostOf is a host, with its port, in ASCII.
func hostOf(s string) string {
	if isASCII(s) {
		return s
	}
	host, port := s, ""
	if i := strings.LastIndexByte(s, ':'); i >= 0 {
		host, port = s[:i], s[i:]
	}
	if ascii, err := idna.Lookup.ToASCII(host); err == nil && isASCII(ascii) {
		return ascii + encoded(port)
	}
	return encoded(s) // no program would go there
}

// encoded percent-encodes what is not ASCII.
func encoded(s string) string {
	if isASCII(s) {
		return s
	}
	const digits = "0123456789ABCDEF"
	out := make([]byte, 0, 3*len(s))
	for i := range len(s) {
		if c := s[i]; c < utf8.RuneSelf {
			out = append(out, c)
		} else {
			out = append(out, '%', digits[c>>4], digits[c&15])
		}
	}
	return string(out)
}

func isASCII(s string) bool {
	for i := range len(s) {
		if s[i] >= utf8.RuneSelf {
			return false
		}
	}
	return true
}

package shell

import "strings"

// word is the one that the cursor is behind.
type word struct {
	value string // without its quotes
	quote byte   // the one that is open: ' or ", or 0
	fixed int    // so much of the value is before the last word break, and stays
}

// splitLine takes a line of bash up to the cursor apart into words, without the
// first, which is the program. The last one is what is to be completed. Nothing is
// expanded: a variable stands for itself.
func splitLine(line, breaks string) (words []string, last word) {
	var value strings.Builder
	inWord := false
	fixed := 0
	var open byte
	for i := 0; i < len(line); i++ {
		c := line[i]
		switch {
		case open == '\'' && c != '\'', open == '"' && c != '"' && c != '\\':
			value.WriteByte(c)
		case open != 0 && c == open:
			open = 0
			fixed = value.Len() // readline takes a quote for a break
		case c == '\\' && i+1 < len(line):
			i++
			if open == '"' && !strings.ContainsRune("$`\"\\", rune(line[i])) {
				value.WriteByte('\\')
			}
			value.WriteByte(line[i])
			inWord = true
		case c == '\\': // the cursor is behind it
		case c == '\'' || c == '"':
			open, inWord = c, true
			fixed = value.Len()
		case c == ' ' || c == '\t' || c == '\n':
			if inWord {
				words = append(words, value.String())
				value.Reset()
				inWord, fixed = false, 0
			}
		default:
			value.WriteByte(c)
			inWord = true
			if strings.IndexByte(breaks, c) >= 0 {
				fixed = value.Len()
			}
		}
	}
	words = append(words, value.String())
	if len(words) == 1 { // not even a space behind the program
		words = append(words, "")
	}
	return words[1:], word{words[len(words)-1], open, fixed}
}

// quote writes s as it must stand in a line of bash, behind the quote that is open.
// It is false where s cannot stand there.
func quote(s string, open byte) (string, bool) {
	switch {
	case strings.ContainsFunc(s, func(r rune) bool { return r < ' ' || r == 0x7f }):
		return "", false
	case open == '\'':
		return s, !strings.Contains(s, "'")
	case open == '"':
		return s, !strings.ContainsAny(s, "$`\"\\!")
	}
	var b strings.Builder
	for _, r := range s {
		if r < 0x80 && !strings.ContainsRune("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-./:,@%+=", r) {
			b.WriteByte('\\')
		}
		b.WriteRune(r)
	}
	return b.String(), true
}

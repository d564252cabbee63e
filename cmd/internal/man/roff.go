package man

import (
	"fmt"
	"strings"
	"unicode"
	"unicode/utf8"
)

// item writes a tagged paragraph; tag is in roff already.
func item(b *strings.Builder, tag, about string) {
	fmt.Fprintf(b, ".TP\n%s\n%s\n", tag, filled(about))
}

// prose writes paragraphs; lines in them that are indented stay as they are.
func prose(b *strings.Builder, paragraphs []string) {
	for i, p := range paragraphs {
		if i > 0 {
			b.WriteString(".PP\n")
		}
		var fixed []string
		for line := range strings.SplitSeq(p, "\n") {
			if strings.HasPrefix(line, " ") {
				fixed = append(fixed, line)
				continue
			}
			if len(fixed) > 0 {
				inset(b, fixed)
				fixed = nil
			}
			b.WriteString(filled(line) + "\n")
		}
		if len(fixed) > 0 {
			inset(b, fixed)
		}
	}
}

// sourceWidth is how long lines are in a page's source, about, in characters; the
// reader's are filled anew.
const sourceWidth = 64

// filled is lines of text that is not verbatim.
func filled(s string) string {
	var b strings.Builder
	at := 0
	for i, word := range strings.Fields(s) {
		switch n := utf8.RuneCountInString(word); {
		case i == 0:
			at = n
		case at+1+n > sourceWidth:
			b.WriteByte('\n')
			at = n
		default:
			b.WriteByte(' ')
			at += 1 + n
		}
		b.WriteString(word)
	}
	return lines(b.String())
}

// inset writes lines as they are, indented.
func inset(b *strings.Builder, all []string) {
	b.WriteString(".RS 2\n")
	verbatim(b, all)
	b.WriteString(".RE\n")
}

// verbatim writes lines as they are, less the indent that they share.
func verbatim(b *strings.Builder, all []string) {
	indent := -1
	for _, line := range all {
		if n := len(line) - len(strings.TrimLeft(line, " ")); strings.TrimSpace(line) != "" && (indent < 0 || n < indent) {
			indent = n
		}
	}
	b.WriteString(".nf\n")
	for _, line := range all {
		b.WriteString(lines(line[min(max(indent, 0), len(line)):]) + "\n")
	}
	b.WriteString(".fi\n")
}

// lines is text, with what roff would take for a request at a line's beginning
// made harmless.
func lines(s string) string {
	all := strings.Split(text(s), "\n")
	for i, line := range all {
		if line == "" || line[0] == '.' || line[0] == '\'' {
			all[i] = "\\&" + line
		}
	}
	return strings.Join(all, "\n")
}

// named are the characters that roff would change or take for something else.
var named = map[rune]string{'\\': "\\e", '-': "\\-", '\'': "\\(aq", '`': "\\(ga", '^': "\\(ha", '~': "\\(ti", '"': "\\(dq"}

// text writes s so that roff shows every character as it is.
func text(s string) string {
	var b strings.Builder
	for _, r := range s {
		switch name, special := named[r]; {
		case special:
			b.WriteString(name)
		case r >= utf8.RuneSelf:
			fmt.Fprintf(&b, "\\[u%04X]", r)
		default:
			b.WriteRune(r)
		}
	}
	return b.String()
}

// lower begins a line of NAME as is usual there, unless the word is a name itself.
func lower(s string) string {
	r, n := utf8.DecodeRuneInString(s)
	if next, _ := utf8.DecodeRuneInString(s[n:]); unicode.IsUpper(next) {
		return s
	}
	return string(unicode.ToLower(r)) + s[n:]
}

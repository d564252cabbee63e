package lines

import (
	"bytes"
	"fmt"
	"strings"
	"unicode/utf8"

	"lanchat/internal/safetext"
)

// TextMost is how many bytes of text can be sent as code blocks; what is longer is
// better sent line by line.
const TextMost = 1 << 20

// NotText reports why data cannot be shown as text: it has a NUL byte, as no text
// has, or more than a tenth of it is no UTF-8. A byte here and there that is not
// becomes U+FFFD.
func NotText(data []byte) error {
	if i := bytes.IndexByte(data, 0); i >= 0 {
		return fmt.Errorf("it is no text: byte %d is NUL", i+1)
	}
	bad := 0
	for rest := data; len(rest) > 0; {
		r, n := utf8.DecodeRune(rest)
		if r == utf8.RuneError && n == 1 {
			bad++
		}
		rest = rest[n:]
	}
	if bad*10 > len(data) {
		return fmt.Errorf("it is no text: %d of its %d bytes are no UTF-8", bad, len(data))
	}
	return nil
}

// CodeBlocks makes code blocks of a text, each a post of at most limit bytes: one,
// if it fits, or several that are cut at the ends of lines, and within a line only
// where that alone is too long. Each begins with the title, if there is one, and
// with more than one block with its number. The fence is longer than any in the text.
func CodeBlocks(text, title string, limit int) ([]string, error) {
	text = strings.Trim(safetext.Text(text), "\n") // as it will be shown, and counted
	if strings.TrimSpace(text) == "" {
		return nil, fmt.Errorf("there is nothing to send: it is empty")
	}
	fence := strings.Repeat("`", max(3, longestRun(text, '`')+1))
	if title != "" {
		title = safetext.Line(title)
	}
	block := func(head, code string) string {
		if head != "" {
			head += "\n"
		}
		return head + fence + "\n" + code + "\n" + fence
	}
	if whole := block(title, text); len(whole) <= limit {
		return []string{whole}, nil
	}
	number := func(i, n int) string { return strings.TrimSpace(fmt.Sprintf("%s (%d of %d)", title, i, n)) }
	room := limit - len(block(number(TextMost, TextMost), ""))
	if room < limit/2 {
		return nil, fmt.Errorf("it has %d backticks in a row: a code block of %d bytes cannot hold it", len(fence)-1, limit)
	}
	parts := cut(text, room)
	for i, part := range parts {
		parts[i] = block(number(i+1, len(parts)), part)
	}
	return parts, nil
}

// cut cuts a text into parts of at most most bytes, at the ends of lines where that
// can be, and never within a character.
func cut(text string, most int) (parts []string) {
	for len(text) > most {
		at := strings.LastIndexByte(text[:most+1], '\n')
		if at > 0 {
			parts, text = append(parts, text[:at]), text[at+1:]
			continue
		}
		for at = most; !utf8.RuneStart(text[at]); at-- {
		}
		parts, text = append(parts, text[:at]), text[at:]
	}
	return append(parts, text)
}

func longestRun(text string, of byte) (longest int) {
	run := 0
	for i := range len(text) {
		if text[i] != of {
			run = 0
			continue
		}
		run++
		longest = max(longest, run)
	}
	return longest
}

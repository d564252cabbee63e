package tui

import "strings"

// openFence reports whether a text ends inside a code block: behind three
// backticks or more that begin a line and have not come again.
func openFence(text string) bool {
	for text != "" {
		line, rest, _ := strings.Cut(text, "\n")
		bare := strings.TrimLeft(line, " \t")
		behind := strings.TrimLeft(bare, "`")
		fence := bare[:len(bare)-len(behind)]
		if len(fence) < 3 {
			text = rest
			continue
		}
		_, after, closed := strings.Cut(text[len(line)-len(behind):], fence)
		if !closed {
			return true
		}
		if _, text, closed = strings.Cut(after, "\n"); !closed {
			return false
		}
	}
	return false
}

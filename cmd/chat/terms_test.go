package main

import (
	"fmt"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"unicode/utf8"
)

// The same evening in the terminals that people have: what is pasted arrives in
// its lines, Alt+Enter breaks one, the place in the talk survives a resize, and
// the terminal is left as it was.
func TestEveryTerminal(t *testing.T) {
	t.Parallel()
	for _, kind := range []string{"xterm-256color", "tmux-256color", "screen", "linux"} {
		t.Run(kind, func(t *testing.T) {
			t.Parallel()
			s := newSite(t)
			s.env = append(s.env, "TERM="+kind)
			_, addr, _ := s.chatd("Hack Night", "--memory")
			lines := make([]string, 120)
			for i := range lines {
				lines[i] = fmt.Sprintf("line %d of the talk so far", i+1)
			}
			if code, _, stderr := s.chat(strings.Join(lines, "\n"), "send", "-s", addr, "--nick", "bob"); code != 0 {
				t.Fatal(stderr)
			}
			term := newTerminal(t, s.env)
			term.type_("export TERM=" + kind + "; stty -a > " + s.file("before"))
			term.type_(filepath.Join(s.bin, "chat") + " join " + addr + " --nick ann --discovery-interface lo")
			term.await("#lobby>", "you are ann", "line 120 of the talk")

			// Tmux brackets a paste where the program has asked for it; where it has not,
			// each line is sent by itself.
			term.must("set-buffer", "one\ntwo\n\tthree\nfour\n  five\nsix\nseven\neight\n")
			term.must("paste-buffer", "-p")
			term.key("Enter")
			screen := term.await("one", "two", "three", "four", "  five", "six", "seven", "eight")
			at := -1
			for _, word := range []string{"one", "two", "three", "four", "five", "six", "seven", "eight"} {
				next := strings.Index(screen, word)
				if next <= at {
					t.Errorf("%s is not behind what was pasted before it:\n%s", word, screen)
				}
				if at >= 0 && !strings.Contains(screen[at:next], "\n") {
					t.Errorf("%s is on the line before it:\n%s", word, screen)
				}
				at = next
			}

			term.must("send-keys", "-l", "upper half")
			term.key("M-Enter")
			term.must("send-keys", "-l", "lower half")
			term.key("Enter")
			rows := strings.Split(term.await("upper half", "lower half"), "\n")
			for i, row := range rows {
				if strings.Contains(row, "upper half") && !strings.Contains(rows[i+1], "lower half") {
					t.Errorf("Alt+Enter has not broken the line:\n%s", strings.Join(rows, "\n"))
				}
			}

			term.key("PageUp")
			once := firstLine(term.await("▼"))
			term.key("PageUp")
			before := firstLine(term.until("a page further up than "+once, func(screen string) bool { return firstLine(screen) != once }))
			for _, size := range [][2]int{{60, 20}, {100, 30}, {40, 12}, {80, 24}} {
				term.must("resize-window", "-x", strconv.Itoa(size[0]), "-y", strconv.Itoa(size[1]))
				// The status fills its row to the end: then it was drawn for this size.
				term.until("drawn at the new size, beginning with "+before, func(screen string) bool {
					rows := strings.Split(strings.TrimRight(screen, "\n"), "\n")
					return len(rows) == size[1] && utf8.RuneCountInString(rows[len(rows)-1]) == size[0] && firstLine(screen) == before
				})
			}

			term.type_("/quit")
			term.shell()
			term.type_("stty -a > " + s.file("after") + "; echo left with $?")
			if screen := term.await("left with 0"); strings.Contains(screen, "line 1") {
				t.Errorf("the screen is not as it was:\n%s", screen)
			}
			if modes := term.must("display-message", "-p", "#{alternate_on} #{cursor_flag} #{mouse_any_flag}"); strings.TrimSpace(modes) != "0 1 0" {
				t.Errorf("alternate screen, cursor, mouse: %s, want 0 1 0", modes)
			}
			same(t, s.file("before"), s.file("after"))
		})
	}
}

// firstLine is the first "line N" on the screen.
func firstLine(screen string) string {
	_, rest, _ := strings.Cut(screen, "line ")
	number, _, _ := strings.Cut(rest, " ")
	return "line " + number
}

package main

import (
	"fmt"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// terminal is a shell in a real terminal, tmux's, of 80×24.
type terminal struct {
	testing.TB
	socket string
}

func newTerminal(t testing.TB, env []string) *terminal {
	t.Helper()
	if _, err := exec.LookPath("tmux"); err != nil {
		t.Skip("tmux is not installed: no real terminal to try the client in")
	}
	term := &terminal{t, filepath.Join(t.TempDir(), "tmux")}
	// The shell is bare, so that the screen shows what we put there alone.
	cmd := exec.Command("tmux", "-S", term.socket, "-f", "/dev/null", "new-session", "-d", "-x", "80", "-y", "24", "PS1='$ ' exec sh")
	cmd.Env = append(env, "TERM=xterm-256color", "LC_ALL=C.UTF-8", "ENV=")
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("tmux: %v\n%s", err, out)
	}
	t.Cleanup(func() { term.tmux("kill-server") })
	term.await("$")
	return term
}

func (term *terminal) tmux(args ...string) (string, error) {
	out, err := exec.Command("tmux", append([]string{"-S", term.socket}, args...)...).CombinedOutput()
	return string(out), err
}

func (term *terminal) must(args ...string) string {
	term.Helper()
	out, err := term.tmux(args...)
	if err != nil {
		term.Fatalf("tmux %v: %v\n%s", args, err, out)
	}
	return out
}

func (term *terminal) screen() string { return term.must("capture-pane", "-p") }

// shell waits until a program has given the terminal back: what is typed before
// that is the program's.
func (term *terminal) shell() {
	term.Helper()
	term.until("the shell's screen", func(string) bool {
		return strings.TrimSpace(term.must("display-message", "-p", "#{alternate_on} #{pane_current_command}")) == "0 sh"
	})
}

// type_ types a text and Enter.
func (term *terminal) type_(text string) {
	term.Helper()
	term.must("send-keys", "-l", text)
	term.must("send-keys", "Enter")
}

func (term *terminal) key(key string) {
	term.Helper()
	term.must("send-keys", key)
}

// await waits until the screen has all of what.
func (term *terminal) await(what ...string) string {
	term.Helper()
	return term.until(fmt.Sprintf("%q", what), func(screen string) bool {
		for _, w := range what {
			if !strings.Contains(screen, w) {
				return false
			}
		}
		return true
	})
}

// until waits for a screen that fits.
func (term *terminal) until(what string, fits func(screen string) bool) string {
	term.Helper()
	limit := time.After(patience)
	for tick := time.NewTicker(20 * time.Millisecond); ; {
		screen := term.screen()
		if fits(screen) {
			return screen
		}
		select {
		case <-tick.C:
		case <-limit:
			term.Fatalf("waiting for %s; the screen has:\n%s", what, screen)
		}
	}
}

// Two people in two real terminals: one hosts, one joins without an address.
func TestTwoTerminals(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	common := fmt.Sprintf(" --discovery-interface lo --discovery-port %s", s.port)
	chat := filepath.Join(s.bin, "chat")
	ann, bob := newTerminal(t, home(t)), newTerminal(t, home(t))
	ann.type_("echo before; stty -a > " + s.file("before"))
	ann.await("before")
	ann.type_(chat + " host 'Hack Night' --listen 127.0.0.1:0 --nick ann" + common)
	ann.await("#lobby>", "Hack Night", "you are ann")
	bob.type_(chat + " --nick bob" + common)
	bob.await("#lobby>", "you are bob")

	ann.type_("hello bob")
	bob.await("hello bob")
	bob.type_("hello ann")
	ann.await("hello ann")

	ann.type_("/join kitchen")
	ann.await("kitchen")
	ann.type_("anybody cooking?")
	ann.await("anybody cooking?")
	bob.type_("where are you, ann?")
	ann.await("2") // unread: lobby has something for her
	ann.key("M-1")
	ann.await("where are you, ann?")
	bob.type_("/msg ann psst")
	bob.await("psst", "@ann")
	ann.await("@bob")

	bob.type_("/frobnicate")
	bob.await("no command /frobnicate")
	bob.key("C-c") // what cannot be sent stays in the input
	bob.type_("/quit")
	bob.shell()
	bob.type_("echo bob is back in the shell $?")
	bob.await("bob is back in the shell 0")

	ann.type_("/quit")
	ann.shell()
	ann.type_("stty -a > " + s.file("after") + "; echo left with $?")
	screen := ann.await("left with 0")
	if !strings.Contains(screen, "before") || strings.Contains(screen, "hello ann") {
		t.Errorf("the screen is not as it was:\n%s", screen)
	}
	same(t, s.file("before"), s.file("after"))
	if modes := ann.must("display-message", "-p", "#{alternate_on} #{cursor_flag} #{mouse_any_flag}"); strings.TrimSpace(modes) != "0 1 0" {
		t.Errorf("alternate screen, cursor, mouse: %s, want 0 1 0", modes)
	}
}

// same holds what stty said before against what it says after.
func same(t testing.TB, before, after string) {
	t.Helper()
	if out, err := exec.Command("diff", before, after).CombinedOutput(); err != nil {
		t.Errorf("the terminal's modes are not as they were:\n%s", out)
	}
}

// file is a file of the test's.
func (s *site) file(name string) string { return filepath.Join(s.bin, name+"-"+s.port) }

// Two servers: the user chooses, and the name is remembered with its key.
func TestChooseInATerminal(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	s.chatd("Build Room", "--memory")
	_, _, key := s.chatd("Hack Night", "--memory")
	env := home(t)
	term := newTerminal(t, env)
	chat := filepath.Join(s.bin, "chat") + " --nick zoe --discovery-interface lo --discovery-port " + s.port
	term.type_(chat)
	term.await("Build Room", "Hack Night", key, "Host a room here")
	term.key("Down")
	term.key("Enter")
	term.await("#lobby>", "Hack Night", "you are zoe")
	term.type_("/quit")
	term.shell()
	term.type_(chat + " id forget 'Hack Night'")
	term.await("forgotten: the key of Hack Night")
}

func TestInterruptLeavesTheTerminal(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	term := newTerminal(t, home(t))
	term.type_(filepath.Join(s.bin, "chat") + " host Alone --nick ann --listen 127.0.0.1:0 --discovery-interface lo --discovery-port " + s.port)
	term.await("#lobby>", "Alone")
	term.key("C-c")
	term.key("C-c")
	term.shell()
	term.type_("echo back")
	if screen := term.await("back"); strings.Contains(screen, "lobby") {
		t.Errorf("the screen is not as it was:\n%s", screen)
	}
}

package main

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"lanchat/internal/config"
)

// configDir is where the programs of an environment keep their config.
func configDir(t testing.TB, env []string) string {
	t.Helper()
	for _, v := range slices.Backward(env) {
		if dir, ok := strings.CutPrefix(v, "XDG_CONFIG_HOME="); ok {
			dir = filepath.Join(dir, "lanchat")
			if err := os.MkdirAll(dir, 0o700); err != nil {
				t.Fatal(err)
			}
			return dir
		}
	}
	t.Fatal("no XDG_CONFIG_HOME")
	return ""
}

func write(t testing.TB, path, text string) {
	t.Helper()
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

func contents(t testing.TB, path string) string {
	t.Helper()
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(data)
}

// The first start asks for a name and nothing else; the next one asks nothing.
func TestFirstStart(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	env := home(t)
	term := newTerminal(t, env)
	host := filepath.Join(s.bin, "chat") + " host Alone --memory --listen 127.0.0.1:0 --discovery-interface lo --discovery-port " + s.port
	term.type_(host)
	term.await("Who are you?", "Your name:")
	term.key("Escape")
	term.shell()
	term.type_("echo left with $?")
	term.await("left with 0")
	term.type_("clear; " + host)
	term.await("Who are you?")
	term.key("C-u")
	term.type_("zoe")
	term.await("#lobby>", "Alone", "you are zoe")
	term.type_("/quit")
	term.shell()
	if text := contents(t, filepath.Join(configDir(t, env), config.FileName)); text != "nick = \"zoe\"\n" {
		t.Errorf("config.toml has %q", text)
	}
	term.type_("clear; " + host)
	term.await("#lobby>", "you are zoe")
	term.type_("/quit")
}

func TestKeepNick(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, config.FileName)
	real := filepath.Join(dir, "dotfiles.toml")
	write(t, real, "# mine\ntheme = \"dark\"\n")
	if err := os.Symlink(real, path); err != nil {
		t.Skip("no links here: ", err)
	}
	if err := keepNick(dir, "zoe"); err != nil {
		t.Fatal(err)
	}
	if text := contents(t, real); text != "nick = \"zoe\"\n# mine\ntheme = \"dark\"\n" {
		t.Errorf("the file has %q", text)
	}
	if info, err := os.Lstat(path); err != nil || info.Mode()&os.ModeSymlink == 0 {
		t.Errorf("the link is none any more: %v, %v", info.Mode(), err)
	}
	write(t, real, "theme = ")
	if err := keepNick(dir, "zoe"); err == nil || contents(t, real) != "theme = " {
		t.Errorf("a broken file becomes %q, %v", contents(t, real), err)
	}
}

// A broken file is told in one line, in the talk too, and stops nothing.
func TestABrokenConfig(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	s.chatd("Hack Night", "--memory")
	write(t, filepath.Join(configDir(t, s.env), config.FileName), "nick = \"zoe\"\n[keys]\npalete = \"Ctrl-G\"\n[notify]\nbell = 1\n")
	want := "config.toml:3: keys.palete: there is no such action; did you mean palette? (and 1 more mistake)"
	code, _, errs := s.chat("", "send", "hello")
	if code != exitDone || errs != "chat: "+want+"\n" {
		t.Errorf("%d, %q", code, errs)
	}
	if _, out, _ := s.chat("", "tail", "--follow=false"); !strings.Contains(out, "zoe") {
		t.Errorf("the nick is not that of the file:\n%s", out)
	}
	term := newTerminal(t, s.env)
	term.type_(filepath.Join(s.bin, "chat") + " --discovery-interface lo --discovery-port " + s.port)
	term.await("config.toml:3:", "did you mean palette?", "you are zoe")
	term.type_("/quit")
}

// A pipe, and a terminal that can draw nothing, get plain lines and no questions.
func TestPlainByItself(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	s.chatd("Hack Night", "--memory")
	for _, kind := range []string{"TERM=dumb", "-u TERM"} {
		env := home(t)
		term := newTerminal(t, env)
		term.type_("env " + kind + " " + filepath.Join(s.bin, "chat") + " --discovery-interface lo --discovery-port " + s.port)
		term.until("plain lines", func(screen string) bool {
			return strings.Contains(screen, "#lobby") && !strings.Contains(screen, "F1 help")
		})
		if modes := term.must("display-message", "-p", "#{alternate_on}"); strings.TrimSpace(modes) != "0" {
			t.Errorf("%s: a screen is drawn", kind)
		}
		term.type_("/quit")
		term.shell()
		term.type_("echo left with $?")
		term.await("left with 0")
	}
	code, out, errs := s.chat("hello\n/quit\n")
	if code != exitDone || strings.Contains(out+errs, "\x1b") || strings.Contains(out+errs, "Who are you") {
		t.Errorf("a pipe: %d, %q, %q", code, out, errs)
	}
}

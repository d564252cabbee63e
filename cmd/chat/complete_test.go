package main

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
)

func TestCompletion(t *testing.T) {
	s := newSite(t)
	_, addr, _ := s.chatd("Hack Night", "--memory")
	s.chatd("$(touch pwned)", "--memory")
	s.chatd("a`b", "--memory")
	s.chatd("a;b", "--memory")
	flags := []string{"--discovery-interface", "lo", "--discovery-port", s.port}
	expect := func(want []string, args ...string) {
		t.Helper()
		if got := s.completedWith(flags, args...); !slices.Equal(got, want) {
			t.Errorf("%q: offered %q, want %q", args, got, want)
		}
	}
	begin := time.Now()
	expect([]string{"Hack Night"}, "join", "")
	if took := time.Since(begin); took > 2*time.Second {
		t.Errorf("the servers took %v", took)
	}
	expect([]string{"Hack Night"}, "doctor", "")
	expect([]string{"Hack Night"}, "tail", "-s", "")
	expect(nil, "join", "Hack Night", "")
	expect(nil, "join", "--no-discovery", "") // and nobody was met

	// Rooms are told by a server that was met, and by no other; asking pins nothing.
	pins := filepath.Join(s.configDir(), "lanchat", "servers.json")
	expect([]string{"lobby"}, "tail", "-s", "Hack Night", "-r", "")
	if _, err := os.Stat(pins); err == nil {
		t.Error("a key was pinned")
	}
	for _, room := range []string{"build", "kitchen"} {
		if code, _, errs := s.chat("", "send", "-s", "Hack Night", "-r", room, "x"); code != 0 {
			t.Fatal(errs)
		}
	}
	before, err := os.ReadFile(pins)
	if err != nil {
		t.Fatal(err)
	}
	rooms := []string{"lobby", "build", "kitchen"}
	expect(rooms, "tail", "-s", "hack night", "-r", "")
	expect(rooms, "tail", "-s", addr, "--room", "")
	expect(rooms, "join", "Hack Night", "-r", "")
	expect(rooms, "tail", "--no-discovery", "-s", "Hack Night", "-r", "")
	expect([]string{"lobby"}, "tail", "-s", "Nobody", "-r", "")
	expect([]string{"lobby"}, "tail", "-s", "127.0.0.1:1", "-r", "")
	expect([]string{"Hack Night"}, "join", "--no-discovery", "")
	expect([]string{"Hack Night"}, "id", "forget", "")
	if after, err := os.ReadFile(pins); err != nil || string(after) != string(before) {
		t.Errorf("completion has changed %s: %v", pins, err)
	}
}

// completedWith is what is offered when these flags stand in the line.
func (s *site) completedWith(flags []string, args ...string) (offers []string) {
	s.Helper()
	words := append([]string{"__completeNoDesc", args[0]}, flags...)
	cmd := exec.Command(filepath.Join(s.bin, "chat"), append(words, args[1:]...)...)
	cmd.Env = s.env
	out, err := cmd.Output()
	lines := strings.Split(strings.TrimSpace(string(out)), "\n")
	if err != nil || lines[len(lines)-1] != ":4" {
		s.Errorf("%q: %v\n%s", args, err, out)
	}
	if len(lines) == 1 {
		return nil
	}
	return lines[:len(lines)-1]
}

func (s *site) configDir() string {
	for _, v := range slices.Backward(s.env) {
		if dir, ok := strings.CutPrefix(v, "XDG_CONFIG_HOME="); ok {
			return dir
		}
	}
	return ""
}

// A real bash, in a real terminal: names with spaces come out right, and what a
// name says is never run.
func TestCompletionInBash(t *testing.T) {
	t.Parallel()
	bash, err := exec.LookPath("bash")
	if err != nil {
		t.Skip("bash is not installed")
	}
	s := newSite(t)
	s.chatd("Hack Night", "--memory")
	s.chatd("Hack Day", "--memory")
	pwned := s.file("pwned")
	s.chatd("Hush $(touch "+filepath.Base(pwned)+") a", "--memory")
	s.chatd("Hush $(touch "+filepath.Base(pwned)+") b", "--memory")
	term := newTerminal(t, s.env)
	term.type_(fmt.Sprintf("cd %s; PATH=%s:$PATH PS1='$ ' HISTFILE= exec %s --norc --noprofile", s.bin, s.bin, bash))
	term.type_("source <(chat completion bash); echo loaded $?; clear")
	flags := "--discovery-interface lo --discovery-port " + s.port
	// Each line is shown, instead of being run.
	term.type_("show() { printf '[%s]' \"$@\"; echo; }; clear")
	line := func(typed string, keys ...string) {
		term.key("C-u")
		term.must("send-keys", "-l", typed)
		for _, k := range keys {
			term.key(k)
		}
	}
	run := func(want string) { // the line's words, as the shell takes them
		t.Helper()
		term.await(want)
	}
	line("chat join "+flags+" Ha", "Tab")
	run(`Hack\`)
	term.must("send-keys", "-l", "N")
	term.key("Tab")
	run(`Hack\ Night`)
	term.key("C-a")
	term.must("send-keys", "-l", "show ")
	term.key("Enter")
	run("[" + s.port + "][Hack Night]")

	line("chat tail "+flags+` -s "Hack D`, "Tab")
	run(`"Hack Day"`)
	line("chat tail "+flags+" --server=Hack\\ N", "Tab")
	run(`--server=Hack\ Night`)
	line("chat join "+flags+" Hu", "Tab", "Tab", "Tab")
	line("chat complet", "Tab")
	run("chat completion")
	if _, err := os.Stat(pwned); err == nil {
		t.Error("a server's name was run")
	}
	term.key("C-u")
}

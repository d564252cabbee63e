package main

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

func TestSendCodeAndFiles(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	_, addr, _ := s.chatd("Hack Night")
	s.env = append(s.env, "CHAT_SERVER="+addr)
	dir := t.TempDir()
	file := func(name, content string) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	long := strings.Repeat("a line of some text\n", 2000)
	for _, tt := range []struct {
		stdin string
		args  []string
		code  int
		errs  string
		sent  string // what the room has then at the end
	}{
		{"a\n\n  b\n", []string{"--code"}, exitDone, "", "```\na\n\n  b\n```"},
		{"", []string{"--code", "x", "y"}, exitDone, "", "```\nx y\n```"},
		{"", []string{"--file", file("a.txt", "in\n```\nit\n")}, exitDone, "", "a.txt\n````\nin\n```\nit\n````"},
		{"from a pipe", []string{"--file", "-"}, exitDone, "", "standard input\n```\nfrom a pipe\n```"},
		{"", []string{"--file", file("long.txt", long)}, exitDone, "it is sent as 3", "long.txt (3 of 3)\n"},
		{long, []string{"--code"}, exitDone, "it is sent as 3", "(3 of 3)\n"},
		{"beep", []string{"--bot"}, exitDone, "", "beep"},
		// What cannot be sent is said, and nothing is sent.
		{"", []string{"--file", file("image", "\x89PNG\r\n\x1a\n\x00\x00")}, exitFailed, "image: it is no text: byte 9 is NUL; nothing was sent", ""},
		{"a\x00b", []string{"--code"}, exitFailed, "standard input: it is no text: byte 2 is NUL; nothing was sent", ""},
		{"", []string{"--file", file("latin", strings.Repeat("\xe9\xe8", 50))}, exitFailed, "100 of its 100 bytes are no UTF-8", ""},
		{"", []string{"--file", file("huge", strings.Repeat(long, 40))}, exitFailed, "longer than 1024 KiB", ""},
		{"", []string{"--file", file("empty", "\n")}, exitFailed, "it is empty", ""},
		{"", []string{"--file", filepath.Join(dir, "nosuch")}, exitFailed, "no such file", ""},
		{"", []string{"--file", dir}, exitFailed, "is a directory", ""},
		{"", []string{"--code"}, exitFailed, "it is empty", ""},
		{"", []string{"--file", "x", "text"}, exitUsage, "one after the other", ""},
		{"", []string{"--file", ""}, exitUsage, "there is no file without a name", ""},
	} {
		code, _, errs := s.chat(tt.stdin, append([]string{"send"}, tt.args...)...)
		if code != tt.code || !strings.Contains(errs, tt.errs) || tt.errs == "" && errs != "" {
			t.Errorf("send %.80q: exit code %d, want %d and %q:\n%s", tt.args, code, tt.code, tt.errs, errs)
		}
		_, last, _ := s.chat("", "tail", "--follow=false", "-n", "1", "--exec", "cat")
		if tt.sent == "" {
			tt.sent = "beep"
		}
		if !strings.HasPrefix(last, tt.sent) {
			t.Errorf("send %.80q: the room ends with\n%.200s\nwant\n%s", tt.args, last, tt.sent)
		}
	}
	if _, out, _ := s.chat("", "tail", "--follow=false", "-n", "1"); !strings.Contains(out, " (bot)> beep\n") {
		t.Errorf("a bot's word is shown as %q", out)
	}
	if _, out, _ := s.chat("", "tail", "--follow=false", "-n", "1", "--json"); !strings.Contains(out, `"bot":true`) {
		t.Errorf("a bot's word is %q", out)
	}
}

// What a person sees of a long input on a terminal: how far it is, and why it is
// slow; nothing of that is left in the end, and nothing of it goes into a pipe.
func TestSendShowsProgress(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	_, addr, _ := s.chatd("Hack Night", "--post-rate", "5")
	path := filepath.Join(t.TempDir(), "log")
	if err := os.WriteFile(path, bytes.Repeat([]byte("a line\n"), 65), 0o600); err != nil {
		t.Fatal(err)
	}
	shell, err := exec.LookPath("sh")
	if err != nil {
		t.Skip("there is no shell: ", err)
	}
	cmd := s.command("chat", "send", "-s", addr)
	cmd.Path, cmd.Args = shell, append([]string{shell, "-c", `"$@" < "$0"; echo "exit code $?"`, path}, cmd.Args...)
	p := startInPty(t, 80, 24, cmd)
	p.see("65 lines read, ")
	p.see("; slow: the server takes 5/s")
	p.see("\r" + strings.Repeat(" ", 40))
	p.see(" \rexit code 0")

	piped := s.command("chat", "send", "-s", addr)
	piped.Stdin = strings.NewReader(strings.Repeat("a line\n", 20))
	if out, err := piped.CombinedOutput(); err != nil || len(out) > 0 {
		t.Errorf("into a pipe it says %q, %v", out, err)
	}
}

// Whoever reads tail and has enough ends it without a word.
func TestTailIntoAClosedPipe(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	_, addr, _ := s.chatd("Hack Night")
	s.env = append(s.env, "CHAT_SERVER="+addr)
	s.chat("one\ntwo\n", "send")
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	cmd := s.command("chat", "tail")
	var errs bytes.Buffer
	cmd.Stdout, cmd.Stderr = w, &errs
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	w.Close()
	if _, err := r.Read(make([]byte, 10)); err != nil {
		t.Fatal(err)
	}
	r.Close()
	s.chat("", "send", "three") // tail finds out with the next line
	err = cmd.Wait()
	if status := cmd.ProcessState.Sys().(syscall.WaitStatus); !status.Signaled() || status.Signal() != syscall.SIGPIPE || errs.Len() > 0 {
		t.Errorf("it ends with %v and says %q", err, errs.String())
	}
}

func TestTailExec(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	_, addr, _ := s.chatd("Hack Night")
	s.env = append(s.env, "CHAT_SERVER="+addr)
	s.chat("$(reboot)\n`reboot`\n", "send", "-r", "build")

	// Wrong usage is told at once, before anything is looked for.
	for _, tt := range []struct {
		args []string
		want string
	}{
		{[]string{"--exec", "no-such-program"}, "not found"},
		{[]string{"--exec", "./no such program"}, "no such file"},
		{[]string{"--exec", "cat -n"}, "its arguments stand behind --"},
		{[]string{"stray"}, "only for the program of --exec"},
		{[]string{"--reply"}, "there is none"},
		{[]string{"--exec", "cat", "--reply", "--follow=false"}, "--follow=false"},
	} {
		if code, out, errs := s.chat("", append([]string{"tail", "-s", "127.0.0.1:1"}, tt.args...)...); code != exitUsage || !strings.Contains(errs, tt.want) || out != "" {
			t.Errorf("tail %q: exit code %d, %q, %q", tt.args, code, out, errs)
		}
	}

	if code, out, errs := s.chat("", "tail", "-r", "build", "-n", "2", "--follow=false", "--exec", "cat", "--", "-n"); code != exitDone || errs != "" ||
		strings.Join(strings.Fields(out), " ") != "1 $(reboot) 1 `reboot`" {
		t.Errorf("%d, %q, %q", code, out, errs)
	}

	// Interrupted, it waits for the program that runs. A child can be a chat of its
	// own: it is told of the server and the room.
	sh, err := exec.LookPath("sh")
	if err != nil {
		t.Skip("there is no shell: ", err)
	}
	tail := start(t, s.command("chat", "tail", "-r", "build", "-n", "1", "--exec", sh, "--", "-c", `echo running; trap '' INT; sleep 0.5; "$0" send "$CHAT_FROM said: $(cat)"; echo done`, filepath.Join(s.bin, "chat")))
	tail.await("running")
	tail.cmd.Process.Signal(os.Interrupt)
	if code := tail.exit(); code != exitDone || tail.output() != "running\ndone\n" {
		t.Errorf("interrupted it ends with %d:\n%s", code, tail.output())
	}
	if _, out, _ := s.chat("", "tail", "-r", "build", "-n", "1", "--follow=false"); !strings.Contains(out, " said: `reboot`\n") {
		t.Errorf("the program has sent %q", out)
	}
}

// awaitBot waits until a bot is in the lobby.
func (s *site) awaitBot(nick string) {
	s.Helper()
	for range 100 {
		if _, out, _ := s.chat("", "who", "--json"); strings.Contains(out, `{"bot":true,"nick":"`+nick+`"`) {
			return
		}
	}
	s.Fatalf("the bot %s does not come", nick)
}

// A bot is one line of shell.
func TestShellBot(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	_, addr, _ := s.chatd("Hack Night")
	s.env = append(s.env, "CHAT_SERVER="+addr)
	other := *s
	other.env = append(home(t), "CHAT_SERVER="+addr)
	ann := start(t, s.command("chat", "--plain", "--nick", "ann"))
	ann.await("you are in #lobby")
	bot := start(t, other.command("chat", "tail", "--exec", "wc", "--reply", "--nick", "counter", "--", "-c"))
	visitor := *s
	visitor.env = append(home(t), "CHAT_SERVER="+addr)
	visitor.awaitBot("counter")
	ann.type_("four")
	ann.await("<counter (bot) (to ann: four)> 5\n")
	visitor.chat("", "send", "--bot", "from another bot")
	ann.type_("seven77")
	out := ann.await("<counter (bot) (to ann: seven77)> 8\n")
	if n := strings.Count(out, "<counter (bot) "); n != 2 {
		t.Errorf("it has said %d things:\n%s", n, out)
	}
	bot.cmd.Process.Signal(os.Interrupt)
	if code := bot.exit(); code != exitDone || bot.output() != "" {
		t.Errorf("it ends with %d:\n%s", code, bot.output())
	}
}

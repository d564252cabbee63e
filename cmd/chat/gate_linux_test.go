package main

import (
	"bytes"
	"os"
	"strings"
	"testing"
)

// On a terminal a person is asked, three times at most, before there is a screen, and
// what is typed is not shown.
func TestAskedForThePassphrase(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	d, addr, key := s.chatd("Hack Night", "--passphrase-file", passphraseFile(t, sesame))

	cmd := s.newcomer().command("chat", "join", addr, "--nick", "ann")
	cmd.Env = append(cmd.Env, "TERM=xterm-256color")
	p := startInPty(t, 80, 24, cmd)
	p.see("You meet the server at " + addr + " for the first time. Its key: " + key)
	p.see("Passphrase for " + addr + ": ")
	p.type_("sesame\r")
	p.see("chat: the passphrase is wrong")
	p.see("Passphrase for ")
	p.mu.Lock()
	if bytes.Contains(p.out, []byte("sesame")) || bytes.Contains(p.out, []byte("\x1b[?1049h")) {
		t.Errorf("drawn was %q", p.out)
	}
	p.mu.Unlock()
	p.type_(sesame + "\r")
	p.see("\x1b[?1049h") // the screen
	p.see("#lobby")
	p.type_("/quit\r")
	if err := cmd.Wait(); err != nil {
		t.Error(err)
	}

	// A person who does not know it is refused, in the end or with Ctrl-C.
	again := s.newcomer().command("chat", "tail", "-s", addr)
	again.Env = append(again.Env, "TERM=xterm-256color")
	p = startInPty(t, 80, 24, again)
	p.see("Passphrase for ")
	p.type_("\x03")
	again.Wait()
	if code := again.ProcessState.ExitCode(); code == exitDone {
		t.Errorf("after Ctrl-C it ends with %d", code)
	}
	last := s.newcomer().command("chat", "send", "-s", addr)
	last.Env = append(last.Env, "TERM=xterm-256color")
	p = startInPty(t, 80, 24, last)
	for range 2 {
		p.see("Passphrase for ")
		p.type_("guess\r")
		p.see("chat: the passphrase is wrong")
	}
	p.see("Passphrase for ")
	p.type_("guess\r")
	p.see("chat: ")
	last.Wait()
	if code := last.ProcessState.ExitCode(); code != exitRefused {
		t.Errorf("who does not know it ends with %d", code)
	}
	d.cmd.Process.Signal(os.Interrupt)
	d.exit()
	if out := d.output(); strings.Contains(out, "guess") || strings.Contains(out, "sesame") {
		t.Errorf("the server's log:\n%s", out)
	}
}

package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"lanchat/internal/config"
	"lanchat/internal/tied"
)

// A terminal that goes away takes nothing along: the program ends by itself, and
// what was not yet sent, or not yet finished, is there at the next start.
func TestTheTerminalGoesAway(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	addr := tied.FreePort(t) // also for the one that comes after it
	d, _, _ := s.chatd("Hack Night", "--listen", addr)
	write(t, filepath.Join(configDir(t, s.env), config.FileName), "nick = \"zoe\"\n")
	cmd := s.command("chat", "join", addr)
	cmd.Env = append(cmd.Env, "TERM=xterm-256color", "LC_ALL=C.UTF-8")
	errs, err := os.Create(s.file("errors"))
	if err != nil {
		t.Fatal(err)
	}
	defer errs.Close()
	cmd.Stderr = errs
	p := startInPty(t, 80, 24, cmd)
	p.see("commands.") // the greeting stands in the room that is joined
	d.cmd.Process.Kill()
	<-d.ended
	p.see("OFFLINE")
	p.type_("said while nobody heard it\r")
	p.see("waiting")
	p.type_("half a thou")
	p.see("thou")
	p.master.Close()
	ended := make(chan struct{})
	go func() { _ = cmd.Wait(); close(ended) }()
	select {
	case <-ended:
	case <-time.After(10 * time.Second):
		t.Fatal("it goes on without a terminal")
	}
	if code := cmd.ProcessState.ExitCode(); code != exitFailed {
		t.Errorf("exit code %d (%v)", code, cmd.ProcessState)
	}
	if text := contents(t, errs.Name()); !strings.Contains(text, "the terminal is gone") || strings.Count(text, "\n") != 1 {
		t.Errorf("on standard error: %q", text)
	}

	start(t, s.command("chatd", "--name", "Hack Night", "--listen", addr)).await("ready name=")
	again := s.command("chat", "join", addr)
	again.Env = append(again.Env, "TERM=xterm-256color", "LC_ALL=C.UTF-8")
	p = startInPty(t, 80, 24, again)
	p.see("half\x1b") // the cursor jumps over spaces
	p.see("thou")
	if code, out, errs := s.chat("", "search", "-s", addr, "nobody"); code != exitDone || !strings.Contains(out, "said while nobody heard it") {
		t.Errorf("%d, %s%s", code, out, errs)
	}
}

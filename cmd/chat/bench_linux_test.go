package main

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"golang.org/x/sys/unix"
)

// Somebody sees how far it is, in a terminal of 80 columns, and can end it at any time:
// with the exit code of what failed, no half line left, and no relay that goes on.
func TestBenchInATerminal(t *testing.T) {
	s := newSite(t)
	_, addr, _ := s.chatd("Hack Night", "--memory", "--post-rate", "1000000")
	p := startInPty(t, 80, 24, s.command("chat", "bench", addr, "--readers", "3", "--rate", "100", "--stall", "200ms", "--time", "2s", "--warm-up", "100ms", "--baseline"))
	p.see("server")
	p.see("█")
	p.see("measuring")
	p.see("deliveries/s")
	p.see("inline")
	p.see("measuring")
	p.type_("\x03")
	begin := time.Now()
	p.see("chat: the measuring was interrupted")
	if err := p.cmd.Wait(); p.cmd.ProcessState.ExitCode() != exitFailed {
		t.Errorf("it ends with %v", err)
	}
	if took := time.Since(begin); took > 5*time.Second {
		t.Errorf("it took %v to end", took)
	}
	for line := range strings.Lines(string(p.everything())) {
		parts := strings.SplitSeq(strings.TrimRight(line, "\r\n"), "\r") // each drawn over the one before
		for part := range parts {
			part = strings.TrimSuffix(part, "\x1b[K")
			if n := utf8.RuneCountInString(part); n > 80 {
				t.Errorf("%d columns: %q", n, part)
			}
		}
	}
	if all := p.everything(); !bytes.Contains(all, []byte("\r\x1b[Kchat: the measuring")) {
		t.Errorf("the bar stays: %q", tailOf(all))
	}
	relays, _ := filepath.Glob("/proc/[0-9]*/cmdline")
	for _, name := range relays {
		b, err := os.ReadFile(name)
		if err == nil && bytes.HasPrefix(b, []byte(filepath.Join(s.bin, "chat")+"\x00bench-relay")) {
			t.Errorf("%s goes on: %q", name, b)
		}
	}
}

// Whoever stops chat bench from elsewhere leaves no relay either.
func TestBenchIsKilled(t *testing.T) {
	s := newSite(t)
	_, addr, _ := s.chatd("Hack Night", "--memory", "--post-rate", "1000000")
	p := startInPty(t, 80, 24, s.command("chat", "bench", addr, "--readers", "3", "--time", "200ms", "--warm-up", "0s", "--baseline"))
	p.see("inline")
	if err := p.cmd.Process.Signal(unix.SIGKILL); err != nil {
		t.Fatal(err)
	}
	<-p.read // the relay has the terminal for its errors: it has ended too
}

// A relay ends with its input, and not by the Ctrl-C that ends whoever started it.
func TestRelayOutlivesCtrlC(t *testing.T) {
	s := newSite(t)
	p := start(t, s.command("chat", "bench-relay", "inline"))
	p.await("127.0.0.1:")
	if err := p.cmd.Process.Signal(os.Interrupt); err != nil {
		t.Fatal(err)
	}
	select {
	case <-p.ended:
		t.Fatalf("it has ended: %s", p.output())
	case <-time.After(200 * time.Millisecond): // nothing else would tell that it does not
	}
	p.in.Close()
	p.exit()
}

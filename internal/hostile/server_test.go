package hostile

import (
	"bufio"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"lanchat/internal/tied"
)

// server is the chatd under attack.
type server struct {
	addr  string
	data  string // its directory
	cmd   *exec.Cmd
	log   logged
	ended chan struct{}
}

// startServer starts it, with everything as it is by default but where it listens and
// keeps its files.
func startServer(t *testing.T) *server {
	t.Helper()
	return startServerIn(t, t.TempDir())
}

// theChatd is the program under attack.
func theChatd(t *testing.T) string {
	t.Helper()
	if flags.chatd != "" {
		return flags.chatd
	}
	return tied.Program(t, "chatd")
}

// startServerIn is startServer for a data directory, with flags of its own.
func startServerIn(t *testing.T, data string, args ...string) *server {
	t.Helper()
	s := &server{addr: tied.FreePort(t), data: data, ended: make(chan struct{})}
	s.cmd = exec.Command(theChatd(t), append([]string{"--name", "Hostile", "--listen", s.addr, "--data", s.data, "--no-discovery"}, args...)...)
	s.cmd.Stderr = &s.log
	out, err := s.cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := tied.Start(s.cmd); err != nil {
		t.Fatal(err)
	}
	ready := make(chan struct{})
	go func() {
		defer close(s.ended)
		lines := bufio.NewReader(out)
		_, _ = lines.ReadString('\n')
		close(ready)
		_, _ = io.Copy(io.Discard, lines) // or it would wait for whoever reads
		_ = s.cmd.Wait()
	}()
	t.Cleanup(s.stop)
	select {
	case <-ready:
	case <-time.After(20 * time.Second):
		t.Fatalf("chatd is not ready after 20 s:\n%s", s.log.first())
	}
	if !s.lives() {
		t.Fatalf("chatd does not start:\n%s", s.log.first())
	}
	return s
}

func (s *server) lives() bool {
	select {
	case <-s.ended:
		return false
	default:
		return true
	}
}

func (s *server) stop() {
	_ = s.cmd.Process.Signal(os.Interrupt) // it may have ended
	select {
	case <-s.ended:
	case <-time.After(10 * time.Second):
		_ = s.cmd.Process.Kill()
		<-s.ended
	}
}

// memory is what the server has of it now, and had at most, in bytes.
func (s *server) memory() (now, most int) {
	status, _ := os.ReadFile(fmt.Sprintf("/proc/%d/status", s.cmd.Process.Pid))
	for line := range strings.Lines(string(status)) {
		f := strings.Fields(line)
		if len(f) < 2 {
			continue
		}
		switch n, _ := strconv.Atoi(f[1]); f[0] {
		case "VmRSS:":
			now = n << 10
		case "VmHWM:":
			most = n << 10
		}
	}
	return now, most
}

// logged counts the lines of a log and keeps its beginning.
type logged struct {
	mu    sync.Mutex
	lines int
	text  []byte
}

func (l *logged) Write(b []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, c := range b {
		if c == '\n' {
			l.lines++
		}
	}
	if room := 8<<10 - len(l.text); room > 0 {
		l.text = append(l.text, b[:min(room, len(b))]...)
	}
	return len(b), nil
}

func (l *logged) count() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.lines
}

func (l *logged) first() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return string(l.text)
}

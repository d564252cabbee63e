package hostile

import (
	"bufio"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"
)

// chatd is the real program, built once.
var chatd struct {
	once sync.Once
	dir  string
	err  error
}

func program(t testing.TB) string {
	t.Helper()
	chatd.once.Do(func() {
		if chatd.dir, chatd.err = os.MkdirTemp("", "lanchat-hostile-"); chatd.err != nil {
			return
		}
		out, err := exec.Command("go", "build", "-o", chatd.dir+string(filepath.Separator), "lanchat/cmd/chatd").CombinedOutput()
		if err != nil {
			chatd.err = fmt.Errorf("go build: %w\n%s", err, out)
		}
	})
	if chatd.err != nil {
		t.Fatal(chatd.err)
	}
	return filepath.Join(chatd.dir, "chatd")
}

// launcher starts processes from one thread that lives as long as the test: they are
// tied to it, and end with it however it ends.
var launcher = sync.OnceValue(func() chan<- func() {
	jobs := make(chan func())
	go func() {
		runtime.LockOSThread()
		for job := range jobs {
			job()
		}
	}()
	return jobs
})

func launch(cmd *exec.Cmd) error {
	tie(cmd)
	started := make(chan error)
	launcher() <- func() { started <- cmd.Start() }
	return <-started
}

// freePort returns an address of the loopback whose port is none of those that the
// kernel gives to connections.
func freePort(t testing.TB) string {
	for range 100 {
		l, err := net.Listen("tcp", fmt.Sprintf("127.0.0.1:%d", 20_000+rand.IntN(10_000)))
		if err == nil {
			defer l.Close()
			return l.Addr().String()
		}
	}
	t.Fatal("no port is free")
	return ""
}

// server is the chatd under attack.
type server struct {
	addr  string
	cmd   *exec.Cmd
	log   logged
	ended chan struct{}
}

// startServer starts it, with everything as it is by default but where it listens and
// keeps its files.
func startServer(t *testing.T) *server {
	t.Helper()
	s := &server{addr: freePort(t), ended: make(chan struct{})}
	s.cmd = exec.Command(program(t), "--name", "Hostile", "--listen", s.addr, "--data", t.TempDir(), "--no-discovery")
	s.cmd.Stderr = &s.log
	out, err := s.cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := launch(s.cmd); err != nil {
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

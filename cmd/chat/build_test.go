package main

import (
	"bufio"
	"flag"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"lanchat/internal/netlab"
)

func TestMain(m *testing.M) {
	netlab.Enter()
	// The tests wait much more than they work: for servers, terminals and time.
	flag.Parse()
	if err := flag.Set("test.parallel", "4"); err != nil {
		panic(err)
	}
	code := m.Run()
	if binaries.dir != "" {
		os.RemoveAll(binaries.dir)
	}
	os.Exit(code)
}

// binaries are the real programs, built once for all tests.
var binaries struct {
	once sync.Once
	dir  string
	err  error
}

// built returns the directory with chat and chatd.
func built(t testing.TB) string {
	t.Helper()
	binaries.once.Do(func() {
		if binaries.dir, binaries.err = os.MkdirTemp("", "lanchat-test-"); binaries.err != nil {
			return
		}
		out, err := exec.Command("go", "build", "-o", binaries.dir+string(filepath.Separator), "lanchat/cmd/chat", "lanchat/cmd/chatd").CombinedOutput()
		if err != nil {
			binaries.err = fmt.Errorf("go build: %w\n%s", err, out)
		}
	})
	if binaries.err != nil {
		t.Fatal(binaries.err)
	}
	return binaries.dir
}

// home gives a program its own files: nobody's key and pins are touched.
func home(t testing.TB) []string {
	dir := t.TempDir()
	return append(os.Environ(), "HOME="+dir, "XDG_CONFIG_HOME="+filepath.Join(dir, "config"), "XDG_DATA_HOME="+filepath.Join(dir, "data"),
		"CHAT_SERVER=", "CHAT_ROOM=", "CHAT_NICK=", "CHAT_DISCOVERY_INTERFACE=")
}

// patience is how long a test waits for what has to come: it ends what hangs, and
// measures nothing, since a busy machine takes its time.
const patience = time.Minute

// process is a running program of a test.
type process struct {
	testing.TB
	cmd *exec.Cmd
	in  io.WriteCloser

	mu    sync.Mutex
	out   strings.Builder
	grown chan struct{}
	ended chan struct{}
	err   error
}

// start runs a program until the test ends. What it prints, on both outputs,
// can be waited for.
func start(t testing.TB, cmd *exec.Cmd) *process {
	t.Helper()
	p := &process{TB: t, cmd: cmd, grown: make(chan struct{}, 1), ended: make(chan struct{})}
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	if p.in, err = cmd.StdinPipe(); err != nil {
		t.Fatal(err)
	}
	cmd.Stdout, cmd.Stderr = w, w
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	w.Close()
	go func() {
		defer close(p.ended)
		defer r.Close()
		for br := bufio.NewReader(r); ; {
			line, err := br.ReadString('\n')
			p.mu.Lock()
			p.out.WriteString(line)
			p.mu.Unlock()
			select {
			case p.grown <- struct{}{}:
			default:
			}
			if err != nil {
				break
			}
		}
		p.err = cmd.Wait()
	}()
	t.Cleanup(func() {
		p.in.Close()
		cmd.Process.Kill()
		<-p.ended
	})
	return p
}

func (p *process) output() string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.out.String()
}

// await waits until the output has what, and returns all of it.
func (p *process) await(what string) string {
	p.Helper()
	limit := time.After(patience)
	for {
		if out := p.output(); strings.Contains(out, what) {
			return out
		}
		select {
		case <-p.grown:
		case <-p.ended:
			if !strings.Contains(p.output(), what) {
				p.Fatalf("it ended (%v) without %q:\n%s", p.err, what, p.output())
			}
		case <-limit:
			p.Fatalf("%q did not come; there is:\n%s", what, p.output())
		}
	}
}

func (p *process) type_(line string) {
	p.Helper()
	if _, err := io.WriteString(p.in, line+"\n"); err != nil {
		p.Fatal(err)
	}
}

// exit waits for the end and returns the exit code.
func (p *process) exit() int {
	p.Helper()
	select {
	case <-p.ended:
	case <-time.After(patience):
		p.Fatalf("it does not end; there is:\n%s", p.output())
	}
	return p.cmd.ProcessState.ExitCode()
}

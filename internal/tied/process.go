package tied

import (
	"bufio"
	"io"
	"os"
	"os/exec"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"
)

// patience is how long a test waits for what has to come: it ends what hangs, and
// measures nothing, since a busy machine takes its time.
const patience = time.Minute

// Process is a running program of a test. Its lines can be waited for, each once, in
// their order.
type Process struct {
	t   testing.TB
	Cmd *exec.Cmd
	in  io.WriteCloser

	mu    sync.Mutex
	out   strings.Builder
	taken int // bytes of the output that were waited for
	grown chan struct{}
	ended chan struct{}
}

// Run starts a program, which ends with the test at the latest. Both its outputs are read.
func Run(t testing.TB, cmd *exec.Cmd) *Process {
	t.Helper()
	p := &Process{t: t, Cmd: cmd, grown: make(chan struct{}, 1), ended: make(chan struct{})}
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	if p.in, err = cmd.StdinPipe(); err != nil {
		t.Fatal(err)
	}
	cmd.Stdout, cmd.Stderr = w, w
	if err := Start(cmd); err != nil {
		t.Fatal(err)
	}
	w.Close()
	go p.read(r)
	t.Cleanup(p.Kill)
	return p
}

func (p *Process) read(r *os.File) {
	defer close(p.ended)
	defer r.Close()
	for lines := bufio.NewReader(r); ; {
		line, err := lines.ReadString('\n')
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
	_ = p.Cmd.Wait() // its state tells what matters
}

// Output is all that the program has printed.
func (p *Process) Output() string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.out.String()
}

// take looks for a match after everything that was waited for before.
func (p *Process) take(re *regexp.Regexp) []string {
	p.mu.Lock()
	defer p.mu.Unlock()
	rest := p.out.String()[p.taken:]
	at := re.FindStringIndex(rest)
	if at == nil {
		return nil
	}
	p.taken += at[1]
	return re.FindStringSubmatch(rest)
}

// Await waits until the output has a match of a regular expression, after the match of
// the Await before, and returns it with its groups.
func (p *Process) Await(pattern string) []string {
	p.t.Helper()
	re := regexp.MustCompile("(?m)" + pattern)
	limit := time.After(patience)
	for {
		if m := p.take(re); m != nil {
			return m
		}
		select {
		case <-p.grown:
		case <-p.ended:
			if m := p.take(re); m != nil {
				return m
			}
			p.t.Fatalf("%q ended (%v) without %q; it printed:\n%s", p.Cmd.Args, p.Cmd.ProcessState, pattern, p.Output())
		case <-limit:
			p.t.Fatalf("%q does not print %q; it printed:\n%s", p.Cmd.Args, pattern, p.Output())
		}
	}
}

// Say writes lines to the program's input.
func (p *Process) Say(lines ...string) {
	p.t.Helper()
	for _, line := range lines {
		if _, err := io.WriteString(p.in, line+"\n"); err != nil {
			p.t.Fatalf("%q: %v; it printed:\n%s", p.Cmd.Args, err, p.Output())
		}
	}
}

// Close ends the program's input.
func (p *Process) Close() { p.in.Close() }

// Exit waits for the end and returns the exit code.
func (p *Process) Exit() int {
	p.t.Helper()
	select {
	case <-p.ended:
	case <-time.After(patience):
		p.t.Fatalf("%q does not end; it printed:\n%s", p.Cmd.Args, p.Output())
	}
	return p.Cmd.ProcessState.ExitCode()
}

// Interrupt asks the program to end, and waits until it has.
func (p *Process) Interrupt() int {
	p.t.Helper()
	if err := p.Cmd.Process.Signal(os.Interrupt); err != nil {
		p.t.Fatal(err)
	}
	return p.Exit()
}

// Kill ends the program at once.
func (p *Process) Kill() {
	p.in.Close()
	_ = p.Cmd.Process.Kill() // it may have ended
	<-p.ended
}

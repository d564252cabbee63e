package torture

import (
	"bufio"
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"lanchat/internal/identity"
	"lanchat/internal/tied"
)

// target is a server that can be killed and started again with what it has kept.
// One goroutine at a time starts and kills it.
type target interface {
	addr() string
	key() identity.Fingerprint // of a started one
	start() error              // returns when it takes connections
	// stillborn starts it and kills it after a while, ready or not.
	stillborn(after time.Duration)
	kill()
}

// process is the real chatd.
type process struct {
	testing.TB
	bin, at, data string
	cmd           *exec.Cmd
	errs          bytes.Buffer
	ended         chan struct{}
}

func newProcess(t testing.TB) *process {
	t.Helper()
	p := &process{TB: t, bin: tied.Program(t, "chatd"), at: tied.FreePort(t), data: t.TempDir()}
	t.Cleanup(p.kill)
	return p
}

func (p *process) addr() string { return p.at }

// key reads the server's key from its files.
func (p *process) key() identity.Fingerprint {
	id, err := identity.LoadOrCreate(p.data, "Torture")
	if err != nil {
		p.Error(err)
		return identity.Fingerprint{}
	}
	return id.Fingerprint()
}

// begin starts the program. The channel is closed when it has said that it is
// ready, or has ended.
func (p *process) begin() (ready <-chan struct{}, err error) {
	p.cmd = exec.Command(p.bin, "--name", "Torture", "--listen", p.at, "--data", p.data, "--no-discovery", "--post-rate", "1000000", "--disk-floor", "off", "--log-level", "error")
	p.errs.Reset()
	p.cmd.Stderr = &p.errs
	out, err := p.cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	if err := tied.Start(p.cmd); err != nil {
		p.cmd = nil
		return nil, err
	}
	said, ended := make(chan struct{}), make(chan struct{})
	p.ended = ended
	cmd := p.cmd
	go func() {
		defer close(ended)
		lines := bufio.NewScanner(out)
		lines.Scan()
		close(said)
		for lines.Scan() { // or it would wait for whoever reads
		}
		_ = cmd.Wait() // that it was killed is no news
	}()
	return said, nil
}

func (p *process) start() error {
	ready, err := p.begin()
	if err != nil {
		return err
	}
	select {
	case <-ready:
	case <-time.After(20 * time.Second):
		p.kill()
		return fmt.Errorf("chatd is not ready after 20 s: %s", p.errs.String())
	}
	select {
	case <-p.ended:
		return fmt.Errorf("chatd does not start: %s", strings.TrimSpace(p.errs.String()))
	default:
		return nil
	}
}

func (p *process) stillborn(after time.Duration) {
	ready, err := p.begin()
	if err != nil {
		p.Error(err)
		return
	}
	select {
	case <-ready:
	case <-time.After(after):
	}
	p.kill()
}

// kill is SIGKILL.
func (p *process) kill() {
	if p.cmd == nil {
		return
	}
	_ = p.cmd.Process.Kill() // it may have ended
	<-p.ended
	p.cmd = nil
}

// stop ends it as an operator does.
func (p *process) stop() error {
	defer func() { p.cmd = nil }()
	if err := p.cmd.Process.Signal(os.Interrupt); err != nil {
		p.kill()
		return err
	}
	select {
	case <-p.ended:
	case <-time.After(20 * time.Second):
		p.kill()
		return fmt.Errorf("chatd does not end")
	}
	if code := p.cmd.ProcessState.ExitCode(); code != 0 {
		return fmt.Errorf("chatd ends with %d: %s", code, p.errs.String())
	}
	return nil
}

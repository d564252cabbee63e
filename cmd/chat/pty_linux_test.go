package main

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// pty is a terminal of the kernel's: what a program in it draws is read at once,
// and when it came is known. (tmux, in other tests, draws what is to be looked at;
// here only the time counts.)
type pty struct {
	testing.TB
	master *os.File
	cmd    *exec.Cmd

	mu   sync.Mutex
	came sync.Cond
	out  []byte       // since the last look
	all  bytes.Buffer // all that came, up to keepAll
	over bool
	read chan struct{} // closed when nothing more comes
}

// keepAll bounds what is kept of all that a program draws.
const keepAll = 16 << 20

// startInPty starts a program in a terminal, until the test ends.
func startInPty(t testing.TB, columns, rows uint16, cmd *exec.Cmd) *pty {
	t.Helper()
	fd, err := unix.Open("/dev/ptmx", unix.O_RDWR|unix.O_NOCTTY|unix.O_CLOEXEC, 0)
	if err != nil {
		t.Skip("there are no terminals to be had here: ", err)
	}
	p := &pty{TB: t, master: os.NewFile(uintptr(fd), "ptmx"), cmd: cmd, read: make(chan struct{})}
	p.came.L = &p.mu
	t.Cleanup(func() { p.master.Close() })
	if err := unix.IoctlSetPointerInt(fd, unix.TIOCSPTLCK, 0); err != nil {
		t.Fatal(err)
	}
	n, err := unix.IoctlGetInt(fd, unix.TIOCGPTN)
	if err != nil {
		t.Fatal(err)
	}
	if err := unix.IoctlSetWinsize(fd, unix.TIOCSWINSZ, &unix.Winsize{Row: rows, Col: columns}); err != nil {
		t.Fatal(err)
	}
	slave, err := os.OpenFile(fmt.Sprintf("/dev/pts/%d", n), os.O_RDWR|syscall.O_NOCTTY, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer slave.Close()
	cmd.Stdin, cmd.Stdout = slave, slave
	if cmd.Stderr == nil {
		cmd.Stderr = slave
	}
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true, Setctty: true}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	go func() {
		defer close(p.read)
		buf := make([]byte, 1<<16)
		for {
			n, err := p.master.Read(buf)
			p.mu.Lock()
			p.out = append(p.out, buf[:n]...)
			if p.all.Len() < keepAll {
				p.all.Write(buf[:n])
			}
			if len(p.out) > 8<<20 {
				p.out = p.out[4<<20:]
			}
			p.over = err != nil
			p.mu.Unlock()
			p.came.Broadcast()
			if err != nil {
				return
			}
		}
	}()
	t.Cleanup(func() {
		cmd.Process.Kill()
		cmd.Wait()
		<-p.read
	})
	return p
}

// type_ sends keys.
func (p *pty) type_(keys string) {
	p.Helper()
	if _, err := p.master.WriteString(keys); err != nil {
		p.Fatal(err)
	}
}

// see waits until the program has drawn a text, and returns when that came. What
// was drawn up to there is not looked at again.
func (p *pty) see(text string) time.Time {
	p.Helper()
	late := false
	timer := time.AfterFunc(patience, func() {
		p.mu.Lock()
		late = true
		p.mu.Unlock()
		p.came.Broadcast()
	})
	defer timer.Stop()
	p.mu.Lock()
	defer p.mu.Unlock()
	for looked := 0; ; {
		// A screen comes in thousands of reads: each byte is looked at once.
		if i := bytes.Index(p.out[looked:], []byte(text)); i >= 0 {
			p.out = p.out[looked+i+len(text):]
			return time.Now()
		}
		looked = max(0, len(p.out)-len(text)+1)
		if late || p.over {
			p.Fatalf("waiting for %q; drawn was %q", text, tailOf(p.out))
		}
		was := len(p.out)
		p.came.Wait()
		if len(p.out) < was { // the oldest of it was thrown away
			looked = 0
		}
	}
}

func (p *pty) resize(columns, rows uint16) {
	p.Helper()
	if err := unix.IoctlSetWinsize(int(p.master.Fd()), unix.TIOCSWINSZ, &unix.Winsize{Row: rows, Col: columns}); err != nil {
		p.Fatal(err)
	}
}

// everything is all that came, once nothing more can.
func (p *pty) everything() []byte {
	<-p.read
	return p.all.Bytes()
}

func tailOf(b []byte) string { return string(b[max(0, len(b)-2000):]) }

// memory is how much the program has in memory, in MiB.
func (p *pty) memory() float64 {
	p.Helper()
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", p.cmd.Process.Pid))
	if err != nil {
		p.Fatal(err)
	}
	_, rest, _ := strings.Cut(string(status), "VmRSS:")
	var kib float64
	if _, err := fmt.Sscan(rest, &kib); err != nil {
		p.Fatal(err)
	}
	return kib / 1024
}

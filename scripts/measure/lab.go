package main

import (
	"bufio"
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"syscall"
	"time"

	"lanchat/internal/bench"
)

// lab starts servers and loads, one of each at a time.
type lab struct {
	o     *options
	dir   string // of this run
	build string // tells these programs from others
}

func newLab(o *options) (*lab, error) {
	if o.page {
		return &lab{o: o}, nil
	}
	sum := sha256.New()
	for _, name := range []string{"chat", "chatd"} {
		f, err := os.Open(filepath.Join(o.programs, name))
		if err != nil {
			return nil, fmt.Errorf("%w; scripts/performance builds it", err)
		}
		_, err = io.Copy(sum, f)
		f.Close()
		if err != nil {
			return nil, err
		}
	}
	dir, err := os.MkdirTemp(o.work, "lanchat-performance-")
	return &lab{o: o, dir: dir, build: hex.EncodeToString(sum.Sum(nil)[:8])}, err
}

func (l *lab) close() {
	if l.dir != "" {
		os.RemoveAll(l.dir)
	}
}

// kind is how a server is started, and spoken to.
type kind struct {
	name   string
	memory bool
	tls    bool
}

var (
	inMemory   = kind{name: "memory", memory: true}
	durable    = kind{name: "durable"}
	durableTLS = kind{name: "durable-tls", tls: true}
)

func (k kind) said() string {
	what := "durable"
	if k.memory {
		what = "in memory"
	}
	if k.tls {
		return what + ", TLS"
	}
	return what
}

// flags are those of chatd.
func (k kind) flags(data string) []string {
	args := []string{"--name", "bench", "--listen", "127.0.0.1:0", "--no-discovery", "--post-rate", "1000000", "--log-level", "error"}
	if k.memory {
		return append(args, "--memory")
	}
	return append(args, "--data", data)
}

// program runs one of ours, which sees nothing of the user's own files.
func (l *lab) program(ctx context.Context, name string, args ...string) *exec.Cmd {
	cmd := exec.CommandContext(ctx, filepath.Join(l.o.programs, name), args...)
	cmd.Cancel = func() error { return cmd.Process.Signal(syscall.SIGTERM) }
	cmd.WaitDelay = 10 * time.Second
	cmd.Env = append(slices.DeleteFunc(os.Environ(), func(v string) bool {
		return strings.HasPrefix(v, "CHAT") || strings.HasPrefix(v, "XDG_") || strings.HasPrefix(v, "HOME=")
	}), "HOME="+l.dir)
	return cmd
}

var readyAt = regexp.MustCompile(`addr=(127\.0\.0\.1:\d+)`)

// serve starts a server, and waits until it is ready.
func (l *lab) serve(ctx context.Context, k kind, data string) (addr string, stop func() error, err error) {
	cmd := l.program(ctx, "chatd", k.flags(data)...)
	var said bytes.Buffer
	cmd.Stderr = &said
	out, err := cmd.StdoutPipe()
	if err != nil {
		return "", nil, err
	}
	if err := cmd.Start(); err != nil {
		return "", nil, err
	}
	stop = func() error {
		_ = cmd.Process.Signal(syscall.SIGTERM)
		if err := cmd.Wait(); err != nil {
			return fmt.Errorf("chatd: %w\n%s", err, said.Bytes())
		}
		return nil
	}
	line, err := bufio.NewReader(out).ReadString('\n')
	found := readyAt.FindStringSubmatch(line)
	if err != nil || found == nil {
		return "", nil, errors.Join(fmt.Errorf("chatd is not ready: %q", line), stop())
	}
	go func() { _, _ = io.Copy(io.Discard, out) }()
	return found[1], stop, nil
}

// sample is one measurement.
type sample struct {
	Round  int          `json:"round"`
	What   string       `json:"what"`            // a kind's name, or a relay's
	Point  int          `json:"point,omitempty"` // on a curve: how large it was
	Stall  bool         `json:"stall,omitempty"` // with a reader that stops
	Bench  string       `json:"bench"`           // the arguments of chat bench
	Result bench.Result `json:"result"`
}

// load is one call of chat bench.
type load struct {
	kind  kind
	point int
	args  string // of chat bench
	relay string // to be measured too: inline, batched or both
	data  string // the server's directory; "": a new one
	as    string // before the kind's name, to tell its samples from others
}

// run measures one load, and puts down what came of it.
func (l *lab) run(ctx context.Context, r *results, round int, ld load) (err error) {
	data := ld.data
	if data == "" {
		if data, err = os.MkdirTemp(l.dir, "data-"); err != nil {
			return err
		}
		defer os.RemoveAll(data)
	}
	addr, stop, err := l.serve(ctx, ld.kind, data)
	if err != nil {
		return err
	}
	defer func() {
		if stopped := stop(); err == nil {
			err = stopped
		}
	}()
	said := strings.Fields(ld.args)
	if !ld.kind.tls {
		said = append(said, "--no-tls")
	}
	if ld.relay != "" {
		said = append(said, "--baseline="+ld.relay)
	}
	cmd := l.program(ctx, "chat", slices.Concat([]string{"bench", addr, "--json", "--yes", "--no-discovery"}, said)...)
	var out, errs bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &errs
	begin := time.Now()
	if err := cmd.Run(); err != nil {
		return fmt.Errorf("chat bench %s: %w\n%s", strings.Join(said, " "), err, errs.Bytes())
	}
	for dec := json.NewDecoder(&out); ; {
		var line struct {
			Name string `json:"name"`
			bench.Result
		}
		if err := dec.Decode(&line); err == io.EOF {
			break
		} else if err != nil {
			return err
		}
		s := sample{Round: round, What: line.Name, Point: ld.point, Stall: strings.Contains(ld.args, "--stall"), Bench: strings.Join(said, " "), Result: line.Result}
		if s.What == "server" {
			s.What = ld.as + ld.kind.name
		}
		r.Samples = append(r.Samples, s)
	}
	fmt.Printf("   round %d %-11s %-56s %3.0f s\n", round, ld.kind.name, ld.args, time.Since(begin).Seconds())
	return nil
}

// rounds does the same loads, in turn, so many times.
func (l *lab) rounds(ctx context.Context, r *results, n int, loads ...load) error {
	if l.o.short || l.o.floors {
		n = 1
	}
	for round := range n {
		for _, ld := range loads {
			if err := l.run(ctx, r, round+1, ld); err != nil {
				return err
			}
		}
	}
	return nil
}

// pick is the first, or when it is to be short the second.
func pick[T any](l *lab, long, short T) T {
	if l.o.short || l.o.floors {
		return short
	}
	return long
}

package main

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net"
	"net/netip"
	"os"
	"os/exec"
	"strings"

	"lanchat/internal/bench"
)

// relayUntilEOF runs a bare relay on a port of the kernel's choice of this host, tells
// the address, and ends when its input does: with whoever started it. A Ctrl-C reaches
// both; would the relay end by it, the load might break before it knows why.
func relayUntilEOF(batched bool, in io.Reader, out io.Writer) error {
	l, err := net.Listen("tcp4", "127.0.0.1:0")
	if err != nil {
		return err
	}
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	go func() {
		_, _ = io.Copy(io.Discard, in)
		cancel()
	}()
	if _, err := fmt.Fprintln(out, l.Addr()); err != nil {
		return err
	}
	return bench.Relay(ctx, l, batched)
}

// benchRelay measures a bare relay in a process of its own, as the server is in one.
func (a *app) benchRelay(ctx context.Context, kind string, l bench.Load) (_ *bench.Result, err error) {
	self, err := os.Executable()
	if err != nil {
		return nil, err
	}
	cmd := exec.CommandContext(ctx, self, "bench-relay", kind)
	cmd.Stderr = a.err
	in, err := cmd.StdinPipe()
	if err != nil {
		return nil, err
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	if err := cmd.Start(); err != nil {
		return nil, err
	}
	defer func() {
		in.Close()
		if ended := cmd.Wait(); err == nil {
			err = ended
		}
	}()
	addr, err := bufio.NewReader(out).ReadString('\n')
	if err != nil {
		return nil, fmt.Errorf("the bare relay does not start: %w", err)
	}
	return a.benchOne(ctx, kind, &bench.Bare{Addr: strings.TrimSpace(addr)}, l, cmd.Process.Pid)
}

// isOwn reports whether an address is one of this host's.
func isOwn(addr netip.Addr) bool {
	addrs, err := net.InterfaceAddrs()
	if err != nil {
		return false
	}
	for _, a := range addrs {
		if p, err := netip.ParsePrefix(a.String()); err == nil && p.Addr() == addr.WithZone("") {
			return true
		}
	}
	return false
}

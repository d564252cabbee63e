// Command chat is the lanchat client: it finds the rooms on this network, joins
// them, hosts them, and serves pipes and scripts.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/signal"
	"syscall"

	"lanchat/discovery"
	"lanchat/internal/client"
	"lanchat/internal/identity"
	"lanchat/internal/lines"
	"lanchat/internal/safetext"
	"lanchat/protocol"

	"golang.org/x/term"
)

// The exit codes.
const (
	exitDone     = 0
	exitFailed   = 1
	exitUsage    = 2
	exitNotFound = 3
	exitRefused  = 4
)

func main() {
	a := &app{in: os.Stdin, out: os.Stdout, err: os.Stderr}
	a.terminal = term.IsTerminal(int(os.Stdin.Fd())) && term.IsTerminal(int(os.Stdout.Fd())) && os.Getenv("TERM") != "dumb"
	os.Exit(a.main(os.Args[1:]))
}

// app is one run of the program.
type app struct {
	in       io.Reader
	out, err io.Writer
	terminal bool // both ways
	o        options
	running  bool // past the checks of flags and arguments
}

func (a *app) main(args []string) int {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	context.AfterFunc(ctx, stop) // a second signal ends the process at once
	cmd := a.command()
	cmd.SetArgs(args)
	err := cmd.ExecuteContext(ctx)
	if err == nil {
		return exitDone
	}
	fmt.Fprintf(a.err, "chat: %s\n", safetext.Text(err.Error()))
	code := a.exitCode(err)
	if code == exitUsage {
		fmt.Fprintln(a.err, "chat --help shows what there is.")
	}
	return code
}

// usageError is about what the user has typed.
type usageError struct{ error }

func usagef(format string, args ...any) error { return usageError{fmt.Errorf(format, args...)} }

func (a *app) exitCode(err error) int {
	if _, ok := errors.AsType[usageError](err); ok || !a.running {
		return exitUsage
	}
	if _, ok := errors.AsType[*identity.ChangedError](err); ok || client.Refusal(err) {
		return exitRefused
	}
	if s, ok := errors.AsType[*lines.SendError](err); ok && len(s.Refused) > 0 {
		return exitRefused
	}
	if _, ok := errors.AsType[*protocol.Error](err); ok {
		return exitRefused
	}
	op, isDial := errors.AsType[*net.OpError](err)
	if errors.Is(err, discovery.ErrNotFound) || isDial && op.Op == "dial" {
		return exitNotFound
	}
	return exitFailed
}

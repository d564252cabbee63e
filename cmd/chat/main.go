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
	"runtime"
	"strings"
	"syscall"

	"lanchat/discovery"
	"lanchat/internal/client"
	"lanchat/internal/config"
	"lanchat/internal/identity"
	"lanchat/internal/lines"
	"lanchat/internal/safetext"
	"lanchat/internal/tui"
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
	a.terminal = term.IsTerminal(int(os.Stdin.Fd())) && term.IsTerminal(int(os.Stdout.Fd())) && canDraw(os.Getenv("TERM"))
	os.Exit(a.main(os.Args[1:]))
}

// canDraw reports whether a terminal is one for a screen, by its name. On Windows
// it has none.
func canDraw(name string) bool { return name != "dumb" && (name != "" || runtime.GOOS == "windows") }

// app is one run of the program.
type app struct {
	in       io.Reader
	out, err io.Writer
	terminal bool // both ways
	o        options
	running  bool // past the checks of flags and arguments

	file      *config.File
	settings  *tui.Settings
	nickGiven bool      // by a flag, the environment or the config file
	remarks   []string  // to be said in the talk
	recorder  *recorder // of the wire, where there is a screen to show it; else nil
}

var errHangup = errors.New("the terminal is gone")

// untilHangup is a context that ends when the terminal goes away. It comes more
// than once then, from the kernel and from the shell; what is unsaid is kept all
// the same. Whoever was started to survive it, as by nohup, does.
func untilHangup(parent context.Context) (context.Context, context.CancelFunc) {
	ctx, cancel := context.WithCancelCause(parent)
	if signal.Ignored(syscall.SIGHUP) {
		return ctx, func() { cancel(nil) }
	}
	hangup := make(chan os.Signal, 1)
	signal.Notify(hangup, syscall.SIGHUP)
	go func() {
		select {
		case <-hangup:
			cancel(errHangup)
		case <-ctx.Done():
		}
	}()
	return ctx, func() { cancel(nil) }
}

func (a *app) main(args []string) int {
	ctx, end := untilHangup(context.Background())
	defer end()
	ctx, stop := signal.NotifyContext(ctx, os.Interrupt, syscall.SIGTERM)
	defer stop()
	context.AfterFunc(ctx, stop) // a second signal ends the process at once
	cmd := a.command()
	cmd.SetArgs(args)
	err := cmd.ExecuteContext(ctx)
	if context.Cause(ctx) == errHangup {
		err = errHangup
	}
	if err == nil || errors.Is(err, tui.ErrLeft) {
		return exitDone
	}
	if code, ok := errors.AsType[silently](err); ok {
		return int(code)
	}
	fmt.Fprintf(a.err, "chat: %s\n", indented(err.Error()))
	code := a.exitCode(err)
	if code == exitUsage {
		fmt.Fprintln(a.err, "chat --help shows what there is.")
	}
	return code
}

// indented makes a text harmless, and its further lines none that could pass for
// something else than a part of it.
func indented(text string) string {
	return strings.ReplaceAll(safetext.Text(text), "\n", "\n    ")
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

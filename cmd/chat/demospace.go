package main

import (
	"context"
	"errors"
	"os"
	"os/exec"
	"syscall"

	"lanchat/internal/wiredemo"
)

// demoInside says to a process that it runs in a network of its own.
const demoInside = "CHAT_DEMO_INSIDE"

// inNamespace plays the demo in a process of its own where this one may not make
// loss in a stream and that one may. It is false where the demo is to be played
// here.
func (a *app) inNamespace(ctx context.Context) (done bool, err error) {
	if os.Getenv(demoInside) != "" {
		return false, wiredemo.LoopbackUp()
	}
	if wiredemo.Allowed() {
		return false, nil
	}
	self, err := os.Executable()
	if err != nil {
		return false, nil
	}
	cmd := exec.Command(self, os.Args[1:]...)
	cmd.Stdin, cmd.Stdout, cmd.Stderr = a.in, a.out, a.err
	cmd.Env = append(os.Environ(), demoInside+"=1")
	wiredemo.Enter(cmd)
	if cmd.Start() != nil {
		return false, nil // this system has no such networks for this user
	}
	// Ctrl-C comes to both processes; what ends this one alone is handed on.
	stop := context.AfterFunc(ctx, func() {
		if cause := context.Cause(ctx); cause.Error() != os.Interrupt.String()+" signal received" {
			_ = cmd.Process.Signal(syscall.SIGTERM)
		}
	})
	defer stop()
	err = cmd.Wait()
	if exit, ok := errors.AsType[*exec.ExitError](err); ok && exit.ExitCode() >= 0 {
		return true, silently(exit.ExitCode())
	}
	return true, err
}

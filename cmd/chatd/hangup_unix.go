//go:build unix

package main

import (
	"os"
	"os/signal"
	"syscall"

	"golang.org/x/term"
)

// onHangUp returns the hang-ups, until ignore is called.
func onHangUp() (hangUps <-chan os.Signal, ignore func()) {
	c := make(chan os.Signal, 1)
	signal.Notify(c, syscall.SIGHUP)
	return c, func() { signal.Stop(c) }
}

// atTerminal are the standard files that were a terminal as the process began.
var atTerminal = func() (fds []int) {
	for _, f := range []*os.File{os.Stdin, os.Stdout, os.Stderr} {
		if fd := int(f.Fd()); term.IsTerminal(fd) {
			fds = append(fds, fd)
		}
	}
	return fds
}()

// terminalGone tells the hang-up of a terminal that was closed from one that somebody
// has sent: a terminal that is gone is none any more.
func terminalGone() bool {
	for _, fd := range atTerminal {
		if !term.IsTerminal(fd) {
			return true
		}
	}
	return false
}

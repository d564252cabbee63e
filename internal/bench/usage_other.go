//go:build !linux

package bench

import (
	"errors"
	"time"
)

var errNotTold = errors.New("this system does not tell what a process uses")

// Process measures a process of this host, where the system tells.
func Process(int) (cpu time.Duration, rss int64, err error) { return 0, 0, errNotTold }

// Self measures this process.
func Self() (cpu time.Duration, rss int64, err error) { return 0, 0, errNotTold }

// Listener finds the process of this host that listens on a TCP port.
func Listener(uint16) (pid int, err error) { return 0, errNotTold }

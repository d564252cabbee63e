//go:build unix

package main

import (
	"context"
	"os/exec"
	"time"
)

// notifyTime bounds how long a notification may take to be shown.
const notifyTime = 2 * time.Second

// runNotifier runs a program that shows a notification, without a shell. Whether
// it could be shown is nobody's concern.
func runNotifier(path string, args ...string) {
	ctx, cancel := context.WithTimeout(context.Background(), notifyTime)
	defer cancel()
	cmd := exec.CommandContext(ctx, path, args...)
	cmd.WaitDelay = notifyTime // for what it may have started
	_ = cmd.Run()
}

//go:build !linux

package hostile

import "os/exec"

const supported = "the clients need addresses of their own on the loopback, and the figures /proc: that is Linux"

func apart(*exec.Cmd) {}

func stepBack() error { return nil }

func (w *wire) alive() error { return nil }

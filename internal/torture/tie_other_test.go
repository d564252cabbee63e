//go:build !linux

package torture

import "os/exec"

// tie has a process end with this one. Here only the test's cleanup does that.
func tie(*exec.Cmd) {}

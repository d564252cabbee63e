//go:build unix

package tsharktest

import (
	"os"
	"os/exec"
	"syscall"
)

const nobody = 65534

// asNobodyElse runs a command without root's rights, with a home of its own.
func asNobodyElse(cmd *exec.Cmd, home string) {
	_ = os.Chown(home, nobody, nobody) // without it tshark only warns
	cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: nobody, Gid: nobody}}
}

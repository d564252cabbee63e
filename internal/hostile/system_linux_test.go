package hostile

import (
	"os/exec"
	"syscall"
)

// supported says why the test cannot run on this system; "": it can.
const supported = ""

// apart gives a process a group of its own, so that stepBack means it alone.
func apart(cmd *exec.Cmd) { cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true} }

// stepBack lowers the priority of this process's group: of all of its threads.
func stepBack() error {
	now, err := syscall.Getpriority(syscall.PRIO_PGRP, 0) // 20 - nice
	if err != nil {
		return err
	}
	return syscall.Setpriority(syscall.PRIO_PGRP, 0, min(20-now+10, 19))
}

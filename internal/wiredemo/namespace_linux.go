package wiredemo

import (
	"context"
	"net"
	"os"
	"os/exec"
	"syscall"

	"golang.org/x/sys/unix"
)

// Allowed reports whether the kernel lets this process make loss in a stream.
func Allowed() bool {
	l, err := listen(context.Background())
	if err != nil {
		return false
	}
	defer l.Close()
	return lose(l.(*net.TCPListener), 0) == nil
}

// Enter makes cmd a process in a network of its own, with a loopback alone, where
// it is allowed what the network's administrator is. It has to call
// [LoopbackUp]. Where the system does not let this user have that, cmd does not
// start.
func Enter(cmd *exec.Cmd) {
	cmd.SysProcAttr = &syscall.SysProcAttr{
		Cloneflags:  unix.CLONE_NEWUSER | unix.CLONE_NEWNET,
		UidMappings: []syscall.SysProcIDMap{{ContainerID: 0, HostID: os.Getuid(), Size: 1}},
		GidMappings: []syscall.SysProcIDMap{{ContainerID: 0, HostID: os.Getgid(), Size: 1}},
	}
}

// LoopbackUp switches on the loopback of a network that was just made.
func LoopbackUp() error {
	fd, err := unix.Socket(unix.AF_INET, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return err
	}
	defer unix.Close(fd)
	lo, err := unix.NewIfreq("lo")
	if err != nil {
		return err
	}
	if err := unix.IoctlIfreq(fd, unix.SIOCGIFFLAGS, lo); err != nil {
		return err
	}
	lo.SetUint16(lo.Uint16() | unix.IFF_UP)
	return unix.IoctlIfreq(fd, unix.SIOCSIFFLAGS, lo)
}

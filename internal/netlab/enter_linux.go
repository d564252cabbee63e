package netlab

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"syscall"

	"golang.org/x/sys/unix"
)

// inside is set in the environment of the second run.
const inside = "NETLAB_INSIDE"

// Enter belongs at the start of TestMain. Where the user may not make network
// namespaces, it runs the test binary again in a user namespace, in which he
// may, and exits with its code. Where that is not permitted either it returns,
// and New will skip.
func Enter() {
	if os.Getenv(inside) != "" || permitted() {
		return
	}
	for _, arg := range os.Args {
		if strings.HasPrefix(arg, "-test.fuzzworker") {
			return // it talks with its parent by files that a third process lacks
		}
	}
	cmd := exec.Command("/proc/self/exe", os.Args[1:]...)
	cmd.Args[0] = os.Args[0]
	cmd.Stdin, cmd.Stdout, cmd.Stderr = os.Stdin, os.Stdout, os.Stderr
	cmd.Env = append(os.Environ(), inside+"=1")
	cmd.SysProcAttr = &syscall.SysProcAttr{
		Cloneflags:  unix.CLONE_NEWUSER | unix.CLONE_NEWNET,
		UidMappings: []syscall.SysProcIDMap{{ContainerID: 0, HostID: os.Getuid(), Size: 1}},
		GidMappings: []syscall.SysProcIDMap{{ContainerID: 0, HostID: os.Getgid(), Size: 1}},
		Pdeathsig:   unix.SIGKILL,
	}
	if cmd.Start() != nil {
		return // no user namespaces here
	}
	err := cmd.Wait()
	var exit *exec.ExitError
	switch {
	case err == nil:
		os.Exit(0)
	case errors.As(err, &exit) && exit.ExitCode() >= 0:
		os.Exit(exit.ExitCode())
	}
	fmt.Fprintln(os.Stderr, "netlab:", err)
	os.Exit(1)
}

// permitted reports whether this process can make network namespaces.
func permitted() bool {
	ns, err := newNamespace()
	if err != nil {
		return false
	}
	return ns.Close() == nil
}

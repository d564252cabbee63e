package netlab

import (
	"errors"
	"fmt"
	"net/netip"
	"os"
	"os/exec"
	"runtime"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

// Lab is a set of hosts and LANs that end with the test.
type Lab struct {
	t     testing.TB
	wires *Host // holds the bridges, and the far end of every cable
	lan   *LAN  // what Host joins

	lans, ports, tunnels int // made until now
}

// LAN is one broadcast domain.
type LAN struct {
	bridge string
}

// Host is one host.
type Host struct {
	Name   string
	lab    *Lab
	ns     *os.File
	addr   netip.Addr
	cables map[string]string // the port that each interface is connected to
}

// New makes an empty lab, or skips the test where that is not possible.
func New(t testing.TB) *Lab {
	t.Helper()
	for _, tool := range []string{"ip", "nsenter"} {
		if _, err := exec.LookPath(tool); err != nil {
			t.Skipf("no network lab: %v", err)
		}
	}
	l := &Lab{t: t}
	ns, err := newNamespace()
	if errors.Is(err, unix.EPERM) {
		t.Skipf("no network lab: network namespaces are not permitted here (%v)", err)
	}
	if err != nil {
		t.Fatal(err)
	}
	l.wires = l.host("wires", ns)
	l.lan = l.LAN()
	return l
}

// LAN adds one more network, connected to no other.
func (l *Lab) LAN() *LAN {
	l.t.Helper()
	n := &LAN{bridge: fmt.Sprintf("lan%d", l.lans)}
	l.lans++
	l.wires.mustIP("link add name "+n.bridge+" type bridge", "link set "+n.bridge+" up")
	return n
}

// First is the LAN that Host connects to.
func (l *Lab) First() *LAN { return l.lan }

// Host adds a host with a loopback interface and, for each address, such as
// "10.77.0.1/24", one interface eth0, eth1, … on the lab's first LAN.
func (l *Lab) Host(name string, addrs ...string) *Host {
	l.t.Helper()
	ns, err := newNamespace()
	if err != nil {
		l.t.Fatal(err)
	}
	h := l.host(name, ns)
	for _, a := range addrs {
		h.Join(l.lan, a)
	}
	return h
}

func (l *Lab) host(name string, ns *os.File) *Host {
	l.t.Helper()
	l.t.Cleanup(func() { _ = ns.Close() })
	h := &Host{Name: name, lab: l, ns: ns, cables: map[string]string{}}
	h.mustIP("link set lo up")
	return h
}

// Join connects the host to a LAN with a new interface, whose name it returns.
func (h *Host) Join(n *LAN, addr string) (nic string) {
	h.lab.t.Helper()
	prefix, err := netip.ParsePrefix(addr)
	if err != nil {
		h.lab.t.Fatal(err)
	}
	nic = fmt.Sprintf("eth%d", len(h.cables))
	port := fmt.Sprintf("port%d", h.lab.ports)
	h.cables[nic] = port
	h.lab.ports++
	h.lab.wires.mustIP(
		fmt.Sprintf("link add name %s type veth peer name %s netns %s", port, nic, h.path()),
		fmt.Sprintf("link set %s master %s up", port, n.bridge),
	)
	h.mustIP(fmt.Sprintf("addr add %s brd + dev %s", prefix, nic), "link set "+nic+" up")
	h.lab.wires.carries(port)
	h.carries(nic)
	if !h.addr.IsValid() {
		h.addr = prefix.Addr()
	}
	return nic
}

// Addr is the host's first address that is not the loopback's.
func (h *Host) Addr() netip.Addr { return h.addr }

// Do calls fn on a thread that belongs to the host, and returns its error when
// it returns. Sockets that fn opens belong to the host for ever, whoever uses
// them. But a goroutine that fn starts runs on other threads, which do not
// belong to the host: what it opens, it opens outside. The same holds for
// net.Dial of a name, or of two address families, which races goroutines.
//
// fn must not call t.FailNow or the like; if it does, Do returns an error.
func (h *Host) Do(fn func() error) error {
	result := make(chan error, 1)
	go func() {
		returned := false
		var err error
		defer func() {
			if !returned {
				err = fmt.Errorf("host %s: the function did not return", h.Name)
			}
			result <- err
		}()
		// Never unlocked: the thread has another network for good, so it ends with
		// this goroutine.
		runtime.LockOSThread()
		if err = unix.Setns(int(h.ns.Fd()), unix.CLONE_NEWNET); err != nil {
			err = fmt.Errorf("entering host %s: %w", h.Name, err)
		} else {
			err = fn()
		}
		returned = true
	}()
	return <-result
}

// Command is a program that will run on the host, not yet started. It may be
// started from anywhere, while the lab exists.
func (h *Host) Command(name string, args ...string) *exec.Cmd {
	return exec.Command("nsenter", append([]string{"--net=" + h.path(), "--", name}, args...)...)
}

// IP runs one command of the ip program on the host, such as
// "route add default via 10.77.0.9". It splits args at spaces.
func (h *Host) IP(args string) error {
	out, err := h.Command("ip", strings.Fields(args)...).CombinedOutput()
	if err != nil {
		return fmt.Errorf("host %s: ip %s: %w: %s", h.Name, args, err, strings.TrimSpace(string(out)))
	}
	return nil
}

func (h *Host) mustIP(commands ...string) {
	h.lab.t.Helper()
	for _, c := range commands {
		if err := h.IP(c); err != nil {
			h.lab.t.Fatal(err)
		}
	}
}

// path names the host's namespace for other programs.
func (h *Host) path() string { return fmt.Sprintf("/proc/%d/fd/%d", os.Getpid(), h.ns.Fd()) }

// newNamespace makes a network namespace, which lives as long as the file.
func newNamespace() (*os.File, error) {
	type made struct {
		ns  *os.File
		err error
	}
	result := make(chan made)
	go func() {
		runtime.LockOSThread() // as in Do
		if err := unix.Unshare(unix.CLONE_NEWNET); err != nil {
			result <- made{nil, fmt.Errorf("making a network namespace: %w", err)}
			return
		}
		ns, err := os.Open("/proc/thread-self/ns/net")
		result <- made{ns, err}
	}()
	m := <-result
	return m.ns, m.err
}

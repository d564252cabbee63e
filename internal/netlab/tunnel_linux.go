package netlab

import (
	"errors"
	"fmt"
	"os"
	"sync"

	"golang.org/x/sys/unix"
)

// Tunnel connects two hosts by an interface each that knows neither Ethernet nor
// broadcast, as a VPN does, and returns its name. An address is what "ip addr
// add" takes, such as "10.9.0.1 peer 10.9.0.2" or "10.9.0.1/24". Where the user may
// not make such interfaces, the test is skipped.
func (l *Lab) Tunnel(a *Host, addrA string, b *Host, addrB string) (nic string) {
	l.t.Helper()
	nic = fmt.Sprintf("tun%d", l.tunnels)
	l.tunnels++
	endA, endB := a.tun(nic), b.tun(nic)
	a.mustIP("addr add "+addrA+" dev "+nic, "link set "+nic+" up")
	b.mustIP("addr add "+addrB+" dev "+nic, "link set "+nic+" up")
	var pumps sync.WaitGroup
	pumps.Go(func() { pump(endA, endB) })
	pumps.Go(func() { pump(endB, endA) })
	l.t.Cleanup(func() {
		_ = endA.Close()
		_ = endB.Close()
		pumps.Wait()
	})
	return nic
}

// pump carries packets one way until an end is closed. What the other end does
// not take is lost, as on any network.
func pump(from, to *os.File) {
	packet := make([]byte, 1<<16)
	for {
		n, err := from.Read(packet)
		if err != nil {
			return
		}
		_, _ = to.Write(packet[:n])
	}
}

// tun makes the host's end of a tunnel.
func (h *Host) tun(nic string) *os.File {
	h.lab.t.Helper()
	var end *os.File
	err := h.Do(func() error {
		fd, err := unix.Open("/dev/net/tun", unix.O_RDWR|unix.O_NONBLOCK|unix.O_CLOEXEC, 0)
		if err != nil {
			return fmt.Errorf("/dev/net/tun: %w", err)
		}
		req, err := unix.NewIfreq(nic)
		if err != nil {
			return errors.Join(err, unix.Close(fd))
		}
		req.SetUint16(unix.IFF_TUN | unix.IFF_NO_PI)
		if err := unix.IoctlIfreq(fd, unix.TUNSETIFF, req); err != nil {
			return errors.Join(fmt.Errorf("making %s: %w", nic, err), unix.Close(fd))
		}
		end = os.NewFile(uintptr(fd), nic)
		return nil
	})
	if errors.Is(err, os.ErrPermission) || errors.Is(err, os.ErrNotExist) {
		h.lab.t.Skipf("no tunnel in the network lab: %v", err)
	}
	if err != nil {
		h.lab.t.Fatal(err)
	}
	return end
}

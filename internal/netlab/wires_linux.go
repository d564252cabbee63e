package netlab

import (
	"fmt"
	"net"
	"strings"
	"time"
)

// Unplug takes the cable out of an interface: it stays up, and has no carrier.
func (h *Host) Unplug(nic string) {
	h.lab.t.Helper()
	h.lab.wires.mustIP("link set " + h.cables[nic] + " down")
}

// Plug puts the cable back in.
func (h *Host) Plug(nic string) {
	h.lab.t.Helper()
	h.lab.wires.mustIP("link set " + h.cables[nic] + " up")
	h.lab.wires.carries(h.cables[nic])
	h.carries(nic)
}

// carries waits until the interface has a carrier: the kernel looks a moment
// after it was set up, and until then everything sent by it is lost.
func (h *Host) carries(nic string) {
	h.lab.t.Helper()
	look := time.NewTicker(time.Millisecond)
	defer look.Stop()
	err := h.Do(func() error {
		for deadline := time.Now().Add(10 * time.Second); ; <-look.C {
			i, err := net.InterfaceByName(nic)
			if err != nil || i.Flags&net.FlagRunning != 0 {
				return err
			}
			if time.Now().After(deadline) {
				return fmt.Errorf("host %s: %s has no carrier", h.Name, nic)
			}
		}
	})
	if err != nil {
		h.lab.t.Fatal(err)
	}
}

// Isolate has the LAN pass nothing between this interface and any other that is
// isolated as well, as access points do with their guests.
func (h *Host) Isolate(nic string) {
	h.lab.t.Helper()
	h.lab.wires.mustIP("link set dev " + h.cables[nic] + " type bridge_slave isolated on")
}

// Crowd gives the host n more interfaces that are up, have an address of a
// network each, and lead nowhere: what containers and virtual machines leave.
// At most 62,500, whose networks are from 10.128.0.0 on.
func (h *Host) Crowd(n int) {
	h.lab.t.Helper()
	var script strings.Builder
	for i := range n {
		fmt.Fprintf(&script, "link add crowd%d type veth peer name peer%d\n", i, i)
		fmt.Fprintf(&script, "addr add 10.%d.%d.1/24 brd + dev crowd%d\n", 128+i/250, i%250, i)
		fmt.Fprintf(&script, "link set crowd%d up\nlink set peer%d up\n", i, i)
	}
	cmd := h.Command("ip", "-batch", "-")
	cmd.Stdin = strings.NewReader(script.String())
	if out, err := cmd.CombinedOutput(); err != nil {
		h.lab.t.Fatalf("host %s: ip -batch: %v: %s", h.Name, err, strings.TrimSpace(string(out)))
	}
}

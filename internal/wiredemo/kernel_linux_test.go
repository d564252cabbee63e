package wiredemo

import (
	"bufio"
	"fmt"
	"net"
	"os"
	"strconv"
	"strings"
	"testing"
	"time"
)

// The kernel throws away, and what is told is what it did, by its own table of
// sockets: /proc/net/udp counts the drops of each.
func TestKernel(t *testing.T) {
	const count = 1000
	dropped, resent := -1, -1
	p := played{Summary: new(Summary)}
	// Of some hundred streams one loses the same segment so often that the last messages
	// come later than the demo waits.
	for try := 0; try < 3 && p.TCP.Arrived < count; try++ {
		p = run(t, Config{Loss: 30, Count: count, Every: time.Millisecond, drained: func(r *rig) {
			dropped = procDrops(t, r.udpIn.LocalAddr().(*net.UDPAddr).Port)
			resent = retransmitted(r.tcpOut)
		}})
	}
	if p.Relay {
		t.Skip("the kernel takes no socket filter")
	}
	p.whole(t, count)
	sane(t, dropped, count)
	if dropped != p.UDP.Lost || dropped != p.UDP.Dropped || count-dropped != p.UDP.Arrived {
		t.Errorf("/proc/net/udp has %d drops: %+v", dropped, p.UDP)
	}
	if p.Clean != nil {
		t.Logf("no loss in the stream: %v", p.Clean)
	} else if p.TCP.Dropped < 1 || p.TCP.Retransmitted < 1 || p.TCP.Retransmitted != resent {
		t.Errorf("%d segments sent again: %+v", resent, p.TCP)
	}
	t.Logf("%+v %+v", p.UDP, p.TCP)
}

// procDrops is the last column of the row with this local port.
func procDrops(t *testing.T, port int) int {
	t.Helper()
	f, err := os.Open("/proc/net/udp")
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	want := fmt.Sprintf("0100007F:%04X", port)
	for in := bufio.NewScanner(f); in.Scan(); {
		fields := strings.Fields(in.Text())
		if len(fields) > 2 && fields[1] == want {
			n, err := strconv.Atoi(fields[len(fields)-1])
			if err != nil {
				t.Fatal(err)
			}
			return n
		}
	}
	t.Fatalf("/proc/net/udp has no %s", want)
	return 0
}

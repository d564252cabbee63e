package doctor

import (
	"fmt"
	"net"
	"os"
	"strings"
	"testing"
)

func TestTables(t *testing.T) {
	rows, err := tableOf(strings.NewReader(`Iface	Destination	Gateway 	Flags	RefCnt	Use	Metric	Mask		MTU	Window	IRTT
eth0	00000000	FE004D0A	0003	0	0	0	00000000	0	0	0
eth0	00004D0A	00000000	0001	0	0	0	00FFFFFF	0	0	0
tun0	00004D0A	00000000	0001	0	0	0	80FFFFFF	0	0	0
down	00004D0A	00000000	0000	0	0	0	80FFFFFF	0	0	0
short	00004D0A
wrong	xx	00000000	0001	0	0	0	80FFFFFF	0	0	0
`))
	want := "[{0.0.0.0/0 10.77.0.254 eth0} {10.77.0.0/24 invalid IP eth0} {10.77.0.0/25 invalid IP tun0}]"
	if got := fmt.Sprint(routesOf(rows)); got != want && err == nil && littleEndian() {
		t.Errorf("routes %s, want %s", got, want)
	}
	rows, err = tableOf(strings.NewReader(`IP address       HW type     Flags       HW address            Mask     Device
10.77.0.254      0x1         0x2         02:fc:00:00:00:05     *        eth0
10.77.0.1        0x1         0x0         00:00:00:00:00:00     *        eth0
10.77.0.9        0x1
`))
	if got := fmt.Sprint(neighboursOf(rows), err); got != "[{10.77.0.254 eth0 true} {10.77.0.1 eth0 false}] <nil>" {
		t.Errorf("neighbours %s", got)
	}
	for text, on := range map[string]bool{"# x\nENABLED=yes\n": true, "enabled=yes": true, "ENABLED=no\n": false, "#ENABLED=yes\n": false, "": false} {
		if ufwIsOn([]byte(text)) != on {
			t.Errorf("%q: %v", text, !on)
		}
	}
}

func littleEndian() bool {
	a, _ := address("0100007F")
	return a.IsLoopback()
}

func TestHolders(t *testing.T) {
	c, err := net.ListenPacket("udp4", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	port := uint16(c.LocalAddr().(*net.UDPAddr).Port)
	got := holders(port)
	if len(got) != 1 || got[0].PID != os.Getpid() || !strings.HasPrefix(got[0].Program, "doctor") || got[0].Addr.Addr().String() != "127.0.0.1" {
		t.Errorf("%+v", got)
	}
	c.Close()
	if got := holders(port); len(got) != 0 {
		t.Errorf("a free port is held: %+v", got)
	}
}

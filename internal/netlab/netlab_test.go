package netlab

import (
	"errors"
	"io"
	"net"
	"os"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) {
	Enter()
	goleak.VerifyTestMain(m)
}

func TestTwoHostsTalk(t *testing.T) {
	lab := New(t)
	ann, bob := lab.Host("ann", "10.77.0.1/24"), lab.Host("bob", "10.77.0.2/24")

	var udp net.PacketConn
	var tcp net.Listener
	err := ann.Do(func() (err error) {
		if udp, err = net.ListenPacket("udp4", "10.77.0.1:5000"); err != nil {
			return err
		}
		tcp, err = net.Listen("tcp4", "10.77.0.1:5000")
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	defer udp.Close()
	defer tcp.Close()
	for _, network := range []string{"udp4", "tcp4"} {
		err := bob.Do(func() error {
			c, err := net.Dial(network, "10.77.0.1:5000")
			if err != nil {
				return err
			}
			_, err = c.Write([]byte(network))
			return errors.Join(err, c.Close())
		})
		if err != nil {
			t.Fatal(err)
		}
	}

	buf := make([]byte, 16)
	_ = udp.SetReadDeadline(time.Now().Add(5 * time.Second))
	n, from, err := udp.ReadFrom(buf)
	if err != nil || string(buf[:n]) != "udp4" || !strings.HasPrefix(from.String(), "10.77.0.2:") {
		t.Errorf("by UDP %q from %v, %v", buf[:n], from, err)
	}
	c, err := tcp.Accept()
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	if got, err := io.ReadAll(c); err != nil || string(got) != "tcp4" {
		t.Errorf("by TCP %q, %v", got, err)
	}
}

// What makes a lab safe: it reaches neither the machine's network nor another
// LAN, and the test's other threads stay where they were.
func TestIsolation(t *testing.T) {
	before, err := os.Readlink("/proc/thread-self/ns/net")
	if err != nil {
		t.Fatal(err)
	}
	lab := New(t)
	ann := lab.Host("ann", "10.77.0.1/24")
	bob := lab.Host("bob")
	bob.Join(lab.LAN(), "10.77.0.2/24")

	dial := func(h *Host, addr string) error {
		return h.Do(func() error {
			c, err := (&net.Dialer{Timeout: 200 * time.Millisecond}).Dial("tcp4", addr)
			if err == nil {
				err = errors.Join(errors.New("connected"), c.Close())
			}
			return err
		})
	}
	if err := dial(ann, "192.0.2.1:9"); err == nil || !strings.Contains(err.Error(), "unreachable") {
		t.Errorf("a host without a route, dialing outside: %v", err)
	}
	if err := dial(ann, "10.77.0.2:9"); err == nil || strings.Contains(err.Error(), "refused") {
		t.Errorf("dialing a host on another LAN: %v", err)
	}
	out, err := ann.Command("ip", "-o", "link").CombinedOutput()
	if got := strings.Count(string(out), "\n"); err != nil || got != 2 {
		t.Errorf("a host with one NIC shows %q, %v", out, err)
	}
	if after, err := os.Readlink("/proc/thread-self/ns/net"); after != before {
		t.Errorf("the test's own network was %s and is %s (%v)", before, after, err)
	}
}

func TestDoPassesOn(t *testing.T) {
	h := New(t).Host("ann")
	boom := errors.New("boom")
	if err := h.Do(func() error { return boom }); err != boom {
		t.Errorf("Do = %v", err)
	}
	failed := &testing.T{}
	if err := h.Do(func() error { failed.SkipNow(); return nil }); err == nil {
		t.Error("a function that never returned was a success")
	}
	if err := h.IP("link set nosuch up"); err == nil || !strings.Contains(err.Error(), "nosuch") {
		t.Errorf("a wrong ip command: %v", err)
	}
}

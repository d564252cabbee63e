package netlab

import (
	"errors"
	"net"
	"net/netip"
	"os"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// echo answers every datagram that reaches the host at port 5000.
func echo(t *testing.T, h *Host) {
	t.Helper()
	var c *net.UDPConn
	err := h.Do(func() (err error) {
		c, err = net.ListenUDP("udp4", &net.UDPAddr{Port: 5000})
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan struct{})
	go func() {
		defer close(done)
		buf := make([]byte, 2048)
		for {
			n, from, err := c.ReadFromUDPAddrPort(buf)
			if errors.Is(err, net.ErrClosed) {
				return
			}
			if err == nil {
				_, _ = c.WriteToUDPAddrPort(buf[:n], from)
			}
		}
	}()
	t.Cleanup(func() {
		_ = c.Close()
		<-done
	})
}

// ask sends datagrams to the echo at to and counts what comes back, until all
// did or nothing more does.
func ask(h *Host, to string, datagrams int) (back int, err error) {
	err = h.Do(func() error {
		c, err := net.DialUDP("udp4", nil, net.UDPAddrFromAddrPort(netip.AddrPortFrom(netip.MustParseAddr(to), 5000)))
		if err != nil {
			return err
		}
		defer c.Close()
		for range datagrams {
			if _, err := c.Write([]byte("?")); err != nil {
				return err
			}
		}
		buf := make([]byte, 16)
		for back < datagrams {
			_ = c.SetReadDeadline(time.Now().Add(300 * time.Millisecond))
			if _, err := c.Read(buf); errors.Is(err, os.ErrDeadlineExceeded) {
				break
			} else if err != nil {
				return err
			}
			back++
		}
		return nil
	})
	return back, err
}

func TestObstacles(t *testing.T) {
	const all = 40
	tests := []struct {
		name     string
		obstacle func(lab *Lab, server, client *Host)
		least    int // datagrams of 40 that come back
		most     int
		err      error
	}{
		{"none", func(*Lab, *Host, *Host) {}, all, all, nil},
		{"everything dropped", func(_ *Lab, s, _ *Host) { s.Firewall() }, 0, 0, nil},
		{"this port open", func(_ *Lab, s, _ *Host) { s.Firewall("udp dport 5000") }, all, all, nil},
		{"another port open", func(_ *Lab, s, _ *Host) { s.Firewall("udp dport 5001") }, 0, 0, nil},
		{"a client that takes answers", func(_ *Lab, _, c *Host) { c.Firewall(Established) }, all, all, nil},
		{"a server that takes answers", func(_ *Lab, s, _ *Host) { s.Firewall(Established) }, 0, 0, nil},
		{"egress refused", func(_ *Lab, _, c *Host) { c.Refuse("udp dport 5000") }, 0, 0, unix.EPERM},
		{"other egress refused", func(_ *Lab, _, c *Host) { c.Refuse("tcp dport 5000") }, all, all, nil},
		{"one isolated", func(_ *Lab, s, _ *Host) { s.Isolate("eth0") }, all, all, nil},
		{"both isolated", func(_ *Lab, s, c *Host) { s.Isolate("eth0"); c.Isolate("eth0") }, 0, 0, nil},
		{"unplugged", func(_ *Lab, s, _ *Host) { s.Unplug("eth0") }, 0, 0, nil},
		{"plugged again", func(_ *Lab, s, _ *Host) { s.Unplug("eth0"); s.Plug("eth0") }, all, all, nil},
		// The chance of falling outside is below 1 in 100,000.
		{"half lost at the server", func(_ *Lab, s, _ *Host) { s.Lose(50) }, 6, 34, nil},
		{"nothing lost any more", func(_ *Lab, s, _ *Host) { s.Lose(100); s.Lose(0) }, all, all, nil},
		{"all lost at the client", func(_ *Lab, _, c *Host) { c.Lose(100) }, 0, 0, nil},
		{"a crowd", func(_ *Lab, s, c *Host) { s.Crowd(20); c.Crowd(20) }, all, all, nil},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			lab := New(t)
			server, client := lab.Host("server", "10.77.0.1/24"), lab.Host("client", "10.77.0.2/24")
			echo(t, server)
			tt.obstacle(lab, server, client)
			got, err := ask(client, "10.77.0.1", all)
			if got < tt.least || got > tt.most || !errors.Is(err, tt.err) {
				t.Errorf("%d of %d came back, %v; want %d to %d, %v", got, all, err, tt.least, tt.most, tt.err)
			}
		})
	}
}

func TestTunnel(t *testing.T) {
	for _, addrs := range [][2]string{{"10.9.0.1 peer 10.9.0.2", "10.9.0.2 peer 10.9.0.1"}, {"10.9.0.1/24", "10.9.0.2/24"}} {
		lab := New(t)
		server, client := lab.Host("server"), lab.Host("client")
		nic := lab.Tunnel(server, addrs[0], client, addrs[1])
		echo(t, server)
		if got, err := ask(client, "10.9.0.1", 10); got != 10 || err != nil {
			t.Errorf("%v: %d of 10 came back, %v", addrs, got, err)
		}
		err := client.Do(func() error {
			i, err := net.InterfaceByName(nic)
			if err == nil && i.Flags&(net.FlagBroadcast|net.FlagPointToPoint|net.FlagUp) != net.FlagPointToPoint|net.FlagUp {
				t.Errorf("its flags are %v", i.Flags)
			}
			return err
		})
		if err != nil {
			t.Error(err)
		}
	}
}

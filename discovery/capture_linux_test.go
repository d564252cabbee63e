package discovery

import (
	"errors"
	"net/netip"
	"testing"

	"lanchat/internal/netlab"

	"golang.org/x/sys/unix"
)

// With an interface named, nothing at all leaves by another.
func TestInterfacesNarrow(t *testing.T) {
	t.Parallel()
	lab := netlab.New(t)
	host, stranger := lab.Host("host", "10.77.0.1/24"), lab.Host("stranger", "10.77.0.2/24")
	left := sniff(t, host)
	only := Config{Interfaces: []string{"lo"}}
	_, stop := announce(t, host, only, Announcement{Name: "lobby", Key: key(1)})

	at := func(addr string) []netip.AddrPort { return []netip.AddrPort{netip.MustParseAddrPort(addr)} }
	list, err := lookupOn(t, host, only, Want{Name: "lobby", Last: append(at("10.77.0.2:1"), at("192.0.2.1:1")...)})
	if err != nil || len(list) != 1 || list[0].Addr.String() != "127.0.0.1:25252" {
		t.Errorf("on the host: %+v, %v", list, err)
	}
	absentOn(t, stranger, Config{}, Want{Name: "lobby", Last: at("10.77.0.1:1")})
	stop()
	if n := left(); n != 0 {
		t.Errorf("%d datagrams left by eth0", n)
	}

	// That the count would have shown them:
	absentOn(t, host, Config{}, Want{Name: "lobby", Last: at("10.77.0.2:1")})
	if n := left(); n < 9 {
		t.Errorf("three queries by all interfaces sent %d datagrams by eth0", n)
	}
}

// sniff counts the IPv4 packets that leave the host by eth0. Each call of left
// tells how many did since the last one.
func sniff(t *testing.T, h *netlab.Host) (left func() int) {
	t.Helper()
	var fd int
	err := h.Do(func() (err error) {
		const all = unix.ETH_P_ALL<<8&0xff00 | unix.ETH_P_ALL>>8 // in network byte order
		if fd, err = unix.Socket(unix.AF_PACKET, unix.SOCK_DGRAM|unix.SOCK_NONBLOCK|unix.SOCK_CLOEXEC, all); err != nil {
			return err
		}
		links, err := systemLinks()
		if err != nil {
			return err
		}
		for _, l := range links {
			if l.name == "eth0" {
				return unix.Bind(fd, &unix.SockaddrLinklayer{Protocol: all, Ifindex: l.index})
			}
		}
		return errors.New("no eth0")
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = unix.Close(fd) })
	return func() (n int) {
		buf := make([]byte, 2048)
		for {
			_, from, err := unix.Recvfrom(fd, buf, 0)
			if err != nil {
				return n
			}
			ll, ok := from.(*unix.SockaddrLinklayer)
			if ok && ll.Pkttype == unix.PACKET_OUTGOING && ll.Protocol == unix.ETH_P_IP<<8&0xff00|unix.ETH_P_IP>>8 {
				n++
			}
		}
	}
}

// A host that lost its network still finds what is on it, and tells what fails.
func TestSendingFails(t *testing.T) {
	t.Parallel()
	lab := netlab.New(t)
	host := lab.Host("host", "10.77.0.1/24")
	if err := host.IP("route add blackhole 10.99.0.0/16"); err != nil {
		t.Fatal(err)
	}
	a, _ := announce(t, host, Config{}, Announcement{Name: "lobby", Key: key(1)})
	last := []netip.AddrPort{netip.MustParseAddrPort("192.0.2.1:1"), netip.MustParseAddrPort("10.99.0.1:1")}
	list, err := lookupOn(t, host, Config{}, Want{Name: "lobby", Last: last})
	if err != nil || len(list) != 1 {
		t.Errorf("%+v, %v", list, err)
	}
	_, err = lookupOn(t, host, Config{}, Want{Name: "absent", Last: last})
	if !nothingFound(err) || !errors.Is(err, unix.ENETUNREACH) && !errors.Is(err, unix.EINVAL) {
		t.Errorf("the error tells no cause: %v", err)
	}
	if s := a.Stats(); s.SendFailed != 0 || len(s.Trouble) != 0 || len(s.Links) != 2 {
		t.Errorf("the server, which has no trouble: %+v", s)
	}

	if err := host.IP("link set eth0 down"); err != nil {
		t.Fatal(err)
	}
	found(t, host, "without any network", "lobby", func(s Server) bool { return s.Addr.Addr() == local })
}

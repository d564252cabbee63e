package discovery

import (
	"context"
	"flag"
	"fmt"
	"net/netip"
	"os"
	"strings"
	"testing"
	"time"

	"lanchat/internal/netlab"

	"golang.org/x/sys/unix"
)

var idleFor = flag.Duration("idle", time.Second, "how long TestIdleCost watches; 1m is the real thing")

// What a browser and an announcer with nothing to do take of a processor.
func TestIdleCost(t *testing.T) {
	lab := netlab.New(t)
	server, client := lab.Host("server", "10.77.0.1/24"), lab.Host("client", "10.77.0.2/24")
	b, err := NewBrowser(Config{})
	if err != nil {
		t.Fatal(err)
	}
	announce(t, server, Config{}, Announcement{Name: "lobby", Key: key(1)})
	start(t, client, "Browser.Run", b.Run)
	await(t, b, "the server", func(l []Server) bool { return len(l) == 1 })
	before := cpu(t)
	<-time.After(*idleFor)
	used := cpu(t) - before
	t.Logf("%v of a processor in %v: %.3f %%", used, *idleFor, 100*used.Seconds()/idleFor.Seconds())
	if *idleFor >= 10*time.Second && used > *idleFor/100 {
		t.Errorf("%v in %v", used, *idleFor)
	}
}

// cpu is what this process has used of all processors.
func cpu(t *testing.T) time.Duration {
	t.Helper()
	var u unix.Rusage
	if err := unix.Getrusage(unix.RUSAGE_SELF, &u); err != nil {
		t.Fatal(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// Whatever is started and stopped, no descriptor stays open. (That no goroutine
// stays is checked at the end of all tests.)
func TestNothingStaysOpen(t *testing.T) {
	host := netlab.New(t).Host("host", "10.77.0.1/24", "10.78.0.1/24")
	round := func() {
		ctx, cancel := context.WithCancel(t.Context())
		a, err := NewAnnouncer(Config{}, Announcement{Name: "n", Key: key(1), Listen: netip.MustParseAddrPort("0.0.0.0:1")})
		if err != nil {
			t.Fatal(err)
		}
		b, err := NewBrowser(Config{})
		if err != nil {
			t.Fatal(err)
		}
		stopServer, _ := start(t, host, "Announcer.Run", a.Run)
		<-a.Ready()
		stopBrowser, _ := start(t, host, "Browser.Run", b.Run)
		await(t, b, "the server", func(l []Server) bool { return len(l) == 1 })
		if _, err := lookupOn(t, host, Config{}, Want{Name: "n"}); err != nil {
			t.Error(err)
		}
		cancel()
		_ = on(host, func() error {
			_, err := Lookup(ctx, Config{}, Want{Name: "n"})
			return err
		})
		stopBrowser()
		stopServer()
	}
	round()
	before := descriptors(t)
	for range 5 {
		round()
	}
	if after := descriptors(t); len(after) > len(before) {
		t.Errorf("%d open descriptors, before %d: %v", len(after), len(before), after)
	}
}

func descriptors(t *testing.T) (open []string) {
	t.Helper()
	list, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range list {
		if to, err := os.Readlink("/proc/self/fd/" + e.Name()); err == nil && strings.HasPrefix(to, "socket:") {
			open = append(open, to)
		}
	}
	return open
}

// manyInterfaces is a host with so many interfaces, as one with many containers
// has.
func manyInterfaces(t testing.TB, n int) *netlab.Host {
	t.Helper()
	host := netlab.New(t).Host("host", "10.77.0.1/24")
	var script strings.Builder
	for i := range n {
		fmt.Fprintf(&script, "link add v%d type veth peer name w%d\nlink set v%d up\nlink set w%d up\naddr add 10.%d.%d.1/24 brd + dev v%d\n",
			i, i, i, i, 100+i/250, i%250, i)
	}
	cmd := host.Command("ip", "-batch", "-")
	cmd.Stdin = strings.NewReader(script.String())
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	return host
}

// Two questions to the kernel say the same as one for each interface.
func TestLinksBothWays(t *testing.T) {
	t.Parallel()
	lab := netlab.New(t)
	host := lab.Host("host", "10.77.0.1/24", "10.78.0.1/16")
	host.Join(lab.LAN(), "10.79.0.1/32")
	if err := host.IP("addr flush dev eth1 scope global"); err != nil {
		t.Fatal(err)
	}
	eventually(t, "both lists are the same, with IPv6 by eth1", func() bool {
		same, six := false, false
		err := host.Do(func() error {
			one, err := systemLinks()
			if err != nil {
				return err
			}
			other, err := portableLinks()
			same = fmt.Sprint(one) == fmt.Sprint(other) && len(one) == 4
			for _, l := range one {
				six = six || l.six() && l.name == "eth1"
			}
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
		return same && six
	})
}

func BenchmarkLinks300(b *testing.B) {
	host := manyInterfaces(b, 300)
	for name, list := range map[string]func() ([]link, error){"netlink": systemLinks, "portable": portableLinks} {
		b.Run(name, func(b *testing.B) {
			err := host.Do(func() error {
				for b.Loop() {
					if links, err := list(); err != nil || len(links) < 300 {
						return fmt.Errorf("%d links, %w", len(links), err)
					}
				}
				return nil
			})
			if err != nil {
				b.Error(err)
			}
		})
	}
}

// A lookup on a host with 300 pairs of interfaces.
func BenchmarkLookup300(b *testing.B) {
	host := manyInterfaces(b, 300)
	a, err := NewAnnouncer(Config{}, Announcement{Name: "n", Key: key(1), Listen: netip.MustParseAddrPort("0.0.0.0:1")})
	if err != nil {
		b.Fatal(err)
	}
	ctx, cancel := context.WithCancel(b.Context())
	done := make(chan error)
	go func() { done <- host.Do(func() error { return a.Run(ctx) }) }()
	<-a.Ready()
	pin := key(1)
	err = host.Do(func() error {
		for b.Loop() {
			if _, err := Lookup(ctx, Config{}, Want{Name: "n", Key: &pin}); err != nil {
				return err
			}
		}
		return nil
	})
	cancel()
	if err := <-done; err != nil {
		b.Error(err)
	}
	if err != nil {
		b.Error(err)
	}
}

package discovery

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"log/slog"
	"net/netip"
	"os"
	"strings"
	"testing"
	"time"

	"lanchat/internal/netlab"
	"lanchat/internal/tied"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) {
	if args := os.Getenv(childEnv); args != "" {
		if err := child(strings.Fields(args)); err != nil {
			fmt.Fprintln(os.Stderr, args, err)
			os.Exit(1)
		}
		return
	}
	netlab.Enter()
	// As many at one time as there are processors, the default, is too few here:
	// the tests wait much more than they work.
	flag.Parse()
	if err := flag.Set("test.parallel", "8"); err != nil {
		panic(err)
	}
	goleak.VerifyTestMain(m)
}

// key is a fingerprint that tells who is meant.
func key(c byte) (k [KeySize]byte) {
	for i := range k {
		k[i] = c
	}
	return k
}

// loopback is a Config that keeps everything on this machine, on a port that
// nobody uses.
func loopback(t *testing.T) Config {
	t.Helper()
	all, err := systemLinks()
	if err != nil {
		t.Fatal(err)
	}
	for _, l := range all {
		if l.loopback {
			return Config{Port: tied.FreeUDPPort(t), Interfaces: []string{l.name}, Logger: slog.New(slog.DiscardHandler)}
		}
	}
	t.Skip("no loopback interface with an IPv4 address")
	return Config{}
}

// on runs something with the host's network; nil is this machine's own.
func on(h *netlab.Host, fn func() error) error {
	if h == nil {
		return fn()
	}
	return h.Do(fn)
}

// announce runs an Announcer until the test ends or stop is called, and returns
// when it is ready.
func announce(t *testing.T, h *netlab.Host, cfg Config, ann Announcement) (a *Announcer, stop func()) {
	t.Helper()
	if ann.Listen.Port() == 0 {
		ann.Listen = netip.AddrPortFrom(netip.IPv4Unspecified(), 25252)
	}
	a, err := NewAnnouncer(cfg, ann)
	if err != nil {
		t.Fatal(err)
	}
	stop, ended := start(t, h, "Announcer.Run", a.Run)
	select {
	case <-a.Ready():
	case <-ended:
		t.Fatal("the announcer did not start")
	}
	return a, stop
}

// start calls run in the background. stop ends it and waits; so does the end of
// the test.
func start(t *testing.T, h *netlab.Host, what string, run func(context.Context) error) (stop func(), ended <-chan struct{}) {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() {
		defer close(done)
		if err := on(h, func() error { return run(ctx) }); err != nil {
			t.Errorf("%s: %v", what, err)
		}
	}()
	stop = func() {
		cancel()
		<-done
	}
	t.Cleanup(stop)
	return stop, done
}

// patience is how long a test waits for what has to come, where it does not ask how
// soon. It is shorter than what a server that says nothing any more is listed for.
const patience = 20 * time.Second

// await waits until a browser's list fits.
func await(t *testing.T, b *Browser, what string, fits func([]Server) bool) {
	t.Helper()
	limit := time.NewTimer(patience)
	defer limit.Stop()
	for !fits(b.Servers()) {
		select {
		case <-b.Changed():
		case <-limit.C:
			t.Fatalf("waiting for %s: the list is %v", what, b.Servers())
		}
	}
}

// eventually waits until something holds.
func eventually(t *testing.T, what string, holds func() bool) {
	t.Helper()
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for deadline := time.Now().Add(patience); !holds(); <-tick.C {
		if time.Now().After(deadline) {
			t.Fatalf("waiting until %s", what)
		}
	}
}

func names(list []Server) (names []string) {
	for _, s := range list {
		names = append(names, s.Name)
	}
	return names
}

// nothingFound is a failed search for an absent server.
func nothingFound(err error) bool { return errors.Is(err, ErrNotFound) }

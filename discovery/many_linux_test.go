package discovery

import (
	"context"
	"flag"
	"fmt"
	"net/netip"
	"sync"
	"testing"
	"time"

	"lanchat/internal/netlab"
)

var manyServers = flag.Int("servers", 200, "how many servers TestManyServers runs; 1000 is the real thing")

// homed is this host's network for one of many servers: with an address of its
// own on the loopback, as if it had a host of its own. All else is real.
type homed struct {
	system
	addr netip.Addr
}

func (h homed) links() ([]link, error) {
	all, err := h.system.links()
	for i := range all {
		if all[i].loopback {
			all[i].addr = netip.PrefixFrom(h.addr, 8)
			return all[i : i+1], err
		}
	}
	return nil, err
}

// So many servers on one network settle, and one list query finds them all.
//
// It is not beside other tests: each server hears every other, and where that takes all
// that the machine has, a lookup of 3.5 s finds nothing.
func TestManyServers(t *testing.T) {
	if raced { // what hears each other grows by the square, and is ten times slower
		*manyServers = min(*manyServers, 50)
	}
	host := netlab.New(t).Host("host")
	all := make([]*Announcer, *manyServers)
	ctx, stop := context.WithCancel(t.Context())
	var running sync.WaitGroup
	defer running.Wait()
	defer stop() // all at once: each takes a while
	for i := range all {
		cfg := Config{network: homed{addr: netip.AddrFrom4([4]byte{127, 1, byte(i >> 8), byte(i)})}}
		a, err := NewAnnouncer(cfg, Announcement{Name: fmt.Sprintf("room %d", i), Key: key(byte(1 + i%255)), Listen: netip.MustParseAddrPort("0.0.0.0:1")})
		if err != nil {
			t.Fatal(err)
		}
		all[i] = a
		running.Go(func() {
			if err := host.Do(func() error { return a.Run(ctx) }); err != nil {
				t.Error(err)
			}
		})
		<-a.Ready()
	}
	began := time.Now()
	total := func(of func(Stats) uint64) (n uint64) {
		for _, a := range all {
			n += of(a.Stats())
		}
		return n
	}
	sent := func() uint64 { return total(func(s Stats) uint64 { return s.Sent }) }
	eventually(t, "every server has sent the beacons of its start", func() bool { return sent() >= 3*uint64(len(all)) })

	if len(all) > 200 { // at 200, interval and answer are the same, and nobody waits for it
		before := sent()
		tick := time.NewTicker(5 * time.Second)
		defer tick.Stop()
		for range tick.C {
			now := sent()
			t.Logf("%v after the last start: %.1f beacons/s", time.Since(began).Round(time.Second), float64(now-before)/5)
			rate := now - before
			if before = now; rate <= 5*10 && time.Since(began) > 20*time.Second {
				break
			}
			if time.Since(began) > time.Minute {
				t.Fatal("a minute is over")
			}
		}
	}
	for good, tries := 0, 0; good < 3; tries++ {
		began, sentBefore := time.Now(), sent()
		heardBefore := total(func(s Stats) uint64 { return s.Answered })
		var list []Server
		err := host.Do(func() (err error) {
			list, err = List(t.Context(), Config{}, ListTime)
			return err
		})
		took := time.Since(began)
		answered := 0
		for _, s := range list {
			if s.Answered {
				answered++
			}
		}
		answers := total(func(s Stats) uint64 { return s.Answered }) - heardBefore
		t.Logf("listed %d, %d of them by an answer, in %v; the servers sent %d answers and %d beacons",
			len(list), answered, took, answers, sent()-sentBefore-answers)
		if took > ListTime+100*time.Millisecond && tries < 10 {
			continue // the machine stood still: what was on its way shows nothing of the servers
		}
		good++
		if err != nil || len(list) != len(all) || answered != len(all) || took > ListTime+time.Second {
			t.Errorf("%d of %d listed, %d answered, %v", len(list), len(all), answered, err)
		}
		if len(all) <= 200 {
			return
		}
	}
}

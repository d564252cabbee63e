package discovery

import (
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"lanchat/internal/netlab"
)

// losses are what a bad network may cost: of a hundred lookups so many succeed,
// and of a hundred that succeed 95 take at most so long. The first figures hold
// for the 200 lookups of -matrix.full, the others for a sample so small that
// chance weighs more.
var losses = []struct {
	percent   int // lost each way
	least     int
	p95       time.Duration
	leastFew  int
	p95OfAFew time.Duration
}{
	{0, 100, 300 * time.Millisecond, 100, 2 * time.Second},
	{10, 99, 400 * time.Millisecond, 97, 2 * time.Second},
	{30, 98, 700 * time.Millisecond, 95, 2 * time.Second},
	{50, 90, lookupTime, 80, lookupTime},
}

// A lookup gets through where much is lost, since it asks again, by two ways, and
// the answer comes by two ways as well.
func TestMatrixLoss(t *testing.T) {
	t.Parallel()
	pairs, each := 12, 5
	if *matrixFull {
		pairs, each = 20, 10
	}
	type pair struct{ server, client *netlab.Host }
	all := make([]pair, pairs) // each on a LAN of its own: none hears the beacons of another
	for n := range all {
		all[n].server, all[n].client = twoHosts(netlab.New(t))
		announce(t, all[n].server, Config{}, lobby())
	}
	rows := []string{fmt.Sprintf("%8s %8s %8s %8s %8s %8s", "loss", "lookups", "found", "median", "p95", "slowest")}
	for _, l := range losses {
		for _, p := range all {
			p.server.Lose(l.percent)
			p.client.Lose(l.percent)
		}
		var mu sync.Mutex
		var took []time.Duration
		var lookups sync.WaitGroup
		for _, p := range all {
			lookups.Go(func() {
				for range each {
					began := time.Now()
					list, err := lookupOn(t, p.client, Config{}, Want{Name: "lobby"})
					switch d := time.Since(began); {
					case nothingFound(err):
					case err != nil || len(list) != 1 || list[0].Addr.String() != lobbyAddr:
						t.Errorf("%d %% lost: %+v, %v", l.percent, list, err)
					default:
						mu.Lock()
						took = append(took, d)
						mu.Unlock()
					}
				}
			})
		}
		lookups.Wait()
		least, limit := l.leastFew, l.p95OfAFew
		if *matrixFull {
			least, limit = l.least, l.p95
		}
		ms := func(p int) string { return fmt.Sprintf("%.0f ms", percentile(took, p).Seconds()*1000) }
		rows = append(rows, fmt.Sprintf("%6d %% %8d %8d %8s %8s %8s", l.percent, pairs*each, len(took), ms(50), ms(95), ms(100)))
		if len(took)*100 < least*pairs*each {
			t.Errorf("%d %% lost each way: %d of %d lookups found the server, want %d %%", l.percent, len(took), pairs*each, least)
		}
		if p95 := percentile(took, 95); p95 > limit && !raced { // how soon is asked where nothing slows it down
			t.Errorf("%d %% lost each way: one in twenty took %v and more, want %v", l.percent, p95, limit)
		}
	}
	t.Log("\n" + strings.Join(rows, "\n"))
}

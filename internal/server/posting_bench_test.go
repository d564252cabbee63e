package server

import (
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"lanchat/internal/roomlog"
	"lanchat/protocol"
)

// BenchmarkPosting measures how many posts a second a whole server takes, over
// real connections, with its log on disk and in memory, and reports the ratio of
// the two, measured in turn in one run.
//
// wait: 64 posters, each of which waits for its acknowledgement before the next
// post. pipeline: 4 posters with up to 1,024 posts under way. Each poster is in a
// room of its own ("apart") or all are in one ("together"), where everybody is
// also sent what the others say.
func BenchmarkPosting(b *testing.B) {
	for _, load := range []struct {
		name            string
		posters, window int
		together        bool
	}{{"wait/apart", 64, 1, false}, {"wait/together", 64, 1, true}, {"pipeline/apart", 4, 1024, false}, {"pipeline/together", 4, 1024, true}} {
		b.Run(load.name, func(b *testing.B) {
			var took [2]time.Duration
			const rounds = 4
			for b.Loop() {
				for round := range rounds {
					durable := round % 2
					took[durable] += postMany(b, durable == 1, load.posters, load.window, load.together)
				}
			}
			b.ReportMetric(took[0].Seconds()/took[1].Seconds(), "durable/memory")
			b.ReportMetric(float64(postingTotal*b.N*rounds/2)/took[1].Seconds(), "durable-posts/s")
			b.ReportMetric(float64(postingTotal*b.N*rounds/2)/took[0].Seconds(), "memory-posts/s")
		})
	}
}

const postingTotal = 16 << 10

// postMany is how long postingTotal posts take.
func postMany(b *testing.B, durable bool, posters, window int, together bool) time.Duration {
	var store roomlog.Store = roomlog.NewMemory()
	if durable {
		var err error
		if store, err = roomlog.OpenSQLite(b.TempDir()); err != nil {
			b.Fatal(err)
		}
	}
	s, addr := start(b, func(c *Config) {
		c.Log.Close()
		c.Log = roomlog.Local(store)
		c.Limits = Limits{PostRate: 10_000_000, PostBurst: 10_000_000, PageRate: 1 << 20}
	})
	clients := make([]*raw, posters)
	rooms := make([]string, posters)
	for i := range clients {
		rooms[i] = "lobby"
		if !together {
			rooms[i] = fmt.Sprint("room-", i)
		}
		var err error
		if clients[i], err = dialRaw(addr, fmt.Sprint("poster-", i), 0); err != nil {
			b.Fatal(err)
		}
		if together {
			continue
		}
		if err := clients[i].send(&protocol.Leave{Room: "lobby"}, &protocol.Join{Ref: 1, Room: rooms[i]}); err != nil {
			b.Fatal(err)
		}
		for name := ""; name != "joined"; {
			if name, err = clients[i].next(); err != nil {
				b.Fatal(err)
			}
		}
	}
	begin := time.Now()
	var done sync.WaitGroup
	for i, c := range clients {
		done.Go(func() {
			sent, acked := 0, 0
			for acked < postingTotal/posters {
				for sent < postingTotal/posters && sent-acked < window {
					if err := c.send(&protocol.Post{ID: protocol.NewID(), Room: rooms[i], Text: postingText}); err != nil {
						b.Error(err)
						return
					}
					sent++
				}
				name, err := c.next()
				if err != nil {
					b.Error(err)
					return
				}
				if name == "ack" {
					acked++
				}
			}
		})
	}
	done.Wait()
	took := time.Since(begin)
	for _, c := range clients {
		c.Close()
	}
	s.Close()
	return took
}

var postingText = strings.Repeat("x", 100)

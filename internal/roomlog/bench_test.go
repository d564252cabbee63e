package roomlog

import (
	"strings"
	"sync"
	"testing"
	"time"

	"lanchat/protocol"
)

// loads are ways of posting: 64 posters that each wait for their acknowledgement,
// and 4 that have up to 1,024 posts under way.
var loads = []struct {
	name            string
	posters, window int
}{{"wait", 64, 1}, {"pipeline", 4, 1024}}

// BenchmarkPost measures posting through the committer.
func BenchmarkPost(b *testing.B) {
	for _, load := range loads {
		for _, store := range []string{"memory", "sqlite"} {
			b.Run(load.name+"/"+store, func(b *testing.B) {
				took := post(b, store, load.posters, load.window, b.N)
				b.ReportMetric(float64(b.N)/took.Seconds(), "posts/s")
			})
		}
	}
}

// BenchmarkDurableRatio says which part of memory's rate is left when posts are
// durable. Both are measured in turns, so that a busy machine slows both.
func BenchmarkDurableRatio(b *testing.B) {
	for _, load := range loads {
		b.Run(load.name, func(b *testing.B) {
			const turns = 5
			n := max(b.N/turns, 1)
			var memory, durable time.Duration
			for range turns {
				memory += post(b, "memory", load.posters, load.window, n)
				durable += post(b, "sqlite", load.posters, load.window, n)
			}
			b.ReportMetric(memory.Seconds()/durable.Seconds(), "durable/memory")
			b.ReportMetric(float64(n*turns)/durable.Seconds(), "posts/s")
		})
	}
}

// post posts n entries to an empty store and returns how long it took until the
// last one was acknowledged.
func post(b *testing.B, store string, posters, window, n int) time.Duration {
	l := Local(stores[store](b))
	defer l.Close()
	text := strings.Repeat("x", 100)
	begin := time.Now()
	var left sync.WaitGroup
	for p := range posters {
		left.Go(func() {
			slots := make(chan struct{}, window)
			poster := l.Poster(func(_ *protocol.Entry, err error) {
				if err != nil {
					b.Error(err)
				}
				<-slots
			})
			e := entry("lobby", text)
			for i := p; i < n; i += posters {
				slots <- struct{}{}
				e.ID = protocol.NewID()
				if err := poster.Submit(e); err != nil {
					b.Error(err)
				}
			}
			for range window {
				slots <- struct{}{}
			}
		})
	}
	left.Wait()
	return time.Since(begin)
}

package roomlog

import (
	"fmt"
	"strings"
	"sync"
	"testing"

	"lanchat/protocol"
)

// BenchmarkPost measures posting through the committer: durable (sqlite) beside
// memory, in one run.
//
// wait: 64 posters that each wait for their acknowledgement. pipeline: 4 that
// have up to 1,024 posts under way.
func BenchmarkPost(b *testing.B) {
	text := strings.Repeat("x", 100)
	for _, load := range []struct {
		name            string
		posters, window int
	}{{"wait", 64, 1}, {"pipeline", 4, 1024}} {
		for _, store := range []string{"memory", "sqlite"} {
			b.Run(fmt.Sprintf("%s/%s", load.name, store), func(b *testing.B) {
				l := Local(stores[store](b))
				defer l.Close()
				var left sync.WaitGroup
				for p := range load.posters {
					n := b.N / load.posters
					if p < b.N%load.posters {
						n++
					}
					left.Go(func() {
						slots := make(chan struct{}, load.window)
						poster := l.Poster(func(_ *protocol.Entry, err error) {
							if err != nil {
								b.Error(err)
							}
							<-slots
						})
						e := entry("lobby", text)
						for range n {
							slots <- struct{}{}
							e.ID = protocol.NewID()
							if err := poster.Submit(e); err != nil {
								b.Error(err)
							}
						}
						for range load.window {
							slots <- struct{}{}
						}
					})
				}
				left.Wait()
				b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "posts/s")
			})
		}
	}
}

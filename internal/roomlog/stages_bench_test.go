package roomlog

import (
	"fmt"
	"strings"
	"testing"

	"lanchat/protocol"
)

// BenchmarkAppend is what a session pays to hand a post to the log, which commits it
// elsewhere.
func BenchmarkAppend(b *testing.B) {
	l := Local(NewMemory())
	defer l.Close()
	slots := make(chan struct{}, 1024)
	poster := l.Poster(func(*protocol.Entry, error) { <-slots })
	e := entry("lobby", strings.Repeat("x", 100))
	b.ReportAllocs()
	for b.Loop() {
		slots <- struct{}{}
		e.ID = protocol.NewID()
		if err := poster.Submit(e); err != nil {
			b.Fatal(err)
		}
	}
	for range cap(slots) { // all are committed
		slots <- struct{}{}
	}
}

// BenchmarkCommit is one commit, for each entry in it: how many there are depends on
// how many come while the last one runs.
func BenchmarkCommit(b *testing.B) {
	for _, store := range []string{"memory", "sqlite"} {
		for _, size := range []int{1, 32, 512} {
			b.Run(fmt.Sprintf("%s/entries=%d", store, size), func(b *testing.B) {
				s := stores[store](b)
				defer s.Close()
				text := strings.Repeat("x", 100)
				batch := make([]Record, size)
				b.ReportAllocs()
				for b.Loop() {
					for i := range batch {
						batch[i] = Record{Entry: entry("lobby", text)}
						batch[i].Entry.ID = protocol.NewID()
					}
					if err := s.Append(batch); err != nil {
						b.Fatal(err)
					}
				}
				b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N*size), "ns/entry")
			})
		}
	}
}

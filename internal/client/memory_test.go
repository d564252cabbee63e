package client

import (
	"fmt"
	"runtime"
	"strings"
	"testing"
	"time"

	"lanchat/protocol"
)

// fresh is an entry as it comes from the wire: each text in its own memory.
func fresh(seq uint64) protocol.Entry {
	e := *entry(seq, []protocol.Member{ann, bob, eve}[seq%3], "", 0, "")
	e.Room, e.Nick = strings.Clone(e.Room), strings.Clone(e.Nick)
	e.Text = fmt.Sprintf("line %d, and a few more words, as people write them", seq)
	return e
}

func heap() uint64 {
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.HeapAlloc
}

// A room of 100,000 entries, heard or loaded, takes a third of a kilobyte each.
func TestMemoryOfABigRoom(t *testing.T) {
	const entries, page = 100_000, 300
	const most = 400 // bytes an entry: 38 MiB
	for _, tt := range []struct {
		how  string
		fill func(b *bench)
	}{
		{"heard", func(b *bench) {
			for seq := uint64(1); seq <= entries; seq++ {
				e := fresh(seq)
				b.receive(&e)
			}
		}},
		{"loaded", func(b *bench) {
			b.receive(&protocol.Joined{Ref: 1, Room: "lobby", Head: entries})
			for last := uint64(entries); last > 0; last -= min(last, page) {
				m := &protocol.Page{Ref: 1, Room: "lobby", More: last > page}
				for seq := last - min(last, page) + 1; seq <= last; seq++ {
					m.Entries = append(m.Entries, fresh(seq))
				}
				b.receive(m)
			}
		}},
	} {
		b := newBench(t, "lobby")
		before, begin := heap(), time.Now()
		tt.fill(b)
		took := time.Since(begin)
		each := (heap() - before) / entries
		t.Logf("%s: %d bytes an entry, %v", tt.how, each, took.Round(time.Millisecond))
		if n := len(b.Room("lobby").Items); n != entries || each > most {
			t.Errorf("%s: %d items of %d bytes", tt.how, n, each)
		}
		runtime.KeepAlive(b)
	}
}

// BenchmarkOlderPage loads a page before 100,000 entries.
func BenchmarkOlderPage(b *testing.B) {
	const page = 300
	for b.Loop() {
		b.StopTimer()
		bench := newBench(b, "lobby")
		for seq := uint64(page + 1); seq < maxItems; seq++ {
			e := fresh(seq)
			bench.receive(&e)
		}
		m := &protocol.Page{Ref: 1, Room: "lobby"}
		for seq := uint64(1); seq <= page; seq++ {
			m.Entries = append(m.Entries, fresh(seq))
		}
		b.StartTimer()
		bench.receive(m)
	}
}

// BenchmarkChange folds a reaction into one of 100,000 entries.
func BenchmarkChange(b *testing.B) {
	bench := newBench(b, "lobby")
	for seq := uint64(1); seq < maxItems; seq++ {
		e := fresh(seq)
		bench.receive(&e)
	}
	seq := uint64(maxItems)
	for b.Loop() {
		bench.receive(reaction(seq, bob, seq%maxItems+1, protocol.Reaction{Text: "x", Count: 1}))
		seq++
	}
}

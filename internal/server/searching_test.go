package server

import (
	"flag"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"lanchat/internal/roomlog"
	"lanchat/protocol"
)

var searchEntries = flag.Int("search.entries", 10_000, "how many entries the log has in which many search at the same time")

// TestSearchesOfOneDoNotHoldUpOthers: somebody with many connections who does nothing but
// search, as badly as can be, makes neither another's search nor a post wait for long.
func TestSearchesOfOneDoNotHoldUpOthers(t *testing.T) {
	store, err := roomlog.OpenSQLite(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	batch := make([]roomlog.Record, 1000)
	for done := 0; done < *searchEntries; done += len(batch) {
		for i := range batch {
			batch[i] = roomlog.Record{Entry: protocol.Entry{ID: protocol.NewID(), Room: "lobby", User: protocol.UserID{1}, Nick: "past",
				Text: fmt.Sprintf("the word that all have, number %d of many, and some more words about nothing", done+i)}}
		}
		if err := store.Append(batch); err != nil {
			t.Fatal(err)
		}
	}
	s, addr := startTLS(t, func(c *Config) {
		c.Log.Close()
		c.Log = roomlog.Local(store)
	})
	ann := connectTLS(t, addr, newKey(t), "ann")
	ann.join("lobby", uint64(*searchEntries))
	find := func(p *peer, query string) time.Duration {
		began := time.Now()
		p.send(&protocol.Search{Ref: 5, Query: query})
		if f := any1[*protocol.Found](p); len(f.Entries) == 0 {
			p.Errorf("%q finds nothing", query)
		}
		return time.Since(began)
	}
	measure := func() (search, post time.Duration) {
		var searches, posts []time.Duration
		for i := range 20 {
			began := time.Now()
			ann.say("lobby", fmt.Sprint("still here ", i))
			posts = append(posts, time.Since(began))
			searches = append(searches, find(ann, "number word"))
		}
		slices.Sort(searches)
		slices.Sort(posts)
		return searches[18], posts[18]
	}
	find(ann, "word") // until the index is there
	quietSearch, quietPost := measure()

	eve := newKey(t)
	var over atomic.Bool
	var asked atomic.Int64
	var searching sync.WaitGroup
	for range 20 {
		p := connectTLS(t, addr, eve, "eve")
		searching.Go(func() {
			for !over.Load() {
				p.send(&protocol.Search{Ref: 5, Query: "w* t* a*"})
				for m := protocol.Message(nil); ; {
					var err error
					if m, err = p.Read(); err != nil {
						return // the end of the test
					}
					if _, found := m.(*protocol.Found); found {
						break
					}
				}
				asked.Add(1)
			}
		})
	}
	waitFor(t, func() bool { return asked.Load() > 0 && len(s.searches) > 0 })
	began, before := time.Now(), asked.Load()
	search, post := measure()
	rate := float64(asked.Load()-before) / time.Since(began).Seconds()
	over.Store(true)
	s.Close()
	searching.Wait()
	t.Logf("p95 of a search %v, of a post %v; while another makes %.0f searches a second %v and %v", quietSearch, quietPost, rate, search, post)
	if limit := max(20*quietSearch, time.Second); search > limit {
		t.Errorf("a search takes %v, more than %v", search, limit)
	}
	if limit := max(20*quietPost, time.Second); post > limit {
		t.Errorf("a post takes %v, more than %v", post, limit)
	}
}

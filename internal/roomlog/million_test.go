package roomlog

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"lanchat/protocol"
)

// BenchmarkLarge measures what people wait for on a log of a million entries,
// while posting goes on: the first page of a search, the last page of a room,
// opening the log. The log is made once for all of them.
func BenchmarkLarge(b *testing.B) {
	small, large := b.TempDir(), b.TempDir()
	fill(b, small, 1_000)
	begin := time.Now()
	fill(b, large, 1_000_000)
	b.Logf("a million entries are made and indexed in %v", time.Since(begin).Round(time.Second))

	b.Run("open", func(b *testing.B) {
		for b.Loop() {
			s := openLarge(b, large)
			b.StopTimer()
			s.Close()
			b.StartTimer()
		}
	})
	for name, dir := range map[string]string{"thousand": small, "million": large} {
		b.Run("page/"+name, func(b *testing.B) {
			s := openLarge(b, dir)
			defer s.Close()
			for b.Loop() {
				got, _, err := s.Read(b.Context(), Range{Room: "room0", Limit: 20, Bytes: 1 << 20})
				if err != nil || len(got) != 20 {
					b.Fatal(len(got), err)
				}
			}
		})
	}
	b.Run("post/beside the indexer", func(b *testing.B) { postBesideIndexer(b, large) })
	for _, search := range []struct{ name, query string }{
		{"rare", "xylophone"},
		{"third", "today"},
		{"phrase", `"release candidate"`},
		{"common phrase", `"today again"`},
		{"prefix", "xyl*"},
		{"common prefix", "tod*"},
		{"letter", "t*"},
		{"small room", "in:small today"},
		{"small room, rare", "in:small xylophone"},
		{"person", "from:user7 today"},
		{"two", "today xylophone"},
	} {
		b.Run("search/"+search.name, func(b *testing.B) { searchWhilePosting(b, large, search.query) })
	}
}

func openLarge(b *testing.B, dir string) *SQLite {
	s, err := OpenSQLite(dir)
	if err != nil {
		b.Fatal(err)
	}
	return s
}

// searchWhilePosting takes the first page again and again, beside somebody who
// posts a thousand entries a second, and reports both latencies.
func searchWhilePosting(b *testing.B, dir, query string) {
	s := openLarge(b, dir)
	l := Local(s)
	defer l.Close()
	q, err := ParseQuery(query, time.UTC)
	if err != nil {
		b.Fatal(err)
	}
	q.Limit, q.Bytes = 50, 1<<20

	stop := make(chan struct{})
	var posting sync.WaitGroup
	var posts []time.Duration
	posting.Go(func() {
		acked := make(chan error, 1)
		poster := l.Poster(func(_ *protocol.Entry, err error) { acked <- err })
		words := newSpeech(2)
		for tick := time.NewTicker(time.Millisecond); ; {
			select {
			case <-stop:
				tick.Stop()
				return
			case <-tick.C:
			}
			begin := time.Now()
			if err := errors.Join(poster.Submit(words.entry()), <-acked); err != nil {
				b.Error(err)
				return
			}
			posts = append(posts, time.Since(begin))
		}
	})
	var searches []time.Duration
	found := 0
	for b.Loop() {
		begin := time.Now()
		got, _, err := s.Search(b.Context(), q)
		if err != nil {
			b.Fatal(err)
		}
		searches, found = append(searches, time.Since(begin)), len(got)
	}
	close(stop)
	posting.Wait()
	if found == 0 {
		b.Fatalf("%s finds nothing", query)
	}
	report(b, searches, "search")
	report(b, posts, "post")
}

// postBesideIndexer reports how long a post takes while the index is behind.
func postBesideIndexer(b *testing.B, dir string) {
	s := openLarge(b, dir)
	defer s.Close()
	words := newSpeech(3)
	batch := make([]Record, 50_000)
	for i := range batch {
		batch[i].Entry = words.entry()
	}
	if err := s.Append(batch); err != nil {
		b.Fatal(err)
	}
	caught := make(chan error, 1)
	go func() { caught <- s.indexer.catchUp(b.Context()) }()
	var posts []time.Duration
	one := make([]Record, 1)
	for b.Loop() {
		one[0] = Record{Entry: words.entry()}
		begin := time.Now()
		if err := s.Append(one); err != nil {
			b.Fatal(err)
		}
		posts = append(posts, time.Since(begin))
	}
	if err := <-caught; err != nil {
		b.Fatal(err)
	}
	report(b, posts, "post")
	b.ReportMetric(float64(posts[len(posts)-1].Microseconds())/1000, "post-max-ms")
}

func report(b *testing.B, times []time.Duration, what string) {
	slices.Sort(times)
	if len(times) == 0 {
		return
	}
	ms := func(d time.Duration) float64 { return float64(d.Microseconds()) / 1000 }
	b.ReportMetric(ms(times[len(times)/2]), what+"-p50-ms")
	b.ReportMetric(ms(times[len(times)*99/100]), what+"-p99-ms")
}

// fill makes a log of n entries, all of them indexed.
func fill(b *testing.B, dir string, n int) {
	s := openLarge(b, dir)
	defer s.Close()
	words := newSpeech(1)
	batch := make([]Record, 0, 5_000)
	for n > 0 {
		batch = batch[:0]
		for range min(n, cap(batch)) {
			batch = append(batch, Record{Entry: words.entry()})
		}
		n -= len(batch)
		if err := s.Append(batch); err != nil {
			b.Fatal(err)
		}
	}
	if err := s.indexer.catchUp(b.Context()); err != nil {
		b.Fatal(err)
	}
}

// speech makes up what people say: words as frequent as those of a language,
// in a thousand rooms of which a few are busy, by two hundred people.
type speech struct {
	rnd   *rand.Rand
	words []string
	next  *rand.Zipf
	rooms *rand.Zipf
}

func newSpeech(seed uint64) *speech {
	s := &speech{rnd: rand.New(rand.NewPCG(seed, 0))}
	const consonants, vowels = "bcdfghjklmnprstvw", "aeiou"
	spell := rand.New(rand.NewPCG(0, 0)) // the same vocabulary each time
	for range 50_000 {
		var w strings.Builder
		for range 1 + spell.IntN(4) {
			w.WriteByte(consonants[spell.IntN(len(consonants))])
			w.WriteByte(vowels[spell.IntN(len(vowels))])
		}
		s.words = append(s.words, w.String())
	}
	s.next = rand.NewZipf(s.rnd, 1.1, 5, uint64(len(s.words)-1))
	s.rooms = rand.NewZipf(s.rnd, 1.2, 10, 998)
	return s
}

func (s *speech) entry() protocol.Entry {
	var words []string
	for range 3 + s.rnd.IntN(18) {
		words = append(words, s.words[s.next.Uint64()])
	}
	put := func(one int, text string) { // in one of so many entries
		if s.rnd.IntN(one) == 0 {
			words[s.rnd.IntN(len(words))] = text
		}
	}
	put(100, "release candidate")
	put(10_000, "xylem xylose")
	put(50_000, "xylophone")
	put(6, "today")
	put(6, "today again")
	room := fmt.Sprint("room", s.rooms.Uint64())
	if s.rnd.IntN(10_000) == 0 {
		room = "small"
		put(2, "today")
		put(2, "xylophone")
	}
	person := s.rnd.IntN(200)
	return protocol.Entry{ID: protocol.NewID(), Room: room, User: protocol.UserID{1, byte(person)}, Nick: fmt.Sprint("user", person), Text: strings.Join(words, " ")}
}

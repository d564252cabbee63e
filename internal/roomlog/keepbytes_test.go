package roomlog

import (
	"cmp"
	"context"
	"errors"
	"flag"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"lanchat/protocol"
)

var (
	keepEntries = flag.Int("keep.entries", 12_000, "messages in the test of --keep SIZE")
	keepSeeds   = flag.Int("keep.seeds", 1, "random floods in the test of --keep SIZE under one")
	keepFlood   = flag.Int("keep.flood", 2_000_000, "the bound of these, in bytes")
	keepSize    = flag.String("keep.size", "1.7MB", "the bound of that test")
)

// shares is what stands in a log with a bound in bytes.
type shares struct {
	entries       int64
	ids, idBytes  int64
	used, visible int64 // bytes of pages in use, and of the files
}

func sharesOf(t *testing.T, s *SQLite) (sh shares) {
	t.Helper()
	if err := s.db.QueryRow("SELECT coalesce(max(n) - min(n) + 1, 0) FROM entries").Scan(&sh.entries); err != nil {
		t.Fatal(err)
	}
	var all, free int64
	for query, to := range map[string]*int64{"PRAGMA page_count": &all, "PRAGMA freelist_count": &free} {
		if err := s.db.QueryRow(query).Scan(to); err != nil {
			t.Fatal(err)
		}
	}
	ids, size, err := s.gone.size(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	sh.ids, sh.idBytes, sh.used = ids, size, (all-free)*4096
	sh.visible = logSize(t, s.dir)
	return sh
}

// logSize is what a user sees of a log.
func logSize(t *testing.T, dir string) (size int64) {
	t.Helper()
	for _, name := range []string{"log.db", "log.db-wal"} {
		if info, err := os.Stat(filepath.Join(dir, name)); err == nil {
			size += info.Size()
		}
	}
	return size
}

// fillWith appends messages and indexes them, and returns how many bytes of pages are in
// use after each batch.
func fillWith(t *testing.T, s *SQLite, n int, text func(i int) string) (used []int64) {
	t.Helper()
	const most = 1000
	batch := make([]Record, 0, most)
	for i := range n {
		batch = append(batch, Record{Entry: entry(fmt.Sprint("room", i%3), text(i))})
		if len(batch) < most && i+1 < n {
			continue
		}
		if err := s.Append(batch); err != nil {
			t.Fatal(err)
		}
		batch = batch[:0]
		if err := s.indexer.catchUp(t.Context()); err != nil {
			t.Fatal(err)
		}
		used = append(used, sharesOf(t, s).used)
	}
	return used
}

// A bound in bytes on a log that is larger keeps the newest that fit: never less than
// four fifths of it are entries, also where all ids are of today and none is forgotten.
func TestKeepBytesOnALargerLog(t *testing.T) {
	keep, err := ParseKeep(*keepSize)
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	s := openStore(t, dir)
	rnd := rand.New(rand.NewPCG(1, 1))
	begin := time.Now()
	fillWith(t, s, *keepEntries, func(i int) string { return fmt.Sprintf("message %08x %08d", rnd.Uint32(), i) })
	got, _, err := s.Read(t.Context(), Range{Room: "room0", Limit: 1, Oldest: true, Bytes: 1 << 20})
	if err != nil {
		t.Fatal(err)
	}
	first := got[0]
	was := sharesOf(t, s)
	mean := float64(was.used) / float64(was.entries)
	t.Logf("%d entries, %.1f MB, %.0f bytes each; made in %v", was.entries, float64(was.used)/1e6, mean, time.Since(begin).Round(time.Millisecond))
	var warned []string
	r, err := newRetention(s, keep, func(reason string) { warned = append(warned, reason) })
	if err != nil {
		t.Fatal(err)
	}
	begin = time.Now()
	least, steps := 1e9, 0
	for _, step := range []func(context.Context) (bool, error){r.step, r.shrink} {
		for more := true; more; steps++ {
			s.writing.Lock()
			more, err = step(t.Context())
			s.endWriting()
			if err != nil {
				t.Fatal(err)
			}
			least = min(least, float64(sharesOf(t, s).entries)*mean)
		}
	}
	if err := r.truncate(t.Context()); err != nil {
		t.Fatal(err)
	}
	now := sharesOf(t, s)
	bound := float64(keep.Bytes)
	t.Logf("%d steps in %v: %d entries (%.2f of the bound; least %.2f), %d ids in %.2f MB (%.2f, %.1f bytes each), log %.2f MB (%.2f), used %.2f; %q", steps, time.Since(begin).Round(time.Millisecond),
		now.entries, float64(now.entries)*mean/bound, least/bound, now.ids, float64(now.idBytes)/1e6, float64(now.idBytes)/bound, float64(now.idBytes)/float64(now.ids), float64(now.visible)/1e6, float64(now.visible)/bound, float64(now.used)/bound, warned)
	if least < 0.8*bound {
		t.Errorf("%.0f bytes of entries were left, less than 0.8 of %d", least, keep.Bytes)
	}
	if now.visible > keep.Bytes*11/10 {
		t.Errorf("the log has %d bytes, more than 1.1 of %d", now.visible, keep.Bytes)
	}
	if now.entries+now.ids != was.entries {
		t.Errorf("%d entries and %d ids are left of %d", now.entries, now.ids, was.entries)
	}
	if r := add(t, s, first)[0]; !r.Known || r.Entry.Seq != first.Seq || r.Entry.At != first.At {
		t.Errorf("the first entry sent again: %+v, want %+v", r, first)
	}
}

// Messages of random sizes are posted as fast as a bound in bytes takes them, beside the
// goroutines that index them and remove others: at no moment are the files larger than
// they may be, and at none have the entries less than four fifths.
func TestKeepBytesUnderAFlood(t *testing.T) {
	bound := int64(*keepFlood)
	for seed := range uint64(*keepSeeds) {
		rnd := rand.New(rand.NewPCG(seed, 2))
		dir := t.TempDir()
		s := openStore(t, dir)
		if err := s.Retain(Keep{Bytes: bound}, nil); err != nil {
			t.Fatal(err)
		}
		most := []int{3000, 100, 16 << 10}[seed%3]
		var costs []int64 // of the entries, by their places in the log
		var newest []protocol.Entry
		var largest, total, left int64
		from := int64(1)
		least, longest := int64(-1), time.Duration(0)
		for total < bound*3/2 {
			var batch []Record
			for size := 0; size < s.commitBytes(); {
				e := entry(fmt.Sprint("room", rnd.IntN(4)), words(rnd, 1+rnd.IntN(most)))
				batch = append(batch, Record{Entry: e})
				size += e.MaxSize()
				cost := int64(len(e.Text)) + 120
				costs, total, left = append(costs, cost), total+cost, left+cost
				newest = append(newest, e)
			}
			newest = newest[max(0, len(newest)-100):]
			begin := time.Now()
			if err := s.Append(batch); err != nil {
				t.Fatal(err)
			}
			longest = max(longest, time.Since(begin))
			largest = max(largest, logSize(t, dir))
			var oldest int64
			if err := s.db.QueryRow("SELECT min(n) FROM entries").Scan(&oldest); err != nil {
				t.Fatal(err)
			}
			for ; from < oldest; from++ {
				left -= costs[from-1]
			}
			if oldest > 1 && (least < 0 || left < least) {
				least = left
			}
		}
		for i := range newest {
			if _, ok, err := s.Find(t.Context(), newest[i].ID); !ok || err != nil {
				t.Fatalf("seed %d: one of the newest was removed, %v", seed, err)
			}
		}
		if err := s.indexer.catchUp(t.Context()); err != nil {
			t.Fatal(err)
		}
		// What those that are left take, in a log that has only them.
		fresh := openStore(t, t.TempDir())
		empty := sharesOf(t, fresh).used
		var only []Record
		for _, r := range s.Rooms("", 10) {
			got, _, err := s.Read(t.Context(), Range{Room: r.Name, Limit: 1 << 20, Bytes: 1 << 30})
			if err != nil {
				t.Fatal(err)
			}
			for _, e := range got {
				only = append(only, Record{Entry: e})
			}
		}
		var now int64
		for i := range only {
			now += int64(len(only[i].Entry.Text)) + 120
		}
		slices.SortFunc(only, func(a, b Record) int { return cmp.Compare(a.Entry.At, b.Entry.At) })
		for batch := range slices.Chunk(only, 200) {
			if err := errors.Join(fresh.Append(batch), fresh.indexer.catchUp(t.Context())); err != nil {
				t.Fatal(err)
			}
		}
		size := float64(sharesOf(t, fresh).used-empty) / float64(now) // of a unit of cost
		share := float64(least) * size / float64(bound)
		t.Logf("texts of up to %d bytes: entries had at least %.2f of the bound, the log at most %.2f, the longest commit took %v", most, share, float64(largest)/float64(bound), longest.Round(time.Millisecond))
		if share < 0.8 || largest > bound*11/10+500_000 {
			t.Errorf("texts of up to %d bytes: entries had at least %.2f of the bound, the log at most %.2f", most, share, float64(largest)/float64(bound))
		}
		if err := errors.Join(s.Close(), fresh.Close()); err != nil {
			t.Fatal(err)
		}
	}
}

// words makes a text of n bytes.
func words(rnd *rand.Rand, n int) string {
	var b strings.Builder
	for b.Len() < n {
		fmt.Fprintf(&b, "%x ", rnd.Uint64N(1<<uint(4+rnd.IntN(30))))
	}
	return b.String()[:n]
}

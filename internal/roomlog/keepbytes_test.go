package roomlog

import (
	"context"
	"flag"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"testing"
	"time"
)

var (
	keepEntries = flag.Int("keep.entries", 16_000, "messages in the test of --keep SIZE")
	keepSize    = flag.String("keep.size", "2.2MB", "the bound of that test")
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

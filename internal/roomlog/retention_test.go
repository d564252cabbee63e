package roomlog

import (
	"bytes"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"lanchat/protocol"
)

// clock is the time as a test's store sees it.
type clock struct{ time.Time }

func (c *clock) now() time.Time { return c.Time }

// keeping opens a store whose retention runs when the test calls pass.
func keeping(t *testing.T, dir string, keep Keep, c *clock) (s *SQLite, pass func()) {
	t.Helper()
	s, err := OpenSQLite(dir)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	s.now = c.now
	r, err := newRetention(s, keep, nil)
	if err != nil {
		t.Fatal(err)
	}
	return s, func() {
		t.Helper()
		if err := r.pass(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
}

func find(t *testing.T, s *SQLite, query string) (texts []string) {
	t.Helper()
	q, err := ParseQuery(query, time.UTC)
	if err != nil {
		t.Fatal(err)
	}
	q.Limit, q.Bytes = 1000, 1<<20
	found, _, err := s.Search(t.Context(), q)
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range found {
		texts = append(texts, e.Text)
	}
	return texts
}

// inFiles counts how often something stands in a log's files.
func inFiles(t *testing.T, dir, what string) (n int) {
	t.Helper()
	for _, name := range []string{"log.db", "log.db-wal"} {
		b, err := os.ReadFile(filepath.Join(dir, name))
		if err != nil && !errors.Is(err, os.ErrNotExist) {
			t.Fatal(err)
		}
		n += bytes.Count(b, []byte(what))
	}
	return n
}

func TestRetentionByAge(t *testing.T) {
	dir := t.TempDir()
	c := &clock{time.Date(2026, 11, 1, 12, 0, 0, 0, time.UTC)}
	s, pass := keeping(t, dir, Keep{Age: 24 * time.Hour}, c)
	// A word of the index keeps its first letters to itself only where no other
	// begins as it does.
	secret, kept := entry("lobby", "ξzanzibar is where it was"), entry("lobby", "θtimbuktu is where it is")
	topic := entry("garden", "roses")
	topic.Kind = protocol.KindTopic
	for i := range 300 { // more than a step
		add(t, s, entry("lobby", fmt.Sprint("filler ", i)))
	}
	first := add(t, s, secret, topic)
	unindexed := entry("attic", "never in the index")
	if got := find(t, s, "ξzanzibar"); len(got) != 1 {
		t.Fatalf("before: %q", got)
	}
	add(t, s, unindexed)
	if inFiles(t, dir, "ξzanzibar") == 0 {
		t.Fatal("the files do not show texts: this test would find nothing")
	}

	c.Time = c.Add(13 * time.Hour)
	add(t, s, kept)
	pass()
	if got := find(t, s, "ξzanzibar"); len(got) != 1 {
		t.Errorf("after 13 hours: %q", got)
	}
	c.Time = c.Add(13 * time.Hour)
	pass()
	for query, want := range map[string]int{"ξzanzibar": 0, "filler": 0, "roses": 0, "never": 0, "θtimbuktu": 1, "from:alice": 1} {
		if got := find(t, s, query); len(got) != want {
			t.Errorf("%s finds %q", query, got)
		}
	}
	if got, more, err := s.Read(t.Context(), Range{Room: "lobby", Limit: 10, Bytes: 1 << 20}); err != nil || more || len(got) != 1 || got[0].Text != kept.Text || got[0].Seq != 302 {
		t.Errorf("read: %+v, %v, %v", got, more, err)
	}
	if _, ok, err := s.Find(t.Context(), secret.ID); ok || err != nil {
		t.Errorf("a removed entry is found by its id: %v", err)
	}
	for _, text := range []string{"ξzanzibar", "where it was", "ξzan", "never in the index", "filler 7"} {
		if n := inFiles(t, dir, text); n != 0 {
			t.Errorf("%q stands in the files %d times", text, n)
		}
	}
	if inFiles(t, dir, "θtimbuktu") == 0 {
		t.Error("what is kept is not in the file")
	}

	// A post that is sent again gets the old acknowledgement; its id is nobody else's.
	other := secret
	other.Text = "another text"
	again := add(t, s, secret, other, entry("garden", "next"), topic)
	if r := again[0]; !r.Known || r.Entry.Seq != first[0].Entry.Seq || r.Entry.At != first[0].Entry.At || r.Err != nil {
		t.Errorf("sent again: %+v, at first %+v", r, first[0])
	}
	if !errors.Is(again[1].Err, ErrIDConflict) {
		t.Errorf("another text under a removed id: %+v", again[1])
	}
	if again[2].Entry.Seq != 2 { // an empty room goes on where it was
		t.Errorf("the next in a room that was emptied has seq %d", again[2].Entry.Seq)
	}
	if info, ok := s.Room("garden"); !ok || info.Topic != "roses" {
		t.Errorf("the topic went with its entry: %+v", info)
	}
	c.Time = c.Add(idsKept - time.Hour)
	pass()
	if r := add(t, s, secret)[0]; !r.Known {
		t.Errorf("the id is forgotten too early: %+v", r)
	}
	c.Time = c.Add(2 * time.Hour)
	pass()
	if r := add(t, s, secret)[0]; r.Known || r.Err != nil || r.Entry.Seq != 303 {
		t.Errorf("the id is not forgotten: %+v", r)
	}
}

// Everything is removed, and the log is opened again: numbers, times and the
// index go on.
func TestRetentionOfEverything(t *testing.T) {
	dir := t.TempDir()
	c := &clock{time.Date(2026, 11, 1, 12, 0, 0, 0, time.UTC)}
	s, pass := keeping(t, dir, Keep{Age: time.Hour}, c)
	var last Record
	for i := range 3 {
		last = add(t, s, entry("lobby", fmt.Sprint("old ", i, strings.Repeat(" very long", 50_000))))[0]
	}
	find(t, s, "old")
	c.Time = c.Add(2 * time.Hour)
	pass()
	if got := find(t, s, "old"); len(got) > 0 {
		t.Errorf("found %q", got)
	}
	if info, err := os.Stat(filepath.Join(dir, "log.db")); err != nil || info.Size() > 600_000 {
		t.Errorf("the space is not given back: %d bytes, %v", info.Size(), err)
	}
	place := s.n
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	c.Time = c.Add(-2 * time.Hour) // somebody has set the clock back
	s, _ = keeping(t, dir, Keep{}, c)
	next := add(t, s, entry("lobby", "new"))[0].Entry
	if next.Seq != 4 || next.At <= last.Entry.At || s.n != place+1 {
		t.Errorf("the next entry: seq %d, at %d behind %d, place %d behind %d", next.Seq, next.At, last.Entry.At, s.n, place)
	}
	if got := find(t, s, "new"); len(got) != 1 {
		t.Errorf("what was said since is not found: %q", got)
	}
	if r := add(t, s, last.Entry)[0]; !r.Known || r.Entry.Seq != 3 {
		t.Errorf("opened again, it does not know a removed id: %+v", r)
	}
}

func TestRetentionByBytes(t *testing.T) {
	dir := t.TempDir()
	c := &clock{time.Date(2026, 11, 1, 12, 0, 0, 0, time.UTC)}
	const limit = 500_000
	s, pass := keeping(t, dir, Keep{Bytes: limit}, c)
	rnd := rand.New(rand.NewPCG(1, 1))
	var newest []protocol.Entry
	for round := range 6 {
		var batch []Record
		for range 300 {
			var text strings.Builder
			for range 20 {
				fmt.Fprintf(&text, "%x ", rnd.Uint64N(1<<20))
			}
			batch = append(batch, Record{Entry: entry(fmt.Sprint("room", rnd.IntN(5)), text.String())})
		}
		if err := s.Append(batch); err != nil {
			t.Fatal(err)
		}
		if err := s.indexer.catchUp(t.Context()); err != nil {
			t.Fatal(err)
		}
		newest = nil
		for _, r := range batch[250:] {
			newest = append(newest, r.Entry)
		}
		if c.Time = c.Add(time.Minute); round%2 == 0 {
			pass()
		}
	}
	c.Time = c.Add(48 * time.Hour) // the index is merged
	pass()
	all, free, err := s.retention.pages(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if used := (all - free) * s.retention.pageSize; used > limit || used < limit/2 {
		t.Errorf("%d bytes are used, %d allowed", used, limit)
	}
	if info, err := os.Stat(filepath.Join(dir, "log.db")); err != nil || info.Size() > limit*17/16+(vacuumPages+1)*s.retention.pageSize {
		t.Errorf("the file has %d bytes, %v", info.Size(), err)
	}
	for _, e := range newest {
		if _, ok, _ := s.Find(t.Context(), e.ID); !ok {
			t.Fatal("one of the newest entries was removed")
		}
	}
	ids, size, err := s.gone.size(t.Context())
	if err != nil || ids == 0 || size > limit/10 {
		t.Errorf("%d ids are kept, in %d bytes, %v", ids, size, err)
	}
	var entries, words int64
	if err := s.db.QueryRow("SELECT (SELECT count(*) FROM entries), (SELECT count(*) FROM words)").Scan(&entries, &words); err != nil || entries != words {
		t.Errorf("%d entries, %d of them in the index, %v", entries, words, err)
	}
	// One room's entries are a row without a gap, from some number to its head.
	for _, r := range s.Rooms("", 10) {
		got, _, err := s.Read(t.Context(), Range{Room: r.Name, Limit: 1 << 20, Bytes: 1 << 30})
		if err != nil || len(got) == 0 || got[len(got)-1].Seq != r.Head || got[0].Seq+uint64(len(got))-1 != r.Head || got[0].Seq == 1 {
			t.Errorf("%s: %d entries up to %d, %v", r.Name, len(got), r.Head, err)
		}
	}
}

// Posting goes on while the log is cleared: posts get in between the steps.
func TestPostingDuringRetention(t *testing.T) {
	c := &clock{time.Date(2026, 11, 1, 12, 0, 0, 0, time.UTC)}
	s, _ := keeping(t, t.TempDir(), Keep{Age: time.Hour}, c)
	const old = 20 * removeEntries
	batch := make([]Record, old)
	for i := range batch {
		batch[i].Entry = entry("lobby", fmt.Sprint("some words of entry ", i))
	}
	if err := s.Append(batch); err != nil {
		t.Fatal(err)
	}
	if err := s.indexer.catchUp(t.Context()); err != nil {
		t.Fatal(err)
	}
	c.Time = c.Add(2 * time.Hour)
	cleared := make(chan error, 1)
	go func() { cleared <- s.retention.pass(t.Context()) }()
	var longest time.Duration
	for posts := 0; ; posts++ {
		select {
		case err := <-cleared:
			if err != nil {
				t.Fatal(err)
			}
			t.Logf("%d posts, the longest took %v", posts, longest)
			if posts < 10 {
				t.Errorf("only %d posts got in between", posts)
			}
			if got, _, err := s.Read(t.Context(), Range{Room: "lobby", Limit: 1 << 20, Bytes: 1 << 30}); err != nil || len(got) != posts || got[0].Seq != old+1 {
				t.Errorf("%d entries are left of %d, %v", len(got), posts, err)
			}
			return
		default:
			begin := time.Now()
			add(t, s, entry("lobby", "new"))
			longest = max(longest, time.Since(begin))
		}
	}
}

// The ticker does it by itself.
func TestRetentionRuns(t *testing.T) {
	dir := t.TempDir()
	synctest.Test(t, func(t *testing.T) {
		s, err := OpenSQLite(dir)
		if err != nil {
			t.Fatal(err)
		}
		defer s.Close()
		if err := s.Retain(Keep{Age: time.Hour}, nil); err != nil {
			t.Fatal(err)
		}
		add(t, s, entry("lobby", "x"))
		left := func() int {
			got, _, err := s.Read(t.Context(), Range{Room: "lobby", Limit: 10, Bytes: 1000})
			if err != nil {
				t.Fatal(err)
			}
			return len(got)
		}
		time.Sleep(59 * time.Minute)
		synctest.Wait()
		if left() != 1 {
			t.Error("it is gone too early")
		}
		time.Sleep(2*retentionTick + time.Second)
		synctest.Wait()
		if left() != 0 {
			t.Error("it is still there")
		}
	})
}

func TestParseKeep(t *testing.T) {
	for text, want := range map[string]Keep{
		"30d": {Age: 720 * time.Hour}, "12h": {Age: 12 * time.Hour}, "2w": {Age: 336 * time.Hour}, "1.5h": {Age: 90 * time.Minute},
		"500MB": {Bytes: 500e6}, "10GB": {Bytes: 10e9}, "1.5tib": {Bytes: 3 << 39}, " 1gb ": {Bytes: 1e9}, "": {}, "off": {},
	} {
		got, err := ParseKeep(text)
		if err != nil || got != want {
			t.Errorf("ParseKeep(%q) = %+v, %v", text, got, err)
		}
		if again, err := ParseKeep(got.String()); err != nil || again != got {
			t.Errorf("%q as %q is %+v, %v", text, got, again, err)
		}
	}
	for text, want := range map[string]string{
		"30": "no unit", "d": "neither", "-3d": "neither", "3m": "neither", "30 days": "neither", "1.2.3h": "neither",
		"0d": "least", "30h5": "neither", "59e0h": "neither", "0.5h": "least", "1KB": "least", "99999999999999d": "too much", "9999999999TB": "too much",
	} {
		if got, err := ParseKeep(text); err == nil || !strings.Contains(err.Error(), want) || !strings.Contains(err.Error(), fmt.Sprintf("%q", text)) {
			t.Errorf("ParseKeep(%q) = %+v, %v; want an error with %q", text, got, err, want)
		}
	}
}

// What was folded goes with its target, and ids are known afterwards as before.
func TestRetentionOfFoldedEntries(t *testing.T) {
	c := &clock{time.Date(2026, 11, 1, 12, 0, 0, 0, time.UTC)}
	s, pass := keeping(t, t.TempDir(), Keep{Age: time.Hour}, c)
	edited, gone, plain := entry("lobby", "first"), entry("lobby", "secret"), entry("lobby", "plain")
	edit, editGone := about(edited, protocol.KindEdit, "second"), about(gone, protocol.KindEdit, "secret too")
	react := about(edited, protocol.KindReaction, "👍")
	add(t, s, edited, gone, plain, edit, editGone, react, about(gone, protocol.KindDelete, ""))
	c.Time = c.Add(59 * time.Minute)
	reply := about(edited, protocol.KindText, "a reply")
	lateEdit := about(plain, protocol.KindEdit, "said later")
	add(t, s, reply, lateEdit)
	c.Time = c.Add(30 * time.Minute)
	pass()
	for _, id := range []protocol.ID{reply.ID, lateEdit.ID} {
		if e := findID(t, s, id); e.TargetSeq != 0 || e.Kind == protocol.KindEdit && e.Text != "" {
			t.Errorf("what is about a removed entry: %+v", e)
		}
	}
	var n int
	if err := s.db.QueryRow("SELECT count(*) FROM reactions").Scan(&n); err != nil || n != 0 {
		t.Errorf("%d reactions are left, %v", n, err)
	}
	check := func() {
		t.Helper()
		for _, e := range []protocol.Entry{edited, gone, plain, edit, editGone, react} {
			other := e
			other.Text = "something else"
			forgotten := e.ID == gone.ID || e.ID == editGone.ID
			r := add(t, s, e, other)
			if !r[0].Known || r[0].Err != nil || r[1].Known != forgotten || errors.Is(r[1].Err, ErrIDConflict) == forgotten {
				t.Errorf("%q sent again: %+v", e.Text, r)
			}
		}
	}
	check()
}

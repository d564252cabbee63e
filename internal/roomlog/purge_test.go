package roomlog

import (
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

// eventually waits until something is so.
func eventually(t *testing.T, what string, so func() bool) {
	t.Helper()
	limit := time.After(30 * time.Second)
	for !so() {
		select {
		case <-limit:
			t.Fatal("it never comes to be: " + what)
		case <-time.After(20 * time.Millisecond):
		}
	}
}

func openStore(t *testing.T, dir string) *SQLite {
	t.Helper()
	s, err := OpenSQLite(dir)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	return s
}

// What people delete or replace leaves the files soon, with no retention at all,
// and while others stay.
func TestPurgeOfDeletedAndReplacedTexts(t *testing.T) {
	dir := t.TempDir()
	s := openStore(t, dir)
	for i := range 300 {
		add(t, s, entry("lobby", fmt.Sprint("filler ", i)))
	}
	// A word of the index keeps its first letters to itself only where no other
	// begins as it does.
	deleted, replaced := entry("lobby", "ξzanzibar is where it was"), entry("lobby", "ψouagadougou is "+strings.Repeat("long ", 3000)+"ωend")
	kept := entry("lobby", "θtimbuktu is where it is")
	add(t, s, deleted, replaced, kept)
	edit := about(deleted, protocol.KindEdit, "φkathmandu was said then")
	add(t, s, edit)
	if got := find(t, s, "φkathmandu"); len(got) != 1 || got[0] != "φkathmandu was said then" {
		t.Errorf("edited, it is found as %q", got)
	}
	if got := find(t, s, "ξzanzibar"); len(got) != 0 {
		t.Errorf("the old text finds %q", got)
	}
	if got := find(t, s, "ψouagadougou"); len(got) != 1 {
		t.Fatalf("a text is found as %q", got)
	}
	// Not at one look: what the purge of the edit moves from one file to another
	// between reading these two is in neither.
	eventually(t, "the files show texts", func() bool { return inFiles(t, dir, "ψouagadougou") > 0 && inFiles(t, dir, "φkathmandu") > 0 })
	add(t, s, about(deleted, protocol.KindDelete, ""), about(replaced, protocol.KindEdit, "χreplaced"))
	for _, text := range []string{"ξzanzibar", "where it was", "φkathmandu", "said then", "ψouagadougou", "ωend", "long long"} {
		eventually(t, text+" is gone", func() bool { return inFiles(t, dir, text) == 0 })
	}
	for query, want := range map[string]int{"ξzanzibar": 0, "φkathmandu": 0, "ψouagadougou": 0, "θtimbuktu": 1, "χreplaced": 1, "filler": 300, "from:alice": 302} {
		if got := find(t, s, query); len(got) != want {
			t.Errorf("%s finds %d entries, want %d", query, len(got), want)
		}
	}
	if inFiles(t, dir, "θtimbuktu") == 0 || inFiles(t, dir, "χreplaced") == 0 {
		t.Error("what is kept is not in the file")
	}
	var sums int
	if err := s.db.QueryRow("SELECT count(*) FROM entries WHERE sum IS NOT NULL").Scan(&sums); err != nil || sums != 2 {
		t.Errorf("%d sums are kept, %v; want those of the replaced text and of what replaced it", sums, err)
	}
}

// A crash, or Close, before it is done leaves the rest to the next start. A reader
// holds it up only as long as it reads.
func TestPurgeGoesOn(t *testing.T) {
	dir := t.TempDir()
	s := openStore(t, dir)
	secret := entry("lobby", "ξzanzibar is where it was")
	batch := []protocol.Entry{secret}
	for range 100 { // or FTS5 merges this part by itself: a tenth of it would be deleted
		batch = append(batch, entry("lobby", "filler"))
	}
	add(t, s, batch...)
	find(t, s, "ξzanzibar")
	s.purger.stop()
	add(t, s, about(secret, protocol.KindDelete, ""))
	find(t, s, "ξzanzibar")
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	if inFiles(t, dir, "ξzanzibar") == 0 {
		t.Fatal("it is purged already: this test shows nothing")
	}
	s = openStore(t, dir)
	eventually(t, "the word is gone", func() bool { return inFiles(t, dir, "ξzan") == 0 })

	next := entry("lobby", "ξzanzibar was it once more")
	add(t, s, next)
	reading, err := s.db.BeginTx(t.Context(), nil)
	if err != nil {
		t.Fatal(err)
	}
	defer reading.Rollback()
	var n int
	if err := reading.QueryRow("SELECT count(*) FROM entries").Scan(&n); err != nil {
		t.Fatal(err)
	}
	add(t, s, about(next, protocol.KindDelete, ""))
	eventually(t, "the index is merged", func() bool {
		return inFiles(t, dir, "once more") > 0 && find(t, s, "once") == nil
	})
	if err := reading.Rollback(); err != nil {
		t.Fatal(err)
	}
	eventually(t, "the text is gone behind the reader", func() bool { return inFiles(t, dir, "once more")+inFiles(t, dir, "ξzan") == 0 })
}

// Rows move in the file as others grow and shrink. SQLite does not clear what is
// left unused of a page where rows were moved as a whole, so a few copies stay;
// this holds how few, where nearly all there is are edits.
func TestPurgeLeavesHardlyACopy(t *testing.T) {
	dir := t.TempDir()
	s := openStore(t, dir)
	rnd := rand.New(rand.NewPCG(1, 2))
	var said []protocol.Entry
	token := func() string { return fmt.Sprintf("%016x", rnd.Uint64()) }
	now, was := map[protocol.ID]string{}, []string{}
	var batch []Record
	post := func(e protocol.Entry) { batch = append(batch, Record{Entry: e}) }
	for i := range 3000 {
		if i%20 == 0 {
			if err := s.Append(batch); err != nil {
				t.Fatal(err)
			}
			batch = batch[:0]
		}
		switch what := rnd.IntN(10); {
		case what < 4 || len(said) < 10:
			text := token()
			e := entry("lobby", text+strings.Repeat(" pad", rnd.IntN(100)))
			post(e)
			said, now[e.ID] = append(said, e), text
		case what < 8:
			e := said[rnd.IntN(len(said))]
			if now[e.ID] == "" {
				continue
			}
			text := token()
			post(about(e, protocol.KindEdit, text+strings.Repeat(" pad", rnd.IntN(400))))
			was, now[e.ID] = append(was, now[e.ID]), text
		default:
			e := said[rnd.IntN(len(said))]
			if now[e.ID] == "" {
				continue
			}
			post(about(e, protocol.KindDelete, ""))
			was, now[e.ID] = append(was, now[e.ID]), ""
		}
	}
	if err := s.Append(batch); err != nil {
		t.Fatal(err)
	}
	replaced := map[string]bool{}
	for _, text := range was {
		replaced[text] = true
	}
	left := func() (found []string) {
		var files []byte
		for _, name := range []string{"log.db", "log.db-wal"} {
			b, err := os.ReadFile(filepath.Join(dir, name))
			if err != nil {
				t.Fatal(err)
			}
			files = append(files, b...)
		}
		// One pass for all of them: each is 16 digits, wherever it stands.
		digits := 0
		for i, c := range files {
			if digits++; (c < '0' || c > '9') && (c < 'a' || c > 'f') {
				digits = 0
			}
			if digits >= 16 && replaced[string(files[i-15:i+1])] {
				found = append(found, string(files[i-15:i+1]))
			}
		}
		slices.Sort(found)
		return slices.Compact(found)
	}
	eventually(t, "less than one replaced text in a hundred is left", func() bool { return len(left()) < len(was)/100 })
	t.Logf("%d of %d", len(left()), len(was))
}

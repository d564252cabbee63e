package roomlog

import (
	"database/sql"
	"fmt"
	"strings"
	"testing"

	"lanchat/protocol"
)

// olderLog makes a log as the program of an older version did, and fills it.
func olderLog(t *testing.T, dir string, version int, fill func(run func(query string, args ...any))) {
	t.Helper()
	all := migrations
	withMigrations(t, all[:version])
	defer withMigrations(t, all)
	db, err := sql.Open("sqlite", dsn(dir, "log.db", "_pragma=auto_vacuum(INCREMENTAL)&_pragma=journal_mode(WAL)&_pragma=secure_delete(ON)"))
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	c, err := db.Conn(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	run := func(query string, args ...any) {
		t.Helper()
		if _, err := c.ExecContext(t.Context(), query, args...); err != nil {
			t.Fatal(err)
		}
	}
	if err := migrate(t.Context(), c); err != nil {
		t.Fatal(err)
	}
	run("BEGIN")
	fill(run)
	run("COMMIT")
}

// version2 writes a log as the program of version 2 did: nothing is folded. The
// index has the first entries only.
func version2(t *testing.T, dir string, entries []protocol.Entry, indexed int) {
	t.Helper()
	olderLog(t, dir, 2, func(run func(string, ...any)) {
		run("INSERT INTO rooms (id, name, head, topic) VALUES (1, 'lobby', ?, '')", len(entries))
		for i, e := range entries {
			var target []byte
			if !e.Target.IsZero() {
				target = e.Target[:]
			}
			run("INSERT INTO entries (n, room, seq, id, at, user, nick, flags, kind, text, target) VALUES (?,1,?,?,?,?,?,0,?,?,?)",
				i+1, i+1, e.ID[:], i+1, e.User[:], e.Nick, string(e.Kind), e.Text, target)
			if i < indexed {
				words := e.Text
				if isFolded(e.Kind) {
					words = ""
				}
				run("INSERT INTO words (rowid, text, place) VALUES (?,?,?)", i+1, words, place(1, "lobby", e.Nick))
			}
		}
	})
}

// A log of version 2 becomes what it would be had this program been there from
// the start.
func TestMigrationFoldsOlderLogs(t *testing.T) {
	text, gone, late := entry("lobby", "ξzanzibar teh text"), entry("lobby", "ψouagadougou"), entry("lobby", "φkathmandu")
	crowd := entry("lobby", "everybody reacts")
	entries := []protocol.Entry{text, gone, crowd, about(text, protocol.KindEdit, "the text"), about(gone, protocol.KindDelete, ""),
		about(text, protocol.KindReaction, "👍"), about(text, protocol.KindText, "a reply"), about(text, protocol.KindReaction, "👍"), about(text, protocol.KindReaction, "❤"),
		about(late, protocol.KindReaction, "too early"), late}
	for i := range 1100 { // more than is folded at a time
		e := about(crowd, protocol.KindReaction, fmt.Sprint("r", i%3))
		e.User = protocol.UserID{byte(i % 200), byte(i / 200)}
		entries = append(entries, e)
	}
	indexed := len(entries)
	entries = append(entries, about(late, protocol.KindDelete, ""))
	refused := len(entries) // what the store would refuse today is there, and has no effect
	for i := range protocol.MaxReactions + 5 {
		entries = append(entries, about(crowd, protocol.KindReaction, fmt.Sprint("x", i)))
	}
	entries = append(entries, about(crowd, protocol.KindReaction, strings.Repeat("long", 20)))
	dir := t.TempDir()
	version2(t, dir, entries, indexed)
	if _, err := OpenSQLiteReader(dir); err == nil || !strings.Contains(err.Error(), "version 2") {
		t.Errorf("a reader of an older log: %v", err)
	}
	s := openStore(t, dir)

	other := openStore(t, t.TempDir())
	for _, r := range add(t, other, entries[:refused]...) {
		if r.Err != nil {
			t.Fatal(r.Err)
		}
	}
	for _, e := range entries[refused:] {
		if r := add(t, other, e)[0]; r.Err != nil {
			filler := entry("lobby", "in its place")
			add(t, other, filler)
		}
	}
	got, want := readAll(t, s, "lobby"), readAll(t, other, "lobby")
	for i := range want {
		want[i].At = got[i].At
		if want[i].Text == "in its place" {
			if n := len(got[i].Reactions); n != 1 || got[i].Reactions[0].Count != 0 {
				t.Errorf("one too many: %+v", got[i])
			}
		} else if !sameEntry(got[i], want[i]) {
			t.Fatalf("entry %d is\n%+v, want\n%+v", i, got[i], want[i])
		}
	}
	for i, r := range add(t, s, entries[:11]...) {
		if !r.Known || r.Entry.Seq != uint64(i+1) {
			t.Errorf("posted again, %d: %+v", i, r)
		}
	}
	for query, want := range map[string]int{"ξzanzibar": 0, "the": 1, "ψouagadougou": 0, "φkathmandu": 0, "reply": 1} {
		if found := find(t, s, query); len(found) != want {
			t.Errorf("%s finds %q", query, found)
		}
	}
	for _, word := range []string{"ξzan", "teh text", "ψouaga", "φkath"} {
		eventually(t, word+" is gone", func() bool { return inFiles(t, dir, word) == 0 })
	}
}

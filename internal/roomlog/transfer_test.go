package roomlog

import (
	"bytes"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"lanchat/protocol"
)

func export(t *testing.T, dir, room string, direct bool) string {
	t.Helper()
	r, err := OpenSQLiteReader(dir)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	var out bytes.Buffer
	if err := r.Export(t.Context(), &out, Selection{room, direct}); err != nil {
		t.Fatal(err)
	}
	return out.String()
}

// talk fills a log with entries of every sort; the store stays open.
func talk(t *testing.T) (s *SQLite, dir string) {
	dir = t.TempDir()
	s, err := OpenSQLite(dir)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	dm := protocol.DirectRoom(alice, bob)
	for i, e := range []protocol.Entry{
		{Room: "lobby", User: alice, Nick: "alice", Text: "hello <b>&amp;</b> \u2028 \"quoted\"\n\tnext line \x1b[31m"},
		{Room: "kitchen", User: bob, Nick: "~bob", Guest: true, Text: "今晚吃比萨吗 🍕"},
		{Room: dm, User: alice, Nick: "alice", Text: "psst"},
		{Room: "lobby", User: carol, Nick: "carol", Bot: true, Kind: protocol.KindAction, Text: "waves"},
		{Room: "lobby", User: alice, Nick: "alice", Kind: protocol.KindReaction, Text: "👍", Target: protocol.ID{7}},
		{Room: "lobby", User: alice, Nick: "alice", Kind: protocol.KindTopic, Text: "the topic"},
		{Room: "lobby", User: alice, Nick: "alice", Kind: protocol.KindDelete, Target: protocol.ID{7}},
		{Room: "lobby", User: alice, Nick: "alice", Text: strings.Repeat("long ", 3000)},
	} {
		e.ID = protocol.NewID()
		if e.Nick[0] == '~' {
			e.Nick = e.Nick[1:]
		}
		if r := add(t, s, e)[0]; r.Err != nil {
			t.Fatal(i, r.Err)
		}
	}
	return s, dir
}

func importInto(t *testing.T, dir, lines string) (Imported, error) {
	t.Helper()
	s, err := OpenSQLite(dir)
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	return s.Import(t.Context(), strings.NewReader(lines))
}

func TestExportAndImport(t *testing.T) {
	s, dir := talk(t)
	all := export(t, dir, "", true) // beside the open store
	public := export(t, dir, "", false)
	if strings.Count(all, "\n") != 8 || strings.Count(public, "\n") != 7 || strings.Contains(public, "psst") {
		t.Errorf("all: %s\npublic: %s", all, public)
	}
	if kitchen := export(t, dir, "kitchen", false); strings.Count(kitchen, "\n") != 1 || !strings.Contains(all, kitchen) ||
		!strings.HasPrefix(kitchen, `{"room":"kitchen","seq":1,"id":"`) || !strings.Contains(kitchen, `"from":"bob","verified":false,"at":"`) ||
		!strings.HasSuffix(kitchen, `","kind":"text","text":"今晚吃比萨吗 🍕"}`+"\n") {
		t.Errorf("kitchen: %s", kitchen)
	}
	add(t, s, entry("lobby", "said meanwhile"))

	other := t.TempDir()
	if did, err := importInto(t, other, all); err != nil || did != (Imported{Added: 8}) {
		t.Fatalf("import: %+v, %v", did, err)
	}
	if again := export(t, other, "", true); again != all {
		t.Errorf("exported again:\n%s\nat first:\n%s", again, all)
	}
	if did, err := importInto(t, other, all); err != nil || did != (Imported{Known: 8}) {
		t.Errorf("imported twice: %+v, %v", did, err)
	}
	// A restored log goes on, and knows what it was given.
	r, err := OpenSQLite(other)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	if info, _ := r.Room("lobby"); info.Head != 6 || info.Topic != "the topic" {
		t.Errorf("lobby: %+v", info)
	}
	if got := find(t, r, "waves"); len(got) != 1 {
		t.Errorf("search finds %q", got)
	}
	if next := add(t, r, entry("lobby", "next"))[0].Entry; next.Seq != 7 {
		t.Errorf("the next entry: %+v", next)
	}
}

func line(t *testing.T, e protocol.Entry) string {
	t.Helper()
	if e.ID.IsZero() {
		e.ID = protocol.NewID()
	}
	if e.At == 0 {
		e.At = time.Now().UnixNano()
	}
	var b strings.Builder
	if err := writeLine(&b, &e); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

// What was removed at a room's beginning leaves its numbers, and rooms that
// have entries keep theirs.
func TestImportNumbersAndTimes(t *testing.T) {
	dir := t.TempDir()
	s, err := OpenSQLite(dir)
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	own := add(t, s, entry("lobby", "one"), entry("lobby", "two"))
	at := own[1].Entry.At
	say := func(room string, seq uint64, at int64) string {
		return line(t, protocol.Entry{Room: room, Seq: seq, At: at, User: alice, Nick: "alice", Text: "x"})
	}
	lines := say("attic", 501, at-5) + say("lobby", 40, at-4) + "\n" + say("attic", 502, at+10) + say("attic", 502, at+10) + say("attic", 510, at+11)
	did, err := s.Import(t.Context(), strings.NewReader(lines))
	if err != nil || did != (Imported{Added: 5, Later: 4}) {
		t.Errorf("%+v, %v", did, err)
	}
	var got []string
	for _, room := range []string{"lobby", "attic"} {
		page, _, err := s.Read(t.Context(), Range{Room: room, Limit: 10, Bytes: 1 << 20})
		if err != nil {
			t.Fatal(err)
		}
		for _, e := range page {
			got = append(got, fmt.Sprint(room, e.Seq, " ", e.At-at))
		}
	}
	if want := []string{fmt.Sprint("lobby1 ", own[0].Entry.At-at), "lobby2 0", "lobby3 2", "attic501 1", "attic502 10", "attic503 11", "attic510 12"}; !slices.Equal(got, want) {
		t.Errorf("numbers and times: %q, want %q", got, want)
	}
}

func TestImportStopsAtABadLine(t *testing.T) {
	good := protocol.Entry{Room: "lobby", Seq: 1, User: alice, Nick: "alice", Text: "x"}
	change := func(f func(e *protocol.Entry)) string {
		e := good
		f(&e)
		return line(t, e)
	}
	known := line(t, good)
	for name, tt := range map[string]struct{ line, want string }{
		"no JSON":    {"hello\n", "no entry in JSON"},
		"cut":        {known[:len(known)/2], "no entry in JSON"},
		"no room":    {change(func(e *protocol.Entry) { e.Room = "" }), "room: "},
		"bad room":   {change(func(e *protocol.Entry) { e.Room = "No Room" }), "room: "},
		"no nick":    {change(func(e *protocol.Entry) { e.Nick = "" }), "from: "},
		"bad nick":   {change(func(e *protocol.Entry) { e.Nick = "a\x1bb" }), "from: "},
		"random id":  {change(func(e *protocol.Entry) { e.ID = protocol.ID{1, 6: 0x40, 8: 0x80} }), "id: "},
		"no user":    {strings.Replace(known, alice.String(), "", 1), "user: "},
		"bad time":   {strings.Replace(known, `"at":"`, `"at":"x`, 1), "at: "},
		"too early":  {change(func(e *protocol.Entry) { e.At = 1 }), "at: "},
		"tomorrow":   {change(func(e *protocol.Entry) { e.At = time.Now().Add(25 * time.Hour).UnixNano() }), "in the future"},
		"too long":   {change(func(e *protocol.Entry) { e.Text = strings.Repeat("x", protocol.MaxFrame) }), "text: "},
		"endless":    {`{"text":"` + strings.Repeat("x", maxLine) + `"}`, "longer"},
		"seq":        {change(func(e *protocol.Entry) { e.Seq = 1 << 60 }), "seq: "},
		"kind":       {change(func(e *protocol.Entry) { e.Kind = "A B" }), "kind: "},
		"no kind":    {strings.Replace(known, `"kind":"text"`, `"kind":""`, 1), "kind: "},
		"target":     {strings.Replace(known, `"text":"x"`, `"text":"x","target":"7"`, 1), "target: "},
		"another id": {strings.Replace(known, `"text":"x"`, `"text":"y"`, 1), ErrIDConflict.Error()},
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			did, err := importInto(t, dir, known+"\n"+line(t, good)+tt.line+line(t, good))
			if err == nil || !strings.HasPrefix(err.Error(), "line 4: ") || !strings.Contains(err.Error(), tt.want) || did.Added != 2 {
				t.Errorf("%+v, %v; want line 4: … %s", did, err, tt.want)
			}
			if got := export(t, dir, "", false); strings.Count(got, "\n") != 2 {
				t.Errorf("there is:\n%s", got)
			}
		})
	}
}

// More entries than a commit takes; ids that retention has removed are known.
func TestImportOfManyAndOfRemoved(t *testing.T) {
	c := &clock{time.Now().Add(-time.Hour)}
	dir := t.TempDir()
	s, pass := keeping(t, dir, Keep{Age: time.Minute}, c)
	const many = importEntries + 100
	batch := make([]Record, many)
	for i := range batch {
		batch[i].Entry = entry(fmt.Sprint("room", i%7), "x")
	}
	if err := s.Append(batch); err != nil {
		t.Fatal(err)
	}
	lines := export(t, dir, "", false)
	if did, err := importInto(t, t.TempDir(), lines); err != nil || did != (Imported{Added: many}) {
		t.Errorf("%+v, %v", did, err)
	}
	c.Time = c.Add(time.Hour)
	pass()
	if got := export(t, dir, "", false); got != "" {
		t.Errorf("%d bytes are left", len(got))
	}
	if did, err := s.Import(t.Context(), strings.NewReader(lines)); err != nil || did != (Imported{Known: many}) {
		t.Errorf("what was removed comes back: %+v, %v", did, err)
	}
}

func TestReaderRefuses(t *testing.T) {
	_, dir := talk(t)
	r, err := OpenSQLiteReader(dir)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	if err := r.Export(t.Context(), &bytes.Buffer{}, Selection{Room: "nowhere"}); !errors.Is(err, ErrNoRoom) {
		t.Errorf("a room that is not there: %v", err)
	}
	if _, err := OpenSQLiteReader(t.TempDir()); !errors.Is(err, ErrNoLog) {
		t.Errorf("a directory without a log: %v", err)
	}
	for _, bad := range []string{"No Room", protocol.DirectRoom(alice, bob)} {
		if err := r.Export(t.Context(), &bytes.Buffer{}, Selection{Room: bad}); err == nil || errors.Is(err, ErrNoRoom) {
			t.Errorf("%s: %v", bad, err)
		}
	}
	full := errors.New("no space")
	if err := r.Export(t.Context(), failing{full}, Selection{}); !errors.Is(err, full) {
		t.Errorf("an output that fails: %v", err)
	}
	if _, err := r.db.Exec("DELETE FROM entries"); err == nil {
		t.Error("a reader can write")
	}
}

type failing struct{ error }

func (f failing) Write([]byte) (int, error) { return 0, f.error }

// changed fills a log with what was edited, deleted and reacted to.
func changed(t *testing.T, s *SQLite) {
	t.Helper()
	text, gone, both := entry("lobby", "teh text"), entry("lobby", "the secret"), entry("lobby", "wrogn")
	wave := entry("lobby", "waves")
	wave.Kind = protocol.KindAction
	add(t, s, text, gone, both, wave)
	react := func(target protocol.Entry, user protocol.UserID, text string) protocol.Entry {
		e := about(target, protocol.KindReaction, text)
		e.User = user
		return e
	}
	add(t, s, about(text, protocol.KindEdit, "the secret text"), react(text, alice, "👍"), react(gone, bob, "❤"), react(text, bob, "👍"),
		react(text, bob, "+1"), react(text, alice, "👍"), about(text, protocol.KindEdit, "the text"), about(both, protocol.KindEdit, "a secret too"),
		about(both, protocol.KindDelete, ""), about(gone, protocol.KindDelete, ""), about(gone, protocol.KindDelete, ""),
		about(text, protocol.KindText, "a reply"), react(wave, carol, "👋"), about(gone, protocol.KindEdit, "too late, secret"))
}

func readAll(t *testing.T, s Store, room string) []protocol.Entry {
	t.Helper()
	all, more, err := s.Read(t.Context(), Range{Room: room, Oldest: true, Limit: 10_000, Bytes: 1 << 26})
	if err != nil || more {
		t.Fatalf("Read: more %v, %v", more, err)
	}
	return all
}

// A log that is restored is the same in every respect that anybody sees.
func TestExportAndImportOfChanges(t *testing.T) {
	dir, other := t.TempDir(), t.TempDir()
	s := openStore(t, dir)
	changed(t, s)
	all := export(t, dir, "", true)
	if strings.Contains(all, "secret") || strings.Contains(all, "wrogn") || !strings.Contains(all, `"text":"the text","edited":true,"reactions":[{"text":"👍","n":1},{"text":"+1","n":1}]}`) ||
		!strings.Contains(all, `"kind":"text","text":"","gone":true}`) {
		t.Errorf("exported: %s", all)
	}
	r := openStore(t, other)
	want := readAll(t, s, "lobby")
	if did, err := r.Import(t.Context(), strings.NewReader(all)); err != nil || did != (Imported{Added: len(want)}) {
		t.Fatalf("%+v, %v", did, err)
	}
	got := readAll(t, r, "lobby")
	for i := range want {
		if i >= len(got) || !sameEntry(got[i], want[i]) {
			t.Fatalf("entry %d is restored as\n%+v, was\n%+v", i, got[i], want[i])
		}
	}
	for name, log := range map[string]*SQLite{"the restored log": r, "the log itself": s} {
		if did, err := log.Import(t.Context(), strings.NewReader(all)); err != nil || did != (Imported{Known: len(want)}) {
			t.Errorf("imported again into %s: %+v, %v", name, did, err)
		}
	}
	// It goes on alike: a reaction that was given there is taken back here.
	react := entry("lobby", "👍")
	react.Kind, react.Target, react.User = protocol.KindReaction, want[0].ID, bob
	for _, log := range []*SQLite{s, r} {
		if e := add(t, log, react)[0].Entry; e.Reactions[0].Count != 0 {
			t.Errorf("%+v", e)
		}
	}
	if got := find(t, r, "text"); len(got) != 1 || got[0] != "the text" {
		t.Errorf("search finds %q", got)
	}
}

// Lines of a time before the changes, and without them, are known too.
func TestImportOfOlderAndPartialLines(t *testing.T) {
	dir := t.TempDir()
	s := openStore(t, dir)
	said := entry("lobby", "first")
	add(t, s, said)
	older := export(t, dir, "", false)
	add(t, s, about(said, protocol.KindEdit, "second"))
	newer := export(t, dir, "", false)
	if did, err := s.Import(t.Context(), strings.NewReader(older)); err != nil || did.Known != 1 {
		t.Errorf("older lines: %+v, %v", did, err)
	}
	r := openStore(t, t.TempDir())
	for _, lines := range []string{older, newer} {
		if _, err := r.Import(t.Context(), strings.NewReader(lines)); err != nil {
			t.Fatal(err)
		}
	}
	if got, want := readAll(t, r, "lobby"), readAll(t, s, "lobby"); !sameEntry(got[0], want[0]) || !sameEntry(got[1], want[1]) {
		t.Errorf("older lines, then newer ones: %+v, want %+v", got, want)
	}
	part := openStore(t, t.TempDir())
	if _, err := part.Import(t.Context(), strings.NewReader(newer[:strings.Index(newer, "\n")+1])); err != nil {
		t.Fatal(err)
	}
	if e := findID(t, part, said.ID); !e.Edited || e.Text != "second" {
		t.Errorf("without the edit: %+v", e)
	}
	if r := add(t, part, said)[0]; !r.Known { // what it said at first is not known there
		t.Errorf("posted again: %+v", r)
	}
}

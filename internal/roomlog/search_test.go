package roomlog

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"lanchat/protocol"
)

func openTest(t testing.TB) *SQLite {
	t.Helper()
	s, err := OpenSQLite(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	return s
}

func TestSearch(t *testing.T) {
	s := openTest(t)
	day := time.Date(2026, 11, 1, 12, 0, 0, 0, time.UTC)
	s.now = func() time.Time { return day }
	say := func(room string, user protocol.UserID, nick, text string, kind protocol.Kind) {
		t.Helper()
		e := entry(room, text)
		e.User, e.Nick, e.Kind = user, nick, kind
		add(t, s, e)
		day = day.Add(24 * time.Hour)
	}
	dm := protocol.DirectRoom(alice, bob)
	say("lobby", alice, "Ann", "pizza tonight at eight", "")                 // 1 November
	say("kitchen", bob, "bob", "tonight: no pizza, but crème brûlée", "")    // 2
	say("lobby", bob, "bob", "今晚吃比萨吗", "")                                   // 3
	say("lobby", carol, "carol", "ピザを食べましょう、오늘밤에", "")                       // 4
	say(dm, alice, "Ann", "secret pizza", "")                                // 5
	say("lobby", alice, "ann", "orders pizza", protocol.KindAction)          // 6
	say("lobby", bob, "bob", "pizza!", protocol.KindReaction)                // 7: not a text
	say("lobby", bob, "bob", `he said "pizzas" OR NOT (text:x) * ^ - +`, "") // 8

	for _, tt := range []struct {
		query string
		user  protocol.UserID
		want  []string // how the texts begin, newest first
	}{
		{"pizza", carol, []string{"orders", "tonight:", "pizza tonight"}},
		{"PIZZA", bob, []string{"orders", "secret", "tonight:", "pizza tonight"}},
		{"pizza", protocol.UserID{}, []string{"orders", "tonight:", "pizza tonight"}},
		{"in:" + dm + " pizza", alice, []string{"secret"}},
		{`"pizza tonight"`, carol, []string{"pizza tonight"}},
		{`pizza tonight`, carol, []string{"tonight:", "pizza tonight"}},
		{"piz*", carol, []string{"he said", "orders", "tonight:", "pizza tonight"}},
		{"from:ANN pizza", carol, []string{"orders", "pizza tonight"}},
		{"from:@bob", carol, []string{"he said", "今晚", "tonight:"}},
		{"in:#kitchen pizza", carol, []string{"tonight:"}},
		{"in:nowhere pizza", carol, nil},
		{"creme brulee", carol, []string{"tonight:"}},
		{"比萨", carol, []string{"今晚"}},
		{"萨比", carol, nil},
		{"食べ", carol, []string{"ピザ"}},
		{"오늘밤", carol, []string{"ピザ"}},
		{"pizza before:2026-11-02", carol, []string{"pizza tonight"}},
		{"pizza after:2026-11-02", carol, []string{"orders", "tonight:"}},
		{"pizza after:2026-11-02T12:00 before:2026-11-06T12:00", carol, []string{"tonight:"}},
		{`"pizzas" or`, carol, []string{"he said"}},
		{`text:x`, carol, []string{"he said"}},
		{`^ - + pizzas) (not`, carol, []string{"he said"}},
		{"nothing", carol, nil},
	} {
		q, err := ParseQuery(tt.query, time.UTC)
		if err != nil {
			t.Errorf("%s: %v", tt.query, err)
			continue
		}
		q.User, q.Limit, q.Bytes = tt.user, 10, 1<<20
		got, more, err := s.Search(t.Context(), q)
		if err != nil || more {
			t.Errorf("%s: more %v, %v", tt.query, more, err)
		}
		match := func(e protocol.Entry, want string) bool { return strings.HasPrefix(e.Text, want) }
		if !slices.EqualFunc(got, tt.want, match) {
			t.Errorf("%s: found %+v, want %q", tt.query, got, tt.want)
		}
	}

	q, _ := ParseQuery("pizza", time.UTC)
	q.Limit, q.Bytes = 1, 1<<20
	var pages []string
	for {
		got, more, err := s.Search(t.Context(), q)
		if err != nil {
			t.Fatal(err)
		}
		for _, e := range got {
			pages = append(pages, e.Text[:6])
			q.Before = e.At
		}
		if !more {
			break
		}
	}
	if !slices.Equal(pages, []string{"orders", "tonigh", "pizza "}) {
		t.Errorf("by pages of one: %q", pages)
	}
	for _, bad := range []string{"", "  ", `"open`, "in:lobby", "before:yesterday x", "from:", `""`, strings.Repeat("x ", maxTerms+1)} {
		if _, err := ParseQuery(bad, time.UTC); !errors.Is(err, ErrQuery) {
			t.Errorf("ParseQuery(%q) = %v", bad, err)
		}
	}
}

// Whatever a person types is a search that works, or an error of ours.
func FuzzQuery(f *testing.F) {
	f.Add(`pizza "x y" from:a in:b before:2026-01-01 z*`)
	f.Add("0\x00")
	s := openTest(f)
	if err := s.Append([]Record{{Entry: entry("lobby", "x")}}); err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, text string) {
		q, err := ParseQuery(text, time.UTC)
		if err != nil {
			return
		}
		q.Limit, q.Bytes = 10, 1000
		if _, _, err := s.Search(t.Context(), q); err != nil {
			t.Fatalf("%q: %v", text, err)
		}
	})
}

// What is hidden from who asks is not found, and pages are as full as without it.
func TestSearchHides(t *testing.T) {
	s := openTest(t)
	var batch []Record
	rooms := []string{"lobby"}
	for i := range 3_000 {
		rooms = append(rooms, fmt.Sprint("secret", i))
	}
	for i, room := range append(rooms, "lobby", "secret1", "lobby") {
		batch = append(batch, Record{Entry: protocol.Entry{ID: protocol.NewID(), Room: room, Nick: "ann", Text: fmt.Sprint("pizza ", i)}})
	}
	if err := s.Append(batch); err != nil {
		t.Fatal(err)
	}
	q := Query{Terms: []Term{{Text: "pizza"}}, Hidden: append(rooms[1:], "nowhere"), Limit: 2, Bytes: 1 << 20}
	begin := time.Now()
	first, more, err := s.Search(t.Context(), q)
	if err != nil || len(first) != 2 || !more || first[0].Room != "lobby" || first[1].Room != "lobby" {
		t.Fatalf("%+v, more %v, %v", first, more, err)
	}
	q.Before = first[1].At
	if rest, more, err := s.Search(t.Context(), q); err != nil || more || len(rest) != 1 || rest[0].Room != "lobby" {
		t.Errorf("%+v, more %v, %v", rest, more, err)
	}
	t.Logf("with %d rooms hidden: %v", len(q.Hidden), time.Since(begin))
	q.Before, q.Hidden, q.From, q.Terms = 0, []string{"secret1"}, "ann", nil
	q.Limit = 10_000
	if all, _, err := s.Search(t.Context(), q); err != nil || len(all) != len(batch)-2 {
		t.Errorf("from:ann finds %d of %d, %v", len(all), len(batch)-2, err)
	}
}

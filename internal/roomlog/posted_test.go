package roomlog

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"lanchat/protocol"
)

// posted asks for all steps.
func posted(t *testing.T, s Store, since map[protocol.UserID]time.Time) (all []protocol.Entry) {
	t.Helper()
	for before, more := int64(0), true; more; {
		step, next, err := s.Posted(t.Context(), Posted{Since: since, Before: before})
		if err != nil {
			t.Fatal(err)
		}
		all, before, more = append(all, step...), next, next > 0
	}
	return all
}

// TestPosted: what a purge has to delete of somebody's is found, once, the newest first.
func TestPosted(t *testing.T) {
	eachStore(t, func(t *testing.T, s Store) {
		by := func(user protocol.UserID, e protocol.Entry) protocol.Entry { e.User = user; return e }
		text, gone, others, topic := by(alice, entry("lobby", "one")), by(alice, entry("lobby", "two")), by(bob, entry("lobby", "three")), by(alice, entry("hall", "four"))
		topic.Kind = protocol.KindTopic
		first := add(t, s, text, gone, others, topic)
		add(t, s, by(alice, about(gone, protocol.KindDelete, "")))
		edited := add(t, s, by(alice, about(text, protocol.KindEdit, "five")))[0].Entry
		back, taken, stays := by(alice, about(others, protocol.KindReaction, "+1")), by(alice, about(others, protocol.KindReaction, "+1")), by(alice, about(others, protocol.KindReaction, "BUY"))
		add(t, s, back, taken, stays, by(bob, about(text, protocol.KindReaction, "+1")))
		ids := func(since time.Time, users ...protocol.UserID) (list []string) {
			from := map[protocol.UserID]time.Time{}
			for _, u := range users {
				from[u] = since
			}
			names := map[protocol.ID]string{text.ID: "text", others.ID: "others", topic.ID: "topic", stays.ID: "stays"}
			for _, e := range posted(t, s, from) {
				name, known := names[e.ID]
				if !known || e.Room == "" || e.Seq == 0 || e.Kind == protocol.KindReaction && (e.Target != others.ID || e.Text != "BUY") {
					name = fmt.Sprintf("%+v", e)
				}
				list = append(list, name)
			}
			return list
		}
		for _, tt := range []struct {
			since time.Time
			users []protocol.UserID
			want  []string
		}{
			{time.Time{}, []protocol.UserID{alice}, []string{"stays", "text", "topic"}},
			{time.Unix(0, edited.At), []protocol.UserID{alice}, []string{"stays", "text"}},
			{time.Unix(0, edited.At+1), []protocol.UserID{alice}, []string{"stays"}},
			{time.Unix(0, first[3].Entry.At+1), []protocol.UserID{bob, carol}, nil},
			{time.Time{}, nil, nil},
		} {
			if tt.users != nil && slices.Contains(tt.users, bob) {
				tt.want = nil // bob's reaction stands, as the newest of all
				if got := ids(tt.since, tt.users...); len(got) != 1 {
					t.Errorf("of bob %q", got)
				}
				continue
			}
			if got := ids(tt.since, tt.users...); !slices.Equal(got, tt.want) {
				t.Errorf("since %v: %q, want %q", tt.since, got, tt.want)
			}
		}
	})
}

// TestPostedInSteps: a log of several steps is looked through to its beginning, or to the
// moment that is asked for.
func TestPostedInSteps(t *testing.T) {
	s := openStore(t, t.TempDir())
	var batch []Record
	for i := range 2*postedStep + 100 {
		e := entry("lobby", "x")
		if e.User = bob; i%1000 == 0 {
			e.User = alice
		}
		batch = append(batch, Record{Entry: e})
	}
	if err := s.Append(batch); err != nil {
		t.Fatal(err)
	}
	since := map[protocol.UserID]time.Time{alice: {}}
	if got := posted(t, s, since); len(got) != 21 || got[0].Seq != 20_001 || got[20].Seq != 1 {
		t.Errorf("%d entries", len(got))
	}
	since[alice] = time.Unix(0, batch[15_000].Entry.At)
	if got := posted(t, s, since); len(got) != 6 || got[5].Seq != 15_001 {
		t.Errorf("since the middle %d entries", len(got))
	}
	since[alice] = time.Unix(0, batch[20_050].Entry.At)
	if _, next, err := s.Posted(t.Context(), Posted{Since: since}); next != 0 || err != nil {
		t.Errorf("the next step would begin at %d, %v", next, err)
	}
}

// TestPurgeIsExported: what was purged comes back from an export as it was; where numbers
// are others, the numbers of the purge delete nothing.
func TestPurgeIsExported(t *testing.T) {
	dir := t.TempDir()
	s := openStore(t, dir)
	a, b, c := entry("lobby", "one"), entry("lobby", "two"), entry("lobby", "kept")
	got := add(t, s, a, b, c)
	purge := about(a, protocol.KindDelete, "")
	purge.Purged = []uint64{got[0].Entry.Seq, got[1].Entry.Seq}
	add(t, s, purge)
	lines := export(t, dir, "", true)
	for _, before := range []int{0, 1, 2} {
		into := openStore(t, t.TempDir())
		var others []protocol.Entry
		for range before {
			others = append(others, entry("lobby", "other"))
		}
		if before > 0 {
			add(t, into, others...)
		}
		if _, err := into.Import(t.Context(), strings.NewReader(lines)); err != nil {
			t.Fatal(err)
		}
		for _, e := range []protocol.Entry{a, b, c} {
			if now := findID(t, into, e.ID); now.Gone != (e.ID != c.ID) || now.Gone != (now.Text == "") {
				t.Errorf("behind %d others: %+v", before, now)
			}
		}
		for _, e := range others {
			if now := findID(t, into, e.ID); now.Gone {
				t.Errorf("behind %d others, one of them is gone", before)
			}
		}
	}
}

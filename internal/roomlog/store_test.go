package roomlog

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"lanchat/protocol"

	"pgregory.net/rapid"
)

// stores are all implementations of Store: each passes every test here.
var stores = map[string]func(testing.TB) Store{
	"memory": func(testing.TB) Store { return NewMemory() },
	"sqlite": func(t testing.TB) Store {
		s, err := OpenSQLite(t.TempDir())
		if err != nil {
			t.Fatal(err)
		}
		return s
	},
}

func eachStore(t *testing.T, test func(t *testing.T, s Store)) {
	for name, open := range stores {
		t.Run(name, func(t *testing.T) {
			s := open(t)
			t.Cleanup(func() { s.Close() })
			test(t, s)
		})
	}
}

var (
	alice = protocol.UserID{1}
	bob   = protocol.UserID{2}
	carol = protocol.UserID{3}
)

func entry(room, text string) protocol.Entry {
	return protocol.Entry{ID: protocol.NewID(), Room: room, User: alice, Nick: "alice", Text: text}
}

func add(t *testing.T, s Store, entries ...protocol.Entry) []Record {
	t.Helper()
	batch := make([]Record, len(entries))
	for i := range entries {
		batch[i].Entry = entries[i]
	}
	if err := s.Append(batch); err != nil {
		t.Fatal(err)
	}
	return batch
}

func TestStoreNumbersAndKnownIDs(t *testing.T) {
	eachStore(t, func(t *testing.T, s Store) {
		a, b := entry("lobby", "a"), entry("lobby", "b")
		other := entry("kitchen", "c")
		batch := add(t, s, a, b, other, a)
		for i, want := range []uint64{1, 2, 1, 1} {
			if batch[i].Entry.Seq != want || batch[i].Err != nil {
				t.Errorf("record %d has seq %d, err %v; want seq %d", i, batch[i].Entry.Seq, batch[i].Err, want)
			}
		}
		if batch[0].Known || !batch[3].Known || batch[3].Entry.At != batch[0].Entry.At {
			t.Errorf("the second of one id: %+v", batch[3])
		}
		changed, moved := a, a
		changed.Text = "A"
		moved.Room = "kitchen"
		for _, r := range add(t, s, changed, moved) {
			if !errors.Is(r.Err, ErrIDConflict) {
				t.Errorf("another content or room under a known id: %v", r.Err)
			}
		}
		elsewhere := a
		elsewhere.Room = "attic"
		if r := add(t, s, elsewhere)[0]; !errors.Is(r.Err, ErrIDConflict) {
			t.Errorf("a known id in a new room: %v", r.Err)
		}
		if info, ok := s.Room("attic"); ok || count(s) != 2 {
			t.Errorf("a refused post has made the room %+v", info)
		}
		if info, ok := s.Room("lobby"); !ok || info.Head != 2 {
			t.Errorf("lobby: %+v", info)
		}
		if e, ok, err := s.Find(t.Context(), b.ID); err != nil || !ok || e.Seq != 2 || e.Text != "b" {
			t.Errorf("Find = %+v, %v, %v", e, ok, err)
		}
		if _, ok, _ := s.Find(t.Context(), protocol.NewID()); ok {
			t.Error("it finds what was never there")
		}
	})
}

// Read is compared with a plain slice over random ranges.
func TestStoreRead(t *testing.T) {
	eachStore(t, func(t *testing.T, s Store) {
		var all []protocol.Entry
		for i := range 60 {
			all = append(all, add(t, s, entry("lobby", strings.Repeat("x", i*7)))[0].Entry)
		}
		rapid.Check(t, func(t *rapid.T) {
			r := Range{
				Room:   "lobby",
				After:  rapid.Uint64Range(0, 65).Draw(t, "after"),
				Before: rapid.Uint64Range(0, 65).Draw(t, "before"),
				Oldest: rapid.Bool().Draw(t, "oldest"),
				Limit:  rapid.IntRange(1, 70).Draw(t, "limit"),
				Bytes:  rapid.SampledFrom([]int{1, 500, 5000, 1 << 20}).Draw(t, "bytes"),
			}
			var in []protocol.Entry
			for _, e := range all {
				if e.Seq > r.After && (r.Before == 0 || e.Seq < r.Before) {
					in = append(in, e)
				}
			}
			if !r.Oldest {
				slices.Reverse(in)
			}
			var want []protocol.Entry
			bytes := 0
			for _, e := range in {
				bytes += e.MaxSize()
				if len(want) == r.Limit || len(want) > 0 && bytes > r.Bytes {
					break
				}
				want = append(want, e)
			}
			more := len(want) < len(in)
			if !r.Oldest {
				slices.Reverse(want)
			}
			got, gotMore, err := s.Read(t.Context(), r)
			if err != nil || !slices.EqualFunc(got, want, sameEntry) || gotMore != more {
				t.Fatalf("%+v: %d entries, more %v, %v; want %d, %v", r, len(got), gotMore, err, len(want), more)
			}
		})
		if got, _, err := s.Read(t.Context(), Range{Room: "nowhere", Limit: 1, Bytes: 1}); err != nil || len(got) > 0 {
			t.Errorf("a room without entries: %v, %v", got, err)
		}
	})
}

func TestStoreRooms(t *testing.T) {
	eachStore(t, func(t *testing.T, s Store) {
		dm := protocol.DirectRoom(alice, bob)
		topic := entry("b", "new topic")
		topic.Kind = protocol.KindTopic
		add(t, s, entry("c", "x"), entry("b", "x"), entry(dm, "x"), entry("a", "x"), topic)
		var names []string
		for after := ""; ; {
			page := s.Rooms(after, 2)
			if len(page) == 0 {
				break
			}
			for _, r := range page {
				names = append(names, r.Name)
				after = r.Name
			}
		}
		if want := []string{"a", "b", "c", dm}; !slices.Equal(names, want) || count(s) != 4 {
			t.Errorf("rooms %q, want %q", names, want)
		}
		if info, _ := s.Room("b"); info.Topic != "new topic" {
			t.Errorf("topic %q", info.Topic)
		}
		if got := s.Directs(carol); len(got) > 0 {
			t.Errorf("carol's direct talks: %+v", got)
		}
	})
}

func TestStoreMarkers(t *testing.T) {
	eachStore(t, func(t *testing.T, s Store) {
		for _, step := range []struct {
			seq   uint64
			moved bool
			want  uint64
		}{{5, true, 5}, {3, false, 5}, {5, false, 5}, {9, true, 9}} {
			moved, err := s.SetMarker(alice, "lobby", step.seq)
			if err != nil || moved != step.moved || s.Marker(alice, "lobby") != step.want {
				t.Errorf("set to %d: moved %v, now %d, %v", step.seq, moved, s.Marker(alice, "lobby"), err)
			}
		}
		if s.Marker(bob, "lobby") != 0 || s.Marker(alice, "kitchen") != 0 {
			t.Error("a marker counts for somebody or somewhere else")
		}
	})
}

func TestStoreNicks(t *testing.T) {
	eachStore(t, func(t *testing.T, s Store) {
		now := time.Now()
		bind := func(nick string, user protocol.UserID, at time.Time, want error) {
			t.Helper()
			if _, err := s.BindNick(nick, user, at); !errors.Is(err, want) {
				t.Errorf("BindNick(%s) = %v, want %v", nick, err, want)
			}
		}
		owner := func(nick string, want protocol.UserID) {
			t.Helper()
			if u, ok := s.NickOwner(nick); u != want || ok != !want.IsZero() {
				t.Errorf("%s belongs to %v, want %v", nick, u, want)
			}
		}
		bind("ann", alice, now, nil)
		bind("ann", alice, now, nil)
		bind("ann", bob, now, ErrNickTaken)
		owner("ann", alice)
		for i := range NicksPerUser { // one more than allowed: the one unused for longest goes
			bind(fmt.Sprint("ann", i), alice, now.Add(time.Duration(i+1)*time.Second), nil)
		}
		owner("ann", protocol.UserID{})
		owner("ann0", alice)
		bind("ann", bob, now, nil)
		bind("old", carol, now.Add(-NickExpiry-time.Second), nil)
		owner("old", protocol.UserID{})
		bind("old", bob, now, nil)
		owner("old", bob)

		// What looks alike is the same.
		bind("ОLD", carol, now, ErrNickTaken) // with a Cyrillic О
		owner("0ld", bob)
		bind("0ld", bob, now.Add(time.Second), nil)
		owner("Old", bob)

		// A nick that went to another key says since when.
		since := func(nick string, user protocol.UserID, at, want time.Time) {
			t.Helper()
			if got, err := s.BindNick(nick, user, at); err != nil || !got.Equal(want) {
				t.Errorf("%s went to another key at %v, %v; want %v", nick, got, err, want)
			}
		}
		then := now.Add(NickExpiry + time.Hour).Truncate(time.Second)
		since("new", bob, now, time.Time{})
		since("NEW", carol, then, then)
		since("new", carol, then.Add(nickUse), then)
		since("new", carol, then.Add(2*nickUse), then)
	})
}

// A log of before knows its nicks by lower case.
func TestNicksAreKeyed(t *testing.T) {
	dir := t.TempDir()
	now := time.Now().Unix()
	olderLog(t, dir, 4, func(run func(string, ...any)) {
		run("INSERT INTO nicks (nick, user, used) VALUES ('bill', ?, ?), ('b1ll', ?, ?), ('ann', ?, ?)", alice[:], now, bob[:], now-1, bob[:], now)
	})
	s := openStore(t, dir)
	for nick, want := range map[string]protocol.UserID{"bill": alice, "BILL": alice, "B1ll": alice, "Ann": bob} {
		if got, _ := s.NickOwner(nick); got != want {
			t.Errorf("%s belongs to %v, want %v", nick, got, want)
		}
	}
}

func TestMemoryHasABudget(t *testing.T) {
	m := NewMemory()
	m.budget = 10_000
	var first protocol.Entry
	for i := range 1000 {
		e := entry(fmt.Sprint("room", i%3), strings.Repeat("x", 100))
		if i == 0 {
			first = e
		}
		add(t, m, e)
	}
	kept := 0
	for _, r := range m.Rooms("", 10) {
		got, _, _ := m.Read(t.Context(), Range{Room: r.Name, Limit: 1000, Bytes: 1 << 20})
		kept += len(got)
		if got[len(got)-1].Seq != r.Head {
			t.Errorf("%s lacks its newest entry", r.Name)
		}
	}
	if kept < 30 || kept > 10_000/200 {
		t.Errorf("%d entries are kept", kept)
	}
	if r := add(t, m, first)[0]; !r.Known || r.Entry.Seq != 1 {
		t.Errorf("the id of a dropped entry is forgotten: %+v", r)
	}
	if _, ok, _ := m.Find(t.Context(), first.ID); ok {
		t.Error("a dropped entry is found")
	}
}

// count counts the rooms, direct talks included.
func count(s Store) int {
	rooms, directs := s.RoomCount()
	return rooms + directs
}

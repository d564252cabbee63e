package roomlog

import (
	"database/sql"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"lanchat/protocol"
)

func remove(t *testing.T, s Store, room string, how Removal) int {
	t.Helper()
	n, err := s.RemoveRoom(t.Context(), room, how)
	if err != nil {
		t.Fatal(err)
	}
	return n
}

// A room that is removed is not there for anybody; made again it goes on with its next
// number, and its posts are known.
func TestRemoveRoom(t *testing.T) {
	eachStore(t, func(t *testing.T, s Store) {
		topic := entry("attic", "boxes")
		topic.Kind = protocol.KindTopic
		first := entry("attic", "words of the attic")
		old := add(t, s, entry("lobby", "hello"), first, topic, entry("attic", "bye"), entry(protocol.DirectRoom(alice, bob), "psst"))
		target := old[1].Entry
		for range 2 { // another store may be opened in between
			if n := remove(t, s, "attic", Removal{}); n != 3 {
				t.Errorf("%d entries are removed", n)
			}
			if _, err := s.RemoveRoom(t.Context(), "attic", Removal{}); !errors.Is(err, ErrNoRoom) {
				t.Errorf("removed once more: %v", err)
			}
			head := old[3].Entry.Seq
			if info, there := s.Room("attic"); there || info.Head != head || info.Topic != "" {
				t.Errorf("the room is %+v, %v", info, there)
			}
			if rooms, directs := s.RoomCount(); rooms != 1 || directs != 1 || len(s.Rooms("", 10)) != 2 {
				t.Errorf("%d rooms, %d direct talks, %v", rooms, directs, s.Rooms("", 10))
			}
			if es, more, err := s.Read(t.Context(), Range{Room: "attic", Limit: 10, Bytes: 1 << 20}); len(es) > 0 || more || err != nil {
				t.Errorf("read: %v, %v, %v", es, more, err)
			}
			for _, r := range old[1:4] {
				if e, found, err := s.Find(t.Context(), r.Entry.ID); found || err != nil {
					t.Errorf("found: %+v, %v", e, err)
				}
			}
			posted, _, err := s.Posted(t.Context(), Posted{Since: map[protocol.UserID]time.Time{alice: {}}})
			if err != nil || slices.ContainsFunc(posted, func(e protocol.Entry) bool { return e.Room != "lobby" && !isDirect(e.Room) }) {
				t.Errorf("posted: %+v, %v", posted, err)
			}
			again, other := old[1].Entry, old[1].Entry
			other.Text = "other words"
			batch := add(t, s, again, other)
			if r := batch[0]; !r.Known || r.Err != nil || r.Entry.Seq != old[1].Entry.Seq || r.Entry.At != old[1].Entry.At {
				t.Errorf("sent again: %+v, want %+v", r, old[1])
			}
			if !errors.Is(batch[1].Err, ErrIDConflict) {
				t.Errorf("another content: %+v", batch[1])
			}
			if _, there := s.Room("attic"); there {
				t.Error("a post that is known has made the room")
			}
			edit := about(target, protocol.KindEdit, "changed")
			new1, new2 := entry("attic", "made again"), entry("attic", "and more")
			made := add(t, s, new1, edit, new2)
			if made[0].Entry.Seq != head+1 || made[1].Entry.TargetSeq != 0 || made[2].Entry.Seq != head+3 {
				t.Errorf("made again: %+v", made)
			}
			es, _, err := s.Read(t.Context(), Range{Room: "attic", Limit: 10, Bytes: 1 << 20})
			if err != nil || len(es) != 3 || es[0].Seq != head+1 || es[0].Text != "made again" || es[1].Text != "" {
				t.Errorf("read: %+v, %v", es, err)
			}
			old = append(old[:1:1], made...)
		}
	})
}

func TestRemovalSparesWhatWasSaid(t *testing.T) {
	eachStore(t, func(t *testing.T, s Store) {
		own, others := entry("attic", "mine"), entry("attic", "yours")
		own.User, others.User = alice, bob
		add(t, s, own, others)
		for _, how := range []Removal{{Spoken: true}, {Spoken: true, By: alice}, {Spoken: true, By: carol}} {
			if _, err := s.RemoveRoom(t.Context(), "attic", how); !errors.Is(err, ErrSpoken) {
				t.Errorf("%+v: %v", how, err)
			}
		}
		add(t, s, about(others, protocol.KindDelete, ""), about(own, protocol.KindReaction, "+1"))
		if _, err := s.RemoveRoom(t.Context(), "attic", Removal{Spoken: true}); !errors.Is(err, ErrSpoken) {
			t.Error(err)
		}
		if n := remove(t, s, "attic", Removal{Spoken: true, By: alice}); n != 4 {
			t.Errorf("%d entries", n)
		}
		for _, kind := range []protocol.Kind{protocol.KindTopic, protocol.KindAnnounce, protocol.KindDeed} {
			e := entry("attic", "x")
			e.Kind = kind
			add(t, s, e)
			remove(t, s, "attic", Removal{Spoken: true})
		}
		action := entry("attic", "waves")
		action.Kind = protocol.KindAction
		add(t, s, action)
		if _, err := s.RemoveRoom(t.Context(), "attic", Removal{Spoken: true}); !errors.Is(err, ErrSpoken) {
			t.Error(err)
		}
	})
}

func TestMakersAreCounted(t *testing.T) {
	home, work := Place{1}, Place{2}
	eachStore(t, func(t *testing.T, s Store) {
		post := func(room string, user protocol.UserID, guest bool, from Place, kind protocol.Kind) {
			t.Helper()
			e := entry(room, "x")
			e.User, e.Guest, e.Kind = user, guest, kind
			batch := []Record{{Entry: e, From: from}}
			if err := s.Append(batch); err != nil || batch[0].Err != nil {
				t.Fatal(err, batch[0].Err)
			}
		}
		made := func(m Maker, own, place Made) {
			t.Helper()
			if o, p := s.Made(m); o != own || p != place {
				t.Errorf("%+v has made %v, from the place %v; want %v, %v", m, o, p, own, place)
			}
		}
		post("a", alice, false, home, "")
		post("b", alice, false, work, protocol.KindTopic)
		post("b", bob, false, home, "")
		post(protocol.DirectRoom(alice, bob), bob, false, home, "")
		post("c", carol, true, home, "")
		post("d", bob, true, home, "")
		post("e", bob, false, home, protocol.KindAnnounce)
		made(Maker{User: alice}, Made{Rooms: 2}, Made{})
		made(Maker{User: bob, From: home}, Made{Directs: 1}, Made{3, 1})
		made(Maker{From: home}, Made{Rooms: 2}, Made{3, 1})
		made(Maker{From: work}, Made{}, Made{Rooms: 1})
		made(Maker{}, Made{}, Made{})
		if info, _ := s.Room("a"); info.Maker != (Maker{alice, home}) || info.Last == 0 {
			t.Errorf("%+v", info)
		}
		remove(t, s, "a", Removal{})
		remove(t, s, "c", Removal{})
		post("a", bob, false, work, "")
		made(Maker{User: alice}, Made{Rooms: 1}, Made{})
		made(Maker{User: bob, From: work}, Made{1, 1}, Made{Rooms: 2})
		made(Maker{From: home}, Made{Rooms: 1}, Made{1, 1})
	})
}

// As many removed rooms are remembered as may be, the young ones in any case.
func TestRemovedRoomsAreBounded(t *testing.T) {
	const some = 400
	now := time.Now()
	full := func(t *testing.T, s Store, removed func() int) {
		add(t, s, entry("a", "x"), entry("b", "x"), entry("c", "x"))
		if _, err := s.RemoveRoom(t.Context(), "a", Removal{}); !errors.Is(err, ErrRemoved) {
			t.Errorf("without Force: %v", err)
		}
		remove(t, s, "a", Removal{Force: true})
		if n := removed(); n != some {
			t.Errorf("%d are remembered", n)
		}
		now = now.Add(RemovedKept + time.Minute)
		remove(t, s, "b", Removal{})
		if n := removed(); n != some-some/8+1 {
			t.Errorf("%d are remembered a month later", n)
		}
		if info, _ := s.Room("a"); info.Head != 1 {
			t.Error("the youngest is forgotten")
		}
		if r := add(t, s, entry("r00009", "x"))[0]; r.Entry.Seq != 1 {
			t.Errorf("one that is forgotten begins with %d", r.Entry.Seq)
		}
		if r := add(t, s, entry(fmt.Sprintf("r%05d", some-1), "x"))[0]; r.Entry.Seq != 8 {
			t.Errorf("one that is remembered goes on with %d", r.Entry.Seq)
		}
	}
	t.Run("Memory", func(t *testing.T) {
		m := NewMemory()
		m.maxRemoved = some
		m.now = func() time.Time { return now }
		for i := range some {
			name := fmt.Sprintf("r%05d", i)
			m.removed[name] = removedRoom{name, 7, now.Add(time.Duration(i-some) * time.Millisecond)}
		}
		full(t, m, func() int { return len(m.removed) })
	})
	t.Run("SQLite", func(t *testing.T) {
		dir := t.TempDir()
		s := openStore(t, dir)
		if _, err := s.w.ExecContext(t.Context(), `WITH RECURSIVE i(n) AS (SELECT 0 UNION ALL SELECT n + 1 FROM i WHERE n < ?)
			INSERT INTO rooms (name, head, topic, removed, base) SELECT printf('r%05d', n), 7, '', ? + n * 1000000, 7 FROM i`, some-1, now.Add(-some*time.Millisecond).UnixNano()); err != nil {
			t.Fatal(err)
		}
		s.Close()
		s = openStore(t, dir)
		s.maxRemoved = some
		s.now = func() time.Time { return now }
		full(t, s, func() int { return len(s.removed) })
	})
}

// What a removed room said leaves the files, also with a store that is opened again.
func TestRemovedTextsLeaveTheFiles(t *testing.T) {
	for _, reopened := range []bool{false, true} {
		dir := t.TempDir()
		s := openStore(t, dir)
		add(t, s, entry("lobby", "harmless"), entry("lobby", "zebra in the lobby"))
		for i := range 300 {
			add(t, s, entry("attic", fmt.Sprint("zebracrossing ", i)))
		}
		find(t, s, "zebracrossing") // it is in the index
		remove(t, s, "attic", Removal{})
		if got := find(t, s, "zebra*"); len(got) != 1 {
			t.Errorf("found %q", got)
		}
		if out := export(t, dir, "", true); strings.Count(out, "\n") != 2 {
			t.Errorf("exported: %s", out)
		}
		if reopened {
			s.Close()
			s = openStore(t, dir)
		}
		add(t, s, entry("attic", "zebra again"))
		if got := find(t, s, "zebra*"); len(got) != 2 {
			t.Errorf("found %q", got)
		}
		eventually(t, "nothing in the files", func() bool { return inFiles(t, dir, "zebracrossing") == 0 })
		s.mu.RLock()
		if len(s.erasing) > 0 {
			t.Error("it is not done")
		}
		s.mu.RUnlock()
	}
}

// Killed in the middle of a removal: the room is not there, and the rest of it goes with
// the next start.
func TestCrashInARemoval(t *testing.T) {
	dir := t.TempDir()
	s := openStore(t, dir)
	var es []protocol.Entry
	for i := range 2000 {
		es = append(es, entry("attic", fmt.Sprint("word", i)))
	}
	first := add(t, s, es...)[0].Entry
	add(t, s, entry("lobby", "x"))
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	left := func() (n int) {
		db, err := sql.Open("sqlite", dsn(dir, "log.db", ""))
		if err != nil {
			t.Fatal(err)
		}
		defer db.Close()
		if err := db.QueryRow("SELECT count(*) FROM entries").Scan(&n); err != nil {
			t.Fatal(err)
		}
		return n
	}
	interrupted := 0
	for _, until := range []int{1800, 1000, 200} {
		cmd, lines := startChild(t, "remove", dir)
		for n := 2001; n > until && lines.Scan(); {
			if _, err := fmt.Sscan(lines.Text(), &n); err != nil {
				t.Fatal(err)
			}
		}
		if err := cmd.Process.Kill(); err != nil {
			t.Fatal(err)
		}
		_ = cmd.Wait() // that it was killed
		if n := left(); n > 1 && n < 2001 {
			interrupted++
		}
	}
	if interrupted < 2 {
		t.Errorf("it was in the middle %d times", interrupted)
	}
	s = openStore(t, dir)
	if info, there := s.Room("attic"); there || info.Head != 2000 {
		t.Errorf("the room is %+v, %v", info, there)
	}
	if r := add(t, s, first)[0]; !r.Known || r.Entry.At != first.At {
		t.Errorf("sent again: %+v", r)
	}
	eventually(t, "one entry", func() bool { return left() == 1 })
	if r := add(t, s, es[1999], entry("attic", "again")); !r[0].Known || r[0].Entry.Seq != 2000 || r[1].Entry.Seq != 2001 {
		t.Errorf("%+v", r)
	}
	noGap(t, s, "lobby")
}

// A log of before knows who made its rooms, as far as that entry is there.
func TestMigrationFindsMakers(t *testing.T) {
	dir := t.TempDir()
	olderLog(t, dir, 6, func(run func(string, ...any)) {
		run("INSERT INTO rooms (id, name, head, topic) VALUES (1, 'lobby', 2, ''), (2, 'attic', 9, ''), (3, 'cellar', 4, ''), (4, 'den', 1, '')")
		for i, e := range []struct{ room, seq, flags int }{{1, 1, 0}, {1, 2, 0}, {2, 9, 0}, {4, 1, flagGuest}} {
			id := protocol.NewID()
			run("INSERT INTO entries (n, room, seq, id, at, user, nick, flags, kind, text) VALUES (?,?,?,?,?,?,'',?,'','x')", i+1, e.room, e.seq, id[:], 100+i, alice[:], e.flags)
		}
	})
	s := openStore(t, dir)
	for name, want := range map[string]RoomInfo{"lobby": {Head: 2, Last: 101, Maker: Maker{User: alice}}, "attic": {Head: 9, Last: 102}, "den": {Head: 1, Last: 103}} {
		want.Name = name
		if got, _ := s.Room(name); got != want {
			t.Errorf("%+v, want %+v", got, want)
		}
	}
	if info, _ := s.Room("cellar"); time.Since(time.Unix(0, info.Last)) > time.Minute || info.Head != 4 {
		t.Errorf("a room without entries: %+v", info)
	}
}

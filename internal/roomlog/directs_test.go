package roomlog

import (
	"testing"

	"lanchat/protocol"
)

// TestStoreDirects wants the direct talks of a user newest first, each with who opened
// it and with the user's read marker.
func TestStoreDirects(t *testing.T) {
	check := func(t *testing.T, s Store, want ...Direct) {
		t.Helper()
		got := s.Directs(bob)
		if len(got) != len(want) {
			t.Fatalf("%d talks: %+v", len(got), got)
		}
		for i, w := range want {
			if g := got[i]; g.Name != w.Name || g.Head != w.Head || g.Read != w.Read || g.Maker != w.Maker || g.Last == 0 || i > 0 && g.Last >= got[i-1].Last {
				t.Errorf("talk %d: %+v, want %+v", i, g, w)
			}
		}
	}
	talk := func(room string, by protocol.UserID) protocol.Entry {
		e := entry(room, "x")
		e.User = by
		return e
	}
	withAlice, withCarol := protocol.DirectRoom(alice, bob), protocol.DirectRoom(bob, carol)
	fill := func(t *testing.T, s Store) {
		add(t, s, talk(withAlice, alice), talk(withCarol, bob), talk("lobby", bob))
		check(t, s, Direct{RoomInfo{Name: withCarol, Head: 1, Maker: Maker{User: bob}}, 0}, Direct{RoomInfo{Name: withAlice, Head: 1, Maker: Maker{User: alice}}, 0})
		add(t, s, talk(withAlice, bob))
		if _, err := s.SetMarker(bob, withAlice, 2); err != nil {
			t.Fatal(err)
		}
		if _, err := s.SetMarker(carol, withCarol, 1); err != nil {
			t.Fatal(err)
		}
	}
	after := []Direct{{RoomInfo{Name: withAlice, Head: 2, Maker: Maker{User: alice}}, 2}, {RoomInfo{Name: withCarol, Head: 1, Maker: Maker{User: bob}}, 0}}
	eachStore(t, func(t *testing.T, s Store) {
		fill(t, s)
		check(t, s, after...)
	})
	t.Run("reopened", func(t *testing.T) {
		dir := t.TempDir()
		for _, do := range []func(Store){func(s Store) { fill(t, s) }, func(s Store) { check(t, s, after...) }} {
			s, err := OpenSQLite(dir)
			if err != nil {
				t.Fatal(err)
			}
			do(s)
			if err := s.Close(); err != nil {
				t.Fatal(err)
			}
		}
	})
}

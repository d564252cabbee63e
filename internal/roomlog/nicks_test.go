package roomlog

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"lanchat/internal/nicks"
	"lanchat/protocol"
)

func bindAll(t *testing.T, s Store, user protocol.UserID, at time.Time, all ...string) {
	t.Helper()
	for i, nick := range all {
		if _, err := s.BindNick(nick, user, at.Add(time.Duration(i)*time.Second)); err != nil {
			t.Fatalf("%s: %v", nick, err)
		}
	}
}

// A user's nicks are listed with since when each is bound, and are free again when they
// are unbound; who has one next is marked.
func TestStoreNicksOfAUser(t *testing.T) {
	eachStore(t, func(t *testing.T, s Store) {
		now := time.Now().Truncate(time.Second)
		is := func(user protocol.UserID, want ...NickBinding) {
			t.Helper()
			got := s.Nicks(user)
			if !slices.EqualFunc(got, want, func(a, b NickBinding) bool {
				return a.Nick == b.Nick && a.Bound.Equal(b.Bound) && a.Used.Equal(b.Used)
			}) {
				t.Errorf("%v; want %v", got, want)
			}
		}
		is(alice)
		bindAll(t, s, alice, now.Add(-48*time.Hour), "ann", "Вов")
		is(alice, NickBinding{"Вов", now.Add(-48*time.Hour + time.Second), now.Add(-48*time.Hour + time.Second)}, NickBinding{"ann", now.Add(-48 * time.Hour), now.Add(-48 * time.Hour)})
		bindAll(t, s, alice, now, "ann")
		is(alice, NickBinding{"ann", now.Add(-48 * time.Hour), now}, NickBinding{"Вов", now.Add(-48*time.Hour + time.Second), now.Add(-48*time.Hour + time.Second)})
		bindAll(t, s, carol, now.Add(-NickExpiry-time.Hour), "old")
		is(carol)
		if !s.NickLapsed("old", alice) || s.NickLapsed("old", carol) || s.NickLapsed("ann", bob) || s.NickLapsed("new", bob) {
			t.Error("a lapsed nick is not known as one, or another one is")
		}

		unbind := func(nick string, user protocol.UserID, want ...string) {
			t.Helper()
			if freed, err := s.UnbindNick(nick, user); err != nil || !slices.Equal(freed, want) {
				t.Errorf("unbinding %q frees %q, %v; want %q", nick, freed, err, want)
			}
		}
		unbind("ann", bob)
		unbind("ANN", alice, "ann")
		unbind("ann", alice)
		if _, bound := s.NickOwner("ann"); bound || !s.NickLapsed("ann", bob) {
			t.Error("ann is still bound, or was never")
		}
		if since, err := s.BindNick("ann", bob, now); err != nil || !since.Equal(now) {
			t.Errorf("ann went to another key at %v, %v", since, err)
		}
		unbind("", alice, "Вов")
		is(alice)
		bindAll(t, s, alice, now, "Вов") // anew, not as before
		is(alice, NickBinding{"Вов", now, now})
	})
}

// A nick that looks like those of two users is nobody's, and taken.
func TestANickOfTwo(t *testing.T) {
	eachStore(t, func(t *testing.T, s Store) {
		bindAll(t, s, alice, time.Now(), "вов")
		bindAll(t, s, bob, time.Now(), "bob")
		if user, bound := s.NickOwner("ВОВ"); !bound || !user.IsZero() {
			t.Errorf("%v, %v", user, bound)
		}
	})
}

// A log of before does not know since when a nick is bound; a nick in it that reads as a
// user id or an address is nobody's.
func TestNicksOfBefore(t *testing.T) {
	dir := t.TempDir()
	victim := strings.ToUpper(bob.String())
	olderLog(t, dir, 5, func(run func(string, ...any)) {
		for _, nick := range []string{"ann", victim, "10.1.2.3"} {
			for _, key := range nicks.Keys(nick) {
				run("INSERT INTO nicks (key, nick, user, used, since) VALUES (?,?,?,?,0)", key, nick, alice[:], time.Now().Unix())
			}
		}
	})
	s := openStore(t, dir)
	for nick, want := range map[string]bool{"ann": true, victim: false, strings.ToLower(victim): false, "10.1.2.3": false} {
		if _, bound := s.NickOwner(nick); bound != want {
			t.Errorf("%s is bound: %v", nick, bound)
		}
	}
	if own := s.Nicks(alice); len(own) != 1 || own[0].Nick != "ann" || !own[0].Bound.IsZero() {
		t.Errorf("%+v", own)
	}
}

// Whatever strangers bind, nicks take so much and no more: those that were not used for
// longest make place.
func TestNicksAreBounded(t *testing.T) {
	most := maxNickKeys
	maxNickKeys = 64
	defer func() { maxNickKeys = most }()
	s, err := OpenSQLite(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	now := time.Now().Add(-time.Hour)
	bindAll(t, s, alice, now, "old")
	bindAll(t, s, bob, now.Add(30*time.Minute), "new")
	for i := range 100 {
		bindAll(t, s, protocol.UserID{9, byte(i)}, now.Add(time.Duration(i)*time.Second), fmt.Sprint("x", i))
	}
	var n int
	if err := s.w.QueryRowContext(t.Context(), "SELECT count(*) FROM nicks").Scan(&n); err != nil || n > 64 || n < 56 {
		t.Errorf("%d keys, %v", n, err)
	}
	_, old := s.NickOwner("old")
	owner, _ := s.NickOwner("new")
	if _, newest := s.NickOwner("x99"); old || owner != bob || !newest {
		t.Errorf("old is bound: %v; new is %v; the newest is bound: %v", old, owner, newest)
	}

	m := NewMemory()
	for i := range memoryNicks {
		m.nicks[fmt.Sprint("k", i)] = memoryBinding{nick: fmt.Sprint("k", i), user: carol, used: now.Add(time.Duration(i))}
	}
	bindAll(t, m, alice, time.Now(), "ann")
	if owner, _ := m.NickOwner("ann"); owner != alice || len(m.nicks) > memoryNicks {
		t.Errorf("%d keys; ann is %v", len(m.nicks), owner)
	}
}

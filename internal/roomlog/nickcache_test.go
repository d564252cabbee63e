package roomlog

import (
	"fmt"
	"testing"
	"time"
)

func TestNickCache(t *testing.T) {
	var c nickCache
	is := func(key string, want bool, b nickBinding) {
		t.Helper()
		if got, known, _ := c.get(key); known != want || got != b {
			t.Errorf("%s: %v, %v; want %v, %v", key, got, known, b, want)
		}
	}
	put := func(key string, b nickBinding) { _, _, as := c.get(key); c.put(key, b, as) }
	put("ann", nickBinding{})
	put("bob", nickBinding{bob, 7})
	is("ann", true, nickBinding{})
	is("bob", true, nickBinding{bob, 7})
	is("carol", false, nickBinding{})
	_, _, as := c.get("carol")
	c.forget() // carol is bound while the file is being asked
	c.put("carol", nickBinding{}, as)
	for _, key := range []string{"ann", "bob", "carol"} {
		is(key, false, nickBinding{})
	}
	for i := range 2 * nickCacheMost {
		put(fmt.Sprint(i), nickBinding{})
	}
	if len(c.keys) > nickCacheMost {
		t.Errorf("%d keys are remembered", len(c.keys))
	}
}

// Who is known to own a nick owns it no longer than NickExpiry, asked for again or not.
func TestNickOwnerExpiresInTheCache(t *testing.T) {
	s, err := OpenSQLite(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	now := time.Now()
	s.now = func() time.Time { return now }
	if _, err := s.BindNick("ann", alice, now); err != nil {
		t.Fatal(err)
	}
	for range 2 {
		if user, bound := s.NickOwner("ann"); !bound || user != alice {
			t.Fatalf("ann is %v, %v", user, bound)
		}
	}
	now = now.Add(NickExpiry + time.Second)
	if user, bound := s.NickOwner("ann"); bound {
		t.Errorf("ann is still %v", user)
	}
}

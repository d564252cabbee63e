package server

import (
	"testing"
	"time"

	"lanchat/internal/nicks"
	"lanchat/internal/roomlog"
	"lanchat/protocol"
)

// Nobody gets a nick that looks like one that a key has, whether its owner is here or
// not, in hello or later.
func TestLookAlikes(t *testing.T) {
	s, addr := startTLS(t, func(c *Config) { c.Limits.NickBurst = 100 })
	owner := connectTLS(t, addr, newKey(t), "Bill")
	owner.join("lobby", 0)
	owner.binds(s)
	person := visitor(t, addr, "guest-1")
	thieves := []*peer{connectTLS(t, addr, newKey(t), "mallory"), connectTLS(t, addr, nil, "eve"), connect(t, addr, "trudy")}
	for range 2 {
		for _, nick := range []string{"bill", "BILL", "Biil", "B1ll", "Вill", "ВIII", "Ｂｉｌｌ", "𝐁ill"} {
			for _, thief := range thieves {
				thief.send(&protocol.Nick{Ref: 1, Nick: nick})
				if e := any1[*protocol.Error](thief); e.Code != protocol.CodeNickTaken && e.Code != protocol.CodeBadNick {
					t.Errorf("%s: %v", nick, e)
				}
			}
			person.types("/nick " + nick)
			person.sees("! ")
			for name, key := range map[string]bool{"a key": true, "a guest": false} {
				hello := &protocol.Hello{Nick: nick}
				id := newKey(t)
				config := id.ClientTLS(nil)
				if !key {
					config = nil
				}
				c, w, err := protocol.Dial(t.Context(), addr, config, hello)
				if err != nil {
					continue // of two scripts
				}
				c.Close()
				if nicks.Same(w.Nick, "Bill") {
					t.Errorf("%s asks for %s and is %s", name, nick, w.Nick)
				}
			}
		}
		owner.Close()
	}
}

// A key takes its nick from every guest whose nick looks like it.
func TestAKeyTakesLookAlikesFromGuests(t *testing.T) {
	_, addr := startTLS(t)
	guest := connect(t, addr, "b1ll")
	owner := connectTLS(t, addr, newKey(t), "Bill")
	if owner.welcome.Nick != "Bill" {
		t.Errorf("the owner is %s", owner.welcome.Nick)
	}
	if n := any1[*protocol.Nick](guest); n.Nick != "guest-1" {
		t.Errorf("the guest is told %+v", n)
	}
}

// A nick that went to another key is marked as such.
func TestANickChangesHands(t *testing.T) {
	store := roomlog.NewMemory()
	if _, err := store.BindNick("ann", protocol.UserID{1}, time.Now().Add(-roomlog.NickExpiry-time.Hour)); err != nil {
		t.Fatal(err)
	}
	_, addr := startTLS(t, func(c *Config) {
		c.Log.Close()
		c.Log = roomlog.Local(store)
	})
	ann, bob := connectTLS(t, addr, newKey(t), "ann"), connectTLS(t, addr, newKey(t), "bob")
	ann.join("lobby", 0)
	marks := map[string]bool{}
	for _, m := range bob.join("lobby", 0).Members {
		marks[m.Nick] = m.NewKey
	}
	if !marks["ann"] {
		t.Errorf("who is marked: %v", marks)
	}
	again := connectTLS(t, addr, newKey(t), "carol")
	for _, m := range again.join("lobby", 0).Members {
		if m.NewKey != (m.Nick == "ann") {
			t.Errorf("%+v", m)
		}
	}
}

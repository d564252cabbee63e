package server

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"lanchat/internal/access"
	"lanchat/internal/identity"
	"lanchat/internal/roomlog"
	"lanchat/protocol"
)

// asks asks for an action and returns the error's code, "" for none, and the text.
func (p *peer) asks(m protocol.Message) (code protocol.Code, text string) {
	p.Helper()
	p.send(m)
	for {
		got, err := p.Read()
		if err != nil {
			p.Fatal(err)
		}
		switch got := got.(type) {
		case *protocol.Error:
			return got.Code, got.Text
		case *protocol.Moderate:
			if got.Ref != 0 {
				return "", got.Text
			}
		case *protocol.Invite:
			return "", got.Token
		}
	}
}

func act(do protocol.ModAction, room, who string) *protocol.Moderate {
	return &protocol.Moderate{Ref: 3, Do: do, Room: room, Who: who}
}

// makesRules has somebody make a private room, an op, a mute and an invitation at the
// first try.
func makesRules(p *peer, room, op, muted string) {
	p.Helper()
	for _, m := range []protocol.Message{act(protocol.DeedPrivate, room, ""), act(protocol.DeedOp, room, op), act(protocol.DeedMute, room, muted),
		act(protocol.ModInvite, room, muted), &protocol.Invite{Ref: 4, Room: room}} {
		if code, text := p.asks(m); code != "" {
			p.Errorf("%s cannot %+v: %s", p.welcome.Nick, m, text)
		}
	}
}

// unclosed is a store that a test's second server goes on with.
type unclosed struct{ *roomlog.SQLite }

func (unclosed) Close() error { return nil }

// Keys that are made to be thrown away make private rooms, and in them rules about users
// that they make up. They get no more than the share of an address, and none about
// somebody whom nobody has seen. Behind the same address a known user, and the admin, make
// every kind of rule at the first try: during that, after a restart, and when the admin
// has dropped what was made.
func TestThrowAwayKeysFillNoTable(t *testing.T) {
	file, err := roomlog.OpenSQLite(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	store := unclosed{file}
	adminKey, bobKey := newKey(t), newKey(t)
	serve := func() (*Server, string, *peer, *peer) {
		rules, err := access.Open(store, nil)
		if err != nil {
			t.Fatal(err)
		}
		rules.SetAdmins([]protocol.UserID{adminKey.Fingerprint().UserID()})
		s, addr := startTLS(t, func(c *Config) {
			c.Log.Close()
			c.Log, c.Rules = roomlog.Local(store), rules
			c.Limits.NewRoomsRate, c.Limits.NewRoomsBurst = 1e6, 1e6
		})
		bob := connectTLS(t, addr, bobKey, "bob")
		bob.join("lobby", 0)
		bob.say("lobby", "hello")
		waitFor(t, func() bool { return s.people.isKnown(bob.welcome.User) })
		return s, addr, connectTLS(t, addr, adminKey, "ann"), bob
	}
	s, addr, ann, bob := serve()
	for _, nick := range []string{"carol", "dan"} {
		connectTLS(t, addr, newKey(t), nick)
	}
	made, refused := map[protocol.ModAction]int{}, 0
	for n := range 6 {
		key := connectTLS(t, addr, newKey(t), fmt.Sprint("key-", n))
		for i := range 30 {
			room := fmt.Sprintf("junk-%d-%d", n, i)
			if code, text := key.asks(act(protocol.DeedPrivate, room, "")); code == protocol.CodeLimit {
				refused++
				break
			} else if code != "" {
				t.Fatal(text)
			}
			made[protocol.DeedPrivate]++
			id := protocol.UserID{1, byte(n), byte(i)}.String()
			for _, do := range []protocol.ModAction{protocol.DeedMute, protocol.DeedOp, protocol.DeedUninvite, protocol.ModInvite} {
				if code, text := key.asks(act(do, room, id)); code == "" {
					made[do]++
				} else if code != protocol.CodeNotFound {
					t.Fatalf("%s: %s", do, text)
				}
			}
			if code, text := key.asks(act(protocol.DeedUnmute, room, id)); code != "" { // it is always possible
				t.Errorf("unmute: %s", text)
			}
			key.asks(&protocol.Invite{Ref: 4, Room: room})
		}
	}
	if made[protocol.DeedPrivate] != 75 || len(made) != 1 || refused == 0 || s.Stats().Limits["rules"] == 0 {
		t.Errorf("made: %v, %d refused, counted %d", made, refused, s.Stats().Limits["rules"])
	}
	makesRules(bob, "bobs", "dan", "carol")
	makesRules(ann, "anns", "dan", "carol")
	if text := ann.does(*act(protocol.ModRules, "", "")); !strings.Contains(text, "Made the most:") || !strings.Contains(text, "key-0") {
		t.Errorf("the rules: %s", text)
	}
	s.Close()
	_, addr, ann, bob = serve()
	for _, nick := range []string{"carol", "dan"} {
		connectTLS(t, addr, newKey(t), nick)
	}
	makesRules(bob, "bobs-2", "dan", "carol")
	makesRules(ann, "anns-2", "dan", "carol")
	_, most, _ := strings.Cut(ann.does(*act(protocol.ModRules, "", "")), "Made the most:\n")
	most, _, _ = strings.Cut(most, "\nRooms")
	for line := range strings.SplitSeq(most, "\n") {
		if f := strings.Fields(line); len(f) == 2 { // beside the ids of bob and ann are their nicks
			ann.does(*act(protocol.ModDropRules, "", f[1]))
		}
	}
	dora := connectTLS(t, addr, newKey(t), "dora")
	makesRules(dora, "doras", "dan", "carol")
}

// Who was uninvited does not come back by the same line, nor does a fresh key; no line
// outlives what ends it; each answer says how many ended.
func TestUninvitedStaysOut(t *testing.T) {
	for _, passphrase := range []bool{false, true} {
		addr, rules := guarded(t, func(c *Config) {
			if !passphrase {
				c.Secret = nil
			}
		})
		adminKey, opKey, eveKey := newKey(t), newKey(t), newKey(t)
		rules.SetAdmins([]protocol.UserID{adminKey.Fingerprint().UserID()})
		come := func(key *identity.Identity, token string) (*peer, error) {
			p, err := enter(t, addr, key, map[bool]string{token == "": sesame}[passphrase], token)
			return p, err
		}
		must := func(p *peer, err error) *peer {
			t.Helper()
			if err != nil {
				t.Fatal(err)
			}
			return p
		}
		in := func(p *peer) bool {
			p.send(&protocol.Join{Ref: 5, Room: "den"})
			for {
				m, err := p.Read()
				if err != nil {
					t.Fatal(err)
				}
				switch m := m.(type) {
				case *protocol.Joined:
					if m.Ref == 5 {
						return true
					}
				case *protocol.Error:
					return false
				}
			}
		}
		op := must(come(opKey, ""))
		if code, text := op.asks(act(protocol.DeedPrivate, "den", "")); code != "" {
			t.Fatal(text)
		}
		_, line := op.asks(&protocol.Invite{Ref: 4, Room: "den", Uses: 10})
		if list := op.does(*act(protocol.ModInvites, "den", "")); !strings.Contains(list, "  #den  10 left  until ") {
			t.Errorf("the list: %s", list)
		}
		eve := must(come(eveKey, line))
		if !in(eve) {
			t.Error("eve is invited and does not come in")
		}
		if text := op.does(*act(protocol.DeedUninvite, "den", eve.welcome.User.String())); !strings.Contains(text, "1 invitation ended") {
			t.Errorf("%q", text)
		}
		any1[*protocol.Left](eve)
		for name, key := range map[string]*identity.Identity{"eve": eveKey, "a fresh key": newKey(t)} {
			if p, err := come(key, line); err == nil && in(p) || err != nil && passphrase && key == eveKey {
				t.Errorf("with a passphrase: %v: %s by the same line: %v", passphrase, name, err)
			}
		}
		_, newer := op.asks(&protocol.Invite{Ref: 4, Room: "den"})
		if in(must(come(eveKey, newer))) {
			t.Error("eve comes by a newer line")
		}
		op.does(*act(protocol.ModInvite, "den", eve.welcome.User.String()))
		if !in(must(come(eveKey, ""))) {
			t.Error("eve was named by an op and does not come in")
		}
		// What ends with the maker's role, and with the room's being public.
		_, line = op.asks(&protocol.Invite{Ref: 4, Room: "den", Uses: 10})
		ann := must(come(adminKey, ""))
		if text := ann.does(*act(protocol.DeedDeop, "den", op.welcome.User.String())); !strings.HasSuffix(text, "; 2 invitations ended") && !strings.HasSuffix(text, "; 1 invitation ended") {
			t.Errorf("%q", text)
		}
		if p, err := come(newKey(t), line); err == nil && in(p) || (err == nil) != passphrase && passphrase {
			t.Errorf("with a passphrase: %v: by a line that outlived its maker's role: %v", passphrase, err)
		}
		ann.does(*act(protocol.DeedPublic, "den", ""))
		_, line = ann.asks(&protocol.Invite{Ref: 4, Room: "den", Uses: 10})
		if text := ann.does(*act(protocol.DeedPrivate, "den", "")); !strings.HasSuffix(text, "; 1 invitation ended") {
			t.Errorf("%q", text)
		}
		if p, err := come(newKey(t), line); err == nil && in(p) {
			t.Error("by a line of when the room was public")
		}
		// A ban ends them wholly.
		ann.does(*act(protocol.DeedOp, "den", op.welcome.User.String()))
		ann.fails(protocol.CodeForbidden, act(protocol.DeedUninvite, "den", op.welcome.User.String())) // deop goes first
		_, line = op.asks(&protocol.Invite{Ref: 4, Room: "den", Uses: 10})
		if text := ann.does(*act(protocol.DeedBan, "", op.welcome.User.String())); !strings.HasSuffix(text, " ended") {
			t.Errorf("%q", text)
		}
		if _, err := come(newKey(t), line); err == nil && passphrase {
			t.Error("by a banned user's line another key enters the server")
		}
		_, line = ann.asks(&protocol.Invite{Ref: 4, Room: "den", Uses: 10})
		name := rules.Invitations("den")[0].Name
		if text := ann.does(*act(protocol.ModRevoke, "", name)); !strings.Contains(text, name+" is revoked, with 10 left") {
			t.Errorf("%q", text)
		}
		if p, err := come(newKey(t), line); err == nil && (passphrase || in(p)) {
			t.Error("by a revoked line")
		}
	}
}

// A mute by an op ends after 30 days, an admin's when it is taken back.
func TestMutesByOpsEnd(t *testing.T) {
	s, addr, ann := governed(t)
	bob, eve := connectTLS(t, addr, newKey(t), "bob"), connectTLS(t, addr, newKey(t), "eve")
	ann.does(*act(protocol.DeedOp, "lobby", "bob"))
	for _, length := range []uint32{0, 365 * 86400} {
		m := act(protocol.DeedMute, "lobby", "eve")
		m.For = length
		if text := bob.does(*m); !strings.HasPrefix(text, "eve is muted for 30 days; ") {
			t.Errorf("%q", text)
		}
	}
	list := s.rules.OfRoom("lobby")
	if i := slices.IndexFunc(list, func(r access.Rule) bool { return r.User == eve.welcome.User }); i < 0 || time.Until(list[i].Until) > 30*24*time.Hour {
		t.Errorf("%+v", list)
	}
	if text := bob.does(protocol.Moderate{Do: protocol.DeedMute, Room: "lobby", Who: "eve", For: 60}); text != "eve is muted for 1 min" {
		t.Errorf("%q", text)
	}
	if text := ann.does(*act(protocol.DeedMute, "lobby", "eve")); text != "eve is muted until that is taken back" {
		t.Errorf("%q", text)
	}
}

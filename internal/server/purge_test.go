package server

import (
	"bytes"
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"lanchat/internal/roomlog"
	"lanchat/protocol"
)

// inSQLite has a server keep its log in a directory.
func inSQLite(t *testing.T, dir string) func(*Config) {
	return func(c *Config) {
		store, err := roomlog.OpenSQLite(dir)
		if err != nil {
			t.Fatal(err)
		}
		c.Log.Close()
		c.Log = roomlog.Local(store)
	}
}

// purges asks for a purge and returns the text of its end.
func (p *peer) purges(who string, seconds uint32) string {
	p.Helper()
	p.does(protocol.Moderate{Do: protocol.ModPurge, Who: who, For: seconds})
	return await(p, func(m *protocol.Moderate) bool {
		return m.Ref == 31 && strings.Contains(m.Text, "deleted") && !strings.Contains(m.Text, "being")
	}).Text
}

// all returns a room's entries as they stand, by seq.
func (s *Server) all(t *testing.T, room string) map[uint64]protocol.Entry {
	t.Helper()
	entries := map[uint64]protocol.Entry{}
	for after, more := uint64(0), true; more; {
		page, rest, err := s.log.Read(t.Context(), roomlog.Range{Room: room, After: after, Oldest: true, Limit: 1000, Bytes: 1 << 20})
		if err != nil {
			t.Fatal(err)
		}
		for _, e := range page {
			entries[e.Seq], after = e, e.Seq
		}
		more = rest
	}
	return entries
}

// reader is what somebody has on the screen: entries as they came, and what was said about
// them since.
type reader map[uint64]protocol.Entry

func (r reader) take(e *protocol.Entry) {
	r[e.Seq] = *e
	if e.Kind != protocol.KindDelete {
		return
	}
	for _, seq := range append([]uint64{e.TargetSeq}, e.Purged...) {
		if t, held := r[seq]; held {
			t.Text, t.Gone, t.Rev, t.Edited, t.Reactions = "", true, e.Seq, false, nil
			r[seq] = t
		}
	}
}

// readTo has a reader take what comes, up to a seq.
func (p *peer) readTo(r reader, head uint64) {
	p.Helper()
	await(p, func(e *protocol.Entry) bool { r.take(e); return e.Seq >= head })
}

// TestPurge: all that somebody posted is deleted, in every room and in direct talks, of
// others nothing; whoever was there, comes back or comes anew has the same, and nothing of
// it is found or in the files.
func TestPurge(t *testing.T) {
	dir := t.TempDir()
	s, addr, ann := governed(t, inSQLite(t, dir))
	key := newKey(t)
	bob := connectTLS(t, addr, newKey(t), "bob")
	mallory := connectTLS(t, addr, key, "mallory")
	direct := protocol.DirectRoom(bob.welcome.User, mallory.welcome.User)
	var said int
	spam := func(room string, n int) {
		for range n {
			said++
			mallory.say(room, fmt.Sprintf("ξspam number %d", said))
		}
	}
	for _, p := range []*peer{bob, mallory} {
		p.join("lobby", 0)
		p.join("hall", 0)
		p.join(direct, 0)
	}
	kept := bob.say("lobby", "kept of bob")
	spam("lobby", 150)
	mallory.send(&protocol.Post{ID: protocol.NewID(), Room: "lobby", Kind: protocol.KindReaction, Text: "BUY", Target: kept.ID})
	mine := mallory.say("lobby", "harmless")
	mallory.send(&protocol.Post{ID: protocol.NewID(), Room: "lobby", Kind: protocol.KindEdit, Text: "ξspam by an edit", Target: mine.ID})
	bob.say("lobby", "kept between")
	mallory.send(&protocol.Topic{Ref: 7, Room: "hall", Topic: "ξspam for a topic"})
	any1[*protocol.Topic](mallory)
	spam("lobby", 150)
	spam("hall", 3)
	spam(direct, 2)
	last := bob.say("lobby", "kept at last").Seq

	screen, away := reader{}, reader{}
	watcher, leaver := connectTLS(t, addr, newKey(t), "watcher"), connectTLS(t, addr, newKey(t), "leaver")
	for p, r := range map[*peer]reader{watcher: screen, leaver: away} {
		p.join("lobby", 0)
		p.readTo(r, last)
	}
	leaver.Close()

	if got := ann.purges("mallory", 0); got != "307 messages of mallory deleted" {
		t.Errorf("the answer is %q", got)
	}
	head := s.all(t, "lobby")
	var top uint64
	for seq := range head {
		top = max(top, seq)
	}
	watcher.readTo(screen, top)
	back := connectTLS(t, addr, newKey(t), "leaver")
	back.join("lobby", last)
	back.readTo(away, top)
	// What the room has in memory is not sent any more either.
	half := reader{}
	halfway := connectTLS(t, addr, newKey(t), "halfway")
	halfway.join("lobby", last-20)
	halfway.readTo(half, top)
	for seq := last - 19; seq <= top; seq++ {
		if got := half[seq]; got.Text != head[seq].Text || got.Gone != head[seq].Gone {
			t.Errorf("who was there halfway has %+v", got)
		}
	}
	fresh := reader{}
	newcomer := connectTLS(t, addr, newKey(t), "newcomer")
	newcomer.join("lobby", 0)
	newcomer.readTo(fresh, top)
	deeds := 0
	for seq := uint64(1); seq <= top; seq++ {
		e := head[seq]
		if e.User == mallory.welcome.User && (e.Kind == protocol.KindText || e.Kind == protocol.KindEdit) && (e.Text != "" || e.Gone != (e.Kind == protocol.KindText)) {
			t.Errorf("of mallory there is %+v", e)
		}
		if e.User == bob.welcome.User && (e.Gone || !strings.HasPrefix(e.Text, "kept") || len(e.Reactions) > 0) {
			t.Errorf("of bob there is %+v", e)
		}
		if e.Kind == protocol.KindDeed {
			deeds++
			if e.Text != "has deleted what mallory posted: 301 messages" {
				t.Errorf("the room is told %q", e.Text)
			}
		}
		for who, r := range map[string]reader{"who watched": screen, "who came back": away, "who came anew": fresh} {
			got := r[seq]
			if got.Kind == protocol.KindReaction || got.Kind == protocol.KindEdit || got.User == bob.welcome.User {
				continue // told as of that moment
			}
			if got.ID != e.ID || got.Text != e.Text || got.Gone != e.Gone || got.Rev != e.Rev || !slices.Equal(got.Purged, e.Purged) {
				t.Errorf("%s has %+v, the log %+v", who, got, e)
			}
		}
	}
	if deeds != 1 || top-last > 80 {
		t.Errorf("%d deeds, %d entries for 301 messages", deeds, top-last)
	}
	for _, e := range s.all(t, "hall") {
		if e.Kind == protocol.KindTopic && strings.Contains(e.Text, "ξ") {
			t.Errorf("the topic is still there: %+v", e)
		}
	}
	if info, _ := s.log.Room("hall"); info.Topic != "" {
		t.Errorf("the topic stands: %q", info.Topic)
	}
	for _, e := range s.all(t, direct) {
		if e.Kind == protocol.KindDeed || e.Text != "" {
			t.Errorf("in the direct talk: %+v", e)
		}
	}
	newcomer.send(&protocol.Search{Ref: 4, Query: "ξspam"})
	if found := any1[*protocol.Found](newcomer); len(found.Entries) > 0 {
		t.Errorf("found: %+v", found.Entries)
	}
	waitFor(t, func() bool {
		for _, name := range []string{"log.db", "log.db-wal"} {
			b, err := os.ReadFile(filepath.Join(dir, name))
			if err != nil {
				t.Fatal(err)
			}
			if bytes.Contains(b, []byte("ξspam")) {
				return false
			}
		}
		return true
	})
	// Once more there is nothing to do, and nothing to tell.
	if got := ann.purges("mallory", 0); got != "0 messages of mallory deleted" {
		t.Errorf("again: %q", got)
	}
	if info, _ := s.log.Room("lobby"); info.Head != top {
		t.Errorf("again, %d entries more", info.Head-top)
	}
}

// TestPurgeRefused: an admin's messages stay, and only admins may purge.
func TestPurgeRefused(t *testing.T) {
	s, addr, ann := governed(t)
	bob := connectTLS(t, addr, newKey(t), "bob")
	bob.join("lobby", 0)
	said := bob.say("lobby", "young")
	if got := ann.purges("bob", 3600); got != "1 message of bob deleted" || !s.all(t, "lobby")[said.Seq].Gone {
		t.Errorf("the answer is %q", got)
	}
	bob.fails(protocol.CodeForbidden, &protocol.Moderate{Ref: 1, Do: protocol.ModPurge, Who: "ann"})
	ann.fails(protocol.CodeNotFound, &protocol.Moderate{Ref: 1, Do: protocol.ModPurge, Who: "nobody"})
	ann.fails(protocol.CodeNotFound, &protocol.Moderate{Ref: 1, Do: protocol.ModPurge, Who: "10.1.2.3"})
	key := newKey(t)
	admins := []protocol.UserID{key.Fingerprint().UserID(), ann.welcome.User}
	s.SetAdmins(admins)
	eve := connectTLS(t, addr, key, "eve")
	ann.fails(protocol.CodeForbidden, &protocol.Moderate{Ref: 1, Do: protocol.ModPurge, Who: "eve"})
	eve.fails(protocol.CodeTooLong, &protocol.Moderate{Ref: 1, Do: protocol.ModPurge, Who: "bob", Text: "all of it"})
}

// TestPurgeOfAnAddress: a guest is another user with each connection; what all of an
// address posted goes together, and what others did who come from it stays. A guest who has
// just gone is found by nick.
func TestPurgeOfAnAddress(t *testing.T) {
	s, addr, ann := governed(t)
	bob := connectTLS(t, addr, newKey(t), "bob")
	bob.join("lobby", 0)
	bob.say("lobby", "of somebody known")
	// Not by the network: where the people of the test come from, the admin does too.
	flood := func(from, nick, text string) {
		connectTLS(t, addr, nil, "silent").Close() // without a post it takes no place
		g := connectTLS(t, addr, nil, nick)
		g.join("lobby", 0)
		g.say("lobby", text)
		s.arrivals.mu.Lock()
		s.arrivals.list[len(s.arrivals.list)-1].addr = netip.MustParseAddr(from)
		s.arrivals.mu.Unlock()
		g.Close()
	}
	for i := range 5 {
		flood("10.0.0.7", fmt.Sprint("flood", i), "spam")
	}
	flood("10.0.0.8", "gone", "spam")
	flood("10.0.0.9", "other", "kept")
	waitFor(t, func() bool { return len(s.allSessions()) == 2 })
	if got := ann.purges("10.0.0.7", 0); got != "5 messages of guests and new users from 10.0.0.7 deleted" {
		t.Errorf("the answer is %q", got)
	}
	if got := ann.purges("~gone", 0); got != "1 message of ~gone deleted" {
		t.Errorf("the answer is %q", got)
	}
	for _, e := range s.all(t, "lobby") {
		switch {
		case e.Text == "spam" || e.Gone && !e.Guest, strings.Contains(e.Text, "10.0"):
			t.Errorf("there is %+v", e)
		}
	}
	for i := range 3 * arrivalsKept {
		p := &person{user: protocol.UserID{byte(i), byte(i >> 8), byte(i >> 16)}}
		p.nick.Store(new(string))
		s.arrivals.note(&session{person: p})
	}
	if n := len(s.arrivals.recent(time.Now())); n > arrivalsKept {
		t.Errorf("%d arrivals are remembered", n)
	}
	if n := len(s.arrivals.recent(time.Now().Add(arrivalsFor))); n > 0 {
		t.Errorf("%d arrivals of an hour ago count", n)
	}
}

// TestBanOffersPurge: the answer to a ban says how to delete what was posted, to a client
// that can ask for it.
func TestBanOffersPurge(t *testing.T) {
	s, addr, ann := governed(t)
	key := newKey(t)
	s.SetAdmins([]protocol.UserID{key.Fingerprint().UserID(), ann.welcome.User})
	admin := connectTLSAs(t, addr, key, &protocol.Hello{Nick: "eve", Wants: protocol.Extensions()})
	var bob protocol.UserID
	for i, nick := range []string{"bob", "cem", "dan"} {
		p := connectTLS(t, addr, newKey(t), nick)
		p.join("lobby", 0)
		for range 2 - i {
			p.say("lobby", "spam")
		}
		if nick == "bob" {
			bob = p.welcome.User
		}
		waitFor(t, func() bool { return nick == "dan" || s.nickTaken(nick) })
	}
	for who, want := range map[string]string{
		"bob": "bob is banned until that is taken back, and the nick is free: bob; /purge " + bob.String() + " 1h deletes what they posted in the last hour: 2 messages",
		"dan": "dan is banned until that is taken back",
	} {
		if got := admin.does(protocol.Moderate{Do: protocol.DeedBan, Who: who}); got != want {
			t.Errorf("the answer is %q", got)
		}
	}
	if got := ann.does(protocol.Moderate{Do: protocol.DeedBan, Who: "cem"}); got != "cem is banned until that is taken back, and the nick is free: cem" {
		t.Errorf("an older client is answered %q", got)
	}
}

package server

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"lanchat/internal/access"
	"lanchat/internal/roomlog"
	"lanchat/protocol"
)

// eachLog runs a test on a governed server with each store.
func eachLog(t *testing.T, limits Limits, test func(t *testing.T, s *Server, addr string, admin *peer)) {
	for name, open := range map[string]func() (roomlog.Store, error){
		"memory": func() (roomlog.Store, error) { return roomlog.NewMemory(), nil },
		"sqlite": func() (roomlog.Store, error) { return roomlog.OpenSQLite(t.TempDir()) },
	} {
		t.Run(name, func(t *testing.T) {
			store, err := open()
			if err != nil {
				t.Fatal(err)
			}
			limits.PostRate, limits.PostBurst, limits.PageRate, limits.PageBurst = 10_000, 10_000, 10_000, 10_000
			s, addr, admin := governed(t, func(c *Config) {
				c.Log.Close()
				c.Log, c.Limits = roomlog.Local(store), limits
			})
			test(t, s, addr, admin)
		})
	}
}

func (p *peer) leave(room string) {
	p.Helper()
	p.send(&protocol.Leave{Ref: 8, Room: room})
	await(p, func(l *protocol.Left) bool { return l.Ref == 8 })
}

func (p *peer) about(kind protocol.Kind, target *protocol.Ack, text string) *protocol.Ack {
	p.Helper()
	id := protocol.NewID()
	p.send(&protocol.Post{ID: id, Room: target.Room, Kind: kind, Target: target.ID, Text: text})
	return await(p, func(a *protocol.Ack) bool { return a.ID == id })
}

func (p *peer) setsTopic(room, topic string) {
	p.Helper()
	p.send(&protocol.Topic{Ref: 9, Room: room, Topic: topic})
	await(p, func(m *protocol.Topic) bool { return m.Ref == 9 })
}

// Rooms in which nothing is said go when the names run out, the idle ones first, and no
// others.
func TestUnusedRoomsAreRemoved(t *testing.T) {
	eachLog(t, Limits{AllRooms: 14}, func(t *testing.T, s *Server, addr string, admin *peer) {
		bob := connectTLS(t, addr, newKey(t), "bob")
		for _, room := range []string{"said", "deleted", "topic", "was-topic", "followed", "later"} {
			bob.join(room, 0)
		}
		bob.say("said", "hello")
		bob.about(protocol.KindDelete, bob.say("deleted", "hello"), "")
		bob.setsTopic("topic", "fish")
		bob.setsTopic("was-topic", "fish")
		bob.setsTopic("was-topic", "")
		bob.setsTopic("followed", "")
		for _, room := range []string{"hidden", "invited"} {
			bob.does(protocol.Moderate{Do: protocol.DeedPrivate, Room: room})
		}
		bob.join("invited", 0) // what was told is committed
		bob.send(&protocol.Invite{Ref: 4, Room: "invited", TTL: 30 * 24 * 3600})
		any1[*protocol.Invite](bob)
		for _, room := range []string{"said", "deleted", "topic", "was-topic", "later", "invited"} {
			bob.leave(room)
		}
		// Only a rule, as a crash may leave it.
		if err := s.rules.SetPrivate("rule", true); err != nil {
			t.Fatal(err)
		}
		s.settle("rule", roomlog.Maker{})
		waitFor(t, func() bool { rooms, _ := s.log.RoomCount(); return rooms == 7 && s.opened("later") == nil })
		now := time.Now()
		if n := s.removeUnused(t.Context(), now.Add(8*24*time.Hour)); n != 0 {
			t.Errorf("%d rooms are removed with place for more", n)
		}
		for i := range 3 {
			bob.join(fmt.Sprint("fill-", i), 0)
			bob.say(fmt.Sprint("fill-", i), "x")
		}
		if n := s.removeUnused(t.Context(), now.Add(7*24*time.Hour-time.Minute)); n != 0 {
			t.Errorf("%d rooms are removed too early", n)
		}
		for i := 3; ; i++ { // until nothing is to be removed any more
			bob.join(fmt.Sprint("fill-", i), 0)
			bob.say(fmt.Sprint("fill-", i), "x")
			if s.removeUnused(t.Context(), now.Add(8*24*time.Hour)) == 0 {
				break
			}
		}
		for room, want := range map[string]bool{"said": true, "deleted": false, "topic": true, "was-topic": false, "followed": true,
			"later": false, "hidden": false, "invited": true, "rule": false} {
			if s.exists(room) != want {
				t.Errorf("%s is there: %v", room, !want)
			}
		}
		carol := connectTLS(t, addr, newKey(t), "carol")
		if !s.rules.Sees(access.Who{User: carol.welcome.User}, "hidden") || s.rules.Role(access.Who{User: bob.welcome.User}, "hidden") != protocol.RoleNone {
			t.Error("a removed room's rules hold")
		}
	})
}

// A room that is made again goes on with its next number: a client that was there misses
// nothing and is told nothing twice, and a post that is sent again has its old answer.
func TestARoomMadeAgainGoesOn(t *testing.T) {
	eachLog(t, Limits{AllRooms: 2}, func(t *testing.T, s *Server, addr string, admin *peer) {
		bob, carol := connectTLS(t, addr, newKey(t), "bob"), connectTLS(t, addr, newKey(t), "carol")
		bob.join("den", 0)
		first := bob.say("den", "one")
		bob.about(protocol.KindReaction, first, "+1")
		bob.about(protocol.KindReaction, first, "+2")
		bob.about(protocol.KindReaction, first, "+2")
		bob.about(protocol.KindDelete, first, "")
		if head := carol.join("den", 0).Head; head != 5 {
			t.Fatalf("head %d", head)
		}
		carol.leave("den")
		bob.leave("den")
		admin.say("lobby", "x")
		waitFor(t, func() bool { return s.opened("den") == nil })
		if n := s.removeUnused(t.Context(), time.Now().Add(8*24*time.Hour)); n != 1 {
			t.Fatalf("%d rooms are removed", n)
		}
		carol.fails(protocol.CodeNotFound, &protocol.History{Ref: 1, Room: "den"})
		if j := bob.join("den", 0); j.Head != 5 {
			t.Errorf("made again: %+v", j)
		}
		var seqs []uint64
		for i := range 10 {
			seqs = append(seqs, bob.say("den", fmt.Sprint(i)).Seq)
		}
		if seqs[0] != 6 || seqs[9] != 15 {
			t.Errorf("numbers %v", seqs)
		}
		j := carol.join("den", 5)
		if j.Reset || j.Head != 15 {
			t.Errorf("joined with a cursor: %+v", j)
		}
		for i := range 10 {
			if e := any1[*protocol.Entry](carol); e.Text != fmt.Sprint(i) || e.Seq != uint64(6+i) {
				t.Errorf("entry %d: %+v", i, e)
			}
		}
	})
}

// What was said before is known in a room that was removed.
func TestAPostOfARemovedRoomIsKnown(t *testing.T) {
	eachLog(t, Limits{}, func(t *testing.T, s *Server, addr string, admin *peer) {
		bob := connectTLS(t, addr, newKey(t), "bob")
		bob.join("den", 0)
		said := bob.say("den", "hello")
		bob.say("den", "more")
		admin.does(protocol.Moderate{Do: protocol.ModDeleteRoom, Room: "den"})
		bob.join("den", 0)
		bob.send(&protocol.Post{ID: said.ID, Room: "den", Text: "hello"})
		if a := any1[*protocol.Ack](bob); a.Seq != said.Seq || a.At != said.At {
			t.Errorf("%+v, want %+v", a, said)
		}
		if info, kept := s.log.Room("den"); kept || info.Head != 2 {
			t.Errorf("it has made an entry: %+v", info)
		}
	})
}

// An admin deletes any room but the first, and its maker one in which nobody else has
// spoken.
func TestDeleteRoom(t *testing.T) {
	eachLog(t, Limits{}, func(t *testing.T, s *Server, addr string, admin *peer) {
		bob, carol := connectTLS(t, addr, newKey(t), "bob"), connectTLS(t, addr, newKey(t), "carol")
		bob.does(protocol.Moderate{Do: protocol.DeedPrivate, Room: "den"})
		if err := s.rules.Admit("den", carol.welcome.User, true); err != nil {
			t.Fatal(err)
		}
		bob.join("den", 0)
		carol.join("den", 0)
		bob.say("den", "secret words")
		carol.say("den", "more of them")
		bob.fails(protocol.CodeForbidden, &protocol.Moderate{Ref: 1, Do: protocol.ModDeleteRoom, Room: "den"})
		carol.fails(protocol.CodeForbidden, &protocol.Moderate{Ref: 1, Do: protocol.ModDeleteRoom, Room: "den"})
		for _, room := range []string{"lobby", "nowhere", protocol.DirectRoom(bob.welcome.User, carol.welcome.User)} {
			code := protocol.CodeNotFound
			if room == "lobby" {
				code = protocol.CodeForbidden
			}
			admin.fails(code, &protocol.Moderate{Ref: 1, Do: protocol.ModDeleteRoom, Room: room})
		}
		// Posts that are under way go with the room.
		const flood = 300
		go func() {
			for range flood {
				if carol.Write(&protocol.Post{ID: protocol.NewID(), Room: "den", Text: "secret flood"}) != nil {
					return
				}
			}
		}()
		await(bob, func(e *protocol.Entry) bool { return e.Text == "secret flood" })
		if answer := admin.does(protocol.Moderate{Do: protocol.ModDeleteRoom, Room: "den", Text: "not here"}); !strings.HasPrefix(answer, "#den is deleted, and the ") {
			t.Errorf("the answer: %q", answer)
		}
		for _, p := range []*peer{bob, carol} {
			if l := await(p, func(l *protocol.Left) bool { return l.Room == "den" }); l.Text != "ann has deleted this room: not here" {
				t.Errorf("%+v", l)
			}
		}
		carol.send(&protocol.Ping{N: 6}) // all that it sent was handled
		await(carol, func(p *protocol.Pong) bool { return p.N == 6 })
		if info, kept := s.log.Room("den"); kept || info.Head < 4 || s.opened("den") != nil {
			t.Errorf("the room is there: %+v", info)
		}
		if private, _, _ := s.rules.Room("den"); private || s.rules.Role(access.Who{User: bob.welcome.User}, "den") != protocol.RoleNone {
			t.Error("its rules are there")
		}
		dave := connectTLS(t, addr, newKey(t), "dave")
		j := dave.join("den", 0)
		dave.say("den", "hello")
		dave.send(&protocol.History{Ref: 1, Room: "den"})
		if page := any1[*protocol.Page](dave); len(page.Entries) != 1 || page.Entries[0].Seq != j.Head+1 {
			t.Errorf("after it was made again: %+v", page)
		}
		// Its maker now deletes it.
		if answer := dave.does(protocol.Moderate{Do: protocol.ModDeleteRoom, Room: "den"}); answer != "#den is deleted, and the 1 messages and notes in it" {
			t.Errorf("the answer: %q", answer)
		}
		if s.exists("den") {
			t.Error("it is there")
		}
	})
}

// Somebody owns so many rooms and no more, whether they have entries or not; direct talks
// are counted apart.
func TestOwnRooms(t *testing.T) {
	eachLog(t, Limits{OwnRooms: 3, OwnDirects: 2, AllRooms: 8, AllDirects: 5}, func(t *testing.T, s *Server, addr string, admin *peer) {
		bob, carol := connectTLS(t, addr, newKey(t), "bob"), connectTLS(t, addr, newKey(t), "carol")
		for _, room := range []string{"a", "b", "c"} {
			bob.join(room, 0)
		}
		bob.setsTopic("a", "fish")
		bob.say("b", "x")
		bob.send(&protocol.Join{Ref: 1, Room: "d"})
		if e := any1[*protocol.Error](bob); e.Code != protocol.CodeLimit || !strings.Contains(e.Text, "/delete-room") || !strings.HasSuffix(e.Text, ": perhaps #a, #b") {
			t.Errorf("%v", e)
		}
		bob.fails(protocol.CodeLimit, &protocol.Moderate{Ref: 1, Do: protocol.DeedPrivate, Room: "d"})
		bob.leave("c")
		bob.join("d", 0) // in place of c
		bob.leave("d")
		carol.join("c", 0) // the first who writes makes it
		bob.join("c", 0)
		bob.say("c", "x")
		carol.join("e", 0)
		bob.join("e", 0)
		bob.fails(protocol.CodeLimit, &protocol.Post{ID: protocol.NewID(), Room: "e", Text: "x"})
		bob.fails(protocol.CodeLimit, &protocol.Topic{Ref: 1, Room: "e", Topic: "x"})
		bob.does(protocol.Moderate{Do: protocol.ModDeleteRoom, Room: "a"})
		bob.say("e", "x")

		for i := range 2 {
			room := protocol.DirectRoom(bob.welcome.User, protocol.UserID{byte(i + 1)})
			bob.join(room, 0)
			bob.say(room, "psst")
		}
		third := protocol.DirectRoom(bob.welcome.User, protocol.UserID{9})
		bob.fails(protocol.CodeLimit, &protocol.Join{Ref: 1, Room: third})
		for i := range 2 {
			carol.join(protocol.DirectRoom(carol.welcome.User, protocol.UserID{byte(i + 1)}), 0)
		}
		dave := connectTLS(t, addr, newKey(t), "dave")
		dave.join(protocol.DirectRoom(dave.welcome.User, protocol.UserID{1}), 0)
		dave.fails(protocol.CodeLimit, &protocol.Join{Ref: 1, Room: protocol.DirectRoom(dave.welcome.User, protocol.UserID{2})})
		dave.join("f", 0)
		bare := func() roomlog.Made {
			s.roomsMu.RLock()
			defer s.roomsMu.RUnlock()
			return s.bare.count
		}
		if rooms, directs := s.log.RoomCount(); rooms != 3 || directs != 2 || bare() != (roomlog.Made{Rooms: 2, Directs: 3}) {
			t.Errorf("%d rooms, %d direct talks, bare %+v", rooms, directs, bare())
		}
		for _, p := range []*peer{bob, carol, dave, admin} {
			p.Close()
		}
		waitFor(t, func() bool { return sessions(s) == 0 })
		waitFor(t, func() bool { return bare() == roomlog.Made{} })
	})
}

// One address takes no more than its share of the names, at the default limits, however
// many keys it has: before that was counted, 400 at once and 120 an hour, for good.
func TestAnAddressHasAShareOfTheRooms(t *testing.T) {
	_, addr := startTLS(t)
	made := 0
	for k := range 5 {
		p := connectFrom(t, "127.0.0.7", addr, fmt.Sprint("k", k))
		for i := range 100 {
			p.send(&protocol.Join{Ref: 7, Room: fmt.Sprintf("r-%d-%d", k, i)})
		}
		for range 100 {
			for answered := false; !answered; {
				switch any1[protocol.Message](p).(type) {
				case *protocol.Joined:
					made, answered = made+1, true
				case *protocol.Error:
					answered = true
				}
			}
		}
	}
	if want := DefaultLimits.OwnRooms * DefaultLimits.AddressShare; made != want {
		t.Errorf("%d rooms from one address, want %d", made, want)
	}
}

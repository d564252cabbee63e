package server

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"lanchat/internal/access"
	"lanchat/internal/roomlog"
	"lanchat/protocol"
)

// openTalks puts so many direct talks with a user into a store, each opened by another one,
// the newest last.
func openTalks(t testing.TB, store roomlog.Store, with protocol.UserID, count int) (rooms []string) {
	t.Helper()
	var batch []roomlog.Record
	for i := range count {
		by := protocol.UserID{1, byte(i >> 8), byte(i)}
		room := protocol.DirectRoom(by, with)
		batch = append(batch, roomlog.Record{Entry: protocol.Entry{ID: protocol.NewID(), Room: room, User: by, Nick: fmt.Sprint("spam", i), Text: "buy this"}})
		rooms = append(rooms, room)
	}
	if err := store.Append(batch); err != nil {
		t.Fatal(err)
	}
	return rooms
}

// notices reads up to a pong, and returns the direct talks that are told of.
func notices(p *peer) (rooms []string) {
	p.send(&protocol.Ping{N: 78})
	for {
		m, err := p.Read()
		if err != nil {
			p.Fatal(err)
		}
		switch m := m.(type) {
		case *protocol.Pong:
			if m.N == 78 {
				return rooms
			}
		case *protocol.Joined:
			if m.Ref == 0 {
				rooms = append(rooms, m.Room)
			}
		}
	}
}

// TestDirectTalksAtConnect wants the newest twenty with something unread to be told of,
// all of them in the list, and none of them to count among the user's rooms.
func TestDirectTalksAtConnect(t *testing.T) {
	key := newKey(t)
	user := key.Fingerprint().UserID()
	store := roomlog.NewMemory()
	rooms := openTalks(t, store, user, 610)
	s, addr := startTLS(t, func(c *Config) {
		c.Log.Close()
		c.Log, c.Limits.OwnRooms = roomlog.Local(store), DefaultLimits.Rooms
	})
	read := rooms[605]
	if _, err := store.SetMarker(user, read, 1); err != nil {
		t.Fatal(err)
	}
	other, _ := otherUser(rooms[600], user)
	if _, err := store.BindNick("carol", other, time.Now()); err != nil {
		t.Fatal(err)
	}
	bob := connectTLS(t, addr, key, "bob")
	want := slices.DeleteFunc(slices.Clone(rooms[589:]), func(r string) bool { return r == read })
	slices.Reverse(want)
	if got := notices(bob); !slices.Equal(got, want) {
		t.Errorf("told of %d talks at connect: %q", len(got), got)
	}
	var listed []string
	for after, more := "", true; more; {
		bob.send(&protocol.Rooms{Ref: 3, Direct: true, After: after})
		page := any1[*protocol.Rooms](bob)
		for _, r := range page.Rooms {
			listed = append(listed, r.Room)
			if r.Head != 1 || (r.Read == 1) != (r.Room == read) || (r.Nick == "carol") != (r.Room == rooms[600]) {
				t.Errorf("%+v", r)
			}
			after = r.Room
		}
		if more = page.More; !page.Direct || len(page.Rooms) == 0 {
			t.Fatalf("%+v", page)
		}
	}
	newest := slices.Clone(rooms)
	slices.Reverse(newest)
	if !slices.Equal(listed, newest) {
		t.Errorf("%d talks are listed", len(listed))
	}

	// As many as a session may be in; then the quietest makes room.
	for _, room := range rooms[:s.limits.Directs] {
		bob.join(room, 0)
	}
	for i := range s.limits.Rooms {
		bob.join(fmt.Sprint("room-", i), 0)
	}
	bob.fails(protocol.CodeLimit, &protocol.Join{Ref: 1, Room: "one-more"})
	bob.send(&protocol.Join{Ref: 7, Room: rooms[609]})
	if left := any1[*protocol.Left](bob); left.Ref != 0 || left.Room != rooms[0] || left.Text == "" {
		t.Errorf("%+v", left)
	}
	await(bob, func(j *protocol.Joined) bool { return j.Ref == 7 })
	if n := s.Stats().Limits["directs"]; n != 1 {
		t.Errorf("the limit was reached %d times", n)
	}
	openMore(t, s, rooms[0])
	if j := await(bob, func(j *protocol.Joined) bool { return j.Ref == 0 }); j.Room != rooms[0] {
		t.Errorf("%+v", j)
	}
}

// openMore has the other user of a direct talk say something more.
func openMore(t testing.TB, s *Server, room string) {
	t.Helper()
	a, _, _ := protocol.ParseDirectRoom(room)
	done := make(chan error, 1)
	p := s.log.Poster(func(_ *protocol.Entry, err error) { done <- err })
	if err := p.Submit(protocol.Entry{ID: protocol.NewID(), Room: room, User: a, Nick: "spam", Text: "more"}); err != nil {
		t.Fatal(err)
	}
	if err := <-done; err != nil {
		t.Fatal(err)
	}
}

// setKnown has somebody who is connected count as known, or as fresh.
func setKnown(s *Server, p *peer, known bool) {
	s.people.mu.Lock()
	defer s.people.mu.Unlock()
	s.people.byUser[p.welcome.User].known.Store(known)
}

// TestOpeningDirects wants the direct talks that others open with one user to be bounded
// at the recipient, for the known and for the fresh.
func TestOpeningDirects(t *testing.T) {
	key := newKey(t)
	bob := key.Fingerprint().UserID()
	s, addr := startTLS(t, func(c *Config) {
		c.Limits.FreshDirectsBurst, c.Limits.KnownDirectsBurst = 2, 3
	})
	device := connectTLS(t, addr, key, "bob")
	opens := func(fresh bool) (*peer, string, protocol.Code) {
		p := connectTLS(t, addr, newKey(t), "eve")
		setKnown(s, p, !fresh)
		room := protocol.DirectRoom(bob, p.welcome.User)
		p.join(room, 0)
		if got := notices(device); len(got) > 0 {
			t.Errorf("a join alone is told of: %q", got)
		}
		// Sent at once: the first opens the talk.
		first, second := protocol.NewID(), protocol.NewID()
		p.send(&protocol.Post{ID: first, Room: room, Text: "hello"}, &protocol.Post{ID: second, Room: room, Text: "you"})
		for {
			m, err := p.Read()
			if err != nil {
				t.Fatal(err)
			}
			switch m := m.(type) {
			case *protocol.Ack:
				if m.ID == second {
					if got := notices(device); !slices.Equal(got, []string{room}) {
						t.Errorf("told of %q", got)
					}
					return p, room, ""
				}
			case *protocol.Error:
				if m.ID == first {
					return p, room, m.Code
				}
			}
		}
	}
	for i, want := range []protocol.Code{"", "", protocol.CodeLimit} {
		if _, _, code := opens(true); code != want {
			t.Errorf("talk %d of a fresh one: %q", i, code)
		}
	}
	var open *peer
	var room string
	for i, want := range []protocol.Code{"", "", "", protocol.CodeLimit} {
		p, r, code := opens(false)
		if code != want {
			t.Errorf("talk %d of a known one: %q", i, code)
		}
		if code == "" {
			open, room = p, r
		}
	}
	open.say(room, "goes on")
	device.join(room, 0)
	device.say(room, "and is answered")
	st := s.Stats().Limits
	if st["known_directs"] < 1 || st["fresh_directs"] < 1 || len(s.log.Directs(bob)) != 5 {
		t.Errorf("limits %v, %d talks", st, len(s.log.Directs(bob)))
	}
	// What bob opens is bounded elsewhere.
	other := connectTLS(t, addr, newKey(t), "ann")
	mine := protocol.DirectRoom(bob, other.welcome.User)
	device.join(mine, 0)
	device.say(mine, "hello")
}

// TestRefusingDirects wants refusals to hold for those whom they are about, and to
// outlive the server.
func TestRefusingDirects(t *testing.T) {
	dir := t.TempDir()
	store, err := roomlog.OpenSQLite(dir)
	if err != nil {
		t.Fatal(err)
	}
	rules, err := access.Open(store, nil)
	if err != nil {
		t.Fatal(err)
	}
	key, annKey := newKey(t), newKey(t)
	s, addr := startTLS(t, func(c *Config) {
		c.Log.Close()
		c.Log, c.Rules = roomlog.Local(store), rules
	})
	bob := connectTLS(t, addr, key, "bob")
	ann, eve, new1, new2 := connectTLS(t, addr, annKey, "ann"), connectTLS(t, addr, newKey(t), "eve"), connectTLS(t, addr, newKey(t), "new1"), connectTLS(t, addr, newKey(t), "new2")
	setKnown(s, new1, false)
	setKnown(s, new2, false)
	talk := func(p *peer) string { return protocol.DirectRoom(bob.welcome.User, p.welcome.User) }
	for _, p := range []*peer{ann, eve, new1, new2} {
		p.join(talk(p), 0)
		bob.join(talk(p), 0)
	}
	new1.say(talk(new1), "hello")
	bob.say(talk(new1), "who is there?")
	holds := func(refuse *protocol.Refuse, want *protocol.Refuse, refused ...*peer) {
		t.Helper()
		bob.send(refuse)
		got := any1[*protocol.Refuse](bob)
		if got.What != want.What || !slices.Equal(got.Users, want.Users) || got.Ref != refuse.Ref {
			t.Errorf("%+v: %+v, want %+v", refuse, got, want)
		}
		setKnown(s, new1, false) // who has posted counts as known
		setKnown(s, new2, false)
		for _, p := range []*peer{ann, eve, new1, new2} {
			post := &protocol.Post{ID: protocol.NewID(), Room: talk(p), Text: "again"}
			if slices.Contains(refused, p) {
				p.fails(protocol.CodeForbidden, post)
				p.fails(protocol.CodeForbidden, &protocol.Topic{Ref: 4, Room: talk(p), Topic: "again"})
				continue
			}
			p.send(post)
			await(p, func(a *protocol.Ack) bool { return a.ID == post.ID })
		}
	}
	users := []protocol.UserID{eve.welcome.User}
	holds(&protocol.Refuse{Ref: 1}, &protocol.Refuse{})
	bob.say(talk(new2), "and you?")
	holds(&protocol.Refuse{Ref: 2, What: protocol.RefuseFresh}, &protocol.Refuse{What: protocol.RefuseFresh})
	late := connectTLS(t, addr, newKey(t), "late")
	setKnown(s, late, false)
	late.join(talk(late), 0)
	late.fails(protocol.CodeForbidden, &protocol.Post{ID: protocol.NewID(), Room: talk(late), Text: "hello"})
	holds(&protocol.Refuse{Ref: 3, Who: "EVE"}, &protocol.Refuse{What: protocol.RefuseFresh, Users: users}, eve)
	holds(&protocol.Refuse{Ref: 4, What: protocol.RefuseAll}, &protocol.Refuse{What: protocol.RefuseAll, Users: users}, ann, eve, new1, new2)
	holds(&protocol.Refuse{Ref: 5, What: protocol.RefuseAll, Off: true}, &protocol.Refuse{Users: users}, eve)
	bob.fails(protocol.CodeForbidden, &protocol.Refuse{Ref: 6, Who: "bob"})
	bob.fails(protocol.CodeNotFound, &protocol.Refuse{Ref: 6, Who: "nobody"})
	bob.fails(protocol.CodeUnsupported, &protocol.Refuse{Ref: 6, What: "some"})
	eve.send(&protocol.History{Ref: 7, Room: talk(eve)})
	if page := any1[*protocol.Page](eve); len(page.Entries) == 0 {
		t.Error("who is refused cannot read what was said")
	}

	again, err := access.Open(store, nil)
	if err != nil {
		t.Fatal(err)
	}
	if refused, _ := again.Refuses(bob.welcome.User, eve.welcome.User); !refused {
		t.Error("a refusal does not outlive the server")
	}
	holds(&protocol.Refuse{Ref: 8, Who: eve.welcome.User.String(), Off: true}, &protocol.Refuse{})
	if facts, err := store.Facts("refuse"); err != nil || len(facts) > 0 {
		t.Errorf("%+v, %v", facts, err)
	}
}

// TestLeavingDirects wants a direct talk that was left to stay so until something is
// said there, also across connections.
func TestLeavingDirects(t *testing.T) {
	_, addr := startTLS(t)
	key := newKey(t)
	ann, bob := connectTLS(t, addr, newKey(t), "ann"), connectTLS(t, addr, key, "bob")
	room := protocol.DirectRoom(ann.welcome.User, bob.welcome.User)
	ann.join(room, 0)
	ann.say(room, "hello")
	bob.join(room, 0)
	bob.send(&protocol.Leave{Ref: 2, Room: room})
	any1[*protocol.Left](bob)
	if got := notices(bob); len(got) > 0 {
		t.Errorf("told of %q", got)
	}
	bob.Close()
	bob = connectTLS(t, addr, key, "bob")
	if got := notices(bob); len(got) > 0 {
		t.Errorf("told of %q after leaving it", got)
	}
	ann.say(room, "are you there?")
	if j := any1[*protocol.Joined](bob); j.Room != room || j.Head != 2 || j.Read != 1 {
		t.Errorf("%+v", j)
	}
	bob.Close()
	if got := notices(connectTLS(t, addr, key, "bob")); !slices.Equal(got, []string{room}) {
		t.Errorf("told of %q", got)
	}
}

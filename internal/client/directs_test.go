package client

import (
	"context"
	"fmt"
	"net"
	"slices"
	"strings"
	"testing"
	"time"

	"lanchat/internal/identity"
	"lanchat/internal/roomlog"
	"lanchat/internal/server"
	"lanchat/protocol"
)

// TestManyDirects has so many direct talks opened with a user, and wants what the user
// types after connecting to be taken at once, and rooms to be joined.
func TestManyDirects(t *testing.T) {
	for _, count := range []int{110, 340, 610} {
		t.Run(fmt.Sprint(count), func(t *testing.T) { manyDirects(t, count) })
	}
}

func manyDirects(t *testing.T, count int) {
	keys := []*identity.Identity{}
	for _, name := range []string{"server", "bob"} {
		id, err := identity.LoadOrCreate(t.TempDir(), name)
		if err != nil {
			t.Fatal(err)
		}
		keys = append(keys, id)
	}
	store := roomlog.NewMemory()
	for i := range count {
		by := protocol.UserID{1, byte(i >> 8), byte(i)}
		if err := store.Append([]roomlog.Record{{Entry: protocol.Entry{ID: protocol.NewID(), Room: protocol.DirectRoom(by, keys[1].Fingerprint().UserID()),
			User: by, Nick: fmt.Sprint("spam", i), Text: "buy this"}}}); err != nil {
			t.Fatal(err)
		}
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	log := roomlog.Local(store)
	s := server.New(server.Config{Name: "Hack Night", Log: log, TLS: keys[0].ServerTLS()})
	served := make(chan error, 1)
	go func() { served <- s.Serve(context.Background(), l) }()
	t.Cleanup(func() {
		s.Close()
		<-served
		log.Close()
	})
	dial := &Dialer{Identity: keys[1], Pins: newPins(t), Pin: "room", Find: finds(Candidate{Addr: l.Addr().String()})}
	r := &room{TB: t}
	bob := r.join("bob", func(c *Config) { c.Dial = dial.Dial })
	began := time.Now()
	bob.joined("lobby")
	bob.post("lobby", "does this arrive?")
	took := time.Since(began)
	t.Logf("%d direct talks: acknowledged %v after the start", count, took)
	if took > 10*time.Second || bob.downs > 0 {
		t.Errorf("it took %v, and the connection was lost %d times", took, bob.downs)
	}
	if err := bob.Join("kitchen"); err != nil {
		t.Fatal(err)
	}
	bob.joined("kitchen")
	bob.until("the newest direct talks", func() bool { return len(bob.state.Rooms) == 2+20 })
}

// post posts, and waits until it is acknowledged.
func (u *user) post(room, text string) {
	u.Helper()
	ev, err := u.Post(protocol.Post{Room: room, Text: text})
	if err != nil {
		u.Fatal(err)
	}
	u.state.Apply(ev)
	u.until("an ack", func() bool { return u.Waiting() == 0 })
}

// TestInvitedJoinsComeLast has a server tell of hundreds of direct talks, as older ones
// do, and wants what the user does to go before the joins of them.
func TestInvitedJoinsComeLast(t *testing.T) {
	c := New(Config{Rooms: []string{"lobby"}})
	c.up, c.window = true, window
	l := &session{c: c}
	names := func() (got []string) {
		for _, m := range l.next() {
			name := protocol.Name(m)
			if j, joins := m.(*protocol.Join); joins {
				name += " " + j.Room
			}
			got = append(got, name)
		}
		return got
	}
	want := func(want ...string) {
		t.Helper()
		if got := names(); !slices.Equal(got, want) {
			t.Fatalf("sent %q, want %q", got, want)
		}
	}
	var talks []string
	for i := range 300 {
		talks = append(talks, protocol.DirectRoom(protocol.UserID{1}, protocol.UserID{2, byte(i >> 8), byte(i)}))
		l.joined(&protocol.Joined{Room: talks[i]})
	}
	answer := func(room string) {
		t.Helper()
		for ref, joining := range c.joins {
			if joining == room {
				l.joined(&protocol.Joined{Ref: ref, Room: room})
				return
			}
		}
		t.Fatalf("no join of %s is under way", room)
	}
	post := func(room string) {
		t.Helper()
		if _, err := c.Post(protocol.Post{Room: room, Text: "x"}); err != nil {
			t.Fatal(err)
		}
	}
	post("lobby")
	want("join lobby", "post", "join "+talks[0], "join "+talks[1])
	post(talks[250])
	want("join "+talks[250], "post")
	if err := c.Join(talks[200]); err != nil {
		t.Fatal(err)
	}
	if _, err := c.Request(&protocol.History{Room: "lobby"}); err != nil {
		t.Fatal(err)
	}
	want("join "+talks[200], "history")
	answer(talks[0])
	want() // talks[1] and [250] are still under way
	answer(talks[1])
	want("join " + talks[2])
	for ref, room := range c.joins { // refused
		if room == talks[2] {
			l.joinFailed(ref)
		}
	}
	want("join " + talks[3])
	answer(talks[250])
	want("join " + talks[4])
	if c.wished(talks[2]) != nil {
		t.Error("a talk that is refused is wanted still")
	}
}

func TestDirectCommands(t *testing.T) {
	b := talkative(t)
	b.Offers = []string{protocol.ExtDirects}
	d := &desk{}
	zoe := protocol.UserID{9}
	talk := protocol.DirectRoom(b.Me.User, zoe)
	b.receive(&protocol.Rooms{Direct: true, Rooms: []protocol.RoomInfo{{Room: talk, Head: 5, Read: 3, Nick: "zoe"}, {Room: protocol.DirectRoom(b.Me.User, eve.User), Head: 1, Read: 1}}})
	for _, tt := range []struct {
		line string
		want protocol.Message
	}{
		{"/dm off", &protocol.Refuse{What: protocol.RefuseAll}},
		{"/dm Known", &protocol.Refuse{What: protocol.RefuseFresh}},
		{"/dm on", &protocol.Refuse{What: protocol.RefuseAll, Off: true}},
		{"/dm", &protocol.Refuse{}},
		{"/block", &protocol.Refuse{}},
		{"/block bob", &protocol.Refuse{Who: bob.User.String()}},
		{"/block @eve", &protocol.Refuse{Who: eve.User.String()}}, // not here, but heard
		{"/block zoe", &protocol.Refuse{Who: zoe.String()}},
		{"/unblock Somebody", &protocol.Refuse{Who: "Somebody", Off: true}},
		{"/rooms", &protocol.Rooms{Direct: true}},
	} {
		if _, err := b.do(d, tt.line); err != nil {
			t.Errorf("%s: %v", tt.line, err)
		}
		if got := d.asked[len(d.asked)-1]; fmt.Sprintf("%+v", got) != fmt.Sprintf("%+v", tt.want) {
			t.Errorf("%s asks %+v, want %+v", tt.line, got, tt.want)
		}
	}
	for line, part := range map[string]string{"/dm sometimes": "/dm known", "/unblock": "whom?", "/msg nobody x": "nobody called"} {
		if _, err := b.do(d, line); err == nil || !strings.Contains(err.Error(), part) {
			t.Errorf("%s: %v", line, err)
		}
	}
	if _, err := b.do(d, "/msg ZOE hello"); err != nil || d.posts[len(d.posts)-1].Room != talk {
		t.Errorf("%v, %+v", err, d.posts)
	}
	if list := b.RoomList(&protocol.Rooms{Direct: true, Rooms: b.Directs}); list != "@zoe, 5 entries, 2 of them new\n@"+eve.User.String()[:6]+", 1 entries" {
		t.Errorf("%q", list)
	}
	b.Apply(Selected{Room: "lobby"})
	b.receive(&protocol.Refuse{What: protocol.RefuseFresh, Users: []protocol.UserID{zoe, bob.User}})
	items := b.Room("lobby").Items
	if text := items[len(items)-1].Entry.Text; !strings.Contains(text, "whose nick is theirs") || !strings.Contains(text, "Blocked: bob, zoe.") {
		t.Errorf("%q", text)
	}
	b.Offers = nil
	d.asked = nil
	if _, err := b.do(d, "/rooms"); err != nil || len(d.asked) != 1 {
		t.Errorf("an older server is asked %+v, %v", d.asked, err)
	}
}

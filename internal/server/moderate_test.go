package server

import (
	"errors"
	"io"
	"log/slog"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"lanchat/internal/access"
	"lanchat/internal/identity"
	"lanchat/internal/roomlog"
	"lanchat/protocol"
)

// governed is a server with an admin, ann, on it.
func governed(t *testing.T, change ...func(*Config)) (s *Server, addr string, ann *peer) {
	t.Helper()
	rules, err := access.Open(roomlog.NewMemory(), nil)
	if err != nil {
		t.Fatal(err)
	}
	key := newKey(t)
	rules.SetAdmins([]protocol.UserID{key.Fingerprint().UserID()})
	s, addr = startTLS(t, append(change, func(c *Config) { c.Rules = rules })...)
	ann = connectTLS(t, addr, key, "ann")
	if ann.welcome.Role != protocol.RoleAdmin {
		t.Errorf("welcome %+v", ann.welcome)
	}
	ann.join("lobby", 0)
	return s, addr, ann
}

// does asks for a deed and returns the answer's text.
func (p *peer) does(m protocol.Moderate) string {
	p.Helper()
	m.Ref = 31
	p.send(&m)
	for {
		got, err := p.Read()
		if err != nil {
			p.Fatal(err)
		}
		switch got := got.(type) {
		case *protocol.Moderate:
			if got.Ref == 31 {
				return got.Text
			}
		case *protocol.Error:
			p.Fatalf("%s %s: %v", m.Do, m.Who, got)
		}
	}
}

func deedOf(e *protocol.Entry) bool { return e.Kind == protocol.KindDeed }

// Who is kicked is told why, the room is told too, and for a minute the way back is
// closed: to all of a key's devices, and to a guest who connects anew. Other rooms are
// open, and so are others' ways.
func TestKick(t *testing.T) {
	s, addr, ann := governed(t)
	bobKey := newKey(t)
	bob, phone := connectTLS(t, addr, bobKey, "bob"), connectTLS(t, addr, bobKey, "bob")
	guest := connect(t, addr, "gus")
	person := visitor(t, addr, "guest-1")
	for _, p := range []*peer{bob, phone, guest} {
		p.join("lobby", 0)
	}
	ann.does(protocol.Moderate{Do: protocol.DeedKick, Room: "lobby", Who: "bob", Text: "enough\x1b[2J"})
	for _, p := range []*peer{bob, phone} {
		if l := any1[*protocol.Left](p); l.Ref != 0 || l.Room != "lobby" || !strings.Contains(l.Text, "ann has put you out for 1 min: enough") || strings.Contains(l.Text, "\x1b") {
			t.Errorf("%+v", l)
		}
		p.fails(protocol.CodeForbidden, &protocol.Join{Ref: 1, Room: "lobby"})
		p.fails(protocol.CodeNotJoined, &protocol.Post{ID: protocol.NewID(), Room: "lobby", Text: "x"})
		p.join("kitchen", 0)
	}
	if e := await(guest, deedOf); e.Nick != "ann" || !strings.HasPrefix(e.Text, "has put bob out") {
		t.Errorf("%+v", e)
	}
	person.sees("! ann has put bob out")
	ann.does(protocol.Moderate{Do: protocol.DeedKick, Room: "lobby", Who: "~guest-1"})
	person.sees("-- you are not in lobby any more: ann has put you out")
	person.types("am I here?")
	person.sees("! join lobby first")
	again := plain(t, addr)
	again.types("")
	again.sees("! you were put out of this room")
	again.types("/join kitchen")
	again.sees("you are in kitchen")
	carol := connectTLS(t, addr, newKey(t), "carol")
	carol.join("lobby", 0)
	s.kicks.mu.Lock()
	for k := range s.kicks.until {
		s.kicks.until[k] = time.Now()
	}
	s.kicks.mu.Unlock()
	bob.join("lobby", 0)
}

// What is remembered of kicks is bounded, and ends.
func TestKicksAreBounded(t *testing.T) {
	var k kicks
	now := time.Now()
	who := func(i int) access.Who { return access.Who{User: protocol.UserID{byte(i), byte(i >> 8)}} }
	for i := range kicksMost + 10 {
		k.add(now.Add(time.Duration(i)), "lobby", who(i), nil)
	}
	left := func(i int, at time.Time) time.Duration {
		return k.left(at, "lobby", &session{person: &person{user: who(i).User}})
	}
	if n := len(k.until); n != kicksMost || left(0, now) != 0 || left(kicksMost, now) < kickFor {
		t.Errorf("%d are remembered; the first %v, the last %v", n, left(0, now), left(kicksMost, now))
	}
	if left(kicksMost, now.Add(2*kickFor)) > 0 {
		t.Error("a kick does not end")
	}
	k.add(now.Add(2*kickFor), "lobby", who(1), nil)
	if len(k.until) != 1 {
		t.Errorf("%d are remembered that are over", len(k.until)-1)
	}
}

// Who is banned is gone at once, with the reason, and gets in by no door; everybody else
// does. Of a guest the address is banned, which shuts out whoever comes from there but
// not the admins.
func TestBan(t *testing.T) {
	s, addr, ann := governed(t)
	bobKey := newKey(t)
	bob, phone := connectTLS(t, addr, bobKey, "bob"), connectTLS(t, addr, bobKey, "bob")
	bob.join("lobby", 0)
	witness := connectTLS(t, addr, newKey(t), "witness") // to ann it may come before the answer
	witness.join("lobby", 0)
	ann.does(protocol.Moderate{Do: protocol.DeedBan, Who: "bob", For: 7200, Text: "spam"})
	for _, p := range []*peer{bob, phone} {
		if b := any1[*protocol.Bye](p); b.Code != protocol.CodeForbidden || b.RetryAfter != 0 || !strings.HasPrefix(b.Text, "you are banned from this server until ") || !strings.HasSuffix(b.Text, ": spam") {
			t.Errorf("%+v", b)
		}
	}
	if e := await(witness, deedOf); e.Text != "has banned bob for 2 h: spam" {
		t.Errorf("%+v", e)
	}
	refused := func(what string, key *identity.Identity) {
		t.Helper()
		config := identity.GuestTLS(nil)
		if key != nil {
			config = key.ClientTLS(nil)
		}
		if _, _, err := protocol.Dial(t.Context(), addr, config, &protocol.Hello{Nick: "x"}); !errors.Is(err, &protocol.Error{Code: protocol.CodeForbidden}) {
			t.Errorf("%s: %v", what, err)
		}
	}
	refused("the banned key", bobKey)
	connectTLS(t, addr, newKey(t), "carol")
	if list := ann.does(protocol.Moderate{Do: protocol.DeedBans}); !strings.Contains(list, bob.welcome.User.String()+"  bob  until ") {
		t.Errorf("the bans: %q", list)
	}
	if text := ann.does(protocol.Moderate{Do: protocol.DeedUnban, Who: "BOB"}); !strings.Contains(text, "bob may come in") {
		t.Errorf("%q", text)
	}
	bob = connectTLS(t, addr, bobKey, "bob")
	bob.join("lobby", 0)
	bob.binds(s)
	bob.Close()

	// A nick whose owner is away, and a user id.
	waitFor(t, func() bool { return len(s.people.sessions(bob.welcome.User)) == 0 })
	for _, who := range []string{"bob", bob.welcome.User.String()} {
		ann.does(protocol.Moderate{Do: protocol.DeedBan, Who: who, For: 3600})
		refused(who, bobKey)
		ann.does(protocol.Moderate{Do: protocol.DeedUnban, Who: who})
	}
	ann.send(&protocol.Moderate{Ref: 1, Do: protocol.DeedBan, Who: "127.0.0.1"})
	if e := any1[*protocol.Error](ann); e.Code != protocol.CodeForbidden || !strings.Contains(e.Text, "yourself") {
		t.Errorf("one's own address: %v", e)
	}
	if err := s.rules.BanAddr(netip.MustParseAddr("127.0.0.1"), access.Ban{}); err != nil {
		t.Fatal(err)
	}
	refused("a key from a banned address", newKey(t))
	refused("a guest from there", nil)
	person := plain(t, addr)
	person.types("hello")
	person.sees("! you are banned from this server")
	if _, err := io.ReadAll(person.in); err != nil && !isReset(err) {
		t.Error(err)
	}
	s.SetAdmins([]protocol.UserID{ann.welcome.User, bob.welcome.User})
	connectTLS(t, addr, bobKey, "bob")
}

// Whoever loses the right to a room is out of it at once: when it becomes private, when
// the invitation is taken back, when the role goes by which one was in it.
func TestPutOut(t *testing.T) {
	s, addr, ann := governed(t)
	bob, eve := connectTLS(t, addr, newKey(t), "bob"), connectTLS(t, addr, newKey(t), "eve")
	guest := connect(t, addr, "gus")
	for _, p := range []*peer{ann, bob, eve, guest} {
		p.join("build", 0)
	}
	ann.does(protocol.Moderate{Do: protocol.DeedOp, Room: "build", Who: "bob"})
	await(eve, func(p *protocol.Presence) bool {
		return slices.ContainsFunc(p.Joined, func(m protocol.Member) bool { return m.Nick == "bob" && m.Role == protocol.RoleOp })
	})
	if err := s.rules.Admit("build", eve.welcome.User, true); err != nil {
		t.Fatal(err)
	}
	bob.does(protocol.Moderate{Do: protocol.DeedPrivate, Room: "build"})
	if l := any1[*protocol.Left](guest); l.Room != "build" || l.Text == "" {
		t.Errorf("%+v", l)
	}
	if m := any1[*protocol.Moderate](eve); m.Ref != 0 || m.Do != protocol.DeedPrivate || m.Room != "build" {
		t.Errorf("%+v", m)
	}
	if j := eve.join("build", 0); !j.Private || j.Count != 3 || j.Role != protocol.RoleNone {
		t.Errorf("%+v", j)
	}
	bob.does(protocol.Moderate{Do: protocol.DeedUninvite, Room: "build", Who: "eve"})
	any1[*protocol.Left](eve)
	eve.fails(protocol.CodeNotFound, &protocol.Join{Ref: 1, Room: "build"})
	ann.does(protocol.Moderate{Do: protocol.DeedDeop, Room: "build", Who: "bob"})
	any1[*protocol.Left](bob)
	s.SetAdmins(nil)
	any1[*protocol.Left](ann)
	if e := ann.say("lobby", "still here"); e.Seq == 0 {
		t.Error("an admin no more is nobody any more")
	}
}

// An op deletes what somebody else has said; an announcement is heard in every room but
// direct talks; and of neither does the server's log have the words.
func TestDeleteAndAnnounce(t *testing.T) {
	var logged syncBuffer
	_, addr, ann := governed(t, func(c *Config) { c.Logger = slog.New(slog.NewTextHandler(&logged, nil)) })
	bob := connectTLS(t, addr, newKey(t), "bob")
	bob.join("lobby", 0)
	bob.join("build", 0)
	direct := protocol.DirectRoom(ann.welcome.User, bob.welcome.User)
	bob.join(direct, 0)
	bob.say(direct, "between us")
	bad := bob.say("lobby", "a secret word")
	ann.send(&protocol.Post{ID: protocol.NewID(), Room: "lobby", Kind: protocol.KindDelete, Target: bad.ID})
	if e := await(bob, func(e *protocol.Entry) bool { return e.Kind == protocol.KindDelete }); e.Target != bad.ID || e.Nick != "ann" {
		t.Errorf("%+v", e)
	}
	bob.send(&protocol.History{Ref: 4, Room: "lobby"})
	if page := any1[*protocol.Page](bob); !page.Entries[0].Gone || page.Entries[0].Text != "" {
		t.Errorf("%+v", page.Entries[0])
	}
	ann.does(protocol.Moderate{Do: protocol.DeedAnnounce, Text: "a secret pizza"})
	rooms := map[string]bool{}
	for range 2 {
		e := await(bob, func(e *protocol.Entry) bool { return e.Kind == protocol.KindAnnounce })
		rooms[e.Room] = e.Text == "a secret pizza" && e.Nick == "ann"
	}
	if !rooms["lobby"] || !rooms["build"] {
		t.Errorf("heard in %v", rooms)
	}
	ann.send(&protocol.Moderate{Ref: 1, Do: protocol.DeedAnnounce, Text: "more"})
	if e := any1[*protocol.Error](ann); e.Code != protocol.CodeLimit {
		t.Errorf("%+v", e)
	}
	ann.does(protocol.Moderate{Do: protocol.DeedMute, Room: "lobby", Who: "bob", For: 600, Text: "a secret reason"})
	if log := logged.String(); !strings.Contains(log, "do=mute") || !strings.Contains(log, "who="+bob.welcome.User.String()) || strings.Contains(log, "secret") {
		t.Errorf("the log:\n%s", log)
	}
}

// syncBuffer is a log that is read while it is written.
type syncBuffer struct {
	mu sync.Mutex
	b  strings.Builder
}

func (s *syncBuffer) Write(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.b.Write(p)
}

func (s *syncBuffer) String() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.b.String()
}

// Nobody with a role is muted, and no op is above an admin, nor anybody against oneself.
func TestAbove(t *testing.T) {
	s, addr, ann := governed(t)
	bob := connectTLS(t, addr, newKey(t), "bob")
	guest := connect(t, addr, "gus")
	bob.join("lobby", 0)
	guest.join("lobby", 0)
	ann.does(protocol.Moderate{Do: protocol.DeedOp, Room: "lobby", Who: "bob"})
	for _, m := range []protocol.Moderate{
		{Do: protocol.DeedKick, Who: "ann"}, {Do: protocol.DeedMute, Who: "ann"}, {Do: protocol.DeedDeop, Who: "ann"}, {Do: protocol.DeedKick, Who: "bob"}, {Do: protocol.DeedOp, Who: "gus"},
	} {
		m.Ref, m.Room = 1, "lobby"
		bob.fails(protocol.CodeForbidden, &m)
	}
	ann.fails(protocol.CodeForbidden, &protocol.Moderate{Ref: 1, Do: protocol.DeedMute, Room: "lobby", Who: "bob"})
	ann.fails(protocol.CodeForbidden, &protocol.Moderate{Ref: 1, Do: protocol.DeedBan, Who: "ann"})
	ann.fails(protocol.CodeNotFound, &protocol.Moderate{Ref: 1, Do: protocol.DeedKick, Room: "lobby", Who: "nobody"})
	ann.fails(protocol.CodeTooLong, &protocol.Moderate{Ref: 1, Do: protocol.DeedKick, Room: "lobby", Who: "gus", Text: strings.Repeat("x", reasonMax+1)})
	if text := ann.does(protocol.Moderate{Do: protocol.DeedMute, Room: "lobby", Who: "gus"}); !strings.Contains(text, "for 24 h") {
		t.Errorf("a guest is muted for good: %q", text)
	}
	if role := s.rules.Role(access.Who{User: bob.welcome.User}, "lobby"); role != protocol.RoleOp {
		t.Errorf("bob is %q", role)
	}
}

// TestAnAdminModeratesAtOnce: who has much to put right is not held to the rate of posts;
// an op is, of whom there are as many as there are private rooms.
func TestAnAdminModeratesAtOnce(t *testing.T) {
	s, addr, ann := governed(t, func(c *Config) { c.Limits.PostRate, c.Limits.PostBurst = 1000, 2 })
	locks := func(p *peer, room string) (waited uint64) {
		before := s.Stats().Limits["posts"]
		for range 5 {
			p.does(protocol.Moderate{Do: protocol.DeedLock, Room: room})
			p.does(protocol.Moderate{Do: protocol.DeedUnlock, Room: room})
		}
		return s.Stats().Limits["posts"] - before
	}
	if n := locks(ann, "lobby"); n > 0 {
		t.Errorf("an admin waited %d times", n)
	}
	bob := connectTLS(t, addr, newKey(t), "bob")
	bob.does(protocol.Moderate{Do: protocol.DeedPrivate, Room: "den"})
	bob.join("den", 0)
	if n := locks(bob, "den"); n == 0 {
		t.Error("an op never waited")
	}
}

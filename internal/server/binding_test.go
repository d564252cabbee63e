package server

import (
	"crypto/tls"
	"fmt"
	"net"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"lanchat/protocol"
)

// connectFrom connects with a new key from an address that is not this host's own one.
func connectFrom(t testing.TB, from, addr, nick string) *peer {
	t.Helper()
	if runtime.GOOS != "linux" {
		t.Skip("other loopback addresses than 127.0.0.1 need Linux")
	}
	d := net.Dialer{LocalAddr: &net.TCPAddr{IP: net.ParseIP(from)}}
	nc, err := d.DialContext(t.Context(), "tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	c, w, err := protocol.Handshake(t.Context(), tls.Client(nc, newKey(t).ClientTLS(nil)), &protocol.Hello{Nick: nick})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	return &peer{t, c, w}
}

// binds posts in the lobby, and waits until the nick is bound.
func (p *peer) binds(s *Server) {
	p.Helper()
	p.say("lobby", "hello from "+p.welcome.Nick)
	waitFor(p, func() bool { owner, bound := s.log.NickOwner(p.welcome.Nick); return bound && owner == p.welcome.User })
}

func (s *Server) person(u protocol.UserID) *person {
	s.people.mu.Lock()
	defer s.people.mu.Unlock()
	return s.people.byUser[u]
}

// Who only connects leaves no nick behind; who posts is known from then on, by each
// connection, and also while away.
func TestANickIsBoundAfterAPost(t *testing.T) {
	s, addr := startTLS(t)
	for i := range 20 {
		c := connectTLS(t, addr, newKey(t), fmt.Sprint("visitor", i))
		c.join("lobby", 0)
		c.Close()
	}
	key := newKey(t)
	ann := connectTLS(t, addr, key, "ann")
	ann.join("lobby", 0)
	user := ann.welcome.User
	if s.person(user).known.Load() || s.people.isKnown(user) {
		t.Error("ann is known before the first post")
	}
	ann.binds(s)
	if !s.person(user).known.Load() || !s.people.isKnown(user) {
		t.Error("ann is not known after the first post")
	}
	ann.Close()
	waitFor(t, func() bool { return s.person(user) == nil })
	if !s.people.isKnown(user) {
		t.Error("ann is not known while away")
	}
	again := connectTLS(t, addr, key, "anna") // known by the other nick
	if !s.person(user).known.Load() {
		t.Error("ann comes back and is not known")
	}
	again.join("lobby", 0)
	again.binds(s)
	for i := range 20 {
		if nick := fmt.Sprint("visitor", i); s.nickTaken(nick) {
			t.Errorf("%s is bound", nick)
		}
	}
}

func (s *Server) nickTaken(nick string) bool {
	_, bound := s.log.NickOwner(nick)
	return bound
}

// Ten minutes in all, over several connections, are as good as a post.
func TestANickIsBoundAfterTenMinutes(t *testing.T) {
	s, addr := startTLS(t)
	key := newKey(t)
	ann := connectTLS(t, addr, key, "ann")
	user := ann.welcome.User
	who := s.person(user)
	s.people.mu.Lock()
	who.came = time.Now().Add(-6 * time.Minute)
	s.people.mu.Unlock()
	ann.Close()
	waitFor(t, func() bool { return s.person(user) == nil })
	connectTLS(t, addr, key, "ann")
	connectTLS(t, addr, newKey(t), "bob")
	s.people.bindPresent(time.Now().Add(3 * time.Minute))
	if s.people.isKnown(user) || s.nickTaken("ann") {
		t.Error("ann is bound after nine minutes")
	}
	s.people.bindPresent(time.Now().Add(4*time.Minute + time.Second))
	waitFor(t, func() bool { return s.nickTaken("ann") })
	if s.nickTaken("bob") {
		t.Error("bob is bound after four minutes")
	}
}

// Of one address so many nicks are bound and no more. Who is over that goes on under the
// nick, and has it bound later.
func TestBindingsOfAnAddress(t *testing.T) {
	s, addr := startTLS(t, func(c *Config) { c.Limits.BindBurst, c.Limits.BindRate = 5, 1 })
	for i := range 5 {
		p := connectFrom(t, "127.0.0.2", addr, fmt.Sprint("p", i))
		p.join("lobby", 0)
		p.binds(s)
		p.Close()
	}
	late := connectFrom(t, "127.0.0.2", addr, "late")
	late.join("lobby", 0)
	late.say("lobby", "first")
	waitFor(t, func() bool { return s.Stats().Limits["bindings"] == 1 })
	late.say("lobby", "second")
	if who := s.person(late.welcome.User); who.name() != "late" || who.known.Load() || s.nickTaken("late") {
		t.Error("a nick is bound over the limit, or its holder has it no more")
	}
	here := connectTLS(t, addr, newKey(t), "here") // on this host: no bound
	here.join("lobby", 0)
	here.binds(s)
	// An hour later.
	ss := s.people.sessions(late.welcome.User)[0]
	ss.link.share.allowance[binding].giveBack()
	ss.person.bindAt.Store(0)
	late.binds(s)
	if n := s.Stats().Limits["bindings"]; n != 1 {
		t.Errorf("the limit was reached %d times", n)
	}
}

// A ban frees the nicks of who is banned, unless it is a short one.
func TestABanFreesNicks(t *testing.T) {
	s, addr, ann := governed(t)
	key := newKey(t)
	for _, length := range []uint32{3600, 0} {
		bob := connectTLS(t, addr, key, "bob")
		bob.join("lobby", 0)
		bob.binds(s)
		text := ann.does(protocol.Moderate{Do: protocol.DeedBan, Who: "bob", For: length})
		if frees := length == 0; s.nickTaken("bob") == frees || strings.Contains(text, "free: bob") != frees {
			t.Errorf("after a ban for %d s: %q, bound: %v", length, text, s.nickTaken("bob"))
		}
		waitFor(t, func() bool { return s.person(bob.welcome.User) == nil })
		ann.does(protocol.Moderate{Do: protocol.DeedUnban, Who: "bob"})
	}
	carol := connectTLS(t, addr, newKey(t), "bob")
	if carol.welcome.Nick != "bob" {
		t.Errorf("the nick of who is banned goes to nobody: %+v", carol.welcome)
	}
	marked := slices.ContainsFunc(carol.join("lobby", 0).Members, func(m protocol.Member) bool { return m.Nick == "bob" && m.NewKey })
	carol.binds(s)
	if !marked || s.person(carol.welcome.User).since.Load() == 0 {
		t.Error("nobody is told that bob is somebody else now")
	}
}

// An admin takes a nick from whom it belongs to, away or here. Who is here has another
// one at once, and does not get the first back by posting.
func TestFreeANick(t *testing.T) {
	s, addr, ann := governed(t)
	key := newKey(t)
	bob := connectTLS(t, addr, key, "bob")
	bob.join("lobby", 0)
	bob.binds(s)
	if text := ann.does(protocol.Moderate{Do: protocol.ModFree, Who: "BOB"}); text != "BOB is free, and who had it is bob-2 now" {
		t.Errorf("%q", text)
	}
	if n := any1[*protocol.Nick](bob); n.Ref != 0 || n.Nick != "bob-2" {
		t.Errorf("the holder is told %+v", n)
	}
	bob.say("lobby", "still here")
	waitFor(t, func() bool { return s.nickTaken("bob-2") })
	if s.nickTaken("bob") {
		t.Error("bob is bound again")
	}
	bob.Close()
	waitFor(t, func() bool { return s.person(bob.welcome.User) == nil })
	if text := ann.does(protocol.Moderate{Do: protocol.ModFree, Who: "bob-2"}); text != "bob-2 is free" || s.people.isKnown(bob.welcome.User) {
		t.Errorf("%q; known: %v", text, s.people.isKnown(bob.welcome.User))
	}
	ann.fails(protocol.CodeNotFound, &protocol.Moderate{Ref: 1, Do: protocol.ModFree, Who: "bob-2"})
	guest := connect(t, addr, "gus")
	ann.does(protocol.Moderate{Do: protocol.ModFree, Who: "~gus"})
	if n := any1[*protocol.Nick](guest); n.Nick != "guest-1" {
		t.Errorf("a guest is told %+v", n)
	}
}

// Nobody has a nick that reads as somebody's user id or as an address, so that no ban of
// it hits somebody else.
func TestNicksThatReadAsAnother(t *testing.T) {
	s, addr, ann := governed(t)
	bob := connectTLS(t, addr, newKey(t), "bob")
	mallory := connectTLS(t, addr, newKey(t), "mallory")
	id := bob.welcome.User.String()
	for _, nick := range []string{id, strings.ToUpper(id), "10.1.2.3", "１０.1.2.3", "[10.1.2.3]"} {
		mallory.send(&protocol.Nick{Ref: 1, Nick: nick})
		if e := any1[*protocol.Error](mallory); e.Code != protocol.CodeBadNick {
			t.Errorf("%s: %v", nick, e)
		}
		if c, w, err := protocol.Dial(t.Context(), addr, newKey(t).ClientTLS(nil), &protocol.Hello{Nick: nick}); err == nil {
			t.Errorf("somebody is %s", w.Nick)
			c.Close()
			ann.does(protocol.Moderate{Do: protocol.DeedBan, Who: w.Nick})
		}
	}
	if bans := s.rules.Bans(); len(bans) > 0 || s.person(bob.welcome.User) == nil {
		t.Errorf("bans %v", bans)
	}
}

// whois has what the asker may know: of who is here and of who is away, with the rooms
// that the asker may see, and addresses for admins.
func TestWhois(t *testing.T) {
	s, addr, ann := governed(t)
	key := newKey(t)
	bob := connectTLS(t, addr, key, "Bob")
	eve := connectTLS(t, addr, nil, "eve")
	id := bob.welcome.User
	for _, room := range []string{"lobby", "build", "hidden", protocol.DirectRoom(id, ann.welcome.User)} {
		bob.join(room, 0)
	}
	if err := s.rules.SetPrivate("hidden", true); err != nil {
		t.Fatal(err)
	}
	ask := func(p *peer, who string) *protocol.Whois {
		t.Helper()
		p.send(&protocol.Whois{Ref: 5, Who: who})
		w := any1[*protocol.Whois](p)
		if w.Ref != 5 || w.User != id && !w.Guest || w.Seen == 0 {
			t.Errorf("%s: %+v", who, w)
		}
		return w
	}
	if w := ask(eve, "bob"); w.Nick != "Bob" || !w.Here || w.Bound != 0 || !slices.Equal(w.Rooms, []string{"build", "lobby"}) || w.Addrs != nil || w.Role != "" {
		t.Errorf("%+v", w)
	}
	bob.binds(s)
	begin := time.Now().Add(-time.Minute).UnixNano()
	if w := ask(ann, "@"+strings.ToUpper(id.String())); w.Bound < begin || w.Seen < begin || !slices.Equal(w.Rooms, []string{"build", "hidden", "lobby"}) || !slices.Equal(w.Addrs, []string{"127.0.0.1"}) {
		t.Errorf("%+v", w)
	}
	if w := ask(ann, "~eve"); !w.Guest || w.Bound != 0 || w.Nick != "eve" {
		t.Errorf("%+v", w)
	}
	if _, err := s.log.BindNick("Bob", id, time.Now().Add(-3*time.Hour)); err != nil { // so long was bob here
		t.Fatal(err)
	}
	bob.Close()
	waitFor(t, func() bool { return s.person(id) == nil && s.log.Nicks(id)[0].Used.UnixNano() > begin })
	for _, who := range []string{"b0b", id.String()} {
		if w := ask(ann, who); w.Nick != "Bob" || w.Here || w.Seen < begin || w.Bound < begin || w.Rooms != nil || len(w.Addrs) > 1 { // an hour ago bob was new
			t.Errorf("%+v", w)
		}
	}
	gone := connectTLS(t, addr, nil, "gone")
	gone.join("lobby", 0)
	gone.say("lobby", "and away")
	gone.Close()
	waitFor(t, func() bool { return s.person(gone.welcome.User) == nil })
	if w := ask(ann, "~gone"); !w.Guest || w.Here || w.Nick != "gone" || w.User != gone.welcome.User || w.Seen < begin || !slices.Equal(w.Addrs, []string{"127.0.0.1"}) {
		t.Errorf("%+v", w)
	}
	for _, who := range []string{"nobody", "gone", protocol.UserID{7}.String(), "", "10.1.2.3"} {
		eve.send(&protocol.Whois{Ref: 6, Who: who})
		if e := any1[*protocol.Error](eve); e.Ref != 6 || e.Code != protocol.CodeNotFound && who != "" {
			t.Errorf("%q: %+v", who, e)
		}
	}
}

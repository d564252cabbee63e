package server

import (
	"crypto/tls"
	"fmt"
	"net"
	"runtime"
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

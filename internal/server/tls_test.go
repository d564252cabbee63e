package server

import (
	"crypto/tls"
	"errors"
	"io"
	"net"
	"net/netip"
	"path/filepath"
	"slices"
	"sync/atomic"
	"testing"
	"time"

	"lanchat/internal/identity"
	"lanchat/protocol"
)

func newKey(t testing.TB) *identity.Identity {
	t.Helper()
	id, err := identity.LoadOrCreate(t.TempDir(), "test")
	if err != nil {
		t.Fatal(err)
	}
	return id
}

// startTLS starts a server that has a key.
func startTLS(t testing.TB, change ...func(*Config)) (*Server, string) {
	t.Helper()
	key := newKey(t)
	return start(t, append(change, func(c *Config) { c.TLS = key.ServerTLS() })...)
}

// connectTLS connects as the owner of a key, or without one as a guest.
func connectTLS(t testing.TB, addr string, key *identity.Identity, nick string) *peer {
	t.Helper()
	return connectTLSAs(t, addr, key, &protocol.Hello{Nick: nick})
}

func connectTLSAs(t testing.TB, addr string, key *identity.Identity, hello *protocol.Hello) *peer {
	t.Helper()
	config := identity.GuestTLS(nil)
	if key != nil {
		config = key.ClientTLS(nil)
	}
	c, w, err := protocol.Dial(t.Context(), addr, config, hello)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	return &peer{t, c, w}
}

func TestAKeyIsAPerson(t *testing.T) {
	_, addr := startTLS(t)
	key := newKey(t)
	first := connectTLS(t, addr, key, "ann")
	if want := protocol.UserID(key.Fingerprint().UserID()); first.welcome.User != want || first.welcome.Guest {
		t.Errorf("welcome %+v, want user %v", first.welcome, want)
	}
	first.Close()
	second := connectTLS(t, addr, key, "ann")
	if second.welcome.User != first.welcome.User || second.welcome.Nick != "ann" {
		t.Errorf("the second time: %+v", second.welcome)
	}
	guest, again := connectTLS(t, addr, nil, "bob"), connectTLS(t, addr, nil, "bob")
	if !guest.welcome.Guest || !again.welcome.Guest || guest.welcome.User == again.welcome.User {
		t.Errorf("guests: %+v and %+v", guest.welcome, again.welcome)
	}
	second.join("lobby", 0)
	guest.join("lobby", 0)
	second.say("lobby", "hello")
	if e := guest.hears("hello"); e.Guest || e.User != first.welcome.User {
		t.Errorf("%+v", e)
	}
}

func TestANickBelongsToAKey(t *testing.T) {
	srv, addr := startTLS(t)
	key, other := newKey(t), newKey(t)
	guest := connectTLS(t, addr, nil, "Ann")
	guest.join("lobby", 0)
	ann := connectTLS(t, addr, key, "ann")
	if ann.welcome.Nick != "ann" {
		t.Errorf("a guest keeps a nick from a key: %q", ann.welcome.Nick)
	}
	n := any1[*protocol.Nick](guest)
	if n.Ref != 0 || n.User != guest.welcome.User || n.Nick != "guest-1" {
		t.Errorf("the guest is told %+v", n)
	}
	ann.join("lobby", 0)
	guest.say("lobby", "who am I?")
	if e := ann.hears("who am I?"); e.Nick != "guest-1" {
		t.Errorf("the guest speaks as %q", e.Nick)
	}
	await(ann, func(p *protocol.Presence) bool {
		return slices.ContainsFunc(p.Joined, func(m protocol.Member) bool { return m.Nick == "guest-1" })
	})
	ann.binds(srv)
	ann.Close()

	for _, thief := range []*peer{connectTLS(t, addr, other, "ann"), connectTLS(t, addr, nil, "ann"), connect(t, addr, "ANN")} {
		if thief.welcome.Nick == "ann" || thief.welcome.Nick == "ANN" {
			t.Errorf("%+v", thief.welcome)
		}
		thief.fails(protocol.CodeNickTaken, &protocol.Nick{Ref: 1, Nick: "ann"})
	}
	if back := connectTLS(t, addr, key, "ann"); back.welcome.Nick != "ann" {
		t.Errorf("the owner comes back as %q", back.welcome.Nick)
	}
}

func TestTwoDevicesAreOnePerson(t *testing.T) {
	s, addr := startTLS(t)
	key := newKey(t)
	bob := connectTLS(t, addr, newKey(t), "bob")
	bob.join("lobby", 0)
	phone := connectTLS(t, addr, key, "ann")
	phone.join("lobby", 0)
	// The second device comes under another nick: then the person has that one.
	laptop := connectTLS(t, addr, key, "anna")
	if n := any1[*protocol.Nick](phone); n.Nick != "anna" || n.Ref != 0 {
		t.Errorf("the first device is told %+v", n)
	}
	if j := laptop.join("lobby", 0); j.Count != 2 || len(j.Members) != 2 {
		t.Errorf("joined: %+v", j)
	}
	if n := s.People(); n != 2 {
		t.Errorf("%d people", n)
	}
	ack := bob.say("lobby", "hello")
	phone.hears("hello")
	laptop.hears("hello")
	phone.send(&protocol.Read{Room: "lobby", Seq: ack.Seq + 1000}) // as far as there is something
	if r := any1[*protocol.Read](laptop); r.Room != "lobby" || r.Seq != ack.Seq {
		t.Errorf("%+v", r)
	}
	laptop.send(&protocol.Read{Room: "lobby", Seq: ack.Seq - 1}, &protocol.Ping{N: 1})
	await(laptop, func(p *protocol.Pong) bool { return p.N == 1 })
	phone.Close()
	waitFor(t, func() bool { return len(s.people.sessions(laptop.welcome.User)) == 1 })
	if n := s.People(); n != 2 {
		t.Errorf("%d people when one of two devices has gone", n)
	}
	third := connectTLS(t, addr, key, "anna")
	if j := third.join("lobby", ack.Seq); j.Read != ack.Seq || j.Count != 2 {
		t.Errorf("joined: %+v", j)
	}
	third.Close()
	laptop.Close()
	await(bob, func(p *protocol.Presence) bool { return p.Count == 1 })
}

// TestNewsDuringTheHandshake: a device may be told something, here a new nick of
// its person, while its own welcome is still to be sent. It hears of it behind
// the welcome.
func TestNewsDuringTheHandshake(t *testing.T) {
	s, addr := startTLS(t)
	key := newKey(t)
	user := protocol.UserID(key.Fingerprint().UserID())
	a, b := net.Pipe()
	defer a.Close()
	d := &native{} // its connection comes with the welcome
	l := &link{Conn: b, stats: &s.stats, share: s.addresses.hold(netip.Addr{}, 1)}
	ss := s.newSession(d, l)
	if _, err := s.people.arrive(ss, user, false, "ann"); err != nil {
		t.Fatal(err)
	}
	connectTLS(t, addr, key, "anna")
	d.over(protocol.NewConn(l))
	s.running.Add(1)
	ss.serve()
	if m, err := protocol.NewConn(a).Read(); err != nil || m.(*protocol.Nick).Nick != "anna" {
		t.Errorf("%+v, %v", m, err)
	}
}

// TestLateClientHello: behind a bad link the first bytes of a client may come
// when it was taken for a person already. Dial connects again, and what it sent
// first is heard by nobody.
func TestLateClientHello(t *testing.T) {
	t.Parallel()
	_, addr := startTLS(t)
	ann := connect(t, addr, "ann")
	ann.join("lobby", 0)
	proxy, first, count := lateProxy(t, addr)
	begin := time.Now()
	bob := connectTLS(t, proxy, newKey(t), "bob")
	if took := time.Since(begin); took < greetAfter || count.Load() != 2 {
		t.Errorf("connected %d times in %v", count.Load(), took)
	}
	<-first
	bob.join("lobby", 0)
	bob.say("lobby", "here I am")
	if e := any1[*protocol.Entry](ann); e.Text != "here I am" {
		t.Errorf("the room heard %q", e.Text)
	}
	if p := any1[*protocol.Presence](ann); p.Count != 2 || len(p.Left) != 0 {
		t.Errorf("%+v", p)
	}
}

// lateProxy passes connections on to addr, but what the first client says only
// when the server has spoken. It tells when the server has ended the first one,
// and how many there were.
func lateProxy(t testing.TB, addr string) (proxy string, first chan struct{}, count *atomic.Int32) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	first, count = make(chan struct{}), new(atomic.Int32)
	go func() {
		for {
			client, err := l.Accept()
			if err != nil {
				return
			}
			server, err := net.Dial("tcp", addr)
			if err != nil {
				client.Close()
				return
			}
			late := count.Add(1) == 1
			spoken := make(chan struct{})
			go func() {
				if late {
					<-spoken
				}
				io.Copy(server, client)
				server.(*net.TCPConn).CloseWrite()
			}()
			go func() {
				if late {
					b := make([]byte, 512)
					n, _ := server.Read(b)
					close(spoken)
					client.Write(b[:n])
				}
				io.Copy(client, server)
				if late {
					io.Copy(io.Discard, server) // the client may have gone before
					close(first)
				}
				client.Close()
				server.Close()
			}()
		}
	}()
	return l.Addr().String(), first, count
}

func TestChangedServerKeyIsRefused(t *testing.T) {
	pins, err := identity.OpenPins(filepath.Join(t.TempDir(), "pins.json"))
	if err != nil {
		t.Fatal(err)
	}
	key := newKey(t)
	for i := range 2 {
		_, addr := startTLS(t)
		c, _, err := protocol.Dial(t.Context(), addr, key.ClientTLS(pins.Verify("Hack Night")), &protocol.Hello{Nick: "ann"})
		if i == 1 {
			if _, changed := errors.AsType[*identity.ChangedError](err); !changed {
				t.Errorf("another key under the same name: %v", err)
			}
			return
		}
		if err != nil {
			t.Fatal(err)
		}
		shown, _ := identity.PeerFingerprint(c.NetConn().(*tls.Conn).ConnectionState())
		if _, err := pins.Check("Hack Night", shown); err != nil {
			t.Fatal(err)
		}
		c.Close()
	}
}

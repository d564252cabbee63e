package server

import (
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
	"runtime"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"lanchat/internal/identity"
	"lanchat/internal/roomlog"
	"lanchat/protocol"
)

// TestEachLimit reaches every limit, and looks for what is said of it, for its counter,
// and whether others go on as before.
func TestEachLimit(t *testing.T) {
	type target struct {
		*testing.T
		addr string
	}
	flood := func(p *peer, n int, m func(i int) protocol.Message) {
		for i := range n {
			p.send(m(i))
		}
		if s := any1[*protocol.Slow](p); s.For == 0 {
			p.Errorf("%+v", s)
		}
	}
	busy := func(t target) {
		for _, config := range []bool{true, false} {
			tls := identity.GuestTLS(nil)
			if !config {
				tls = nil
			}
			if _, _, err := protocol.Dial(t.Context(), t.addr, tls, &protocol.Hello{Nick: "late"}); !errors.Is(err, protocol.ErrBusy) {
				t.Errorf("TLS %v: %v, want ErrBusy", config, err)
			}
		}
		nc, err := net.Dial("tcp", t.addr)
		if err != nil {
			t.Fatal(err)
		}
		defer nc.Close()
		if b, _ := io.ReadAll(nc); !strings.HasPrefix(string(b), "busy 5: ") || !strings.HasSuffix(string(b), "\n") {
			t.Errorf("a person is told %q", b)
		}
	}
	// half connects and never gets as far as hello.
	half := func(t target, from string) net.Conn {
		d := net.Dialer{}
		if from != "" {
			if runtime.GOOS != "linux" {
				t.Skip("other loopback addresses than 127.0.0.1 need Linux")
			}
			d.LocalAddr = &net.TCPAddr{IP: net.ParseIP(from)}
		}
		nc, err := d.Dial("tcp", t.addr)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { nc.Close() })
		nc.Write([]byte{0})
		return nc
	}
	for _, row := range []struct {
		limit  string
		limits Limits // the two bystanders are there first
		reach  func(t target, s *Server)
	}{
		{"connections", Limits{Connections: 3}, func(t target, s *Server) { connect(t, t.addr, "cid"); busy(t) }},
		{"address_connections", Limits{AddressConns: 3}, func(t target, s *Server) { connect(t, t.addr, "cid"); busy(t) }},
		{"arrivals", Limits{ArrivalRate: 1, ArrivalBurst: 3}, func(t target, s *Server) {
			half(t, "127.0.0.2")
			half(t, "127.0.0.2")
			half(t, "127.0.0.2")
			d := net.Dialer{LocalAddr: &net.TCPAddr{IP: net.IPv4(127, 0, 0, 2)}}
			nc, err := d.Dial("tcp", t.addr)
			if err == nil { // the system took it, and it is cut off behind that
				defer nc.Close()
				nc.SetReadDeadline(time.Now().Add(10 * time.Second))
				_, err = nc.Read(make([]byte, 1))
			}
			if err == nil || isTimeout(err) {
				t.Errorf("one that came too soon: %v", err)
			}
		}},
		{"handshakes", Limits{Handshakes: 2}, func(t target, s *Server) {
			half(t, "127.0.0.2")
			half(t, "127.0.0.3")
			waitFor(t, func() bool { return s.Stats().Handshakes == 2 })
			busy(t)
		}},
		{"posts", Limits{PostRate: 50, PostBurst: 5}, func(t target, s *Server) {
			p := connect(t, t.addr, "cid")
			p.join("lobby", 0)
			for i := range 10 {
				p.send(&protocol.Post{ID: protocol.NewID(), Room: "lobby", Text: fmt.Sprint("flood ", i)})
			}
			next, slow := 0, false // in order, and all
			for next < 10 || !slow {
				switch m := any1[protocol.Message](p).(type) {
				case *protocol.Slow:
					slow = slow || m.For > 0
				case *protocol.Entry:
					if m.Text == fmt.Sprint("flood ", next) {
						next++
					} else if strings.HasPrefix(m.Text, "flood") {
						p.Fatalf("%q at %d", m.Text, next)
					}
				}
			}
		}},
		{"requests", Limits{RequestRate: 50, RequestBurst: 5}, func(t target, s *Server) {
			flood(connect(t, t.addr, "cid"), 10, func(i int) protocol.Message { return &protocol.Ping{N: uint64(i)} })
		}},
		{"pages", Limits{PageRate: 50, PageBurst: 5}, func(t target, s *Server) {
			flood(connect(t, t.addr, "cid"), 10, func(i int) protocol.Message { return &protocol.History{Ref: 1, Room: "lobby"} })
		}},
		{"searches", Limits{SearchRate: 50, SearchBurst: 5}, func(t target, s *Server) {
			flood(connect(t, t.addr, "cid"), 10, func(i int) protocol.Message { return &protocol.Search{Ref: 1, Query: "x"} })
		}},
		{"nicks", Limits{NickBurst: 2}, func(t target, s *Server) {
			p := connect(t, t.addr, "cid")
			for _, nick := range []string{"one", "two"} {
				p.send(&protocol.Nick{Ref: 1, Nick: nick})
				any1[*protocol.Nick](p)
			}
			p.fails(protocol.CodeLimit, &protocol.Nick{Ref: 1, Nick: "three"})
		}},
		{"new_rooms", Limits{NewRoomsBurst: 2}, func(t target, s *Server) {
			p := connect(t, t.addr, "cid")
			p.join("one", 0)
			p.join("two", 0)
			p.fails(protocol.CodeLimit, &protocol.Join{Ref: 1, Room: "three"})
			p.join("lobby", 0) // which is there
		}},
		{"rooms", Limits{Rooms: 2}, func(t target, s *Server) {
			p := connect(t, t.addr, "cid")
			p.join("one", 0)
			p.join("two", 0)
			p.fails(protocol.CodeLimit, &protocol.Join{Ref: 1, Room: "three"})
			p.join("one", 0) // again
		}},
		{"all_rooms", Limits{AllRooms: 2}, func(t target, s *Server) {
			p := connect(t, t.addr, "cid")
			p.join("one", 0)
			p.fails(protocol.CodeLimit, &protocol.Join{Ref: 1, Room: "two"})
		}},
		{"all_directs", Limits{AllDirects: 1}, func(t target, s *Server) {
			p := connectTLS(t, t.addr, newKey(t), "cid")
			p.join(protocol.DirectRoom(p.welcome.User, protocol.UserID{1}), 0)
			p.fails(protocol.CodeLimit, &protocol.Join{Ref: 1, Room: protocol.DirectRoom(p.welcome.User, protocol.UserID{2})})
		}},
		{"own_rooms", Limits{OwnRooms: 2}, func(t target, s *Server) {
			p := connectTLS(t, t.addr, newKey(t), "cid")
			p.join("one", 0)
			p.join("two", 0)
			p.fails(protocol.CodeLimit, &protocol.Join{Ref: 1, Room: "three"})
		}},
		{"own_directs", Limits{OwnDirects: 1}, func(t target, s *Server) {
			p := connectTLS(t, t.addr, newKey(t), "cid")
			p.join(protocol.DirectRoom(p.welcome.User, protocol.UserID{1}), 0)
			p.fails(protocol.CodeLimit, &protocol.Join{Ref: 1, Room: protocol.DirectRoom(p.welcome.User, protocol.UserID{2})})
		}},
		{"text", Limits{Text: 100}, func(t target, s *Server) {
			p := connect(t, t.addr, "cid")
			p.join("lobby", 0)
			p.fails(protocol.CodeTooLong, &protocol.Post{ID: protocol.NewID(), Room: "lobby", Text: strings.Repeat("x", 101)})
		}},
		{"bots", Limits{BotBurst: 2}, func(t target, s *Server) {
			c, _, err := protocol.Dial(t.Context(), t.addr, nil, &protocol.Hello{Nick: "bot", Bot: true})
			if err != nil {
				t.Fatal(err)
			}
			defer c.Close()
			p := &peer{t, c, nil}
			p.join("garden", 0)
			p.say("garden", "1")
			p.say("garden", "2")
			p.fails(protocol.CodeLimit, &protocol.Post{ID: protocol.NewID(), Room: "garden", Text: "3"})
		}},
		{"pending", Limits{Pending: 1, PostRate: 100_000, PostBurst: 100_000}, func(t target, s *Server) {
			p := connect(t, t.addr, "cid")
			p.join("lobby", 0)
			for i := 0; i < 500 && s.Stats().Limits["pending"] == 0; i++ {
				p.send(&protocol.Post{ID: protocol.NewID(), Room: "lobby", Text: "x"}, &protocol.Post{ID: protocol.NewID(), Room: "lobby", Text: "x"})
			}
		}},
	} {
		t.Run(row.limit, func(t *testing.T) {
			s, addr := startTLS(t, func(c *Config) { c.Limits = row.limits })
			b := newBystanders(t, addr)
			waitFor(t, func() bool { return s.Stats().Handshakes == 0 })
			if n := s.Stats().Limits[row.limit]; n != 0 {
				t.Fatalf("reached %d times before anything happened", n)
			}
			row.reach(target{t, addr}, s)
			// What was sent last may not have been read yet.
			waitFor(t, func() bool { return s.Stats().Limits[row.limit] > 0 })
			ack := b.ann.say("lobby", "still here")
			await(b.bob, func(e *protocol.Entry) bool { return e.ID == ack.ID })
		})
	}
}

// TestSessionsOfAKeyShareTheirRates: a second device is no second helping, and neither
// is to connect again.
func TestSessionsOfAKeyShareTheirRates(t *testing.T) {
	s, addr := startTLS(t, func(c *Config) { c.Limits = Limits{NickBurst: 3, Rooms: 2} })
	key := newKey(t)
	one, two := connectTLS(t, addr, key, "ann"), connectTLS(t, addr, key, "ann")
	for i, p := range []*peer{one, two, one} {
		p.send(&protocol.Nick{Ref: 9, Nick: fmt.Sprint("ann", i)})
		await(p, func(n *protocol.Nick) bool { return n.Ref == 9 })
	}
	two.fails(protocol.CodeLimit, &protocol.Nick{Ref: 9, Nick: "annabel"})
	one.join("one", 0)
	two.join("two", 0)
	two.fails(protocol.CodeLimit, &protocol.Join{Ref: 9, Room: "three"})
	two.join("one", 0)
	one.Close()
	two.Close()
	waitFor(t, func() bool { return sessions(s) == 0 })
	again := connectTLS(t, addr, key, "ann")
	again.fails(protocol.CodeLimit, &protocol.Nick{Ref: 9, Nick: "annabel"})
}

// TestAWholeRoomBehindOneAddressGetsIn: a hundred at once, by every door.
func TestAWholeRoomBehindOneAddressGetsIn(t *testing.T) {
	s, addr := startTLS(t)
	key := newKey(t)
	var all sync.WaitGroup
	for i := range 100 {
		all.Go(func() {
			hello := &protocol.Hello{Nick: fmt.Sprint("guest", i)}
			config := identity.GuestTLS(nil)
			switch i % 3 {
			case 1:
				config = key.ClientTLS(nil)
			case 2:
				config = nil
			}
			c, _, err := protocol.Dial(t.Context(), addr, config, hello)
			if err != nil {
				t.Error(err)
				return
			}
			t.Cleanup(func() { c.Close() })
			p := &peer{t, c, nil}
			p.join("lobby", 0)
		})
	}
	all.Wait()
	if n := sessions(s); n != 100 {
		t.Errorf("%d are in", n)
	}
}

// TestAGuestIsSentTheNewestAtFirst: who comes without a cursor is sent a hundred entries,
// and told of the others, which history has; who was cut off is sent all that was missed;
// and who asks for much again and again waits.
func TestAGuestIsSentTheNewestAtFirst(t *testing.T) {
	const total = 600
	s, addr := startTLS(t, func(c *Config) { c.Limits.PageRate, c.Limits.PageBurst = 2, 7 })
	ann := connectTLS(t, addr, newKey(t), "ann")
	ann.join("lobby", 0)
	for i := range total {
		ann.send(&protocol.Post{ID: protocol.NewID(), Room: "lobby", Text: fmt.Sprint(i)})
	}
	await(ann, func(a *protocol.Ack) bool { return a.Seq == total })
	hears := func(p *peer, after, first uint64) {
		t.Helper()
		p.send(&protocol.Join{Ref: 1, Room: "lobby", After: after})
		any1[*protocol.Joined](p)
		if first > after+1 {
			if m := any1[*protocol.Skipped](p); m.From != after+1 || m.To != first-1 {
				t.Errorf("behind %d: %+v", after, m)
			}
		}
		for want := first; want <= total; want++ {
			if e := any1[*protocol.Entry](p); e.Seq != want {
				t.Fatalf("behind %d: entry %d where %d belongs", after, e.Seq, want)
			}
		}
	}
	hears(connectTLS(t, addr, newKey(t), "key"), 0, 1)
	if s.stats.limits[limitPages].Load() != 0 {
		t.Error("somebody waits already")
	}
	guest := connect(t, addr, "guest")
	hears(guest, 0, total-99)
	guest.send(&protocol.History{Ref: 2, Room: "lobby", Before: total - 99, Limit: 500})
	if page := any1[*protocol.Page](guest); len(page.Entries) != guestPage || page.Entries[99].Seq != total-100 || !page.More {
		t.Errorf("a page of %d entries", len(page.Entries))
	}
	back := connect(t, addr, "back")
	hears(back, 1, 2)
	if s.stats.limits[limitPages].Load() != 0 {
		t.Error("who comes back once waits")
	}
	hears(back, 1, 2)
	back.send(&protocol.Who{Ref: 3, Room: "lobby"})
	if m := any1[*protocol.Slow](back); m.Why != "rate" {
		t.Errorf("%+v", m)
	}
}

// TestWhoIsBusy: what comes in masses goes to the log without haste: from a user who
// posts much, from an address of whose guests all post much together, or from which
// connections come all the time; and not what somebody says now and then.
func TestWhoIsBusy(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &Server{limits: DefaultLimits}
		address := new(share)
		from := func(addr string) *session {
			return &session{srv: s, door: &lines{}, addr: netip.MustParseAddr(addr), link: &link{share: address},
				person: &person{own: new(allowance), guest: true}, ended: make(chan struct{})}
		}
		post := func(ss *session, times int) *session {
			for range times {
				ss.waitFor(posting)
			}
			return ss
		}
		is := func(ss *session, want bool, what string) {
			t.Helper()
			if ss.isBusy() != want {
				t.Errorf("%s: busy %v", what, !want)
			}
		}
		l := &s.limits
		ann := post(from("10.0.0.1"), l.PostBurst/10)
		is(ann, false, "somebody says a few lines")
		is(post(ann, 1), true, "and more")
		time.Sleep(time.Second)
		is(ann, false, "a second later")
		for range l.AddressShare {
			post(from("10.0.0.1"), l.PostBurst/10+1)
		}
		is(from("10.0.0.1"), true, "much was said from the address")
		is(from("127.0.0.1"), false, "this host's own address")
		time.Sleep(time.Minute)
		is(from("10.0.0.1"), false, "a minute later")
		for range l.ArrivalBurst/10 + 1 {
			address.allowance[arriving].try(time.Now(), l.pace(arriving))
		}
		is(from("10.0.0.1"), true, "many connections have come")
	})
}

// TestMassesHaveNoHurry: what a busy user posts is committed with what others say, or a
// tenth of a second later.
func TestMassesHaveNoHurry(t *testing.T) {
	_, addr := start(t, func(c *Config) { c.Limits.PostRate, c.Limits.PostBurst = 1, 50 })
	bob := connect(t, addr, "bob")
	bob.join("lobby", 0)
	for range 10 {
		bob.say("lobby", "buy my coins")
	}
	sent := time.Now()
	if bob.say("lobby", "and more"); time.Since(sent) < 90*time.Millisecond {
		t.Errorf("it is committed after %v", time.Since(sent))
	}
}

// fromAddr is a connection that says it comes from somewhere.
type fromAddr struct {
	net.Conn
	addr string
}

func (c fromAddr) RemoteAddr() net.Addr {
	return net.TCPAddrFromAddrPort(netip.MustParseAddrPort(c.addr))
}

// TestHandshakesOfOneAddressWaitTheirTurn: those over the limit wait, the first first, and are told in the end; others do not wait.
func TestHandshakesOfOneAddressWaitTheirTurn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := New(Config{Log: roomlog.Local(roomlog.NewMemory()), Limits: Limits{AddressHandshakes: 2}})
		defer s.log.Close()
		defer s.running.Wait()
		defer s.Close()
		come := func(from string) net.Conn {
			near, far := net.Pipe()
			s.begin(fromAddr{far, from})
			synctest.Wait()
			return near
		}
		listen := func(nc net.Conn) *string {
			heard := new(string)
			go func() {
				b := make([]byte, 200)
				n, _ := nc.Read(b)
				*heard = string(b[:n])
				nc.Close()
			}()
			return heard
		}
		stuck1, stuck2 := come("[2001:db8::1]:1"), come("[2001:db8::2]:1") // one network
		stuck1.Write([]byte{0})
		stuck2.Write([]byte{0})
		synctest.Wait()
		third, fourth := come("[2001:db8::3]:1"), come("[2001:db8::4]:1")
		other := come("[2001:db8:0:1::1]:1")
		if n := s.handshakes.Load(); n != 3 {
			t.Errorf("%d handshakes run, want two of one network and one of the other", n)
		}
		heard := listen(other)
		time.Sleep(greetAfter) // in the bubble
		synctest.Wait()
		if !strings.HasPrefix(*heard, protocol.Greeting) {
			t.Errorf("who comes from elsewhere hears %q", *heard)
		}
		stuck1.Close()
		synctest.Wait()
		if n := s.handshakes.Load(); n != 2 {
			t.Errorf("%d handshakes run behind the end of one", n)
		}
		third.Write([]byte{0})
		last := listen(fourth)
		time.Sleep(protocol.HandshakeTimeout)
		synctest.Wait()
		if *last != "" && !strings.HasPrefix(*last, protocol.Busy) && !strings.HasPrefix(*last, protocol.Greeting) {
			t.Errorf("the last hears %q", *last)
		}
		if *last == "" {
			t.Error("the last hears nothing")
		}
		stuck2.Close()
		third.Close()
	})
}

// TestSharesAreBounded: addresses and users that come and go do not pile up, and what
// was used up is forgotten only when there are too many.
func TestSharesAreBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := DefaultLimits
		table := shares[int]{people: 1, limits: &l}
		held := table.hold(-1, 9)
		for i := range 3 * sharesKept {
			one := table.hold(i, 1)
			if table.hold(i, 1) != nil {
				t.Fatal("one more than most")
			}
			one.allowance[renaming].take(time.Now(), l.pace(renaming))
			table.drop(i)
			if i%1000 == 0 {
				time.Sleep(time.Millisecond)
			}
		}
		if n := len(table.known); n > sharesKept+1 || table.idle != n-1 {
			t.Errorf("%d are known, %d of them idle", n, table.idle)
		}
		if table.hold(-1, 9) != held {
			t.Error("one that is held was forgotten")
		}
		table.drop(-1)
		newest := 3*sharesKept - 1
		if one := table.hold(newest, 1); one.allowance[renaming].full(time.Now(), l.pace(renaming)) {
			t.Error("what the newest has used is forgotten")
		}
		table.drop(newest)
		time.Sleep(time.Hour)
		table.hold(newest, 1)
		table.drop(newest)
		table.mu.Lock()
		table.sweep(time.Now())
		table.mu.Unlock()
		if len(table.known) != 1 {
			t.Errorf("%d are known an hour later", len(table.known))
		}
	})
}

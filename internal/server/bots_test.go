package server

import (
	"context"
	"net"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"lanchat/internal/roomlog"
	"lanchat/protocol"
)

// pipes is a listener whose connections stay within the process, so that time is
// the bubble's.
type pipes struct {
	conns  chan net.Conn
	closed chan struct{}
}

func (p *pipes) Accept() (net.Conn, error) {
	select {
	case nc := <-p.conns:
		return nc, nil
	case <-p.closed:
		return nil, net.ErrClosed
	}
}

func (p *pipes) Close() error {
	select {
	case <-p.closed:
	default:
		close(p.closed)
	}
	return nil
}

func (p *pipes) Addr() net.Addr { return &net.TCPAddr{} }

// inBubble runs a test with a server in time of its own. enter connects somebody
// who is in the lobby.
func inBubble(t *testing.T, test func(t *testing.T, s *Server, enter func(nick string, bot bool) *peer)) {
	synctest.Test(t, func(t *testing.T) {
		log := roomlog.Local(roomlog.NewMemory())
		s := New(Config{Name: "Hack Night", Log: log, Limits: Limits{PostBurst: 1_000_000}})
		l := &pipes{make(chan net.Conn), make(chan struct{})}
		served := make(chan struct{})
		go func() { defer close(served); s.Serve(context.Background(), l) }()
		defer func() {
			s.Close()
			<-served
			if err := log.Close(); err != nil {
				t.Error(err)
			}
		}()
		test(t, s, func(nick string, bot bool) *peer {
			here, there := net.Pipe()
			t.Cleanup(func() { here.Close() })
			l.conns <- there
			conn, welcome, err := protocol.Handshake(t.Context(), here, &protocol.Hello{Nick: nick, Bot: bot})
			if err != nil {
				t.Fatal(err)
			}
			p := &peer{t, conn, welcome}
			p.join("lobby", 0)
			return p
		})
	})
}

// robot is a bot that answers every entry that answers says, for as long as the
// connection lasts.
type robot struct {
	*peer
	posted, refused atomic.Int64
	lastWord        atomic.Pointer[protocol.Error]
}

func (c *robot) run(answers func(*protocol.Entry) bool) {
	for {
		m, err := c.Read()
		if err != nil {
			return
		}
		switch m := m.(type) {
		case *protocol.Entry:
			if answers(m) && c.Write(&protocol.Post{ID: protocol.NewID(), Room: m.Room, Text: "and what do you say to: " + m.Nick + "?"}) != nil {
				return
			}
		case *protocol.Ack:
			c.posted.Add(1)
		case *protocol.Error:
			c.refused.Add(1)
			c.lastWord.Store(m)
		}
	}
}

func TestBotsThatAnswerEachOther(t *testing.T) {
	inBubble(t, func(t *testing.T, s *Server, enter func(string, bool) *peer) {
		ann := enter("ann", false)
		var bots [2]*robot
		for i, nick := range []string{"echo", "eliza"} {
			c := &robot{peer: enter(nick, true)}
			bots[i] = c
			go c.run(func(e *protocol.Entry) bool { return e.User != c.welcome.User })
		}
		posted := func() (n int64) {
			synctest.Wait()
			return bots[0].posted.Load() + bots[1].posted.Load()
		}
		go func() { // what ann is sent is read
			for {
				if _, err := ann.Read(); err != nil {
					return
				}
			}
		}()
		say := func() {
			if err := ann.Write(&protocol.Post{ID: protocol.NewID(), Room: "lobby", Text: "hello"}); err != nil {
				t.Fatal(err)
			}
		}
		begin := time.Now()
		say() // both answer, and answer the answers
		if n := posted(); n != 500 || time.Since(begin) > 0 {
			t.Fatalf("they posted %d times in %v, want 500", n, time.Since(begin))
		}
		refused := bots[0].lastWord.Load()
		if refused == nil {
			refused = bots[1].lastWord.Load()
		}
		if refused == nil || refused.Code != protocol.CodeLimit || refused.ID.IsZero() || !strings.Contains(refused.Text, "again in 1s, or as soon as a person posts") {
			t.Errorf("the last one was told %+v", refused)
		}
		time.Sleep(time.Minute)
		if n := posted(); n != 500 {
			t.Errorf("%d posts: they began again by themselves", n)
		}
		say()
		if n := posted(); n != 1000 {
			t.Errorf("%d posts after a person's second word, want 500 more", n)
		}
		// A person is not held up while they may not speak.
		head := s.rooms["lobby"].head.Load()
		for range 50 {
			say()
		}
		synctest.Wait()
		if n := s.rooms["lobby"].head.Load() - head; n < 50 {
			t.Errorf("of 50 words of a person %d are in the room", n)
		}
	})
}

func TestBotThatAnswersItself(t *testing.T) {
	inBubble(t, func(t *testing.T, s *Server, enter func(string, bool) *peer) {
		c := &robot{peer: enter("narcissus", true)}
		go c.run(func(*protocol.Entry) bool { return true })
		if err := c.Write(&protocol.Post{ID: protocol.NewID(), Room: "lobby", Text: "mirror, mirror"}); err != nil {
			t.Fatal(err)
		}
		synctest.Wait()
		if n := c.posted.Load(); n != 500 {
			t.Errorf("it posted %d times", n)
		}
		// To leave an empty room and come back makes no difference.
		c.Close()
		synctest.Wait()
		again := enter("narcissus", true)
		again.fails(protocol.CodeLimit, &protocol.Post{ID: protocol.NewID(), Room: "lobby", Text: "still there?"})
		again.fails(protocol.CodeLimit, &protocol.Topic{Ref: 4, Room: "lobby", Topic: "me"})
		time.Sleep(time.Second)
		again.say("lobby", "one more")
		again.fails(protocol.CodeLimit, &protocol.Post{ID: protocol.NewID(), Room: "lobby", Text: "and one"})
		// Another room is another matter.
		again.join("kitchen", 0)
		again.say("kitchen", "hello")
	})
}

// What was acknowledged is acknowledged again, whatever the limit says by then.
func TestBotSendsAgainOverTheLimit(t *testing.T) {
	_, addr := start(t, func(c *Config) { c.Limits.BotBurst = 2 })
	c, _, err := protocol.Dial(t.Context(), addr, nil, &protocol.Hello{Nick: "robot", Bot: true})
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	bot := &peer{t, c, nil}
	bot.join("lobby", 0)
	first := &protocol.Post{ID: protocol.NewID(), Room: "lobby", Text: "one"}
	bot.send(first)
	seq := any1[*protocol.Ack](bot).Seq
	target := first.ID
	bot.send(&protocol.Post{ID: protocol.NewID(), Room: "lobby", Kind: protocol.KindReaction, Text: "👍", Target: target})
	any1[*protocol.Ack](bot) // a reaction is a post too
	bot.fails(protocol.CodeLimit, &protocol.Post{ID: protocol.NewID(), Room: "lobby", Kind: protocol.KindEdit, Text: "ONE", Target: target})
	bot.send(first)
	if again := any1[*protocol.Ack](bot); again.Seq != seq {
		t.Errorf("sent again it is %d, and was %d", again.Seq, seq)
	}
	ann := connect(t, addr, "ann")
	ann.join("lobby", 0)
	ann.say("lobby", "go on")
	bot.say("lobby", "gladly")
}

// Who is in a room as a person is one there, whatever else of theirs is.
func TestBotIsASession(t *testing.T) {
	_, addr := startTLS(t)
	key := newKey(t)
	watcher := connectTLS(t, addr, newKey(t), "watcher")
	watcher.join("lobby", 0)
	bot := connectTLSAs(t, addr, key, &protocol.Hello{Nick: "ann", Bot: true})
	bot.join("lobby", 0)
	shown := func(want bool) {
		t.Helper()
		await(watcher, func(p *protocol.Presence) bool {
			return slices.ContainsFunc(p.Joined, func(m protocol.Member) bool { return m.Nick == "ann" && m.Bot == want })
		})
	}
	shown(true)
	ann := connectTLS(t, addr, key, "ann")
	ann.join("lobby", 0)
	shown(false)
	bot.say("lobby", "beep")
	if !watcher.hears("beep").Bot {
		t.Error("the bot's word is not marked")
	}
	ann.say("lobby", "hello")
	if watcher.hears("hello").Bot {
		t.Error("the person's word is marked as a bot's")
	}
	ann.Close()
	shown(true)
}

func TestFullBotBucketsAreForgotten(t *testing.T) {
	l := DefaultLimits
	now := time.Now()
	var b botTalk
	for range 10 * botRoomsSwept {
		b.take(protocol.NewID().String(), now, &l)
		now = now.Add(time.Second)
	}
	if n := len(b.rooms); n > botRoomsSwept {
		t.Errorf("%d rooms are remembered", n)
	}
}

package server

import (
	"errors"
	"fmt"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"lanchat/internal/access"
	"lanchat/internal/roomlog"
	"lanchat/protocol"
)

// actor is somebody with a role, who asks about one room: of the columns of the table.
type actor struct {
	*peer
	room  string
	who   access.Who
	heard []protocol.Message // all that ever came
}

// columns are the actors, in the order of the table: in the room open a guest, a member,
// an op and an admin; in the private room secret a guest, somebody who is not invited,
// somebody who is, an op and an admin.
var columns = []struct{ nick, room string }{
	{"g1", "open"}, {"member", "open"}, {"op", "open"}, {"admin", "open"},
	{"g2", "secret"}, {"outsider", "secret"}, {"invited", "secret"}, {"keeper", "secret"}, {"admin", "secret"},
}

// outcomes are the letters of the table.
var outcomes = map[protocol.Code]byte{"": '+', protocol.CodeForbidden: 'F', protocol.CodeNotFound: 'N', protocol.CodeUnsupported: 'U', protocol.CodeLimit: 'L'}

// stage is a server with all actors on it.
type stage struct {
	*testing.T
	*Server
	addr    string
	actors  []*actor
	victim  protocol.UserID
	victims protocol.ID  // what the victim has said
	join    func() *peer // the victim, in both rooms
	watcher *peer        // in both rooms
	said    map[string]*protocol.Ack
	pings   uint64

	invitation string // its name
}

// line is one row: what is asked, and what becomes of it for each column.
type line struct {
	name string
	ask  func(s *stage, a *actor) protocol.Message
	want string
	// before makes what the row is about, effect whether what has no answer was done.
	before func(s *stage, a *actor)
	effect func(s *stage, a *actor) bool
}

func post(kind protocol.Kind, text string) func(*stage, *actor) protocol.Message {
	return func(s *stage, a *actor) protocol.Message {
		m := &protocol.Post{ID: protocol.NewID(), Room: a.room, Kind: kind, Text: text}
		if kind == protocol.KindEdit || kind == protocol.KindDelete || kind == protocol.KindReaction {
			m.Target = s.said[a.room].ID
		}
		return m
	}
}

func do(deed protocol.Deed, who string, length uint32) func(*stage, *actor) protocol.Message {
	return func(_ *stage, a *actor) protocol.Message {
		return &protocol.Moderate{Ref: 9, Do: deed, Room: a.room, Who: who, For: length, Text: "a word"}
	}
}

func doAll(deed protocol.Deed, who string) func(*stage, *actor) protocol.Message {
	return func(*stage, *actor) protocol.Message {
		return &protocol.Moderate{Ref: 9, Do: deed, Who: who, Text: map[protocol.Deed]string{protocol.DeedAnnounce: "listen"}[deed]}
	}
}

func revoke(s *stage, a *actor) protocol.Message {
	return &protocol.Moderate{Ref: 9, Do: protocol.ModRevoke, Room: a.room, Who: s.invitation}
}

// invited has an open invitation to the actor's room.
func (s *stage) invited(a *actor) {
	_, i, err := s.rules.Invite(a.room, 1, 0)
	s.check(err)
	s.invitation = i.Name
}

func muted(s *stage, a *actor) { s.check(s.rules.Mute(a.room, a.who.User, time.Time{})) }

// table has every message that a client sends, every kind of post and every deed. Whose
// answer is a list is looked at in what was heard, too: nothing of the room secret ever
// reaches g2 or outsider.
var table = []line{
	{name: "join", want: "++++NN+++", ask: func(_ *stage, a *actor) protocol.Message { return &protocol.Join{Ref: 9, Room: a.room} }},
	{name: "leave", want: "++++NN+++", ask: func(_ *stage, a *actor) protocol.Message { return &protocol.Leave{Ref: 9, Room: a.room} }},
	{name: "history", want: "++++NN+++", ask: func(_ *stage, a *actor) protocol.Message { return &protocol.History{Ref: 9, Room: a.room} }},
	{name: "search", want: "++++NN+++", ask: func(_ *stage, a *actor) protocol.Message {
		return &protocol.Search{Ref: 9, Room: a.room, Query: "words"}
	}},
	{name: "search in:", want: "++++NN+++", ask: func(_ *stage, a *actor) protocol.Message {
		return &protocol.Search{Ref: 9, Query: "words in:" + a.room}
	}},
	{name: "search everywhere", want: "+++++++++", ask: func(*stage, *actor) protocol.Message { return &protocol.Search{Ref: 9, Query: "words"} }},
	{name: "search from", want: "+++++++++", ask: func(*stage, *actor) protocol.Message { return &protocol.Search{Ref: 9, Query: "from:watcher"} }},
	{name: "who", want: "++++NN+++", ask: func(_ *stage, a *actor) protocol.Message { return &protocol.Who{Ref: 9, Room: a.room} }},
	{name: "rooms", want: "+++++++++", ask: func(*stage, *actor) protocol.Message { return &protocol.Rooms{Ref: 9} }},
	{name: "rooms after", want: "+++++++++", ask: func(*stage, *actor) protocol.Message { return &protocol.Rooms{Ref: 9, After: "secre"} }},
	{name: "rooms direct", want: "+++++++++", ask: func(*stage, *actor) protocol.Message { return &protocol.Rooms{Ref: 9, Direct: true} }},
	{name: "nick", want: "+++++++++", ask: func(_ *stage, a *actor) protocol.Message {
		return &protocol.Nick{Ref: 9, Nick: a.welcome.Nick}
	}},
	{name: "topic", want: "++++NN+++", ask: func(_ *stage, a *actor) protocol.Message {
		return &protocol.Topic{Ref: 9, Room: a.room, Topic: "hush"}
	}},
	{name: "topic, locked", want: "FF++NNF++", ask: func(_ *stage, a *actor) protocol.Message {
		return &protocol.Topic{Ref: 9, Room: a.room, Topic: "hush"}
	}, before: func(s *stage, a *actor) { s.check(s.rules.SetLocked(a.room, true)) }},
	{name: "topic, muted", want: "FF++NNF++", before: muted, ask: func(_ *stage, a *actor) protocol.Message {
		return &protocol.Topic{Ref: 9, Room: a.room, Topic: "hush"}
	}},
	{name: "invite", want: "++++NNF++", ask: func(_ *stage, a *actor) protocol.Message { return &protocol.Invite{Ref: 9, Room: a.room} }},
	{name: "read", want: ".+++..+++", ask: func(s *stage, a *actor) protocol.Message {
		return &protocol.Read{Room: a.room, Seq: s.said[a.room].Seq}
	}, effect: func(s *stage, a *actor) bool { return s.log.Marker(a.who.User, a.room) > 0 }},
	{name: "typing", want: "++++..+++", ask: func(_ *stage, a *actor) protocol.Message { return &protocol.Typing{Room: a.room} }, effect: typed},
	{name: "ping", want: "+++++++++", ask: func(*stage, *actor) protocol.Message { return &protocol.Ping{N: 1} }, effect: always},
	{name: "whois", want: "+++++++++", ask: func(*stage, *actor) protocol.Message { return &protocol.Whois{Ref: 9, Who: "watcher"} }},
	{name: "whois, away", want: "+++++++++", before: (*stage).binds, ask: func(*stage, *actor) protocol.Message { return &protocol.Whois{Ref: 9, Who: "victim"} }},
	{name: "refuse", want: "F+++F++++", ask: func(*stage, *actor) protocol.Message { return &protocol.Refuse{Ref: 9} }},
	{name: "refuse, somebody", want: "F+++F++++", ask: func(*stage, *actor) protocol.Message { return &protocol.Refuse{Ref: 9, Who: "watcher"} }},
	{name: "hello", want: ".........", ask: func(*stage, *actor) protocol.Message { return &protocol.Hello{Nick: "admin"} }, effect: never},
	{name: "auth", want: ".........", ask: func(*stage, *actor) protocol.Message { return &protocol.Auth{} }, effect: never},

	{name: "post", want: "++++NN+++", ask: post(protocol.KindText, "words")},
	{name: "post, muted", want: "FF++NNF++", before: muted, ask: post(protocol.KindText, "words")},
	{name: "post, too early", want: "LL++NNL++", ask: post(protocol.KindText, "words"), before: func(s *stage, a *actor) {
		s.check(s.rules.SetSlow(a.room, 3600))
		_ = s.rules.Posts(a.who, a.room)
	}},
	{name: "post action", want: "++++NN+++", ask: post(protocol.KindAction, "words")},
	{name: "post reaction", want: "++++NN+++", ask: post(protocol.KindReaction, "+1")},
	{name: "post reaction, muted", want: "FF++NNF++", before: muted, ask: post(protocol.KindReaction, "+2")},
	{name: "post edit, another's", want: "FFFFNNFFF", ask: post(protocol.KindEdit, "words")},
	{name: "post delete, another's", want: "FF++NNF++", before: (*stage).say, ask: post(protocol.KindDelete, "")},
	{name: "post topic", want: "UUUUNNUUU", ask: post(protocol.KindTopic, "words")},
	{name: "post announce", want: "UUUUNNUUU", ask: post(protocol.KindAnnounce, "words")},
	{name: "post deed", want: "UUUUNNUUU", ask: post(protocol.KindDeed, "has banned everybody")},

	{name: "moderate kick", want: "FF++NNF++", before: (*stage).comes, ask: do(protocol.DeedKick, "victim", 0)},
	{name: "moderate mute", want: "FF++NNF++", ask: do(protocol.DeedMute, "victim", 60)},
	{name: "moderate unmute", want: "FF++NNF++", ask: do(protocol.DeedUnmute, "victim", 0)},
	{name: "moderate op", want: "FF++NNF++", ask: do(protocol.DeedOp, "victim", 0)},
	{name: "moderate deop", want: "FF++NNF++", ask: do(protocol.DeedDeop, "victim", 0), before: func(s *stage, a *actor) { s.check(s.rules.SetOp(a.room, s.victim, true)) }},
	{name: "moderate lock", want: "FF++NNF++", ask: do(protocol.DeedLock, "", 0)},
	{name: "moderate unlock", want: "FF++NNF++", ask: do(protocol.DeedUnlock, "", 0)},
	{name: "moderate slow", want: "FF++NNF++", ask: do(protocol.DeedSlow, "", 1)},
	{name: "moderate public", want: "FF++NNF++", ask: do(protocol.DeedPublic, "", 0)},
	{name: "moderate private", want: "FF++NNF++", ask: do(protocol.DeedPrivate, "", 0)},
	{name: "moderate private, a new room", want: "F+++F++++", ask: func(_ *stage, a *actor) protocol.Message {
		return &protocol.Moderate{Ref: 9, Do: protocol.DeedPrivate, Room: strings.ToLower(a.welcome.Nick) + "-" + a.room[:3]}
	}},
	{name: "moderate uninvite", want: "FF++NNF++", ask: do(protocol.DeedUninvite, "victim", 0)},
	{name: "moderate ban", want: "FFF+FFFF+", before: (*stage).binds, ask: doAll(protocol.DeedBan, "victim")},
	{name: "moderate unban", want: "FFF+FFFF+", ask: doAll(protocol.DeedUnban, "victim"), before: func(s *stage, _ *actor) { s.check(s.rules.BanUser(s.victim, access.Ban{})) }},
	{name: "moderate bans", want: "FFF+FFFF+", ask: doAll(protocol.DeedBans, "")},
	{name: "moderate announce", want: "FFF+FFFF+", ask: doAll(protocol.DeedAnnounce, "")},
	{name: "moderate invite", want: "FF++NNF++", ask: do(protocol.ModInvite, "victim", 0)},
	{name: "moderate invites", want: "FF++NNF++", ask: do(protocol.ModInvites, "", 0)},
	{name: "moderate invites, of all rooms", want: "FFF+FFFF+", ask: doAll(protocol.ModInvites, "")},
	{name: "moderate revoke", want: "FF++NNF++", before: (*stage).invited, ask: revoke},
	{name: "moderate revoke, of any room", want: "FFF+FFFF+", before: (*stage).invited, ask: func(s *stage, a *actor) protocol.Message {
		m := revoke(s, a).(*protocol.Moderate)
		m.Room = ""
		return m
	}},
	{name: "moderate rules", want: "FFF+NNFF+", ask: do(protocol.ModRules, "", 0)},
	{name: "moderate rules, by somebody", want: "FFF+FFFF+", ask: doAll(protocol.ModRules, "victim")},
	{name: "moderate drop-rules", want: "FFF+NNFF+", ask: do(protocol.ModDropRules, "", 0)},
	{name: "moderate drop-rules, by somebody", want: "FFF+FFFF+", ask: doAll(protocol.ModDropRules, "victim")},
	{name: "moderate purge", want: "...+....+", before: (*stage).victimPosts, ask: func(*stage, *actor) protocol.Message {
		return &protocol.Moderate{Ref: 10, Do: protocol.ModPurge, Who: "victim"}
	}, effect: func(s *stage, a *actor) bool {
		waitFor(s, func() bool { s.deeds.Lock(); defer s.deeds.Unlock(); return !s.purging })
		e, _, err := s.log.Find(s.Context(), s.victims)
		s.check(err)
		return e.Gone
	}},
	{name: "moderate delete-room", want: "FFF+FFFF+", ask: func(*stage, *actor) protocol.Message {
		return &protocol.Moderate{Ref: 9, Do: protocol.ModDeleteRoom, Room: "scratch"}
	}, before: func(s *stage, _ *actor) {
		s.watcher.join("scratch", 0)
		s.watcher.say("scratch", "words")
	}},
	{name: "moderate free", want: "FFF+FFFF+", ask: doAll(protocol.ModFree, "victim"), before: (*stage).binds},
	{name: "moderate juggle", want: "UUUUNNUUU", ask: do("juggle", "", 0)},
}

// fromServer are the messages that a server alone sends: from a client they do nothing.
var fromServer = []protocol.Message{
	&protocol.Welcome{}, &protocol.Joined{Room: "secret"}, &protocol.Left{Room: "secret"}, &protocol.Ack{Room: "secret"}, &protocol.Entry{Room: "secret", Text: "x"},
	&protocol.Page{Room: "secret"}, &protocol.Found{}, &protocol.Pong{}, &protocol.Presence{Room: "secret"}, &protocol.Slow{}, &protocol.Skipped{Room: "secret"},
	&protocol.Bye{}, &protocol.Notice{}, &protocol.Error{Code: protocol.CodeInternal},
}

func always(*stage, *actor) bool { return true }
func never(*stage, *actor) bool  { return false }

// typed reports whether the room has heard that somebody writes. What was there before
// the first ping has come before the second pong.
func typed(s *stage, a *actor) (heard bool) {
	for range 2 {
		s.pings++
		s.watcher.send(&protocol.Ping{N: s.pings})
		for done := false; !done; {
			m, err := s.watcher.Read()
			s.check(err)
			switch m := m.(type) {
			case *protocol.Typing:
				heard = heard || m.User == a.who.User && m.Room == a.room
			case *protocol.Pong:
				done = m.N == s.pings
			}
		}
	}
	return heard
}

func (s *stage) check(err error) {
	s.Helper()
	if err != nil {
		s.Fatal(err)
	}
}

// say has the watcher say something anew, for others to be about.
func (s *stage) say(a *actor) { s.said[a.room] = s.watcher.say(a.room, "words of "+a.room) }

// victimPosts has the victim say something.
func (s *stage) victimPosts(a *actor) { s.victims = s.join().say(a.room, "a word").ID }

// binds has the victim's nick bound, though the victim is away.
func (s *stage) binds(*actor) {
	_, err := s.log.BindNick("victim", s.victim, time.Now())
	s.check(err)
}

// comes has the victim in both rooms.
func (s *stage) comes(*actor) { s.join() }

// reset makes the rules what they were before any row.
func (s *stage) reset() {
	r := s.rules
	for _, room := range []string{"open", "secret"} {
		s.check(errors.Join(r.SetPrivate(room, room == "secret"), r.SetLocked(room, false), r.SetSlow(room, 0), r.Unmute(room, s.victim), r.SetOp(room, s.victim, false)))
		for _, a := range s.actors {
			s.check(r.Unmute(room, a.who.User))
		}
	}
	s.check(errors.Join(r.Admit("secret", s.victim, true), r.Admit("secret", s.actors[6].who.User, true), r.SetOp("open", s.actors[2].who.User, true), r.SetOp("secret", s.actors[7].who.User, true)))
	for key := range r.Bans() {
		_, err := r.Unban(key)
		s.check(err)
	}
	s.deeds.Lock()
	s.announced = time.Time{}
	s.deeds.Unlock()
	s.kicks.mu.Lock()
	clear(s.kicks.until)
	s.kicks.mu.Unlock()
}

// ask sends a request and returns the letter for what has become of it.
func (s *stage) ask(a *actor, l *line) byte {
	m := l.ask(s, a)
	a.send(m)
	if l.effect != nil {
		a.sync()
		if l.effect(s, a) {
			return '+'
		}
		return '.'
	}
	code := protocol.Code("")
	a.until(func(got protocol.Message) bool {
		switch got := got.(type) {
		case *protocol.Error:
			code = got.Code
			return true
		case *protocol.Ack:
			p, ok := m.(*protocol.Post)
			return ok && got.ID == p.ID
		}
		return strings.Contains(fmt.Sprintf("%+v", got), "{Ref:9 ")
	})
	if outcome, known := outcomes[code]; known {
		return outcome
	}
	s.Errorf("%s by %s: the code is %s", l.name, a.welcome.Nick, code)
	return '?'
}

func (a *actor) sync() {
	a.send(&protocol.Ping{N: 77})
	a.until(func(m protocol.Message) bool { p, ok := m.(*protocol.Pong); return ok && p.N == 77 })
}

func (a *actor) until(is func(protocol.Message) bool) {
	a.Helper()
	timer := time.AfterFunc(10*time.Second, func() { a.Close() })
	defer timer.Stop()
	for {
		m, err := a.Read()
		if err != nil {
			a.Fatalf("%s: %v", a.welcome.Nick, err)
		}
		a.heard = append(a.heard, m)
		if is(m) {
			return
		}
	}
}

func newStage(t *testing.T) *stage {
	store, err := roomlog.OpenSQLite(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	rules, err := access.Open(roomlog.NewMemory(), nil)
	if err != nil {
		t.Fatal(err)
	}
	srv, addr := startTLS(t, func(c *Config) {
		c.Log.Close()
		c.Log, c.Rules = roomlog.Local(store), rules
	})
	s := &stage{T: t, Server: srv, addr: addr, said: map[string]*protocol.Ack{}}
	admin := newKey(t)
	rules.SetAdmins([]protocol.UserID{admin.Fingerprint().UserID()})
	for _, c := range columns {
		key := newKey(t)
		switch c.nick {
		case "admin":
			key = admin
		case "g1", "g2":
			key = nil
		}
		p := connectTLS(t, addr, key, c.nick)
		s.actors = append(s.actors, &actor{peer: p, room: c.room, who: access.Who{User: p.welcome.User, Guest: p.welcome.Guest}})
	}
	victim := newKey(t)
	s.victim = victim.Fingerprint().UserID()
	s.watcher = connectTLS(t, addr, newKey(t), "watcher")
	s.check(errors.Join(rules.SetPrivate("secret", true), rules.SetOp("open", s.actors[2].who.User, true), rules.SetOp("secret", s.actors[7].who.User, true),
		rules.Admit("secret", s.actors[6].who.User, true), rules.Admit("secret", s.watcher.welcome.User, true), rules.Admit("secret", s.victim, true)))
	s.join = func() *peer {
		p := connectTLS(t, addr, victim, "victim")
		p.join("open", 0)
		p.join("secret", 0)
		return p
	}
	s.join().Close()
	s.binds(nil)
	for _, room := range []string{"open", "secret"} {
		s.watcher.join(room, 0)
		s.said[room] = s.watcher.say(room, "words of "+room)
	}
	return s
}

// TestRights holds who may do what: every request for every role.
func TestRights(t *testing.T) {
	s := newStage(t)
	for i := range table {
		l := &table[i]
		var got []byte
		for _, a := range s.actors {
			a.send(&protocol.Join{Ref: 8, Room: a.room})
			a.until(func(m protocol.Message) bool {
				switch m := m.(type) {
				case *protocol.Joined:
					return m.Ref == 8
				case *protocol.Error:
					return m.Ref == 8
				}
				return false
			})
			if l.before != nil {
				l.before(s, a)
			}
			got = append(got, s.ask(a, l))
			s.reset()
		}
		if string(got) != l.want {
			t.Errorf("%s: %s, want %s", l.name, got, l.want)
		}
	}
	for _, a := range s.actors {
		a.send(fromServer...)
		a.sync()
		if a.room != "secret" || s.rules.Sees(a.who, a.room) {
			continue
		}
		for _, m := range a.heard {
			if strings.Contains(fmt.Sprintf("%+v", m), "secret") {
				t.Errorf("%s has heard of a private room: %T %+v", a.welcome.Nick, m, m)
			}
		}
	}
	if page, _, err := s.log.Read(t.Context(), roomlog.Range{Room: "secret", Limit: 1000, Bytes: 1 << 20}); err != nil || slices.ContainsFunc(page, func(e protocol.Entry) bool {
		return e.User == s.actors[4].who.User || e.User == s.actors[5].who.User
	}) {
		t.Errorf("somebody who is not invited wrote into the private room (%v)", err)
	}
}

// TestRightsAreWhole: what the protocol has and the table above lacks is a mistake, for
// then nobody has said who may do it.
func TestRightsAreWhole(t *testing.T) {
	var source []byte
	for _, file := range []string{"message.go", "registry.go"} {
		text, err := os.ReadFile("../../protocol/" + file)
		if err != nil {
			t.Fatal(err)
		}
		source = append(source, text...)
	}
	all := func(pattern string) (found []string) {
		for _, m := range regexp.MustCompile(pattern).FindAllStringSubmatch(string(source), -1) {
			found = append(found, m[1])
		}
		if len(found) < 7 {
			t.Fatalf("%s finds %q", pattern, found)
		}
		return found
	}
	has := func(name string) bool {
		return slices.ContainsFunc(table, func(l line) bool {
			return l.name == name || strings.HasPrefix(l.name, name+",") || strings.HasPrefix(l.name, name+" ")
		})
	}
	for _, name := range all(`wireName\(\) string +\{ return "(\w+)"`) {
		if !has(name) && !slices.ContainsFunc(fromServer, func(m protocol.Message) bool { return protocol.Name(m) == name }) {
			t.Errorf("nobody has said who may send %s", name)
		}
	}
	for _, deed := range all(`(?:Deed|Mod)\w+ +(?:Deed|ModAction) = "([\w-]+)"`) {
		if _, carried := deeds[protocol.Deed(deed)]; !has("moderate "+deed) || !carried || !slices.Contains(access.Deeds(), protocol.Deed(deed)) {
			t.Errorf("nobody has said who may %s, or nothing carries it out", deed)
		}
	}
	for do := range deeds {
		if !has("moderate "+string(do)) || !slices.Contains(access.Deeds(), do) {
			t.Errorf("nobody has said who may %s", do)
		}
	}
	for _, kind := range all(`Kind\w+ +Kind = "(\w+)"`) {
		if !has("post " + kind) {
			t.Errorf("nobody has said who may post the kind %s", kind)
		}
	}
	for _, l := range table {
		if len(l.want) != len(columns) {
			t.Errorf("%s: %d of %d columns", l.name, len(l.want), len(columns))
		}
	}
}

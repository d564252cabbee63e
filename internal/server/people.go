package server

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"
	"unicode/utf8"

	"lanchat/internal/roomlog"
	"lanchat/internal/safetext"
	"lanchat/protocol"
)

// people knows who is connected and under which nick.
type people struct {
	srv *Server
	// naming is held while a nick is granted: the log is asked, which may take
	// its time. mu is not, so that the committer never waits for the log here.
	naming sync.Mutex

	mu      sync.Mutex
	byUser  map[protocol.UserID]*person
	byNick  map[string]*person // by folded nick
	guests  int                // the last guest's number
	present int                // people who are in a room
}

// person is somebody who is connected, with one session or more: a key's
// sessions are one person, a guest's session is one of its own.
type person struct {
	user  protocol.UserID
	guest bool
	nick  atomic.Pointer[string]

	sessions map[*session]struct{} // guarded by people.mu, as is rooms
	rooms    int                   // in which the person is a member
}

func (p *person) name() string { return *p.nick.Load() }

func newPeople(s *Server) *people {
	return &people{srv: s, byUser: map[protocol.UserID]*person{}, byNick: map[string]*person{}}
}

// fold returns the form in which nicks are compared.
func fold(nick string) string { return strings.ToLower(nick) }

// checkNick reports why nobody may have this nick.
func checkNick(nick string) error {
	if err := protocol.ValidNick(nick); err != nil {
		return protocol.Errorf(protocol.CodeBadNick, "%v", err)
	}
	if safetext.Line(nick) != nick {
		return protocol.Errorf(protocol.CodeBadNick, "a nick has no characters that cannot be seen")
	}
	if strings.HasPrefix(fold(nick), guestPrefix) {
		return protocol.Errorf(protocol.CodeBadNick, "nicks that begin with %q are the server's to give", guestPrefix)
	}
	return nil
}

const guestPrefix = "guest-"

// arrive makes a session somebody's. The nick granted may be a free variant of
// the one wanted; without a wanted one a guest gets a number.
func (p *people) arrive(ss *session, user protocol.UserID, guest bool, want string) (*person, error) {
	if want != "" {
		if err := checkNick(want); err != nil {
			return nil, err
		}
	}
	p.naming.Lock()
	defer p.naming.Unlock()
	who := p.join(ss, user, guest)
	if want == "" {
		want = p.nextGuest()
	}
	if err := p.variant(who, want, ss); err != nil {
		p.leave(ss)
		return nil, err
	}
	return who, nil
}

// join adds a session to its person.
func (p *people) join(ss *session, user protocol.UserID, guest bool) *person {
	p.mu.Lock()
	defer p.mu.Unlock()
	who := p.byUser[user]
	if who == nil {
		who = &person{user: user, guest: guest, sessions: map[*session]struct{}{}}
		who.nick.Store(new(string))
		p.byUser[user] = who
	}
	who.sessions[ss] = struct{}{}
	ss.person = who
	return who
}

// nextGuest is the nick of somebody who asks for none. naming is held.
func (p *people) nextGuest() string {
	p.guests++
	return fmt.Sprint(guestPrefix, p.guests)
}

// variant gives a person want, or want-2, want-3, … when it is another's.
func (p *people) variant(who *person, want string, by *session) error {
	for n := 1; n <= 1000; n++ {
		if err := p.claim(who, variantOf(want, n), by); !errors.Is(err, roomlog.ErrNickTaken) {
			return err
		}
	}
	return protocol.Errorf(protocol.CodeNickTaken, "%s and its variants are taken", want)
}

func cutUTF8(s string, n int) string {
	if len(s) <= n {
		return s
	}
	for n > 0 && !utf8.RuneStart(s[n]) {
		n--
	}
	return s[:n]
}

// claim gives a person a nick, or fails with roomlog.ErrNickTaken. A key takes
// it from a guest, who gets a number instead. naming is held. The session by
// which the person asks is not told: it gets an answer.
func (p *people) claim(who *person, nick string, by *session) error {
	folded := fold(nick)
	if owner, bound := p.srv.log.NickOwner(folded); bound && owner != who.user {
		return roomlog.ErrNickTaken
	}
	p.mu.Lock()
	holder := p.byNick[folded]
	p.mu.Unlock()
	if holder != nil && holder != who && (who.guest || !holder.guest) {
		return roomlog.ErrNickTaken
	}
	if !who.guest {
		if err := p.srv.log.BindNick(folded, who.user, time.Now()); err != nil {
			return err
		}
	}
	if holder != nil && holder != who {
		p.rename(holder, p.nextGuest(), nil)
	}
	p.rename(who, nick, by)
	return nil
}

// rename sets a person's nick, and lets the person's sessions know, but the one
// that asked. naming is held.
func (p *people) rename(who *person, nick string, by *session) {
	p.mu.Lock()
	defer p.mu.Unlock()
	old := who.name()
	if p.byNick[fold(old)] == who {
		delete(p.byNick, fold(old))
	}
	if len(who.sessions) == 0 {
		return // gone meanwhile
	}
	p.byNick[fold(nick)] = who
	who.nick.Store(&nick)
	if old == "" || old == nick {
		return
	}
	for ss := range who.sessions {
		if ss != by {
			ss.nickChanged()
		}
	}
}

// setNick is a person's wish for another nick, by one of its sessions.
func (p *people) setNick(ss *session, nick string) error {
	if err := checkNick(nick); err != nil {
		return err
	}
	p.naming.Lock()
	defer p.naming.Unlock()
	err := p.claim(ss.person, nick, ss)
	if errors.Is(err, roomlog.ErrNickTaken) {
		return protocol.Errorf(protocol.CodeNickTaken, "%s is taken", nick)
	}
	return err
}

// leave ends a session's part in its person.
func (p *people) leave(ss *session) {
	p.mu.Lock()
	defer p.mu.Unlock()
	who := ss.person
	delete(who.sessions, ss)
	if len(who.sessions) > 0 {
		return
	}
	delete(p.byUser, who.user)
	if nick := fold(who.name()); p.byNick[nick] == who {
		delete(p.byNick, nick)
	}
}

// sessions returns the sessions of a user.
func (p *people) sessions(user protocol.UserID) []*session {
	p.mu.Lock()
	defer p.mu.Unlock()
	if who := p.byUser[user]; who != nil {
		return slices.Collect(maps.Keys(who.sessions))
	}
	return nil
}

// tellDirect tells both users of a direct talk that it exists.
func (p *people) tellDirect(room string, a, b protocol.UserID) {
	for _, u := range []protocol.UserID{a, b} {
		for _, ss := range p.sessions(u) {
			ss.noticeDirect(room)
		}
	}
}

func (p *people) entered(who *person) { p.countRooms(who, +1) }

func (p *people) departed(who *person) { p.countRooms(who, -1) }

func (p *people) countRooms(who *person, by int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	before := who.rooms > 0
	who.rooms += by
	switch after := who.rooms > 0; {
	case after && !before:
		p.present++
	case before && !after:
		p.present--
	default:
		return
	}
	if f := p.srv.cfg.OnPeople; f != nil {
		f(p.present)
	}
}

func (p *people) count() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.present
}

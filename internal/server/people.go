package server

import (
	"math"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"lanchat/internal/access"
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
	byKey   map[string]*person // by the keys of their nicks: see nicks.Keys
	guests  int                // the last guest's number
	present int                // people who are in a room

	binds binder
}

// person is somebody who is connected, with one session or more: a key's
// sessions are one person, a guest's session is one of its own.
type person struct {
	user  protocol.UserID
	guest bool
	own   *allowance
	nick  atomic.Pointer[string]
	known atomic.Bool  // some nick is bound to the person's key; else the person is fresh
	bound atomic.Bool  // this nick is
	since atomic.Int64 // when the nick went from another key to this one, Unix seconds; 0: never
	share *share       // of the user; nil for a guest

	binding atomic.Bool  // it is asked for that the nick is bound
	bindAt  atomic.Int64 // not before, Unix nanoseconds

	// Guarded by people.mu.
	came      time.Time // since when the time counts after which the nick is bound
	sessions  []*session
	rooms     int           // in which the person is a member
	invited   int           // of these, direct talks that somebody else has opened
	searching chan struct{} // see searchPlace; nil before the first search
}

func (p *person) name() string { return *p.nick.Load() }

// newKeyFor is how long people are told that a nick has changed hands.
const newKeyFor = 30 * 24 * time.Hour

// who is the person as the rules know one.
func (p *person) who() access.Who { return access.Who{User: p.user, Guest: p.guest} }

func newPeople(s *Server) *people {
	return &people{srv: s, byUser: map[protocol.UserID]*person{}, byKey: map[string]*person{}, binds: binder{wake: make(chan struct{}, 1)}}
}

// arrive makes a session somebody's. The nick granted may be a free variant of
// the one wanted; without a wanted one a guest gets a number.
func (p *people) arrive(ss *session, user protocol.UserID, guest bool, want string) (*person, error) {
	if want != "" {
		var err error
		if want, err = checkNick(want); err != nil {
			return nil, err
		}
	}
	p.naming.Lock()
	defer p.naming.Unlock()
	who := p.join(ss, user, guest, !guest && p.isKnown(user))
	if want == "" { // nobody else can have it
		p.rename(who, p.nextGuest(), ss)
		return who, nil
	}
	if err := p.variant(who, want, ss); err != nil {
		p.leave(ss)
		return nil, err
	}
	return who, nil
}

// join adds a session to its person. known counts where the person is new here.
func (p *people) join(ss *session, user protocol.UserID, guest, known bool) *person {
	p.mu.Lock()
	defer p.mu.Unlock()
	who := p.byUser[user]
	if who == nil {
		who = &person{user: user, guest: guest, came: time.Now()}
		who.known.Store(known)
		if guest {
			who.own = new(allowance)
		} else {
			who.share = p.srv.users.hold(user, math.MaxInt)
			who.own = &who.share.allowance
		}
		who.nick.Store(new(string))
		p.byUser[user] = who
	}
	who.sessions = append(who.sessions, ss)
	ss.person = who
	return who
}

// leave ends a session's part in its person.
func (p *people) leave(ss *session) {
	p.mu.Lock()
	defer p.mu.Unlock()
	who := ss.person
	who.sessions = slices.DeleteFunc(who.sessions, func(other *session) bool { return other == ss })
	if len(who.sessions) > 0 {
		return
	}
	delete(p.byUser, who.user)
	p.forget(who)
	if !who.guest {
		if who.share.here += time.Since(who.came); who.bound.Load() {
			who.share.here = 0
			p.touchNick(ss)
		}
		p.srv.users.drop(who.user)
	}
}

// inRooms counts the rooms in which a person is, without the direct talks that others
// have opened.
func (p *people) inRooms(who *person) int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return who.rooms - who.invited
}

// sessions returns the sessions of a user.
func (p *people) sessions(user protocol.UserID) []*session {
	p.mu.Lock()
	defer p.mu.Unlock()
	if who := p.byUser[user]; who != nil {
		return slices.Clone(who.sessions)
	}
	return nil
}

// searchPlace is held during a search, so that nobody has more than one at a time.
func (p *people) searchPlace(who *person) chan struct{} {
	p.mu.Lock()
	defer p.mu.Unlock()
	if who.searching == nil {
		who.searching = make(chan struct{}, 1)
	}
	return who.searching
}

func (p *people) entered(m *member) { p.countRooms(m, +1) }

func (p *people) departed(m *member) { p.countRooms(m, -1) }

func (p *people) countRooms(m *member, by int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	who := m.person
	before := who.rooms > 0
	who.rooms += by
	if m.invited {
		who.invited += by
	}
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

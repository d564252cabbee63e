package server

import (
	"cmp"
	"maps"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"time"

	"lanchat/internal/access"
	"lanchat/internal/nicks"
	"lanchat/internal/safetext"
	"lanchat/protocol"
)

// SetAdmins says who is an admin from now on. It may be called at any time; whoever
// was in a room by that right alone is put out.
func (s *Server) SetAdmins(users []protocol.UserID) {
	s.deeds.Lock()
	defer s.deeds.Unlock()
	s.rules.SetAdmins(users)
	s.endBanned()
	s.roomsMu.RLock()
	rooms := slices.Collect(maps.Keys(s.rooms))
	s.roomsMu.RUnlock()
	for _, room := range rooms {
		s.review(room)
	}
}

// subject is whom a deed is about.
type subject struct {
	who   access.Who
	nick  string       // as people know them; a guest's with its mark
	addrs []netip.Addr // from where they are here
	known bool         // they are here, or the nick is theirs; of an id: see mustBeKnown
}

// subject finds somebody by user id or nick: who is here, or has bound the nick. An id
// goes first, so that nobody hides behind another's id as a nick.
func (s *Server) subject(text string) (whom subject, err error) {
	text = strings.TrimLeft(text, "@~")
	if text == "" {
		return whom, protocol.Errorf(protocol.CodeBadNick, "whom? A nick or a user id is needed")
	}
	user, err := protocol.ParseUserID(strings.ToLower(text))
	isID := err == nil
	if !isID {
		user = protocol.UserID{}
	}
	p := s.people
	p.mu.Lock()
	here := p.byUser[user]
	if !isID {
		for _, key := range nicks.Keys(text) {
			here = cmp.Or(here, p.byKey[key])
		}
	}
	if here != nil {
		whom = subject{who: here.who(), nick: shownNick(here.name(), here.guest), known: true}
		for _, ss := range here.sessions {
			whom.addrs = append(whom.addrs, ss.addr.WithZone(""))
		}
	}
	p.mu.Unlock()
	if here != nil {
		return whom, nil
	}
	if isID {
		return subject{who: access.Who{User: user}, nick: user.String()[:6] + "…"}, nil
	}
	if user, bound := s.log.NickOwner(text); bound && !user.IsZero() {
		return subject{who: access.Who{User: user}, nick: safetext.Line(text), known: true}, nil
	}
	return whom, protocol.Errorf(protocol.CodeNotFound, "nobody here is called %s, and the nick is nobody's", safetext.Line(text))
}

// opened returns a room that somebody follows, or nil.
func (s *Server) opened(name string) *room {
	s.roomsMu.RLock()
	defer s.roomsMu.RUnlock()
	return s.rooms[name]
}

// review puts out of a room who may not be in it any more, and has all be told anew who
// is what in it.
func (s *Server) review(name string) {
	r := s.opened(name)
	if r == nil {
		return
	}
	r.putOut(func(ss *session) bool { return !s.rules.Sees(ss.person.who(), name) }, "this room is private, and you are not invited to it")
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, m := range r.members {
		if role := s.rules.Role(m.person.who(), name); role != m.role {
			r.touch(m.person)
		}
	}
}

// putOut ends the follows of some sessions, tells them why, and counts them.
func (r *room) putOut(whom func(*session) bool, why string) (n int) {
	r.mu.Lock()
	var out []*follow
	for _, f := range r.followers {
		if whom(f.session) {
			out = append(out, f)
		}
	}
	r.mu.Unlock()
	for _, f := range out {
		f.session.unfollow(f, &protocol.Left{Room: r.name, Text: why})
	}
	return len(out)
}

// endBanned ends the sessions of who may not enter, and returns the rooms in which they
// were, but direct talks.
func (s *Server) endBanned() []string {
	rooms := map[string]struct{}{}
	for _, ss := range s.allSessions() {
		err := s.rules.Enters(ss.person.user, ss.addr)
		if err == nil {
			continue
		}
		ss.mu.Lock()
		for _, f := range ss.follows {
			if _, _, direct := protocol.ParseDirectRoom(f.room.name); !direct && len(rooms) < toldRooms {
				rooms[f.room.name] = struct{}{}
			}
		}
		ss.mu.Unlock()
		ss.end(banned(err))
	}
	return sortedKeys(rooms)
}

// toldRooms is in how many rooms a ban is told.
const toldRooms = 100

// banned is the goodbye to somebody who may not be here: coming back is no use.
func banned(err error) *protocol.Bye {
	return &protocol.Bye{Code: protocol.CodeForbidden, Text: toError(err).Text}
}

func sortedKeys[V any](m map[string]V) []string { return slices.Sorted(maps.Keys(m)) }

const (
	kickFor   = time.Minute
	kicksMost = 4_096
)

// kicks remembers who was put out of which room a moment ago. Above kicksMost the oldest
// is forgotten.
type kicks struct {
	mu    sync.Mutex
	until map[kicked]time.Time
}

// kicked is somebody, by id, or guests of an address: a guest who connects anew has
// another id.
type kicked struct {
	room string
	user protocol.UserID
	addr netip.Addr
}

func kickedAs(room string, who access.Who, addrs []netip.Addr) (all []kicked) {
	all = []kicked{{room: room, user: who.User}}
	if who.Guest {
		for _, a := range addrs {
			all = append(all, kicked{room: room, addr: a})
		}
	}
	return all
}

func (k *kicks) add(now time.Time, room string, who access.Who, addrs []netip.Addr) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.until == nil {
		k.until = map[kicked]time.Time{}
	}
	maps.DeleteFunc(k.until, func(_ kicked, until time.Time) bool { return !now.Before(until) })
	for _, as := range kickedAs(room, who, addrs) {
		if len(k.until) >= kicksMost {
			delete(k.until, oldest(k.until))
		}
		k.until[as] = now.Add(kickFor)
	}
}

func oldest(until map[kicked]time.Time) (first kicked) {
	var at time.Time
	for as, t := range until {
		if at.IsZero() || t.Before(at) {
			first, at = as, t
		}
	}
	return first
}

func (k *kicks) forget(room string, who access.Who, addrs []netip.Addr) {
	k.mu.Lock()
	defer k.mu.Unlock()
	for _, as := range kickedAs(room, who, addrs) {
		delete(k.until, as)
	}
}

// left is how long a session may not yet be in a room.
func (k *kicks) left(now time.Time, room string, ss *session) (wait time.Duration) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if len(k.until) == 0 {
		return 0
	}
	for _, as := range kickedAs(room, ss.person.who(), []netip.Addr{ss.addr.WithZone("")}) {
		wait = max(wait, k.until[as].Sub(now))
	}
	return wait
}

package server

import (
	"slices"
	"time"

	"lanchat/internal/nicks"
	"lanchat/protocol"
)

// whois tells about one user: who is here, or has bound a nick. Rooms are those that the
// asker may see, and no direct talk is one of them.
func (ss *session) whois(m *protocol.Whois) error {
	s := ss.srv
	whom, err := s.subject(m.Who)
	if err != nil {
		return err
	}
	user := whom.who.User
	answer := &protocol.Whois{Ref: m.Ref, User: user, Guest: whom.who.Guest, Role: s.rules.Role(whom.who, "")}
	sessions := s.people.sessions(user)
	bound := s.log.Nicks(user) // a guest has none
	switch {
	case len(sessions) > 0:
		answer.Nick, answer.Here, answer.Seen, answer.Bot = sessions[0].person.name(), true, time.Now().UnixNano(), true
		for _, other := range sessions {
			answer.Bot = answer.Bot && other.bot
		}
		answer.Rooms, answer.More = ss.roomsOf(sessions)
	case len(bound) > 0:
		answer.Nick, answer.Seen = bound[0].Nick, bound[0].Used.UnixNano()
		for _, b := range bound {
			if nicks.Same(b.Nick, m.Who) { // the one asked for, of several
				answer.Nick = b.Nick
			}
		}
	default: // an id that nobody has, as far as is known
		return protocol.Errorf(protocol.CodeNotFound, "nobody here has this user id, and no nick is bound to it")
	}
	for _, b := range bound {
		if b.Nick == answer.Nick && !b.Bound.IsZero() {
			answer.Bound = b.Bound.UnixNano()
		}
	}
	if s.rules.Role(ss.person.who(), "") == protocol.RoleAdmin {
		for _, a := range whom.addrs[:min(len(whom.addrs), maxWhoisAddrs)] {
			answer.Addrs = append(answer.Addrs, a.Unmap().String())
		}
		slices.Sort(answer.Addrs)
		answer.Addrs = slices.Compact(answer.Addrs)
	}
	ss.reply(answer)
	return nil
}

const maxWhoisAddrs = 256

// roomsOf are the rooms, by name, in which a user with these sessions is and which the
// asker may see.
func (ss *session) roomsOf(sessions []*session) (names []string, more bool) {
	rooms := map[string]*room{}
	for _, other := range sessions {
		other.mu.Lock()
		follows := other.follows
		other.mu.Unlock()
		for _, f := range follows {
			rooms[f.room.name] = f.room
		}
	}
	size := 0
	for _, name := range sortedKeys(rooms) {
		if _, _, direct := protocol.ParseDirectRoom(name); direct || !ss.srv.rules.Sees(ss.person.who(), name) {
			continue
		}
		r := rooms[name]
		r.mu.Lock()
		member := r.members[sessions[0].person.user] != nil
		r.mu.Unlock()
		if !member {
			continue
		}
		if size += len(name) + 8; len(names) == listMax || size > pageBytes/2 {
			return names, true
		}
		names = append(names, name)
	}
	return names, false
}

package server

import (
	"net/netip"
	"slices"
	"time"

	"lanchat/internal/nicks"
	"lanchat/protocol"
)

// whois tells about one user: who is here, or has bound a nick. Rooms are those that the
// asker may see, and no direct talk is one of them. An admin is told as well of whoever has
// posted in the last hour and is gone, and from where.
func (ss *session) whois(m *protocol.Whois) error {
	s := ss.srv
	now := time.Now()
	admin := s.rules.Role(ss.person.who(), "") == protocol.RoleAdmin
	whom, err := s.subject(m.Who)
	var posted arrival // the last of somebody who is gone and was fresh, which admins are told
	if err != nil && admin {
		var found bool
		if posted, found = s.arrivals.called(m.Who, now); found {
			whom, err = posted.subject(), nil
		}
	} else if admin && len(whom.addrs) == 0 {
		posted, _ = s.arrivals.newest(now, func(a arrival) bool { return a.user == whom.who.User })
	}
	if err != nil {
		return err
	}
	if len(whom.addrs) == 0 && posted.addr.IsValid() {
		whom.addrs = []netip.Addr{posted.addr}
	}
	user := whom.who.User
	answer := &protocol.Whois{Ref: m.Ref, User: user, Guest: whom.who.Guest, Role: s.rules.Role(whom.who, "")}
	sessions := s.people.sessions(user)
	bound := s.log.Nicks(user) // a guest has none
	switch {
	case len(sessions) > 0:
		answer.Nick, answer.Here, answer.Seen, answer.Bot = sessions[0].person.name(), true, now.UnixNano(), true
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
	case !posted.user.IsZero():
		answer.Nick, answer.Seen, answer.Guest = posted.nick, posted.at.UnixNano(), posted.guest
	default: // an id that nobody has, as far as is known
		return protocol.Errorf(protocol.CodeNotFound, "nobody here has this user id, and no nick is bound to it")
	}
	for _, b := range bound {
		if b.Nick == answer.Nick && !b.Bound.IsZero() {
			answer.Bound = b.Bound.UnixNano()
		}
	}
	if admin {
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

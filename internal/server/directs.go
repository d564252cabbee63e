package server

import (
	"context"
	"log/slog"
	"math"
	"slices"
	"time"

	"lanchat/internal/access"
	"lanchat/internal/roomlog"
	"lanchat/protocol"
)

// A direct talk is opened by its first entry, not by a join: until then nobody but who
// joined it knows of it. What one user can do to another by opening talks is bounded at
// the recipient: how many are opened (see Server.mayOpenDirect), how many are told of at
// connect (directsTold), how many a session is in (Limits.Directs). None of them counts
// among the recipient's rooms.

// otherUser returns the other user of a direct talk.
func otherUser(room string, user protocol.UserID) (other protocol.UserID, direct bool) {
	a, b, direct := protocol.ParseDirectRoom(room)
	if a == user {
		a = b
	}
	return a, direct
}

// tellDirects tells a new session of the direct talks that have something unread: the
// newest ones. All others it can ask for.
func (ss *session) tellDirects() {
	if ss.person.guest {
		return
	}
	user, told := ss.person.user, 0
	for _, d := range ss.srv.log.Directs(user) {
		other, _ := otherUser(d.Name, user)
		if refused, _ := ss.srv.rules.Refuses(user, other); refused || d.Head <= d.Read {
			continue
		}
		ss.noticeDirect(d.Name)
		if told++; told == directsTold {
			return
		}
	}
}

// tellDirect tells both users of a direct talk that something was said there.
func (p *people) tellDirect(room string, a, b protocol.UserID) {
	for _, u := range []protocol.UserID{a, b} {
		for _, ss := range p.sessions(u) {
			ss.noticeDirect(room)
		}
	}
}

// noticeDirect tells of a direct talk that the session does not follow, once.
func (ss *session) noticeDirect(room string) {
	if ss.person.guest || ss.door.kind() != nativeDoor {
		return
	}
	ss.mu.Lock()
	_, told := ss.noticed[room]
	tell := !told && ss.following(room) == nil
	if tell {
		if ss.noticed == nil {
			ss.noticed = map[string]struct{}{}
		}
		ss.noticed[room] = struct{}{}
	}
	ss.mu.Unlock()
	if !tell {
		return
	}
	info, _ := ss.srv.log.Room(room)
	notice := &protocol.Joined{Room: room, Topic: info.Topic, Head: info.Head, Read: ss.srv.log.Marker(ss.person.user, room)}
	ss.mu.Lock()
	if ss.following(room) == nil { // nor joined meanwhile
		ss.replies = encoders[nativeDoor](ss.replies, notice)
	}
	ss.mu.Unlock()
	ss.wake()
}

// isInvited reports whether somebody else has opened the direct talk. r.mu is held.
func (r *room) isInvited(user protocol.UserID) bool {
	return r.direct && r.opener != user && (r.head.Load() > 0 || !r.opener.IsZero())
}

// isInvited reports the same of a room that may not be open.
func (s *Server) isInvited(name string, user protocol.UserID) bool {
	if _, direct := otherUser(name, user); !direct {
		return false
	}
	if r := s.opened(name); r != nil {
		r.mu.Lock()
		defer r.mu.Unlock()
		return r.isInvited(user)
	}
	info, kept := s.log.Room(name)
	return kept && info.Maker.User != user
}

// parkDirect leaves the quietest of the direct talks that others have opened, when the
// session is in as many as it may be. It is told again when something is said there.
func (ss *session) parkDirect() {
	ss.mu.Lock()
	var quietest *follow
	n := 0
	for _, f := range ss.follows {
		if !f.invited {
			continue
		}
		if n++; quietest == nil || f.room.last.Load() < quietest.room.last.Load() {
			quietest = f
		}
	}
	ss.mu.Unlock()
	if n < ss.srv.limits.Directs {
		return
	}
	ss.srv.stats.reached(limitDirects)
	ss.unfollow(quietest, &protocol.Left{Room: quietest.room.name, Text: "it is the quietest of many direct talks, and comes back when something is said there"})
}

// mayPostDirect reports why somebody may not post in a room that is a direct talk.
func (ss *session) mayPostDirect(r *room) error {
	user := ss.person.user
	other, direct := otherUser(r.name, user)
	if !direct {
		return nil
	}
	known := ss.person.known.Load()
	switch refused, fresh := ss.srv.rules.Refuses(other, user); {
	case refused:
		return protocol.Errorf(protocol.CodeForbidden, "this user does not take your direct messages")
	case fresh && !known && !r.hasSaid(other):
		return protocol.Errorf(protocol.CodeForbidden, "this user takes no direct messages from users who are new here")
	}
	return ss.srv.mayOpenDirect(r, user, other, known)
}

// mayOpenDirect reports why somebody may not be the first to say something in a direct
// talk. The recipient's allowance is used, of the known or of the fresh.
func (s *Server) mayOpenDirect(r *room, user, other protocol.UserID, known bool) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.head.Load() > 0 || !r.opener.IsZero() {
		return nil
	}
	a := openingFresh
	if known {
		a = openingKnown
	}
	one := s.users.hold(other, math.MaxInt)
	wait := one.allowance[a].try(time.Now(), s.limits.pace(a))
	s.users.drop(other)
	if wait > 0 {
		s.stats.reached(exceeded[a])
		return protocol.Errorf(protocol.CodeLimit, "many have opened a direct talk with this user just now; again in %s", spoken(wait))
	}
	r.opener = user
	return nil
}

// hasSaid reports whether a user is among those who said something in a direct talk
// lately.
func (r *room) hasSaid(user protocol.UserID) bool {
	r.mu.Lock()
	said, known := r.said[user]
	r.mu.Unlock()
	if known {
		return said
	}
	entries, _, err := r.srv.log.Read(context.Background(), roomlog.Range{Room: r.name, Limit: saidLately, Bytes: pageBytes})
	said = err == nil && slices.ContainsFunc(entries, func(e protocol.Entry) bool { return e.User == user })
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.said == nil {
		r.said = map[protocol.UserID]bool{}
	}
	r.said[user] = said || r.said[user]
	return r.said[user]
}

// grown notes new entries. r.mu is held.
func (r *room) grown(entries []protocol.Entry) {
	newest := &entries[len(entries)-1]
	r.last.Store(newest.At)
	if !r.direct {
		return
	}
	for i := range entries {
		if e := &entries[i]; e.Seq == 1 {
			r.opener = e.User
		}
		if r.said == nil {
			r.said = map[protocol.UserID]bool{}
		}
		r.said[entries[i].User] = true
	}
}

// leaveDirect has nothing of a direct talk be unread, so that it is not told of until
// something is said there.
func (ss *session) leaveDirect(f *follow) {
	if f.room.direct {
		ss.moveMarker(f.room.name, f.room.head.Load())
	}
}

// moveMarker moves the user's read marker.
func (ss *session) moveMarker(room string, seq uint64) {
	moved, err := ss.srv.log.SetMarker(ss.person.user, room, seq)
	if err != nil {
		ss.srv.logSome(slog.LevelWarn, "a read marker was not kept", "err", err)
	}
	if moved {
		for _, other := range ss.srv.people.sessions(ss.person.user) {
			if other != ss {
				other.markerMoved(room, seq)
			}
		}
	}
}

// listDirects lists the user's direct talks, the one with the newest entry first, from
// the one after m.After. A guest has none.
func (ss *session) listDirects(m *protocol.Rooms) {
	answer := &protocol.Rooms{Ref: m.Ref, Direct: true}
	user := ss.person.user
	var talks []roomlog.Direct
	if !ss.person.guest {
		talks = ss.srv.log.Directs(user)
	}
	if m.After != "" {
		talks = talks[1+slices.IndexFunc(talks, func(d roomlog.Direct) bool { return d.Name == m.After }):]
	}
	limit, size := min(listLimit(m.Limit), 100), 0
	for _, d := range talks {
		other, _ := otherUser(d.Name, user)
		one := protocol.RoomInfo{Room: d.Name, Topic: d.Topic, Head: d.Head, Read: d.Read, Nick: ss.srv.people.nickOf(other)}
		if size += 96 + len(one.Room) + len(one.Topic) + len(one.Nick); size > pageBytes || len(answer.Rooms) == limit {
			answer.More = true
			break
		}
		if r := ss.srv.opened(d.Name); r != nil {
			r.mu.Lock()
			one.Count = uint32(len(r.members))
			r.mu.Unlock()
		}
		answer.Rooms = append(answer.Rooms, one)
	}
	ss.reply(answer)
}

// nickOf is the nick of a user who is here, or the one bound to the user that was used
// last; "": none is known.
func (p *people) nickOf(user protocol.UserID) string {
	p.mu.Lock()
	here := p.byUser[user]
	p.mu.Unlock()
	if here != nil {
		return here.name()
	}
	if bound := p.srv.log.Nicks(user); len(bound) > 0 {
		return bound[0].Nick
	}
	return ""
}

// refuse changes whose direct talks the user takes, and answers with what holds then.
func (ss *session) refuse(m *protocol.Refuse) error {
	p, s := ss.person, ss.srv
	if p.guest {
		return protocol.Errorf(protocol.CodeForbidden, "guests have no direct talks")
	}
	if m.What != "" && m.What != protocol.RefuseFresh && m.What != protocol.RefuseAll {
		return protocol.Errorf(protocol.CodeUnsupported, "this server cannot refuse %.16q", m.What)
	}
	s.deeds.Lock()
	defer s.deeds.Unlock()
	refusal := s.rules.Refusal(p.user)
	if m.Who != "" || m.What != "" {
		if err := s.change(&refusal, p.user, m); err != nil {
			return err
		}
		if err := s.rules.SetRefusal(p.user, p.known.Load(), refusal); err != nil {
			return err
		}
	}
	ss.reply(&protocol.Refuse{Ref: m.Ref, What: refusal.What, Users: refusal.Users})
	return nil
}

// change makes of a refusal what is asked for.
func (s *Server) change(refusal *access.Refusal, user protocol.UserID, m *protocol.Refuse) error {
	switch {
	case m.What == "":
	case m.Off:
		refusal.What = ""
	default:
		refusal.What = m.What
	}
	if m.Who == "" {
		return nil
	}
	whom, err := s.subject(m.Who)
	if err != nil {
		return err
	}
	switch at := slices.Index(refusal.Users, whom.who.User); {
	case whom.who.Guest:
		return protocol.Errorf(protocol.CodeForbidden, "%s is a guest, and guests have no direct talks", whom.nick)
	case whom.who.User == user:
		return protocol.Errorf(protocol.CodeForbidden, "that is you")
	case m.Off && at >= 0:
		refusal.Users = slices.Delete(refusal.Users, at, at+1)
	case !m.Off && at < 0:
		refusal.Users = append(refusal.Users, whom.who.User)
	}
	return nil
}

package server

import (
	"slices"
	"strings"
	"time"

	"lanchat/internal/roomlog"
	"lanchat/internal/safetext"
	"lanchat/protocol"
)

// handle carries out one request and queues its answer. It runs on the
// session's reader.
func (ss *session) handle(m protocol.Message) {
	var ref uint32
	var err error
	switch m.(type) {
	case *protocol.Post, *protocol.Topic, *protocol.Moderate: // as posts, if at all
	case *protocol.Join, *protocol.History, *protocol.Rooms, *protocol.Who, *protocol.Whois:
		ss.waitFor(paging)
	case *protocol.Search:
		ss.waitFor(searching)
	default:
		ss.waitFor(asking)
	}
	switch m.(type) {
	case *protocol.Join, *protocol.History, *protocol.Rooms, *protocol.Who, *protocol.Whois: // searches have a bound of their own
		// What is read from the log takes milliseconds of a processor: only some of
		// them are given to it, so that what is said goes on to be sent meanwhile.
		ss.srv.reading <- struct{}{}
		defer func() { <-ss.srv.reading }()
	}
	switch m := m.(type) {
	case *protocol.Post:
		ss.post(m)
	case *protocol.Join:
		ref, err = m.Ref, ss.joinRoom(m, nil)
	case *protocol.Leave:
		ref, err = m.Ref, ss.leaveRoom(m)
	case *protocol.History:
		ref, err = m.Ref, ss.history(m)
	case *protocol.Nick:
		ref, err = m.Ref, ss.setNick(m)
	case *protocol.Topic:
		ref, err = m.Ref, ss.setTopic(m)
	case *protocol.Rooms:
		if m.Direct {
			ss.listDirects(m)
		} else {
			ss.listRooms(m)
		}
	case *protocol.Who:
		ref, err = m.Ref, ss.who(m)
	case *protocol.Read:
		ss.markRead(m)
	case *protocol.Typing:
		ss.typing(m)
	case *protocol.Ping:
		ss.reply(&protocol.Pong{N: m.N})
	case *protocol.Search:
		ref, err = m.Ref, ss.search(m)
	case *protocol.Invite:
		ref, err = m.Ref, ss.invite(m)
	case *protocol.Moderate:
		ref, err = m.Ref, ss.moderate(m)
	case *protocol.Whois:
		ref, err = m.Ref, ss.whois(m)
	case *protocol.Refuse:
		ref, err = m.Ref, ss.refuse(m)
	}
	if err != nil {
		ss.srv.countFull(err)
		answer := *toError(err)
		answer.Ref = ref
		ss.reply(&answer)
	}
}

// access reports why this session may not know of a room. One that others alone may
// know of, a direct talk or a private room, is not found, like one that is not there.
func (ss *session) access(room string) error {
	if _, _, direct := protocol.ParseDirectRoom(room); !direct {
		if err := openRoom(room); err != nil {
			return err
		}
	}
	if !ss.srv.rules.Sees(ss.person.who(), room) {
		return errNoRoom
	}
	return nil
}

var (
	errNoRoom = protocol.Errorf(protocol.CodeNotFound, "there is no such room")
	errPutOut = protocol.Errorf(protocol.CodeForbidden, "you were put out of this room just now")
)

// reads is access to what a room has: of one that is not there it says so, as it does
// of one that is not to be known of.
func (ss *session) reads(room string) error {
	if err := ss.access(room); err != nil {
		return err
	}
	if _, _, direct := protocol.ParseDirectRoom(room); !direct && !ss.srv.exists(room) {
		return errNoRoom
	}
	return nil
}

// exists reports whether there is a room: somebody follows it, it has entries, or it is
// every server's.
func (s *Server) exists(room string) bool {
	s.roomsMu.RLock()
	_, open := s.rooms[room]
	s.roomsMu.RUnlock()
	if open || room == protocol.DefaultRoom {
		return true
	}
	if _, kept := s.log.Room(room); kept {
		return true
	}
	private, _, _ := s.rules.Room(room)
	return private
}

// mayFollow reports why this session may not be in a room.
func (ss *session) mayFollow(room string) error {
	if err := ss.access(room); err != nil {
		return err
	}
	if wait := ss.srv.kicks.left(time.Now(), room, ss); wait > 0 {
		return protocol.Errorf(protocol.CodeForbidden, "you were put out of this room: come again in %s", spoken(wait))
	}
	if ss.srv.isRemoving(room) {
		return errRemoving
	}
	return nil
}

// followed returns the session's follow of a room that it has joined.
func (ss *session) followed(room string) (*follow, error) {
	if err := ss.access(room); err != nil {
		return nil, err
	}
	ss.mu.Lock()
	defer ss.mu.Unlock()
	if f := ss.following(room); f != nil {
		return f, nil
	}
	return nil, protocol.Errorf(protocol.CodeNotJoined, "join %s first", safetext.Line(room))
}

// joinRoom follows a room as a member. replay, when not nil, says where to
// begin instead of the request.
func (ss *session) joinRoom(m *protocol.Join, replay func(head uint64) uint64) error {
	if err := ss.mayFollow(m.Room); err != nil {
		return err
	}
	ss.mu.Lock()
	old, count := ss.following(m.Room), 0
	for _, f := range ss.follows {
		if !f.invited {
			count++
		}
	}
	ss.mu.Unlock()
	if old != nil {
		ss.unfollow(old) // joining again begins anew, behind the new cursor
	} else if ss.srv.isInvited(m.Room, ss.person.user) {
		ss.parkDirect()
	} else if n := max(count, ss.srv.people.inRooms(ss.person)); n >= ss.srv.limits.Rooms && !ss.isMember(m.Room) {
		ss.srv.stats.reached(limitRooms)
		return protocol.Errorf(protocol.CodeLimit, "you are in %d rooms, which is the limit; leave one first", n)
	}
	if err := ss.srv.mayOpen(m.Room, ss); err != nil {
		return err
	}
	if err := ss.mayMake(m.Room); err != nil {
		return err
	}
	var skipped protocol.Skipped
	reset := false
	if replay == nil {
		replay = func(head uint64) uint64 {
			after := m.After
			if reset = after > head; reset {
				after = 0
			}
			if m.Live || m.Quiet {
				after = head
			}
			most := uint64(replayMax)
			if ss.person.guest && m.After == 0 {
				most = guestPage
			}
			if head-after > most {
				skipped = protocol.Skipped{Room: m.Room, From: after + 1, To: head - most}
				after = head - most
			}
			if ss.person.guest && head > after {
				ss.charge(paging, int(head-after-1)/guestPage) // the first hundred is paid for
			}
			return after
		}
	}
	f, joined := ss.follow(m.Room, true, m.Quiet, replay)
	joined.Ref, joined.Reset = m.Ref, reset
	if !ss.person.guest {
		joined.Read = ss.srv.log.Marker(ss.person.user, m.Room)
	}
	answers := []protocol.Message{joined}
	if skipped.To > 0 {
		answers = append(answers, &skipped)
	}
	// Again: who takes the right away from here on finds the follow in the room.
	if err := ss.mayFollow(m.Room); err != nil {
		f.room.remove(f)
		return err
	}
	if !ss.show(f, answers...) {
		return errPutOut
	}
	return nil
}

// isMember reports whether the person is in a room, by another session too.
func (ss *session) isMember(room string) bool {
	r := ss.srv.opened(room)
	if r == nil {
		return false
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.members[ss.person.user] != nil
}

// becomeMember makes somebody present who has only listened so far.
func (ss *session) becomeMember(room string) {
	if f, err := ss.followed(room); err == nil {
		f.room.mu.Lock()
		defer f.room.mu.Unlock()
		f.room.enter(f)
	}
}

func (ss *session) leaveRoom(m *protocol.Leave) error {
	f, err := ss.followed(m.Room)
	if err != nil {
		return err
	}
	ss.leaveDirect(f)
	ss.unfollow(f, &protocol.Left{Ref: m.Ref, Room: m.Room})
	return nil
}

func (ss *session) setNick(m *protocol.Nick) error {
	if wait := ss.mayRename(); wait > 0 {
		return protocol.Errorf(protocol.CodeLimit, "you have changed your name often just now; again in %s", spoken(wait))
	}
	if err := ss.srv.people.setNick(ss, m.Nick); err != nil {
		return err
	}
	ss.unnamed = false
	ss.mu.Lock()
	follows := ss.follows
	ss.mu.Unlock()
	for _, f := range follows {
		f.renamed()
	}
	ss.reply(&protocol.Nick{Ref: m.Ref, User: ss.person.user, Nick: ss.person.name()})
	return nil
}

func (ss *session) setTopic(m *protocol.Topic) error {
	f, err := ss.followed(m.Room)
	if err != nil {
		return err
	}
	topic := safetext.Line(m.Topic)
	if len(topic) > protocol.MaxTopic {
		return protocol.Errorf(protocol.CodeTooLong, "a topic has at most %d bytes, this one has %d", protocol.MaxTopic, len(topic))
	}
	ss.waitFor(asking)
	p := ss.person
	if err := ss.srv.rules.SetsTopic(p.who(), m.Room); err != nil {
		return err
	}
	if err := ss.srv.rules.Posts(p.who(), m.Room); err != nil {
		return err
	}
	if err := ss.mayPostDirect(f.room); err != nil {
		return err
	}
	if err := ss.mayFill(f.room); err != nil {
		return err
	}
	id := protocol.NewID()
	if err := ss.mayPostNow(m.Room, id); err != nil {
		return err
	}
	e := &protocol.Entry{ID: id, Room: m.Room, User: p.user, Nick: p.name(), Guest: p.guest, Bot: ss.bot,
		Kind: protocol.KindTopic, Text: topic}
	if err := ss.hasSpace(e); err != nil {
		return err
	}
	return ss.submit(e, func() {
		if ss.topics == nil {
			ss.topics = map[protocol.ID]uint32{}
		}
		ss.topics[e.ID] = m.Ref
	})
}

// listRooms lists the rooms that have entries and those that somebody is in,
// by name, as far as one may know of them. Direct talks are not listed: see listDirects.
func (ss *session) listRooms(m *protocol.Rooms) {
	s := ss.srv
	limit := min(listLimit(m.Limit), 100)
	answer := &protocol.Rooms{Ref: m.Ref}
	infos := map[string]roomlog.RoomInfo{}
	var names []string
	add := func(r roomlog.RoomInfo) {
		if _, _, direct := protocol.ParseDirectRoom(r.Name); direct || r.Name <= m.After || !s.rules.Sees(ss.person.who(), r.Name) {
			return
		}
		if _, twice := infos[r.Name]; !twice {
			infos[r.Name] = r
			names = append(names, r.Name)
		}
	}
	for after := m.After; len(names) <= limit; {
		page := s.log.Rooms(after, limit+1)
		for _, r := range page {
			add(r)
			after = r.Name
		}
		if strings.HasPrefix(after, "dm:") {
			after = "dm;" // behind the last direct talk
		}
		if len(page) <= limit {
			break
		}
	}
	s.roomsMu.RLock()
	open := make(map[string]*room, len(s.rooms))
	for name, r := range s.rooms {
		open[name] = r
		add(roomlog.RoomInfo{Name: name})
	}
	s.roomsMu.RUnlock()
	slices.Sort(names)
	if answer.More = len(names) > limit; answer.More {
		names = names[:limit]
	}
	size := 0
	for i, name := range names {
		info := infos[name]
		if size += 64 + len(name) + len(info.Topic); size > pageBytes {
			answer.More = true
			names = names[:i]
			break
		}
		out := protocol.RoomInfo{Room: name, Topic: info.Topic, Head: info.Head}
		out.Private, _, _ = s.rules.Room(name)
		if r := open[name]; r != nil {
			r.mu.Lock()
			out.Count = uint32(len(r.members))
			r.mu.Unlock()
		}
		answer.Rooms = append(answer.Rooms, out)
	}
	ss.reply(answer)
}

func (ss *session) who(m *protocol.Who) error {
	if err := ss.access(m.Room); err != nil {
		return err
	}
	answer := &protocol.Who{Ref: m.Ref, Room: m.Room}
	ss.srv.roomsMu.RLock()
	r := ss.srv.rooms[m.Room]
	ss.srv.roomsMu.RUnlock()
	if r != nil {
		r.mu.Lock()
		answer.People, answer.More = r.some(m.After, listLimit(m.Limit))
		answer.Count = uint32(len(r.members))
		r.mu.Unlock()
	} else if _, kept := ss.srv.log.Room(m.Room); !kept {
		return protocol.Errorf(protocol.CodeNotFound, "there is no such room")
	}
	ss.reply(answer)
	return nil
}

// markRead moves a read marker. Guests have none.
func (ss *session) markRead(m *protocol.Read) {
	f, err := ss.followed(m.Room)
	if err != nil || ss.person.guest {
		return
	}
	ss.moveMarker(m.Room, min(m.Seq, f.room.head.Load()))
}

// typing passes a note on, not too often; a big room has better things to do.
func (ss *session) typing(m *protocol.Typing) {
	f, err := ss.followed(m.Room)
	now := time.Now()
	if err != nil || now.Sub(ss.typed) < typingEvery {
		return
	}
	ss.typed = now
	f.room.mu.Lock()
	defer f.room.mu.Unlock()
	if f.member && len(f.room.members) <= bigRoom {
		f.room.event(&protocol.Typing{Room: m.Room, User: ss.person.user, Nick: ss.person.name()}, "")
	}
}

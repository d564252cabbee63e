package server

import (
	"math"
	"slices"
	"strings"
	"time"
	"unicode"

	"lanchat/internal/roomlog"
	"lanchat/internal/safetext"
	"lanchat/protocol"
)

// handle carries out one request and queues its answer. It runs on the
// session's reader.
func (ss *session) handle(m protocol.Message) {
	var ref uint32
	var err error
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
		ss.listRooms(m)
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
		ref, err = m.Ref, protocol.Errorf(protocol.CodeUnsupported, "this server needs no invitations")
	}
	if err != nil {
		answer := *toError(err)
		answer.Ref = ref
		ss.reply(&answer)
	}
}

// access reports why this session may not know of a room. Somebody else's
// direct talk is not found, like a room that nobody could ever have made.
func (ss *session) access(room string) error {
	if a, b, direct := protocol.ParseDirectRoom(room); direct {
		if ss.person.guest || ss.person.user != a && ss.person.user != b {
			return protocol.Errorf(protocol.CodeNotFound, "there is no such room")
		}
		return nil
	}
	return openRoom(room)
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
	if err := ss.access(m.Room); err != nil {
		return err
	}
	ss.mu.Lock()
	old, count := ss.following(m.Room), len(ss.follows)
	ss.mu.Unlock()
	if old != nil {
		ss.unfollow(old) // joining again begins anew, behind the new cursor
	} else if count >= ss.srv.limits.Rooms {
		return protocol.Errorf(protocol.CodeLimit, "you are in %d rooms, which is the limit; leave one first", count)
	}
	if err := ss.srv.mayOpen(m.Room); err != nil {
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
			if head-after > replayMax {
				skipped = protocol.Skipped{Room: m.Room, From: after + 1, To: head - replayMax}
				after = head - replayMax
			}
			return after
		}
	}
	f, joined := ss.follow(m.Room, true, m.Quiet, replay)
	joined.Ref, joined.Reset, joined.Read = m.Ref, reset, ss.srv.log.Marker(ss.person.user, m.Room)
	if skipped.To > 0 {
		ss.show(f, joined, &skipped)
	} else {
		ss.show(f, joined)
	}
	return nil
}

// mayOpen reports whether there may be one more room.
func (s *Server) mayOpen(room string) error {
	if room == protocol.DefaultRoom {
		return nil
	}
	s.roomsMu.RLock()
	_, open := s.rooms[room]
	count := len(s.rooms)
	s.roomsMu.RUnlock()
	if _, kept := s.log.Room(room); open || kept || max(count, s.log.RoomCount()) < s.limits.AllRooms {
		return nil
	}
	return protocol.Errorf(protocol.CodeLimit, "this server has as many rooms as it may have")
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
	ss.unfollow(f, &protocol.Left{Ref: m.Ref, Room: m.Room})
	return nil
}

// post submits an entry. Its answer comes when the log has it.
func (ss *session) post(m *protocol.Post) {
	e, err := ss.entry(m)
	if isPassing(err) {
		ss.mu.Lock()
		ss.sendAway(err) // as where the log refuses it: nothing behind it is taken
		ss.mu.Unlock()
		ss.wake()
		return
	}
	if err != nil {
		answer := *toError(err)
		answer.ID = m.ID
		ss.reply(&answer)
		return
	}
	ss.submit(e, nil)
}

// entry checks a post and makes an entry of it.
func (ss *session) entry(m *protocol.Post) (*protocol.Entry, error) {
	if _, err := ss.followed(m.Room); err != nil {
		return nil, err
	}
	if m.ID.Version() != 7 {
		return nil, protocol.Errorf(protocol.CodeBadID, "a post's id is a UUIDv7")
	}
	text, err := ss.srv.cleanText(m.Text)
	if err != nil {
		return nil, err
	}
	kind := m.Kind
	needsTarget := false
	switch kind {
	case "text":
		kind = protocol.KindText
	case protocol.KindText, protocol.KindAction:
	case protocol.KindEdit, protocol.KindDelete, protocol.KindReaction:
		needsTarget = true
	default:
		return nil, protocol.Errorf(protocol.CodeUnsupported, "this server takes no posts of the kind %q", safetext.Line(string(kind)))
	}
	if strings.TrimSpace(text) == "" && kind != protocol.KindDelete {
		return nil, errNoText
	}
	if kind == protocol.KindReaction {
		text = safetext.Line(m.Text)
		if len(text) > protocol.MaxReaction || strings.ContainsFunc(text, unicode.IsSpace) {
			return nil, protocol.Errorf(protocol.CodeBadText, "a reaction has 1 to %d bytes and no spaces, as 👍 or +1 do", protocol.MaxReaction)
		}
	}
	if needsTarget {
		if err := ss.mayChange(m, kind); err != nil {
			return nil, err
		}
	}
	if err := ss.mayPostNow(m.Room, m.ID); err != nil {
		return nil, err
	}
	p := ss.person
	return &protocol.Entry{ID: m.ID, Room: m.Room, User: p.user, Nick: p.name(), Guest: p.guest, Bot: ss.bot,
		Kind: kind, Text: text, Target: m.Target}, nil
}

// mayChange reports why an edit, a delete or a reaction is refused. One that the
// log has already, sent again because its ack was lost, is for the log to judge.
func (ss *session) mayChange(m *protocol.Post, kind protocol.Kind) error {
	target, found, err := ss.srv.log.Find(ss.ctx, m.Target)
	var refused error
	switch {
	case err != nil:
		return err
	case !found || target.Room != m.Room:
		refused = protocol.Errorf(protocol.CodeNotFound, "the message that this is about is not in the room")
	case target.Kind != protocol.KindText && target.Kind != protocol.KindAction:
		refused = protocol.Errorf(protocol.CodeBadText, "only what somebody said or did can be edited, deleted or reacted to")
	case kind != protocol.KindReaction && target.User != ss.person.user:
		refused = protocol.Errorf(protocol.CodeForbidden, "this message is somebody else's")
	case target.Gone:
		refused = protocol.Errorf(protocol.CodeNotFound, "the message that this is about was deleted")
	default:
		return nil
	}
	known, found, err := ss.srv.log.Find(ss.ctx, m.ID)
	if err == nil && found && known.User == ss.person.user && known.Room == m.Room {
		return nil
	}
	return refused
}

// submit hands an entry to the log, as fast as the rate limit lets it.
func (ss *session) submit(e *protocol.Entry, before func()) {
	ss.waitForRate()
	ss.mu.Lock()
	if before != nil {
		before()
	}
	ss.pending.posts++
	ss.pending.bytes += e.MaxSize()
	ss.mu.Unlock()
	if err := ss.poster.Submit(*e); err != nil {
		ss.posted(e, err)
		ss.end(shuttingDown(time.Second))
	}
}

// waitForRate lets the session wait its turn. What it has sent stays in the
// socket meanwhile, so that order holds.
func (ss *session) waitForRate() {
	now := time.Now()
	wait := ss.rate.take(now, ss.srv.limits.PostRate, ss.srv.limits.PostBurst)
	if wait == 0 {
		return
	}
	if now.Sub(ss.slowed) > time.Second {
		ss.slowed = now
		ss.reply(&protocol.Slow{Why: "rate", For: uint32(max(wait.Milliseconds(), 1))})
	}
	select {
	case <-time.After(wait):
	case <-ss.ended:
	}
}

func (ss *session) history(m *protocol.History) error {
	if err := ss.access(m.Room); err != nil {
		return err
	}
	entries, more, err := ss.srv.log.Read(ss.ctx, roomlog.Range{
		Room: m.Room, After: m.After, Before: m.Before, Oldest: m.Oldest, Limit: listLimit(m.Limit), Bytes: pageBytes})
	if err != nil {
		return err
	}
	ss.reply(&protocol.Page{Ref: m.Ref, Room: m.Room, Entries: entries, More: more})
	return nil
}

// search answers from the log's index: the newest first. What people write in
// the query counts beside the request's own fields; dates are the server's.
func (ss *session) search(m *protocol.Search) error {
	if len(m.Query) > maxQuery {
		return protocol.Errorf(protocol.CodeTooLong, "a search has at most %d bytes, this one has %d", maxQuery, len(m.Query))
	}
	q, err := roomlog.ParseQuery(m.Query, time.Local)
	if err != nil {
		return protocol.Errorf(protocol.CodeBadText, "%v", err)
	}
	if m.Room != "" {
		q.Room = m.Room
	}
	if q.Room != "" {
		if err := ss.access(q.Room); err != nil {
			return err
		}
	}
	if m.From != "" {
		q.From = m.From
	}
	if before := int64(min(m.Before, math.MaxInt64)); before > 0 && (q.Before == 0 || before < q.Before) {
		q.Before = before
	}
	q.After = max(q.After, int64(min(m.After, math.MaxInt64)))
	q.User, q.Limit, q.Bytes = ss.person.user, listLimit(m.Limit), pageBytes
	entries, more, err := ss.srv.log.Search(ss.ctx, q)
	if err != nil {
		return err
	}
	ss.reply(&protocol.Found{Ref: m.Ref, Entries: entries, More: more})
	return nil
}

// listLimit is how many a client gets that asks for n; 0 asks for any number.
func listLimit(n uint32) int {
	if n == 0 || n > listMax {
		return listMax
	}
	return int(n)
}

func (ss *session) setNick(m *protocol.Nick) error {
	if err := ss.srv.people.setNick(ss, m.Nick); err != nil {
		return err
	}
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
	if _, err := ss.followed(m.Room); err != nil {
		return err
	}
	topic := safetext.Line(m.Topic)
	if len(topic) > protocol.MaxTopic {
		return protocol.Errorf(protocol.CodeTooLong, "a topic has at most %d bytes, this one has %d", protocol.MaxTopic, len(topic))
	}
	id := protocol.NewID()
	if err := ss.mayPostNow(m.Room, id); err != nil {
		return err
	}
	p := ss.person
	e := &protocol.Entry{ID: id, Room: m.Room, User: p.user, Nick: p.name(), Guest: p.guest, Bot: ss.bot,
		Kind: protocol.KindTopic, Text: topic}
	ss.submit(e, func() {
		if ss.topics == nil {
			ss.topics = map[protocol.ID]uint32{}
		}
		ss.topics[e.ID] = m.Ref
	})
	return nil
}

// listRooms lists the rooms that have entries and those that somebody is in,
// by name. Direct talks are not listed: who has some is told of them.
func (ss *session) listRooms(m *protocol.Rooms) {
	s := ss.srv
	limit := min(listLimit(m.Limit), 100)
	answer := &protocol.Rooms{Ref: m.Ref}
	infos := map[string]roomlog.RoomInfo{}
	var names []string
	add := func(r roomlog.RoomInfo) {
		if _, _, direct := protocol.ParseDirectRoom(r.Name); direct || r.Name <= m.After {
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
	seq := min(m.Seq, f.room.head.Load())
	moved, err := ss.srv.log.SetMarker(ss.person.user, m.Room, seq)
	if err != nil {
		ss.srv.logger.Warn("a read marker was not kept", "err", err)
	}
	if moved {
		for _, other := range ss.srv.people.sessions(ss.person.user) {
			if other != ss {
				other.markerMoved(m.Room, seq)
			}
		}
	}
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

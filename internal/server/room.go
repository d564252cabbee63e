package server

import (
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"lanchat/internal/roomlog"
	"lanchat/protocol"
)

// room is a room that somebody follows. It exists from the first follower to
// the last; what outlives it is in the log.
type room struct {
	srv  *Server
	name string
	head atomic.Uint64 // the newest entry's seq
	// eventHead numbers presence and typing messages, which are not kept.
	eventHead atomic.Uint64

	bare   atomic.Bool  // there is no entry of it in the log, or the committer has not told yet
	last   atomic.Int64 // when the newest entry was said, as in protocol.Entry
	direct bool         // it is a direct talk

	mu        sync.Mutex
	gone      bool // the last follower has left; this room is replaced
	topic     string
	entries   [doorKinds]*tail // nil until such a door follows
	events    [doorKinds]*tail
	followers []*follow
	doors     [doorKinds]int // followers of each kind
	members   map[protocol.UserID]*member
	order     []protocol.UserID           // the members, sorted
	changed   map[protocol.UserID]*person // since the last presence message
	told      time.Time                   // when that was
	opener    protocol.UserID             // of a direct talk: who said the first, or is about to
	said      map[protocol.UserID]bool    // of a direct talk: see hasSaid
}

// member is a person in a room, with one session or more.
type member struct {
	person   *person
	sessions int
	invited  bool          // to a direct talk that somebody else has opened
	bots     int           // of the sessions
	told     string        // the nick under which the room knows the person
	role     protocol.Role // that the room was told of last
}

// asMember is how the room's people are told of a member: as a bot where it is
// nothing else.
func (m *member) asMember(r *room) protocol.Member {
	p, since := m.person, m.person.since.Load()
	return protocol.Member{User: p.user, Nick: p.name(), Guest: p.guest, Bot: m.isBot(), Role: r.srv.rules.Role(p.who(), r.name),
		NewKey: since != 0 && time.Since(time.Unix(since, 0)) < newKeyFor}
}

func (m *member) isBot() bool { return m.bots == m.sessions }

// follow is one session's interest in one room. The cursors belong to the
// session's writer.
type follow struct {
	room        *room
	session     *session
	at          int         // in room.followers
	member      bool        // counts as present; guarded by room.mu
	gone        atomic.Bool // it has ended; set under room.mu
	quiet       bool        // is sent nothing of the room
	invited     bool        // somebody else has opened this direct talk; set once
	cursor      uint64
	eventCursor uint64
}

// open returns the room with its lock held, making it when nobody follows it
// yet. The caller adds a follower or calls closeIfEmpty. by is who goes there.
func (s *Server) open(name string, by roomlog.Maker) *room {
	for {
		s.roomsMu.RLock()
		r := s.rooms[name]
		s.roomsMu.RUnlock()
		if r == nil {
			r = s.makeRoom(name, by)
		}
		r.mu.Lock()
		if !r.gone {
			return r
		}
		r.mu.Unlock()
	}
}

func (s *Server) makeRoom(name string, by roomlog.Maker) *room {
	s.roomsMu.Lock()
	defer s.roomsMu.Unlock()
	if r := s.rooms[name]; r != nil {
		return r
	}
	// Reading the log under the lock: an entry that is committed from here on
	// finds the room, one before is in what the log says.
	info, kept := s.log.Room(name)
	r := &room{srv: s, name: name, topic: info.Topic, members: map[protocol.UserID]*member{}, changed: map[protocol.UserID]*person{}}
	r.head.Store(info.Head)
	r.last.Store(info.Last)
	if _, _, r.direct = protocol.ParseDirectRoom(name); r.direct {
		r.opener = info.Maker.User
	}
	s.rooms[name] = r
	if !kept {
		r.bare.Store(true)
		s.bare.add(name, by, s.bare.rooms[name].private)
	}
	return r
}

// closeIfEmpty forgets a room that nobody follows. r.mu is held.
func (r *room) closeIfEmpty() {
	if len(r.followers) > 0 || r.gone {
		return
	}
	r.gone = true
	r.srv.roomsMu.Lock()
	defer r.srv.roomsMu.Unlock()
	delete(r.srv.rooms, r.name)
	if !r.srv.bare.rooms[r.name].private {
		r.srv.bare.drop(r.name)
	}
}

// add adds a follower. r.mu is held.
func (r *room) add(f *follow) {
	f.at = len(r.followers)
	r.followers = append(r.followers, f)
	if f.quiet {
		return
	}
	k := f.session.door.kind()
	if r.doors[k]++; r.entries[k] == nil {
		r.entries[k] = newTail(tailMin, r.head.Load())
		r.events[k] = newTail(eventTailBytes, r.eventHead.Load())
	}
	r.entries[k].limit = tailLimit(r.doors[k])
	f.eventCursor = r.eventHead.Load()
}

// tailLimit is how long a tail is for so many readers. What it saves is that
// each of them has the entries read and encoded again who falls behind it; and
// thousands of rooms with few readers each must not take much. Where there are many,
// those who fall behind slow the others down, until all have fallen behind.
func tailLimit(readers int) int {
	return min(tailMin+min(readers, tailFew)*tailEach+max(readers-tailFew, 0)*tailMore, tailMax)
}

// remove removes a follower, and its membership. It is false when that was done
// before: a session may leave while it is put out.
func (r *room) remove(f *follow) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	if f.gone.Swap(true) {
		return false
	}
	k := f.session.door.kind()
	last := len(r.followers) - 1
	r.followers[f.at] = r.followers[last]
	r.followers[f.at].at = f.at
	r.followers[last] = nil
	r.followers = r.followers[:last]
	switch {
	case f.quiet:
	case r.doors[k] == 1:
		r.doors[k] = 0
		r.entries[k], r.events[k] = nil, nil
	default:
		r.doors[k]--
		r.entries[k].limit = tailLimit(r.doors[k])
	}
	r.depart(f)
	r.closeIfEmpty()
	return true
}

// enter makes a follower a member. r.mu is held.
func (r *room) enter(f *follow) {
	if f.member || f.gone.Load() {
		return
	}
	f.member = true
	p := f.session.person
	m := r.members[p.user]
	if m == nil {
		m = &member{person: p, invited: r.isInvited(p.user)}
		r.members[p.user] = m
		at, _ := slices.BinarySearchFunc(r.order, p.user, compareUsers)
		r.order = slices.Insert(r.order, at, p.user)
		r.touch(p)
		r.srv.people.entered(m)
	}
	was := m.isBot()
	m.count(f.session, +1)
	if m.isBot() != was {
		r.touch(p)
	}
}

// count counts a session in, or out.
func (m *member) count(ss *session, by int) {
	m.sessions += by
	if ss.bot {
		m.bots += by
	}
}

// depart ends a follower's membership. r.mu is held.
func (r *room) depart(f *follow) {
	if !f.member {
		return
	}
	f.member = false
	user := f.session.person.user
	m := r.members[user]
	was := m.isBot()
	if m.count(f.session, -1); m.sessions > 0 {
		if m.isBot() != was {
			r.touch(m.person)
		}
		return
	}
	delete(r.members, user)
	at, _ := slices.BinarySearchFunc(r.order, user, compareUsers)
	r.order = slices.Delete(r.order, at, at+1)
	r.touch(m.person)
	r.srv.people.departed(m)
}

// touch notes that presence has changed for a person. r.mu is held.
func (r *room) touch(p *person) {
	r.changed[p.user] = p
	r.srv.presence.mark(r)
}

// grow adds entries that were committed, and wakes who follows.
func (r *room) grow(entries []protocol.Entry) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for i := range entries {
		e := &entries[i]
		if e.Seq <= r.head.Load() {
			continue // the room was opened behind this entry
		}
		if e.Kind == protocol.KindTopic {
			r.topic = e.Text
		}
		for k, t := range r.entries {
			if t == nil {
				continue
			}
			isEdit := e.Kind == protocol.KindEdit && e.TargetSeq > 0
			if isEdit || e.Kind == protocol.KindDelete && e.TargetSeq > 0 {
				t.dropText(e.TargetSeq) // nobody is sent any more what was said there
			}
			for _, seq := range e.Purged {
				t.dropText(seq)
			}
			t.append(e.User, func(dst []byte) []byte { return encoders[k](dst, e) })
			if isEdit {
				t.edits = append(t.edits, edit{e.Seq, e.TargetSeq})
			}
		}
		r.head.Store(e.Seq)
	}
	r.grown(entries)
	r.wakeAll()
}

// event sends a message that is not kept to everybody in the room: on plain
// lines as the given ones. r.mu is held.
func (r *room) event(m protocol.Message, lines string) {
	if t := r.events[nativeDoor]; t != nil {
		t.append(protocol.UserID{}, func(dst []byte) []byte { return appendFrame(dst, m) })
	}
	if t := r.events[linesDoor]; t != nil {
		t.append(protocol.UserID{}, func(dst []byte) []byte { return append(dst, lines...) })
	}
	r.eventHead.Add(1)
	r.wakeAll()
}

func (r *room) wakeAll() { r.srv.fanout.addAll(r.followers) }

// some lists the members behind after by user id: at most limit, what fits a
// page. r.mu is held.
func (r *room) some(after protocol.UserID, limit int) (list []protocol.Member, more bool) {
	at, found := slices.BinarySearchFunc(r.order, after, compareUsers)
	if found {
		at++
	}
	rest := r.order[at:]
	n := min(len(rest), limit)
	for _, u := range rest[:n] {
		list = append(list, r.members[u].asMember(r))
	}
	return list, n < len(rest)
}

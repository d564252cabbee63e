package server

import (
	"log/slog"
	"net/netip"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"lanchat/internal/roomlog"
	"lanchat/protocol"
)

// session is one connection that has said who it is. Behind its door all
// sessions are the same.
type session struct {
	srv    *Server
	link   *link
	door   door // above it
	person *person
	bot    bool       // this session is one; the person's others may not be
	wants  []string   // the extensions that the client understands
	addr   netip.Addr // where it comes from
	poster *roomlog.Poster
	postTo string   // the room that is posted to now; the reader's
	noted  struct { // as whom arrivals know the user, and since when; the reader's
		nick string
		at   time.Time
	}
	unnamed bool      // it has the nick of a guest who has not yet asked for one; the reader's
	slowed  time.Time // when slow was last said; the reader's
	typed   time.Time // when typing was last passed on; the reader's
	pinged  time.Time // when a ping was last answered at once; of whoever reads
	ahead   bool      // the reader waits, and readOnly reads on; set by the reader, with mu held

	mu      sync.Mutex
	readOn  sync.Cond // the reader may go on
	replies []byte    // encoded, for the writer
	follows []*follow // replaced, never changed: the writer reads it without the lock
	pending struct{ posts, bytes int }
	renamed bool                   // the person has another nick
	markers map[string]uint64      // set by the user's other sessions
	notices map[noticeKey]struct{} // that hold, and the session was sent
	noticed map[string]struct{}    // direct talks that were told and not yet joined
	topics  map[protocol.ID]uint32 // topic requests under way, by their post
	bye     *protocol.Bye          // the last thing to say, if it has a code; nothing is read any more

	waiting     []queued // read ahead of the reader
	queuedBytes int
	readEnded   bool // by readOnly, with readErr
	readErr     error

	measured  protocol.ID // the post whose commit is timed; zero: none
	submitted time.Time   // when it was

	state atomic.Int32 // of the writer
	ended chan struct{}
}

// The writer's states. Whoever makes it run is the writer: one of the fanout's workers,
// or a goroutine of the session's own while it has to wait. An idle session has none.
const (
	writerIdle int32 = iota
	writerRuns
	writerMustLook // it runs, and something has come since it looked
	writerEnded
)

func (s *Server) newSession(d door, l *link) *session {
	ss := &session{srv: s, door: d, link: l, addr: addrOf(l), ended: make(chan struct{})}
	ss.readOn.L = &ss.mu
	// The person's other sessions and the log's committer may wake it from here
	// on, but nothing is sent before the door is open: serve starts the writer.
	ss.state.Store(writerMustLook)
	ss.poster = s.log.Poster(ss.posted)
	ss.poster.From = s.placeOf(ss)
	return ss
}

// serve begins to read and to write. The person is already known to people, who forget
// it when the connection has ended.
func (ss *session) serve() {
	ss.link.stopWaiting(ss.wake)
	go ss.send(true)
	if !ss.srv.addSession(ss.link, ss) {
		ss.end(shuttingDown(time.Second))
	} else if err := ss.srv.rules.Enters(ss.person.user, ss.addr); err != nil {
		ss.end(banned(err)) // since the door was open; from here on a ban finds the session
	} else {
		ss.tellDirects()
		ss.tellDisk()
	}
	go ss.read()
}

// read handles requests until it has to wait for the next one, which the reader does on
// a fresh goroutine: a stack grows to what handling takes, eight kilobytes and more, and
// an idle connection needs two. Who posts will post again, and keeps the stack for it.
func (ss *session) read() {
	var err error
	var m protocol.Message
	if ss.mayRead() {
		err = ss.door.await()
	}
	for err == nil && ss.mayRead() {
		if m, err = ss.door.read(); err != nil {
			break
		}
		if !ss.pong(m) && !ss.take(m) {
			return
		}
		if _, posts := m.(*protocol.Post); !posts && !ss.door.buffered() {
			go ss.read()
			return
		}
	}
	ss.readingEnded(err)
}

// readingEnded ends the session when nothing more is to be read or handled.
func (ss *session) readingEnded(err error) {
	if answer := readError(err); answer != nil {
		ss.reply(answer)
	}
	ss.leave()
}

// leave lets the writer say what is left to say, and forgets the session.
func (ss *session) leave() {
	ss.end(&protocol.Bye{})
	<-ss.ended
	ss.mu.Lock()
	follows := ss.follows
	ss.mu.Unlock()
	for _, f := range follows {
		f.room.remove(f)
	}
	ss.srv.people.leave(ss)
	ss.srv.remove(ss.link)
}

// mayRead waits while replies are not read or too much is not committed. It is
// false when the session is over.
func (ss *session) mayRead() bool {
	ss.mu.Lock()
	defer ss.mu.Unlock()
	l := &ss.srv.limits
	if len(ss.replies) >= replyBytes {
		ss.srv.stats.reached(limitReplies)
	} else if ss.pending.posts >= l.Pending || ss.pending.bytes >= l.PendingBytes {
		ss.srv.stats.reached(limitPending)
	}
	for ss.bye == nil && (len(ss.replies) >= replyBytes || ss.pending.posts >= l.Pending || ss.pending.bytes >= l.PendingBytes) {
		ss.readOn.Wait()
	}
	return ss.bye == nil
}

// end lets the session finish: its replies, then bye, then close.
func (ss *session) end(bye *protocol.Bye) {
	ss.mu.Lock()
	if ss.bye == nil {
		ss.bye = bye
	}
	ss.readOn.Broadcast()
	ss.mu.Unlock()
	ss.wake()
}

// reply queues messages for the writer.
func (ss *session) reply(ms ...protocol.Message) {
	ss.mu.Lock()
	for _, m := range ms {
		ss.replies = encoders[ss.door.kind()](ss.replies, m)
	}
	ss.mu.Unlock()
	ss.wake()
}

// posted hears of each of this session's posts, in order, from the committer.
func (ss *session) posted(e *protocol.Entry, err error) {
	ss.mu.Lock()
	ss.pending.posts--
	ss.pending.bytes -= e.MaxSize()
	ss.srv.logTakes(err)
	if e.ID == ss.measured {
		ss.measured = protocol.ID{}
		ss.srv.stats.committed(time.Since(ss.submitted))
	}
	kind := ss.door.kind()
	ref, topic := ss.topics[e.ID]
	switch {
	case isPassing(err):
		ss.sendAway(err)
	case err != nil:
		answer := *toError(err)
		answer.ID = e.ID
		ss.replies = encoders[kind](ss.replies, &answer)
	case topic:
		ss.replies = encoders[kind](ss.replies, &protocol.Topic{Ref: ref, Room: e.Room, Topic: e.Text})
	default:
		ss.replies = encoders[kind](ss.replies, &protocol.Ack{ID: e.ID, Room: e.Room, Seq: e.Seq, At: e.At})
	}
	delete(ss.topics, e.ID)
	ss.readOn.Broadcast()
	ss.mu.Unlock()
	ss.wake()
	if err == nil && !ss.person.bound.Load() {
		ss.srv.people.bindNick(ss)
	}
}

// sendAway ends the session because the log refuses posts. ss.mu is held.
func (ss *session) sendAway(err error) {
	if ss.bye == nil {
		ss.bye = &protocol.Bye{Code: protocol.CodeUnavailable, Text: "the room's log cannot take entries now", RetryAfter: 2000}
		ss.srv.logSome(slog.LevelError, "the log refuses posts; sessions that post are sent away until it recovers", "err", err)
	}
}

func (ss *session) nickChanged() {
	ss.mu.Lock()
	ss.renamed = true
	ss.mu.Unlock()
	ss.wake()
}

func (ss *session) markerMoved(room string, seq uint64) {
	ss.mu.Lock()
	if ss.following(room) != nil {
		if ss.markers == nil {
			ss.markers = map[string]uint64{}
		}
		ss.markers[room] = seq
	}
	ss.mu.Unlock()
	ss.wake()
}

// following returns the session's follow of a room, or nil. ss.mu is held.
func (ss *session) following(room string) *follow {
	for _, f := range ss.follows {
		if f.room.name == room {
			return f
		}
	}
	return nil
}

// follow begins to follow a room behind a cursor. What it returns is not yet
// seen by the writer: show does that, together with the reply that comes first.
func (ss *session) follow(name string, member, quiet bool, cursor func(head uint64) uint64) (*follow, *protocol.Joined) {
	r := ss.srv.open(name, ss.roomMaker())
	defer r.mu.Unlock()
	f := &follow{room: r, session: ss, quiet: quiet}
	r.add(f)
	f.invited = r.isInvited(ss.person.user)
	if member {
		r.enter(f)
	}
	head := r.head.Load()
	f.cursor = cursor(head)
	members, more := r.some(protocol.UserID{}, r.names())
	joined := &protocol.Joined{Room: name, Topic: r.topic, Head: head, Count: uint32(len(r.members)), Members: members, More: more,
		Role: ss.srv.rules.Role(ss.person.who(), name)}
	joined.Private, joined.Locked, joined.Slow = ss.srv.rules.Room(name)
	return f, joined
}

// show makes a follow visible to the writer, behind the replies to it. It is false
// when the session was put out of the room meanwhile.
func (ss *session) show(f *follow, ms ...protocol.Message) bool {
	ss.mu.Lock()
	if f.gone.Load() {
		ss.mu.Unlock()
		return false
	}
	for _, m := range ms {
		ss.replies = encoders[ss.door.kind()](ss.replies, m)
	}
	ss.follows = append(slices.Clone(ss.follows), f)
	delete(ss.noticed, f.room.name)
	ss.mu.Unlock()
	ss.wake()
	return true
}

// unfollow ends a follow; the replies come behind what the writer may be
// sending of the room right now. Nothing happens when the follow has ended before.
func (ss *session) unfollow(f *follow, ms ...protocol.Message) {
	if !f.room.remove(f) {
		return
	}
	ss.mu.Lock()
	ss.follows = slices.DeleteFunc(slices.Clone(ss.follows), func(other *follow) bool { return other == f })
	for _, m := range ms {
		ss.replies = encoders[ss.door.kind()](ss.replies, m)
	}
	ss.mu.Unlock()
	ss.wake()
}

package server

import (
	"errors"
	"sync/atomic"
	"time"

	"lanchat/internal/roomlog"
	"lanchat/protocol"
)

// limit is one of Limits that can be reached.
type limit int

const (
	_ limit = iota
	limitConnections
	limitAddressConns
	limitArrivals
	limitHandshakes
	limitAddressHandshakes
	limitPosts
	limitPostBytes
	limitDayBytes
	limitDisk
	limitBots
	limitRequests
	limitPages
	limitSearches
	limitNicks
	limitBindings
	limitNewRooms
	limitKnownDirects
	limitFreshDirects
	limitDirects
	limitRooms
	limitAllRooms
	limitAllDirects
	limitOwnRooms
	limitOwnDirects
	limitText
	limitPending
	limitReplies
	limitAhead
	limitRules
	limits
)

// limitNames are those under which Stats counts.
var limitNames = [limits]string{
	limitConnections: "connections", limitAddressConns: "address_connections", limitArrivals: "arrivals",
	limitHandshakes: "handshakes", limitAddressHandshakes: "address_handshakes",
	limitPosts: "posts", limitPostBytes: "post_bytes", limitDayBytes: "day_bytes", limitDisk: "disk", limitBots: "bots", limitRequests: "requests", limitPages: "pages", limitSearches: "searches",
	limitNicks: "nicks", limitBindings: "bindings", limitNewRooms: "new_rooms", limitKnownDirects: "known_directs", limitFreshDirects: "fresh_directs", limitDirects: "directs", limitRooms: "rooms", limitAllRooms: "all_rooms",
	limitAllDirects: "all_directs", limitOwnRooms: "own_rooms", limitOwnDirects: "own_directs",
	limitText: "text", limitPending: "pending", limitReplies: "replies", limitAhead: "ahead", limitRules: "rules",
}

// CommitBounds are the upper bounds of the buckets of Stats.Commits; the last bucket
// has none.
var CommitBounds = [...]time.Duration{
	time.Millisecond, 2500 * time.Microsecond, 5 * time.Millisecond, 10 * time.Millisecond, 25 * time.Millisecond, 50 * time.Millisecond,
	100 * time.Millisecond, 250 * time.Millisecond, 500 * time.Millisecond, time.Second, 2500 * time.Millisecond, 5 * time.Second,
}

// stats are counted as things happen: an atomic addition for each write, read or post,
// and none for each recipient.
type stats struct {
	accepted, bytesIn, bytesOut         atomic.Uint64
	posts, failed, deliveries, logReads atomic.Uint64
	wrongPassphrases, otherRefusals     atomic.Uint64
	slowed                              atomic.Int64
	limits                              [limits]atomic.Uint64
	commits                             [len(CommitBounds) + 1]atomic.Uint64
	commitNanos                         atomic.Int64
}

func (s *stats) reached(l limit) { s.limits[l].Add(1) }

// committed notes how long a post took from the log's taking it to its being durable.
func (s *stats) committed(d time.Duration) {
	at := 0
	for at < len(CommitBounds) && d > CommitBounds[at] {
		at++
	}
	s.commits[at].Add(1)
	s.commitNanos.Add(int64(d))
}

// notAdmitted counts a newcomer who was refused.
func (s *stats) notAdmitted(err error) {
	switch e, ok := errors.AsType[*protocol.Error](err); {
	case !ok:
	case e.Code == protocol.CodeAuth:
		s.wrongPassphrases.Add(1)
	case e.Code == protocol.CodeForbidden, e.Code == protocol.CodeLimit:
		s.otherRefusals.Add(1)
	}
}

// Stats is what a server has done, and how it is at the moment.
type Stats struct {
	// How it is now.
	Connections int            // open ones
	Handshakes  int            // those of them that have not yet said who they are
	Sessions    map[string]int // by door: native and lines
	People      int            // who are in a room
	Rooms       int            // that somebody is in
	Slowed      int            // sessions that a rate makes wait
	// The space for the log, and what of it is to stay free; 0: it is not known. DiskNotice
	// says that it is short and who cannot post for that; empty: it is enough.
	DiskFree, DiskFloor int64
	DiskNotice          string

	// What was since it began.
	Accepted   uint64            // connections
	BytesIn    uint64            // of all connections, TLS included
	BytesOut   uint64            //
	Posts      uint64            // that are in the log
	Failed     uint64            // that the log refused
	Deliveries uint64            // entries sent, once for each session
	LogReads   uint64            // for sessions too late for the entries in memory
	Auth       uint64            // newcomers who did not prove what they have to
	Refused    uint64            // newcomers who are banned, or have to wait
	Limits     map[string]uint64 // how often each limit was reached, by name

	// Commits says how long posts took to be durable: how many were within each of
	// CommitBounds, and of the ones before, and how many took longer. Of each session
	// one post at a time is measured. CommitTime is the sum.
	Commits    [len(CommitBounds) + 1]uint64
	CommitTime time.Duration
}

// Stats returns the numbers of this moment. It may be called at any time.
func (s *Server) Stats() Stats {
	c := &s.stats
	st := Stats{
		People: s.People(), Handshakes: int(s.handshakes.Load()), Slowed: int(c.slowed.Load()), Accepted: c.accepted.Load(),
		BytesIn: c.bytesIn.Load(), BytesOut: c.bytesOut.Load(), Posts: c.posts.Load(), Failed: c.failed.Load(),
		Deliveries: c.deliveries.Load(), LogReads: c.logReads.Load(), Auth: c.wrongPassphrases.Load(), Refused: c.otherRefusals.Load(),
		Limits: map[string]uint64{}, Sessions: map[string]int{"native": 0, "lines": 0}, CommitTime: time.Duration(c.commitNanos.Load()),
	}
	for l := limitConnections; l < limits; l++ {
		st.Limits[limitNames[l]] = c.limits[l].Load()
	}
	for i := range c.commits {
		st.Commits[i] = c.commits[i].Load()
	}
	s.disk.mu.Lock()
	st.DiskFree, st.DiskFloor = s.disk.free, s.disk.floor
	if text := s.disk.notice.Load(); text != nil {
		st.DiskNotice = *text
	}
	s.disk.mu.Unlock()
	s.mu.Lock()
	st.Connections = len(s.conns)
	for _, ss := range s.conns {
		if ss != nil {
			st.Sessions[doorNames[ss.door.kind()]]++
		}
	}
	s.mu.Unlock()
	s.roomsMu.RLock()
	defer s.roomsMu.RUnlock()
	st.Rooms = len(s.rooms)
	return st
}

var doorNames = [doorKinds]string{nativeDoor: "native", linesDoor: "lines"}

// readyFact is written by Ready, in place of the one before.
const readyFact = "ready"

// Ready reports why the server does not serve: it does not listen, or its log takes no
// entries. It writes to the log, so that a full disk is noticed before somebody posts;
// ask no more often than you would write. It does not return before the log does.
func (s *Server) Ready() error {
	s.mu.Lock()
	listens := s.listener != nil && !s.stopped
	s.mu.Unlock()
	if !listens {
		return errors.New("the server does not listen")
	}
	if diskLevel(s.disk.level.Load()) == diskNobody {
		return errors.New(*s.disk.notice.Load())
	}
	now := time.Now()
	if f := s.logFails.Load(); f != nil && now.Sub(f.at) < failsFor {
		return f.err
	}
	return s.log.SetFact(roomlog.Fact{Kind: readyFact, Key: readyFact, Until: now.Add(time.Hour)})
}

// failsFor is how long the log counts as one that takes nothing, after a post that it
// refused.
const failsFor = 10 * time.Second

type failure struct {
	err error
	at  time.Time
}

// logTakes notes whether the log has taken a post.
func (s *Server) logTakes(err error) {
	switch {
	case isPassing(err):
		s.stats.failed.Add(1)
		s.logFails.Store(&failure{err, time.Now()})
	case err == nil:
		s.stats.posts.Add(1)
		if s.logFails.Load() != nil {
			s.logFails.Store(nil)
		}
	}
}

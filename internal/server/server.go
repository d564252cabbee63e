// Package server is the engine of chatd: it accepts connections, keeps the
// rooms and relays what is said. It knows nothing of discovery, flags or files.
//
// # How an entry travels
//
// A session's reader goroutine decodes a post and submits it to the log, then
// reads on. The log's committer makes a batch durable and hands it to
// Server.committed, which encodes each entry once for each kind of door into
// its room's tail and has the sessions that follow the room put in a queue. A few
// workers go through it: what lies between a session's cursor and the head is sent in
// one write, which does not wait. Where the socket is full the session gets a goroutine
// that waits for it, and stays out of the queue until all is sent. There is no queue of
// messages for anybody: a slow session is late, and reads from the tail, or from the log
// where the tail no longer reaches back.
//
// # Who runs, and who owns what
//
//   - One reader goroutine for each connection: it handles requests in order. Behind
//     any but a post another one takes its place, on a small stack. While it waits for a
//     rate a second one reads on, answers pings and queues the rest.
//   - As many workers as there are processors, while there is something to send; and
//     one goroutine for each session that waits for its socket, or for entries from
//     the log. Whichever of them sends for a session is its writer: there is one at a
//     time, and only the writer touches the session's cursors.
//   - The log's committer calls committed and Session.posted. It never waits
//     for a session.
//   - One goroutine gathers presence, room by room. Another one binds nicks: see binder.
//
// Locks, in the order in which they are taken: deeds, people.naming, then room.mu, then
// Server.roomsMu or people.mu, then session.mu; Server.mu; below each of these those of
// shares, of fanout and of each link. None but a link's is held
// during network I/O, and none but deeds while calling the log's Submit. Only deeds,
// naming and roomsMu are held while the log is asked.
//
// # Bounds
//
// Everything a client can make grow is bounded by [Limits]: connections,
// handshakes, rooms, text, posts and their bytes, also of a day, posts in flight, unread
// replies, and what the bots of a room say among themselves. A session costs its
// reader's stack and a few hundred bytes; its replies are bounded at 256 KiB,
// behind which it is no longer read; what it has not read of its rooms costs
// nothing. Rooms and direct talks count for who made them, by user and by address, and
// unused ones are removed when four fifths of all are used. A session is in at most Limits.Rooms rooms and Limits.Directs direct talks that
// others opened. Of those who guess the passphrase 4,096 addresses are remembered. What
// is kept of rooms and people has the shares of package access.
package server

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/netip"
	"runtime"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"lanchat/internal/access"
	"lanchat/internal/passphrase"
	"lanchat/internal/roomlog"
	"lanchat/protocol"
)

// Config says what a server is to be.
type Config struct {
	Name     string      // shown to people
	Software string      // for welcome
	Log      roomlog.Log // the server does not close it
	TLS      *tls.Config // requests, and does not require, a client certificate
	Limits   Limits      // zero fields take DefaultLimits'
	// Rules say who may what; nil: nobody has a role, and what rules are made end
	// with the server.
	Rules *access.Rules
	// Secret is asked at each newcomer for the passphrase of this moment; nil, or an
	// answer of nil: there is none. NoGuests admits nobody without a key. Both close
	// the door for plain lines.
	Secret   func() *passphrase.Secret
	NoGuests bool
	Logger   *slog.Logger // nil: none
	// Disk is asked about once a second for the bytes that are free where the log is, and
	// how many are to stay free; nil: nothing is refused for want of space.
	Disk func() (free, floor int64, err error)
	// OnPeople hears of the number of people present whenever it changes. It
	// must not block.
	OnPeople func(int)
}

// Server is one chat server. Serve may be called once; Close, Shutdown and
// People at any time, by any goroutine.
type Server struct {
	cfg    Config
	log    roomlog.Log
	logger *slog.Logger
	limits Limits
	people *people
	rules  *access.Rules
	bots   botTalk
	// reading bounds the requests that read from the log at the same time.
	reading chan struct{}
	tries   *tries

	users     shares[protocol.UserID] // of those with a key
	addresses shares[netip.Addr]
	stats     stats
	logFails  atomic.Pointer[failure] // nil: the newest post is in the log
	noise     noise
	disk      disk
	pressure  pressure
	searches  chan struct{} // one for each that runs

	mu         sync.Mutex
	listener   net.Listener
	conns      map[net.Conn]*session // nil: it has not yet said who it is
	stopped    bool                  // no new connection is served
	stopping   chan struct{}         // closed when stopped is set
	handshakes atomic.Int32
	refusing   atomic.Int32

	roomsMu sync.RWMutex
	rooms   map[string]*room // those that somebody follows
	bare    bareRooms
	// removals are the rooms that are being removed: nobody may follow them.
	removals map[string]struct{}

	deeds     sync.Mutex // held while a deed is carried out; taken before all others
	kicks     kicks
	arrivals  arrivals
	purging   bool      // guarded by deeds
	announced time.Time // guarded by deeds
	reclaimed time.Time // guarded by deeds: when rules that serve nobody were looked for

	presence *presence
	fanout   fanout
	running  sync.WaitGroup // readers and writers
}

// New makes a server. It takes over the log's Follow.
func New(cfg Config) *Server {
	if cfg.Logger == nil {
		cfg.Logger = slog.New(slog.DiscardHandler)
	}
	if cfg.Rules == nil {
		cfg.Rules, _ = access.Open(roomlog.NewMemory(), nil) // of an empty store, which does not fail
	}
	s := &Server{
		rules: cfg.Rules,
		cfg:   cfg, log: cfg.Log, logger: cfg.Logger, limits: cfg.Limits.orDefaults(),
		conns: map[net.Conn]*session{}, rooms: map[string]*room{}, removals: map[string]struct{}{},
		presence: newPresence(), reading: make(chan struct{}, max(1, runtime.GOMAXPROCS(0)/2)), tries: newTries(time.Now),
	}
	s.people, s.fanout.srv = newPeople(s), s
	s.stopping = make(chan struct{})
	s.searches = make(chan struct{}, s.limits.Searches)
	s.users.limits, s.users.people = &s.limits, 1
	s.addresses.limits, s.addresses.people = &s.limits, s.limits.AddressShare
	s.disk.ask = cfg.Disk
	s.lookAtDisk()
	s.bare.rooms = map[string]bareRoom{}
	for _, room := range s.rules.PrivateRooms() {
		s.settle(room, roomlog.Maker{})
	}
	s.log.Follow(s.committed)
	return s
}

// ErrServerClosed is what Serve returns after Close or Shutdown.
var ErrServerClosed = errors.New("the server is closed")

// Serve accepts connections on l until ctx ends, or Close or Shutdown is
// called. When ctx ends it says goodbye as Shutdown does, with two seconds to
// drain. It returns when every goroutine that it started has ended.
func (s *Server) Serve(ctx context.Context, l net.Listener) error {
	s.mu.Lock()
	if s.stopped {
		s.mu.Unlock()
		l.Close()
		return ErrServerClosed
	}
	s.listener = l
	s.mu.Unlock()
	defer s.Close()

	presenceCtx, stopPresence := context.WithCancel(context.WithoutCancel(ctx))
	var background sync.WaitGroup
	background.Go(func() { s.presence.run(presenceCtx) })
	background.Go(func() { s.tidyRooms(presenceCtx) })
	background.Go(func() { s.watchLimits(presenceCtx) })
	background.Go(func() { s.people.bindNicks(presenceCtx) })
	if s.disk.ask != nil {
		background.Go(func() { s.watchDisk(presenceCtx) })
	}
	served := make(chan struct{})
	background.Go(func() {
		select {
		case <-ctx.Done():
			grace, cancel := context.WithTimeout(context.WithoutCancel(ctx), 2*time.Second)
			defer cancel()
			s.Shutdown(grace, time.Second)
		case <-served:
		}
	})
	err := s.accept(l)
	close(served)
	s.running.Wait()
	stopPresence()
	background.Wait()
	return err
}

func (s *Server) accept(l net.Listener) error {
	var pause time.Duration
	for {
		nc, err := l.Accept()
		if err != nil {
			if s.isStopped() {
				return ErrServerClosed
			}
			if ne, ok := errors.AsType[net.Error](err); ok && ne.Timeout() || isTransientAccept(err) {
				// Out of descriptors, or a connection that was gone before it
				// was taken: others may still come.
				pause = min(max(2*pause, 5*time.Millisecond), time.Second)
				s.logger.Warn("cannot accept a connection; trying again", "err", err, "in", pause)
				time.Sleep(pause)
				continue
			}
			s.Close()
			return fmt.Errorf("accepting connections on %v: %w", l.Addr(), err)
		}
		pause = 0
		s.begin(nc)
	}
}

func (s *Server) isStopped() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.stopped
}

// allSessions are the sessions there are.
func (s *Server) allSessions() (all []*session) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, ss := range s.conns {
		if ss != nil {
			all = append(all, ss)
		}
	}
	return all
}

// addSession makes a session known, unless the server is stopping.
func (s *Server) addSession(nc net.Conn, ss *session) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.stopped {
		return false
	}
	s.conns[nc] = ss
	return true
}

// stop ends the accepting and what has not yet become a session, and returns
// the sessions there are.
func (s *Server) stop() []*session {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.stopped {
		s.stopped = true
		close(s.stopping)
	}
	if s.listener != nil {
		s.listener.Close()
	}
	var all []*session
	for nc, ss := range s.conns {
		if ss == nil {
			nc.Close()
		} else {
			all = append(all, ss)
		}
	}
	return all
}

// Shutdown stops accepting, reads no further request, sends everybody what
// they have not yet been sent and then bye with retryAfter, and closes. When
// ctx ends first, the rest is cut off.
func (s *Server) Shutdown(ctx context.Context, retryAfter time.Duration) error {
	for _, ss := range s.stop() {
		ss.end(shuttingDown(retryAfter))
	}
	done := make(chan struct{})
	go func() { s.running.Wait(); close(done) }()
	select {
	case <-done:
		return nil
	case <-ctx.Done():
		s.Close()
		<-done
		return context.Cause(ctx)
	}
}

func shuttingDown(retryAfter time.Duration) *protocol.Bye {
	return &protocol.Bye{Code: protocol.CodeShuttingDown, Text: "the server is stopping", RetryAfter: uint32(retryAfter.Milliseconds())}
}

// Close closes every connection at once.
func (s *Server) Close() error {
	s.stop()
	s.mu.Lock()
	defer s.mu.Unlock()
	for nc := range s.conns {
		nc.Close()
	}
	return nil
}

// People counts the people present: those who are in at least one room.
func (s *Server) People() int { return s.people.count() }

// committed hears of every commit, in order. It runs on the log's committer and
// waits for nobody.
func (s *Server) committed(entries []protocol.Entry) (told func()) {
	s.fanout.hold()
	for len(entries) > 0 {
		n := 1
		for n < len(entries) && entries[n].Room == entries[0].Room {
			n++
		}
		name := entries[0].Room
		s.roomsMu.RLock()
		r := s.rooms[name]
		_, bare := s.bare.rooms[name]
		s.roomsMu.RUnlock()
		if bare {
			s.roomsMu.Lock()
			s.bare.drop(name)
			s.roomsMu.Unlock()
		}
		if r != nil {
			r.bare.Store(false)
			r.grow(entries[:n])
		}
		isSaid := func(e protocol.Entry) bool { return e.Kind != protocol.KindDelete }
		if a, b, direct := protocol.ParseDirectRoom(name); direct && slices.ContainsFunc(entries[:n], isSaid) {
			s.people.tellDirect(name, a, b)
		}
		entries = entries[n:]
	}
	return s.fanout.release
}

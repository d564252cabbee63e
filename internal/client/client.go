// Package client is the engine of a chat client: it connects, keeps rooms
// joined, posts, and turns what comes into events. It has no widget and prints
// nothing; user interfaces (internal/tui, internal/lines) show its [State].
//
// # How it flows
//
//	network → Client.Run → Events (bounded) → State.Apply → a screen
//	keys → Client.Post, Join, … → outbox and wishes → network
//
// Whoever shows the State reads Events and applies them; when that one is busy
// the inbox fills, the connection is no longer read, and TCP holds the server
// back: nothing is dropped. Post, Join and their like never wait for the
// network, so no screen freezes with it.
//
// An entry that changes another one (an edit, a deletion, a reaction) is folded
// into that one's item; see [State] for what a user interface then finds, and
// [About] for how one is made. What a user keeps on this side of a server, drafts,
// people who are ignored, what to be told of, is handed to Client.Keep, and comes
// back to the next client as a Recalled.
//
// # What it promises
//
//   - Every entry behind a room's cursor is delivered as an event, once, in
//     order, across reconnects. Entries that the server does not replay are
//     announced by a Received Skipped.
//   - A post is sent until it is acknowledged or refused, in the order of the
//     Post calls, under one id, so it appears once however often it was sent.
//     With Config.Journals it is kept on disk until then, and the next client of
//     the same server sends it.
//   - After a lost connection it tries again: at once, then after 0.5 s, 1 s,
//     2 s, … up to 15 s, each time between half and all of that, and not before
//     the server's own retry_after. It gives up only when trying again is no
//     use, and when the very first try fails.
package client

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"time"

	"lanchat/internal/passphrase"
	"lanchat/protocol"
)

// The bounds of a client.
const (
	inboxSize     = 256      // events that wait for the user interface
	outboxPosts   = 10_000   // posts that are not yet acknowledged
	outboxBytes   = 16 << 20 // the same, in bytes of text
	maxRequests   = 256      // requests that are not yet sent
	window        = 1024     // posts that are sent and not yet acknowledged; fewer where the server says so
	roundTripEach = 10 * time.Second
	deadAfter     = 20 * time.Second // without a pong
)

// Errors of a Client's methods.
var (
	ErrOutboxFull = fmt.Errorf("too much is waiting to be sent (%d messages or %d MiB); try again when some of it is", outboxPosts, outboxBytes>>20)
	ErrOffline    = errors.New("there is no connection to the server now")
	ErrTooMany    = errors.New("too many requests are waiting")
	ErrNotOffered = errors.New("this server is an older one, which cannot do that")
)

// Config says what a client is to do.
type Config struct {
	Dial     DialFunc
	Nick     string
	Software string
	Bot      bool
	Rooms    []string // to join from the start
	// After is the cursor for Rooms; with Live set there is no replay at all.
	After uint64
	Live  bool
	// Quiet has nothing of Rooms sent: for a client that only posts.
	Quiet bool
	// Journals is the directory in which unsent posts, cursors and what the user
	// keeps on this side are kept across restarts; empty: they end with the process.
	Journals string
	// Passphrase is what a server may ask for; nil: it is not known, and such a server
	// ends the client with protocol.ErrAuthRequired. With Insist a server that is met
	// for the first time is refused if it does not ask: whoever says that there is a
	// passphrase need not believe somebody who wants none.
	Passphrase *passphrase.Key
	Insist     bool
	Token      string // of an invitation
	// Watch is asked at each new connection, before hello, for whom to tell of its
	// frames (see protocol.Conn.Watch); the answer may be nil. Nil: nobody watches.
	Watch func(*Dialed) func(protocol.Frame)

	random func() float64 // for the backoff; nil: math/rand
}

// Client is one client. Run is called once. All other methods may be called by
// any goroutine at any time.
type Client struct {
	cfg    Config
	events chan Event
	keeper *keeper

	mu       sync.Mutex
	up       bool
	epoch    protocol.ID
	offers   []string // of the server: extensions
	me       protocol.UserID
	rooms    []*wish
	outbox   outbox
	window   int // of this connection
	requests []protocol.Message
	refs     uint32
	joins    map[uint32]string // rooms whose join is not yet answered, by ref
	leaves   map[uint32]string // rooms whose leave is not yet answered, by ref
	wake     chan struct{}     // the sender may have something to do
	drained  chan struct{}     // closed and replaced when a post leaves the outbox
	journal  *journal          // from the first connection on, when posts are to be kept
	opened   bool              // it was tried to open it
	recalled bool              // what is kept on this side was asked for; Run's alone
	warned   bool              // that the invitation was of no use; Run's alone
	first    chan error        // has what came of the first try to connect
}

// wish is a room that the user wants to be in.
type wish struct {
	room   string
	cursor uint64
	live   bool // no replay at the first join
	quiet  bool // nothing of it is to be sent
	asked  bool // the join was sent over this connection
	in     bool // and answered: what comes of the room is for this stay in it
	// invited: it is a direct talk that the server has told of, and the user has not
	// asked for it. Its join is sent after everything else.
	invited bool
}

// New makes a client; Run connects it.
func New(cfg Config) *Client {
	c := &Client{cfg: cfg, events: make(chan Event, inboxSize), keeper: newKeeper(cfg.Journals), joins: map[uint32]string{}, leaves: map[uint32]string{},
		wake: make(chan struct{}, 1), drained: make(chan struct{}), first: make(chan error, 1)}
	for _, room := range cfg.Rooms {
		c.rooms = append(c.rooms, &wish{room: room, cursor: cfg.After, live: cfg.Live, quiet: cfg.Quiet})
	}
	return c
}

// Events is where the events come out, until Run ends and closes it. They must
// be taken, or the client stands still.
func (c *Client) Events() <-chan Event { return c.events }

// Tried has what came of the first try to connect, nil where that went well.
func (c *Client) Tried() <-chan error { return c.first }

func (c *Client) tried(err error) {
	select {
	case c.first <- err:
	default: // it was not the first
	}
}

// Post queues a post for sending. It fills in the ID when there is none, and
// returns the event that shows the post as pending.
func (c *Client) Post(p protocol.Post) (Queued, error) {
	if p.ID.IsZero() {
		p.ID = protocol.NewID()
	}
	// The server ends a connection that brings anything else, and the post would
	// be sent again over the next one, and the next.
	p.Text = strings.ToValidUTF8(p.Text, "\uFFFD")
	c.mu.Lock()
	defer c.mu.Unlock()
	if !c.outbox.add(p) {
		return Queued{}, ErrOutboxFull
	}
	c.journal.post(p)
	c.wakeUp()
	return Queued{Post: p, At: time.Now()}, nil
}

// Waiting counts the posts that are neither acknowledged nor refused.
func (c *Client) Waiting() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return len(c.outbox.posts)
}

// WaitBelow waits until fewer than n posts are waiting.
func (c *Client) WaitBelow(ctx context.Context, n int) error {
	for {
		c.mu.Lock()
		count, drained := len(c.outbox.posts), c.drained
		c.mu.Unlock()
		if count < n {
			return nil
		}
		select {
		case <-drained:
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
}

// Join joins a room, and keeps it joined across reconnects.
func (c *Client) Join(room string) error {
	if err := protocol.ValidRoom(room); err != nil {
		return err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.wish(room).invited = false
	c.wakeUp()
	return nil
}

// wish returns the wish for a room, making it. c.mu is held.
func (c *Client) wish(room string) *wish {
	if w := c.wished(room); w != nil {
		return w
	}
	w := &wish{room: room}
	c.rooms = append(c.rooms, w)
	return w
}

func (c *Client) wished(room string) *wish {
	for _, w := range c.rooms {
		if w.room == room {
			return w
		}
	}
	return nil
}

// unwish forgets a room, and that the answer to a join of it may be under way:
// that one is about a stay which is over. c.mu is held.
func (c *Client) unwish(room string) {
	maps.DeleteFunc(c.joins, func(_ uint32, joining string) bool { return joining == room })
	for i, w := range c.rooms {
		if w.room == room {
			c.rooms = append(c.rooms[:i:i], c.rooms[i+1:]...)
			return
		}
	}
}

// Leave leaves a room. Without a connection it fails, and one stays in it.
func (c *Client) Leave(room string) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	ref, err := c.request(&protocol.Leave{Room: room})
	if err != nil {
		return err
	}
	c.leaves[ref] = room
	c.unwish(room)
	return nil
}

// Request sends any other request and returns its ref; the answer comes as a
// Received event. It is not sent again when the connection breaks.
func (c *Client) Request(m protocol.Message) (ref uint32, err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.request(m)
}

// request is Request with c.mu held.
func (c *Client) request(m protocol.Message) (ref uint32, err error) {
	if !c.up {
		return 0, ErrOffline
	}
	if extension := protocol.Extension(m); extension != "" && !slices.Contains(c.offers, extension) {
		return 0, ErrNotOffered
	}
	if len(c.requests) >= maxRequests {
		return 0, ErrTooMany
	}
	ref = c.nextRef()
	setRef(m, ref)
	c.requests = append(c.requests, m)
	c.wakeUp()
	return ref, nil
}

// nextRef returns a ref that is not 0. c.mu is held.
func (c *Client) nextRef() uint32 {
	if c.refs++; c.refs == 0 {
		c.refs++
	}
	return c.refs
}

func setRef(m protocol.Message, ref uint32) {
	switch m := m.(type) {
	case *protocol.Join:
		m.Ref = ref
	case *protocol.Leave:
		m.Ref = ref
	case *protocol.History:
		m.Ref = ref
	case *protocol.Search:
		m.Ref = ref
	case *protocol.Nick:
		m.Ref = ref
	case *protocol.Topic:
		m.Ref = ref
	case *protocol.Rooms:
		m.Ref = ref
	case *protocol.Moderate:
		m.Ref = ref
	case *protocol.Who:
		m.Ref = ref
	case *protocol.Invite:
		m.Ref = ref
	case *protocol.Whois:
		m.Ref = ref
	case *protocol.Refuse:
		m.Ref = ref
	}
}

// Keep keeps what a Drafted, Ignored or Told says for the next client of this
// server, and for itself what is said before a server is met. It never waits for
// the disk: what it is told is there a second later, and when Run has returned.
func (c *Client) Keep(ev Event) { c.keeper.keep(ev) }

func (c *Client) wakeUp() {
	select {
	case c.wake <- struct{}{}:
	default:
	}
}

// emit hands an event to the user interface, waiting while the inbox is full.
func (c *Client) emit(ctx context.Context, ev Event) error {
	select {
	case c.events <- ev:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

package server

import (
	"reflect"
	"sync"
	"time"

	"lanchat/protocol"
)

// Limits are what one server bears. All are on by default.
type Limits struct {
	Connections  int // open connections, in all
	Handshakes   int // connections that have not yet said who they are
	Text         int // bytes of an entry's text
	Rooms        int // rooms that one session may follow
	AllRooms     int // rooms on this server, direct talks included
	Pending      int // posts of one session that are not yet committed
	PendingBytes int // the same, in bytes
	PostRate     int // posts a second of one session, in the long run
	PostBurst    int // posts that one session may send at once
	BotRate      int // posts a second of all bots of a room together, in the long run
	BotBurst     int // posts that they may send at once, and again when a person has posted there
}

// DefaultLimits are the limits unless Config says otherwise.
var DefaultLimits = Limits{
	Connections:  16_384,
	Handshakes:   1_024,
	Text:         16 << 10,
	Rooms:        100,
	AllRooms:     10_000,
	Pending:      1_024,
	PendingBytes: 1 << 20,
	PostRate:     100,
	PostBurst:    1_000,
	BotRate:      1,
	BotBurst:     500,
}

func (l Limits) orDefaults() Limits {
	v, d := reflect.ValueOf(&l).Elem(), reflect.ValueOf(DefaultLimits)
	for i := range v.NumField() {
		if v.Field(i).IsZero() {
			v.Field(i).Set(d.Field(i))
		}
	}
	return l
}

// onWire are the limits that a client is told.
func (l Limits) onWire() protocol.Limits {
	return protocol.Limits{
		Frame: protocol.MaxFrame, Text: uint32(l.Text), Rooms: uint32(l.Rooms),
		Pending: uint32(l.Pending), PostRate: uint32(l.PostRate),
	}
}

// The bounds that are no matter of taste.
const (
	replyBytes     = 256 << 10 // unread replies behind which a session is not read
	writeBytes     = 256 << 10 // what one write takes of a room at most
	writePiece     = 64 << 10  // what must be taken within protocol.WriteTimeout
	tailMin        = 32 << 10  // a room's tail in memory, for each kind of door,
	tailEach       = 16 << 10  // and so much more for each who reads it,
	tailMax        = 4 << 20   // but no more than this
	logBytes       = 128 << 10 // what is read from the log at once, where the tail is too short
	eventTailBytes = 32 << 10
	replayMax      = 1_000           // entries that a join replays
	pageBytes      = 60 << 10        // of a list, so that it fits a frame
	listMax        = 500             // people, rooms or entries in one list
	bigRoom        = 200             // members above which presence is a count
	bigRoomNames   = 20              // names in a big room's presence message
	greetAfter     = 2 * time.Second // of silence: this is a person
	hangUpAfter    = time.Second     // what a peer may still send when all is said, in time
	hangUpBytes    = 4 << 20         // and in bytes: more than the posts that may be under way
	maxQuery       = 1 << 10         // bytes of a search
	typingEvery    = 2 * time.Second // typing notes of one session
)

// bucket is a token bucket: it holds burst tokens, and gains rate a second.
type bucket struct {
	mu     sync.Mutex
	tokens float64
	filled time.Time
}

// take takes one token and returns how long to wait before it is there.
func (b *bucket) take(now time.Time, rate, burst int) time.Duration {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.fill(now, rate, burst)
	b.tokens--
	return b.debt(0, rate)
}

// try takes one token if there is one, and otherwise returns how long it will be
// until there is.
func (b *bucket) try(now time.Time, rate, burst int) time.Duration {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.fill(now, rate, burst)
	wait := b.debt(1, rate)
	if wait == 0 {
		b.tokens--
	}
	return wait
}

// full reports whether the bucket is as if it had never been used.
func (b *bucket) full(now time.Time, rate, burst int) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.fill(now, rate, burst)
	return b.tokens >= float64(burst)
}

// fill adds what has come since the last time. b.mu is held.
func (b *bucket) fill(now time.Time, rate, burst int) {
	if b.filled.IsZero() {
		b.tokens = float64(burst)
	} else {
		b.tokens = min(float64(burst), b.tokens+now.Sub(b.filled).Seconds()*float64(rate))
	}
	b.filled = now
}

// debt is how long it takes until there are so many tokens. b.mu is held.
func (b *bucket) debt(tokens float64, rate int) time.Duration {
	if b.tokens >= tokens {
		return 0
	}
	return time.Duration((tokens - b.tokens) / float64(rate) * float64(time.Second))
}

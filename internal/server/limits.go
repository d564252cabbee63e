package server

import (
	"reflect"
	"time"

	"lanchat/protocol"
)

// Limits are what one server bears. All are on by default: a field that is zero has
// its value of DefaultLimits.
//
// A rate is how often somebody may do something in the long run, a burst how often at
// once. What is over a rate of posts or requests is read later, and the session told
// slow, so that order holds. What is over another is refused with the code limit. Each
// time counts in Stats.
//
// Somebody is a user: all sessions of a key together, and of a guest the one that
// there is. Beyond that all guests who come from one address, and all people with keys
// who do, may together do so often AddressShare times what one may.
//
// The bytes of posts have rates beside their number. A fresh user has a quarter of them,
// and so have the guests of an address; a webhook's token has those of a known user. A
// post counts with its protocol.Entry.MaxSize: what the log and its index take of the
// disk is about that for short texts, and up to twice as much for long ones. Where they
// are zero they grow with PostRate.
type Limits struct {
	Connections       int // open connections, in all
	AddressConns      int // open connections from one address; of IPv6 from one network of 64 bits
	Handshakes        int // connections that have not yet said who they are, in all
	AddressHandshakes int // the same, from one address; more wait for their turn
	AddressShare      int // how many people's rates those of one address have together

	Text         int // bytes of an entry's text
	Rooms        int // rooms in which one user may be, without direct talks that others opened
	Directs      int // direct talks that others opened, in which one session is
	AllRooms     int // rooms on this server
	AllDirects   int // direct talks on this server
	OwnRooms     int // rooms that one user has made, or all guests of an address
	OwnDirects   int // direct talks that one user has opened
	Pending      int // posts of one session that are not yet committed
	PendingBytes int // the same, in bytes
	SocketBytes  int // bytes that the kernel holds for one connection, in each direction
	Searches     int // searches that run at the same time, in all; of one user: one.
	// The log has four readers, and other reading is to go on meanwhile

	PostRate      int // posts a second of one user
	PostBurst     int // at once
	ByteRate      int // bytes of posts a second of one known user
	ByteBurst     int // at once
	DayBytes      int // bytes of posts a day of one known user; who has used them up may go on at the rate at which they come back
	ArrivalRate   int // connections a second from one address, but this host's own
	ArrivalBurst  int // at once: a room behind one address that comes back
	BotRate       int // posts a second of all bots of a room together
	BotBurst      int // at once, and again when a person has posted there
	RequestRate   int // requests a second of one user, of every kind that has no rate of its own
	RequestBurst  int // at once
	PageRate      int // joins, pages of history and lists a second of one user
	PageBurst     int // at once
	SearchRate    int // searches a second of one user
	SearchBurst   int // at once
	NickRate      int // changes of nick a minute of one user
	NickBurst     int // at once
	BindRate      int // nicks bound an hour from one address, but this host's own
	BindBurst     int // at once: a class behind one address
	NewRoomsRate  int // rooms newly made an hour by one user
	NewRoomsBurst int // at once

	KnownDirectsRate  int // direct talks an hour that all who are known open with one user
	KnownDirectsBurst int // at once
	FreshDirectsRate  int // the same of all who are fresh
	FreshDirectsBurst int // at once
}

// DefaultLimits are the limits unless Config says otherwise.
var DefaultLimits = Limits{
	Connections:       16_384,
	AddressConns:      256,
	Handshakes:        1_024,
	AddressHandshakes: 32,
	AddressShare:      4,

	Text:         16 << 10,
	Rooms:        100,
	Directs:      200,
	AllRooms:     10_000,
	AllDirects:   50_000,
	OwnRooms:     50,
	OwnDirects:   500,
	Pending:      1_024,
	PendingBytes: 1 << 20,
	SocketBytes:  256 << 10,
	Searches:     2,

	PostRate:      5,
	PostBurst:     50,
	ByteRate:      64 << 10,
	ByteBurst:     1 << 20,
	DayBytes:      200 << 20,
	ArrivalRate:   2,
	ArrivalBurst:  150,
	BotRate:       1,
	BotBurst:      500,
	RequestRate:   100,
	RequestBurst:  1_000,
	PageRate:      10,
	PageBurst:     100,
	SearchRate:    20,
	SearchBurst:   40,
	NickRate:      5,
	NickBurst:     10,
	BindRate:      30,
	BindBurst:     150,
	NewRoomsRate:  30,
	NewRoomsBurst: 100,

	KnownDirectsRate:  60,
	KnownDirectsBurst: 100,
	FreshDirectsRate:  10,
	FreshDirectsBurst: 20,
}

func (l Limits) orDefaults() Limits {
	if l.PostRate > DefaultLimits.PostRate { // whoever allows more posts wants to have their bytes
		for _, bytes := range []struct {
			of    *int
			usual int
		}{{&l.ByteRate, DefaultLimits.ByteRate}, {&l.ByteBurst, DefaultLimits.ByteBurst}, {&l.DayBytes, DefaultLimits.DayBytes}} {
			if *bytes.of == 0 {
				*bytes.of = int(min(float64(bytes.usual)/float64(DefaultLimits.PostRate)*float64(l.PostRate), maxBytes))
			}
		}
	}
	v, d := reflect.ValueOf(&l).Elem(), reflect.ValueOf(DefaultLimits)
	for i := range v.NumField() {
		if v.Field(i).IsZero() {
			v.Field(i).Set(d.Field(i))
		}
	}
	return l
}

// pace is that of one user's actions of a kind.
func (l *Limits) pace(a action) pace {
	each := func(rate, burst int, unit time.Duration) pace {
		return pace{float64(rate) / unit.Seconds(), float64(burst)}
	}
	switch a {
	case posting:
		return each(l.PostRate, l.PostBurst, time.Second)
	case volume:
		return each(l.ByteRate, l.ByteBurst, time.Second)
	case daily:
		return each(l.DayBytes, l.DayBytes, 24*time.Hour)
	case paging:
		return each(l.PageRate, l.PageBurst, time.Second)
	case searching:
		return each(l.SearchRate, l.SearchBurst, time.Second)
	case renaming:
		return each(l.NickRate, l.NickBurst, time.Minute)
	case arriving:
		return each(l.ArrivalRate, l.ArrivalBurst, time.Second)
	case binding:
		return each(l.BindRate, l.BindBurst, time.Hour)
	case making:
		return each(l.NewRoomsRate, l.NewRoomsBurst, time.Hour)
	case openingKnown:
		return each(l.KnownDirectsRate, l.KnownDirectsBurst, time.Hour)
	case openingFresh:
		return each(l.FreshDirectsRate, l.FreshDirectsBurst, time.Hour)
	}
	return each(l.RequestRate, l.RequestBurst, time.Second)
}

// shared is the pace of all of an address together.
func (l *Limits) shared(a action) pace { return l.pace(a).times(l.AddressShare) }

// postPaces are those of posting, volume and daily, of so many people together.
type postPaces [daily + 1]pace

func (l *Limits) postPaces(known bool, people int) (p postPaces) {
	for a := range p {
		if p[a] = l.pace(action(a)).times(people); action(a) != posting && !known {
			p[a] = p[a].part(freshPart)
		}
	}
	return p
}

const (
	freshPart = 4       // a fresh user may post this part of a known one's bytes
	maxBytes  = 1 << 50 // that a rate may allow: a float64 still counts them
)

func (l *Limits) bots() pace { return pace{float64(l.BotRate), float64(l.BotBurst)} }

// onWire are the limits that a client is told.
func (l Limits) onWire() protocol.Limits {
	return protocol.Limits{
		Frame: protocol.MaxFrame, Text: uint32(l.Text), Rooms: uint32(l.Rooms),
		Pending: uint32(l.Pending), PostRate: uint32(l.PostRate),
	}
}

// The bounds that are no matter of taste.
const (
	replyBytes     = 256 << 10              // unread replies behind which a session is not read
	writeBytes     = 64 << 10               // what one write takes of a room at most
	writePiece     = 64 << 10               // what must be taken within protocol.WriteTimeout
	tailMin        = 32 << 10               // a room's tail in memory, for each kind of door,
	tailEach       = 16 << 10               // and so much more for each who reads it,
	tailFew        = 16                     // but from so many on
	tailMore       = 64 << 10               // so much for each further one,
	tailMax        = 4 << 20                // but no more than this
	logBytes       = 128 << 10              // what is read from the log at once, where the tail is too short
	catchUpRest    = 100 * time.Millisecond // between two such, at most
	eventTailBytes = 32 << 10
	replayMax      = 1_000           // entries that a join replays
	pageBytes      = 60 << 10        // of a list, so that it fits a frame
	listMax        = 500             // people, rooms or entries in one list
	guestPage      = 100             // the same for a guest who comes without a cursor, and entries in a guest's page
	bigRoom        = 200             // members above which presence is a count
	bigRoomNames   = 20              // names in a big room's presence message
	crowdFrom      = 1_000           // members above which joined names no more than that either
	greetAfter     = 2 * time.Second // of silence: this is a person
	hangUpAfter    = time.Second     // what a peer may still send when all is said, in time
	hangUpBytes    = 4 << 20         // and in bytes: more than the posts that may be under way
	maxQuery       = 1 << 10         // bytes of a search
	// Limits that are reached so often in pressureEvery are reported to admins, and in one
	// room to its ops. A class that comes at once stays far below.
	pressureEvery    = 10 * time.Second
	pressureFrom     = 150
	pressureRoomFrom = 100
	maxPressure      = 256             // addresses and rooms that are told apart meanwhile
	typingEvery      = 2 * time.Second // typing notes of one session
	pingEvery        = time.Second     // pings of one session that are answered at once
	aheadBytes       = 64 << 10        // requests that are read while one waits for its rate,
	queuedSize       = 128             // of which each takes so much beside its fields
	directsTold      = 20              // direct talks with something unread that are told of at connect
	saidLately       = 200             // entries of a direct talk in which who refuses the fresh has to have said something
	arrivalsKept     = 32_768          // users who are not known and have posted that are remembered,
	arrivalsFor      = time.Hour       // for so long
)

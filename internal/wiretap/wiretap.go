// Package wiretap turns what packages discovery and protocol tell of datagrams
// and frames into two columns that can be laid side by side: on the left what UDP
// carried, with what was lost, doubled or late; on the right what TCP carried,
// with how the stream really came.
//
// A [Tap] is handed to both: [Tap.Datagram] is a discovery.Config.Watch, and
// [Tap.Stream] a client.Config.Watch. It keeps the newest rows of each column and
// counts all of them. [Tap.Follow] hands every row on, with its bytes, to be
// written as lines ([AppendText]), as JSON ([AppendJSON]) or as a capture
// ([Capture]).
//
// # What the numbers of datagrams tell
//
// A server numbers its packets, seq, and so does who asks. A number that is left
// out was sent and did not come here: it was lost, or it was an answer to somebody
// else, which looks the same from here. A number that comes twice is doubled:
// mostly because it is sent to both broadcast addresses of each interface, so the
// note says by which way the first one came. A number that comes behind a higher
// one is late, and no longer lost.
//
// # Bounds
//
// A Tap keeps [History] rows of a column, the numbers of 256 senders, the last 256
// queries and 1,024 requests of a connection. A field's text is cut to 200 bytes,
// a list is told by its length, and a packet that nobody could read by its error.
package wiretap

import (
	"hash/maphash"
	"net/netip"
	"sync"
	"time"
)

// History is how many rows of a column a Tap keeps.
const History = 1000

// Row is one datagram or one frame. All text in it is clean: it may be shown.
type Row struct {
	N         uint64 // in its column, from 1, without gaps
	Stream    bool   // a frame of TCP; else a datagram of UDP
	At        time.Time
	Sent      bool
	Local     netip.AddrPort // of this end, as far as it is known
	Peer      netip.AddrPort
	To        netip.Addr // of a datagram that came: the address it was sent to, where that is told
	Interface string     // of a datagram, where that is told
	Bytes     int        // of the datagram, or of the frame with its length
	// Conn says, of a frame, which connection it was, from 1.
	Conn uint64
	// Type is "beacon", "post", …; "" where it cannot be read, and of a row that is
	// no datagram but says that none came: that one has no Bytes.
	Type   string
	Fields []Field
	Notes  []Note
}

// Field is one field of a packet or message.
type Field struct {
	Name  string
	Value any // string, bool, int64 or uint64; of a list how many it has
}

// Note is what there is to say of how a row came.
type Note struct {
	Kind NoteKind
	Text string
	Loud bool // something that a protocol has to cope with
}

// NoteKind says what a note is about.
type NoteKind string

// The kinds of notes.
const (
	Lost       NoteKind = "lost"       // numbers before this one were never seen
	Doubled    NoteKind = "doubled"    // this number was seen before
	Late       NoteKind = "late"       // a higher number came first
	Own        NoteKind = "own"        // a broadcast of ours that came back
	Unanswered NoteKind = "unanswered" // a query to which nothing came
	RoundTrip  NoteKind = "round_trip" // an answer, and how long it took
	Reads      NoteKind = "reads"      // which reads brought the frame, or which write took it
	Kernel     NoteKind = "kernel"     // what the kernel tells of the connection
	Resent     NoteKind = "resent"     // the kernel sent segments again
	Reordered  NoteKind = "reordered"  // segments came behind a gap: one was lost or late
	Failed     NoteKind = "failed"     // not sent, or not readable
)

// Totals count since the Tap was made.
type Totals struct {
	UDP UDPTotals
	TCP TCPTotals
}

// UDPTotals count datagrams.
type UDPTotals struct {
	Sent, Received uint64 // datagrams
	SentBytes      uint64
	ReceivedBytes  uint64
	Failed         uint64 // the system refused to send them
	Lost           uint64 // at most: numbers that were never seen here
	Doubled        uint64 // by whatever way
	Late           uint64
	Foreign        uint64 // not of this protocol or version
	Unanswered     uint64 // queries
}

// TCPTotals count frames, and the reads and writes that moved them.
type TCPTotals struct {
	Connections   uint64
	Sent          uint64 // frames
	Received      uint64
	SentBytes     uint64 // of frames, as they are inside TLS
	ReceivedBytes uint64
	Reads         uint64
	Writes        uint64

	Kernel        bool   // the kernel tells what follows
	SegmentsOut   uint64 // with data
	SegmentsIn    uint64
	Retransmitted uint64        // segments
	Reordered     uint64        // segments that came behind a gap
	RTT           time.Duration // of the last connection, smoothed
}

// Event is a row as it is made, with what was on the wire.
type Event struct {
	Row Row
	// Raw is the datagram (at most 257 bytes of it), or the frame with its length;
	// empty for a row without Bytes.
	Raw []byte
}

// Tap is both columns. All methods may be called by several goroutines.
type Tap struct {
	mu       sync.Mutex
	columns  [2][]Row // rings: UDP, TCP
	last     [2]uint64
	udp      UDPTotals
	tcp      TCPTotals
	senders  senders
	asked    []asked
	streams  []*stream // the latest connections
	ears     int
	echoes   []echo // what came lately, where there are several ears
	seed     maphash.Seed
	follower chan Event
	missed   uint64
}

// New makes an empty Tap.
func New() *Tap { return &Tap{seed: maphash.MakeSeed()} }

// Follow hands on every row from now on, by a channel that holds so many. What
// does not fit is left out and counted by Missed: nobody on the wire waits for a
// reader. It is called once, before anything is watched.
func (t *Tap) Follow(size int) <-chan Event {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.follower = make(chan Event, size)
	return t.follower
}

// Missed is how many rows were not handed to the reader of Follow.
func (t *Tap) Missed() uint64 {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.missed
}

func column(stream bool) int {
	if stream {
		return 1
	}
	return 0
}

// add puts a row into its column. t.mu is held.
func (t *Tap) add(r Row, raw []byte) {
	c := column(r.Stream)
	t.last[c]++
	r.N = t.last[c]
	if len(t.columns[c]) < History {
		t.columns[c] = append(t.columns[c], r)
	} else {
		t.columns[c][(r.N-1)%History] = r
	}
	if t.follower == nil {
		return
	}
	select {
	case t.follower <- Event{Row: r, Raw: append([]byte(nil), raw...)}:
	default:
		t.missed++
	}
}

// Rows returns at most so many rows of a column behind the number after, the
// oldest first, and the number of the last of them. Rows that are no longer kept
// are passed over. What is returned is not to be changed.
func (t *Tap) Rows(stream bool, after uint64, most int) (rows []Row, last uint64) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.settle(time.Now())
	c := column(stream)
	end := t.last[c]
	last = min(after, end)
	if end-last > History {
		last = end - History
	}
	for ; last < end && len(rows) < most; last++ {
		rows = append(rows, t.columns[c][last%History])
	}
	return rows, last
}

// Totals returns what was counted.
func (t *Tap) Totals() Totals {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.settle(time.Now())
	return Totals{UDP: t.udp, TCP: t.streamTotals()}
}

// Package wiredemo sends the same messages by datagrams and by a stream, with
// loss made on purpose, and tells how each of them came: a datagram that is lost
// vanishes, a segment that is lost only makes the stream late.
//
// Nothing leaves the host. The datagrams are beacons of package discovery between
// two UDP sockets of the loopback, the stream has entries of package protocol on a
// TCP connection there; both are this process's own.
//
// # How loss is made
//
// On Linux by the kernel: a socket filter (classic BPF) at the receiving socket of
// either model throws away each datagram and each segment with the chance asked
// for, acknowledgements excepted, which go the other way. The kernel counts what it
// throws away, and says how many segments TCP had to send again: fewer than were
// thrown away where it puts small ones together, more where it was hasty. At a
// socket of TCP newer kernels take a filter only from who may administer the
// network; [Enter] has that in a namespace of its own.
//
// Where there are no such filters a relay in this process stands between the UDP
// sockets and throws away there; the stream has no loss then, and the Summary says
// so.
//
// Sources: socket(7), the kernel's Documentation/networking/filter.rst, tcp(7),
// RFC 6298 (the retransmission timer), RFC 8985 (RACK and TLP).
package wiredemo

import (
	"context"
	"fmt"
	"time"
)

// Config says what to play.
type Config struct {
	Loss  int           // percent of datagrams and segments to throw away, 0 to MaxLoss
	Count int           // messages, 1 to MaxCount
	Every time.Duration // between two messages
	// Tell is told of each message as it is sent, as it comes, or as it is seen that it did not;
	// the calls never overlap. It must not block for long.
	Tell func(Event)

	relay   bool       // as on a system without socket filters
	drained func(*rig) // a test looks at the sockets before they are closed
}

// The bounds of a Config. With more loss a stream takes minutes for a message.
const (
	MaxLoss  = 80
	MaxCount = 100_000
)

// Kind says what became of a message.
type Kind string

// The kinds of events. A stream has only Came; Sent is told once for both.
const (
	Sent    Kind = "sent"
	Came    Kind = "came"
	Lost    Kind = "lost"    // a higher number came, or nothing more
	Doubled Kind = "doubled" // it came before
	Late    Kind = "late"    // it came, and was already taken for lost
)

// Event is what became of one message in one of the models.
type Event struct {
	At     time.Time
	Stream bool
	Seq    int // of the message, from 1
	Kind   Kind
	Text   string
	Bytes  int           // of the datagram, or of the frame with its length
	Delay  time.Duration // from sending to here
	// Retransmitted is how many segments TCP sent again since the last message came.
	Retransmitted int
	// Behind is the number of the message that was on its way when this one was
	// sent, for which it had to wait: a stream keeps the order. 0: none.
	Behind int
	// Reads are the numbers of the reads that brought the frame's first and last
	// byte, and More how many whole frames the last one brought besides.
	Reads [2]uint64
	More  int
}

// Unknown is a count that this system does not tell.
const Unknown = -1

// Summary is what was counted on both sides.
type Summary struct {
	UDP struct {
		Sent, Arrived, Lost, Doubled, Late int
		Dropped                            int // by whoever makes the loss
	}
	TCP struct {
		Sent, Arrived int
		InOrder       bool
		Dropped       int // segments, by the kernel, or Unknown
		Retransmitted int // segments, or Unknown
		Longest       time.Duration
	}
	Loss  int
	Relay bool  // datagrams were thrown away by this process, not by the kernel
	Clean error // why no segment of the stream was thrown away; nil: the kernel did that too
}

// How long is waited behind the last message: for a datagram, for which it would
// be long on the loopback, and for the stream, whose timers double at each loss.
const (
	udpGrace  = 200 * time.Millisecond
	tcpGrace  = 30 * time.Second
	stopGrace = 3 * time.Second // when ctx has ended
)

// Check says what is wrong with a Config.
func (c *Config) Check() error {
	switch {
	case c.Loss < 0 || c.Loss > MaxLoss:
		return fmt.Errorf("a loss of %d %%: it is 0 to %d", c.Loss, MaxLoss)
	case c.Count < 1 || c.Count > MaxCount:
		return fmt.Errorf("%d messages: it is 1 to %d", c.Count, MaxCount)
	case c.Every < time.Millisecond || c.Every > time.Minute:
		return fmt.Errorf("a message every %v: it is 1ms to 1m", c.Every)
	}
	return nil
}

// Run plays until Count messages are sent or ctx ends, waits for what is still on
// its way, and returns what was counted. An error means that it could not be
// played.
func Run(ctx context.Context, cfg Config) (*Summary, error) {
	if err := cfg.Check(); err != nil {
		return nil, err
	}
	if cfg.Tell == nil {
		cfg.Tell = func(Event) {}
	}
	r, err := newRig(ctx, cfg.Loss, cfg.relay)
	if err != nil {
		return nil, fmt.Errorf("the demo needs sockets on the loopback: %w", err)
	}
	defer r.close()
	return newPlay(cfg, r).run(ctx)
}

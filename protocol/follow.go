package protocol

import (
	"crypto/sha256"
	"fmt"
	"time"
)

// A Follower follows one room over as many connections as it takes. It hands out every
// entry once and in order, and what it replies to an entry is in the room once,
// whenever the connection, the server or this program is cut off. The zero Epoch and
// Cursor begin with what is said from now on.
//
// A program keeps the exported fields where it finds them when it is started again,
// as JSON for example, and for each connection it does:
//
//	err := room.Begin(conn, welcome)
//	for err == nil {
//		var entries []protocol.Entry
//		entries, err = room.Next(conn)
//		… // use them, Reply to some, and keep the fields
//	}
//
// A program that has other uses for its connection hands Take what it reads, in place
// of Next.
//
// A Follower is for one goroutine at a time. It holds one number for each reply that is
// under way.
type Follower struct {
	Room   string
	Epoch  ID     // of the log in which Cursor means something
	Cursor uint64 // up to here everything is handed out, and every reply in the log

	epoch    ID            // of the server that was begun with
	seen     uint64        // up to here everything is handed out
	behind   bool          // there is more behind seen than comes by itself
	newest   uint64        // of those that came by themselves
	asked    uint64        // what newest was when the page under way was asked for
	replying map[ID]uint64 // replies without an ack, and the seq of what they are about
}

// Begin joins the room over a new connection. Where Cursor is of another log, whose
// entries are not these, the Follower begins with what is said from now on. From here
// on the connection is kept alive by a ping every PingInterval, until it is closed.
func (f *Follower) Begin(c *Conn, w *Welcome) error {
	time.AfterFunc(PingInterval, c.keepAlive)
	return c.Write(f.join(w))
}

func (f *Follower) join(w *Welcome) *Join {
	*f = Follower{Room: f.Room, Epoch: f.Epoch, Cursor: f.Cursor, epoch: w.Epoch}
	return &Join{Room: f.Room, After: f.Cursor, Live: f.Epoch != f.epoch}
}

func (c *Conn) keepAlive() {
	if c.Write(&Ping{N: 1}) == nil {
		time.AfterFunc(PingInterval, c.keepAlive)
	}
}

// Next reads a message, and returns the entries that are next: often none. It asks for
// more where more was missed than the server sends by itself. After an error, such as
// an *Error that is not about a single reply, the connection is of no more use to the
// Follower: the caller closes it.
func (f *Follower) Next(c *Conn) ([]Entry, error) {
	m, err := c.Read()
	if err != nil {
		return nil, fmt.Errorf("the connection ended: %w", err)
	}
	switch m := m.(type) {
	case *Error:
		// A limit passes: the reply is to be sent again, and not to be forgotten.
		if _, reply := f.replying[m.ID]; !reply || m.Code == CodeLimit {
			return nil, m
		}
	case *Bye:
		return nil, &Error{Code: m.Code, Text: m.Text}
	case *Left:
		if m.Room == f.Room {
			return nil, Errorf(CodeForbidden, "put out of %s: %s", m.Room, m.Text)
		}
	}
	entries, more := f.Take(m)
	if more {
		err = c.Write(f.Ask())
	}
	return entries, err
}

// Reply says something about an entry, in the name of by: a nick for example. The id of
// the reply is made from both, so a reply that is sent again, after a break or by
// another process, is in the log once.
func (f *Follower) Reply(c *Conn, to *Entry, by, text string) error {
	id := replyID(to.ID, by)
	if f.replying == nil {
		f.replying = map[ID]uint64{}
	}
	f.replying[id] = to.Seq
	f.Cursor = min(f.Cursor, to.Seq-1)
	return c.Write(&Post{ID: id, Room: f.Room, Text: text, Target: to.ID})
}

// replyID is a UUIDv7 as young as the entry's.
func replyID(to ID, by string) ID {
	h := sha256.Sum256(append(to[:], by...))
	copy(h[:6], to[:])
	h[6], h[8] = 0x70|h[6]&15, 0x80|h[8]&63
	return ID(h[:16])
}

// Take returns the entries that a message makes the next ones, and whether those
// behind them have to be asked for, by Ask. Messages about other rooms change nothing.
func (f *Follower) Take(m Message) (next []Entry, more bool) {
	f.seen = max(f.seen, f.Cursor)
	switch m := m.(type) {
	case *Joined:
		if m.Room == f.Room && (f.Epoch != f.epoch || m.Reset) {
			f.Epoch, f.seen = f.epoch, m.Head
		}
	case *Skipped:
		more = m.Room == f.Room && !f.behind
		f.behind = f.behind || more
	case *Page:
		if m.Room == f.Room && f.behind {
			next, more = f.page(m)
		}
	case *Entry:
		if m.Room == f.Room && m.Seq > f.seen {
			f.newest = m.Seq
			if !f.behind {
				next = []Entry{*m}
			}
		}
		delete(f.replying, m.ID)
	case *Ack:
		delete(f.replying, m.ID)
	case *Error: // refused for good, or a conflict: it is there, in other words
		delete(f.replying, m.ID)
	}
	if n := len(next); n > 0 {
		f.seen = next[n-1].Seq
	}
	if f.Epoch == f.epoch {
		f.Cursor = f.seen
		for _, seq := range f.replying {
			f.Cursor = min(f.Cursor, seq-1)
		}
	}
	return next, more
}

// page returns what is new in a page. Everything that had come by itself when it was
// asked for is in it, or gone for good; what has come since is on the next one.
func (f *Follower) page(m *Page) (next []Entry, more bool) {
	next = m.Entries
	for len(next) > 0 && next[0].Seq <= f.seen {
		next = next[1:]
	}
	last := max(f.seen, f.asked)
	if n := len(next); n > 0 {
		last = max(last, next[n-1].Seq)
	}
	f.behind = m.More || f.newest > last
	return next, f.behind
}

// Ask returns the request for the entries behind those that were handed out. What comes
// by itself is then passed over, until the pages have caught up with it. It is also how
// to take no more entries for a while, if it is sent when there is room for more.
func (f *Follower) Ask() *History {
	f.seen = max(f.seen, f.Cursor)
	f.behind, f.asked = true, f.newest
	return &History{Room: f.Room, After: f.seen, Oldest: true}
}

package server

import (
	"context"
	"log/slog"
	"sync"
	"time"

	"lanchat/internal/roomlog"
	"lanchat/protocol"
)

// wake makes sure that the session looks for something to send. It never waits.
func (ss *session) wake() {
	if ss.mustLook() {
		ss.srv.fanout.add(ss)
	}
}

// mustLook notes that there may be something to send. When it is true, nobody looks,
// and the caller has to see to it that send is called.
func (ss *session) mustLook() bool {
	for {
		switch state := ss.state.Load(); state {
		case writerIdle:
			if ss.state.CompareAndSwap(writerIdle, writerRuns) {
				return true
			}
		case writerRuns:
			if ss.state.CompareAndSwap(writerRuns, writerMustLook) {
				return false
			}
		default:
			return false
		}
	}
}

// scratch holds what a write has to be put together in.
var scratch = sync.Pool{New: func() any { b := make([]byte, 0, writeBytes); return &b }}

// send sends until there is nothing left to send. Without mayWait it waits for neither
// the peer nor the log: where it would have to, it goes on in a goroutine.
func (ss *session) send(mayWait bool) {
	for {
		ss.state.Store(writerRuns)
		then, err := ss.sendSome(mayWait)
		if err == nil && mayWait {
			err = ss.link.flush()
		}
		switch {
		case (err != nil || then == sendNoMore) && mayWait:
			ss.finish()
			return
		case err != nil || then == sendNoMore:
			go ss.finish() // it waits for the peer
			return
		case then == sendWaiting:
			go ss.send(true) // serve waits for it
			return
		case then == sendMore:
		case ss.state.CompareAndSwap(writerRuns, writerIdle):
			return
		}
	}
}

// finish ends the connection behind what was sent.
func (ss *session) finish() {
	ss.state.Store(writerEnded)
	ss.link.waitAgain()
	ss.door.close()
	ss.mu.Lock()
	if ss.bye == nil {
		ss.bye = &protocol.Bye{}
	}
	ss.readOn.Broadcast()
	ss.mu.Unlock()
	close(ss.ended)
}

// then is what is to be done behind a write.
type then int

const (
	sendNothing then = iota // until something comes
	sendMore
	sendWaiting // more, for which one has to wait
	sendNoMore  // the session is over and everything was said
)

// sendSome makes at most one write, of what there is now: first the replies,
// then of each room what lies behind the cursor.
func (ss *session) sendSome(mayWait bool) (then, error) {
	if !mayWait && ss.link.isFull.Load() {
		return sendWaiting, nil
	}
	ss.mu.Lock()
	if ss.bye != nil && !mayWait {
		ss.mu.Unlock()
		return sendWaiting, nil
	}
	renamed := ss.renamed
	replies := ss.replies
	ss.replies = nil
	ss.appendNews(&replies)
	follows, bye := ss.follows, ss.bye
	waiting := ss.pending.posts > 0
	ss.readOn.Broadcast()
	ss.mu.Unlock()

	out := output{room: writeBytes, mayWait: mayWait}
	out.add(replies)
	for _, f := range follows {
		if renamed {
			f.renamed()
		}
		if bye != nil && bye.Code != protocol.CodeShuttingDown {
			continue // a room may never fall silent; what is missed is in the log
		}
		if err := f.gather(ss, &out); err != nil {
			return sendNoMore, err
		}
	}
	if !out.empty() {
		ss.srv.stats.deliveries.Add(out.entries)
		err := ss.door.write(out.bytes())
		out.release()
		if bye != nil {
			return sendMore, err // until there is nothing but bye to say
		}
		return out.then, err
	}
	if bye == nil || waiting {
		return out.then, nil
	}
	if bye.Code != "" {
		return sendNoMore, ss.door.write(encoders[ss.door.kind()](nil, bye))
	}
	return sendNoMore, nil
}

// renamed lets the room know that the follower's person has another nick.
func (f *follow) renamed() {
	f.room.mu.Lock()
	defer f.room.mu.Unlock()
	if f.member {
		f.room.touch(f.session.person)
	}
}

// appendNews appends what is told by its latest state only. ss.mu is held.
func (ss *session) appendNews(replies *[]byte) {
	encode := encoders[ss.door.kind()]
	if ss.renamed {
		ss.renamed = false
		*replies = encode(*replies, &protocol.Nick{User: ss.person.user, Nick: ss.person.name()})
	}
	for room, seq := range ss.markers {
		*replies = encode(*replies, &protocol.Read{Room: room, Seq: seq})
	}
	clear(ss.markers)
}

// gather adds what the room has for this follow, as far as there is space.
func (f *follow) gather(ss *session, out *output) error {
	r := f.room
	if f.quiet || f.cursor >= r.head.Load() && f.eventCursor >= r.eventHead.Load() {
		return nil
	}
	kind := ss.door.kind()
	r.mu.Lock()
	entries, events := r.entries[kind], r.events[kind]
	if f.gone.Load() { // unfollowed meanwhile
		r.mu.Unlock()
		return nil
	}
	if b, last, ok := events.since(f.eventCursor, out.room); ok {
		f.eventCursor = last
		out.add(b)
	} else {
		f.eventCursor = r.eventHead.Load()
		out.add(encoders[kind](nil, r.presenceNow()))
	}
	var b []byte
	last, inTail := f.cursor, true
	hasRoom := out.room > 0
	if hasRoom {
		b, last, inTail = ss.door.newest(entries, f.cursor, out.room)
	}
	head := r.head.Load()
	r.mu.Unlock()
	switch {
	case !inTail && !out.mayWait:
		out.then = sendWaiting
		return nil
	case !inTail:
		out.then = max(out.then, sendMore)
		return f.fromLog(ss, out, head)
	case last < head && (last > f.cursor || !hasRoom), f.eventCursor < r.eventHead.Load():
		// Where a log has numbered wrongly there may be nothing behind the cursor.
		out.then = max(out.then, sendMore)
	}
	out.entries += last - f.cursor
	f.cursor = last
	out.add(b)
	return nil
}

// fromLog adds entries that the tail no longer holds. Where there are many, whoever has
// fallen behind takes a third of a processor to catch up, and leaves the rest to those who
// have not.
func (f *follow) fromLog(ss *session, out *output, head uint64) error {
	began := time.Now()
	defer func() {
		if f.cursor < head {
			time.Sleep(min(2*time.Since(began), catchUpRest))
		}
	}()
	encode := encoders[ss.door.kind()]
	ss.srv.stats.logReads.Add(1)
	entries, _, err := ss.srv.log.Read(context.Background(), roomlog.Range{
		Room: f.room.name, After: f.cursor, Before: head + 1, Oldest: true, Limit: replayMax, Bytes: logBytes})
	if err != nil {
		ss.srv.logSome(slog.LevelError, "reading the log", "room", f.room.name, "err", err)
		return err
	}
	next := head + 1 // the first entry that there is
	if len(entries) > 0 {
		next = entries[0].Seq
	}
	var b []byte
	if next > f.cursor+1 {
		b = encode(b, &protocol.Skipped{Room: f.room.name, From: f.cursor + 1, To: next - 1})
		f.cursor = next - 1
	}
	for i := range entries {
		f.cursor = entries[i].Seq
		if ss.door.kind() == linesDoor && entries[i].User == ss.person.user {
			continue // the terminal has shown it
		}
		b = encode(b, &entries[i])
		out.entries++
	}
	out.add(b)
	return nil
}

// output puts one write together. A single part is sent as it is, without a
// copy.
type output struct {
	room int // bytes that may still be added; the last part may be larger
	part []byte
	// entries is how many of them are in it.
	entries uint64
	mayWait bool    // for the log
	then    then    // what was left out
	joined  *[]byte // from scratch, when there is more than one part
}

func (o *output) empty() bool { return len(o.part) == 0 && o.joined == nil }

func (o *output) add(b []byte) {
	switch {
	case len(b) == 0:
		return
	case o.empty():
		o.part = b
	case o.joined == nil:
		o.joined = scratch.Get().(*[]byte)
		*o.joined = append((*o.joined)[:0], o.part...)
		fallthrough
	default:
		*o.joined = append(*o.joined, b...)
	}
	o.room -= len(b)
}

func (o *output) bytes() []byte {
	if o.joined != nil {
		return *o.joined
	}
	return o.part
}

func (o *output) release() {
	if o.joined != nil {
		scratch.Put(o.joined)
	}
}

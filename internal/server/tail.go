package server

import "lanchat/protocol"

// tail is the newest part of a sequence, ready encoded: one run of bytes, and
// where each item ends in it. What lies between a cursor and the head is a
// slice of it, shared by all who read it and copied by none: bytes once written
// are never changed, a full tail moves on to a new array.
type tail struct {
	limit int // bytes that are kept at most, or one item
	first uint64
	ends  []int             // ends[i] is where item first+i ends in buf
	by    []protocol.UserID // whose item first+i is
	edits []edit            // which items are edits, in order
	start int               // where the first item begins in buf
	buf   []byte
}

// edit is an item that carries the text of another one, to.
type edit struct{ item, to uint64 }

func newTail(limit int, head uint64) *tail { return &tail{limit: limit, first: head + 1} }

// append adds the item behind the last one; encode appends its bytes.
func (t *tail) append(by protocol.UserID, encode func(dst []byte) []byte) {
	if len(t.buf) > t.limit {
		t.shorten()
	}
	t.buf = encode(t.buf)
	t.ends = append(t.ends, len(t.buf))
	t.by = append(t.by, by)
}

// next is the number of the item that comes next.
func (t *tail) next() uint64 { return t.first + uint64(len(t.ends)) }

// dropText drops all up to the last item that shows the text of item seq: the
// item itself, or an edit of it. Whoever is behind that is served from the log.
func (t *tail) dropText(seq uint64) {
	last := uint64(0)
	if seq >= t.first && seq < t.next() {
		last = seq
	}
	for _, e := range t.edits {
		if e.to == seq {
			last = e.item
		}
	}
	if last > 0 {
		t.drop(int(last + 1 - t.first))
	}
}

// drop drops the first n items. Their bytes stay until the tail moves on.
func (t *tail) drop(n int) {
	t.start = t.ends[n-1]
	t.ends, t.by = t.ends[n:], t.by[n:]
	t.first += uint64(n)
	for len(t.edits) > 0 && t.edits[0].item < t.first {
		t.edits = t.edits[1:]
	}
}

// shorten moves the newest half to a new array.
func (t *tail) shorten() {
	drop := 0
	for drop < len(t.ends)-1 && len(t.buf)-t.ends[drop] > t.limit/2 {
		drop++
	}
	if drop == 0 {
		drop = len(t.ends)
	}
	if drop > 0 { // else all was dropped before
		t.drop(drop)
	}
	fresh := make([]byte, 0, t.limit+t.limit/4)
	t.buf = append(fresh, t.buf[t.start:]...)
	t.ends = append([]int(nil), t.ends...)
	for i := range t.ends {
		t.ends[i] -= t.start
	}
	t.start = 0
	t.by = append([]protocol.UserID(nil), t.by...)
	t.edits = append([]edit(nil), t.edits...)
}

// since returns the bytes of the items behind after, about limit of them at
// most but at least one item, and the last item's number. ok is false when the
// tail no longer reaches back to after.
func (t *tail) since(after uint64, limit int) (b []byte, last uint64, ok bool) {
	if after+1 < t.first {
		return nil, after, false
	}
	at := int(after + 1 - t.first)
	if at >= len(t.ends) {
		return nil, after, true
	}
	start := t.start
	if at > 0 {
		start = t.ends[at-1]
	}
	end := len(t.ends) - 1
	if t.ends[end]-start > limit {
		// Few steps: a writer is seldom more than a batch behind.
		for end = at; end+1 < len(t.ends) && t.ends[end+1]-start <= limit; end++ {
		}
	}
	return t.buf[start:t.ends[end]:t.ends[end]], t.first + uint64(end), true
}

// sinceExcept is since without the items of one user; the bytes are a copy.
func (t *tail) sinceExcept(after uint64, limit int, user protocol.UserID) (b []byte, last uint64, ok bool) {
	all, last, ok := t.since(after, limit)
	if !ok || len(all) == 0 {
		return nil, last, ok
	}
	start := 0
	for i := int(after + 1 - t.first); i < int(last+1-t.first); i++ {
		size := t.ends[i] - t.start
		if i > 0 {
			size = t.ends[i] - t.ends[i-1]
		}
		if t.by[i] != user {
			b = append(b, all[start:start+size]...)
		}
		start += size
	}
	return b, last, ok
}

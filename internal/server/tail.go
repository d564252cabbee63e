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
	buf   []byte
}

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

// shorten moves the newest half to a new array.
func (t *tail) shorten() {
	drop := 0
	for drop < len(t.ends)-1 && len(t.buf)-t.ends[drop] > t.limit/2 {
		drop++
	}
	if drop == 0 {
		drop = len(t.ends)
	}
	cut := t.ends[drop-1]
	fresh := make([]byte, 0, t.limit+t.limit/4)
	t.buf = append(fresh, t.buf[cut:]...)
	t.ends = append([]int(nil), t.ends[drop:]...)
	for i := range t.ends {
		t.ends[i] -= cut
	}
	t.by = append([]protocol.UserID(nil), t.by[drop:]...)
	t.first += uint64(drop)
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
	start := 0
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
		size := t.ends[i]
		if i > 0 {
			size -= t.ends[i-1]
		}
		if t.by[i] != user {
			b = append(b, all[start:start+size]...)
		}
		start += size
	}
	return b, last, ok
}

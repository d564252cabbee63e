package torture

import (
	"fmt"
	"hash/maphash"
	"slices"
	"strings"
	"sync"

	"lanchat/protocol"
)

// What can be wrong.
const (
	lost      = "lost"      // it was acknowledged, and is not there
	doubled   = "doubled"   // it is there twice, or was told twice
	reordered = "reordered" // it stands behind what was said after it
	changed   = "changed"   // one number, two entries
	gap       = "untold"    // an entry is missing from what a client was told
	other     = "other"
)

// judge collects what is wrong. Any goroutine may tell it.
type judge struct {
	hash maphash.Seed

	mu    sync.Mutex
	count map[string]int
	told  []string // the first few
}

func newJudge() *judge { return &judge{hash: maphash.MakeSeed(), count: map[string]int{}} }

func (j *judge) wrong(what, format string, args ...any) {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.count[what]++
	if len(j.told) < 20 {
		j.told = append(j.told, what+": "+fmt.Sprintf(format, args...))
	}
}

// line is something that a client has said.
type line struct {
	id   protocol.ID
	room string
	text string
	ack  *protocol.Ack // nil until there is one
}

// record is what one client has said and was told. The client's goroutines share
// it with whoever looks how far it has come.
type record struct {
	*judge
	name string

	mu    sync.Mutex
	said  []*line
	known map[protocol.ID]*line
	open  []*line // said and not acknowledged, in that order
	views map[string]*view

	ups, again, acks, toldEntries, skips, pages int
}

// view is what a client was told of one room.
type view struct {
	follows bool
	cursor  uint64
	seen    []uint64 // a hash of each entry, by its number
}

func newRecord(j *judge, name string) *record {
	r := &record{judge: j, name: name, known: map[protocol.ID]*line{}, views: map[string]*view{}}
	for _, room := range rooms {
		r.views[room] = &view{}
	}
	return r
}

// say makes the next line. Its text tells who said it, and when.
func (r *record) say(room string, size int) *protocol.Post {
	r.mu.Lock()
	defer r.mu.Unlock()
	text := fmt.Sprintf("%s %d", r.name, len(r.said))
	if n := size - len(text); n > 0 {
		text += strings.Repeat(".", n)
	}
	l := &line{id: protocol.NewID(), room: room, text: text}
	r.add(l)
	return l.post()
}

// add notes a line. r.mu is held.
func (r *record) add(l *line) {
	r.said = append(r.said, l)
	r.known[l.id] = l
	r.open = append(r.open, l)
}

func (l *line) post() *protocol.Post { return &protocol.Post{ID: l.id, Room: l.room, Text: l.text} }

// resend returns what has to be sent again over a new connection.
func (r *record) resend() (posts []protocol.Message) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, l := range r.open {
		posts = append(posts, l.post())
	}
	r.again += len(posts)
	return posts
}

// waiting counts the lines that are not acknowledged: all, or a room's.
func (r *record) waiting(room string) (n int) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if room == "" {
		return len(r.open)
	}
	for _, l := range r.open {
		if l.room == room {
			n++
		}
	}
	return n
}

func (r *record) acked(a *protocol.Ack) {
	r.mu.Lock()
	defer r.mu.Unlock()
	l := r.known[a.ID]
	switch {
	case l == nil || l.room != a.Room:
		r.wrong(other, "%s: an acknowledgement of what it has not said: %+v", r.name, a)
	case l.ack == nil:
		l.ack = a
		r.acks++
		if r.open[0] == l { // nearly always
			r.open = r.open[1:]
		} else {
			r.open = slices.DeleteFunc(r.open, func(o *line) bool { return o == l })
		}
	case l.ack.Seq != a.Seq || l.ack.At != a.At:
		r.wrong(doubled, "%s: %q is acknowledged as %s %d, and again as %d", r.name, start(l.text), a.Room, l.ack.Seq, a.Seq)
	}
}

// begin says that what comes of a room begins behind a cursor.
func (r *record) begin(room string, cursor uint64, reset bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	v := r.views[room]
	if reset {
		r.wrong(lost, "%s: %s ends before %d, which was told", r.name, room, cursor)
		cursor = 0
	}
	v.follows, v.cursor = true, cursor
}

func (r *record) leave(room string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.views[room].follows = false
}

func (r *record) forget(room string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.views[room].cursor = 0
}

func (r *record) cursor(room string) uint64 {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.views[room].cursor
}

// entry notes an entry of the room's stream.
func (r *record) entry(e *protocol.Entry) {
	r.mu.Lock()
	defer r.mu.Unlock()
	v := r.views[e.Room]
	if v == nil {
		r.wrong(other, "%s: an entry of %q", r.name, e.Room)
		return
	}
	r.toldEntries++
	if v.follows {
		switch {
		case e.Seq <= v.cursor:
			r.wrong(doubled, "%s: %s %d is told again behind %d", r.name, e.Room, e.Seq, v.cursor)
		case e.Seq > v.cursor+1:
			r.wrong(gap, "%s: %s %d is told behind %d", r.name, e.Room, e.Seq, v.cursor)
		}
		v.cursor = e.Seq
	}
	r.see(v, e)
}

func (r *record) skipped(m *protocol.Skipped) {
	r.mu.Lock()
	defer r.mu.Unlock()
	v := r.views[m.Room]
	if v == nil || !v.follows {
		return
	}
	if m.From != v.cursor+1 || m.To < m.From {
		r.wrong(gap, "%s: %s: %d to %d is skipped behind %d", r.name, m.Room, m.From, m.To, v.cursor)
	}
	r.skips++
	v.cursor = m.To
}

// page notes a page of history.
func (r *record) page(m *protocol.Page) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.pages++
	for i := range m.Entries {
		e := &m.Entries[i]
		if v := r.views[e.Room]; v != nil {
			r.see(v, e)
		}
		if i > 0 && e.Seq != m.Entries[i-1].Seq+1 {
			r.wrong(gap, "%s: a page of %s has %d behind %d", r.name, m.Room, e.Seq, m.Entries[i-1].Seq)
		}
	}
}

// see holds an entry against what was told under its number before. r.mu is held.
func (r *record) see(v *view, e *protocol.Entry) {
	if e.Seq == 0 || e.Seq > 1<<24 {
		r.wrong(other, "%s: %s has an entry %d", r.name, e.Room, e.Seq)
		return
	}
	if need := int(e.Seq) + 1; need > len(v.seen) {
		v.seen = append(v.seen, make([]uint64, need-len(v.seen))...)
	}
	sum := r.sum(e)
	if old := v.seen[e.Seq]; old != 0 && old != sum {
		r.wrong(changed, "%s: %s %d is %q now and was something else", r.name, e.Room, e.Seq, start(e.Text))
	}
	v.seen[e.Seq] = sum
}

// sum stands for everything that an entry says. Nothing is folded into these.
func (j *judge) sum(e *protocol.Entry) uint64 {
	return maphash.String(j.hash, fmt.Sprintf("%+v", *e)) | 1
}

func start(text string) string { return strings.TrimRight(text, ".") }

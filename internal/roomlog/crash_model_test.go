package roomlog

import (
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"lanchat/protocol"

	"pgregory.net/rapid"
)

// model is what a log should be, as plainly as it can be said.
type model struct {
	rooms   map[string][]protocol.Entry // as they were posted
	ids     map[protocol.ID]protocol.Entry
	markers map[markerKey]uint64
	nicks   map[string]binding
	last    int64
}

// post is what should become of an entry; number and time come from the log.
func (m *model) post(e protocol.Entry) (known bool, want protocol.Entry, err error) {
	old, known := m.ids[e.ID]
	switch {
	case known && old.Room == e.Room && m.forgot(old):
		return true, old, nil
	case known && (old.Room != e.Room || old.Kind != e.Kind || old.Text != e.Text || old.Target != e.Target):
		return false, old, ErrIDConflict
	case known:
		return true, old, nil
	}
	e.Seq = uint64(len(m.rooms[e.Room]) + 1)
	return false, e, nil
}

func (m *model) add(e protocol.Entry) {
	m.rooms[e.Room] = append(m.rooms[e.Room], e)
	m.ids[e.ID] = e
	m.last = e.At
}

// read is Range said plainly.
func (m *model) read(r Range) (out []protocol.Entry, more bool) {
	for _, e := range m.folded(r.Room) {
		if e.Seq > r.After && (r.Before == 0 || e.Seq < r.Before) {
			out = append(out, e)
		}
	}
	if more = len(out) > r.Limit; more && r.Oldest {
		out = out[:r.Limit]
	} else if more {
		out = out[len(out)-r.Limit:]
	}
	return out, more
}

func (m *model) topic(room string) (topic string) {
	for _, e := range m.rooms[room] {
		if e.Kind == protocol.KindTopic {
			topic = e.Text
		}
	}
	return topic
}

// binding is a nick's owner, and when it was last used.
type binding struct {
	user protocol.UserID
	used time.Time
}

// bind is what should become of a nick.
func (m *model) bind(nick string, user protocol.UserID, at time.Time) error {
	if b, ok := m.nicks[nick]; ok && b.user != user {
		return ErrNickTaken // nothing expires here: see TestStoreNicks
	}
	if b, ok := m.nicks[nick]; ok && at.Sub(b.used) < nickUse {
		return nil
	}
	m.nicks[nick] = binding{user, at}
	var own []string
	for n, b := range m.nicks {
		if b.user == user && n != nick {
			own = append(own, n)
		}
	}
	if len(own) >= NicksPerUser {
		delete(m.nicks, slices.MinFunc(own, func(a, b string) int { return m.nicks[a].used.Compare(m.nicks[b].used) }))
	}
	return nil
}

// answer is what a poster heard.
type answer struct {
	entry protocol.Entry
	err   error
}

// machine drives a log and the model side by side.
type machine struct {
	model
	log      Log
	reopen   func(t *rapid.T) Store // nil where nothing outlives Close
	kill     func(t *rapid.T) Store // opens what a kill at this moment would leave
	epoch    protocol.ID
	followed []protocol.Entry // the committer's; read when nothing is under way
	posters  []*Poster
	heard    []chan answer
	posted   []protocol.Entry
	clock    time.Time
}

const modelPosters = 3

// open puts a log over a store and gives everybody a new poster.
func (m *machine) open(s Store) {
	m.log = Local(s)
	m.log.Follow(func(es []protocol.Entry) func() { m.followed = append(m.followed, es...); return nil })
	m.posters, m.heard = nil, nil
	for range modelPosters {
		heard := make(chan answer, 64)
		m.heard = append(m.heard, heard)
		m.posters = append(m.posters, m.log.Poster(func(e *protocol.Entry, err error) { heard <- answer{*e, err} }))
	}
}

var (
	modelRooms = []string{"lobby", "kitchen", protocol.DirectRoom(alice, bob)}
	modelUsers = []protocol.UserID{alice, bob, carol}
)

// Post submits some entries, of one poster: new ones, known ones, and others under
// a known id.
func (m *machine) Post(t *rapid.T) {
	p := rapid.IntRange(0, modelPosters-1).Draw(t, "poster")
	n := rapid.IntRange(1, 10).Draw(t, "entries")
	var sent []protocol.Entry
	for range n {
		var e protocol.Entry
		switch kind := rapid.IntRange(0, 9).Draw(t, "kind"); {
		case kind < 6 || len(m.posted) == 0:
			e = entry(rapid.SampledFrom(modelRooms).Draw(t, "room"), rapid.StringN(0, 20, 60).Draw(t, "text"))
			e.User, e.Nick = modelUsers[p], fmt.Sprint("nick", p)
			e.Guest, e.Bot = rapid.Bool().Draw(t, "guest"), rapid.Bool().Draw(t, "bot")
			e.Kind = rapid.SampledFrom([]protocol.Kind{protocol.KindText, protocol.KindAction, protocol.KindTopic,
				protocol.KindReaction, protocol.KindReaction, protocol.KindEdit, protocol.KindDelete}).Draw(t, "of a kind")
			if len(m.posted) > 0 && e.Kind != protocol.KindTopic && (e.Kind != protocol.KindText || rapid.Bool().Draw(t, "reply")) {
				about := rapid.SampledFrom(m.posted).Draw(t, "target")
				e.Target = about.ID
				if rapid.IntRange(0, 4).Draw(t, "in its room") > 0 {
					e.Room = about.Room
				}
			}
			switch {
			case e.Kind == protocol.KindReaction:
				e.Text = rapid.SampledFrom([]string{"👍", "❤", "+1"}).Draw(t, "reaction")
			case e.Kind == protocol.KindEdit && e.Text == "": // no server takes it
				e.Text = "edited"
			case e.Kind == protocol.KindDelete && rapid.Bool().Draw(t, "purge"):
				e.Purged = rapid.SliceOfNDistinct(rapid.Uint64Range(1, 30), 1, 10, rapid.ID).Draw(t, "purged")
				slices.Sort(e.Purged)
			}
		default:
			e = rapid.SampledFrom(m.posted).Draw(t, "again")
			switch kind {
			case 7:
				e.Text += "!"
			case 8:
				e.Room = rapid.SampledFrom(modelRooms).Draw(t, "other room")
			case 9:
				e.User = carol // whoever sends it again
			}
		}
		m.posted = append(m.posted, e)
		sent = append(sent, e)
		if err := m.posters[p].Submit(e); err != nil {
			t.Fatalf("Submit: %v", err)
		}
	}
	var grown []protocol.Entry
	for i, e := range sent {
		got := <-m.heard[p]
		known, want, err := m.post(e)
		if got.entry.ID != e.ID || !errors.Is(got.err, err) || err == nil && got.err != nil {
			t.Fatalf("post %d, %v: %+v, %v; want %v", i, e.ID, got.entry, got.err, err)
		}
		if err != nil {
			continue
		}
		if got.entry.Seq != want.Seq || known && got.entry.At != want.At || !known && got.entry.At <= m.last {
			t.Fatalf("post %d: number %d at %d; want %d, known %v at %d, last %d", i, got.entry.Seq, got.entry.At, want.Seq, known, want.At, m.last)
		}
		if !known {
			want.At = got.entry.At
			m.add(want)
			grown = append(grown, m.newest(want.Room))
		}
	}
	if !slices.EqualFunc(m.followed, grown, sameEntry) {
		t.Fatalf("the follower hears of %+v, want %+v", m.followed, grown)
	}
	m.followed = nil
}

func (m *machine) Read(t *rapid.T) {
	r := Range{Room: rapid.SampledFrom(append(modelRooms, "nowhere")).Draw(t, "room"),
		After: rapid.Uint64Range(0, 30).Draw(t, "after"), Before: rapid.Uint64Range(0, 30).Draw(t, "before"),
		Oldest: rapid.Bool().Draw(t, "oldest"), Limit: rapid.IntRange(1, 20).Draw(t, "limit"), Bytes: 1 << 20}
	got, more, err := m.log.Read(t.Context(), r)
	want, wantMore := m.read(r)
	if err != nil || !slices.EqualFunc(got, want, sameEntry) || more != wantMore {
		t.Fatalf("%+v: %+v, more %v, %v; want %+v, %v", r, got, more, err, want, wantMore)
	}
}

func (m *machine) Find(t *rapid.T) {
	id := protocol.NewID()
	if len(m.posted) > 0 && rapid.Bool().Draw(t, "posted") {
		id = rapid.SampledFrom(m.posted).Draw(t, "entry").ID
	}
	got, found, err := m.log.Find(t.Context(), id)
	want, there := m.ids[id]
	if there {
		want = m.folded(want.Room)[want.Seq-1]
	}
	if err != nil || found != there || !sameEntry(got, want) {
		t.Fatalf("Find: %+v, %v, %v; want %+v, %v", got, found, err, want, there)
	}
}

func (m *machine) Mark(t *rapid.T) {
	key := markerKey{rapid.SampledFrom(modelUsers).Draw(t, "user"), rapid.SampledFrom(modelRooms).Draw(t, "room")}
	if len(m.rooms[key.room]) == 0 {
		return // a marker is kept for a room that is
	}
	seq := rapid.Uint64Range(1, 30).Draw(t, "seq")
	moved, err := m.log.SetMarker(key.user, key.room, seq)
	if err != nil || moved != (seq > m.markers[key]) {
		t.Fatalf("SetMarker(%d) behind %d: %v, %v", seq, m.markers[key], moved, err)
	}
	m.markers[key] = max(seq, m.markers[key])
}

func (m *machine) Bind(t *rapid.T) {
	nick := rapid.SampledFrom([]string{"ann", "bea", "cat", "dan", "eve", "fay", "gil"}).Draw(t, "nick")
	user := rapid.SampledFrom(modelUsers).Draw(t, "user")
	m.clock = m.clock.Add(2 * nickUse) // no two of the same age
	_, err := m.log.BindNick(nick, user, m.clock)
	want := m.bind(nick, user, m.clock)
	if !errors.Is(err, want) || want == nil && err != nil {
		t.Fatalf("BindNick(%s): %v, want %v", nick, err, want)
	}
}

func (m *machine) Reopen(t *rapid.T) {
	if m.reopen == nil {
		t.Skip("nothing outlives it")
	}
	if rapid.IntRange(0, 4).Draw(t, "unless") > 0 { // it takes as long as a hundred of the others
		return
	}
	if err := m.log.Close(); err != nil {
		t.Fatal(err)
	}
	m.open(m.reopen(t))
}

func (m *machine) Kill(t *rapid.T) {
	if m.kill == nil {
		t.Skip("nothing outlives it")
	}
	if rapid.IntRange(0, 4).Draw(t, "unless") > 0 {
		return
	}
	left := m.kill(t)
	if err := m.log.Close(); err != nil {
		t.Fatal(err)
	}
	m.open(left)
}

// Check is called behind every step.
func (m *machine) Check(t *rapid.T) {
	if m.log.Epoch() != m.epoch {
		t.Fatalf("the epoch is another one")
	}
	var names, directs []string
	for _, r := range m.log.Rooms("", 10) {
		names = append(names, r.Name)
		if r.Head != uint64(len(m.rooms[r.Name])) || r.Topic != m.topic(r.Name) {
			t.Fatalf("%+v; want head %d, topic %q", r, len(m.rooms[r.Name]), m.topic(r.Name))
		}
		if strings.HasPrefix(r.Name, "dm:") {
			directs = append(directs, r.Name)
		}
	}
	if want := slices.Sorted(maps.Keys(m.rooms)); !slices.Equal(names, want) || count(m.log) != len(want) {
		t.Fatalf("rooms %q, want %q", names, want)
	}
	var got []string
	for _, d := range m.log.Directs(bob) {
		got = append(got, d.Name)
		if r := m.rooms[d.Name]; d.Maker != makerOf(&r[0], Place{}) || d.Last != r[len(r)-1].At || d.Read != m.markers[markerKey{bob, d.Name}] {
			t.Fatalf("%+v; want it opened by %v, last at %d", d, makerOf(&r[0], Place{}), r[len(r)-1].At)
		}
	}
	if slices.Sort(got); !slices.Equal(got, directs) {
		t.Fatalf("direct talks %q, want %q", got, directs)
	}
	for key, seq := range m.markers {
		if got := m.log.Marker(key.user, key.room); got != seq {
			t.Fatalf("a marker is at %d, want %d", got, seq)
		}
	}
	for _, nick := range []string{"ann", "bea", "cat", "dan", "eve", "fay", "gil"} {
		owner, bound := m.log.NickOwner(nick)
		if b, want := m.nicks[nick]; bound != want || owner != b.user {
			t.Fatalf("%s: %v, %v; want %v, %v", nick, owner, bound, b.user, want)
		}
	}
}

// Random sequences over each store, against the model. The file-backed one is
// closed and opened in between.
func TestLogModel(t *testing.T) {
	for name := range stores {
		t.Run(name, func(t *testing.T) {
			rapid.Check(t, func(rt *rapid.T) {
				m := &machine{model: model{rooms: map[string][]protocol.Entry{}, ids: map[protocol.ID]protocol.Entry{},
					markers: map[markerKey]uint64{}, nicks: map[string]binding{}}, clock: time.Now()}
				var s Store = NewMemory()
				if name == "sqlite" {
					dir := t.TempDir()
					var open *SQLite
					m.reopen = func(t *rapid.T) Store {
						s, err := OpenSQLite(dir)
						if err != nil {
							t.Fatal(err)
						}
						open = s
						return s
					}
					m.kill = func(rt *rapid.T) Store {
						dir = copyLog(t, open, dir)
						return m.reopen(rt)
					}
					s = m.reopen(rt)
				}
				m.epoch = s.Epoch()
				m.open(s)
				defer func() { m.log.Close() }()
				rt.Repeat(rapid.StateMachineActions(m))
			})
		})
	}
}

// copyLog copies a log's files as they are while it is open, and returns where to.
// Read markers, which a kill may lose, are written before.
func copyLog(t *testing.T, s *SQLite, dir string) string {
	t.Helper()
	s.writing.Lock()
	defer s.writing.Unlock()
	if err := s.writeMarkers(t.Context()); err != nil {
		t.Fatal(err)
	}
	to := t.TempDir()
	for _, name := range []string{"log.db", "log.db-wal"} { // in this order: a checkpoint may be under way
		b, err := os.ReadFile(filepath.Join(dir, name))
		if err == nil {
			err = os.WriteFile(filepath.Join(to, name), b, 0o600)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	return to
}

func sameEntry(a, b protocol.Entry) bool { return reflect.DeepEqual(a, b) }

package roomlog

import (
	"cmp"
	"context"
	"hash/maphash"
	"slices"
	"sort"
	"sync"
	"time"

	"lanchat/protocol"
)

// The bounds of a Memory store.
const (
	MemoryBudget  = 64 << 20 // bytes of entries, by their MaxSize
	memoryIDs     = 1 << 20
	memoryMarkers = 1 << 16
	memoryNicks   = 1 << 16
)

// Memory is a Store that ends with the process.
type Memory struct {
	epoch  protocol.ID
	budget int
	seed   maphash.Seed
	now    func() time.Time

	mu         sync.RWMutex
	rooms      map[string]*memoryRoom
	names      []string // the rooms' names, sorted
	directs    map[protocol.UserID][]string
	removed    map[string]removedRoom
	maxRemoved int
	makers     Makers
	order      fifo[*memoryRoom] // of every entry that is kept, oldest first
	bytes      int
	folds      map[protocol.ID]*memoryFold // of entries that are kept
	ids        map[protocol.ID]knownID
	idOrder    fifo[protocol.ID]
	last       int64 // the newest entry's time
	markers    map[markerKey]uint64
	nicks      map[string]memoryBinding     // by key: see nicks.Keys
	owned      map[protocol.UserID][]string // the nicks bound to a user, the one used last at the end
	facts      map[factKey]Fact
}

type memoryRoom struct {
	info    RoomInfo
	first   uint64 // seq of entries[0]
	entries []protocol.Entry
}

type knownID struct {
	room    string
	seq     uint64
	at      int64
	content uint64 // a hash
	blank   bool   // it was deleted, or has edited what was: its content is not known
}

type markerKey struct {
	user protocol.UserID
	room string
}

// NewMemory returns an empty store.
func NewMemory() *Memory {
	return &Memory{
		epoch: protocol.NewID(), budget: MemoryBudget, seed: maphash.MakeSeed(), now: time.Now,
		rooms: map[string]*memoryRoom{}, directs: map[protocol.UserID][]string{}, ids: map[protocol.ID]knownID{},
		removed: map[string]removedRoom{}, maxRemoved: MaxRemoved,
		folds:   map[protocol.ID]*memoryFold{},
		markers: map[markerKey]uint64{}, nicks: map[string]memoryBinding{}, facts: map[factKey]Fact{},
		owned: map[protocol.UserID][]string{},
	}
}

// Epoch implements Store.
func (m *Memory) Epoch() protocol.ID { return m.epoch }

// Close implements Store.
func (m *Memory) Close() error { return nil }

// Append implements Store. It never fails.
func (m *Memory) Append(batch []Record) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.last = max(m.last, m.now().UnixNano()-1)
	for i := range batch {
		m.append(&batch[i])
	}
	return nil
}

func (m *Memory) append(r *Record) {
	e := &r.Entry
	content := m.content(e)
	if k, known := m.ids[e.ID]; known {
		if k.room != e.Room || k.content != content && !k.blank {
			r.Err = ErrIDConflict
			return
		}
		e.Seq, e.At, r.Known = k.seq, k.at, true
		return
	}
	room := m.rooms[e.Room]
	e.TargetSeq = 0
	if room != nil && !e.Target.IsZero() {
		if k, known := m.ids[e.Target]; known && k.room == e.Room {
			if t := room.find(k.seq); t != nil {
				e.TargetSeq = k.seq
				if e.Kind == protocol.KindReaction && takesFolds(t.Kind) && !t.Gone && isReaction(e.Text) && isFull(t.Reactions, e.Text) {
					r.Err = ErrReactions
					return
				}
			}
		}
	}
	if room == nil {
		room = m.addRoom(e.Room, makerOf(e, r.From))
	}
	m.last++
	e.Seq, e.At, e.Edited, e.Gone, e.Rev, e.Reactions = room.info.Head+1, m.last, false, false, 0, nil
	room.info.said(e)
	if e.Kind == protocol.KindTopic {
		room.info.Topic = e.Text
	}
	m.ids[e.ID] = knownID{room: e.Room, seq: e.Seq, at: e.At, content: content}
	m.idOrder.push(e.ID)
	if m.idOrder.len() > memoryIDs {
		delete(m.ids, m.idOrder.pop())
	}
	if isFolded(e.Kind) {
		m.fold(room, e)
	}
	kept := *e
	if kept.Reactions = nil; e.Kind == protocol.KindEdit { // both are its target's
		kept.Text = ""
	}
	room.entries = append(room.entries, kept)
	m.order.push(room)
	m.bytes += kept.MaxSize()
	for m.bytes > m.budget && m.order.len() > 1 {
		m.dropOldest()
	}
}

func (m *Memory) content(e *protocol.Entry) uint64 {
	var h maphash.Hash
	h.SetSeed(m.seed)
	h.WriteString(string(e.Kind))
	h.WriteByte(0)
	h.Write(e.Target[:])
	h.WriteString(e.Text)
	return h.Sum64()
}

func (m *Memory) addRoom(name string, maker Maker) *memoryRoom {
	head := m.removed[name].head
	delete(m.removed, name)
	room := &memoryRoom{info: RoomInfo{Name: name, Head: head, Maker: maker}, first: head + 1}
	m.rooms[name] = room
	m.makers.Add(maker, name, +1)
	at, _ := slices.BinarySearch(m.names, name)
	m.names = slices.Insert(m.names, at, name)
	if a, b, ok := protocol.ParseDirectRoom(name); ok {
		m.directs[a] = append(m.directs[a], name)
		m.directs[b] = append(m.directs[b], name)
	}
	return room
}

func (m *Memory) dropOldest() {
	room := m.order.pop()
	e := &room.entries[0]
	m.bytes -= e.MaxSize()
	delete(m.folds, e.ID)
	*e = protocol.Entry{}
	room.entries = room.entries[1:]
	room.first++
}

// Room implements Store.
func (m *Memory) Room(name string) (RoomInfo, bool) {
	m.mu.RLock()
	defer m.mu.RUnlock()
	if room := m.rooms[name]; room != nil {
		return room.info, true
	}
	return RoomInfo{Name: name, Head: m.removed[name].head}, false
}

// Rooms implements Store.
func (m *Memory) Rooms(after string, limit int) []RoomInfo {
	m.mu.RLock()
	defer m.mu.RUnlock()
	at := sort.Search(len(m.names), func(i int) bool { return m.names[i] > after })
	var out []RoomInfo
	for _, name := range m.names[at:min(at+limit, len(m.names))] {
		out = append(out, m.rooms[name].info)
	}
	return out
}

// RoomCount implements Store.
func (m *Memory) RoomCount() (rooms, directs int) {
	m.mu.RLock()
	defer m.mu.RUnlock()
	directs = countDirects(m.names)
	return len(m.names) - directs, directs
}

// Read implements Store.
func (m *Memory) Read(_ context.Context, r Range) ([]protocol.Entry, bool, error) {
	m.mu.RLock()
	defer m.mu.RUnlock()
	room := m.rooms[r.Room]
	if room == nil {
		return nil, false, nil
	}
	seq := func(e protocol.Entry, seq uint64) int { return cmp.Compare(e.Seq, seq) }
	all := room.entries
	if r.Before > 0 {
		n, _ := slices.BinarySearchFunc(all, r.Before, seq)
		all = all[:n]
	}
	if r.After > 0 {
		n, found := slices.BinarySearchFunc(all, r.After, seq)
		if found {
			n++
		}
		all = all[n:]
	}
	var out []protocol.Entry
	bytes := 0
	for len(out) < min(len(all), r.Limit) {
		at := len(out)
		if !r.Oldest {
			at = len(all) - 1 - at
		}
		e := room.read(&all[at])
		if bytes += e.MaxSize(); bytes > r.Bytes && len(out) > 0 {
			break
		}
		out = append(out, e)
	}
	if !r.Oldest {
		slices.Reverse(out)
	}
	return out, len(out) < len(all), nil
}

// Find implements Store.
func (m *Memory) Find(_ context.Context, id protocol.ID) (protocol.Entry, bool, error) {
	m.mu.RLock()
	defer m.mu.RUnlock()
	k, known := m.ids[id]
	if !known {
		return protocol.Entry{}, false, nil
	}
	room := m.rooms[k.room]
	if room == nil {
		return protocol.Entry{}, false, nil
	}
	e := room.find(k.seq)
	if e == nil {
		return protocol.Entry{}, false, nil
	}
	return room.read(e), true, nil
}

// Search implements Store.
func (m *Memory) Search(context.Context, Query) ([]protocol.Entry, bool, error) {
	return nil, false, ErrNoSearch
}

// Marker implements Store.
func (m *Memory) Marker(user protocol.UserID, room string) uint64 {
	m.mu.RLock()
	defer m.mu.RUnlock()
	return m.markers[markerKey{user, room}]
}

// SetMarker implements Store. When 65,536 markers are kept, no new one is.
func (m *Memory) SetMarker(user protocol.UserID, room string, seq uint64) (bool, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	key := markerKey{user, room}
	old, known := m.markers[key]
	if seq <= old || !known && len(m.markers) >= memoryMarkers {
		return false, nil
	}
	m.markers[key] = seq
	return true, nil
}

// fifo is a queue whose memory follows its length.
type fifo[T any] struct {
	items []T
	head  int
}

func (f *fifo[T]) len() int { return len(f.items) - f.head }

func (f *fifo[T]) push(v T) { f.items = append(f.items, v) }

func (f *fifo[T]) pop() T {
	v := f.items[f.head]
	var zero T
	f.items[f.head] = zero
	f.head++
	if f.head > len(f.items)/2 {
		f.items, f.head = append(f.items[:0:0], f.items[f.head:]...), 0
	}
	return v
}

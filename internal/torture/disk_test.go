package torture

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"sync"

	"lanchat/internal/roomlog"
	"lanchat/protocol"
)

// disk is a store that outlives the server over it, and can be told to break one
// promise. What has nothing to do with entries is the memory store's.
type disk struct {
	*roomlog.Memory
	fault

	mu       sync.Mutex
	rooms    map[string][]protocol.Entry
	ids      map[protocol.ID]protocol.Entry
	at       int64
	appends  int
	refused  int              // the append that refused a post last
	unsynced []protocol.Entry // gone with a crash
}

// fault is a promise to break.
type fault string

const (
	honest      fault = "honest"
	earlyAck    fault = "acknowledges before it is durable"
	everyID     fault = "takes an id that it has for a new one"
	refusesOne  fault = "refuses a post and takes the one behind it"
	swaps       fault = "commits two posts of one sender in the wrong order"
	holes       fault = "leaves an entry out of what it reads back"
	renumbers   fault = "acknowledges another number"
	forgetsRoom fault = "comes back with an older copy of a room"
	isFull      fault = "takes nothing"
)

func newDisk(f fault) *disk {
	return &disk{Memory: roomlog.NewMemory(), fault: f, rooms: map[string][]protocol.Entry{}, ids: map[protocol.ID]protocol.Entry{}}
}

// Append implements roomlog.Store.
func (d *disk) Append(batch []roomlog.Record) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.appends++
	if d.fault == isFull {
		return roomlog.ErrUnavailable
	}
	order := make([]int, len(batch))
	for i := range order {
		order[i] = i
	}
	if d.fault == swaps && len(batch) > 1 && batch[0].Entry.User == batch[1].Entry.User {
		order[0], order[1] = 1, 0
	}
	for _, i := range order {
		r := &batch[i]
		e := &r.Entry
		if known, ok := d.ids[e.ID]; ok && d.fault != everyID {
			if known.Room != e.Room || known.Text != e.Text {
				r.Err = roomlog.ErrIDConflict
				continue
			}
			e.Seq, e.At, r.Known = known.Seq, known.At, true
			continue
		}
		if d.fault == refusesOne && i == 0 && d.appends >= d.refused+5 {
			d.refused = d.appends
			r.Err = fmt.Errorf("%w: for once", roomlog.ErrUnavailable)
			continue
		}
		d.at++
		e.Seq, e.At = uint64(len(d.rooms[e.Room])+1), d.at
		d.rooms[e.Room] = append(d.rooms[e.Room], *e)
		d.ids[e.ID] = *e
		// Early, since others hear of that entry only when they are told the next.
		if d.fault == renumbers && d.at < 900 && i == len(batch)-1 {
			r.Known = true // so that nobody but the sender hears of it
			e.Seq++
		}
		d.unsynced = append(d.unsynced, *e)
	}
	if d.fault != earlyAck || d.appends%20 == 0 {
		d.unsynced = nil
	}
	return nil
}

// crash loses what was not kept.
func (d *disk) crash() {
	d.mu.Lock()
	defer d.mu.Unlock()
	for _, e := range slices.Backward(d.unsynced) {
		d.rooms[e.Room] = d.rooms[e.Room][:e.Seq-1]
		delete(d.ids, e.ID)
	}
	d.unsynced = nil
	// Half of it: what was taken last may have been acknowledged to nobody.
	if lobby := d.rooms[rooms[0]]; d.fault == forgetsRoom && len(lobby) > 10 {
		for _, e := range lobby[len(lobby)/2:] {
			delete(d.ids, e.ID)
		}
		d.rooms[rooms[0]] = lobby[:len(lobby)/2]
	}
}

// Room implements roomlog.Store.
func (d *disk) Room(name string) (roomlog.RoomInfo, bool) {
	d.mu.Lock()
	defer d.mu.Unlock()
	es, ok := d.rooms[name]
	return roomlog.RoomInfo{Name: name, Head: uint64(len(es))}, ok
}

// Rooms implements roomlog.Store.
func (d *disk) Rooms(after string, limit int) (infos []roomlog.RoomInfo) {
	d.mu.Lock()
	defer d.mu.Unlock()
	for _, name := range slices.Sorted(maps.Keys(d.rooms)) {
		if name > after && len(infos) < limit {
			infos = append(infos, roomlog.RoomInfo{Name: name, Head: uint64(len(d.rooms[name]))})
		}
	}
	return infos
}

// RoomCount implements roomlog.Store.
func (d *disk) RoomCount() (rooms, directs int) {
	d.mu.Lock()
	defer d.mu.Unlock()
	return len(d.rooms), 0
}

// Made implements roomlog.Store.
func (d *disk) Made(roomlog.Maker) (own, place roomlog.Made) { return own, place }

// RemoveRoom implements roomlog.Store.
func (d *disk) RemoveRoom(context.Context, string, roomlog.Removal) (int, error) {
	return 0, roomlog.ErrNoRoom
}

// Find implements roomlog.Store.
func (d *disk) Find(_ context.Context, id protocol.ID) (protocol.Entry, bool, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	e, ok := d.ids[id]
	return e, ok, nil
}

// Read implements roomlog.Store.
func (d *disk) Read(_ context.Context, r roomlog.Range) (es []protocol.Entry, more bool, err error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	all := d.rooms[r.Room]
	if r.Before > 0 && r.Before <= uint64(len(all)) {
		all = all[:r.Before-1]
	}
	all = all[min(r.After, uint64(len(all))):]
	n, bytes := 0, 0
	for n < len(all) && n < r.Limit {
		e := &all[n]
		if !r.Oldest {
			e = &all[len(all)-1-n]
		}
		if bytes += e.MaxSize(); bytes > r.Bytes && n > 0 {
			break
		}
		n++
	}
	more = n < len(all)
	if es = all[:n]; !r.Oldest {
		es = all[len(all)-n:]
	}
	es = slices.Clone(es)
	if d.fault == holes && len(es) > 20 {
		es = slices.Delete(es, 10, 11)
	}
	return es, more, nil
}

package roomlog

import (
	"context"
	"maps"
	"slices"

	"lanchat/protocol"
)

// Made implements Store.
func (m *Memory) Made(by Maker) (own, place Made) {
	m.mu.RLock()
	defer m.mu.RUnlock()
	return m.makers.Count(by)
}

// RemoveRoom implements Store.
func (m *Memory) RemoveRoom(_ context.Context, name string, how Removal) (int, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	room := m.rooms[name]
	if room == nil {
		return 0, ErrNoRoom
	}
	if how.Spoken && slices.ContainsFunc(room.entries, func(e protocol.Entry) bool { return isSaid(&e) && e.User != how.By }) {
		return 0, ErrSpoken
	}
	if err := m.forgetRemoved(how.Force); err != nil {
		return 0, err
	}
	for i := range room.entries {
		m.bytes -= room.entries[i].MaxSize()
		delete(m.folds, room.entries[i].ID)
	}
	m.order.drop(func(r *memoryRoom) bool { return r == room })
	delete(m.rooms, name)
	at, _ := slices.BinarySearch(m.names, name)
	m.names = slices.Delete(m.names, at, at+1)
	dropDirect(m.directs, name)
	m.makers.Add(room.info.Maker, name, -1)
	m.removed[name] = removedRoom{name, room.info.Head, m.now()}
	return len(room.entries), nil
}

// forgetRemoved makes place for one more removed room. mu is held.
func (m *Memory) forgetRemoved(force bool) error {
	if len(m.removed) < m.maxRemoved {
		return nil
	}
	old, err := forgettable(slices.Collect(maps.Values(m.removed)), m.maxRemoved, m.now(), force)
	for _, r := range old {
		delete(m.removed, r.name)
	}
	return err
}

// drop takes items out.
func (f *fifo[T]) drop(is func(T) bool) {
	f.items, f.head = slices.DeleteFunc(slices.Clone(f.items[f.head:]), is), 0
}

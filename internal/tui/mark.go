package tui

import (
	"sort"

	"lanchat/internal/client"
	"lanchat/protocol"
)

// mark remembers an item of a room, wherever it goes: others may come before it,
// go, or take its place when it changes.
type mark struct {
	it   *client.Item
	seq  uint64
	id   protocol.ID
	hint int // where it was last
}

func markOf(room *client.Room, i int) mark {
	it := room.At(i)
	return mark{it, it.Entry.Seq, it.Entry.ID, i}
}

// is reports whether an item is the one that is marked, perhaps changed.
func (m *mark) is(it *client.Item) bool {
	switch {
	case it == m.it:
		return true
	case m.it.Status == client.Notice || it.Status == client.Notice:
		return m.it.Status == it.Status && it.Entry.At == m.it.Entry.At && it.Entry.Text == m.it.Entry.Text
	}
	return it.Entry.ID == m.id
}

// find returns where the marked item is now, or what stands nearest where it was.
// It may be Len, behind the last one. One that is gone is remembered, should it
// come back.
func (m *mark) find(room *client.Room) (i int, same bool) {
	if m.hint >= room.Len() || room.At(m.hint) != m.it {
		m.hint = m.search(room)
	}
	if m.hint >= room.Len() {
		return room.Len(), false
	}
	it := room.At(m.hint)
	if !m.is(it) {
		return m.hint, false
	}
	m.it, m.seq = it, it.Entry.Seq
	return m.hint, true
}

func (m *mark) search(room *client.Room) int {
	if m.it.Status != client.Said && m.it.Status != client.Notice {
		// It was on its way: it is still, or has its place by now.
		for i := room.Len() - 1; i >= max(0, len(room.Items)-1000); i-- {
			if m.is(room.At(i)) {
				return i
			}
		}
		return room.Len()
	}
	from := firstFrom(room, m.seq)
	for i := from; i < len(room.Items) && room.Items[i].Entry.Seq == m.seq; i++ {
		if m.is(room.Items[i]) {
			return i
		}
	}
	if m.it.Status == client.Notice {
		// Those before the first entry move on when a page comes before it.
		for i := from; i < len(room.Items); i++ {
			if m.is(room.Items[i]) {
				return i
			}
		}
	}
	return from
}

// firstFrom is the first item of a room with at least this seq.
func firstFrom(room *client.Room, seq uint64) int {
	return sort.Search(len(room.Items), func(i int) bool { return room.Items[i].Entry.Seq >= seq })
}

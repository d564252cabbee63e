package roomlog

import (
	"slices"

	"lanchat/protocol"
)

// saysAny forgets what entries said, so that nothing of it is left, and any
// content counts as known under their ids.
func (m *Memory) saysAny(ids ...protocol.ID) {
	for _, id := range ids {
		if k, known := m.ids[id]; known {
			k.content, k.blank = 0, true
			m.ids[id] = k
		}
	}
}

// memoryFold is what a Memory store keeps of an entry that was edited or reacted
// to, beside the entry itself. It goes with the entry.
type memoryFold struct {
	edits []protocol.ID                // the entries that have edited it
	users map[string][]protocol.UserID // who gave each reaction, in order
}

// fold folds an entry into its target, and makes the entry what those are sent
// who hear of it now.
func (m *Memory) fold(room *memoryRoom, e *protocol.Entry) {
	if len(e.Purged) > 0 {
		m.purge(room, e)
		return
	}
	t := room.find(e.TargetSeq)
	if t == nil || !takesFolds(t.Kind) || t.Gone {
		if e.Kind == protocol.KindEdit {
			switch e.Text = ""; {
			case t == nil:
			case t.Gone:
				m.saysAny(e.ID)
			default: // it changes nothing, and is forgotten all the same when that is purged
				f := m.foldOf(t.ID)
				f.edits = append(f.edits, e.ID)
			}
		}
		if e.Kind == protocol.KindReaction {
			e.Reactions = oneReaction(nil, e.Text)
		}
		return
	}
	f := m.foldOf(t.ID)
	m.bytes -= t.MaxSize()
	switch e.Kind {
	case protocol.KindEdit:
		t.Text, t.Edited, t.Rev = e.Text, true, e.Seq
		f.edits = append(f.edits, e.ID)
	case protocol.KindDelete:
		m.delete(t, e.Seq)
	case protocol.KindReaction:
		if !isReaction(e.Text) {
			break
		}
		t.Reactions, t.Rev = f.toggle(t.Reactions, e), e.Seq
		e.Reactions = oneReaction(t.Reactions, e.Text)
	}
	m.bytes += t.MaxSize()
}

func (m *Memory) foldOf(id protocol.ID) *memoryFold {
	f := m.folds[id]
	if f == nil {
		f = &memoryFold{users: map[string][]protocol.UserID{}}
		m.folds[id] = f
	}
	return f
}

// delete leaves of an entry its place alone; rev is the seq of what does it.
func (m *Memory) delete(t *protocol.Entry, rev uint64) {
	t.Text, t.Edited, t.Gone, t.Reactions, t.Rev = "", false, true, nil, rev
	if f := m.folds[t.ID]; f != nil {
		m.saysAny(f.edits...)
	}
	m.saysAny(t.ID)
	delete(m.folds, t.ID)
}

// purge deletes all that a purge's entry names.
func (m *Memory) purge(room *memoryRoom, e *protocol.Entry) {
	for _, seq := range e.Purged {
		if t := room.find(seq); t != nil && isPurgeable(t.Kind) && !t.Gone {
			m.bytes -= t.MaxSize()
			m.delete(t, e.Seq)
			m.bytes += t.MaxSize()
		}
	}
}

// toggle gives a reaction, or takes it back.
func (f *memoryFold) toggle(list []protocol.Reaction, e *protocol.Entry) []protocol.Reaction {
	users := f.users[e.Text]
	if at := slices.Index(users, e.User); at >= 0 {
		users = slices.Delete(users, at, at+1)
		list = tookReaction(list, e.Text, slices.Clone(users[:min(len(users), reactors)]))
	} else {
		users = append(users, e.User)
		list = gaveReaction(list, e.Text, e.User)
	}
	if f.users[e.Text] = users; len(users) == 0 {
		delete(f.users, e.Text)
	}
	return list
}

// find returns the entry that has a number, or nil when it is not there. What it
// points to may move with the next entry.
func (r *memoryRoom) find(seq uint64) *protocol.Entry {
	if seq < r.first || seq-r.first >= uint64(len(r.entries)) {
		return nil
	}
	return &r.entries[seq-r.first]
}

// read returns an entry as it stands now, together with the one that it is about.
func (r *memoryRoom) read(e *protocol.Entry) protocol.Entry {
	out := *e
	if e.TargetSeq == 0 {
		if e.Kind == protocol.KindReaction {
			out.Reactions = oneReaction(nil, e.Text)
		}
		return out
	}
	var t protocol.Entry
	if found := r.find(e.TargetSeq); found != nil {
		t = *found
	}
	out.TargetSeq = t.Seq
	switch e.Kind {
	case protocol.KindEdit:
		if takesFolds(t.Kind) {
			out.Text = t.Text
		}
	case protocol.KindReaction:
		out.Reactions = oneReaction(t.Reactions, e.Text)
	}
	return out
}

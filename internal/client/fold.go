package client

import (
	"slices"

	"lanchat/protocol"
)

// maxLate is how many changes a room keeps whose entries are not held. A page that was
// under way when the change was made needs them, and one that has what was deleted, to
// say by whom.
const maxLate = 256

// maxById is how far back an entry is looked for whose seq is not known.
const maxById = 1000

// folds is true for kinds that change another entry and are none of their own.
func folds(k protocol.Kind) bool {
	return k == protocol.KindEdit || k == protocol.KindDelete || k == protocol.KindReaction
}

// takesFolds is true for kinds that can be changed.
func takesFolds(k protocol.Kind) bool { return k == protocol.KindText || k == protocol.KindAction }

// fold brings a change to the entry that it is about.
func (s *State) fold(r *Room, e *protocol.Entry) {
	if c := r.changes[e.Target]; c != nil && c.ID == e.ID {
		r.setChange(e.Target, nil)
	}
	for _, i := range r.targets(e) {
		s.foldInto(r, i, e)
	}
}

// targets returns where in Items the entries stand that a change is about. For those that
// are not held it keeps the change.
func (r *Room) targets(e *protocol.Entry) []int {
	held := r.findTargets(e)
	if len(held) < max(1, len(e.Purged)) {
		if len(r.late) == maxLate {
			r.late = slices.Delete(r.late, 0, 1)
		}
		r.late = append(r.late, *e)
	}
	return held
}

// foldInto brings a change to item i.
func (s *State) foldInto(r *Room, i int, e *protocol.Entry) {
	old := r.Items[i]
	it := *old
	changed := apply(&it.Entry, e)
	it.goneBy(e)
	entry := it.Entry
	if !changed && it.GoneBy == old.GoneBy {
		return
	}
	it.ForMe = s.forMe(r, &it)
	r.Items[i] = &it
	if it.ForMe != old.ForMe && entry.Seq > r.Read {
		if it.ForMe {
			r.Mine++
		} else {
			r.Mine = max(0, r.Mine-1)
		}
	}
}

// goneBy notes who has deleted an entry, where that was not its author. An entry that
// comes deleted does not say it; the deletion does.
func (it *Item) goneBy(e *protocol.Entry) {
	if e.Kind == protocol.KindDelete && it.Entry.Gone && e.User != it.Entry.User {
		it.GoneBy = ShownNick(e.Nick, e.Guest)
	}
}

// isAbout reports whether a change is about an entry.
func isAbout(e, t *protocol.Entry) bool {
	if len(e.Purged) > 0 {
		_, purged := slices.BinarySearch(e.Purged, t.Seq)
		return purged
	}
	return e.Target == t.ID
}

// findTargets returns where in Items the entries stand that e is about.
func (r *Room) findTargets(e *protocol.Entry) (held []int) {
	if len(e.Purged) == 0 {
		if i := r.findTarget(e); i >= 0 {
			held = append(held, i)
		}
		return held
	}
	for _, seq := range e.Purged {
		if i := r.Find(seq); i >= 0 {
			held = append(held, i)
		}
	}
	return held
}

// findTarget returns where in Items the entry stands that e is about, or -1.
func (r *Room) findTarget(e *protocol.Entry) int {
	if e.TargetSeq != 0 {
		if i := r.Find(e.TargetSeq); i >= 0 && r.Items[i].Entry.ID == e.Target {
			return i
		}
		return -1
	}
	for i := len(r.Items) - 1; i >= max(0, len(r.Items)-maxById); i-- {
		if it := r.Items[i]; it.Status != Notice && it.Entry.ID == e.Target {
			return i
		}
	}
	return -1
}

// apply folds a change into an entry, and reports whether anything was changed.
func apply(t, e *protocol.Entry) bool {
	if e.Seq <= t.Rev || t.Gone || !takesFolds(t.Kind) && (len(e.Purged) == 0 || t.Kind != protocol.KindTopic) {
		return false
	}
	switch e.Kind {
	case protocol.KindEdit:
		t.Text, t.Edited = e.Text, true
	case protocol.KindDelete:
		t.Text, t.Edited, t.Gone, t.Reactions = "", false, true, nil
	case protocol.KindReaction:
		if len(e.Reactions) != 1 {
			return false
		}
		t.Reactions = withReaction(t.Reactions, e.Reactions[0])
	default:
		return false
	}
	t.Rev = e.Seq
	return true
}

// withReaction returns reactions with one as it stands now. The old list may be
// another item's, and is left as it is.
func withReaction(old []protocol.Reaction, now protocol.Reaction) []protocol.Reaction {
	i := slices.IndexFunc(old, func(r protocol.Reaction) bool { return r.Text == now.Text })
	fresh := slices.Clone(old)
	switch {
	case i >= 0 && now.Count == 0:
		fresh = slices.Delete(fresh, i, i+1)
	case i >= 0:
		fresh[i] = now
	case now.Count > 0 && len(old) < protocol.MaxReactions:
		fresh = append(fresh, now)
	}
	if len(fresh) == 0 {
		return nil
	}
	return fresh
}

// queueChange shows an edit or a deletion of this user's as under way. There is
// nothing to show when the entry is not held; it may be later.
func (r *Room) queueChange(p protocol.Post) {
	r.setChange(p.Target, &Change{ID: p.ID, Kind: p.Kind, Text: p.Text, Status: Pending})
}

// setChange replaces the change of an entry.
func (r *Room) setChange(target protocol.ID, c *Change) {
	if c == nil {
		delete(r.changes, target)
	} else {
		if r.changes == nil {
			r.changes = map[protocol.ID]*Change{}
		}
		r.changes[target] = c
	}
	// From the end: people change what they said last.
	for _, list := range [][]*Item{r.Pending, r.Items} {
		for i, it := range slices.Backward(list) {
			if it.Status != Notice && it.Entry.ID == target {
				fresh := *it
				fresh.Change = c
				list[i] = &fresh
				return
			}
		}
	}
}

// replaceChange replaces the change with a post's id, and reports whether there
// was one. change returns nil to take it away.
func (r *Room) replaceChange(post protocol.ID, change func(c Change) *Change) bool {
	for target, c := range r.changes {
		if c.ID == post {
			r.setChange(target, change(*c))
			return true
		}
	}
	return false
}

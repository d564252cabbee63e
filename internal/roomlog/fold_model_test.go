package roomlog

import (
	"slices"

	"lanchat/protocol"
)

// folded is what a room's entries should be read as, said plainly: everything is
// done again from the start.
func (m *model) folded(room string) []protocol.Entry {
	type given struct {
		text string
		user protocol.UserID
	}
	all := slices.Clone(m.rooms[room])
	gave := make([][]given, len(all))   // to each entry
	texts := make([][]string, len(all)) // of its reactions, in order
	about := make([]int, len(all))
	for i := range all {
		e := &all[i]
		for at := range all[:i] {
			t := &all[at]
			if slices.Contains(e.Purged, t.Seq) && !t.Gone && isPurgeable(t.Kind) {
				t.Text, t.Edited, t.Gone, t.Rev = "", false, true, e.Seq
				gave[at], texts[at] = nil, nil
			}
		}
		about[i] = slices.IndexFunc(all[:i], func(t protocol.Entry) bool { return t.ID == e.Target })
		if about[i] < 0 {
			continue
		}
		at := about[i]
		t := &all[at]
		if e.TargetSeq = t.Seq; len(e.Purged) > 0 || t.Gone || t.Kind != protocol.KindText && t.Kind != protocol.KindAction {
			continue
		}
		switch e.Kind {
		case protocol.KindEdit:
			t.Text, t.Edited, t.Rev = e.Text, true, e.Seq
		case protocol.KindDelete:
			t.Text, t.Edited, t.Gone, t.Rev = "", false, true, e.Seq
			gave[at], texts[at] = nil, nil
		case protocol.KindReaction:
			one := given{e.Text, e.User}
			t.Rev = e.Seq
			if n := slices.Index(gave[at], one); n >= 0 {
				gave[at] = slices.Delete(gave[at], n, n+1)
			} else {
				gave[at] = append(gave[at], one)
			}
			isLeft := slices.ContainsFunc(gave[at], func(g given) bool { return g.text == e.Text })
			n := slices.Index(texts[at], e.Text)
			if isLeft && n < 0 {
				texts[at] = append(texts[at], e.Text)
			} else if !isLeft {
				texts[at] = slices.Delete(texts[at], n, n+1)
			}
		}
	}
	count := func(at int, text string) protocol.Reaction {
		r := protocol.Reaction{Text: text}
		for _, g := range gave[max(at, 0)] {
			if at >= 0 && g.text == text {
				if r.Count++; r.Count <= 16 {
					r.By = append(r.By, g.user)
				}
			}
		}
		return r
	}
	for i := range all {
		e := &all[i]
		for _, text := range texts[i] {
			e.Reactions = append(e.Reactions, count(i, text))
		}
		switch e.Kind {
		case protocol.KindEdit:
			e.Text = ""
			if at := about[i]; at >= 0 && (all[at].Kind == protocol.KindText || all[at].Kind == protocol.KindAction) {
				e.Text = all[at].Text
			}
		case protocol.KindReaction:
			e.Reactions = []protocol.Reaction{count(about[i], e.Text)}
		}
	}
	return all
}

// newest is a room's last entry, as those are sent it who hear of it now.
func (m *model) newest(room string) protocol.Entry {
	all := m.folded(room)
	return all[len(all)-1]
}

// forgot is true for an entry whose content nobody may know any more: it was
// deleted, or has edited one that was.
func (m *model) forgot(e protocol.Entry) bool {
	for _, t := range m.folded(e.Room) {
		if t.Gone && (t.ID == e.ID || e.Kind == protocol.KindEdit && t.ID == e.Target && t.Seq < e.Seq) {
			return true
		}
	}
	return false
}

package client

import (
	"cmp"
	"slices"

	"lanchat/protocol"
)

// maxReports is how many notices of the server are kept. The oldest goes: a server has
// one for each subject and room.
const maxReports = 16

// report keeps the newest notice about each subject and room, the weightiest first: those
// of the whole server before those of a room. An empty text ends one.
func (s *State) report(n *protocol.Notice) {
	same := func(o protocol.Notice) bool { return o.About == n.About && o.Room == n.Room }
	s.Reports = slices.DeleteFunc(slices.Clone(s.Reports), same)
	if n.Text == "" {
		return
	}
	if len(s.Reports) >= maxReports {
		s.Reports = s.Reports[1:]
	}
	s.Reports = append(s.Reports, *n)
	slices.SortStableFunc(s.Reports, func(a, b protocol.Notice) int {
		return cmp.Or(cmp.Compare(a.Room, b.Room), cmp.Compare(a.About, b.About))
	})
}

// Report words a notice of the server, with the room that it concerns.
func (s *State) Report(n *protocol.Notice) string {
	if n.Room == "" {
		return n.Text
	}
	if r := s.Room(n.Room); r != nil {
		return r.Title + ": " + n.Text
	}
	return "#" + n.Room + ": " + n.Text
}

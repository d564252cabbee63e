package roomlog

import (
	"cmp"
	"slices"

	"lanchat/protocol"
)

// Direct is a direct talk, as one of its two users has it.
type Direct struct {
	RoomInfo
	Read uint64 // the user's read marker
}

// newestFirst sorts direct talks by their newest entries.
func newestFirst(talks []Direct) []Direct {
	slices.SortFunc(talks, func(a, b Direct) int {
		return cmp.Or(cmp.Compare(b.Last, a.Last), cmp.Compare(a.Name, b.Name))
	})
	return talks
}

// said notes a new entry of the room.
func (r *RoomInfo) said(e *protocol.Entry) {
	r.Head, r.Last = e.Seq, max(r.Last, e.At)
}

// Directs implements Store.
func (m *Memory) Directs(user protocol.UserID) []Direct {
	m.mu.RLock()
	defer m.mu.RUnlock()
	var talks []Direct
	for _, name := range m.directs[user] {
		talks = append(talks, Direct{m.rooms[name].info, m.markers[markerKey{user, name}]})
	}
	return newestFirst(talks)
}

// Directs implements Store. It reads all of the user's markers at once.
func (s *SQLite) Directs(user protocol.UserID) []Direct {
	s.mu.RLock()
	var talks []Direct
	ids := map[int64]int{} // places in talks
	for _, name := range s.directs[user] {
		r := s.rooms[name]
		ids[r.id] = len(talks)
		talks = append(talks, Direct{r.info, s.markers[markerKey{user, name}]})
	}
	s.mu.RUnlock()
	if len(talks) > 0 {
		s.readMarkers(user, func(room int64, seq uint64) {
			if at, direct := ids[room]; direct {
				talks[at].Read = max(talks[at].Read, seq)
			}
		})
	}
	return newestFirst(talks)
}

// readMarkers reads the markers of a user that are in the file. Those that cannot be
// read count as none: see Marker.
func (s *SQLite) readMarkers(user protocol.UserID, found func(room int64, seq uint64)) {
	rows, err := s.db.Query("SELECT room, seq FROM markers WHERE user = ?", user[:])
	if err != nil {
		return
	}
	defer rows.Close()
	for rows.Next() {
		var room int64
		var seq uint64
		if rows.Scan(&room, &seq) != nil {
			return
		}
		found(room, seq)
	}
}

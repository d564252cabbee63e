package server

import "lanchat/protocol"

// mayOpen reports whether there may be one more room.
func (s *Server) mayOpen(room string) error {
	if room == protocol.DefaultRoom {
		return nil
	}
	s.roomsMu.RLock()
	_, open := s.rooms[room]
	count := len(s.rooms)
	s.roomsMu.RUnlock()
	rooms, directs := s.log.RoomCount()
	if _, kept := s.log.Room(room); open || kept || max(count, rooms+directs) < s.limits.AllRooms {
		return nil
	}
	s.stats.reached(limitAllRooms)
	return protocol.Errorf(protocol.CodeLimit, "this server has as many rooms as it may have")
}

// mayMake reports why somebody may not go to a room that is not there yet.
func (ss *session) mayMake(room string) error {
	if ss.srv.exists(room) {
		return nil
	}
	if wait := ss.mayNow(making); wait > 0 {
		return protocol.Errorf(protocol.CodeLimit, "you have made many rooms just now; the next one in %s", spoken(wait))
	}
	return nil
}

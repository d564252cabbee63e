package access

// Invited reports whether there are open invitations to a room.
func (r *Rules) Invited(room string) bool {
	r.mu.RLock()
	defer r.mu.RUnlock()
	now := r.now()
	for _, i := range r.invites {
		if i.Room == room && now.Before(i.Until) {
			return true
		}
	}
	return false
}

// PrivateRooms lists the private rooms.
func (r *Rules) PrivateRooms() (rooms []string) {
	r.mu.RLock()
	defer r.mu.RUnlock()
	for room, s := range r.rooms {
		if s.Private {
			rooms = append(rooms, room)
		}
	}
	return rooms
}

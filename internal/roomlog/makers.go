package roomlog

import "lanchat/protocol"

// Maker is who made a room, by its first entry: a user with a key, or a guest, and the
// Place that it came from. The zero Maker is unknown.
type Maker struct {
	User protocol.UserID // zero: a guest
	From Place
}

// Place stands for the address that something comes from; which one, is for whoever sets
// it. The zero Place is none that counts.
type Place [8]byte

// makerOf is who makes a room by an entry that comes from a place. An announcement goes
// to rooms that others have made.
func makerOf(e *protocol.Entry, from Place) (m Maker) {
	if e.Kind == protocol.KindAnnounce {
		return m
	}
	if m.From = from; !e.Guest {
		m.User = e.User
	}
	return m
}

// pack is a maker as it is kept; of earlier versions the user alone is known.
func (m Maker) pack() []byte {
	if m == (Maker{}) {
		return []byte{}
	}
	return append(m.User[:], m.From[:]...)
}

func unpackMaker(raw []byte) (m Maker) {
	n := copy(m.User[:], raw)
	copy(m.From[:], raw[n:])
	return m
}

// Made counts what was made: rooms, and direct talks.
type Made struct{ Rooms, Directs int }

// Makers counts rooms by who made them. The zero Makers is empty.
type Makers struct {
	users  map[protocol.UserID]Made
	guests map[Place]Made
	places map[Place]Made // all that was made from there
}

// Add counts a room that was made, or with by -1 one that is not there any more.
func (t *Makers) Add(m Maker, room string, by int) {
	if t.users == nil {
		t.users, t.guests, t.places = map[protocol.UserID]Made{}, map[Place]Made{}, map[Place]Made{}
	}
	if !m.User.IsZero() {
		addMade(t.users, m.User, room, by)
	} else if m.From != (Place{}) {
		addMade(t.guests, m.From, room, by)
	}
	if m.From != (Place{}) {
		addMade(t.places, m.From, room, by)
	}
}

func addMade[K comparable](of map[K]Made, k K, room string, by int) {
	made := of[k]
	if isDirect(room) {
		made.Directs += by
	} else {
		made.Rooms += by
	}
	if of[k] = made; made == (Made{}) {
		delete(of, k)
	}
}

// Count returns what a maker has made, all guests of a place being one, and what all
// makers have made from the maker's place.
func (t *Makers) Count(m Maker) (own, place Made) {
	if m.From != (Place{}) {
		place = t.places[m.From]
	}
	switch {
	case !m.User.IsZero():
		own = t.users[m.User]
	case m.From != (Place{}):
		own = t.guests[m.From]
	}
	return own, place
}

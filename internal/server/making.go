package server

import (
	"context"
	"crypto/sha256"
	"strings"
	"time"

	"lanchat/internal/roomlog"
	"lanchat/protocol"
)

// bareRooms are the rooms that are there without an entry in the log: somebody follows
// them, or they are private and nothing was said there yet. They count as the others do,
// for whoever went there first.
type bareRooms struct {
	rooms map[string]bareRoom
	count roomlog.Made
	made  roomlog.Makers
}

type bareRoom struct {
	since   time.Time
	maker   roomlog.Maker
	private bool // it is there when nobody follows it, too
}

func (b *bareRooms) add(room string, maker roomlog.Maker, private bool) {
	r, known := b.rooms[room]
	if !known {
		r = bareRoom{since: time.Now(), maker: maker}
		b.counted(room, maker, +1)
	}
	r.private = private
	b.rooms[room] = r
}

func (b *bareRooms) drop(room string) {
	if r, known := b.rooms[room]; known {
		delete(b.rooms, room)
		b.counted(room, r.maker, -1)
	}
}

func (b *bareRooms) counted(room string, maker roomlog.Maker, by int) {
	b.made.Add(maker, room, by)
	if isDirect(room) {
		b.count.Directs += by
	} else {
		b.count.Rooms += by
	}
}

func isDirect(room string) bool {
	_, _, direct := protocol.ParseDirectRoom(room)
	return direct
}

// settle notes whether a room is bare, which the log or the rules have just changed.
func (s *Server) settle(room string, maker roomlog.Maker) {
	private, _, _ := s.rules.Room(room)
	s.roomsMu.Lock()
	defer s.roomsMu.Unlock()
	r := s.rooms[room]
	if _, kept := s.log.Room(room); kept || r == nil && !private {
		s.bare.drop(room)
		return
	}
	s.bare.add(room, maker, private)
	if r != nil {
		r.bare.Store(true)
	}
}

// maker is what this session's rooms are counted by.
func (ss *session) roomMaker() (m roomlog.Maker) {
	if m.From = ss.poster.From; !ss.person.guest {
		m.User = ss.person.user
	}
	return m
}

// placeOf is what the log keeps of the address from which a room is made: a hash that
// is another one in each log. This host's own address has no bound: see ownHost.
func (s *Server) placeOf(ss *session) (p roomlog.Place) {
	addr := network(ss.addr)
	if ownHost(addr) {
		return p
	}
	epoch := s.log.Epoch()
	sum := sha256.Sum256(append(epoch[:], addr.AsSlice()...))
	copy(p[:], sum[:])
	return p
}

// mayOpen reports whether there may be one more room. The last eighth is for the known,
// and the last sixteenth for admins. by is nil where no session asks.
func (s *Server) mayOpen(room string, by *session) error {
	if room == protocol.DefaultRoom {
		return nil
	}
	s.roomsMu.RLock()
	_, open := s.rooms[room]
	_, bare := s.bare.rooms[room]
	count := s.bare.count
	s.roomsMu.RUnlock()
	if _, kept := s.log.Room(room); open || bare || kept {
		return nil
	}
	rooms, directs := s.log.RoomCount()
	used, most, limit, what := rooms+count.Rooms, s.limits.AllRooms, limitAllRooms, "rooms"
	if isDirect(room) {
		used, most, limit, what = directs+count.Directs, s.limits.AllDirects, limitAllDirects, "direct talks"
	}
	switch {
	case by != nil && s.isAdmin(by):
	case by == nil || by.person.known.Load():
		most -= most / 16
	default:
		most -= most / 8
	}
	if used < most {
		return nil
	}
	s.stats.reached(limit)
	return protocol.Errorf(protocol.CodeLimit, "this server has as many %s as it may have", what)
}

func (s *Server) isAdmin(ss *session) bool {
	return s.rules.Role(ss.person.who(), "") == protocol.RoleAdmin
}

// mayMake reports why somebody may not go to a room that is not there yet.
func (ss *session) mayMake(room string) error {
	if ss.srv.exists(room) {
		return nil
	}
	if err := ss.mayOwn(room); err != nil {
		return err
	}
	if wait := ss.mayNow(making); wait > 0 {
		return protocol.Errorf(protocol.CodeLimit, "you have made many rooms just now; the next one in %s", spoken(wait))
	}
	return nil
}

// mayFill reports why somebody may not write the first entry of a room, whose maker that
// would be.
func (ss *session) mayFill(r *room) error {
	if !r.bare.Load() {
		return nil
	}
	s := ss.srv
	s.roomsMu.RLock()
	bare, known := s.bare.rooms[r.name]
	s.roomsMu.RUnlock()
	if !known || bare.maker == ss.roomMaker() { // it counts already
		return nil
	}
	return ss.mayOwn(r.name)
}

// mayOwn reports why somebody may not make one more room, or open one more direct talk.
func (ss *session) mayOwn(room string) error {
	s, by := ss.srv, ss.roomMaker()
	own, place := s.log.Made(by)
	s.roomsMu.RLock()
	bareOwn, barePlace := s.bare.made.Count(by)
	s.roomsMu.RUnlock()
	n, all, most, limit := own.Rooms+bareOwn.Rooms, place.Rooms+barePlace.Rooms, s.limits.OwnRooms, limitOwnRooms
	direct := isDirect(room)
	if direct {
		n, all, most, limit = own.Directs+bareOwn.Directs, place.Directs+barePlace.Directs, s.limits.OwnDirects, limitOwnDirects
	}
	if n < most && all < most*s.limits.AddressShare || s.isAdmin(ss) {
		return nil
	}
	s.stats.reached(limit)
	switch {
	case direct && n >= most:
		return protocol.Errorf(protocol.CodeLimit, "you have opened %d direct talks, which is the limit; others can still write to you", n)
	case direct:
		return protocol.Errorf(protocol.CodeLimit, "%d direct talks were opened from your address, which is the limit", all)
	case n < most:
		return protocol.Errorf(protocol.CodeLimit, "%d rooms were made from your address, which is the limit; one in which nothing is said goes after %s, or when an admin deletes it", all, spoken(unusedAfter))
	case ss.person.guest:
		return protocol.Errorf(protocol.CodeLimit, "the guests of your address have made %d rooms, which is the limit; leave one in which nothing was said, or come with a key", n)
	}
	return protocol.Errorf(protocol.CodeLimit, "you have made %d rooms, which is the limit; leave one in which nothing was said, or /delete-room one in which nobody else has said anything%s", n, ss.someOwn())
}

// someOwn names some rooms that somebody has made.
func (ss *session) someOwn() string {
	var names []string
	for r := range ss.srv.loggedRooms() {
		if r.Maker.User == ss.person.user && !isDirect(r.Name) {
			if names = append(names, "#"+r.Name); len(names) == 3 {
				break
			}
		}
	}
	if len(names) == 0 {
		return ""
	}
	return ": perhaps " + strings.Join(names, ", ")
}

// loggedRooms are the rooms in the log, direct talks included, by name.
func (s *Server) loggedRooms() func(yield func(roomlog.RoomInfo) bool) {
	return func(yield func(roomlog.RoomInfo) bool) {
		for after := ""; ; {
			page := s.log.Rooms(after, listMax)
			for _, r := range page {
				if !yield(r) {
					return
				}
				after = r.Name
			}
			if len(page) < listMax {
				return
			}
		}
	}
}

// tidyRooms removes unused rooms until ctx ends.
func (s *Server) tidyRooms(ctx context.Context) {
	tick := time.NewTicker(unusedEvery)
	defer tick.Stop()
	for {
		select {
		case now := <-tick.C:
			s.removeUnused(ctx, now)
		case <-ctx.Done():
			return
		}
	}
}

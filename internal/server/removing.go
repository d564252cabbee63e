package server

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"lanchat/internal/roomlog"
	"lanchat/protocol"
)

// A room is removed together with its rules. While that is under way nobody may follow
// it: whoever removes it notes that first, and looks for followers after that; whoever
// follows it looks for the note after that (see session.mayFollow). So nobody is left in
// a room whose rules are gone.

const (
	// unusedAfter is how long nothing may have happened in a room that is unused.
	unusedAfter = 7 * 24 * time.Hour
	unusedEvery = 10 * time.Minute // how often unused rooms are looked for
)

var errRemoving = protocol.Errorf(protocol.CodeNotFound, "this room is being removed; try again in a moment")

// removing notes that a room is being removed, until done is called.
func (s *Server) removing(room string) (open *room, done func()) {
	s.roomsMu.Lock()
	defer s.roomsMu.Unlock()
	s.removals[room] = struct{}{}
	return s.rooms[room], func() {
		s.roomsMu.Lock()
		defer s.roomsMu.Unlock()
		delete(s.removals, room)
	}
}

func (s *Server) isRemoving(room string) bool {
	s.roomsMu.RLock()
	defer s.roomsMu.RUnlock()
	_, is := s.removals[room]
	return is
}

// removeUnused removes rooms, those first in which nothing has happened for longest,
// as long as four fifths of all are used; direct talks likewise.
func (s *Server) removeUnused(ctx context.Context, now time.Time) (removed int) {
	for _, direct := range []bool{false, true} {
		if !s.isCrowded(direct) {
			continue
		}
		for _, name := range s.idleRooms(direct, now.Add(-unusedAfter)) {
			if !s.isCrowded(direct) {
				break
			}
			begin := time.Now()
			did, err := s.removeIfUnused(ctx, name, now.Add(-unusedAfter))
			if err != nil {
				s.logger.Warn("an unused room was not removed", "room", name, "err", err)
				return removed
			}
			if did {
				removed++
			}
			select { // half of the time is others'
			case <-time.After(time.Since(begin)):
			case <-ctx.Done():
				return removed
			}
		}
	}
	if removed > 0 {
		s.logger.Info("unused rooms were removed", "rooms", removed)
	}
	return removed
}

// isCrowded reports whether four fifths of the rooms, or of the direct talks, are used.
func (s *Server) isCrowded(direct bool) bool {
	rooms, directs := s.log.RoomCount()
	s.roomsMu.RLock()
	defer s.roomsMu.RUnlock()
	used, most := rooms+s.bare.count.Rooms, s.limits.AllRooms
	if direct {
		used, most = directs+s.bare.count.Directs, s.limits.AllDirects
	}
	return used*5 >= most*4
}

// idleRooms are rooms without a topic in which nothing has happened since a time, and
// that nobody follows.
func (s *Server) idleRooms(direct bool, before time.Time) []string {
	last := map[string]int64{}
	for r := range s.loggedRooms() {
		if isDirect(r.Name) == direct && r.Topic == "" && r.Last < before.UnixNano() {
			last[r.Name] = r.Last
		}
	}
	s.roomsMu.RLock()
	defer s.roomsMu.RUnlock()
	for name, r := range s.bare.rooms {
		if isDirect(name) == direct && r.since.Before(before) {
			last[name] = r.since.UnixNano()
		}
	}
	for name := range s.rooms {
		delete(last, name)
	}
	delete(last, protocol.DefaultRoom)
	names := sortedKeys(last)
	slices.SortStableFunc(names, func(a, b string) int { return cmp.Compare(last[a], last[b]) })
	return names
}

// removeIfUnused removes a room in which nothing has happened since a time and nothing
// that somebody said is left, that nobody follows or is invited to.
func (s *Server) removeIfUnused(ctx context.Context, name string, before time.Time) (removed bool, err error) {
	s.deeds.Lock()
	defer s.deeds.Unlock()
	open, done := s.removing(name)
	defer done()
	if info, _ := s.log.Room(name); open != nil || info.Topic != "" || info.Last >= before.UnixNano() || s.rules.Invited(name) {
		return false, nil
	}
	_, err = s.dropRoom(ctx, name, roomlog.Removal{Spoken: true})
	if errors.Is(err, roomlog.ErrSpoken) {
		return false, nil
	}
	return err == nil, err
}

// dropRoom removes a room and its rules. removing was called for it.
func (s *Server) dropRoom(ctx context.Context, name string, how roomlog.Removal) (entries int, err error) {
	entries, err = s.log.RemoveRoom(ctx, name, how)
	if err != nil && !errors.Is(err, roomlog.ErrNoRoom) {
		return 0, err
	}
	_, err = s.rules.DropRoom(name)
	s.settle(name, roomlog.Maker{})
	return entries, err
}

// mayDeleteOwn reports whether a room is somebody's own, to be deleted unless somebody
// else has said something there.
func (ss *session) mayDeleteOwn(room string) bool {
	info, kept := ss.srv.log.Room(room)
	return kept && !ss.person.guest && info.Maker.User == ss.person.user
}

// deleteRoom removes a room and what was said in it.
func (d *deed) deleteRoom() (string, error) {
	name := d.m.Room
	switch {
	case name == "":
		return "", protocol.Errorf(protocol.CodeBadRoom, "which room?")
	case name == protocol.DefaultRoom:
		return "", protocol.Errorf(protocol.CodeForbidden, "#%s is there on every server", name)
	case isDirect(name):
		return "", protocol.Errorf(protocol.CodeForbidden, "a direct talk is its two users'")
	}
	how := roomlog.Removal{Force: true}
	admin := d.isAdmin(d.by)
	if !admin {
		how = roomlog.Removal{Spoken: true, By: d.by.person.user}
	}
	open, done := d.removing(name)
	defer done()
	text := fmt.Sprintf("%s has deleted this room", shownNick(d.by.person.name(), false))
	if d.text != "" {
		text += ": " + d.text
	}
	everybody := func(*session) bool { return true }
	if admin && open != nil {
		open.putOut(everybody, text)
		d.log.Flush() // what they have posted goes with the room
	} else if open != nil && open.hasOthers(d.by.person.user) {
		return "", protocol.Errorf(protocol.CodeForbidden, "others are in this room: only an admin can delete it")
	}
	n, err := d.dropRoom(context.Background(), name, how)
	switch {
	case errors.Is(err, roomlog.ErrSpoken):
		return "", protocol.Errorf(protocol.CodeForbidden, "others have said something in this room: only an admin can delete it")
	case errors.Is(err, roomlog.ErrRemoved):
		return "", protocol.Errorf(protocol.CodeLimit, "many rooms were deleted here lately: try again in some days, or ask an admin")
	case err != nil:
		return "", err
	}
	if open != nil && !admin {
		open.putOut(everybody, text)
	}
	return fmt.Sprintf("#%s is deleted, and the %d messages and notes in it", name, n), nil
}

// hasOthers reports whether somebody else is in the room.
func (r *room) hasOthers(user protocol.UserID) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return slices.ContainsFunc(r.followers, func(f *follow) bool { return f.session.person.user != user })
}

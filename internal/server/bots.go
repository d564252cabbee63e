package server

import (
	"context"
	"sync"
	"time"

	"lanchat/protocol"
)

// botTalk bounds what the bots of each room say among themselves: two that answer
// each other, or one that answers itself, come to an end. All bots of a room draw
// from one bucket, which a person's post fills up again. It outlives the room's
// followers, so that coming back is no way around it.
type botTalk struct {
	mu    sync.Mutex
	rooms map[string]*bucket // those that bots have posted in, swept when there are many
}

// botRoomsSwept is how many buckets there may be before those that are full again
// are forgotten. The others are of rooms with entries, of which there are at most
// Limits.AllRooms.
const botRoomsSwept = 1 << 10

// heard notes that a person has posted in a room.
func (b *botTalk) heard(room string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	delete(b.rooms, room)
}

// take lets a bot post, or says how long none may.
func (b *botTalk) take(room string, now time.Time, l *Limits) (wait time.Duration) {
	b.mu.Lock()
	defer b.mu.Unlock()
	of := b.rooms[room]
	if of == nil {
		if len(b.rooms) >= botRoomsSwept {
			b.sweep(now, l)
		}
		if b.rooms == nil {
			b.rooms = map[string]*bucket{}
		}
		of = &bucket{}
		b.rooms[room] = of
	}
	return of.try(now, l.bots())
}

func (b *botTalk) sweep(now time.Time, l *Limits) {
	for room, of := range b.rooms {
		if of.full(now, l.bots()) {
			delete(b.rooms, room)
		}
	}
}

// mayPostNow reports why a bot may not post now; a person may.
func (ss *session) mayPostNow(room string, id protocol.ID) error {
	if !ss.bot {
		ss.srv.bots.heard(room)
		return nil
	}
	_, err := ss.srv.mayBotPost(context.Background(), room, id, ss.person.user)
	return err
}

// mayBotPost says how long no bot may post, and why. What the log
// has already is for the log to answer: it is sent again because its ack was lost.
func (s *Server) mayBotPost(ctx context.Context, room string, id protocol.ID, user protocol.UserID) (wait time.Duration, err error) {
	l := &s.limits
	if wait = s.bots.take(room, time.Now(), l); wait == 0 {
		return 0, nil
	}
	if known, found, err := s.log.Find(ctx, id); err != nil {
		return 0, err
	} else if found && known.User == user && known.Room == room {
		return 0, nil
	}
	s.stats.reached(limitBots)
	return wait, protocol.Errorf(protocol.CodeLimit,
		"the bots in this room have posted too much without a person's word: %d at once, then one in %v for all of them together; a bot may post again in %v, or as soon as a person posts",
		l.BotBurst, (time.Second / time.Duration(l.BotRate)).Round(time.Millisecond), max(wait.Round(time.Millisecond), time.Millisecond))
}

package access

import (
	"encoding/json"
	"maps"
	"net/netip"
	"slices"
	"time"

	"lanchat/internal/roomlog"
	"lanchat/protocol"
)

// set writes a rule that may be a new one, and makes it when that has worked. value is
// what the fact has beyond its key; nil: nothing. mu is held.
func (r *Rules) set(id ruleID, until time.Time, value any, make func()) error {
	if err := r.mayAdd(id); err != nil {
		return err
	}
	return r.write(id, until, value, make)
}

func (s *state) write(id ruleID, until time.Time, value any, make func()) error {
	f := roomlog.Fact{Kind: id.kind, Key: id.factKey(), Until: until}
	if value != nil {
		raw, err := json.Marshal(value)
		if err != nil {
			return err
		}
		f.Value = raw
	}
	if err := s.keep.SetFact(f); err != nil {
		return err
	}
	make()
	return nil
}

// setPlaced makes a rule about somebody in a room. mu is held.
func (r *Rules) setPlaced(kind string, p place, u rule) error {
	id := ruleID{kind: kind, place: p}
	u.origin = r.made(id)
	var value any
	if u.origin != (origin{}) || u.Via != "" {
		value = u
	}
	return r.set(id, u.until, value, func() { r.put(id, u) })
}

// drop ends a rule. mu is held.
func (s *state) drop(id ruleID) error {
	if err := s.keep.DropFact(id.kind, id.factKey()); err != nil {
		return err
	}
	s.remove(id)
	return nil
}

// SetOp makes somebody an op of a room, or ends that. To make an op lifts the mark of an uninvited user.
func (r *Rules) SetOp(room string, user protocol.UserID, op bool) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	p := place{room, user}
	if !op {
		return r.drop(ruleID{kind: factOp, place: p})
	}
	if err := r.setPlaced(factOp, p, rule{}); err != nil {
		return err
	}
	return r.dropIfAny(ruleID{kind: factUninvited, place: p})
}

func (s *state) dropIfAny(id ruleID) error {
	if _, known := s.rules[id]; !known {
		return nil
	}
	return s.drop(id)
}

// Mute keeps somebody from posting in a room, until a time or, with the zero one, for
// good. Unmute ends it.
func (r *Rules) Mute(room string, user protocol.UserID, until time.Time) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.setPlaced(factMute, place{room, user}, rule{until: until})
}

// Unmute ends a Mute.
func (r *Rules) Unmute(room string, user protocol.UserID) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.drop(ruleID{kind: factMute, place: place{room, user}})
}

// SetSlow has a person's posts in a room be so many seconds apart; 0: they need not be.
func (r *Rules) SetSlow(room string, seconds uint32) error {
	return r.settle(room, func(s *settings) { s.Slow = seconds })
}

// SetLocked has only ops change a room's topic, or ends that.
func (r *Rules) SetLocked(room string, locked bool) error {
	return r.settle(room, func(s *settings) { s.Locked = locked })
}

// SetPrivate hides a room from all who are not among its people, or ends that.
func (r *Rules) SetPrivate(room string, private bool) error {
	return r.settle(room, func(s *settings) { s.Private = private })
}

func (r *Rules) settle(room string, change func(*settings)) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	s := r.rooms[room]
	change(&s)
	id := ruleID{kind: factRoom, place: place{room: room}}
	if s.none() {
		return r.drop(id)
	}
	s.origin = r.made(id)
	return r.set(id, time.Time{}, s, func() { r.putRoom(room, s) })
}

func (s *state) putRoom(room string, of settings) {
	s.put(ruleID{kind: factRoom, place: place{room: room}}, rule{origin: of.origin})
	s.rooms[room] = of
}

// Admit makes somebody one of a private room's people, who was uninvited or not, or ends
// that.
func (r *Rules) Admit(room string, user protocol.UserID, in bool) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	p := place{room, user}
	if !in {
		return r.drop(ruleID{kind: factMember, place: p})
	}
	if err := r.setPlaced(factMember, p, rule{}); err != nil {
		return err
	}
	return r.dropIfAny(ruleID{kind: factUninvited, place: p})
}

// BanUser keeps a user out, BanAddr an address; Unban ends either, by what Bans lists.
func (r *Rules) BanUser(user protocol.UserID, b Ban) error { return r.ban(user.String(), b) }

// BanAddr keeps an address out.
func (r *Rules) BanAddr(addr netip.Addr, b Ban) error {
	return r.ban(addr.Unmap().WithZone("").String(), b)
}

func (r *Rules) ban(key string, b Ban) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.set(ruleID{kind: factBan, key: key}, b.Until, b, func() { r.putBan(key, b) })
}

func (s *state) putBan(key string, b Ban) {
	s.put(ruleID{kind: factBan, key: key}, rule{until: b.Until})
	s.bans[key] = b
}

// Unban ends a ban, and reports whether there was one.
func (r *Rules) Unban(key string) (bool, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	_, was := r.bans[key]
	return was, r.drop(ruleID{kind: factBan, key: key})
}

// Bans lists what Unban takes, for each ban that counts.
func (r *Rules) Bans() map[string]Ban {
	r.mu.RLock()
	defer r.mu.RUnlock()
	now := r.now()
	bans := maps.Clone(r.bans)
	maps.DeleteFunc(bans, func(_ string, b Ban) bool { return !b.Until.IsZero() && !now.Before(b.Until) })
	return bans
}

// Hidden lists the private rooms that somebody must not know of.
func (r *Rules) Hidden(who Who) (rooms []string) {
	r.mu.RLock()
	defer r.mu.RUnlock()
	for room := range r.rooms {
		if !r.sees(who, room) {
			rooms = append(rooms, room)
		}
	}
	slices.Sort(rooms)
	return rooms
}

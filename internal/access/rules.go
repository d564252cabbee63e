package access

import (
	"encoding/json"
	"iter"
	"maps"
	"net/netip"
	"slices"
	"time"

	"lanchat/internal/roomlog"
	"lanchat/protocol"
)

// set writes a fact, and makes the rule when that has worked.
func (r *Rules) set(f roomlog.Fact, value any, make func()) error {
	if value != nil {
		raw, err := json.Marshal(value)
		if err != nil {
			return err
		}
		f.Value = raw
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if err := r.place(f.Kind); err != nil {
		return err
	}
	if err := r.keep.SetFact(f); err != nil {
		return err
	}
	make()
	return nil
}

// shares are how many rules of each kind there may be. Together they are fewer than a
// Keeper takes.
var shares = map[string]int{
	factBan: 8 << 10, factRoom: 14 << 10, factOp: 12 << 10, factMute: 8 << 10, factMember: 16 << 10, factInvite: 4 << 10,
	factRefuse: 8 << 10,
}

// place reports that there are as many rules of a kind as there may be. mu is held.
func (r *Rules) place(kind string) error {
	now := r.now()
	over := func(until time.Time) bool { return !until.IsZero() && !now.Before(until) }
	maps.DeleteFunc(r.bans, func(_ string, b Ban) bool { return over(b.Until) })
	maps.DeleteFunc(r.mutes, func(_ place, until time.Time) bool { return over(until) })
	maps.DeleteFunc(r.invites, func(_ string, i Invitation) bool { return over(i.Until) })
	n := map[string]int{factBan: len(r.bans), factRoom: len(r.rooms), factOp: len(r.ops), factMute: len(r.mutes),
		factMember: len(r.members), factInvite: len(r.invites)}[kind]
	if n >= shares[kind] {
		return protocol.Errorf(protocol.CodeLimit, "this server remembers as many as it may (%d): take some back first", shares[kind])
	}
	return nil
}

func (r *Rules) drop(kind, key string, unmake func()) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	if err := r.keep.DropFact(kind, key); err != nil {
		return err
	}
	unmake()
	return nil
}

// SetOp makes somebody an op of a room, or ends that.
func (r *Rules) SetOp(room string, user protocol.UserID, op bool) error {
	p := place{room, user}
	if !op {
		return r.drop(factOp, p.key(), func() { delete(r.ops, p) })
	}
	return r.set(roomlog.Fact{Kind: factOp, Key: p.key()}, nil, func() { r.ops[p] = struct{}{} })
}

// Mute keeps somebody from posting in a room, until a time or, with the zero one, for
// good. Unmute ends it.
func (r *Rules) Mute(room string, user protocol.UserID, until time.Time) error {
	p := place{room, user}
	return r.set(roomlog.Fact{Kind: factMute, Key: p.key(), Until: until}, nil, func() { r.mutes[p] = until })
}

// Unmute ends a Mute.
func (r *Rules) Unmute(room string, user protocol.UserID) error {
	p := place{room, user}
	return r.drop(factMute, p.key(), func() { delete(r.mutes, p) })
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
	if s == (settings{}) {
		if err := r.keep.DropFact(factRoom, room); err != nil {
			return err
		}
		delete(r.rooms, room)
		return nil
	}
	raw, err := json.Marshal(s)
	if err != nil {
		return err
	}
	if _, known := r.rooms[room]; !known {
		if err := r.place(factRoom); err != nil {
			return err
		}
	}
	if err := r.keep.SetFact(roomlog.Fact{Kind: factRoom, Key: room, Value: raw}); err != nil {
		return err
	}
	r.rooms[room] = s
	return nil
}

// Admit makes somebody one of a private room's people, or ends that.
func (r *Rules) Admit(room string, user protocol.UserID, in bool) error {
	p := place{room, user}
	if !in {
		return r.drop(factMember, p.key(), func() { delete(r.members, p) })
	}
	return r.set(roomlog.Fact{Kind: factMember, Key: p.key()}, nil, func() { r.members[p] = struct{}{} })
}

// BanUser keeps a user out, BanAddr an address; Unban ends either, by what Bans lists.
func (r *Rules) BanUser(user protocol.UserID, b Ban) error { return r.ban(user.String(), b) }

// BanAddr keeps an address out.
func (r *Rules) BanAddr(addr netip.Addr, b Ban) error {
	return r.ban(addr.Unmap().WithZone("").String(), b)
}

func (r *Rules) ban(key string, b Ban) error {
	return r.set(roomlog.Fact{Kind: factBan, Key: key, Until: b.Until}, b, func() { r.bans[key] = b })
}

// Unban ends a ban, and reports whether there was one.
func (r *Rules) Unban(key string) (bool, error) {
	was := false
	err := r.drop(factBan, key, func() { _, was = r.bans[key]; delete(r.bans, key) })
	return was, err
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

// DropRoom drops all rules of a room, and returns how many there were.
func (r *Rules) DropRoom(room string) (dropped int, err error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	keys := map[string][]string{}
	for kind, users := range map[string]iter.Seq[place]{factOp: maps.Keys(r.ops), factMute: maps.Keys(r.mutes), factMember: maps.Keys(r.members)} {
		for p := range users {
			if p.room == room {
				keys[kind] = append(keys[kind], p.key())
			}
		}
	}
	for key, i := range r.invites {
		if i.Room == room {
			keys[factInvite] = append(keys[factInvite], key)
		}
	}
	if _, known := r.rooms[room]; known {
		keys[factRoom] = []string{room}
	}
	for kind, keys := range keys {
		if err := r.keep.DropFacts(kind, keys); err != nil {
			return 0, err
		}
		dropped += len(keys)
	}
	delete(r.rooms, room)
	here := func(p place) bool { return p.room == room }
	maps.DeleteFunc(r.ops, func(p place, _ struct{}) bool { return here(p) })
	maps.DeleteFunc(r.mutes, func(p place, _ time.Time) bool { return here(p) })
	maps.DeleteFunc(r.members, func(p place, _ struct{}) bool { return here(p) })
	maps.DeleteFunc(r.invites, func(_ string, i Invitation) bool { return i.Room == room })
	return dropped, nil
}

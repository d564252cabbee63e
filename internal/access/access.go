// Package access knows who may enter a server and who may do what there: roles, bans,
// mutes, private rooms and invitations. It decides and remembers; carrying out is the
// server's. package protocol says what the roles and deeds mean ("Who may what").
//
// # What is remembered
//
// All rules are held in memory and written through to a [Keeper] before they count, so
// they outlive the process where the Keeper does. A rule that cannot be written is not
// made. The admins are told by whoever runs the server, and are not written.
//
// # Bounds
//
// Each rule remembers who made it, and from which address: see [Rules.By]. Of each kind
// there are so many at most in all, of one room, of one maker and of one address. Of all
// there may be, an eighth is for admins alone and a quarter for makers who are known, so
// that nobody who makes users takes the last place. Rules of before makers were
// remembered count as the server's own. What is over a share is refused with a
// [FullError]. Of refusals of direct talks there are at most 8,192 users' and 65,536 in
// all, and the fresh get three quarters of each. A Rules remembers the last post of 65,536
// people in slow rooms; above that the oldest are forgotten.
//
// # Invitations
//
// An invitation has two parts: the right to enter a server that asks for a passphrase,
// and, to a private room, the right to that room. What takes the right to a room from its
// maker (deop, ban), or makes the room private, ends the second part of those that were
// made before: see [Rules.EndInvitations]. So does uninviting somebody with the one by
// which that person joined, and the person is remembered as uninvited: no invitation,
// older or newer, leads to the room for that key, until an op names it: [Rules.Admit],
// [Rules.SetOp]. An invitation by somebody who has no role in the room at that moment
// does not lead to a private room either.
//
// All methods may be called by any number of goroutines at once.
package access

import (
	"encoding/json"
	"fmt"
	"maps"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"time"

	"lanchat/internal/roomlog"
	"lanchat/protocol"
)

// Keeper keeps rules beyond the process. A roomlog.Store is one.
type Keeper interface {
	Facts(kind string) ([]roomlog.Fact, error)
	SetFact(roomlog.Fact) error
	DropFact(kind, key string) error
	DropFacts(kind string, keys []string) error
}

// The kinds of fact that this package keeps.
const (
	factBan    = "ban"    // key: a user id or an address
	factRoom   = "room"   // key: a room; value: settings
	factOp     = "op"     // key: room/user
	factMute   = "mute"   // key: room/user
	factMember = "member" // key: room/user, of a private room; room "": of the server
	factInvite = "invite" // key: the token's hash; value: Invitation
	factRefuse = "refuse" // key: a user id; value: Refusal
	// factUninvited has the key room/user. The value of this and of every other kind has
	// the origin; before, the values of ops, mutes and members were empty.
	factUninvited = "uninvited"
)

// Who is somebody who wants something.
type Who struct {
	User  protocol.UserID
	Guest bool // no key proves the user
}

// Rules are the rules of one server, as somebody makes them: see By.
type Rules struct {
	*state
	by Maker
}

// state is what all Rules of a server have in common.
type state struct {
	keep Keeper
	now  func() time.Time

	mu       sync.RWMutex
	admins   map[protocol.UserID]struct{}
	rules    map[ruleID]rule       // all of them; of some kinds there is more below
	tallies  map[tally]int         // of rules
	nextOver time.Time             // no rule is over before; zero: none ever is
	bans     map[string]Ban        // by factKey
	rooms    map[string]settings   // by name
	invites  map[string]Invitation // by the token's hash
	posted   map[place]time.Time   // in slow rooms

	refusals map[protocol.UserID]Refusal // of direct talks; none is empty
	refused  int                         // users in all of them
}

// place is somebody in a room.
type place struct {
	room string
	user protocol.UserID
}

func (p place) key() string { return p.room + "/" + p.user.String() }

// settings are what was decided about a room.
type settings struct {
	Private bool   `json:"private,omitempty"`
	Locked  bool   `json:"locked,omitempty"`
	Slow    uint32 `json:"slow,omitempty"` // seconds
	origin
}

// none reports whether nothing was decided.
func (s settings) none() bool { return !s.Private && !s.Locked && s.Slow == 0 }

// Open reads the rules that keep has. now is the clock; nil: time.Now.
func Open(keep Keeper, now func() time.Time) (*Rules, error) {
	if now == nil {
		now = time.Now
	}
	r := &Rules{state: &state{keep: keep, now: now, admins: map[protocol.UserID]struct{}{}, rules: map[ruleID]rule{}, tallies: map[tally]int{},
		bans: map[string]Ban{}, rooms: map[string]settings{}, invites: map[string]Invitation{}, posted: map[place]time.Time{},
		refusals: map[protocol.UserID]Refusal{}}}
	loads := []struct {
		kind string
		load func(roomlog.Fact) error
	}{
		{factBan, func(f roomlog.Fact) error {
			b := Ban{Until: f.Until}
			err := json.Unmarshal(f.Value, &b)
			r.putBan(f.Key, b)
			return err
		}},
		{factRoom, func(f roomlog.Fact) error {
			var s settings
			err := json.Unmarshal(f.Value, &s)
			r.putRoom(f.Key, s)
			return err
		}},
		{factInvite, func(f roomlog.Fact) error {
			i := Invitation{Until: f.Until}
			err := json.Unmarshal(f.Value, &i)
			if i.Name == "" { // it is of before they had names
				i.Name = newName()
			}
			r.putInvite(f.Key, i)
			return err
		}},
		{factRefuse, r.loadRefusal},
		{factOp, r.loadPlaced}, {factMute, r.loadPlaced}, {factMember, r.loadPlaced}, {factUninvited, r.loadPlaced},
	}
	for _, l := range loads {
		facts, err := keep.Facts(l.kind)
		if err != nil {
			return nil, fmt.Errorf("reading who may what: %w", err)
		}
		for _, f := range facts {
			if err := l.load(f); err != nil {
				return nil, fmt.Errorf("reading who may what: %s %q: %w", f.Kind, f.Key, err)
			}
		}
	}
	return r, nil
}

func (s *state) loadPlaced(f roomlog.Fact) error {
	room, user, _ := strings.Cut(f.Key, "/")
	u, err := protocol.ParseUserID(user)
	made := rule{until: f.Until}
	if err == nil && len(f.Value) > 0 {
		err = json.Unmarshal(f.Value, &made)
	}
	s.put(ruleID{kind: f.Kind, place: place{room, u}}, made)
	return err
}

// has reports whether there is a rule of a kind about somebody in a room. mu is held.
func (s *state) has(kind string, p place) bool {
	_, has := s.rules[ruleID{kind: kind, place: p}]
	return has
}

// SetAdmins says who is an admin from now on, in place of those who were.
func (r *Rules) SetAdmins(users []protocol.UserID) {
	r.mu.Lock()
	defer r.mu.Unlock()
	clear(r.admins)
	for _, u := range users {
		r.admins[u] = struct{}{}
	}
}

// Role is the role that somebody has in a room; with room "" on the whole server.
func (r *Rules) Role(who Who, room string) protocol.Role {
	r.mu.RLock()
	defer r.mu.RUnlock()
	return r.role(who, room)
}

// role is Role, with mu held.
func (s *state) role(who Who, room string) protocol.Role {
	if who.Guest {
		return protocol.RoleNone
	}
	if _, admin := s.admins[who.User]; admin {
		return protocol.RoleAdmin
	}
	if room != "" && s.has(factOp, place{room, who.User}) {
		return protocol.RoleOp
	}
	return protocol.RoleNone
}

// Room is what was decided about a room.
func (r *Rules) Room(room string) (private, locked bool, slow uint32) {
	r.mu.RLock()
	defer r.mu.RUnlock()
	s := r.rooms[room]
	return s.Private, s.Locked, s.Slow
}

// Sees reports whether somebody may know that a room exists. Nobody but the two knows
// of a direct talk, not even an admin.
func (r *Rules) Sees(who Who, room string) bool {
	if a, b, direct := protocol.ParseDirectRoom(room); direct {
		return !who.Guest && (who.User == a || who.User == b)
	}
	r.mu.RLock()
	defer r.mu.RUnlock()
	return r.sees(who, room)
}

// sees is Sees for a room that is no direct talk, with mu held.
func (r *Rules) sees(who Who, room string) bool {
	if !r.rooms[room].Private || r.role(who, room) != protocol.RoleNone {
		return true
	}
	return !who.Guest && r.has(factMember, place{room, who.User})
}

// Member reports whether somebody was invited to a room, and joined or was admitted.
func (r *Rules) Member(room string, user protocol.UserID) bool {
	r.mu.RLock()
	defer r.mu.RUnlock()
	return r.has(factMember, place{room, user})
}

// Posts reports why somebody may not post in a room now, and counts the post where
// that room is a slow one. Ops and admins are neither muted nor slowed.
func (r *Rules) Posts(who Who, room string) error {
	now := r.now()
	p := place{room, who.User}
	r.mu.RLock()
	mute, muted := r.rules[ruleID{kind: factMute, place: p}]
	slow := r.rooms[room].Slow
	above := r.role(who, room) != protocol.RoleNone
	r.mu.RUnlock()
	switch {
	case above:
		return nil
	case muted && mute.until.IsZero():
		return protocol.Errorf(protocol.CodeForbidden, "you are muted here, until an op takes it back")
	case muted && now.Before(mute.until):
		return protocol.Errorf(protocol.CodeForbidden, "you are muted here for %v more", mute.until.Sub(now).Round(time.Second))
	case slow == 0:
		return nil
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if wait := r.posted[p].Add(time.Duration(slow) * time.Second).Sub(now); wait > 0 {
		return protocol.Errorf(protocol.CodeLimit, "this is a slow room, with %d s from one message of yours to the next; wait %v more", slow, max(time.Second, wait.Round(time.Second)))
	}
	if len(r.posted) >= postedMost {
		r.forgetPosts(now)
	}
	r.posted[p] = now
	return nil
}

const postedMost = 1 << 16

// forgetPosts forgets the older half of what was posted in slow rooms. mu is held.
func (r *Rules) forgetPosts(now time.Time) {
	var oldest time.Time = now
	for _, at := range r.posted {
		if at.Before(oldest) {
			oldest = at
		}
	}
	middle := oldest.Add(now.Sub(oldest) / 2)
	for p, at := range r.posted {
		if !at.After(middle) {
			delete(r.posted, p)
		}
	}
}

// SetsTopic reports why somebody may not change a room's topic.
func (r *Rules) SetsTopic(who Who, room string) error {
	r.mu.RLock()
	defer r.mu.RUnlock()
	if r.rooms[room].Locked && r.role(who, room) == protocol.RoleNone {
		return protocol.Errorf(protocol.CodeForbidden, "the topic of this room is locked: its ops change it")
	}
	return nil
}

// Deletes reports whether somebody may delete what another one has said in a room.
func (r *Rules) Deletes(who Who, room string) bool {
	return r.Role(who, room) != protocol.RoleNone
}

// needs says which role each deed takes.
var needs = map[protocol.Deed]protocol.Role{
	protocol.DeedKick: protocol.RoleOp, protocol.DeedMute: protocol.RoleOp, protocol.DeedUnmute: protocol.RoleOp,
	protocol.DeedOp: protocol.RoleOp, protocol.DeedDeop: protocol.RoleOp,
	protocol.DeedLock: protocol.RoleOp, protocol.DeedUnlock: protocol.RoleOp, protocol.DeedSlow: protocol.RoleOp,
	protocol.DeedPrivate: protocol.RoleOp, protocol.DeedPublic: protocol.RoleOp, protocol.DeedUninvite: protocol.RoleOp,
	protocol.ModInvite: protocol.RoleOp, protocol.ModInvites: protocol.RoleOp, protocol.ModRevoke: protocol.RoleOp,
	protocol.ModRules: protocol.RoleAdmin, protocol.ModDropRules: protocol.RoleAdmin,
	protocol.DeedBan: protocol.RoleAdmin, protocol.DeedUnban: protocol.RoleAdmin, protocol.DeedBans: protocol.RoleAdmin,
	protocol.DeedAnnounce: protocol.RoleAdmin, protocol.ModDeleteRoom: protocol.RoleAdmin, protocol.ModPurge: protocol.RoleAdmin, protocol.ModFree: protocol.RoleAdmin,
}

// Deeds lists the deeds that there are.
func Deeds() []protocol.Deed { return slices.Sorted(maps.Keys(needs)) }

// May reports why somebody may not do a deed. A room that the person may not know of
// is not found.
func (r *Rules) May(who Who, do protocol.Deed, room string) error {
	need, known := needs[do]
	if room == "" && (do == protocol.ModInvites || do == protocol.ModRevoke) {
		need = protocol.RoleAdmin // of all rooms
	}
	switch {
	case !known:
		return protocol.Errorf(protocol.CodeUnsupported, "this server does not know the deed %.16q", string(do))
	case need == protocol.RoleOp && room == "":
		return protocol.Errorf(protocol.CodeBadRoom, "in which room?")
	case need == protocol.RoleOp && !r.Sees(who, room):
		return protocol.Errorf(protocol.CodeNotFound, "there is no such room")
	}
	if _, _, direct := protocol.ParseDirectRoom(room); direct && need == protocol.RoleOp {
		return protocol.Errorf(protocol.CodeForbidden, "a direct talk has no ops: /ignore helps against its other half")
	}
	switch have := r.Role(who, room); {
	case have == protocol.RoleAdmin, have == need:
		return nil
	case need == protocol.RoleAdmin:
		return protocol.Errorf(protocol.CodeForbidden, "only an admin of this server may do that")
	}
	return protocol.Errorf(protocol.CodeForbidden, "only an op of this room, or an admin, may do that")
}

// Ban says who may not enter, and why.
type Ban struct {
	Nick  string    `json:"nick,omitempty"` // as it was then
	Why   string    `json:"why,omitempty"`
	Until time.Time `json:"-"` // zero: for good
}

// Enters reports why somebody may not enter from an address; the zero user is one
// who has not said who they are yet.
// An admin always may: else one ban of an address could lock out who would lift it.
func (r *Rules) Enters(user protocol.UserID, addr netip.Addr) error {
	r.mu.RLock()
	defer r.mu.RUnlock()
	if _, admin := r.admins[user]; admin {
		return nil
	}
	for _, key := range []string{user.String(), addr.Unmap().WithZone("").String()} {
		b, banned := r.bans[key]
		if !banned || !b.Until.IsZero() && !r.now().Before(b.Until) {
			continue
		}
		text := "you are banned from this server"
		if !b.Until.IsZero() {
			text += " until " + b.Until.Format("2006-01-02 15:04 MST")
		}
		if b.Why != "" {
			text += ": " + b.Why
		}
		return protocol.Errorf(protocol.CodeForbidden, "%s", text)
	}
	return nil
}

package access

import (
	"net/netip"
	"time"

	"lanchat/protocol"
)

// Maker is who makes rules. The zero one is the server itself, which has no share.
type Maker struct {
	User  protocol.UserID
	Known bool       // a nick is bound to the user's key
	From  netip.Addr // what counts as one address
}

// By returns the same rules as m makes them: each rule that is made by the result counts
// in m's shares and remembers m.
func (r *Rules) By(m Maker) *Rules { return &Rules{r.state, m} }

func (m Maker) origin() (o origin) {
	if !m.User.IsZero() {
		o.By = m.User.String()
	}
	if m.From.IsValid() {
		o.From = m.From.String()
	}
	return o
}

// origin says who made a rule. The zero one is the server's own: so are the rules of
// before makers were remembered.
type origin struct {
	By   string `json:"by,omitempty"`   // a user id
	From string `json:"from,omitempty"` // an address
}

// ruleID says which rule one is.
type ruleID struct {
	kind string
	place
	key string // of a ban and an invitation
}

// factKey is the key of the rule's fact.
func (id ruleID) factKey() string {
	switch id.kind {
	case factRoom:
		return id.room
	case factBan, factInvite:
		return id.key
	}
	return id.place.key()
}

// rule is what is remembered of every rule, whatever its kind.
type rule struct {
	origin
	Via   string    `json:"via,omitempty"` // of a member: the invitation's name
	until time.Time // zero: for good
}

func (u rule) over(now time.Time) bool { return !u.until.IsZero() && !now.Before(u.until) }

// bounds are how many rules of a kind there may be: in all, of one room, made by one
// user, and made from one address. 0: that is not bounded by itself.
type bounds struct {
	all, room, maker, from int
	what                   string
}

// shares are the bounds of each kind. A maker has four rooms' worth, an address eight.
// Of all that there may be, the last eighth is for admins, and a quarter before it for
// makers who are known; of an address's share the last quarter is for those too. Admins
// and the server itself are bounded by all alone. Together the kinds are fewer than a
// Keeper takes. Seven eighths of each are at least what a server once took without
// shares: where that is used up, an admin has place all the same.
var shares = map[string]bounds{
	factBan:       {all: 8 << 10, what: "bans"},
	factRoom:      {all: 16 << 10, maker: 50, from: 100, what: "private, locked and slow rooms"},
	factOp:        {all: 14 << 10, room: 20, maker: 80, from: 160, what: "ops"},
	factMute:      {all: 10 << 10, room: 100, maker: 400, from: 800, what: "mutes"},
	factMember:    {all: 20 << 10, room: 1_000, maker: 2_000, from: 4_000, what: "people by invitations"},
	factInvite:    {all: 5 << 10, room: 50, maker: 200, from: 400, what: "invitations"},
	factRefuse:    {all: 8 << 10, what: "refusals of direct talks"},
	factUninvited: {all: 8 << 10, room: 100, maker: 400, from: 800, what: "people whose invitation was taken back"},
}

// FullError says that no more rules may be made: a share is used up.
type FullError struct {
	err   *protocol.Error
	Table bool // it is the whole server's
}

func (e *FullError) Error() string { return e.err.Error() }

// Unwrap returns the error for the peer.
func (e *FullError) Unwrap() error { return e.err }

func full(table bool, format string, args ...any) error {
	return &FullError{protocol.Errorf(protocol.CodeLimit, format, args...), table}
}

// tally is what rules are counted by: a kind, and of it a room, a maker or an address;
// all of them empty: the kind as a whole.
type tally struct{ kind, room, by, from string }

// count adds n to each tally that a rule counts in. mu is held.
func (s *state) count(id ruleID, o origin, n int) {
	add := func(t tally) {
		if s.tallies[t] += n; s.tallies[t] == 0 {
			delete(s.tallies, t)
		}
	}
	add(tally{kind: id.kind})
	if id.room != "" {
		add(tally{kind: id.kind, room: id.room})
	}
	if o.By != "" {
		add(tally{kind: id.kind, by: o.By})
	}
	if o.From != "" {
		add(tally{kind: id.kind, from: o.From})
	}
}

// put remembers a rule, in place of the one with the same id. mu is held.
func (s *state) put(id ruleID, u rule) {
	s.take(id)
	s.rules[id] = u
	s.count(id, u.origin, +1)
	if !u.until.IsZero() && (s.nextOver.IsZero() || u.until.Before(s.nextOver)) {
		s.nextOver = u.until
	}
}

// take forgets a rule, but what bans, rooms and invites have of it. mu is held.
func (s *state) take(id ruleID) {
	if u, known := s.rules[id]; known {
		delete(s.rules, id)
		s.count(id, u.origin, -1)
	}
}

// remove forgets a rule. mu is held.
func (s *state) remove(id ruleID) {
	s.take(id)
	switch id.kind {
	case factBan:
		delete(s.bans, id.key)
	case factRoom:
		delete(s.rooms, id.room)
	case factInvite:
		delete(s.invites, id.key)
	}
}

// made is who makes the rule id now: whoever made it first keeps it, so that nobody's
// share is used up by others, but what an admin makes anew is the admin's. mu is held.
func (r *Rules) made(id ruleID) origin {
	if old, known := r.rules[id]; known && !r.unbounded() {
		return old.origin
	}
	return r.by.origin()
}

// unbounded reports whether the maker has no shares. mu is held.
func (r *Rules) unbounded() bool {
	_, admin := r.admins[r.by.User]
	return admin || r.by.User.IsZero()
}

// mayAdd reports why one more rule may not be made. Rules that are over make place first.
// mu is held.
func (r *Rules) mayAdd(id ruleID) error {
	err, now := r.fits(id), r.now()
	if err == nil || r.nextOver.IsZero() || now.Before(r.nextOver) {
		return err
	}
	r.nextOver = time.Time{}
	for id, u := range r.rules {
		switch {
		case u.over(now):
			r.remove(id)
		case !u.until.IsZero() && (r.nextOver.IsZero() || u.until.Before(r.nextOver)):
			r.nextOver = u.until
		}
	}
	return r.fits(id)
}

func (r *Rules) fits(id ruleID) error {
	if _, known := r.rules[id]; known {
		return nil
	}
	b, o := shares[id.kind], r.by.origin()
	all, from := b.all, b.from
	if !r.unbounded() {
		all -= b.all / 8
		if !r.by.Known {
			all -= b.all / 4
			from -= b.from / 4
		}
		switch {
		case b.room > 0 && id.room != "" && r.tallies[tally{kind: id.kind, room: id.room}] >= b.room:
			return full(false, "this room has as many %s as it may (%d): take some back first", b.what, b.room)
		case b.maker > 0 && r.tallies[tally{kind: id.kind, by: o.By}] >= b.maker:
			return full(false, "you have made as many %s as one may (%d): take some back first", b.what, b.maker)
		case b.from > 0 && o.From != "" && r.tallies[tally{kind: id.kind, from: o.From}] >= from:
			return full(false, "from your address as many %s were made as may be (%d)", b.what, from)
		}
	}
	if r.tallies[tally{kind: id.kind}] >= all {
		return full(true, "this server has as many %s as it may (%d): take some back first, or ask an admin", b.what, all)
	}
	return nil
}

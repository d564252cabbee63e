package access

import (
	"cmp"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base32"
	"encoding/hex"
	"errors"
	"net/netip"
	"slices"
	"strings"
	"time"

	"lanchat/protocol"
)

// Invitation is the right to enter, and to be one of a private room's people.
type Invitation struct {
	Name  string    `json:"name,omitempty"`  // says nothing about the token
	Room  string    `json:"room"`            // "": it leads to none any more
	Uses  uint32    `json:"uses"`            // that are left
	Known bool      `json:"known,omitempty"` // its maker was, then
	Until time.Time `json:"-"`
	origin
}

// Maker is the user who made the invitation; the zero one: nobody knows.
func (i Invitation) Maker() (user protocol.UserID) {
	user, _ = protocol.ParseUserID(i.By) // "" is none
	return user
}

// The bounds of an invitation.
const (
	DefaultTTL = 24 * time.Hour
	MaxTTL     = 90 * 24 * time.Hour
	MaxUses    = 1_000
)

// ErrInvitation says that a token is none, is used up, or is over.
var ErrInvitation = errors.New("this invitation is not valid any more: ask for another one")

var tokenText = base32.NewEncoding("abcdefghijklmnopqrstuvwxyz234567").WithPadding(base32.NoPadding)

func randomText(bytes int) string {
	raw := make([]byte, bytes)
	rand.Read(raw)
	return tokenText.EncodeToString(raw)
}

// newName is a name that no invitation has, but for one in a million millions.
func newName() string { return randomText(5) }

// Invite makes an invitation to a room and returns its token, 26 letters and digits. Of
// the token only a hash is kept: whoever reads the log's file cannot enter by it.
func (r *Rules) Invite(room string, uses uint32, ttl time.Duration) (token string, i Invitation, err error) {
	if ttl == 0 {
		ttl = DefaultTTL
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	i = Invitation{Name: newName(), Room: room, Uses: min(max(uses, 1), MaxUses), Known: r.by.Known, Until: r.now().Add(min(ttl, MaxTTL)), origin: r.by.origin()}
	token = randomText(16)
	key := hashed(token)
	if err := r.mayAdd(i.id(key)); err != nil {
		return "", i, err
	}
	return token, i, r.setInvite(key, i)
}

// setInvite writes an invitation. mu is held.
func (s *state) setInvite(key string, i Invitation) error {
	return s.write(i.id(key), i.Until, i, func() { s.putInvite(key, i) })
}

func (i Invitation) id(key string) ruleID {
	return ruleID{kind: factInvite, place: place{room: i.Room}, key: key}
}

// putInvite remembers an invitation; of one that there is the room may be another one.
func (s *state) putInvite(key string, i Invitation) {
	if old, known := s.invites[key]; known {
		s.take(old.id(key))
	}
	s.put(i.id(key), rule{origin: i.origin, until: i.Until})
	s.invites[key] = i
}

// named finds an invitation by its name. mu is held.
func (s *state) named(name string) (key string, i Invitation, found bool) {
	for key, i := range s.invites {
		if i.Name == name {
			return key, i, true
		}
	}
	return "", i, false
}

// Redeem uses an invitation up by one: a key may enter from then on, and is one of the
// room's people where that is private. A key that has both already uses nothing up. A
// guest, who has no key to be known by, enters this once. room is where it leads to; "":
// nowhere in particular.
func (r *Rules) Redeem(token string, who Who) (room string, err error) {
	key := hashed(token)
	r.mu.Lock()
	defer r.mu.Unlock()
	i, known := r.invites[key]
	if !known || !r.now().Before(i.Until) {
		return "", ErrInvitation
	}
	room = r.leads(i, who)
	rights := []place{{"", who.User}}
	if r.rooms[room].Private {
		if who.Guest {
			return "", protocol.Errorf(protocol.CodeForbidden, "this invitation is to a private room, and takes a key: come with chat join")
		}
		rights = append(rights, place{room, who.User})
	}
	news := who.Guest
	// Who comes in counts in the shares of who has invited.
	from, _ := netip.ParseAddr(i.From) // "" is none
	inviter := r.By(Maker{User: i.Maker(), Known: i.Known, From: from})
	for _, p := range rights {
		if who.Guest || r.has(factMember, p) {
			continue
		}
		news = true
		if err := inviter.setPlaced(factMember, p, rule{Via: i.Name}); err != nil {
			return "", err
		}
	}
	if !news {
		return room, nil
	}
	if i.Uses--; i.Uses == 0 {
		return room, r.drop(i.id(key))
	}
	return room, r.setInvite(key, i)
}

// leads is the room to which an invitation leads somebody. mu is held.
func (s *state) leads(i Invitation, who Who) string {
	if !s.rooms[i.Room].Private {
		return i.Room
	}
	maker := i.Maker()
	if s.has(factUninvited, place{i.Room, who.User}) || !maker.IsZero() && s.role(Who{User: maker}, i.Room) == protocol.RoleNone {
		return ""
	}
	return i.Room
}

// Uninvite ends somebody's part in a room. No invitation leads there any more for that
// key: see Admit. The invitation by which the person joined ends, as by EndInvitations;
// where nobody remembers which that was, all those of which the maker is not remembered
// do. ended is how many.
func (r *Rules) Uninvite(room string, user protocol.UserID, opens bool) (ended int, err error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	p := place{room, user}
	member, was := r.rules[ruleID{kind: factMember, place: p}]
	// The mark first: whatever fails, nobody may more than before.
	if err := r.setPlaced(factUninvited, p, rule{}); err != nil {
		return 0, err
	}
	if was {
		ended, err = r.endInvitations(opens, func(i Invitation) bool {
			return i.Room == room && (member.Via != "" && i.Name == member.Via || member.Via == "" && member.By == "" && i.By == "")
		})
		if err != nil {
			return ended, err
		}
	}
	return ended, r.drop(ruleID{kind: factMember, place: p})
}

// EndInvitations ends those to a room that somebody has made; the zero user: that anybody
// has; room "": to every room. Where opens is set, because the server asks newcomers for a
// passphrase, what is left of each is the right to enter. n is how many ended.
func (r *Rules) EndInvitations(room string, maker protocol.UserID, opens bool) (n int, err error) {
	by := ""
	if !maker.IsZero() {
		by = maker.String()
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.endInvitations(opens, func(i Invitation) bool {
		return (by == "" || i.By == by) && (room == "" || i.Room == room)
	})
}

// endInvitations ends those that are meant. mu is held.
func (r *Rules) endInvitations(opens bool, meant func(Invitation) bool) (n int, err error) {
	now := r.now()
	for key, i := range r.invites {
		if !meant(i) {
			continue
		}
		if over := !now.Before(i.Until); opens && !over {
			i.Room = ""
			err = r.setInvite(key, i)
		} else {
			err = r.drop(i.id(key))
			if over {
				n--
			}
		}
		if err != nil {
			return n, err
		}
		n++
	}
	return n, nil
}

// Invitations lists the invitations to a room that count; with room "" all.
func (r *Rules) Invitations(room string) (list []Invitation) {
	r.mu.RLock()
	defer r.mu.RUnlock()
	now := r.now()
	for _, i := range r.invites {
		if (room == "" || i.Room == room) && now.Before(i.Until) {
			list = append(list, i)
		}
	}
	slices.SortFunc(list, func(a, b Invitation) int {
		return cmp.Or(cmp.Compare(a.Room, b.Room), a.Until.Compare(b.Until), cmp.Compare(a.Name, b.Name))
	})
	return list
}

// Revoke ends the invitation that has a name, whatever right it has; room "": to
// whatever room. It reports whether there was one.
func (r *Rules) Revoke(room, name string) (i Invitation, was bool, err error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	key, i, was := r.named(name)
	if !was || room != "" && i.Room != room {
		return i, false, nil
	}
	return i, true, r.drop(i.id(key))
}

// Admitted reports whether somebody may enter without a passphrase: an admin, and who
// has come by an invitation before.
func (r *Rules) Admitted(who Who) bool {
	r.mu.RLock()
	defer r.mu.RUnlock()
	return !who.Guest && (r.has(factMember, place{"", who.User}) || r.role(who, "") == protocol.RoleAdmin)
}

func hashed(token string) string {
	sum := sha256.Sum256([]byte(strings.ToLower(token)))
	return hex.EncodeToString(sum[:])
}

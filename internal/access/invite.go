package access

import (
	"crypto/rand"
	"crypto/sha256"
	"encoding/base32"
	"encoding/hex"
	"encoding/json"
	"errors"
	"strings"
	"time"

	"lanchat/internal/roomlog"
	"lanchat/protocol"
)

// Invitation is the right to enter, and to be one of a private room's people.
type Invitation struct {
	Room  string    `json:"room"`
	Uses  uint32    `json:"uses"` // that are left
	Until time.Time `json:"-"`
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

// Invite makes an invitation to a room and returns its token, 26 letters and digits. Of
// the token only a hash is kept: whoever reads the log's file cannot enter by it.
func (r *Rules) Invite(room string, uses uint32, ttl time.Duration) (token string, i Invitation, err error) {
	if ttl == 0 {
		ttl = DefaultTTL
	}
	i = Invitation{Room: room, Uses: min(max(uses, 1), MaxUses), Until: r.now().Add(min(ttl, MaxTTL))}
	raw := make([]byte, 16)
	rand.Read(raw)
	token = tokenText.EncodeToString(raw)
	key := hashed(token)
	return token, i, r.set(roomlog.Fact{Kind: factInvite, Key: key, Until: i.Until}, i, func() { r.invites[key] = i })
}

// Redeem uses an invitation up by one: a key may enter from then on, and is one of the
// room's people where that is private. A key that has both already uses nothing up. A
// guest, who has no key to be known by, enters this once.
func (r *Rules) Redeem(token string, who Who) (room string, err error) {
	key := hashed(token)
	r.mu.Lock()
	defer r.mu.Unlock()
	i, known := r.invites[key]
	if !known || !r.now().Before(i.Until) {
		return "", ErrInvitation
	}
	rights := []place{{"", who.User}}
	if r.rooms[i.Room].Private {
		if who.Guest {
			return "", protocol.Errorf(protocol.CodeForbidden, "this invitation is to a private room, and takes a key: come with chat join")
		}
		rights = append(rights, place{i.Room, who.User})
	}
	news := who.Guest
	for _, p := range rights {
		if _, has := r.members[p]; has || who.Guest {
			continue
		}
		news = true
		if err := r.place(factMember); err != nil {
			return "", err
		}
		if err := r.keep.SetFact(roomlog.Fact{Kind: factMember, Key: p.key()}); err != nil {
			return "", err
		}
		r.members[p] = struct{}{}
	}
	if !news {
		return i.Room, nil
	}
	if i.Uses--; i.Uses == 0 {
		delete(r.invites, key)
		return i.Room, r.keep.DropFact(factInvite, key)
	}
	raw, err := json.Marshal(i)
	if err != nil {
		return "", err
	}
	r.invites[key] = i
	return i.Room, r.keep.SetFact(roomlog.Fact{Kind: factInvite, Key: key, Value: raw, Until: i.Until})
}

// Admitted reports whether somebody may enter without a passphrase: an admin, and who
// has come by an invitation before.
func (r *Rules) Admitted(who Who) bool {
	r.mu.RLock()
	defer r.mu.RUnlock()
	_, invited := r.members[place{"", who.User}]
	return !who.Guest && (invited || r.role(who, "") == protocol.RoleAdmin)
}

func hashed(token string) string {
	sum := sha256.Sum256([]byte(strings.ToLower(token)))
	return hex.EncodeToString(sum[:])
}

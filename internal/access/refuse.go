package access

import (
	"errors"
	"slices"

	"lanchat/internal/roomlog"
	"lanchat/protocol"
)

// Refusal says whose direct talks a user does not take.
type Refusal struct {
	What  string            // "", protocol.RefuseFresh or protocol.RefuseAll
	Users []protocol.UserID // at most MaxRefused
}

// The bounds of refusals. Users who are fresh get three quarters of the places.
const (
	MaxRefused  = 250     // users whom one user refuses: with What they fit a fact
	maxRefusals = 1 << 16 // of all users together
)

func (r Refusal) isEmpty() bool { return r.What == "" && len(r.Users) == 0 }

// The first byte of a refusal's value stands for What; 16 bytes for each user follow.
var refusalWhat = []string{"", protocol.RefuseFresh, protocol.RefuseAll}

func (r Refusal) encode() []byte {
	b := []byte{byte(slices.Index(refusalWhat, r.What))}
	for _, u := range r.Users {
		b = append(b, u[:]...)
	}
	return b
}

func decodeRefusal(b []byte) (r Refusal, err error) {
	size := len(protocol.UserID{})
	if len(b)%size != 1 || int(b[0]) >= len(refusalWhat) {
		return r, errors.New("it has another form")
	}
	r.What = refusalWhat[b[0]]
	for b = b[1:]; len(b) > 0; b = b[size:] {
		r.Users = append(r.Users, protocol.UserID(b[:size]))
	}
	return r, nil
}

// loadRefusal takes in what was kept.
func (r *Rules) loadRefusal(f roomlog.Fact) error {
	user, err := protocol.ParseUserID(f.Key)
	if err != nil {
		return err
	}
	refusal, err := decodeRefusal(f.Value)
	r.refusals[user] = refusal
	r.refused += len(refusal.Users)
	return err
}

// Refusal returns whose direct talks a user does not take.
func (r *Rules) Refusal(user protocol.UserID) Refusal {
	r.mu.RLock()
	defer r.mu.RUnlock()
	refusal := r.refusals[user]
	refusal.Users = slices.Clone(refusal.Users)
	return refusal
}

// Refuses reports whether a user takes no direct talks of somebody, whatever they are,
// and whether the user takes none of the fresh.
func (r *Rules) Refuses(user, from protocol.UserID) (refused, fresh bool) {
	r.mu.RLock()
	defer r.mu.RUnlock()
	refusal := r.refusals[user]
	return refusal.What == protocol.RefuseAll || slices.Contains(refusal.Users, from), refusal.What == protocol.RefuseFresh
}

// SetRefusal keeps whose direct talks a user does not take, in place of what was kept
// before.
func (r *Rules) SetRefusal(user protocol.UserID, known bool, to Refusal) error {
	if len(to.Users) > MaxRefused {
		return protocol.Errorf(protocol.CodeLimit, "you refuse %d users, and more cannot be kept: take one back first", MaxRefused)
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	old := r.refusals[user]
	if to.isEmpty() {
		if err := r.keep.DropFact(factRefuse, user.String()); err != nil {
			return err
		}
		delete(r.refusals, user)
		r.refused -= len(old.Users)
		return nil
	}
	users, all := shares[factRefuse].all, maxRefusals
	if !known {
		users, all = users/4*3, all/4*3
	}
	grows := len(to.Users) > len(old.Users)
	if old.isEmpty() && len(r.refusals) >= users || grows && r.refused >= all {
		return protocol.Errorf(protocol.CodeLimit, "this server remembers as many refusals as it may: /ignore hides somebody on your side")
	}
	if err := r.keep.SetFact(roomlog.Fact{Kind: factRefuse, Key: user.String(), Value: to.encode()}); err != nil {
		return err
	}
	to.Users = slices.Clone(to.Users)
	r.refusals[user] = to
	r.refused += len(to.Users) - len(old.Users)
	return nil
}

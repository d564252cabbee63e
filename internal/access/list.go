package access

import (
	"cmp"
	"slices"
	"time"

	"lanchat/protocol"
)

// Rule is one rule, in a list.
type Rule struct {
	Kind  string // op, mute, member, uninvited, invite or room
	Room  string
	User  protocol.UserID // whom it is about; zero: nobody
	Name  string          // of an invitation
	By    protocol.UserID // who made it; zero: nobody remembers
	Until time.Time       // zero: for good
}

// OfRoom lists the rules of a room, MadeBy those that a user has made. Bans are in
// neither: Bans lists them.
func (r *Rules) OfRoom(room string) []Rule {
	return r.list(func(id ruleID, _ rule) bool { return id.room == room && id.kind != factBan })
}

// MadeBy lists the rules that a user has made.
func (r *Rules) MadeBy(user protocol.UserID) []Rule {
	by := user.String()
	return r.list(func(_ ruleID, u rule) bool { return u.By == by })
}

func (r *Rules) list(meant func(ruleID, rule) bool) (list []Rule) {
	r.mu.RLock()
	defer r.mu.RUnlock()
	now := r.now()
	for id, u := range r.rules {
		if u.over(now) || !meant(id, u) {
			continue
		}
		one := Rule{Kind: id.kind, Room: id.room, User: id.user, Until: u.until}
		one.By, _ = protocol.ParseUserID(u.By) // "" is nobody
		if id.kind == factInvite {
			one.Name = r.invites[id.key].Name
		}
		list = append(list, one)
	}
	slices.SortFunc(list, func(a, b Rule) int {
		return cmp.Or(cmp.Compare(a.Room, b.Room), cmp.Compare(a.Kind, b.Kind), cmp.Compare(a.User.String(), b.User.String()), cmp.Compare(a.Name, b.Name))
	})
	return list
}

// DropRoom drops all rules of a room, and returns how many there were.
func (r *Rules) DropRoom(room string) (dropped int, err error) {
	dropped, _, err = r.dropAll(func(id ruleID, _ rule) bool { return id.room == room && id.kind != factBan }, func(string) bool { return false })
	return dropped, err
}

// DropRulesOf drops all rules of a room, but that it is private where stays says so: what
// was said in it would be everybody's.
func (r *Rules) DropRulesOf(room string, stays func(room string) bool) (dropped, stay int, err error) {
	return r.dropAll(func(id ruleID, _ rule) bool { return id.room == room && id.kind != factBan }, stays)
}

// DropMadeBy drops all rules that a user has made, but that rooms are private where stays
// says so: those are the server's own from then on.
func (r *Rules) DropMadeBy(user protocol.UserID, stays func(room string) bool) (dropped, stay int, err error) {
	by := user.String()
	return r.dropAll(func(_ ruleID, u rule) bool { return u.By == by }, stays)
}

// dropAll drops the rules that are meant. Several commits may be needed; what an error
// leaves is still a rule.
func (r *Rules) dropAll(meant func(ruleID, rule) bool, stays func(room string) bool) (dropped, stay int, err error) {
	r.mu.RLock()
	var private []string
	for id, u := range r.rules {
		if id.kind == factRoom && r.rooms[id.room].Private && meant(id, u) {
			private = append(private, id.room)
		}
	}
	r.mu.RUnlock()
	goes := map[string]bool{}
	for _, room := range private { // mu is not held: the log may be asked
		goes[room] = !stays(room)
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	byKind := map[string][]ruleID{}
	var kept []ruleID
	for id, u := range r.rules {
		switch {
		case !meant(id, u):
		case id.kind == factRoom && r.rooms[id.room].Private && !goes[id.room]:
			kept = append(kept, id)
		default:
			byKind[id.kind] = append(byKind[id.kind], id)
		}
	}
	for _, id := range kept {
		s := settings{Private: true}
		if err := r.write(id, time.Time{}, s, func() { r.putRoom(id.room, s) }); err != nil {
			return dropped, stay, err
		}
		stay++
	}
	for kind, ids := range byKind {
		keys := make([]string, len(ids))
		for i, id := range ids {
			keys[i] = id.factKey()
		}
		if err := r.keep.DropFacts(kind, keys); err != nil {
			return dropped, stay, err
		}
		for _, id := range ids {
			r.remove(id)
		}
		dropped += len(ids)
	}
	return dropped, stay, nil
}

// Use is how many rules of a kind there are.
type Use struct {
	What      string
	Used, All int
}

// Uses says it of each kind.
func (r *Rules) Uses() (uses []Use) {
	r.mu.RLock()
	defer r.mu.RUnlock()
	for kind, b := range shares {
		used := r.tallies[tally{kind: kind}]
		if kind == factRefuse {
			used = len(r.refusals)
		}
		uses = append(uses, Use{b.what, used, b.all})
	}
	slices.SortFunc(uses, func(a, b Use) int { return cmp.Compare(a.What, b.What) })
	return uses
}

// Count is how many rules there are of a room, or by a maker.
type Count struct {
	Of    string // a room's name, or a user id
	Rules int
}

// Most returns the makers and the rooms with the most rules, so many of each.
func (r *Rules) Most(n int) (makers, rooms []Count) {
	byMaker, byRoom := map[string]int{}, map[string]int{}
	r.mu.RLock()
	for t, count := range r.tallies {
		switch {
		case t.by != "":
			byMaker[t.by] += count
		case t.room != "":
			byRoom[t.room] += count
		}
	}
	r.mu.RUnlock()
	most := func(of map[string]int) (list []Count) {
		for name, count := range of {
			list = append(list, Count{name, count})
		}
		slices.SortFunc(list, func(a, b Count) int { return cmp.Or(b.Rules-a.Rules, cmp.Compare(a.Of, b.Of)) })
		return list[:min(n, len(list))]
	}
	return most(byMaker), most(byRoom)
}

// Reclaim drops rules that serve nobody, and returns how many: those of rooms that are
// gone, whose maker is not remembered or unknown, and what mutes the unknown or keeps them
// uninvited. gone and unknown may ask the log.
func (r *Rules) Reclaim(gone func(room string) bool, unknown func(user protocol.UserID) bool) (n int, err error) {
	type candidate struct {
		ruleID
		by string
	}
	r.mu.RLock()
	var all []candidate
	for id, u := range r.rules {
		all = append(all, candidate{id, u.By})
	}
	r.mu.RUnlock()
	isGone, isUnknown := once(gone), once(unknown)
	idle := map[ruleID]bool{}
	for _, c := range all {
		maker, _ := protocol.ParseUserID(c.by) // "" is nobody
		switch {
		case c.kind == factBan || c.room == "":
		case isGone(c.room) && (maker.IsZero() || isUnknown(maker)),
			(c.kind == factMute || c.kind == factUninvited) && isUnknown(c.user):
			idle[c.ruleID] = true
		}
	}
	n, _, err = r.dropAll(func(id ruleID, _ rule) bool { return idle[id] }, func(string) bool { return false })
	return n, err
}

// once remembers the answers of a function.
func once[K comparable](ask func(K) bool) func(K) bool {
	answers := map[K]bool{}
	return func(k K) bool {
		answer, known := answers[k]
		if !known {
			answer = ask(k)
			answers[k] = answer
		}
		return answer
	}
}

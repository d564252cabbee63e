package access

import (
	"encoding/binary"
	"errors"
	"flag"
	"fmt"
	"maps"
	"net/netip"
	"testing"
	"time"

	"lanchat/internal/roomlog"
	"lanchat/protocol"
)

var whole = flag.Bool("whole", false, "fill the tables at their whole size")

// someone is the n-th made-up user.
func someone(n int) (u protocol.UserID) {
	u[0] = 99
	binary.BigEndian.PutUint32(u[1:], uint32(n))
	return u
}

func address(n int) netip.Addr { return netip.AddrFrom4([4]byte{10, 1, byte(n >> 8), byte(n)}) }

// attack has a maker make as many rules of every kind as it is allowed, in rooms that
// have its name, and returns how many.
func attack(t *testing.T, r *Rules, by Maker, name string) (made int) {
	t.Helper()
	mine := r.By(by)
	try := func(err error) bool {
		if err == nil {
			made++
			return true
		}
		if _, full := errors.AsType[*FullError](err); !full || code(err) != protocol.CodeLimit {
			t.Fatalf("%s: %v", name, err)
		}
		return false
	}
	for i := range 1_000 {
		room := fmt.Sprintf("%s-%d", name, i)
		if !try(mine.SetPrivate(room, true)) {
			break
		}
		for n := 0; try(mine.SetOp(room, someone(n), true)); n++ {
		}
		for n := 0; try(mine.Mute(room, someone(n), time.Time{})); n++ {
		}
		for n := 0; n < 200 && try(mine.Admit(room, someone(n), true)); n++ {
		}
		for {
			if _, _, err := mine.Invite(room, 1, 0); !try(err) {
				break
			}
		}
		for n := range 1_000 {
			if _, err := mine.Uninvite(room, someone(n+1_000), false); !try(err) {
				break
			}
		}
	}
	return made
}

// within checks that no room, maker or address has more than its share, and that the
// tallies are right.
func within(t *testing.T, r *Rules) {
	t.Helper()
	counted := map[tally]int{}
	for id, u := range r.rules {
		counted[tally{kind: id.kind}]++
		if id.room != "" {
			counted[tally{kind: id.kind, room: id.room}]++
		}
		if u.By != "" {
			counted[tally{kind: id.kind, by: u.By}]++
		}
		if u.From != "" {
			counted[tally{kind: id.kind, from: u.From}]++
		}
	}
	if len(counted) != len(r.tallies) {
		t.Errorf("%d tallies, want %d", len(r.tallies), len(counted))
	}
	for k, n := range counted {
		b := shares[k.kind]
		most := b.all
		switch {
		case k.room != "":
			most = max(b.room, 1)
		case k.by != "":
			most = b.maker
		case k.from != "":
			most = b.from
		}
		if n != r.tallies[k] || n > most {
			t.Errorf("%+v: %d, the tally says %d, the share is %d", k, n, r.tallies[k], most)
		}
	}
}

// makesAll makes a rule of every kind at the first try.
func makesAll(t *testing.T, who string, r *Rules, room string) {
	t.Helper()
	_, _, invited := r.Invite(room, 1, 0)
	_, uninvited := r.Uninvite(room, other.User, false)
	for what, err := range map[string]error{"private": r.SetPrivate(room, true), "op": r.SetOp(room, op.User, true), "mute": r.Mute(room, other.User, time.Time{}),
		"admit": r.Admit(room, member.User, true), "invite": invited, "uninvite": uninvited} {
		if err != nil {
			t.Errorf("%s cannot %s: %v", who, what, err)
		}
	}
}

// However many users somebody makes up, and from however many addresses: a known maker
// makes a rule of each kind at the first try, and where the known do the same, an admin
// does. So it is after a restart.
func TestSharesHold(t *testing.T) {
	if !*whole { // it takes seconds to fill the tables; what is tested is the same
		was := maps.Clone(shares)
		defer func() { shares = was }()
		for kind, b := range was {
			b.all = max(b.all/8, 2*b.from)
			shares[kind] = b
		}
	}
	r, now, again := rules(t)
	attack(t, r, Maker{User: someone(1 << 20), From: address(0)}, "one")
	if n, want := len(r.rules), 50+80+400+2_000+200+400; n > want {
		t.Errorf("one maker has %d rules, more than %d", n, want)
	}
	for n := 1; n < 20; n++ {
		attack(t, r, Maker{User: someone(1<<20 + n), From: address(0)}, fmt.Sprint("same-", n))
	}
	if n, want := len(r.rules), (100+160+800+4_000+400+800)*3/4; n > want {
		t.Errorf("one address has %d rules, more than %d", n, want)
	}
	within(t, r)
	makesAll(t, "a known maker behind that address", r.By(Maker{User: someone(2 << 20), Known: true, From: address(0)}), "known-0")
	makesAll(t, "a fresh one of another address", r.By(Maker{User: someone(2<<20 + 1), From: address(1)}), "fresh-1")
	users := 3 << 20
	fill := func(known bool, name string) {
		for n := 2; n < 2_000; n++ {
			users++
			if attack(t, r, Maker{User: someone(users), Known: known, From: address(n)}, fmt.Sprint(name, n)) == 0 {
				return
			}
		}
		t.Fatal("the tables are never full")
	}
	fill(false, "fresh")
	within(t, r)
	*now = now.Add(time.Minute)
	r = again()
	within(t, r)
	if err := r.By(Maker{User: someone(5), From: address(9_000)}).SetPrivate("fresh", true); code(err) != protocol.CodeLimit {
		t.Errorf("the fresh have more than their part of the table: %v", err)
	}
	makesAll(t, "a known maker", r.By(Maker{User: someone(2 << 21), Known: true, From: address(9_001)}), "known")
	fill(true, "known")
	within(t, r)
	if err := r.By(Maker{User: someone(2<<21 + 1), Known: true, From: address(9_001)}).SetPrivate("known-2", true); code(err) != protocol.CodeLimit {
		t.Errorf("the known have the admins' part of the table: %v", err)
	}
	makesAll(t, "an admin", r.By(Maker{User: admin.User, From: address(0)}), "of-an-admin")

	// What an admin drops makes place for the next fresh maker.
	makers, _ := r.Most(map[bool]int{false: 40, true: 130}[*whole])
	for _, m := range makers {
		user, err := protocol.ParseUserID(m.Of)
		must(t, err)
		if n, stay, err := r.DropMadeBy(user, func(string) bool { return false }); n != m.Rules || stay != 0 || err != nil {
			t.Fatalf("%d of %d are dropped, %d stay: %v", n, m.Rules, stay, err)
		}
	}
	r = again()
	within(t, r)
	makesAll(t, "a fresh one, after all of that", r.By(Maker{User: someone(7), From: address(9_002)}), "free")
}

// What is over counts no more: its place is free without anybody's dropping it.
func TestOverCountsNoMore(t *testing.T) {
	r, now, _ := rules(t)
	mine := r.By(Maker{User: op.User, From: address(1)})
	for n := range 100 {
		must(t, mine.Mute("den", someone(n), now.Add(time.Hour)))
	}
	if err := mine.Mute("den", member.User, time.Time{}); code(err) != protocol.CodeLimit {
		t.Errorf("mute 101: %v", err)
	}
	must(t, mine.Mute("den", someone(0), now.Add(2*time.Hour))) // one that there is
	*now = now.Add(time.Hour)
	must(t, mine.Mute("den", member.User, time.Time{}))
	within(t, r)
	if n := len(r.OfRoom("den")); n != 2 {
		t.Errorf("%d mutes are left", n)
	}
}

// A directory of before makers were remembered opens, and what is in it is the server's
// own: it is in nobody's way but by the size of the whole table, and admins have place
// even where that was full.
func TestRulesOfBefore(t *testing.T) {
	store := roomlog.NewMemory()
	set := func(f roomlog.Fact) { must(t, store.SetFact(f)) }
	key := func(room string, u protocol.UserID) string { return place{room, u}.key() }
	for n := range 8 << 10 {
		set(roomlog.Fact{Kind: factMute, Key: key("junk", someone(n))})
	}
	for n := range 14 << 10 {
		set(roomlog.Fact{Kind: factRoom, Key: fmt.Sprint("junk-", n), Value: []byte(`{"private":true}`)})
	}
	set(roomlog.Fact{Kind: factOp, Key: key("den", op.User)})
	set(roomlog.Fact{Kind: factMember, Key: key("den", member.User)})
	set(roomlog.Fact{Kind: factInvite, Key: hashed("x"), Value: []byte(`{"room":"den","uses":3}`), Until: time.Now().Add(time.Hour)})
	set(roomlog.Fact{Kind: factRoom, Key: "den", Value: []byte(`{"private":true}`)})
	r, err := Open(store, nil)
	must(t, err)
	r.SetAdmins([]protocol.UserID{admin.User})
	if r.Role(op, "den") != protocol.RoleOp || !r.Sees(member, "den") || r.Sees(other, "den") {
		t.Error("the rules do not count")
	}
	makesAll(t, "an admin", r.By(Maker{User: admin.User}), "new")
	if i := r.Invitations("den"); len(i) != 1 || i[0].Name == "" || i[0].Uses != 3 {
		t.Errorf("the invitations are %+v", i)
	}
	if n, err := r.DropRoom("junk"); n != 8<<10 || err != nil {
		t.Errorf("%d are dropped, %v", n, err)
	}
	// Nobody knows by which one the member joined: all of that time end.
	if ended, err := r.By(Maker{User: op.User}).Uninvite("den", member.User, false); ended != 1 || err != nil || r.Sees(member, "den") {
		t.Errorf("%d ended, %v", ended, err)
	}
	// Rooms that are not there, of whom nobody knows, make place.
	gone := func(room string) bool { return room != "den" && room != "new" }
	n, err := r.Reclaim(gone, func(protocol.UserID) bool { return true })
	if err != nil || n < 14<<10 || r.Role(op, "den") != protocol.RoleOp || r.Sees(other, "den") {
		t.Errorf("%d are reclaimed, %v", n, err)
	}
	makesAll(t, "a known maker", r.By(Maker{User: member.User, Known: true}), "newer")
	within2(t, r)
}

// within2 checks the tallies alone: rules of before are over some shares.
func within2(t *testing.T, r *Rules) {
	t.Helper()
	total := 0
	for _, u := range r.Uses() {
		total += u.Used
	}
	if total != len(r.rules) {
		t.Errorf("%d rules, the tallies say %d", len(r.rules), total)
	}
}

// Dropping rules makes nothing public that was said in private.
func TestDroppedRulesTellNothing(t *testing.T) {
	r, _, again := rules(t)
	eve := Maker{User: other.User, From: address(1)}
	must(t, r.By(eve).SetPrivate("talk", true), r.By(eve).SetPrivate("empty", true), r.By(eve).SetOp("talk", op.User, true), r.By(eve).SetSlow("talk", 9), r.SetSlow("lobby", 5))
	talk := func(room string) bool { return room == "talk" }
	if n := len(r.MadeBy(other.User)); n != 3 {
		t.Errorf("eve has made %d rules", n)
	}
	if dropped, stay, err := r.DropMadeBy(other.User, talk); dropped != 2 || stay != 1 || err != nil {
		t.Errorf("%d dropped, %d stay, %v", dropped, stay, err)
	}
	for _, r := range []*Rules{r, again()} {
		_, _, slow := r.Room("talk")
		if r.Sees(op, "talk") || !r.Sees(guest, "empty") || slow != 0 || len(r.MadeBy(other.User)) != 0 {
			t.Error("what is left is not that talk is private")
		}
		if _, _, slow := r.Room("lobby"); slow != 5 {
			t.Error("another's rule is dropped")
		}
	}
	if dropped, stay, err := r.DropRulesOf("talk", talk); dropped != 0 || stay != 1 || err != nil {
		t.Errorf("%d dropped, %d stay, %v", dropped, stay, err)
	}
}

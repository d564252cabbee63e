package access

import (
	"errors"
	"net/netip"
	"testing"
	"time"

	"lanchat/internal/roomlog"
	"lanchat/protocol"
)

var (
	admin  = Who{User: protocol.UserID{1}}
	op     = Who{User: protocol.UserID{2}}
	member = Who{User: protocol.UserID{3}}
	other  = Who{User: protocol.UserID{4}}
	guest  = Who{User: protocol.UserID{5}, Guest: true}
)

// rules makes rules with a clock of the test's, and a way to open them again.
func rules(t *testing.T) (r *Rules, now *time.Time, again func() *Rules) {
	t.Helper()
	at := time.Now() // the store has this clock too
	store := roomlog.NewMemory()
	again = func() *Rules {
		t.Helper()
		r, err := Open(store, func() time.Time { return at })
		if err != nil {
			t.Fatal(err)
		}
		r.SetAdmins([]protocol.UserID{admin.User})
		return r
	}
	return again(), &at, again
}

func must(t *testing.T, errs ...error) {
	t.Helper()
	for _, err := range errs {
		if err != nil {
			t.Fatal(err)
		}
	}
}

func code(err error) protocol.Code {
	if e, ok := errors.AsType[*protocol.Error](err); ok {
		return e.Code
	}
	return ""
}

// A private room exists for its people, its ops and admins. A direct talk is its two
// people's, admins or not.
func TestSees(t *testing.T) {
	r, _, again := rules(t)
	must(t, r.SetPrivate("secret", true), r.SetOp("secret", op.User, true), r.Admit("secret", member.User, true))
	direct := protocol.DirectRoom(member.User, other.User)
	for range 2 {
		for _, tt := range []struct {
			who            Who
			secret, direct bool
		}{{admin, true, false}, {op, true, false}, {member, true, true}, {other, false, true}, {guest, false, false}, {Who{User: member.User, Guest: true}, false, false}} {
			if r.Sees(tt.who, "secret") != tt.secret || r.Sees(tt.who, direct) != tt.direct || !r.Sees(tt.who, "lobby") {
				t.Errorf("%v sees: secret %v, direct %v", tt.who, r.Sees(tt.who, "secret"), r.Sees(tt.who, direct))
			}
		}
		r = again() // it outlives the process
	}
	must(t, r.SetPrivate("secret", false))
	if !r.Sees(guest, "secret") {
		t.Error("a public room is hidden")
	}
}

func TestInvitations(t *testing.T) {
	r, now, again := rules(t)
	must(t, r.SetPrivate("secret", true))
	token, i, err := r.Invite("secret", 2, time.Hour)
	must(t, err)
	if len(token) != 26 || i.Uses != 2 || !i.Until.Equal(now.Add(time.Hour)) {
		t.Errorf("an invitation is %q, %+v", token, i)
	}
	if _, err := r.Redeem(token, guest); code(err) != protocol.CodeForbidden {
		t.Errorf("a guest comes to a private room: %v", err)
	}
	for range 3 { // one's second device, and the same again, use nothing up
		if room, err := r.Redeem(token, member); room != "secret" || err != nil {
			t.Errorf("the invitation leads to %q, %v", room, err)
		}
	}
	if r = again(); !r.Sees(member, "secret") || !r.Admitted(member) || r.Admitted(other) {
		t.Error("who was invited is not known after a restart")
	}
	if _, err := r.Redeem(token, other); err != nil {
		t.Error(err)
	}
	if _, err := r.Redeem(token, op); !errors.Is(err, ErrInvitation) {
		t.Errorf("a third one comes by an invitation for two: %v", err)
	}
	token, _, err = r.Invite("lobby", 0, 0)
	must(t, err)
	*now = now.Add(DefaultTTL)
	for _, r := range []*Rules{r, again()} {
		if _, err := r.Redeem(token, op); !errors.Is(err, ErrInvitation) {
			t.Errorf("an invitation of yesterday: %v", err)
		}
	}
	for _, bad := range []string{"", "x", token[1:]} {
		if _, err := r.Redeem(bad, op); !errors.Is(err, ErrInvitation) {
			t.Errorf("%q lets in: %v", bad, err)
		}
	}
}

func TestBans(t *testing.T) {
	r, now, again := rules(t)
	addr, six := netip.MustParseAddr("10.0.0.7"), netip.MustParseAddr("fe80::7%eth0")
	must(t, r.BanUser(other.User, Ban{Nick: "eve", Why: "spam", Until: now.Add(time.Hour)}), r.BanAddr(addr, Ban{}), r.BanAddr(six, Ban{}))
	for _, r := range []*Rules{r, again()} {
		for i, err := range []error{r.Enters(other.User, netip.Addr{}), r.Enters(guest.User, netip.MustParseAddr("::ffff:10.0.0.7")), r.Enters(guest.User, netip.MustParseAddr("fe80::7%wlan0"))} {
			if code(err) != protocol.CodeForbidden {
				t.Errorf("ban %d: %v", i, err)
			}
		}
		if err := r.Enters(member.User, netip.MustParseAddr("10.0.0.8")); err != nil {
			t.Error(err)
		}
	}
	if n := len(r.Bans()); n != 3 {
		t.Errorf("%d bans are listed", n)
	}
	*now = now.Add(time.Hour)
	if err := r.Enters(other.User, netip.Addr{}); err != nil || len(r.Bans()) != 2 {
		t.Errorf("behind its end: %v, %v", err, r.Bans())
	}
	if was, err := r.Unban("10.0.0.7"); !was || err != nil || r.Enters(guest.User, addr) != nil {
		t.Errorf("unban: %v, %v", was, err)
	}
}

func TestPosts(t *testing.T) {
	r, now, again := rules(t)
	must(t, r.Mute("lobby", member.User, now.Add(time.Minute)), r.Mute("lobby", other.User, time.Time{}), r.SetSlow("slow", 10), r.SetOp("slow", op.User, true))
	for _, r := range []*Rules{r, again()} {
		if code(r.Posts(member, "lobby")) != protocol.CodeForbidden || code(r.Posts(other, "lobby")) != protocol.CodeForbidden {
			t.Error("who is muted posts")
		}
		if r.Posts(member, "other") != nil || r.Posts(guest, "lobby") != nil {
			t.Error("a mute holds where it was not said")
		}
	}
	if r.Posts(guest, "slow") != nil || code(r.Posts(guest, "slow")) != protocol.CodeLimit || r.Posts(member, "slow") != nil {
		t.Error("slow holds for one person and another")
	}
	for range 3 {
		must(t, r.Posts(op, "slow"), r.Posts(admin, "slow"))
	}
	*now = now.Add(10 * time.Second)
	must(t, r.Posts(guest, "slow"))
	*now = now.Add(time.Minute)
	must(t, r.Posts(member, "lobby"), r.Unmute("lobby", other.User))
	must(t, r.Posts(other, "lobby"))
}

// With a room its rules go, whoever they are about, and no other room's.
func TestDropRoom(t *testing.T) {
	r, _, again := rules(t)
	must(t, r.SetPrivate("den", true), r.SetOp("den", op.User, true), r.Admit("den", member.User, true), r.Mute("den", other.User, time.Time{}),
		r.SetPrivate("den2", true), r.SetOp("den2", op.User, true))
	token, _, err := r.Invite("den", 1, 0)
	must(t, err)
	if n, err := r.DropRoom("den"); n != 5 || err != nil {
		t.Errorf("%d rules are dropped, %v", n, err)
	}
	for _, r := range []*Rules{r, again()} {
		if r.Role(op, "den") != protocol.RoleNone || !r.Sees(guest, "den") || r.Posts(other, "den") != nil {
			t.Error("a rule of the room is left")
		}
		if r.Role(op, "den2") != protocol.RoleOp || r.Sees(other, "den2") {
			t.Error("another room's rules are dropped")
		}
		if _, err := r.Redeem(token, other); !errors.Is(err, ErrInvitation) {
			t.Errorf("the room's invitation: %v", err)
		}
	}
}

// A rule that cannot be written is not made.
func TestUnwritten(t *testing.T) {
	broken := errors.New("the disk is full")
	r, err := Open(brokenKeeper{broken}, nil)
	must(t, err)
	for i, err := range []error{r.BanUser(other.User, Ban{}), r.SetOp("lobby", op.User, true), r.SetPrivate("lobby", true), r.Mute("lobby", member.User, time.Time{})} {
		if !errors.Is(err, broken) {
			t.Errorf("%d: %v", i, err)
		}
	}
	if r.Enters(other.User, netip.Addr{}) != nil || r.Role(op, "lobby") != protocol.RoleNone || !r.Sees(guest, "lobby") || r.Posts(member, "lobby") != nil {
		t.Error("a rule counts that was not written")
	}
}

type brokenKeeper struct{ err error }

func (brokenKeeper) Facts(string) ([]roomlog.Fact, error) { return nil, nil }
func (b brokenKeeper) SetFact(roomlog.Fact) error         { return b.err }
func (b brokenKeeper) DropFact(string, string) error      { return b.err }
func (b brokenKeeper) DropFacts(string, []string) error   { return b.err }

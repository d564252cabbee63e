package access

import (
	"errors"
	"testing"
	"time"

	"lanchat/protocol"
)

var fresh = Who{User: protocol.UserID{77}}

// Who was uninvited does not come back: not by the same line, not by one that is older or
// newer, and nobody comes by the line by which that person joined. An op who names the
// person lifts it.
func TestUninvited(t *testing.T) {
	for _, opens := range []bool{false, true} { // the server asks for a passphrase
		for name, lift := range map[string]func(r *Rules) error{
			"invite": func(r *Rules) error { return r.Admit("den", member.User, true) },
			"op":     func(r *Rules) error { return r.SetOp("den", member.User, true) },
		} {
			r, _, again := rules(t)
			must(t, r.SetPrivate("den", true), r.SetOp("den", op.User, true))
			mine := r.By(Maker{User: op.User})
			invite := func() string {
				token, _, err := mine.Invite("den", 5, 0)
				must(t, err)
				return token
			}
			token, older := invite(), invite()
			for _, who := range []Who{member, other} {
				if room, err := r.Redeem(token, who); room != "den" || err != nil {
					t.Fatalf("%q, %v", room, err)
				}
			}
			if ended, err := mine.Uninvite("den", member.User, opens); ended != 1 || err != nil {
				t.Errorf("%d ended, %v", ended, err)
			}
			newer := invite()
			for _, r := range []*Rules{r, again()} {
				for i, token := range []string{token, older, newer} {
					room, err := r.Redeem(token, member)
					if r.Sees(member, "den") || room != "" || (err != nil) != (i == 0 && !opens) {
						t.Errorf("by line %d the uninvited comes to %q, %v", i, room, err)
					}
				}
				room, err := r.Redeem(token, fresh)
				if r.Sees(fresh, "den") || room != "" || errors.Is(err, ErrInvitation) == opens || r.Admitted(fresh) != opens {
					t.Errorf("a fresh key comes by the line to %q, %v; admitted: %v", room, err, r.Admitted(fresh))
				}
				if !r.Sees(other, "den") || !r.Admitted(member) {
					t.Error("more was taken than the room, of one person")
				}
			}
			if room, err := r.Redeem(newer, fresh); room != "den" || err != nil {
				t.Errorf("another line: %q, %v", room, err)
			}
			must(t, lift(mine))
			for _, r := range []*Rules{r, again()} {
				if !r.Sees(member, "den") {
					t.Errorf("%s does not lift it", name)
				}
			}
			must(t, r.SetOp("den", member.User, false))
			if room, err := r.Redeem(newer, member); room != "den" || err != nil {
				t.Errorf("once lifted by %s a line leads to %q, %v", name, room, err)
			}
		}
	}
}

// An invitation leads to the room as long as its maker has a right there and the room was
// not made private since. What opens the server goes on doing that.
func TestInvitationsEnd(t *testing.T) {
	bob := op.User
	for name, tt := range map[string]struct {
		end   func(r *Rules, opens bool) (int, error)
		opens bool
		ended int
		enter bool // a fresh key enters the server by it
	}{
		"deop":                           {func(r *Rules, opens bool) (int, error) { return r.EndInvitations("den", bob, opens) }, false, 2, false},
		"deop, passphrase":               {func(r *Rules, opens bool) (int, error) { return r.EndInvitations("den", bob, opens) }, true, 2, true},
		"private":                        {func(r *Rules, opens bool) (int, error) { return r.EndInvitations("den", protocol.UserID{}, opens) }, false, 3, false},
		"private, passphrase":            {func(r *Rules, opens bool) (int, error) { return r.EndInvitations("den", protocol.UserID{}, opens) }, true, 3, true},
		"ban":                            {func(r *Rules, _ bool) (int, error) { return r.EndInvitations("", bob, false) }, true, 3, false},
		"the maker's role alone is gone": {func(r *Rules, _ bool) (int, error) { return 0, r.SetOp("den", bob, false) }, true, 0, true},
	} {
		r, now, again := rules(t)
		must(t, r.SetPrivate("den", true), r.SetPrivate("attic", true), r.SetOp("den", bob, true), r.SetOp("attic", bob, true))
		mine := r.By(Maker{User: bob})
		token, _, err := mine.Invite("den", 5, 2*time.Hour)
		must(t, err)
		_, _, err = mine.Invite("den", 5, 2*time.Hour)
		must(t, err)
		_, _, err = mine.Invite("den", 5, time.Hour) // it is over, and does not count
		must(t, err)
		*now = now.Add(time.Hour)
		attic, _, err := mine.Invite("attic", 5, 0)
		must(t, err)
		_, _, err = r.By(Maker{User: admin.User}).Invite("den", 5, 0)
		must(t, err)
		if n, err := tt.end(r, tt.opens); n != tt.ended || err != nil {
			t.Errorf("%s: %d ended, want %d; %v", name, n, tt.ended, err)
		}
		for _, r := range []*Rules{r, again()} {
			if room, _ := r.Redeem(token, fresh); room != "" || r.Sees(fresh, "den") || r.Admitted(fresh) != tt.enter {
				t.Errorf("%s: the line leads to %q, and lets in: %v", name, room, r.Admitted(fresh))
			}
		}
		if room, _ := r.Redeem(attic, other); (room == "attic") == (name == "ban") {
			t.Errorf("%s: the line to the other room leads to %q", name, room)
		}
		within(t, r)
	}
}

// An invitation has a name that is not made of its token, is listed, and is revoked by it.
func TestRevoke(t *testing.T) {
	r, _, again := rules(t)
	token, i, err := r.By(Maker{User: op.User}).Invite("lobby", 2, 0)
	must(t, err)
	if len(i.Name) != 8 || i.Name == token[:8] || hashed(token)[:8] == i.Name || i.Maker() != op.User {
		t.Errorf("%s has the invitation %+v", token, i)
	}
	for _, r := range []*Rules{r, again()} {
		if list := r.Invitations("lobby"); len(list) != 1 || list[0].Name != i.Name || list[0].Uses != 2 || list[0].Maker() != op.User || len(r.Invitations("den")) != 0 {
			t.Errorf("the list is %+v", list)
		}
	}
	for _, wrong := range [][2]string{{"den", i.Name}, {"lobby", "x"}, {"", ""}} {
		if _, was, err := r.Revoke(wrong[0], wrong[1]); was || err != nil {
			t.Errorf("%q is revoked, %v", wrong, err)
		}
	}
	if _, was, err := r.Revoke("lobby", i.Name); !was || err != nil {
		t.Errorf("it is not revoked: %v", err)
	}
	for _, r := range []*Rules{r, again()} {
		if _, err := r.Redeem(token, other); !errors.Is(err, ErrInvitation) || len(r.Invitations("")) != 0 {
			t.Errorf("by a revoked one: %v", err)
		}
	}
	within(t, r)
}

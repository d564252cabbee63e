package server

import (
	"fmt"
	"strings"

	"lanchat/protocol"
)

// andEnded says in an answer how many invitations ended.
func andEnded(n int) string {
	switch n {
	case 0:
		return ""
	case 1:
		return "; 1 invitation ended"
	}
	return fmt.Sprintf("; %d invitations ended", n)
}

// invite lets somebody into a private room, uninvited before or not.
func (d *deed) invite() (string, error) {
	private, _, _ := d.rules.Room(d.m.Room)
	switch {
	case !private:
		return "#" + d.m.Room + " is public: everybody may join it", nil
	case d.whom.who.Guest:
		return "", protocol.Errorf(protocol.CodeForbidden, "%s is a guest: a private room takes a key", d.whom.nick)
	}
	if err := d.mustBeKnown(); err != nil {
		return "", err
	}
	if err := d.made().Admit(d.m.Room, d.whom.who.User, true); err != nil {
		return "", err
	}
	d.tell("has invited %s", d.whom.nick)
	return d.whom.nick + " may join #" + d.m.Room, nil
}

// uninvite takes a private room from somebody. The invitation by which that person joined
// ends too, and none leads there any more for that key, until an op names it by invite or
// op.
func (d *deed) uninvite() (string, error) {
	user := d.whom.who.User
	if d.whom.who.Guest {
		return "", protocol.Errorf(protocol.CodeForbidden, "%s is a guest, and guests are in no private room", d.whom.nick)
	}
	if err := d.above(true); err != nil {
		return "", err
	}
	if !d.rules.Member(d.m.Room, user) {
		if err := d.mustBeKnown(); err != nil {
			return "", err
		}
	}
	ended, err := d.made().Uninvite(d.m.Room, user, d.secret() != nil)
	if err != nil {
		return "", err
	}
	d.review(d.m.Room)
	d.tell("has taken back the invitation of %s", d.whom.nick)
	return d.whom.nick + " is not invited any more" + andEnded(ended), nil
}

// invites lists the invitations to a room, or all.
func (d *deed) invites() (string, error) {
	list := d.rules.Invitations(d.m.Room)
	if len(list) == 0 {
		return "there are no open invitations", nil
	}
	var b strings.Builder
	fmt.Fprintf(&b, "%d open invitations; /revoke NAME ends one:", len(list))
	for i, one := range list {
		if b.Len() > pageBytes-1024 {
			fmt.Fprintf(&b, "\n… and %d more", len(list)-i)
			break
		}
		room, by := "#"+one.Room, ""
		if one.Room == "" {
			room = "the server alone"
		}
		if maker := one.Maker(); !maker.IsZero() {
			by = "  by " + d.nameOf(maker)
		}
		fmt.Fprintf(&b, "\n%s  %s  %d left  until %s%s", one.Name, room, one.Uses, ending(one.Until), by)
	}
	return b.String(), nil
}

// revoke ends one invitation by its name.
func (d *deed) revoke() (string, error) {
	name := strings.ToLower(strings.TrimSpace(d.m.Who))
	i, was, err := d.rules.Revoke(d.m.Room, name)
	switch {
	case err != nil:
		return "", err
	case !was:
		return "", protocol.Errorf(protocol.CodeNotFound, "no such invitation: /invites lists them")
	}
	return fmt.Sprintf("the invitation %s is revoked, with %d left", i.Name, i.Uses), nil
}

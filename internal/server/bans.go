package server

import (
	"cmp"
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"time"

	"lanchat/internal/access"
	"lanchat/internal/safetext"
	"lanchat/protocol"
)

// ban keeps a person or an address out. Of a guest it takes the address: nothing else is
// known of one.
func (d *deed) ban() (string, error) {
	b := access.Ban{Why: d.text, Until: d.until()}
	addr, err := netip.ParseAddr(d.m.Who)
	if err == nil {
		addr = addr.Unmap().WithZone("")
	} else {
		if d.whom, err = d.subject(d.m.Who); err != nil {
			return "", err
		}
		if err := d.above(false); err != nil {
			return "", err
		}
		if b.Nick = d.whom.nick; d.whom.who.Guest {
			if len(d.whom.addrs) == 0 {
				return "", protocol.Errorf(protocol.CodeNotFound, "%s has no address", d.whom.nick)
			}
			addr = d.whom.addrs[0]
		} else if d.rules.Role(d.whom.who, "") == protocol.RoleAdmin {
			return "", protocol.Errorf(protocol.CodeForbidden, "%s is an admin of this server", d.whom.nick)
		}
	}
	shown := cmp.Or(d.whom.nick, addr.String())
	if addr.IsValid() {
		if addr == d.by.addr.WithZone("") {
			return "", protocol.Errorf(protocol.CodeForbidden, "%s is the address that you come from yourself", addr)
		}
		err = d.rules.BanAddr(addr, b)
		if d.whom.nick != "" {
			shown += " (" + addr.String() + ", for a guest is known by nothing else)"
		}
	} else {
		err = d.rules.BanUser(d.whom.who.User, b)
	}
	if err != nil {
		return "", err
	}
	ended := 0
	if !addr.IsValid() { // wholly: by one that opens the server another key could come
		ended, err = d.rules.EndInvitations("", d.whom.who.User, false)
	}
	for _, room := range d.endBanned() {
		d.m.Room = room
		d.tell("has banned %s %s", cmp.Or(d.whom.nick, "an address"), d.forHowLong())
	}
	d.m.Room = ""
	answer := fmt.Sprintf("%s is banned %s%s", shown, d.forHowLong(), andEnded(ended))
	if !addr.IsValid() && (d.length == 0 || d.length >= banFrees) {
		switch freed, failed := d.people.unbind(d.whom.who.User); {
		case failed != nil:
			answer += "; the nick stays bound, for the log cannot be written"
		case len(freed) > 0:
			answer += ", and the nick is free: " + strings.Join(freed, ", ")
		}
	}
	return answer + d.purgeHint(addr), err
}

// banFrees is the shortest ban that frees the nicks of the banned user: who is out for an
// hour or a night has the nick back.
const banFrees = 24 * time.Hour

// free ends the binding of a nick. Who holds it at the moment gets a variant, and is told:
// else it would be bound again with the next post.
func (d *deed) free() (string, error) {
	nick := strings.TrimLeft(d.m.Who, "@~")
	if nick == "" {
		return "", protocol.Errorf(protocol.CodeBadNick, "which nick?")
	}
	freed, held, err := d.people.free(nick)
	if err != nil {
		return "", err
	}
	switch {
	case held != "":
		return fmt.Sprintf("%s is free, and who had it is %s now", safetext.Line(nick), held), nil
	case len(freed) > 0:
		return strings.Join(freed, ", ") + " is free", nil
	}
	return "", protocol.Errorf(protocol.CodeNotFound, "the nick %s is nobody's", safetext.Line(nick))
}

func (d *deed) unban() (string, error) {
	key := strings.ToLower(strings.TrimLeft(d.m.Who, "@~"))
	if addr, err := netip.ParseAddr(key); err == nil {
		key = addr.Unmap().WithZone("").String()
	}
	was, err := d.rules.Unban(key)
	var lifted []string
	if was {
		lifted = []string{key}
	}
	for other, b := range d.rules.Bans() {
		if err == nil && b.Nick != "" && strings.EqualFold(strings.TrimPrefix(b.Nick, "~"), key) {
			_, err = d.rules.Unban(other)
			lifted = append(lifted, b.Nick)
		}
	}
	if err == nil && len(lifted) == 0 {
		if whom, known := d.subject(d.m.Who); known == nil {
			if was, err = d.rules.Unban(whom.who.User.String()); was {
				lifted = []string{whom.nick}
			}
		}
	}
	switch {
	case err != nil:
		return "", err
	case len(lifted) == 0:
		return "", protocol.Errorf(protocol.CodeNotFound, "no such ban: /bans lists them")
	}
	slices.Sort(lifted)
	return strings.Join(lifted, ", ") + " may come in again", nil
}

func (d *deed) bans() (string, error) {
	bans := d.rules.Bans()
	if len(bans) == 0 {
		return "nobody is banned", nil
	}
	var b strings.Builder
	for i, key := range sortedKeys(bans) {
		ban := bans[key]
		if b.Len() > pageBytes-1024 {
			fmt.Fprintf(&b, "\n… and %d more", len(bans)-i)
			break
		}
		if i > 0 {
			b.WriteByte('\n')
		}
		b.WriteString(key)
		if ban.Nick != "" {
			b.WriteString("  " + ban.Nick)
		}
		if !ban.Until.IsZero() {
			b.WriteString("  until " + ban.Until.Format("2006-01-02 15:04 MST"))
		}
		if ban.Why != "" {
			b.WriteString("  " + ban.Why)
		}
	}
	return b.String(), nil
}

package client

import (
	"errors"
	"fmt"
	"math"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"lanchat/protocol"
)

// above are the commands that take a role. What each does is the server's to decide and
// to carry out; its answer is a Received *protocol.Moderate.
var above = []Command{
	{"kick", "NICK [WHY]", "op: put somebody out of this room for a minute", deedAbout(protocol.DeedKick, false), protocol.RoleOp},
	{"mute", "NICK [TIME]", "op: somebody may not write here, for 10m, 2h, 30d at most", deedAbout(protocol.DeedMute, true), protocol.RoleOp},
	{"unmute", "NICK", "op: somebody may write here again", deedAbout(protocol.DeedUnmute, false), protocol.RoleOp},
	{"op", "NICK", "op: make somebody an op of this room", deedAbout(protocol.DeedOp, false), protocol.RoleOp},
	{"deop", "NICK", "op: somebody is not an op of this room any more; ends invitations too", deedAbout(protocol.DeedDeop, false), protocol.RoleOp},
	{"lock", "", "op: let ops alone change the topic", deedHere(protocol.DeedLock), protocol.RoleOp},
	{"unlock", "", "op: let everybody change the topic", deedHere(protocol.DeedUnlock), protocol.RoleOp},
	{"slow", "TIME", "op: 10s from one message of a person to the next; off ends it", (*deed).slow, protocol.RoleOp},
	{"private", "[ROOM]", "make a room that only who is invited knows of; op: this one", (*deed).private, protocol.RoleNone},
	{"public", "", "op: let everybody into this room", deedHere(protocol.DeedPublic), protocol.RoleOp},
	{"uninvite", "NICK", "op: out of this private room, until /invite NICK; ends the invitation used", deedAbout(protocol.DeedUninvite, false), protocol.RoleOp},
	{"invites", "", "op: list the open invitations to this room; admin: all", (*deed).invites, protocol.RoleOp},
	{"revoke", "NAME", "op: end an invitation that /invites lists", (*deed).revoke, protocol.RoleOp},
	{"ban", "WHO [TIME]", "admin: a nick, user id or address may not come in; then why", deedAbout(protocol.DeedBan, true), protocol.RoleAdmin},
	{"unban", "WHO", "admin: end a ban", deedAbout(protocol.DeedUnban, false), protocol.RoleAdmin},
	{"bans", "", "admin: list the bans", deedHere(protocol.DeedBans), protocol.RoleAdmin},
	{"rules", "[WHO]", "admin: the rules that a NICK made, or of a #ROOM; alone: who made the most", (*deed).listRules, protocol.RoleAdmin},
	{"droprules", "WHO", "admin: drop the rules that a NICK made, or those of a #ROOM", (*deed).dropRules, protocol.RoleAdmin},
	{"purge", "WHO [SINCE]", "admin: delete what a user posted, ever or in the last 2h", deedAbout(protocol.ModPurge, true), protocol.RoleAdmin},
	{"delete-room", "ROOM", "admin: remove a room and all in it; else yours, if nobody else has spoken there", (*deed).deleteRoom, protocol.RoleNone},
	{"free", "NICK", "admin: a nick belongs to nobody any more", deedAbout(protocol.ModFree, false), protocol.RoleAdmin},
	{"announce", "TEXT", "admin: say something in every room", (*deed).announce, protocol.RoleAdmin},
}

// forServer are the deeds that concern no room.
var forServer = []protocol.Deed{protocol.DeedBan, protocol.DeedUnban, protocol.DeedBans, protocol.DeedAnnounce, protocol.ModRules, protocol.ModDropRules, protocol.ModPurge, protocol.ModFree}

func (d *deed) moderate(m protocol.Moderate) error {
	if !slices.Contains(forServer, m.Do) && m.Room == "" {
		if d.state.Room(d.room) == nil {
			return errNoRoom
		}
		m.Room = d.room
	}
	return d.request(&m)
}

// deedAbout asks for a deed about somebody; with timed, a time may stand behind the
// name. What is left says why.
func deedAbout(do protocol.Deed, timed bool) func(*deed, string) error {
	return func(d *deed, rest string) error {
		who, rest, _ := strings.Cut(rest, " ")
		m := protocol.Moderate{Do: do, Who: plainNick(who), Text: strings.TrimSpace(rest)}
		if strings.Count(who, ":") > 1 { // an address of IPv6 may end with a colon
			m.Who = who
		}
		if m.Who == "" {
			return fmt.Errorf("whom? /%s NICK", do)
		}
		if first, why, _ := strings.Cut(m.Text, " "); timed && first != "" {
			if length, err := parseLength(first); err == nil {
				m.For, m.Text = length, strings.TrimSpace(why)
			} else if looksLikeLength.MatchString(first) {
				return err
			}
		}
		return d.moderate(m)
	}
}

func deedHere(do protocol.Deed) func(*deed, string) error {
	return func(d *deed, rest string) error {
		if rest != "" {
			return fmt.Errorf("/%s takes no words", do)
		}
		return d.moderate(protocol.Moderate{Do: do})
	}
}

func (d *deed) slow(rest string) error {
	if strings.EqualFold(rest, "off") || rest == "0" {
		return d.moderate(protocol.Moderate{Do: protocol.DeedSlow})
	}
	length, err := parseLength(rest)
	if err != nil {
		return fmt.Errorf("/slow 10s, /slow 5m or /slow off: %w", err)
	}
	return d.moderate(protocol.Moderate{Do: protocol.DeedSlow, For: length})
}

// private makes the room that is named, and goes there, or the one that one is in.
func (d *deed) private(rest string) error {
	m := protocol.Moderate{Do: protocol.DeedPrivate, Room: strings.ToLower(strings.TrimPrefix(rest, "#"))}
	if m.Room != "" {
		if err := protocol.ValidRoom(m.Room); err != nil {
			return err
		}
	}
	// The client joins the room when the server has made it.
	err := d.moderate(m)
	if err == nil && m.Room != "" {
		d.events = append(d.events, Selected{Room: m.Room})
	}
	return err
}

// invites asks for the invitations to this room; an admin for all.
func (d *deed) invites(rest string) error {
	if rest != "" {
		return errors.New("/invites takes no words")
	}
	return d.aboutInvitations(protocol.Moderate{Do: protocol.ModInvites})
}

func (d *deed) revoke(rest string) error {
	if rest == "" || strings.Contains(rest, " ") {
		return errors.New("which one? /revoke NAME, as /invites lists it")
	}
	return d.aboutInvitations(protocol.Moderate{Do: protocol.ModRevoke, Who: rest})
}

func (d *deed) aboutInvitations(m protocol.Moderate) error {
	if d.state.Me.Role == protocol.RoleAdmin {
		return d.request(&m)
	}
	return d.moderate(m)
}

func (d *deed) listRules(rest string) error {
	return d.aboutRules(protocol.Moderate{Do: protocol.ModRules}, rest)
}

func (d *deed) dropRules(rest string) error {
	if rest == "" {
		return errors.New("whose? /droprules NICK or /droprules #ROOM")
	}
	return d.aboutRules(protocol.Moderate{Do: protocol.ModDropRules}, rest)
}

// aboutRules asks about what somebody made, or about a room, which has a # before it.
func (d *deed) aboutRules(m protocol.Moderate, rest string) error {
	room, isRoom := strings.CutPrefix(rest, "#")
	if !isRoom {
		m.Who = plainNick(rest)
		return d.moderate(m)
	}
	m.Room = strings.ToLower(room)
	if err := protocol.ValidRoom(m.Room); err != nil {
		return err
	}
	return d.moderate(m)
}

// deleteRoom removes a room. That its name is written out is the confirmation.
func (d *deed) deleteRoom(rest string) error {
	name, why, _ := strings.Cut(rest, " ")
	name = strings.ToLower(strings.TrimPrefix(name, "#"))
	if name == "" {
		return errors.New("which room? /delete-room ROOM removes it, with all that was said there, for good")
	}
	if err := protocol.ValidRoom(name); err != nil {
		return err
	}
	return d.moderate(protocol.Moderate{Do: protocol.ModDeleteRoom, Room: name, Text: strings.TrimSpace(why)})
}

func (d *deed) announce(rest string) error {
	if rest == "" {
		return errors.New("what? /announce TEXT")
	}
	return d.moderate(protocol.Moderate{Do: protocol.DeedAnnounce, Text: rest})
}

var (
	lengths         = map[byte]time.Duration{'s': time.Second, 'm': time.Minute, 'h': time.Hour, 'd': 24 * time.Hour, 'w': 7 * 24 * time.Hour}
	looksLikeLength = regexp.MustCompile(`^[0-9]+[a-z]*$`)
)

// parseLength reads a length of time, in seconds; a bare number is one of seconds.
func parseLength(text string) (seconds uint32, err error) {
	text = strings.ToLower(text)
	number, unit := text, time.Second
	if n := len(text) - 1; n > 0 && lengths[text[n]] > 0 {
		number, unit = text[:n], lengths[text[n]]
	}
	n, err := strconv.ParseUint(number, 10, 32)
	switch per := uint64(unit / time.Second); {
	case err != nil || n == 0:
		return 0, fmt.Errorf("%q is no time: write 30s, 10m, 2h or 7d", text)
	case n*per > math.MaxUint32:
		return 0, fmt.Errorf("%q is too long; without a time it is for good", text)
	default:
		return uint32(n * per), nil
	}
}

// moderated takes in the answer to a deed, or that somebody has set something in a room.
func (s *State) moderated(m *protocol.Moderate, at time.Time) {
	if m.Ref != 0 {
		if m.Text != "" {
			s.remark("", m.Text, at)
		}
		return
	}
	r := s.Room(m.Room)
	if r == nil {
		return
	}
	switch m.Do {
	case protocol.DeedLock, protocol.DeedUnlock:
		r.Locked = m.Do == protocol.DeedLock
	case protocol.DeedPrivate, protocol.DeedPublic:
		r.Private = m.Do == protocol.DeedPrivate
	case protocol.DeedSlow:
		r.Slow = m.For
	}
}

// left takes a room away. Who was put out is told why, in a room that there still is.
func (s *State) left(m *protocol.Left, at time.Time) {
	r := s.Room(m.Room)
	s.Rooms = slices.DeleteFunc(s.Rooms, func(other *Room) bool { return other == r })
	if m.Ref != 0 || m.Text == "" || r == nil {
		return
	}
	room := s.Active
	if s.Active == m.Room && len(s.Rooms) > 0 {
		room = s.Rooms[0].Name // a user interface goes there
	} else if s.Active == m.Room {
		s.Active, room = "", ""
	}
	s.Apply(Remarked{Room: room, Text: fmt.Sprintf("You are not in %s any more: %s", r.Title, m.Text), At: at})
}

// meet takes in somebody who is in a room, and warns of a nick that has changed hands.
func (s *State) meet(r *Room, p protocol.Member, at time.Time) {
	r.Members[p.User] = p
	s.retitle(r, p)
	if p.User == s.Me.User {
		r.Role = p.Role
		return
	}
	if !p.NewKey || s.warned[p.User] == p.Nick {
		return
	}
	if len(s.warned) >= maxWarned {
		clear(s.warned)
	}
	put(&s.warned, p.User, p.Nick)
	s.remark(r.Name, fmt.Sprintf("%s is somebody else than before: the key is new.", p.Nick), at)
}

// maxWarned is how many people with a new key are remembered, to be told of once.
const maxWarned = 1_000

// MayDelete reports whether this user may delete what somebody else has said.
func (s *State) MayDelete(it *Item) bool {
	r := s.Room(it.Entry.Room)
	return r != nil && r.Role != protocol.RoleNone && !it.Mine
}

// RoleSign is the sign before the nick of somebody with a role, as the list of people
// has it; the role's name says the same.
func RoleSign(role protocol.Role) string {
	switch role {
	case protocol.RoleOp:
		return "@"
	case protocol.RoleAdmin:
		return "&"
	}
	return ""
}

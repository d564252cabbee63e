package server

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"lanchat/internal/access"
	"lanchat/internal/roomlog"
	"lanchat/internal/safetext"
	"lanchat/protocol"
)

// maker is the session's user as one who makes rules. This host's own address has a share
// like others: rules stay when whoever made them has gone.
func (ss *session) maker() access.Maker {
	return access.Maker{User: ss.person.user, Known: ss.person.known.Load(), From: ss.link.from}
}

// made are the rules as the moderator makes them.
func (d *deed) made() *access.Rules { return d.rules.By(d.by.maker()) }

func (d *deed) byAdmin() bool {
	return d.rules.Role(d.by.person.who(), "") == protocol.RoleAdmin
}

// mustBeKnown refuses a rule about somebody whom nobody has seen: ids can be made up
// without an end.
func (d *deed) mustBeKnown() error {
	if d.whom.known || d.people.isKnown(d.whom.who.User) {
		return nil
	}
	return protocol.Errorf(protocol.CodeNotFound, "%s is not here, and has no nick that is bound", d.whom.nick)
}

// countFull counts a request that a share of the rules refused.
func (s *Server) countFull(err error) {
	if _, full := errors.AsType[*access.FullError](err); full {
		s.stats.reached(limitRules)
	}
}

// rulesTop is how many makers and rooms are listed.
const rulesTop = 20

// listRules lists the rules of a room, or those that somebody made; with neither, where
// most of them are.
func (d *deed) listRules() (string, error) {
	var list []access.Rule
	of := "#" + d.m.Room
	switch {
	case d.m.Room != "":
		list = d.rules.OfRoom(d.m.Room)
	case d.m.Who != "":
		whom, err := d.subject(d.m.Who)
		if err != nil {
			return "", err
		}
		list, of = d.rules.MadeBy(whom.who.User), whom.nick
	default:
		return d.mostRules(), nil
	}
	var b strings.Builder
	fmt.Fprintf(&b, "%d rules of %s", len(list), of)
	for i, r := range list {
		if b.Len() > pageBytes-1024 {
			fmt.Fprintf(&b, "\n… and %d more", len(list)-i)
			break
		}
		fmt.Fprintf(&b, "\n%-9s #%s", r.Kind, r.Room)
		switch {
		case r.Name != "":
			b.WriteString("  " + r.Name)
		case !r.User.IsZero():
			b.WriteString("  " + d.nameOf(r.User))
		}
		if !r.Until.IsZero() {
			b.WriteString("  until " + ending(r.Until))
		}
		if !r.By.IsZero() && d.m.Room != "" {
			b.WriteString("  by " + d.nameOf(r.By))
		}
	}
	return b.String(), nil
}

// mostRules says how much of each table is used, and who has made the most.
func (d *deed) mostRules() string {
	var b strings.Builder
	b.WriteString("In use:")
	for _, u := range d.rules.Uses() {
		fmt.Fprintf(&b, "\n%6d of %6d %s", u.Used, u.All, u.What)
	}
	makers, rooms := d.rules.Most(rulesTop)
	list := func(title string, counts []access.Count, name func(string) string) {
		if len(counts) > 0 {
			b.WriteString("\n" + title)
		}
		for _, c := range counts {
			fmt.Fprintf(&b, "\n%6d %s", c.Rules, name(c.Of))
		}
	}
	list("Made the most:", makers, func(of string) string {
		user, _ := protocol.ParseUserID(of) // it was written as one
		return d.nameOf(user)
	})
	list("Rooms with the most:", rooms, func(of string) string { return "#" + of })
	return b.String()
}

// dropRules drops the rules of a room, or those that somebody made.
func (d *deed) dropRules() (string, error) {
	var rooms []string
	var drop func() (dropped, stay int, err error)
	of := "#" + d.m.Room
	switch {
	case d.m.Room != "":
		rooms = []string{d.m.Room}
		drop = func() (int, int, error) { return d.rules.DropRulesOf(d.m.Room, d.hasTalk) }
	case d.m.Who != "":
		whom, err := d.subject(d.m.Who)
		if err != nil {
			return "", err
		}
		of = whom.nick
		for _, r := range d.rules.MadeBy(whom.who.User) {
			if len(rooms) == 0 || rooms[len(rooms)-1] != r.Room { // they are in order
				rooms = append(rooms, r.Room)
			}
		}
		drop = func() (int, int, error) { return d.rules.DropMadeBy(whom.who.User, d.hasTalk) }
	default:
		return "", protocol.Errorf(protocol.CodeBadNick, "whose rules? A nick, a user id or a room is needed")
	}
	before := map[string]roomRules{}
	for _, room := range rooms {
		before[room] = d.roomRules(room)
	}
	dropped, stay, err := drop()
	for _, room := range rooms {
		d.tellRoomRules(room, before[room])
		d.review(room)
	}
	answer := fmt.Sprintf("%d rules of %s are dropped", dropped, of)
	if stay > 0 {
		answer += fmt.Sprintf("; %d private rooms in which somebody talked stay private", stay)
	}
	return answer, err
}

// roomRules is what holds for all in a room.
type roomRules struct {
	private, locked bool
	slow            uint32
}

func (s *Server) roomRules(room string) (r roomRules) {
	r.private, r.locked, r.slow = s.rules.Room(room)
	return r
}

// tellRoomRules lets those in a room know what does not hold there any more.
func (s *Server) tellRoomRules(room string, before roomRules) {
	now, r := s.roomRules(room), s.opened(room)
	if r == nil {
		return
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if before.locked && !now.locked {
		r.event(&protocol.Moderate{Do: protocol.DeedUnlock, Room: room}, "")
	}
	if before.slow > 0 && now.slow == 0 {
		r.event(&protocol.Moderate{Do: protocol.DeedSlow, Room: room}, "")
	}
	if before.private && !now.private {
		r.event(&protocol.Moderate{Do: protocol.DeedPublic, Room: room}, "")
	}
}

// talkLook is how many entries of a room are looked at: one that has more counts as one
// in which somebody talked.
const talkLook = 200

// hasTalk reports whether somebody said anything in a room.
func (s *Server) hasTalk(room string) bool {
	entries, more, err := s.log.Read(context.Background(), roomlog.Range{Room: room, Limit: talkLook, Bytes: 1 << 20})
	for _, e := range entries {
		if e.Kind != protocol.KindDeed && e.Kind != protocol.KindAnnounce {
			return true
		}
	}
	return more || err != nil
}

// nameOf is a user's id, with the nick where there is one.
func (s *Server) nameOf(user protocol.UserID) string {
	s.people.mu.Lock()
	who := s.people.byUser[user]
	s.people.mu.Unlock()
	switch bound := s.log.Nicks(user); {
	case who != nil:
		return user.String() + " " + shownNick(who.name(), who.guest)
	case len(bound) > 0:
		return user.String() + " " + safetext.Line(bound[0].Nick)
	}
	return user.String()
}

func ending(until time.Time) string { return until.Format("2006-01-02 15:04 MST") }

// reclaimEvery is how often rules that serve nobody are looked for: it takes as long as
// asking the log about as many users.
const reclaimEvery = time.Minute

// reclaimRules makes place where a table of the rules is full, and reports whether it
// did. What goes: the rules of rooms that are not there, whose maker is neither known nor
// here, and mutes of those who are neither. deeds is held.
func (s *Server) reclaimRules() bool {
	if time.Since(s.reclaimed) < reclaimEvery {
		return false
	}
	s.reclaimed = time.Now()
	unknown := func(user protocol.UserID) bool {
		return len(s.people.sessions(user)) == 0 && !s.people.isKnown(user)
	}
	gone := func(room string) bool {
		_, kept := s.log.Room(room)
		return !kept && s.opened(room) == nil && room != protocol.DefaultRoom
	}
	n, err := s.rules.Reclaim(gone, unknown)
	if err != nil {
		s.logger.Warn("rules that serve nobody were not dropped", "err", err)
	}
	if n > 0 {
		s.logger.Info("rules that serve nobody are dropped", "rules", n)
	}
	return n > 0
}

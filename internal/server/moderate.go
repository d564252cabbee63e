package server

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"time"

	"lanchat/internal/access"
	"lanchat/internal/safetext"
	"lanchat/protocol"
)

const (
	reasonMax     = 256 // bytes of why somebody is put out
	announceMax   = 1 << 10
	announceEvery = 10 * time.Second
	slowRoomMost  = 24 * time.Hour
	// A guest is another one after each connection, so a mute need not be remembered
	// for longer.
	guestMute = 24 * time.Hour
	// An op is perhaps away when the mute should end, and nobody looks for it.
	opMute = 30 * 24 * time.Hour
)

// moderate carries out a deed. Each is written down before it counts, logged, and told
// in the room that it concerns.
func (ss *session) moderate(m *protocol.Moderate) error {
	ss.waitFor(asking)
	if m.Room != "" {
		if err := ss.access(m.Room); err != nil {
			return err
		}
	}
	do, known := deeds[m.Do]
	if !known {
		return protocol.Errorf(protocol.CodeUnsupported, "this server does not know the deed %.16q", safetext.Line(string(m.Do)))
	}
	if limit := do.text; len(m.Text) > limit {
		return protocol.Errorf(protocol.CodeTooLong, "this text has at most %d bytes here, not %d", limit, len(m.Text))
	}
	s := ss.srv
	if s.rules.Role(ss.person.who(), "") != protocol.RoleAdmin { // who may have much to put right
		ss.waitFor(posting)
	}
	s.deeds.Lock()
	defer s.deeds.Unlock()
	makes := m.Do == protocol.DeedPrivate && !s.exists(m.Room)
	if makes {
		if err := s.mayMakePrivate(ss, m.Room); err != nil {
			return err
		}
	} else if err := s.rules.May(ss.person.who(), m.Do, m.Room); err != nil && (m.Do != protocol.ModDeleteRoom || !ss.mayDeleteOwn(m.Room)) {
		return err
	} else if do.inRoom && !s.exists(m.Room) {
		return errNoRoom
	}
	d := &deed{Server: s, by: ss, m: m, text: safetext.Line(strings.TrimSpace(m.Text)), length: time.Duration(m.For) * time.Second, makes: makes}
	if do.whom {
		var err error
		if d.whom, err = s.subject(m.Who); err != nil {
			return err
		}
	}
	answer, err := do.carryOut(d)
	if full, ok := errors.AsType[*access.FullError](err); ok && full.Table && s.reclaimRules() {
		answer, err = do.carryOut(d)
	}
	if err != nil {
		return err
	}
	logs := s.logSome // anybody may be op of a private room
	if s.rules.Role(ss.person.who(), "") == protocol.RoleAdmin {
		logs = func(level slog.Level, msg string, args ...any) {
			s.logger.Log(context.Background(), level, msg, args...)
		}
	}
	logs(slog.LevelInfo, "a deed", "do", string(m.Do), "by", ss.person.user.String(), "nick", safetext.Line(ss.person.name()),
		"room", m.Room, "who", d.key(), "for", d.length)
	ss.reply(&protocol.Moderate{Ref: m.Ref, Do: m.Do, Room: m.Room, Who: m.Who, For: m.For, Text: answer})
	return nil
}

// mayMakePrivate reports why somebody may not make a private room.
func (s *Server) mayMakePrivate(by *session, room string) error {
	if _, _, direct := protocol.ParseDirectRoom(room); direct || room == "" {
		return protocol.Errorf(protocol.CodeBadRoom, "a private room needs a name")
	}
	if by.person.guest {
		return protocol.Errorf(protocol.CodeForbidden, "a private room takes a key, and guests have none: come with chat join")
	}
	if err := s.mayOpen(room, by); err != nil {
		return err
	}
	return by.mayMake(room)
}

// deed is one deed under way. Server.deeds is held.
type deed struct {
	*Server
	by     *session
	m      *protocol.Moderate
	text   string
	length time.Duration
	whom   subject
	makes  bool // the room is not there yet
}

// deeds says how each deed is carried out; the answer is for people.
var deeds map[protocol.Deed]struct {
	inRoom, whom bool // it concerns a room, a person
	text         int  // bytes of the request's text
	carryOut     func(*deed) (string, error)
}

func init() { // not a literal: carrying out reads the table
	deeds = map[protocol.Deed]struct {
		inRoom, whom bool
		text         int
		carryOut     func(*deed) (string, error)
	}{
		protocol.DeedKick:      {true, true, reasonMax, (*deed).kick},
		protocol.DeedMute:      {true, true, reasonMax, (*deed).mute},
		protocol.DeedUnmute:    {true, true, reasonMax, (*deed).unmute},
		protocol.DeedOp:        {true, true, reasonMax, (*deed).op},
		protocol.DeedDeop:      {true, true, reasonMax, (*deed).op},
		protocol.DeedLock:      {true, false, reasonMax, (*deed).lock},
		protocol.DeedUnlock:    {true, false, reasonMax, (*deed).lock},
		protocol.DeedSlow:      {true, false, reasonMax, (*deed).slow},
		protocol.DeedPrivate:   {true, false, reasonMax, (*deed).private},
		protocol.DeedPublic:    {true, false, reasonMax, (*deed).public},
		protocol.DeedUninvite:  {true, true, reasonMax, (*deed).uninvite},
		protocol.ModInvite:     {true, true, reasonMax, (*deed).invite},
		protocol.ModInvites:    {false, false, reasonMax, (*deed).invites},
		protocol.ModRevoke:     {false, false, reasonMax, (*deed).revoke},
		protocol.ModRules:      {false, false, reasonMax, (*deed).listRules},
		protocol.ModDropRules:  {false, false, reasonMax, (*deed).dropRules},
		protocol.ModDeleteRoom: {true, false, reasonMax, (*deed).deleteRoom},
		protocol.DeedBan:       {false, false, reasonMax, (*deed).ban},
		protocol.DeedUnban:     {false, false, reasonMax, (*deed).unban},
		protocol.DeedBans:      {false, false, 0, (*deed).bans},
		protocol.DeedAnnounce:  {false, false, announceMax, (*deed).announce},
		protocol.ModPurge:      {false, false, 0, (*deed).purge},
		protocol.ModFree:       {false, false, reasonMax, (*deed).free},
	}
}

// key is whom the deed is about, for the server's log.
func (d *deed) key() string {
	if !d.whom.who.User.IsZero() {
		return d.whom.who.User.String()
	}
	return safetext.Line(d.m.Who)
}

// tell says in the deed's room what was done there.
func (d *deed) tell(format string, args ...any) {
	text := fmt.Sprintf(format, args...)
	if d.text != "" {
		text += ": " + d.text
	}
	d.post(d.m.Room, protocol.KindDeed, text)
}

// post puts an entry of the doer's into a room. Nobody waits for it.
func (d *deed) post(room string, kind protocol.Kind, text string) {
	p := d.by.person
	poster := d.log.Poster(func(_ *protocol.Entry, err error) {
		if err != nil {
			d.logger.Error("a deed was done and could not be told", "do", string(d.m.Do), "room", room, "err", err)
		}
	})
	poster.From = d.by.poster.From
	// Its error is that the server stops.
	_ = poster.Submit(protocol.Entry{ID: protocol.NewID(), Room: room, User: p.user, Nick: p.name(), Guest: p.guest, Bot: d.by.bot, Kind: kind, Text: text})
}

// set lets those in the room know what holds there now.
func (d *deed) set() {
	if r := d.opened(d.m.Room); r != nil {
		r.mu.Lock()
		defer r.mu.Unlock()
		r.event(&protocol.Moderate{Do: d.m.Do, Room: d.m.Room, For: d.m.For}, "")
	}
}

// above refuses a deed against somebody who has a role: an op's against an admin, and
// where equals is set anybody's.
func (d *deed) above(equals bool) error {
	switch role := d.rules.Role(d.whom.who, d.m.Room); {
	case d.whom.who.User == d.by.person.user:
		return protocol.Errorf(protocol.CodeForbidden, "that is you")
	case role == protocol.RoleAdmin && (equals || d.rules.Role(d.by.person.who(), "") != protocol.RoleAdmin):
		return protocol.Errorf(protocol.CodeForbidden, "%s is an admin of this server", d.whom.nick)
	case role == protocol.RoleOp && equals:
		return protocol.Errorf(protocol.CodeForbidden, "%s is an op here: deop goes first", d.whom.nick)
	}
	return nil
}

func (d *deed) kick() (string, error) {
	if err := d.above(false); err != nil {
		return "", err
	}
	r := d.opened(d.m.Room)
	text := fmt.Sprintf("%s has put you out for %s", shownNick(d.by.person.name(), false), spoken(kickFor))
	if d.text != "" {
		text += ": " + d.text
	}
	is := func(ss *session) bool { return ss.person.user == d.whom.who.User }
	// Remembered first, so that nobody joins between the two.
	d.kicks.add(time.Now(), d.m.Room, d.whom.who, d.whom.addrs)
	if r == nil || r.putOut(is, text) == 0 {
		d.kicks.forget(d.m.Room, d.whom.who, d.whom.addrs)
		return "", protocol.Errorf(protocol.CodeNotFound, "%s is not in this room", d.whom.nick)
	}
	d.tell("has put %s out", d.whom.nick)
	return d.whom.nick + " is out, and may come again in " + spoken(kickFor), nil
}

func (d *deed) mute() (string, error) {
	if err := d.above(true); err != nil {
		return "", err
	}
	if err := d.mustBeKnown(); err != nil {
		return "", err
	}
	most, hint := time.Duration(0), ""
	switch {
	case d.whom.who.Guest:
		most = guestMute
	case !d.byAdmin():
		most, hint = opMute, "; an op mutes for "+spoken(opMute)+" at most, an admin for as long as needed"
	}
	if most > 0 && (d.length == 0 || d.length > most) {
		d.length = most
	} else {
		hint = ""
	}
	if err := d.made().Mute(d.m.Room, d.whom.who.User, d.until()); err != nil {
		return "", err
	}
	d.tell("has muted %s %s", d.whom.nick, d.forHowLong())
	answer := fmt.Sprintf("%s is muted %s%s", d.whom.nick, d.forHowLong(), hint)
	if d.whom.who.Guest {
		answer += "; a guest who connects anew is another one, whom only a ban stops"
	}
	return answer, nil
}

func (d *deed) unmute() (string, error) {
	if err := d.rules.Unmute(d.m.Room, d.whom.who.User); err != nil {
		return "", err
	}
	d.tell("lets %s speak again", d.whom.nick)
	return d.whom.nick + " may speak again", nil
}

// op makes an op, or ends that.
func (d *deed) op() (string, error) {
	op := d.m.Do == protocol.DeedOp
	switch is := d.rules.Role(d.whom.who, d.m.Room); {
	case d.whom.who.Guest:
		return "", protocol.Errorf(protocol.CodeForbidden, "%s is a guest: an op is known by a key", d.whom.nick)
	case is == protocol.RoleAdmin:
		return "", protocol.Errorf(protocol.CodeForbidden, "%s is an admin of this server, and may what an op may", d.whom.nick)
	case !op && is != protocol.RoleOp:
		return "", protocol.Errorf(protocol.CodeNotFound, "%s is not an op here", d.whom.nick)
	}
	if op {
		if err := d.mustBeKnown(); err != nil {
			return "", err
		}
	}
	if err := d.made().SetOp(d.m.Room, d.whom.who.User, op); err != nil {
		return "", err
	}
	d.review(d.m.Room)
	if op {
		d.tell("has made %s an op of this room", d.whom.nick)
		return d.whom.nick + " is an op of this room", nil
	}
	d.tell("has ended %s's being an op of this room", d.whom.nick)
	ended, err := d.rules.EndInvitations(d.m.Room, d.whom.who.User, d.secret() != nil)
	return d.whom.nick + " is not an op any more" + andEnded(ended), err
}

func (d *deed) lock() (string, error) {
	lock := d.m.Do == protocol.DeedLock
	if err := d.made().SetLocked(d.m.Room, lock); err != nil {
		return "", err
	}
	d.set()
	if lock {
		d.tell("has locked the topic: ops change it")
		return "ops alone change the topic", nil
	}
	d.tell("has unlocked the topic")
	return "everybody may change the topic", nil
}

func (d *deed) slow() (string, error) {
	if d.length > slowRoomMost {
		return "", protocol.Errorf(protocol.CodeLimit, "the most is %s from one message to the next", spoken(slowRoomMost))
	}
	if err := d.made().SetSlow(d.m.Room, d.m.For); err != nil {
		return "", err
	}
	d.set()
	if d.length == 0 {
		d.tell("has ended the slow talk")
		return "this room is not slow any more", nil
	}
	d.tell("has made this a slow room, with %s from one message of yours to the next", spoken(d.length))
	return "a slow room now: " + spoken(d.length) + " from one message of a person to the next", nil
}

func (d *deed) private() (string, error) {
	was, _, _ := d.rules.Room(d.m.Room)
	if d.makes { // the op first: nobody is left without the right, whatever fails
		if err := d.made().SetOp(d.m.Room, d.by.person.user, true); err != nil {
			return "", err
		}
	}
	if err := d.made().SetPrivate(d.m.Room, true); err != nil {
		if d.makes {
			err = errors.Join(err, d.rules.SetOp(d.m.Room, d.by.person.user, false))
		}
		return "", err
	}
	d.settle(d.m.Room, d.by.roomMaker())
	d.set()
	d.review(d.m.Room)
	if d.makes {
		d.tell("has made this private room")
		return "#" + d.m.Room + " is made, and only who is invited knows of it", nil
	}
	ended, err := 0, error(nil)
	if !was {
		ended, err = d.rules.EndInvitations(d.m.Room, protocol.UserID{}, d.secret() != nil)
	}
	d.tell("has made this room private")
	return "#" + d.m.Room + " is private: only its ops and who is invited know of it" + andEnded(ended), err
}

func (d *deed) public() (string, error) {
	if err := d.made().SetPrivate(d.m.Room, false); err != nil {
		return "", err
	}
	d.settle(d.m.Room, d.by.roomMaker())
	d.set()
	d.tell("has made this room public")
	return "#" + d.m.Room + " is public: everybody can read all that was said in it", nil
}

// announce says something in every room that somebody follows or that has entries, but
// in no direct talk.
func (d *deed) announce() (string, error) {
	now := time.Now()
	if d.text == "" {
		return "", protocol.Errorf(protocol.CodeBadText, "what is to be announced?")
	}
	if wait := d.announced.Add(announceEvery).Sub(now); wait > 0 {
		return "", protocol.Errorf(protocol.CodeLimit, "something was announced just now: wait %s", spoken(wait))
	}
	d.announced = now
	rooms := d.everyRoom()
	for _, room := range rooms {
		d.post(room, protocol.KindAnnounce, d.text)
	}
	return fmt.Sprintf("announced in %d rooms", len(rooms)), nil
}

// everyRoom lists the rooms that there are but direct talks; Limits bounds them.
func (s *Server) everyRoom() []string {
	names := map[string]struct{}{protocol.DefaultRoom: {}}
	add := func(name string) {
		if _, _, direct := protocol.ParseDirectRoom(name); !direct {
			names[name] = struct{}{}
		}
	}
	for after, more := "", true; more; {
		page := s.log.Rooms(after, listMax)
		for _, r := range page {
			add(r.Name)
			after = r.Name
		}
		more = len(page) == listMax
	}
	s.roomsMu.RLock()
	defer s.roomsMu.RUnlock()
	for name := range s.rooms {
		add(name)
	}
	return sortedKeys(names)
}

// until is the end of what the deed does; the zero time: it has none.
func (d *deed) until() (end time.Time) {
	if d.length > 0 {
		end = time.Now().Add(d.length)
	}
	return end
}

func (d *deed) forHowLong() string {
	if d.length == 0 {
		return "until that is taken back"
	}
	return "for " + spoken(d.length)
}

// spoken is a length of time in the largest unit that fits.
func spoken(d time.Duration) string {
	d = max(d.Round(time.Second), time.Second)
	day := 24 * time.Hour
	switch {
	case d >= 2*day && d%day == 0:
		return fmt.Sprintf("%d days", d/day)
	case d >= time.Hour && d%time.Hour == 0:
		return fmt.Sprintf("%d h", d/time.Hour)
	case d >= time.Minute && d%time.Minute == 0:
		return fmt.Sprintf("%d min", d/time.Minute)
	case d >= 2*time.Minute:
		return d.String()
	}
	return fmt.Sprintf("%d s", d/time.Second)
}

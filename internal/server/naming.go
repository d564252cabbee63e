package server

import (
	"errors"
	"fmt"
	"strings"
	"time"
	"unicode/utf8"

	"lanchat/internal/nicks"
	"lanchat/internal/roomlog"
	"lanchat/internal/safetext"
	"lanchat/protocol"
)

// checkNick returns a nick as it is to be kept, or why nobody may have it.
func checkNick(nick string) (string, error) {
	if err := protocol.ValidNick(nick); err != nil {
		return "", protocol.Errorf(protocol.CodeBadNick, "%v", err)
	}
	if safetext.Line(nick) != nick {
		return "", protocol.Errorf(protocol.CodeBadNick, "a nick has no characters that cannot be seen")
	}
	nick, err := nicks.Prepare(nick)
	if err == nil {
		err = protocol.ValidNick(nick) // what it was made of may have become longer
	}
	if err == nil {
		err = protocol.ReservedNick(nick)
	}
	if err != nil {
		return "", protocol.Errorf(protocol.CodeBadNick, "%v", err)
	}
	for _, key := range nicks.Keys(nick) {
		if strings.HasPrefix(key, guestKey) {
			return "", protocol.Errorf(protocol.CodeBadNick, "nicks that look like %q are the server's to give", guestPrefix)
		}
	}
	return nick, nil
}

const guestPrefix = "guest-"

var guestKey = nicks.Keys(guestPrefix)[0]

// nextGuest is the nick of somebody who asks for none. naming is held.
func (p *people) nextGuest() string {
	p.guests++
	return fmt.Sprint(guestPrefix, p.guests)
}

// variant gives a person want, or want-2, want-3, … when it is another's.
func (p *people) variant(who *person, want string, by *session) error {
	for n := 1; n <= variants; n++ {
		if err := p.claim(who, variantOf(want, n), by); !errors.Is(err, roomlog.ErrNickTaken) {
			return err
		}
	}
	return protocol.Errorf(protocol.CodeNickTaken, "%s and its variants are taken", want)
}

// variants is how many stand in for a taken nick.
const variants = 1000

// variantOf is the n-th of them; the first is the nick itself.
func variantOf(want string, n int) string {
	if n == 1 {
		return want
	}
	suffix := fmt.Sprint("-", n)
	return cutUTF8(want, protocol.MaxNick-len(suffix)) + suffix
}

// unused is want, or the first of its variants that is nobody's: neither bound to a
// key nor the nick of somebody who is here, nor like one.
func (p *people) unused(want string, user protocol.UserID) (string, error) {
	for n := 1; n <= variants; n++ {
		nick := variantOf(want, n)
		if len(p.holders(nick, user)) > 0 {
			continue
		}
		if owner, bound := p.srv.log.NickOwner(nick); !bound || owner == user {
			return nick, nil
		}
	}
	return "", protocol.Errorf(protocol.CodeNickTaken, "%s and its variants are taken", want)
}

// holders are the people here but one who have a nick, or one that looks like it.
func (p *people) holders(nick string, but protocol.UserID) (holders []*person) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, key := range nicks.Keys(nick) {
		if holder := p.byKey[key]; holder != nil && holder.user != but {
			holders = append(holders, holder)
		}
	}
	return holders
}

func cutUTF8(s string, n int) string {
	if len(s) <= n {
		return s
	}
	for n > 0 && !utf8.RuneStart(s[n]) {
		n--
	}
	return s[:n]
}

// claim gives a person a nick, or fails with roomlog.ErrNickTaken where it is
// another's, or looks like another's: bound to another key, or held by somebody with a
// key who is here. A key takes it from guests, who get numbers instead. naming is
// held. The session by which the person asks is not told: it gets an answer.
func (p *people) claim(who *person, nick string, by *session) error {
	// Who is here is known without asking the log, which is asked last: a name that many
	// want has many variants that are taken.
	holders := p.holders(nick, who.user)
	for _, holder := range holders {
		if who.guest || !holder.guest {
			return roomlog.ErrNickTaken
		}
	}
	owner, bound := p.srv.log.NickOwner(nick)
	if bound && owner != who.user {
		return roomlog.ErrNickTaken
	}
	var since time.Time
	switch {
	case bound:
		var err error
		since, err = p.srv.log.BindNick(nick, who.user, time.Now())
		if err != nil && !errors.Is(err, roomlog.ErrUnavailable) { // on a full disk it stays bound as it was
			return err
		}
		who.known.Store(true)
	case !who.guest && p.srv.log.NickLapsed(nick, who.user):
		since = time.Now()
	}
	if who.bound.Swap(bound) && !bound {
		p.countAnew(who)
	}
	who.setSince(since)
	for _, holder := range holders {
		p.rename(holder, p.nextGuest(), nil)
	}
	p.rename(who, nick, by)
	return nil
}

// countAnew has the time count from now after which a nick is bound.
func (p *people) countAnew(who *person) {
	p.mu.Lock()
	defer p.mu.Unlock()
	who.came = time.Now()
}

// rename sets a person's nick, and lets the person's sessions know, but the one
// that asked. naming is held.
func (p *people) rename(who *person, nick string, by *session) {
	p.mu.Lock()
	defer p.mu.Unlock()
	old := who.name()
	p.forget(who)
	if len(who.sessions) == 0 {
		return // gone meanwhile
	}
	for _, key := range nicks.Keys(nick) {
		p.byKey[key] = who
	}
	who.nick.Store(&nick)
	if old == "" || old == nick {
		return
	}
	for _, ss := range who.sessions {
		if ss != by {
			ss.nickChanged()
		}
	}
}

// forget ends a person's hold on a nick. mu is held.
func (p *people) forget(who *person) {
	for _, key := range nicks.Keys(who.name()) {
		if p.byKey[key] == who {
			delete(p.byKey, key)
		}
	}
}

// setNick is a person's wish for another nick, by one of its sessions.
func (p *people) setNick(ss *session, nick string) error {
	nick, err := checkNick(nick)
	if err != nil {
		return err
	}
	p.naming.Lock()
	defer p.naming.Unlock()
	err = p.claim(ss.person, nick, ss)
	if errors.Is(err, roomlog.ErrNickTaken) {
		return protocol.Errorf(protocol.CodeNickTaken, "%s is taken", nick)
	}
	return err
}

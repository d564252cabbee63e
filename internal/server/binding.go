package server

import (
	"context"
	"errors"
	"log/slog"
	"slices"
	"sync"
	"time"

	"lanchat/internal/roomlog"
	"lanchat/protocol"
)

// A nick is held while its person is connected, and bound to the person's key, so that
// nobody else has it for roomlog.NickExpiry, once the person has posted or was here for
// bindAfter in all. Who only connects leaves nothing behind.

// bindAfter is how long somebody is here, over all connections, before the nick is bound
// without a post.
const bindAfter = 10 * time.Minute

const (
	bindEvery = time.Minute // how often is looked who was here for so long
	maxBinds  = 4_096       // bindings that wait to be written
	maxTouch  = 256         // above so many it is not noted that a nick was used
)

// binder has the nicks that are to be bound. The committer asks for it and does not wait
// for the log; run does.
type binder struct {
	mu    sync.Mutex
	queue []bindRequest
	wake  chan struct{}
}

// bindRequest is a person whose nick is to be bound, or noted as used. Limits.BindRate is
// paid.
type bindRequest struct {
	who    *person
	by     *session
	refund func()
}

// bindNick has the nick of a session's person bound soon, unless too many were bound of
// this address: then the person goes on under the nick, and is asked for again after the
// next post. It does not wait.
func (p *people) bindNick(ss *session) {
	who, now := ss.person, time.Now()
	if who.guest || who.bound.Load() || now.UnixNano() < who.bindAt.Load() || !who.binding.CompareAndSwap(false, true) {
		return
	}
	refund := func() {}
	if !ownHost(ss.addr.Unmap()) {
		b := &ss.link.share.allowance[binding]
		if wait := b.try(now, p.srv.limits.pace(binding)); wait > 0 {
			p.srv.stats.reached(limitBindings)
			who.bindAt.Store(now.Add(wait).UnixNano())
			who.binding.Store(false)
			return
		}
		refund = b.giveBack
	}
	if !p.binds.add(bindRequest{who, ss, refund}, maxBinds) {
		p.srv.stats.reached(limitBindings)
		refund()
		who.binding.Store(false)
	}
}

// touchNick has it noted that somebody who leaves was here under a bound nick until now.
// When the server stops, or where many leave at once, it is not: the log has more to do.
func (p *people) touchNick(ss *session) {
	if !p.srv.isStopped() && ss.person.binding.CompareAndSwap(false, true) && !p.binds.add(bindRequest{ss.person, ss, func() {}}, maxTouch) {
		ss.person.binding.Store(false)
	}
}

// add has something bound soon, unless most wait already.
func (b *binder) add(r bindRequest, most int) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	if len(b.queue) >= most {
		return false
	}
	b.queue = append(b.queue, r)
	select {
	case b.wake <- struct{}{}:
	default:
	}
	return true
}

// bindNicks binds what is asked for until ctx ends, and then what was asked for before.
func (p *people) bindNicks(ctx context.Context) {
	tick := time.NewTicker(bindEvery)
	defer tick.Stop()
	for ctx.Err() == nil {
		select {
		case <-p.binds.wake:
		case now := <-tick.C:
			p.bindPresent(now)
		case <-ctx.Done():
		}
		p.binds.mu.Lock()
		queue := p.binds.queue
		p.binds.queue = nil
		p.binds.mu.Unlock()
		for _, b := range queue {
			bound, err := p.bind(b)
			if err != nil && !errors.Is(err, roomlog.ErrNickTaken) {
				p.srv.logSome(slog.LevelWarn, "a nick was not bound", "err", err)
			}
			if !bound {
				b.refund()
			}
			b.who.binding.Store(false)
		}
	}
}

// bindPresent asks for the nicks of those who were here for long enough.
func (p *people) bindPresent(now time.Time) {
	var stayed []*session
	p.mu.Lock()
	for _, who := range p.byUser {
		if !who.guest && !who.bound.Load() && who.share.here+now.Sub(who.came) >= bindAfter {
			stayed = append(stayed, who.sessions[0])
		}
	}
	p.mu.Unlock()
	for _, ss := range stayed {
		p.bindNick(ss)
	}
}

// bind binds a nick, unless it is somebody else's meanwhile. The person may have left.
func (p *people) bind(b bindRequest) (bound bool, err error) {
	who := b.who
	p.naming.Lock()
	defer p.naming.Unlock()
	nick := who.name()
	if who.bound.Load() { // the person has left; unless somebody else has the nick now, it is used
		if owner, bound := p.srv.log.NickOwner(nick); bound && owner == who.user {
			_, err = p.srv.log.BindNick(nick, who.user, time.Now())
		}
		return false, err
	}
	if nick == "" || p.srv.rules.Enters(who.user, b.by.addr) != nil {
		return false, nil
	}
	for _, holder := range p.holders(nick, who.user) {
		if !holder.guest {
			return false, nil
		}
	}
	since, err := p.srv.log.BindNick(nick, who.user, time.Now())
	if err != nil {
		return false, err
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	who.belongs(since)
	if now := p.byUser[who.user]; now != nil && now.name() == nick { // by another connection
		now.belongs(since)
	}
	return true, nil
}

// belongs notes that the person's nick is bound to the person's key, and since when it is
// no other one's.
func (p *person) belongs(since time.Time) {
	p.bound.Store(true)
	p.known.Store(true)
	p.setSince(since)
}

func (p *person) setSince(since time.Time) {
	changed := int64(0)
	if !since.IsZero() {
		changed = since.Unix()
	}
	p.since.Store(changed)
}

// isKnown reports whether a user with a key is known: a nick is bound to the key. The user
// need not be connected.
func (p *people) isKnown(user protocol.UserID) bool {
	p.mu.Lock()
	who := p.byUser[user]
	p.mu.Unlock()
	if who != nil {
		return who.known.Load()
	}
	return len(p.srv.log.Nicks(user)) > 0
}

// unbind ends the bindings of all nicks of a user.
func (p *people) unbind(user protocol.UserID) (freed []string, err error) {
	p.naming.Lock()
	defer p.naming.Unlock()
	return p.unbindNick("", user)
}

// unbindNick ends the binding of a nick, or with nick "" of all nicks, to a user. naming
// is held.
func (p *people) unbindNick(nick string, user protocol.UserID) (freed []string, err error) {
	freed, err = p.srv.log.UnbindNick(nick, user)
	if err != nil || len(freed) == 0 {
		return nil, err
	}
	known := len(p.srv.log.Nicks(user)) > 0
	p.mu.Lock()
	defer p.mu.Unlock()
	if who := p.byUser[user]; who != nil {
		who.known.Store(known)
		if slices.Contains(freed, who.name()) {
			who.bound.Store(false)
			who.came = time.Now()
		}
	}
	return freed, nil
}

// free takes a nick from whom it is bound to, and from who holds it, if somebody does.
func (p *people) free(nick string) (freed []string, held string, err error) {
	p.naming.Lock()
	defer p.naming.Unlock()
	if owner, bound := p.srv.log.NickOwner(nick); bound && !owner.IsZero() {
		if freed, err = p.unbindNick(nick, owner); err != nil {
			return nil, "", err
		}
	}
	for _, holder := range p.holders(nick, protocol.UserID{}) {
		if err := p.giveVariant(holder); err != nil {
			return freed, "", err
		}
		held = shownNick(holder.name(), holder.guest)
	}
	return freed, held, nil
}

// giveVariant gives a person a free variant of the nick in place of it, and a guest a
// number. naming is held.
func (p *people) giveVariant(who *person) error {
	if who.guest {
		p.rename(who, p.nextGuest(), nil)
		return nil
	}
	nick := who.name()
	for n := 2; n <= variants; n++ {
		if err := p.claim(who, variantOf(nick, n), nil); !errors.Is(err, roomlog.ErrNickTaken) {
			return err
		}
	}
	return protocol.Errorf(protocol.CodeNickTaken, "the variants of %s are taken", nick)
}

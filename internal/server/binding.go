package server

import (
	"context"
	"errors"
	"log/slog"
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
)

// binder has the nicks that are to be bound. The committer asks for it and does not wait
// for the log; run does.
type binder struct {
	mu    sync.Mutex
	queue []bindRequest
	wake  chan struct{}
}

// bindRequest is a person whose nick is to be bound. Limits.BindRate is paid.
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
	p.binds.mu.Lock()
	full := len(p.binds.queue) >= maxBinds
	if !full {
		p.binds.queue = append(p.binds.queue, bindRequest{who, ss, refund})
	}
	p.binds.mu.Unlock()
	if full {
		p.srv.stats.reached(limitBindings)
		refund()
		who.binding.Store(false)
		return
	}
	select {
	case p.binds.wake <- struct{}{}:
	default:
	}
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
	if who.bound.Load() || nick == "" || p.srv.rules.Enters(who.user, b.by.addr) != nil {
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

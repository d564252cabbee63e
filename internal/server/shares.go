package server

import (
	"maps"
	"math"
	"slices"
	"sync"
	"time"

	"lanchat/protocol"
)

// action is something that people may do only so often.
type action int

const (
	posting      action = iota
	volume              // bytes of posts
	daily               // bytes of posts, in the course of a day
	asking              // requests of every kind that is not here
	paging              // joins, pages of history, lists of people and of rooms
	searching           //
	renaming            // changes of nick
	making              // of rooms
	arriving            // of connections
	openingKnown        // of direct talks with somebody, by all who are known
	openingFresh        // the same, by all who are fresh
	binding             // of nicks
	actions
)

// exceeded is the limit that is reached by an action too many.
var exceeded = [actions]limit{limitPosts, limitPostBytes, limitDayBytes, limitRequests, limitPages, limitSearches, limitNicks, limitNewRooms, limitArrivals, limitKnownDirects, limitFreshDirects, limitBindings}

// allowance is what somebody may still do. The mu of posting guards volume and daily as
// well, as long as somebody may post.
type allowance [actions]bucket

// post takes a post of so many bytes, 0: what is no entry but costs as much. It returns how
// long to wait before it may be made, and for what.
func (a *allowance) post(now time.Time, p *postPaces, bytes int) (wait time.Duration, why action) {
	a[posting].mu.Lock()
	defer a[posting].mu.Unlock()
	for kind, tokens := range [...]int{posting: 1, volume: bytes, daily: bytes} {
		if tokens == 0 {
			continue
		}
		b := &a[kind]
		b.fill(now, p[kind])
		b.tokens -= float64(tokens)
		if debt := b.debt(0, p[kind]); debt > wait {
			wait, why = debt, action(kind)
		}
	}
	return wait, why
}

// refund returns what a post took that was not made.
func (a *allowance) refund(bytes int) {
	a[posting].mu.Lock()
	defer a[posting].mu.Unlock()
	a[posting].tokens++
	a[volume].tokens += float64(bytes)
	a[daily].tokens += float64(bytes)
}

// isOverDay reports whether more than the day's bytes are used up.
func (a *allowance) isOverDay(now time.Time, p *postPaces) bool {
	a[posting].mu.Lock()
	defer a[posting].mu.Unlock()
	a[daily].fill(now, p[daily])
	return a[daily].tokens < 0
}

func (a *allowance) unused(now time.Time, l *Limits, people int) bool {
	for kind := range a {
		pace := l.pace(action(kind))
		if kind := action(kind); kind != arriving && kind != binding { // those are an address's own
			pace = pace.times(people)
		}
		if !a[kind].full(now, pace) {
			return false
		}
	}
	return true
}

// share is what a user, or an address, has of the server. It outlives the connections
// while something of it is used up: who connects again has no more than before.
type share struct {
	allowance
	guests allowance // of an address: what its guests have; the others have the first
	// here is how long a user was here in all while the nick was not bound. Guarded by
	// people.mu.
	here time.Duration

	// Guarded by the mu of shares.
	users      int // how many hold it
	last       time.Time
	handshakes int
	waiting    []chan struct{} // for the end of another handshake, the first first
}

// shares keeps the shares of users, or of addresses. Those that nobody holds and
// of which something is used up are at most sharesKept; above it those are forgotten
// that were left first.
type shares[K comparable] struct {
	people int // whose rates one share has
	limits *Limits

	mu    sync.Mutex
	known map[K]*share
	idle  int // of them, those that nobody holds
}

const sharesKept = 4_096

// slowAgain is when a session is told slow again that still waits.
const slowAgain = 30 * time.Second

// hold returns the share of k, unless most hold it already; drop is to be called for
// each.
func (t *shares[K]) hold(k K, most int) *share {
	t.mu.Lock()
	defer t.mu.Unlock()
	one := t.known[k]
	switch {
	case one == nil:
		if t.known == nil {
			t.known = map[K]*share{}
		}
		one = &share{}
		t.known[k] = one
	case one.users >= most:
		return nil
	case one.users == 0:
		t.idle--
	}
	one.users++
	return one
}

func (t *shares[K]) drop(k K) {
	t.mu.Lock()
	defer t.mu.Unlock()
	one := t.known[k]
	if one.users--; one.users > 0 {
		return
	}
	now := time.Now()
	if t.unused(one, now) {
		delete(t.known, k)
		return
	}
	one.last = now
	if t.idle++; t.idle > sharesKept {
		t.sweep(now)
	}
}

func (t *shares[K]) unused(one *share, now time.Time) bool {
	return one.here == 0 && one.unused(now, t.limits, t.people) && one.guests.unused(now, t.limits, t.people)
}

// sweep forgets what makes no difference, and where that is too little the eighth that
// was left first, so that it is not done each time. mu is held.
func (t *shares[K]) sweep(now time.Time) {
	maps.DeleteFunc(t.known, func(_ K, one *share) bool { return one.users == 0 && t.unused(one, now) })
	var idle []K
	for k, one := range t.known {
		if one.users == 0 {
			idle = append(idle, k)
		}
	}
	if len(idle) > sharesKept*7/8 {
		slices.SortFunc(idle, func(a, b K) int { return t.known[a].last.Compare(t.known[b].last) })
		for _, k := range idle[:len(idle)-sharesKept*7/8] {
			delete(t.known, k)
		}
		idle = idle[len(idle)-sharesKept*7/8:]
	}
	t.idle = len(idle)
}

// allowances are what the session's user has, and what all of the address have. This
// host's own address has no bound of its own: see ownHost.
func (ss *session) allowances() (own, common *allowance) {
	own = ss.person.own
	if ownHost(ss.addr.Unmap()) {
		return own, nil
	}
	if ss.person.guest {
		return own, &ss.link.share.guests
	}
	return own, &ss.link.share.allowance
}

// waitFor lets the session wait until it may do something. What it has sent
// waits too, so that order holds, but for pings: see readAhead.
func (ss *session) waitFor(a action) {
	if a == posting {
		ss.waitToPost(0)
		return
	}
	now := time.Now()
	own, common := ss.allowances()
	wait := own[a].take(now, ss.srv.limits.pace(a))
	if common != nil {
		wait = max(wait, common[a].take(now, ss.srv.limits.shared(a)))
	}
	ss.delay(now, wait, a)
}

// waitToPost lets the session wait until it may post so many bytes. It is false where the
// session has ended meanwhile: nobody would hear of the post then.
func (ss *session) waitToPost(bytes int) bool {
	now := time.Now()
	own, common := ss.allowances()
	paces, shared := ss.postPaces()
	wait, why := own.post(now, &paces, bytes)
	if common != nil {
		if together, of := common.post(now, &shared, bytes); together > wait {
			wait, why = together, of
		}
	}
	if ss.delay(now, wait, why) {
		return true
	}
	own.refund(bytes)
	if common != nil {
		common.refund(bytes)
	}
	return false
}

// postPaces are those of the session's user, and those of all of the address.
func (ss *session) postPaces() (own, shared postPaces) {
	l := &ss.srv.limits
	return l.postPaces(ss.person.known.Load(), 1), l.postPaces(!ss.person.guest, l.AddressShare)
}

// isOverDay reports whether the user, or the address, has posted more than the bytes of
// a day.
func (ss *session) isOverDay() bool {
	now := time.Now()
	own, common := ss.allowances()
	paces, shared := ss.postPaces()
	return own.isOverDay(now, &paces) || common != nil && common.isOverDay(now, &shared)
}

// delay lets the session wait, and tells it so. It is false where the session has ended
// meanwhile.
func (ss *session) delay(now time.Time, wait time.Duration, why action) bool {
	if wait <= 0 {
		return true
	}
	stats := &ss.srv.stats
	stats.reached(exceeded[why])
	ss.srv.pressure.note(ss.link.from, ss.postTo)
	ss.readAhead()
	stats.slowed.Add(1)
	defer stats.slowed.Add(-1)
	for until := now.Add(wait); wait > 0; wait = time.Until(until) {
		if now = time.Now(); now.Sub(ss.slowed) > time.Second {
			ss.slowed = now
			ss.reply(&protocol.Slow{Why: "rate", For: uint32(min(max(wait.Milliseconds(), 1), math.MaxUint32))})
		}
		timer := time.NewTimer(min(wait, slowAgain))
		select {
		case <-timer.C:
		case <-ss.ended:
			timer.Stop()
			return false
		}
	}
	return true
}

// isBusy reports whether much comes from this user just now, or from the address: posts,
// or new connections. A tenth of what may come at once is much.
func (ss *session) isBusy() bool {
	now := time.Now()
	l := &ss.srv.limits
	own, common := ss.allowances()
	return own[posting].used(now, l.pace(posting)) || common != nil &&
		(common[posting].used(now, l.shared(posting)) || ss.link.share.allowance[arriving].used(now, l.pace(arriving)))
}

// charge has the session pay for what it was given at once: its next request waits.
func (ss *session) charge(a action, times int) {
	now := time.Now()
	own, common := ss.allowances()
	for range times {
		own[a].take(now, ss.srv.limits.pace(a))
		if common != nil {
			common[a].take(now, ss.srv.limits.shared(a))
		}
	}
}

// mayNow says how long the session may not yet do something; 0: it counts as done.
func (ss *session) mayNow(a action) time.Duration {
	own, common := ss.allowances()
	return ss.may(a, own, common)
}

// mayRename is mayNow for a change of nick. The first nick of somebody on plain lines is
// the one that a hello would have had, which the connection has paid for: it does not
// count among the changes of all guests of the address.
func (ss *session) mayRename() time.Duration {
	own, common := ss.allowances()
	if ss.unnamed {
		common = nil
	}
	return ss.may(renaming, own, common)
}

func (ss *session) may(a action, own, common *allowance) time.Duration {
	now := time.Now()
	wait := own[a].try(now, ss.srv.limits.pace(a))
	if wait == 0 && common != nil {
		if wait = common[a].try(now, ss.srv.limits.shared(a)); wait > 0 {
			own[a].giveBack()
		}
	}
	if wait > 0 {
		ss.srv.stats.reached(exceeded[a])
		ss.srv.pressure.note(ss.link.from, "")
	}
	return wait
}

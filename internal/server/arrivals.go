package server

import (
	"net/netip"
	"slices"
	"strings"
	"sync"
	"time"

	"lanchat/internal/access"
	"lanchat/internal/nicks"
	"lanchat/protocol"
)

// arrival is a user who was not known, posting from an address under a nick.
type arrival struct {
	at    time.Time
	addr  netip.Addr
	user  protocol.UserID
	guest bool
	nick  string
}

// arrivals remembers who has posted in the last hour without being known: a guest is another
// user with each connection, and whoever connects again and again has a new key each time.
// It is how an admin finds what they posted; who posts nothing takes no place in it. Above
// arrivalsKept the oldest are forgotten.
type arrivals struct {
	mu   sync.Mutex
	list []arrival // the newest last
}

// note remembers a session's user, who is about to post, if that is not known. It does so
// once for each nick, and again as long as the user goes on. Only the session's reader calls it.
func (a *arrivals) note(ss *session) {
	p := ss.person
	if p.known.Load() {
		return
	}
	one := arrival{time.Now(), ss.addr.WithZone(""), p.user, p.guest, p.name()}
	if ss.noted.nick == one.nick && one.at.Sub(ss.noted.at) < arrivalsFor/4 {
		return
	}
	ss.noted.nick, ss.noted.at = one.nick, one.at
	a.mu.Lock()
	defer a.mu.Unlock()
	if len(a.list) >= arrivalsKept {
		a.list = append(a.list[:0], a.list[arrivalsKept/8:]...)
	}
	a.list = append(a.list, one)
}

// recent returns those of the last hour, the newest last.
func (a *arrivals) recent(now time.Time) []arrival {
	a.mu.Lock()
	defer a.mu.Unlock()
	at := slices.IndexFunc(a.list, func(one arrival) bool { return now.Sub(one.at) < arrivalsFor })
	if at < 0 {
		return nil
	}
	return slices.Clone(a.list[at:])
}

// called returns the newest of the last hour with a nick.
func (a *arrivals) called(nick string, now time.Time) (arrival, bool) {
	wanted := nicks.Keys(strings.TrimLeft(nick, "@~"))
	return a.newest(now, func(one arrival) bool {
		return slices.ContainsFunc(nicks.Keys(one.nick), func(k string) bool { return slices.Contains(wanted, k) })
	})
}

// newest returns the newest of the last hour that is wanted.
func (a *arrivals) newest(now time.Time, wanted func(arrival) bool) (arrival, bool) {
	for _, one := range slices.Backward(a.recent(now)) {
		if wanted(one) {
			return one, true
		}
	}
	return arrival{}, false
}

func (one arrival) subject() subject {
	return subject{who: access.Who{User: one.user, Guest: one.guest}, nick: shownNick(one.nick, one.guest), addrs: []netip.Addr{one.addr}}
}

package server

import (
	"net/netip"
	"slices"
	"sync"
	"time"

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

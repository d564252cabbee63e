package server

import (
	"net/netip"
	"slices"
	"sync"
	"time"

	"lanchat/protocol"
)

// arrival is a user who was not known, coming from an address under a nick.
type arrival struct {
	at    time.Time
	addr  netip.Addr
	user  protocol.UserID
	guest bool
	nick  string
}

// arrivals remembers who has come in the last hour without being known: a guest is another
// user with each connection, and whoever connects again and again has a new key each time.
// It is how an admin finds what they posted. Above arrivalsKept the oldest are forgotten.
type arrivals struct {
	mu   sync.Mutex
	list []arrival // the newest last
}

// note remembers a session's user, if that is not known.
func (a *arrivals) note(ss *session) {
	p := ss.person
	if p.known.Load() {
		return
	}
	one := arrival{time.Now(), ss.addr.WithZone(""), p.user, p.guest, p.name()}
	a.mu.Lock()
	defer a.mu.Unlock()
	if n := len(a.list); n > 0 && a.list[n-1].user == one.user && a.list[n-1].nick == one.nick && a.list[n-1].addr == one.addr {
		return
	}
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

package discovery

import (
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"sync"
	"time"
)

// Stats counts what happened since the start. It is there to explain why a
// server is not seen; nothing in the package acts on it.
type Stats struct {
	Sent       uint64 // datagrams given to the system
	SendFailed uint64 // datagrams that it refused, such as on a network without a route
	Received   uint64 // datagrams, of any kind
	Malformed  uint64 // ignored: ErrMalformed
	Version    uint64 // ignored: ErrVersion
	Unknown    uint64 // skipped: ErrUnknownType
	Foreign    uint64 // ignored: by an interface not in use, or from outside its network
	Limited    uint64 // ignored: over a limit of rate or room
	Answered   uint64 // queries that got an answer by unicast

	// Links are the interfaces and addresses in use, as "eth0 10.77.0.1/24".
	Links []string
	// Trouble is the last error of each thing that failed and has not worked
	// since, such as sending by one interface; at most 64.
	Trouble []Trouble
}

// Trouble is one thing that fails.
type Trouble struct {
	What string // such as "send by eth0 to 255.255.255.255:25252", "answer by eth0"
	Err  error
	At   time.Time
}

const maxTrouble = 64

// tally is the live Stats. All methods may be called by several goroutines.
type tally struct {
	mu    sync.Mutex
	stats Stats
	log   *slog.Logger
}

func (t *tally) snapshot() Stats {
	t.mu.Lock()
	defer t.mu.Unlock()
	s := t.stats
	s.Links = slices.Clone(s.Links)
	s.Trouble = slices.Clone(s.Trouble)
	return s
}

func (t *tally) count(which func(*Stats) *uint64) {
	t.mu.Lock()
	defer t.mu.Unlock()
	*which(&t.stats)++
}

func received(s *Stats) *uint64  { return &s.Received }
func foreign(s *Stats) *uint64   { return &s.Foreign }
func throttled(s *Stats) *uint64 { return &s.Limited }
func answered(s *Stats) *uint64  { return &s.Answered }

// refused counts a datagram that Parse did not take.
func (t *tally) refused(err error) {
	switch {
	case errors.Is(err, ErrVersion):
		t.count(func(s *Stats) *uint64 { return &s.Version })
	case errors.Is(err, ErrUnknownType):
		t.count(func(s *Stats) *uint64 { return &s.Unknown })
	default:
		t.count(func(s *Stats) *uint64 { return &s.Malformed })
	}
}

// usable notes the links in use.
func (t *tally) usable(links []link) {
	names := make([]string, len(links))
	for i, l := range links {
		names[i] = l.name + " " + l.addr.String()
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	t.stats.Links = names
}

// outcome notes that something failed, or with a nil err that it works. Only
// the first failure of each is logged: an interface that is down would else
// write a line a beacon.
func (t *tally) outcome(what string, err error) {
	t.mu.Lock()
	isNew := t.note(what, err)
	t.mu.Unlock()
	if isNew {
		t.log.Warn("discovery", "failed", what, "err", err)
	}
}

// wrote notes how sending one datagram went. what is only called where there is
// trouble to note or to clear.
func (t *tally) wrote(err error, what func() string) {
	t.mu.Lock()
	if err == nil {
		t.stats.Sent++
	} else {
		t.stats.SendFailed++
	}
	quiet := err == nil && len(t.stats.Trouble) == 0
	t.mu.Unlock()
	if !quiet {
		t.outcome(what(), err)
	}
}

// note does the work of outcome under the lock, and reports whether the trouble
// is new.
func (t *tally) note(what string, err error) bool {
	list := t.stats.Trouble
	at := slices.IndexFunc(list, func(tr Trouble) bool { return tr.What == what })
	switch {
	case err == nil && at >= 0:
		t.stats.Trouble = slices.Delete(list, at, at+1)
	case err == nil:
	case at >= 0:
		list[at].Err, list[at].At = err, time.Now()
	case len(list) < maxTrouble:
		t.stats.Trouble = append(list, Trouble{what, err, time.Now()})
		return true
	}
	return false
}

// last is the most recent trouble as an error, or nil.
func (t *tally) last() error {
	t.mu.Lock()
	defer t.mu.Unlock()
	if len(t.stats.Trouble) == 0 {
		return nil
	}
	newest := slices.MaxFunc(t.stats.Trouble, func(a, b Trouble) int { return a.At.Compare(b.At) })
	return fmt.Errorf("%s: %w", newest.What, newest.Err)
}

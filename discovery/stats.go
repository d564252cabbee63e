package discovery

import (
	"errors"
	"fmt"
	"log/slog"
	"net/netip"
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
	Forged     uint64 // contradict what the same run of a server said before; listed as another server
	Answered   uint64 // queries that got an answer by unicast
	Woken      uint64 // times that this host slept

	// Links are the interfaces and addresses in use, as "eth0 10.77.0.1/24".
	Links []string
	// Interfaces tell what went out and came in by each of those in use, in the
	// order of Links.
	Interfaces []InterfaceStats
	// ReceiveBuffer is how many bytes the system keeps of what was not read yet,
	// for the socket that hears the answers or the queries; 0: it does not tell.
	ReceiveBuffer int
	// Trouble is the last error of each thing that failed and has not worked
	// since, such as sending by one interface; at most 64.
	Trouble []Trouble
}

// InterfaceStats is what happened by one interface while it was in use.
type InterfaceStats struct {
	Name       string
	Index      int
	Addrs      []netip.Prefix // of this host
	Targets    []netip.Addr   // where queries go to; beacons to those of them that reach everybody
	Running    bool           // the system sees a carrier
	Sent       uint64
	SendFailed uint64
	Heard      uint64    // well-formed packets of others, from within its network
	Last       time.Time // of Heard
	// Own counts packets of our own that came back: that everybody on this
	// interface, this host too, hears what is sent. It stays 0 where the system
	// lets no broadcast back, or this host's firewall drops them.
	Own uint64
}

// Trouble is one thing that fails.
type Trouble struct {
	What      string // such as "send by eth0 to 255.255.255.255:25252", "answer by eth0"
	Interface string // empty: of none in particular
	Err       error
	At        time.Time
}

const maxTrouble = 64

// tally is the live Stats. All methods may be called by several goroutines.
type tally struct {
	mu    sync.Mutex
	stats Stats
	at    map[string]int // index into stats.Interfaces, by name
	log   *slog.Logger
	watch *watcher // nil: nobody watches
}

func (t *tally) snapshot() Stats {
	t.mu.Lock()
	defer t.mu.Unlock()
	s := t.stats
	s.Links = slices.Clone(s.Links)
	s.Trouble = slices.Clone(s.Trouble)
	s.Interfaces = slices.Clone(s.Interfaces)
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
func woken(s *Stats) *uint64     { return &s.Woken }

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

// contradicted notes a packet that says something else of a server than before. It is logged once: more of
// them are the same attempt.
func (t *tally) contradicted(s sighted) {
	t.mu.Lock()
	t.stats.Forged++
	first := t.stats.Forged == 1
	t.mu.Unlock()
	if first {
		t.log.Warn("discovery: a packet contradicts what a server said before; somebody may be forging them",
			"from", s.from, "interface", s.by)
	}
}

// usable notes the links in use. What failed on others is forgotten.
func (t *tally) usable(links []link) {
	t.mu.Lock()
	defer t.mu.Unlock()
	was := t.stats.Interfaces
	t.stats.Links, t.stats.Interfaces = make([]string, 0, len(links)), nil
	at := map[string]int{}
	for _, l := range links {
		t.stats.Links = append(t.stats.Links, l.name+" "+l.addr.String())
		i, known := at[l.name]
		if !known {
			i = len(t.stats.Interfaces)
			at[l.name] = i
			t.stats.Interfaces = append(t.stats.Interfaces, InterfaceStats{Name: l.name, Index: l.index, Running: l.running})
		}
		s := &t.stats.Interfaces[i]
		s.Addrs = append(s.Addrs, l.addr)
		for _, to := range l.targets() {
			if !slices.Contains(s.Targets, to) {
				s.Targets = append(s.Targets, to)
			}
		}
	}
	for _, old := range was {
		if i, still := at[old.Name]; still && t.stats.Interfaces[i].Index == old.Index {
			s := &t.stats.Interfaces[i]
			s.Sent, s.SendFailed, s.Heard, s.Last, s.Own = old.Sent, old.SendFailed, old.Heard, old.Last, old.Own
		}
	}
	t.stats.Trouble = slices.DeleteFunc(t.stats.Trouble, func(tr Trouble) bool {
		_, still := at[tr.Interface]
		return tr.Interface != "" && !still
	})
	t.at = at
}

// by is what is counted for an interface, nil for one not in use. The caller
// holds the lock.
func (t *tally) by(name string) *InterfaceStats {
	if i, ok := t.at[name]; ok {
		return &t.stats.Interfaces[i]
	}
	return nil
}

// came notes a packet that came by an interface in use.
func (t *tally) came(name string, own bool, now time.Time) {
	t.mu.Lock()
	defer t.mu.Unlock()
	switch s := t.by(name); {
	case s == nil:
	case own:
		s.Own++
	default:
		s.Heard++
		s.Last = now
	}
}

// opened notes what receive buffer the main socket has.
func (t *tally) opened(conn packetConn) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.stats.ReceiveBuffer = conn.buffer()
}

// outcome notes that something failed, or with a nil err that it works. Only
// the first failure of each is logged: an interface that is down would else
// write a line a beacon. by is the interface that it is about, if any.
func (t *tally) outcome(what, by string, err error) {
	if t.quietly(what, by, err) {
		t.log.Warn("discovery", "failed", what, "err", err)
	}
}

// quietly is outcome without the log, for what is told in another way.
func (t *tally) quietly(what, by string, err error) (isNew bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.note(what, by, err)
}

// wrote notes how sending one datagram went. what is only called where there is
// trouble to note or to clear.
func (t *tally) wrote(err error, by string, what func() string) {
	t.mu.Lock()
	s := t.by(by)
	if s == nil {
		s = new(InterfaceStats)
	}
	if err == nil {
		t.stats.Sent++
		s.Sent++
	} else {
		t.stats.SendFailed++
		s.SendFailed++
	}
	quiet := err == nil && len(t.stats.Trouble) == 0
	t.mu.Unlock()
	if !quiet {
		t.outcome(what(), by, err)
	}
}

// note does the work of outcome under the lock, and reports whether the trouble
// is new.
func (t *tally) note(what, by string, err error) bool {
	list := t.stats.Trouble
	at := slices.IndexFunc(list, func(tr Trouble) bool { return tr.What == what })
	switch {
	case err == nil && at >= 0:
		t.stats.Trouble = slices.Delete(list, at, at+1)
	case err == nil:
	case at >= 0:
		list[at].Err, list[at].At = err, time.Now()
	case len(list) < maxTrouble:
		t.stats.Trouble = append(list, Trouble{what, by, err, time.Now()})
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

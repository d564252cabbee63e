package identity

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"
)

const (
	// MaxPins is how many servers are remembered. Above it, the one not met for the
	// longest time is forgotten.
	MaxPins = 1000
	// MaxAddrs is how many addresses are remembered for each server.
	MaxAddrs = 4

	maxPinName = 320 // bytes: a server's name has 63, a host's with a port 259
	maxAddr    = 320 // bytes: a host's name with a port 259, an IPv6 address with a zone less

	// seenStep is how old the noted time of a meeting may be before it is written
	// anew: a client that reconnects every second should not write every second.
	seenStep = time.Hour
)

// ErrNotPinned means that no key is known for a name.
var ErrNotPinned = errors.New("identity: no key is known by this name")

// Pin is what is known of one server.
type Pin struct {
	Name  string      `json:"name"`            // as it was written when first met
	Key   Fingerprint `json:"key"`             // of its certificate
	Addrs []string    `json:"addrs,omitempty"` // where it was reached, the last one first, at most MaxAddrs
	First time.Time   `json:"first_seen"`
	Last  time.Time   `json:"last_seen"` // to within an hour
}

// Pins is the file in which a client remembers the servers that it has met: which
// key each name had. Names are compared without regard to case (strings.EqualFold).
//
// Nothing is kept in memory. Each call reads the file, and those that change it do
// so under a lock, so that any number of goroutines and processes may call all
// methods at once, on one Pins or several, without losing each other's changes. A
// call takes a millisecond or two, more where it writes.
//
// A file that is damaged is never replaced: every call fails until a person has
// looked at it, since starting anew would accept any key for any name.
//
// Names come from other people. They are accepted with whatever letters they have,
// except for control characters; whoever shows one cleans it first.
type Pins struct {
	path string
	now  func() time.Time
}

// OpenPins gives the pins kept in the file at path, which need not exist yet. It
// fails if the file is there and cannot be read or understood.
func OpenPins(path string) (*Pins, error) {
	p := &Pins{path: path, now: time.Now}
	if _, err := p.read(); err != nil {
		return nil, err
	}
	return p, nil
}

// Verify gives a check for [Identity.ClientTLS] and [GuestTLS]. It refuses, with a
// [*ChangedError], a key that is not the one known by the name, and accepts any key
// for a name that is not known. It writes nothing down: see [Pins.Check].
func (p *Pins) Verify(name string) func(Fingerprint) error {
	return func(key Fingerprint) error {
		pin, known, err := p.Lookup(name)
		if err != nil {
			return err
		}
		if known && pin.Key != key {
			return &ChangedError{Name: name, Old: pin.Key, New: key}
		}
		return nil
	}
}

// Check compares a key with the one known by the name. A name that is not known is
// pinned to the key, and first is true. For a known name the error is nil if the key
// is the same, and a [*ChangedError] if it is not; then nothing changes.
//
// Call it only with a key that was proved, after the handshake.
//
// That a known server was met again is noted as well as possible: if the file cannot
// be written, talking to it works all the same.
func (p *Pins) Check(name string, key Fingerprint) (first bool, err error) {
	known, found, err := p.Lookup(name)
	if err != nil {
		return false, err
	}
	if found && known.Key != key {
		return false, &ChangedError{Name: name, Old: known.Key, New: key}
	}
	now := p.now().UTC().Truncate(time.Second)
	if found && now.Sub(known.Last).Abs() < seenStep {
		return false, nil
	}
	err = p.update(func(pins []Pin) ([]Pin, error) {
		i := find(pins, name)
		switch {
		case i < 0:
			first = true
			return append(pins, Pin{Name: name, Key: key, First: now, Last: now}), nil
		case pins[i].Key != key: // pinned by somebody else since we looked
			return nil, &ChangedError{Name: name, Old: pins[i].Key, New: key}
		}
		pins[i].Last = now
		return pins, nil
	})
	if err == nil {
		return first, nil
	}
	if _, changed := errors.AsType[*ChangedError](err); found && !changed {
		return false, nil // only the time of the meeting could not be noted
	}
	return false, err
}

// Lookup gives what is known by a name.
func (p *Pins) Lookup(name string) (Pin, bool, error) {
	if err := checkName(name); err != nil {
		return Pin{}, false, err
	}
	pins, err := p.read()
	if err != nil {
		return Pin{}, false, err
	}
	i := find(pins, name)
	if i < 0 {
		return Pin{}, false, nil
	}
	return pins[i], true, nil
}

// All gives everything that is known, by name.
func (p *Pins) All() ([]Pin, error) {
	pins, err := p.read()
	if err != nil {
		return nil, err
	}
	slices.SortFunc(pins, func(a, b Pin) int {
		return strings.Compare(fold(a.Name), fold(b.Name))
	})
	return pins, nil
}

// Remember notes that the server of this name was reached at addr. The name must
// have been pinned by [Pins.Check] (else [ErrNotPinned]).
func (p *Pins) Remember(name, addr string) error {
	if err := checkName(name); err != nil {
		return err
	}
	if addr == "" || len(addr) > maxAddr || !printable(addr) {
		return fmt.Errorf("identity: %.100q is no address to remember", addr)
	}
	pin, found, err := p.Lookup(name)
	if err != nil {
		return err
	}
	if found && len(pin.Addrs) > 0 && pin.Addrs[0] == addr {
		return nil
	}
	return p.update(func(pins []Pin) ([]Pin, error) {
		i := find(pins, name)
		if i < 0 {
			return nil, ErrNotPinned
		}
		addrs := slices.DeleteFunc(pins[i].Addrs, func(a string) bool { return a == addr })
		addrs = slices.Insert(addrs, 0, addr)
		pins[i].Addrs = addrs[:min(len(addrs), MaxAddrs)]
		return pins, nil
	})
}

// Forget removes what is known by a name: the next key met under it is believed
// again. If there was nothing, it gives [ErrNotPinned].
func (p *Pins) Forget(name string) error {
	if err := checkName(name); err != nil {
		return err
	}
	return p.update(func(pins []Pin) ([]Pin, error) {
		i := find(pins, name)
		if i < 0 {
			return nil, ErrNotPinned
		}
		return slices.Delete(pins, i, i+1), nil
	})
}

// find compares as fold does.
func find(pins []Pin, name string) int {
	return slices.IndexFunc(pins, func(p Pin) bool { return strings.EqualFold(p.Name, name) })
}

// fold makes names equal that are equal to strings.EqualFold: of the letters that
// differ in case only, it takes the smallest.
func fold(name string) string {
	return strings.Map(func(r rune) rune {
		least := r
		for other := unicode.SimpleFold(r); other != r; other = unicode.SimpleFold(other) {
			least = min(least, other)
		}
		return least
	}, name)
}

// checkName refuses names that could not be found again in the file, or that could
// not be typed into the command which forgets them.
func checkName(name string) error {
	if name == "" || len(name) > maxPinName || !printable(name) {
		return fmt.Errorf("identity: %.100q cannot be the name of a server", name)
	}
	return nil
}

func printable(s string) bool {
	return utf8.ValidString(s) && strings.IndexFunc(s, func(r rune) bool {
		return unicode.IsControl(r) || r == '\u2028' || r == '\u2029'
	}) < 0
}

// ChangedError means that a server shows another key than the one that its name had
// so far. Its text is for people, and has several lines.
type ChangedError struct {
	Name     string
	Old, New Fingerprint
}

func (e *ChangedError) Error() string {
	was, is := e.Old.Words(), e.New.Words()
	if was == is { // someone went to great lengths: show what differs
		was, is = e.Old.String(), e.New.String()
	}
	name := quote(e.Name)
	if strings.HasPrefix(e.Name, "-") {
		name = "-- " + name
	}
	return fmt.Sprintf(`%q is not the server it was: its key has changed.
  known key: %s
  this key:  %s
Either the server was set up anew, or another machine claims its name, so this one was not joined.
Ask whoever runs it which key it has. If it is "this key", forget the known one, and join again:
  chat id forget %s
If it is not, stay away: someone else would read what you write.`, e.Name, was, is, name)
}

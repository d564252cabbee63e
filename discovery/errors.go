package discovery

import (
	"errors"
	"fmt"
)

// What can be wrong with a datagram. Each is a reason to ignore it and nothing
// more: no error is ever sent back, since its source may be forged.
var (
	// ErrMalformed is wrapped by every error about a datagram that breaks the
	// format: too long, cut short, another magic, a field out of range.
	ErrMalformed = errors.New("malformed datagram")
	// ErrVersion is a datagram of this protocol in a version that this
	// package does not speak.
	ErrVersion = errors.New("datagram of another version")
	// ErrUnknownType is a well-formed datagram of a type that this package does
	// not know: a later peer's. It is skipped.
	ErrUnknownType = errors.New("datagram of an unknown type")
)

// What Lookup can end with.
var (
	// ErrNotFound: nobody of that name was heard in time.
	ErrNotFound = errors.New("no such server found on this network")
	// ErrOtherKey: servers of that name were heard, but none with the pinned
	// key. They are returned beside the error, to be shown; connecting to one of
	// them without asking would defeat the pin.
	ErrOtherKey = errors.New("a server of that name has another key")
	// ErrConflict: servers with different keys claim the name. They are returned
	// beside the error, to be shown; which one is meant only the user can tell.
	ErrConflict = errors.New("several servers with different keys have that name")
)

// ErrName is wrapped by what ValidName returns.
var ErrName = errors.New("not a server name")

// BindError says that the discovery port could not be opened. A server that
// gets it from Announcer.Run should warn and go on: people reach it by address,
// they only cannot find it by name.
type BindError struct {
	Port int
	Err  error
}

func (e *BindError) Error() string {
	return fmt.Sprintf("cannot open UDP port %d for discovery: %v", e.Port, e.Err)
}

func (e *BindError) Unwrap() error { return e.Err }

func malformed(format string, args ...any) error {
	return fmt.Errorf("%w: %s", ErrMalformed, fmt.Sprintf(format, args...))
}

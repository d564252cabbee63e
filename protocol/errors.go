package protocol

import (
	"errors"
	"fmt"
	"os"
)

// Code says what went wrong, for programs. The list is fixed; a client treats
// a code that it does not know like CodeInternal.
type Code string

// The codes, and what a client should do.
const (
	CodeMalformed    Code = "malformed"     // the frame or message breaks the spec; the connection ends: mend the client
	CodeVersion      Code = "version"       // no common protocol version; the connection ends: update one side
	CodeTimeout      Code = "timeout"       // silent for too long; the connection ends: connect again
	CodeNotFound     Code = "not_found"     // no such room or entry, or none that this user may see: tell the user
	CodeNotJoined    Code = "not_joined"    // join the room first
	CodeBadNick      Code = "bad_nick"      // ask the user for another nick
	CodeNickTaken    Code = "nick_taken"    // ask the user for another nick
	CodeBadRoom      Code = "bad_room"      // ask the user for another room name
	CodeBadText      Code = "bad_text"      // empty, or of no use: tell the user
	CodeTooLong      Code = "too_long"      // over the limit in welcome: nothing was posted; tell the user
	CodeBadID        Code = "bad_id"        // not a UUIDv7: mend the client
	CodeIDConflict   Code = "id_conflict"   // this id belongs to another entry: post again under a new id
	CodeForbidden    Code = "forbidden"     // this user may not do that: tell the user
	CodeAuth         Code = "auth"          // who you are was not proved; the connection ends: ask the user
	CodeLimit        Code = "limit"         // a limit is reached: leave something first; a bot waits for a person, or as long as the text says
	CodeUnavailable  Code = "unavailable"   // a passing fault (disk full, log away): connect again after retry_after
	CodeShuttingDown Code = "shutting_down" // the server stops or restarts: connect again after retry_after
	CodeUnsupported  Code = "unsupported"   // this server cannot do that: do without
	CodeInternal     Code = "internal"      // a fault of the server: connect again, tell the user if it stays
)

// Error is the answer to a request that failed: Ref is the request's, or ID
// the post's. It is a Go error too; errors.Is compares codes.
type Error struct {
	Ref  uint32 `msgpack:"ref,omitempty"`
	ID   ID     `msgpack:"id,omitempty"`
	Code Code   `msgpack:"code" max:"32"`
	Text string `msgpack:"text,omitempty"` // for people
}

// Errorf makes an Error with a text for people.
func Errorf(code Code, format string, args ...any) *Error {
	return &Error{Code: code, Text: fmt.Sprintf(format, args...)}
}

func (e *Error) Error() string {
	if e.Text == "" {
		return string(e.Code)
	}
	return e.Text
}

// Is reports whether target is an Error of the same code.
func (e *Error) Is(target error) bool {
	other, ok := target.(*Error)
	return ok && other.Code == e.Code
}

// Errors of a connection. Errors about bytes that the peer sent wrap
// ErrProtocol: such a connection is of no more use.
var (
	ErrProtocol = errors.New("the peer does not speak the lanchat protocol")
	// ErrGreeted says that the server took this client for a person with a
	// plain terminal, because its first byte came too late. Connecting again at
	// once is right; Dial does it once by itself.
	ErrGreeted = errors.New("the server greeted this client as a person on plain lines")
	// ErrBusy says that the server has as many connections as it takes, in all or
	// from this address. Connecting again some seconds later is right.
	ErrBusy = Errorf(CodeUnavailable, "too many connections, at the server or from your address; try again in a few seconds")
	// ErrAuthRequired says that the server asks for a passphrase.
	ErrAuthRequired = errors.New("the server asks for a passphrase")
	// ErrTooLarge says that a message does not fit a frame. Nothing was sent.
	ErrTooLarge = fmt.Errorf("a message is larger than a frame, %d bytes", MaxFrame)
)

// ToError returns what a peer may be told of err: an *Error as it is, bytes
// that break the spec as CodeMalformed with the reason, and anything else as
// CodeInternal without a word about our inside.
func ToError(err error) *Error {
	if e, ok := errors.AsType[*Error](err); ok {
		return e
	}
	switch {
	case errors.Is(err, ErrProtocol):
		return &Error{Code: CodeMalformed, Text: err.Error()}
	case errors.Is(err, os.ErrDeadlineExceeded):
		return &Error{Code: CodeTimeout, Text: "nothing came for too long"}
	}
	return &Error{Code: CodeInternal, Text: "the server failed; its log says why"}
}

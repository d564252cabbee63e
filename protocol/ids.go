package protocol

import (
	"bytes"
	"encoding/base32"
	"errors"
	"fmt"
	"net/netip"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/google/uuid"
)

// ID is a UUID: of a post (version 7, chosen by the sender) or of a log (its
// epoch). The zero ID is none, and is left out on the wire.
type ID [16]byte

// NewID returns a UUIDv7: later ones of this process are greater.
func NewID() ID { return ID(uuid.Must(uuid.NewV7())) }

// ParseID reads the usual text form of a UUID.
func ParseID(s string) (ID, error) {
	u, err := uuid.Parse(s)
	return ID(u), err
}

// IsZero reports whether there is no id.
func (id ID) IsZero() bool { return id == ID{} }

// Version returns the UUID's version.
func (id ID) Version() int { return int(uuid.UUID(id).Version()) }

func (id ID) String() string { return uuid.UUID(id).String() }

// UserID says who somebody is: the first half of the fingerprint of the
// person's certificate, or for a guest a random number, new for each session.
type UserID [16]byte

// IsZero reports whether there is no user.
func (u UserID) IsZero() bool { return u == UserID{} }

var userText = base32.NewEncoding("abcdefghijklmnopqrstuvwxyz234567").WithPadding(base32.NoPadding)

// String returns the id as 26 characters of lower-case base32.
func (u UserID) String() string { return userText.EncodeToString(u[:]) }

// ParseUserID reads what String wrote.
func ParseUserID(s string) (UserID, error) {
	var u UserID
	raw, err := userText.DecodeString(s)
	if err != nil || len(raw) != len(u) || UserID(raw).String() != s {
		return u, fmt.Errorf("%q is no user id: 26 letters and digits of base32", s)
	}
	return UserID(raw), nil
}

const directPrefix = "dm:"

// DirectRoom returns the name of the room of a direct talk: "dm:" and both
// users in ascending order, so that it is one room whoever opens it.
func DirectRoom(a, b UserID) string {
	if bytes.Compare(a[:], b[:]) > 0 {
		a, b = b, a
	}
	return directPrefix + a.String() + ":" + b.String()
}

// ParseDirectRoom returns the two users of a direct talk. It is false for every
// other room, and for a name that DirectRoom would not have made.
func ParseDirectRoom(room string) (a, b UserID, ok bool) {
	rest, ok := strings.CutPrefix(room, directPrefix)
	if !ok {
		return a, b, false
	}
	first, second, _ := strings.Cut(rest, ":")
	a, errA := ParseUserID(first)
	b, errB := ParseUserID(second)
	ok = errA == nil && errB == nil && a != b && DirectRoom(a, b) == room
	return a, b, ok
}

// The bounds of names, in bytes.
const (
	MaxNick  = 32
	MaxRoom  = 48 // of a room that is no direct talk
	MaxTopic = 512
)

// DefaultRoom is the room that every server has.
const DefaultRoom = "lobby"

// ValidRoom reports why name cannot be a room's: it is 1 to [MaxRoom] bytes of
// letters, digits, '-', '_' and '.', in lower case; or a direct talk's name.
func ValidRoom(name string) error {
	if _, _, ok := ParseDirectRoom(name); ok {
		return nil
	}
	switch {
	case name == "":
		return errors.New("a room needs a name")
	case len(name) > MaxRoom:
		return fmt.Errorf("a room's name has at most %d bytes, this one %d", MaxRoom, len(name))
	case !utf8.ValidString(name), strings.ContainsFunc(name, badInRoom):
		return errors.New("a room's name has letters, digits, '-', '_' and '.' only")
	case strings.ToLower(name) != name:
		return fmt.Errorf("a room's name is in lower case: %s", strings.ToLower(name))
	}
	return nil
}

func badInRoom(r rune) bool {
	return !unicode.In(r, unicode.Letter, unicode.Mn, unicode.Mc, unicode.Nd) && !strings.ContainsRune("-_.", r)
}

// ValidNick reports why nick cannot be somebody's: it is 1 to [MaxNick] bytes
// that are seen, without spaces and without the signs that begin or end a nick
// elsewhere: @ # / ~ : , < > and a leading '-'.
func ValidNick(nick string) error {
	switch {
	case nick == "":
		return errors.New("a nick is needed")
	case len(nick) > MaxNick:
		return fmt.Errorf("a nick has at most %d bytes, this one %d", MaxNick, len(nick))
	case !utf8.ValidString(nick), strings.ContainsFunc(nick, func(r rune) bool {
		return !unicode.IsGraphic(r) || unicode.IsSpace(r) || r == utf8.RuneError
	}):
		return errors.New("a nick has no spaces and no invisible characters")
	case strings.ContainsAny(nick, "@#/~:,<>"), nick[0] == '-':
		return errors.New("a nick has none of @ # / ~ : , < > and does not begin with '-'")
	}
	return nil
}

// ReservedNick reports why a nick belongs to nobody though it is valid: it would be
// taken for a user id or an IP address, in whatever case, by a command that takes either.
// A digit counts as the letter that it passes for, and the reverse.
func ReservedNick(nick string) error {
	lower := strings.ToLower(nick)
	if _, err := ParseUserID(asLetters.Replace(lower)); err == nil {
		return errors.New("a nick that reads as a user id could be taken for another user")
	}
	bare, _, _ := strings.Cut(strings.Trim(lower, "[]"), "%")
	for _, s := range []string{bare, asDigits.Replace(bare)} {
		if _, err := netip.ParseAddr(s); err == nil {
			return errors.New("a nick that reads as an IP address could be taken for one")
		}
	}
	return nil
}

var (
	asLetters = strings.NewReplacer("0", "o", "1", "l")
	asDigits  = strings.NewReplacer("o", "0", "l", "1", "i", "1", "|", "1")
)

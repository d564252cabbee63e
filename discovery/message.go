package discovery

import (
	"fmt"
	"strings"
	"unicode/utf8"

	"lanchat/internal/safetext"
)

// Packet is one of *Query, *Answer, *Beacon and *Goodbye.
type Packet interface {
	// Type is the name that stands in the packet.
	Type() string
	// check says what is wrong with the fields, for sender and receiver alike.
	check() error
}

// The sizes of the fixed fields, in bytes.
const (
	InstanceSize = 8
	KeySize      = 32
	TokenSize    = 16
	// MaxName is the longest name of a server, in bytes of UTF-8.
	MaxName = 63
)

// Flags tell what a newcomer needs. Bits that a receiver does not know it
// ignores.
type Flags uint16

const (
	// FlagPassphrase: the server asks for a passphrase.
	FlagPassphrase Flags = 1 << iota
	// FlagNoGuests: the server admits nobody without a key.
	FlagNoGuests
)

// Query asks who is there. It is sent to broadcast addresses, and by unicast to
// addresses where the server was before.
type Query struct {
	Token [TokenSize]byte `msgpack:"token"`                   // random, one for a lookup; echoed in the answer
	Name  string          `msgpack:"name,omitempty" max:"63"` // who is meant; empty: everybody
	Seq   uint32          `msgpack:"seq,omitempty"`           // counts the repetitions under one token
	Pad   []byte          `msgpack:"pad,omitempty"`           // Append fills it up to MaxPacket
}

// Beacon is what a server says of itself unasked, to broadcast addresses.
type Beacon struct {
	Instance [InstanceSize]byte `msgpack:"instance"` // random, one for each run of a server
	Key      [KeySize]byte      `msgpack:"key"`      // SHA-256 of the server's TLS certificate (DER): its identity
	Name     string             `msgpack:"name" max:"63"`
	Port     uint16             `msgpack:"port"`             // TCP, at the address that the datagram came from
	People   uint32             `msgpack:"people,omitempty"` // online now
	Flags    Flags              `msgpack:"flags,omitempty"`
	Seq      uint32             `msgpack:"seq"` // grows with every packet of the instance
	TTL      uint16             `msgpack:"ttl"` // seconds for which this stays true without another packet
}

// Answer is a Beacon that answers one query, by unicast.
type Answer struct {
	Token    [TokenSize]byte    `msgpack:"token"` // of the query
	Instance [InstanceSize]byte `msgpack:"instance"`
	Key      [KeySize]byte      `msgpack:"key"`
	Name     string             `msgpack:"name" max:"63"`
	Port     uint16             `msgpack:"port"`
	People   uint32             `msgpack:"people,omitempty"`
	Flags    Flags              `msgpack:"flags,omitempty"`
	Seq      uint32             `msgpack:"seq"`
	TTL      uint16             `msgpack:"ttl"`
	Asked    uint32             `msgpack:"asked,omitempty"` // the query's Seq
	Wait     uint32             `msgpack:"wait,omitempty"`  // microseconds from the query to the answer, on purpose
}

// Goodbye says that a server is stopping. Anyone can forge it, so a receiver
// checks before it believes.
type Goodbye struct {
	Instance [InstanceSize]byte `msgpack:"instance"`
	Key      [KeySize]byte      `msgpack:"key"`
	Seq      uint32             `msgpack:"seq"`
}

func (*Query) Type() string   { return "query" }
func (*Answer) Type() string  { return "answer" }
func (*Beacon) Type() string  { return "beacon" }
func (*Goodbye) Type() string { return "goodbye" }

// Beacon returns what the answer says of the server.
func (a *Answer) Beacon() Beacon {
	return Beacon{a.Instance, a.Key, a.Name, a.Port, a.People, a.Flags, a.Seq, a.TTL}
}

// answer returns the beacon as the answer to a query.
func (b *Beacon) answer(token [TokenSize]byte) *Answer {
	return &Answer{Token: token, Instance: b.Instance, Key: b.Key, Name: b.Name, Port: b.Port, People: b.People,
		Flags: b.Flags, Seq: b.Seq, TTL: b.TTL}
}

// A field that is missing decodes to zero, so a zero is how one notices. The
// random fields are never zero.

func (q *Query) check() error {
	if q.Token == [TokenSize]byte{} {
		return malformed("a query without a token")
	}
	if q.Name == "" {
		return nil
	}
	return checkName(q.Name)
}

func (a *Answer) check() error {
	if a.Token == [TokenSize]byte{} {
		return malformed("an answer without a token")
	}
	b := a.Beacon()
	return b.check()
}

func (b *Beacon) check() error {
	switch {
	case b.Port == 0:
		return malformed("port 0")
	case b.TTL == 0:
		return malformed("a ttl of 0")
	}
	if err := checkIdentity(b.Instance, b.Key); err != nil {
		return err
	}
	return checkName(b.Name)
}

func (g *Goodbye) check() error { return checkIdentity(g.Instance, g.Key) }

func checkIdentity(instance [InstanceSize]byte, key [KeySize]byte) error {
	switch {
	case instance == [InstanceSize]byte{}:
		return malformed("no instance")
	case key == [KeySize]byte{}:
		return malformed("no key")
	}
	return nil
}

func checkName(name string) error {
	if err := ValidName(name); err != nil {
		return fmt.Errorf("%w: %w", ErrMalformed, err)
	}
	return nil
}

// ValidName says why name cannot be the name of a server, or nil. A name is 1
// to 63 bytes of UTF-8 on one line, with nothing in it that a terminal would
// obey or not show, no spaces at its ends, and no "-" in front, where a command
// line would take it for a flag. A datagram with another name is ignored.
func ValidName(name string) error {
	switch {
	case name == "":
		return fmt.Errorf("%w: it is empty", ErrName)
	case len(name) > MaxName:
		return fmt.Errorf("%w: %d bytes, at most %d", ErrName, len(name), MaxName)
	case !utf8.ValidString(name):
		return fmt.Errorf("%w: it is not UTF-8", ErrName)
	case name[0] == '-':
		return fmt.Errorf("%w: it begins with -", ErrName)
	case strings.TrimSpace(name) != name:
		return fmt.Errorf("%w: it has spaces at an end", ErrName)
	case safetext.Line(name) != name:
		return fmt.Errorf("%w: it holds characters that are not shown", ErrName)
	}
	return nil
}

// SameName reports whether two names mean the same server: upper and lower case
// are one (Unicode simple folding), everything else counts.
func SameName(a, b string) bool { return strings.EqualFold(a, b) }

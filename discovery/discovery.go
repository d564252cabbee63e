// Package discovery finds servers on the local network, by name, with nothing
// configured. It is the datagram side of the project; package protocol is the
// stream side. An [Announcer] makes a server known. [Lookup] finds one, [List]
// all, and a [Browser] keeps a live list.
//
// What is found is a hint and nothing more: datagrams are lost, doubled,
// reordered and forged. A client connects by TCP to the address it found and
// checks the server's key in the TLS handshake.
//
// # Packet
//
// A packet is one UDP datagram over IPv4 of at most 256 bytes:
//
//	6c 63 68 74    magic, "lcht"
//	01             version
//	92 …           body: a MessagePack array of two, [type, fields]
//
// The type is a string of at most 32 bytes. The fields are a map with strings
// for keys, and nothing stands behind it. This is the same body as a frame of
// the stream has. There is no address inside: the receiver takes it from the
// datagram, where a sender cannot be mistaken about it.
//
//	query
//	  token     binary, 16    random for each search; not all zero
//	  name      string, 1–63  who is meant; absent: everybody
//	  seq       integer       how often this search has asked, 32 bits
//	  pad       binary        of a length that makes the packet 256 bytes
//	beacon
//	  instance  binary, 8     random for each run of a server; not all zero
//	  key       binary, 32    SHA-256 of the server's TLS certificate in DER form:
//	                          its identity; not all zero
//	  name      string, 1–63
//	  port      integer       of TCP, 1–65535, at the source of the datagram
//	  people    integer       online now, 32 bits; absent: 0
//	  flags     integer       16 bits; absent: 0. 1: a passphrase is asked for;
//	                          2: nobody without a key is admitted; ignore the others
//	  seq       integer       32 bits, one more with each packet of the instance
//	  ttl       integer       seconds, 1–65535: how long this stays true if nothing
//	                          more is heard; a receiver counts more than 600 as 600
//	answer
//	  token     binary, 16    that of the query
//	  …                       and all that a beacon has
//	goodbye
//	  instance, key, seq      as in a beacon
//
// Integers are unsigned, in any MessagePack encoding that holds them. A field
// without "absent" must be there. A field of another name is ignored, a
// packet of another type is skipped: versions live together. A packet that
// breaks the format in any way, or has another magic or version, is ignored;
// nothing is ever sent because of it. The bounds of package wire hold (nesting,
// keys, UTF-8). A name is what [ValidName] accepts.
//
// A beacon of the server "Büro", port 25252, 3 people:
//
//	6c 63 68 74 01 92
//	a6 62 65 61 63 6f 6e                       "beacon"
//	87                                         7 fields
//	a8 69 6e 73 74 61 6e 63 65  c4 08 …        "instance", 8 bytes
//	a3 6b 65 79  c4 20 …                       "key", 32 bytes
//	a4 6e 61 6d 65  a5 42 c3 bc 72 6f          "name"
//	a4 70 6f 72 74  cd 62 a4                   "port"
//	a6 70 65 6f 70 6c 65  03                   "people"
//	a3 73 65 71  07                            "seq"
//	a3 74 74 6c  23                            "ttl", 35 s
//
// # Asking
//
// Servers listen on UDP port 25252, on every interface. A client sends queries
// from a port of the kernel's choice and gets the answers there. One query is
// sent, with the same token and seq, on each interface that is up and can
// broadcast, by each of its IPv4 addresses, to
//
//   - 255.255.255.255: neighbours whose mask differs hear only this one. A host
//     without a default route cannot send to it, and one with several networks
//     reaches only one of them, unless the interface is named for the datagram.
//   - the directed broadcast address, such as 10.77.0.255: where a driver or
//     firewall drops the other one.
//   - 127.0.0.1 and 127.255.255.255, by the loopback, for servers on this host:
//     a broadcast to the network may not come back, and of several servers on a
//     host only the last gets unicast.
//   - the hosts that had the server before, by unicast.
//
// A lookup asks at 0, 100, 300, 700, 1500 and 2500 ms; a list at 0, 300 and
// 900 ms; a browser as a list, then every 30 s ± 25 %, or every 10 s ± 25 % where
// it hears no beacons, and again when a network comes or goes. Each time is drawn
// at random anew.
//
// # Answering
//
// A server answers a query that has its name, or no name, by unicast to where it
// came from, from port 25252 and from the address that the query was sent to: a
// firewall at the client lets nothing else in. At once if it has a name; else
// after 0 to 100 ms, at random, or 2 ms for each server around, at most 1 s.
// It also sends a beacon on that interface, unless one went out there within the
// last second: a client's firewall may let that in and not the answer.
//
// Names match whatever the case of their letters ([SameName]).
//
// It answers only sources within the network of the interface by which they
// came, never with more bytes than the query had (a query without its padding
// gets just the beacon), each query once however many ways it came (same source,
// token and seq), and at most 50 queries a second from a source, 200 in all.
// More are ignored.
//
// # Announcing
//
// A server sends beacons at 0, 1 and 3 s after its start, then every 10 s ± 25 %,
// to the broadcast addresses of every interface, by port 25252. Where more than
// 100 servers are heard, the interval is 100 ms for each: together they send
// about ten a second. The ttl is 3.5 intervals. When it stops it sends three
// goodbyes, 50 ms apart. Anyone can forge one: a client believes it only when it
// cannot connect either.
//
// # Listening
//
// A client hears beacons on sockets bound to the broadcast addresses only, with
// SO_REUSEADDR. On the wildcard address it would take all unicast away from a
// server on the same host: of several such sockets the last one gets it. Where
// the system cannot bind these addresses (Windows), the client relies on
// answers.
//
// A packet whose seq is lower than the last one's of the same source and
// instance, and comes within 2 s of it, was overtaken and is ignored.
//
// # Bounds
//
// A browser or search holds at most 1024 servers, and 16 of one source address.
// When it is full, one that answered replaces the one longest unheard that did
// not; others are dropped. A server remembers 256 queries, 256 answers that wait,
// and 1024 other servers. Nothing is logged for a packet; [Stats] counts.
//
// Sources: RFC 919 and RFC 1122 section 3.3.6 (broadcast), RFC 3021 (networks
// without a directed broadcast), RFC 6762 (random delays), ip(7), socket(7).
package discovery

import (
	"context"
	"fmt"
	"log/slog"
	"math"
	"net/netip"
	"time"
)

// DefaultPort is the UDP port of discovery.
const DefaultPort = 25252

// Config is common to server and client. The zero Config is ready to use.
type Config struct {
	// Port is the UDP port at which servers listen, DefaultPort when 0. Everyone
	// on a network must have the same.
	Port int
	// Interfaces, when there are any, are the names of the only interfaces to send
	// by and to listen to, such as "eth0". One that does not exist now may come
	// later. Empty: all that are up and can broadcast, and the loopback.
	Interfaces []string
	// Logger gets a line when something begins to fail, never one for a packet.
	// Nil: no log.
	Logger *slog.Logger
	// Confirm tells a Browser whether a server is still there, when it is said to
	// be gone: best by a TCP connection to addr. It must end when ctx ends. At
	// most four calls run at one time. Nil: a server goes only when its time is
	// over, since a goodbye proves nothing.
	Confirm func(ctx context.Context, addr netip.AddrPort) bool

	network network // nil: this host's; tests have their own
}

// Server is one running server, as it was heard. All of it is what the sender of
// a datagram claimed, but for Addr's host, Interface, Answered and Seen.
type Server struct {
	Name   string           // valid by ValidName
	Key    [KeySize]byte    // to be checked in the TLS handshake
	Addr   netip.AddrPort   // of TCP, the best one
	Others []netip.AddrPort // further ones, where the server has several networks
	People int              // online
	Flags  Flags
	// Instance differs for each run of a server; two servers with one Key are
	// replicas.
	Instance  [InstanceSize]byte
	Interface string    // by which Addr was heard; empty where the system does not tell
	Answered  bool      // it answered a query of ours; else only beacons were heard
	Seen      time.Time // last heard
}

// complete fills in what is not set.
func (c *Config) complete() error {
	if c.Port < 0 || c.Port > math.MaxUint16 {
		return fmt.Errorf("discovery: %d is no port", c.Port)
	}
	if c.Port == 0 {
		c.Port = DefaultPort
	}
	if c.Logger == nil {
		c.Logger = slog.New(slog.DiscardHandler)
	}
	if c.network == nil {
		c.network = system{}
	}
	return nil
}

func (c *Config) port() uint16 { return uint16(c.Port) }

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
// A packet is one UDP datagram of at most 256 bytes:
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
//	  asked     integer       seq of the query; absent: 0
//	  wait      integer       microseconds that the answer was held back on purpose,
//	                          32 bits; absent: 0. What remains is the round trip
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
// sent, with the same token and seq, on each interface that is up, by each of its
// IPv4 addresses, to
//
//   - 255.255.255.255: neighbours whose mask differs hear only this one. A host
//     without a default route cannot send to it, and one with several networks
//     reaches only one of them, unless the interface is named for the datagram.
//   - the directed broadcast address, such as 10.77.0.255: where a driver or
//     firewall drops the other one.
//   - 127.0.0.1 and 127.255.255.255, by the loopback, for servers on this host:
//     a broadcast to the network may not come back, and of several servers on a
//     host only the last gets unicast.
//   - the other end of a tunnel, where that has a known address and broadcasts
//     go nowhere.
//   - the hosts that had the server before, by unicast.
//
// An interface that has no IPv4 address, is up and knows multicast is asked by
// IPv6 instead: from its link-local address to the group ff12::ec63:6874, the same
// port, hop limit 1. (Transient, link-local, of a group ID that nobody assigns;
// its end is "lcht" with the highest bit set.) Servers join the group on such
// interfaces of theirs and no others. Everything below holds there too, with the
// group for the broadcast addresses and fe80::/64 for the network. A server found
// so has an address that means nothing without the interface: [Server].Addr has
// it for a zone, as in [fe80::1%eth0]:25252, and net.Dial takes that.
//
// A lookup asks at 0, 100, 300, 700, 1500 and 2500 ms; a list at 0, 300 and
// 900 ms; a browser as a list, then every 30 s ± 25 %, or every 10 s ± 25 % where
// it hears no beacons, both times the hundreds of servers that it knows, and as a
// list again when a network comes, goes or changes or the host has slept. Each
// time is drawn at random anew. No query tells who is known already: a lost answer
// is what the next query is for, and who has still to answer one does so once.
//
// # Answering
//
// A server answers a query that has its name, or no name, by unicast to where it
// came from, from port 25252 and from the address that the query was sent to: a
// firewall at the client lets nothing else in. At once if it has a name; else
// after 0 to 100 ms, at random, or 1 ms for each server around, at most 500 ms; while
// an answer waits, further queries of that token from there are ignored.
// It also sends a beacon on that interface, unless one went out there within the
// last second: a client's firewall may let that in and not the answer. Where the
// query had no name and more than ten servers are around, that second is 100 ms
// for each.
//
// Names match whatever the case of their letters ([SameName]).
//
// It answers only sources within the network of the interface by which they
// came, never with more bytes than the query had (a query without its padding
// gets just the beacon), and at most 50 queries a second from a source, 200 in
// all. More are ignored. A query comes by several ways (same source, token and
// seq; all addresses of its own host are one source): with a name, its second copy
// gets an answer too, since answers are lost as queries are; further copies, and
// those of a query that means everybody, none.
//
// # Announcing
//
// A server sends beacons at 0, 1 and 3 s after its start, then every 10 s ± 25 %,
// to the broadcast addresses of every interface, by port 25252. Where more than
// 100 servers are heard, the interval is 100 ms for each: together they send
// about ten a second. The ttl is 3.5 intervals. No two beacons go by one interface
// within a second. When it stops it sends three goodbyes, 50 ms apart. Anyone can
// forge one: a client believes it only when it cannot connect either.
//
// Server and browser look every 2 s whether an address came, and whether the host
// slept: whether the clock on the wall went on by 5 s more than the timers did, or
// those by 5 s too much. Then the server begins anew, with beacons at 0, 1 and 3 s,
// and in a browser's list what is over by now has 1.5 s to answer.
//
// A server that cannot open the port, since a program has it that does not share
// it, sends its beacons from another port and tries again every 2 s.
//
// # Listening
//
// A client hears beacons on sockets bound to the broadcast addresses only, with
// SO_REUSEADDR. On the wildcard address it would take all unicast away from a
// server on the same host: of several such sockets the last one gets it. Where
// the system cannot bind these addresses (Windows), a client binds the wildcard
// address, not shared and only while no server has the port, and gives it up for
// 30 s when it hears a server of its own host. Meanwhile, and of IPv6 there, it
// relies on answers.
//
// A packet whose seq is lower than the last one's of the same source and
// instance, and comes within 2 s of it, was overtaken and tells nothing new.
//
// Source, instance, key, name and port are the same for a whole run. A packet in
// which one of them differs is about another server, and never changes or removes
// what is known of the first: that one name then has two keys shows, and [Lookup]
// calls it ErrConflict. Of two runs at one address with the same key, name and
// port, only the later is listed: the server was started again.
//
// # Systems
//
// The packets are the same everywhere; the ways to send and to hear them differ. Only
// those of Linux are tried by this package's tests; the others are built and vetted,
// and written by their systems' documents.
//
//   - Linux: interface and source are named for each datagram, by IP_PKTINFO. A
//     client binds all the broadcast addresses. SO_REUSEADDR is enough for several
//     servers on a host, of several users too.
//   - macOS: named likewise. Only the directed broadcast addresses can be bound. It
//     takes SO_REUSEPORT too, which fails between two users: the second server has
//     a Problem.
//   - FreeBSD: the source is named (IP_SENDSRCADDR); the interface is that of the
//     directed broadcast address, into which IP_ONESBCAST writes 255.255.255.255.
//     Listening is as on macOS.
//   - Windows: named by IP_PKTINFO, as by a socket that is bound to each address; by
//     IP_UNICAST_IF where that is refused. A client binds the wildcard address as
//     described above.
//
// On all but Linux the system does not tell the other end of a tunnel.
//
// # Bounds
//
// A browser or search holds at most 1024 servers, and 16 of one source address.
// When that is full, one that answered, or has a key that the user pinned, takes
// the place of one of the same source, or of any: of one that did not answer
// before one that did, and of these the one longest unheard. Others are dropped.
// A server remembers 256 queries, 256 answers that wait, and 1024 other servers,
// 16 of a source. Nothing is logged for a packet; [Stats] counts.
//
// Sources: RFC 919 and RFC 1122 section 3.3.6 (broadcast), RFC 3021 (networks
// without a directed broadcast), RFC 3307 and RFC 4291 (group addresses), RFC 6762
// (random delays), ip(7), ipv6(7), rtnetlink(7), socket(7).
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
	// Last are TCP addresses at which servers were before. Whoever looks for servers
	// asks these few hosts by unicast too, at Port: broadcasts may not reach them.
	Last []netip.AddrPort
	// Known tells a Browser the keys that the user has pinned: their servers keep
	// getting a place when strangers have filled the list. It must not block. Nil:
	// all keys are strangers'.
	Known func(key [KeySize]byte) bool
	// Watch is told of every datagram that is sent or comes in, in the order in
	// which that happened: an answer never before its query. It is called by
	// several goroutines, one at a time, and must not block: nothing that is watched
	// is sent or heard meanwhile. Nil: nobody watches, and that costs one comparison
	// a datagram.
	Watch func(Datagram)

	network network          // nil: this host's; tests have their own
	wall    func() time.Time // the clock on the wall, which goes on while this host sleeps; nil: time.Now
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
	// RoundTrip is how long the last answer from Addr took, without the time that
	// the server waited on purpose; 0 where that cannot be told.
	RoundTrip time.Duration
}

// Datagram is one datagram that was sent or came in, as Config.Watch is told.
type Datagram struct {
	At        time.Time
	Sent      bool
	Peer      netip.AddrPort // where it went to or came from
	To        netip.Addr     // of one that came: the address it was sent to; zero: not told
	Local     netip.AddrPort // of this end, as far as it is known
	Interface string         // by which it went or came; "": not told
	Bytes     []byte         // valid during the call only
	Packet    Packet         // nil: not of this protocol or version, and Err says why
	Err       error          // sent: the system refused it; came: what Parse said
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
	if c.wall == nil {
		c.wall = func() time.Time { return time.Now().Round(0) }
	}
	return nil
}

func (c *Config) port() uint16 { return uint16(c.Port) }

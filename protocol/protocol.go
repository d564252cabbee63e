// Package protocol is the stream side of lanchat: what a client and a server
// say to each other over one TCP connection. This page is the specification; a
// peer in another language needs nothing else. The datagram side is package
// discovery, and has files of the same names. A client in Go begins with [ClientTLS],
// [Dial] and [Follower].
//
// # The stream and its frames
//
// TCP gives an ordered stream of bytes and no message boundaries, so we make
// them: a frame is a 4-byte big-endian length, then so many bytes of body. A
// body has 1 to 65,536 bytes, and at most 4,096 until welcome was sent. A peer
// checks the length before it reads or allocates anything, and closes the
// connection when it is out of range: there is no way back into step.
//
// A body is one MessagePack array of two, [type string, fields map]:
//
//	00 00 00 16                             22 bytes follow
//	92                                      an array of two
//	   a5 68 65 6c 6c 6f                    "hello"
//	   82                                   a map of two
//	      a1 76  01                         "v": 1
//	      a4 6e 69 63 6b  a5 61 6c 69 63 65 "nick": "alice"
//
// Rules for bodies: keys are strings of at most 32 bytes, none twice, at most
// 64 in a map; nesting is at most 8 deep; strings are UTF-8; integers may be
// written in any width; a field that is empty, zero or false may be left out,
// and none is nil; nothing stands behind the array. A body that breaks a rule
// ends the connection with the error malformed. An unknown field is ignored, an
// unknown type skipped: so versions can live together. Compressed or fragmented
// bodies do not exist. testdata/golden.txt has a frame of every type, in hex.
//
// # TLS and the doors
//
// All frames travel inside TLS 1.3. Both sides have self-signed Ed25519
// certificates; a fingerprint is the SHA-256 of a certificate's DER, and the
// client compares the server's with the one that it met before, not with a
// certificate authority. A client without a certificate, or without TLS at all,
// is a guest. The server tells by a connection's first byte which it is: 0x16
// begins TLS, 0x00 a frame without TLS, anything else a person's plain line.
// Whoever says nothing for 2 seconds is taken for a person and greeted; a
// client that reads "welcome" where TLS or a frame belongs came too late, and
// connects again.
//
// A server that has too many connections, in all or from one address, says one
// line, whatever the door, and closes: "busy SECONDS: " and a text for people. A client
// that reads "busy" where TLS or a frame belongs comes again after so many seconds.
//
// # Handshake
//
//	client                                server
//	hello {v, software, nick, epoch, bot, token, wants}
//	                                      welcome {v, software, server, epoch, user, nick,
//	                                               guest, role, room, limits, offers}
//
// or error, and the connection is closed. All of it has 10 seconds. The nick in
// welcome is the one granted: a free variant where the one asked for is taken.
// user is 16 bytes: the first half of the client certificate's fingerprint, or
// random for a guest; its text form is 26 characters of lower-case base32.
//
// A server may want a passphrase, from those who come without a valid token and
// have not come by one before, and only inside TLS. Then it sends auth between the
// two, and the client answers with auth: SCRAM-SHA-256-PLUS (RFC 5802, RFC 7677)
// for the user lanchat, bound to the TLS connection by tls-exporter (RFC 9266), so
// that nobody in the middle can pass it on. The first auth names the mechanism,
// which is the only one; data is empty in it, and then each step of SCRAM:
//
//	client                                server
//	hello
//	                                      auth {mech: "SCRAM-SHA-256-PLUS"}
//	auth {data: p=tls-exporter,,n=lanchat,r=…}
//	                                      auth {data: r=…,s=…,i=…}
//	auth {data: c=…,r=…,p=…}
//	                                      auth {data: v=…}
//	                                      welcome
//
// Before hello the client has compared the server's key with the one it knows.
// The server proves with v that it knows the passphrase too: without it the client
// hangs up, whatever welcome says. It takes 100,000 to 1,000,000 iterations (i) and
// hangs up on others. A passphrase has 1 to 1,024 bytes, prepared by OpaqueString
// (RFC 8265). The error for a wrong one has the code auth, as has that for a guest
// where there are none, and for a token that is not valid any more; too many wrong
// ones from one address get the code limit, and have to wait. What this does not
// give: whoever a client took for the server may guess the passphrase from what it
// was sent, offline, as fast as they can hash.
//
// The epoch is the log's identity, 16 random bytes made with it. A client keeps
// the epoch with its cursors; where welcome has another one, they mean nothing
// here, and it starts from none.
//
// # Extensions
//
// What was added after the first release has a name: offers in welcome lists what the
// server has, wants in hello what the client understands (at most 16 names of at most
// 32 bytes). A client sends a new request, a new kind of entry, or a new field that
// changes the meaning of a request only to a server that offers it. A server sends a
// new message unasked only to a client that wants it. Everything else that is new is an
// additional field, which is ignored by who does not know it. The names, and what
// belongs to each: [ExtWhois], [ExtDirects], [ExtModeration], [ExtNotices].
//
// A user is known when a nick is bound to its key; every other key, and every guest, is
// fresh. Several limits are smaller for the fresh.
//
// # Rooms, cursors, entries
//
// A room is a log: each entry has a sequence number, seq, which grows by one
// from 1. What a client has seen of a room is one number, its cursor. join
// takes the cursor in after; joined answers, with the newest seq as head; then
// every entry behind the cursor follows as an entry message, in order, each
// once, and new ones as they come. When more than 1,000 were missed, or more than 100
// by a guest who has no cursor, the oldest of them are left out, and skipped says
// which: history has them. joined has reset when the cursor lies above head; then the
// room is replayed from the start. With live nothing is replayed; with quiet nothing of
// the room is sent at all but the answers to what one asks and posts: for those who
// only post.
//
// An entry: in (room), seq, id, by (user), as (nick), guest, bot, at
// (nanoseconds since 1970 by the server's clock), kind (text when left out,
// action, topic, edit, delete, reaction, announce, deed; show others as text), text, to (id of
// the entry that this one is about), to_seq (its seq, 0 when it is not in the log
// any more).
//
// A text with to is a reply. An edit, a delete and a reaction change the entry
// that they are about, for everybody: whoever has it changes it when they hear of
// them, and whoever is sent it later, in a page, a replay or a search, is sent it
// as it stands now, with edited, gone (deleted; text is empty then), reactions
// (each {text, n, by}: n people, of whom by names the first 16) and rev. rev is
// the seq of the newest entry that is folded into it: one with a seq up to rev
// changes nothing any more. An edit carries the text in place of the old one,
// and in a replay the newest one, or none when the entry is gone. A reaction carries in reactions how this one
// reaction stands after it, in a replay how it stands now; n is 0 when the last
// one has taken it back. Only its author can edit an entry of the kinds text and
// action, its author, an op or an admin delete one, and nobody change one that is gone. The same reaction of the same
// user once more takes it back; an entry has at most 20 different ones, of at
// most 32 bytes and without white space. A change that comes too late, because
// another one was on its way, is in the log and changes nothing: an edit without
// text, a reaction with n 0.
//
// A delete that carries purged, of an admin's purge, deletes the entries with those seqs
// in its room, up to 256 of them, in place of to's alone, which is one of them. Topics
// may be among them. Such deletes come in masses: show none by itself, an entry of the kind
// deed tells of all.
//
// # Posting
//
// post carries an id that the sender picks, a UUIDv7. ack answers when the
// entry is in the log for good. A sender that does not see the ack sends the
// same post again, over another connection too: the same id, room and text get
// the same ack, and the entry exists once. Another text under an id that is in
// use gets id_conflict. A sender may send up to limits.pending posts before the
// first ack; entries stand in the log in the order in which they were sent. One's
// own entry may arrive before its ack. An error for a post carries the post's
// id. When a post fails for a passing reason the server sends bye and accepts
// nothing that was sent after it; the client connects again and sends from
// there, so its lines keep their order.
//
// Where the server's disk is nearly full a post is refused with limit and a text, first
// those of users who have posted very much, then those of fresh ones, then all. It is not
// sent again automatically.
//
// A session is a bot's when its hello said so; its entries carry bot, and so does
// a member who is in the room by such sessions alone. A bot does not answer bots,
// and not itself. Should one do so all the same: what all the bots of a room post
// (of every kind, topics too) is limited to 500 at once and one a second more,
// until a person posts there, which gives them all 500 again. Over it a bot's post
// is refused with limit, and the text says when one may be made again.
//
// # Requests
//
// Every request but post, read, typing, ping and pong may carry ref, a number
// other than 0; its answer, or the error, carries it back. Answers come in the
// order of the requests.
//
//	join {ref, room, after, live, quiet}  joined {ref, room, topic, head, read, reset, count, members, more}
//	leave {ref, room}                     left {ref, room}
//	post {id, room, kind, text, to}       ack {id, room, seq, at}
//	history {ref, room, before, after,    page {ref, room, entries, more}
//	         oldest, limit}
//	search {ref, query, room, from,       found {ref, entries, more}
//	        before, after, limit}
//	nick {ref, nick}                      nick {ref, user, nick}
//	topic {ref, room, topic}              topic {ref, room, topic}
//	rooms {ref, after, limit, direct}     rooms {ref, rooms, more, direct}
//	who {ref, room, after, limit}         who {ref, room, people, count, more}
//	invite {ref, room, uses, ttl}         invite {ref, room, uses, ttl, token, name}
//	moderate {ref, do, room, who, for, text}  moderate {ref, do, room, who, for, text}
//	whois {ref, who}                      whois {ref, user, nick, guest, bot, role, bound, here, seen, rooms, more, addrs}
//	refuse {ref, what, who, off}          refuse {ref, what, users}
//	read {room, seq}                      none; a user's other sessions are sent the same
//	typing {room}                         none; the room is sent {room, user, nick}
//	ping {n}                              pong {n}
//
// A list holds what fits one frame; more says that there is more.
//
// A search's query is words, all of which an entry must have, in whatever case
// and with or without accents; "words in quotation marks" stand in that order;
// word* is a beginning; from:NICK, in:ROOM, before:DATE and after:DATE (a day,
// 2026-11-22, or a moment, 2026-11-22T18:00, in the server's zone) narrow it. No
// two entries of a server have the same time, so before pages through all that
// was found.
//
// # What the server sends unasked
//
//	entry                                 for every joined room
//	joined {room, …} without ref          a direct talk has something unread, or new: join it to hear it
//	left {room, text} without ref         this session was put out of the room, and why
//	moderate {do, room, for} without ref  the room is now locked, unlocked, slow, private or public
//	nick {user, nick} without ref         this user's nick has changed
//	presence {room, joined, left, count, reset}  who came and went, gathered over a moment
//	slow {why, for}                       a rate limit delays this session, for so many milliseconds
//	skipped {room, from, to}              behind joined: these are not replayed
//	notice {about, room, text}            about the server itself, to who wants notices; an empty text: it is over
//	bye {code, text, retry_after}         the connection ends; come back after so many milliseconds, 0: do not
//	error {ref, id, code, text}           codes: see [Code]
//
// # Direct talks
//
// A direct talk is the room "dm:A:B", with both user ids in text form, the smaller
// first; only these two can see it. Its first entry opens it: until then nobody but who
// joined it knows of it. The other user is told by joined without ref when an entry
// comes, and after welcome: of the talks with something unread (a head above the read
// marker) the newest 20. rooms with direct lists all of them, the one with the newest
// entry first, each with the other user's nick as far as it is known and with this
// user's read marker; after is the last room of the page before. leave moves the read
// marker to the head, so a talk that was left is not told of until something is said
// there.
//
// A direct talk does not count among the rooms of the user who did not open it. A
// session that is in very many such talks is put out of the quietest one with left,
// without ref, and is told of it again when something is said there. How many talks may
// be opened with one user in a time is limited, for the fresh more than for the known: a
// first entry above that is refused with limit.
//
// refuse says whose entries in direct talks a user does not take: what is fresh or all,
// who is one user, and off takes it back. The server keeps it. Who is refused gets the
// error forbidden for every post and topic, and can still read what was said. With fresh
// a talk goes on in which the user has said something lately.
//
// # Who may what
//
// Everybody may read and post in every room that is not private. A guest has no
// direct talks, no read markers and no role. An op, of one room, and an admin, of
// the whole server, may more: see [Deed]. Both may also delete anybody's entry. Who
// may not is told forbidden; who may not know that a room exists, not_found.
//
// A room may be removed: by moderate with delete-room, or when nothing that was said is
// left in it, nobody is there and the server needs the name. Who is in it is sent left
// without ref. A room of that name that is made again goes on with the next seq, so that
// cursors hold, and a post that is sent again is acknowledged as before.
//
// A private room exists for its ops, for admins and for those who were invited: for
// nobody else in rooms, who, search, history, join or presence. moderate
// with private makes one of a room that is not there yet, and its maker its op. The
// answer to invite has a token, which a newcomer sends in hello: it lets in without a
// passphrase, and into the room, as often and as long as it says. Ops invite to their
// rooms, admins to every one; where the server asks for no passphrase and the room is
// not private anybody may, though nobody needs it, and gets no token. uses is 1 to
// 1,000, and 0 is 1; ttl is up to 90 days, in seconds, and 0 is a day. A key sends its
// token once, and enters without a passphrase from then on. As a line to pass on it is
// chat://HOST:PORT/ROOM?t=TOKEN#FINGERPRINT, with the server's fingerprint in hex.
//
// An invitation ends when it is used up, at its end, by revoke with its name, and by what
// takes the room from its maker: deop for those to that room, ban for all. uninvite ends
// the one by which that user joined, and no other one leads that key to the room until an
// op names the user, by invite or op. private ends those to a room that was public. Where
// a passphrase is asked, what ended by deop, uninvite or private still lets in to the
// server, and not to the room.
//
// What is remembered of rooms and people has shares, of each room, of who has made it and
// of the address; over one the answer is limit. It is about somebody who is connected or
// known; any other user id is not_found, but where something is taken back. A mute by an
// op lasts 30 days at most.
//
// A kick ends a stay with left, without ref, and so does whatever else takes the right
// to be in a room; for a minute a join is then refused with forbidden. Who is banned
// gets the error forbidden in place of welcome, and those who are here bye with
// forbidden. A purge is answered twice, as it begins and when all is deleted; it goes on
// meanwhile, and ends early where the server stops: asked for again it deletes the rest.
// Of a guest a ban takes the address, for nothing else is the guest's. A post
// of somebody who is muted, and one that comes too early in a slow room, are refused
// with forbidden and limit. What is announced is an entry of the kind announce, and
// each other deed in a room is told there by one of the kind deed, as "has muted bob
// for 10 min"; nobody can post either kind.
//
// # Names
//
// A room's name: [ValidRoom]; that of a direct talk: [DirectRoom]. A nick: [ValidNick],
// and not [ReservedNick].
//
// A nick is held while its user is connected: nobody else is granted it, nor one that
// looks like it; but a key takes it from a guest, who gets another one. It is bound to
// the user's key after the first post under it, or ten minutes of presence in all, and
// is then granted to that key alone until the key has not come with it for 90 days, or
// an admin frees it. A key has at most three. A server binds only so many of one
// address; over that a nick is held and not bound, and bound after a later post.
//
// # Life and death of a connection
//
// A client that has sent nothing for 30 seconds sends a ping. A side that gets
// no whole frame for 75 seconds, or whose write makes no way for 30, closes the
// connection. The server answers one ping a second at once, before requests that wait for
// a rate limit; further ones in their turn. Closing without a word is always allowed: nothing that was
// acknowledged is lost by it.
//
// Sources: RFC 9293 (TCP), RFC 8446 (TLS 1.3), RFC 9562 (UUIDv7), RFC 4648
// (base32), the MessagePack specification.
package protocol

package protocol

// A Message is the body of one frame. Every message type of this package is a
// pointer to a struct, and nothing else implements it.
type Message interface{ wireName() string }

// Name returns the message's type as it stands on the wire.
func Name(m Message) string { return m.wireName() }

// Kind says what an [Entry] is. A client shows a kind that it does not know as
// plain text.
type Kind string

// The kinds of entry. Edit, delete and reaction point at another entry of the
// same room through Target, and are folded into it: pages, replays and searches
// give a target as it stands now. They stay in the log as entries of their own,
// so that a client that has the target hears of the change; an edit carries the
// target's newest text then, whichever edit brought it. The same reaction of the
// same user once more takes it back. A text with a Target is a reply.
const (
	KindText     Kind = "" // not written on the wire
	KindAction   Kind = "action"
	KindTopic    Kind = "topic"
	KindEdit     Kind = "edit"
	KindDelete   Kind = "delete"
	KindReaction Kind = "reaction"
	KindAnnounce Kind = "announce" // of an admin, in every room
	// KindDeed tells of a Moderate in its room: "has muted bob for 10 min". Only the
	// server makes one, so that nobody can pretend to have done it.
	KindDeed Kind = "deed"
)

// Hello is the first message of a client.
type Hello struct {
	Version  uint16   `msgpack:"v"`
	Software string   `msgpack:"software,omitempty" max:"64"`
	Nick     string   `msgpack:"nick,omitempty" max:"256"`
	Epoch    ID       `msgpack:"epoch,omitempty"` // of the log that the client's cursors belong to
	Bot      bool     `msgpack:"bot,omitempty"`
	Wants    []string `msgpack:"wants,omitempty" max:"16" each:"32"` // extensions that the client understands
	Token    string   `msgpack:"token,omitempty" max:"64"`           // of an invitation, as the answer to Invite gave it
}

// Auth carries one step of a passphrase exchange, in both directions, between
// hello and welcome.
type Auth struct {
	Mech string `msgpack:"mech,omitempty" max:"32"`
	Data []byte `msgpack:"data,omitempty" max:"2048"`
}

// Welcome answers Hello. Nick is what was granted, which may differ from what
// was asked. Where Epoch is not the one that the client knows, its cursors and
// read markers mean nothing here.
type Welcome struct {
	Version  uint16   `msgpack:"v"`
	Software string   `msgpack:"software,omitempty" max:"64"`
	Server   string   `msgpack:"server,omitempty" max:"256"`
	Epoch    ID       `msgpack:"epoch"`
	User     UserID   `msgpack:"user"`
	Nick     string   `msgpack:"nick" max:"256"`
	Guest    bool     `msgpack:"guest,omitempty"`
	Role     Role     `msgpack:"role,omitempty"` // on the whole server
	Room     string   `msgpack:"room,omitempty"` // to which the invitation leads
	Limits   Limits   `msgpack:"limits"`
	Offers   []string `msgpack:"offers,omitempty" max:"64" each:"32"` // extensions that the server has
}

// Limits are the bounds that this server holds a session to.
type Limits struct {
	Frame    uint32 `msgpack:"frame"`     // bytes in a frame's body
	Text     uint32 `msgpack:"text"`      // bytes in an entry's text
	Rooms    uint32 `msgpack:"rooms"`     // rooms that one session may be in
	Pending  uint32 `msgpack:"pending"`   // posts sent and not yet acknowledged
	PostRate uint32 `msgpack:"post_rate"` // posts a second, in the long run; 0: no such limit
}

// Join asks to follow a room, from the entry behind After. A room that does not
// exist is made.
type Join struct {
	Ref   uint32 `msgpack:"ref,omitempty"`
	Room  string `msgpack:"room"`
	After uint64 `msgpack:"after,omitempty"` // the last seq that the client has; 0: none
	Live  bool   `msgpack:"live,omitempty"`  // no replay: begin at the head, whatever After says
	Quiet bool   `msgpack:"quiet,omitempty"` // only to post: nothing of the room is sent
}

// Joined answers Join. Without a ref it is a notice: in a direct talk with this user
// something is unread, or new, and the user may join it. It names at most 200 people, and of more than
// 1,000 at most 20; Who has them all.
type Joined struct {
	Ref     uint32   `msgpack:"ref,omitempty"`
	Room    string   `msgpack:"room"`
	Topic   string   `msgpack:"topic,omitempty"`
	Head    uint64   `msgpack:"head,omitempty"`  // the newest seq; 0: the room is empty
	Read    uint64   `msgpack:"read,omitempty"`  // this user's read marker
	Reset   bool     `msgpack:"reset,omitempty"` // After lay above Head: the client's cursor means nothing here
	Count   uint32   `msgpack:"count"`           // people in the room
	Members []Member `msgpack:"members,omitempty" max:"512"`
	More    bool     `msgpack:"more,omitempty"` // there are more members than these: see Who
	Role    Role     `msgpack:"role,omitempty"` // of this user here
	Private bool     `msgpack:"private,omitempty"`
	Locked  bool     `msgpack:"locked,omitempty"` // ops alone change the topic
	Slow    uint32   `msgpack:"slow,omitempty"`   // seconds from one post of a person to the next
}

// Member is one person in a room.
type Member struct {
	User  UserID `msgpack:"user"`
	Nick  string `msgpack:"nick"`
	Guest bool   `msgpack:"guest,omitempty"` // no key stands behind the nick
	Bot   bool   `msgpack:"bot,omitempty"`
	Role  Role   `msgpack:"role,omitempty"` // in this room
	// NewKey: in the last 30 days this nick went from another key to this one, so
	// it may be another person's than it was.
	NewKey bool `msgpack:"new_key,omitempty"`
}

// Role says what somebody may do beyond what everybody may.
type Role string

// The roles. An admin is one on the whole server, an op in one room.
const (
	RoleNone  Role = "" // not written on the wire
	RoleOp    Role = "op"
	RoleAdmin Role = "admin"
)

// Leave asks to follow a room no more.
type Leave struct {
	Ref  uint32 `msgpack:"ref,omitempty"`
	Room string `msgpack:"room"`
}

// Left answers Leave. Without a ref this session was put out of the room, and Text
// says why.
type Left struct {
	Ref  uint32 `msgpack:"ref,omitempty"`
	Room string `msgpack:"room"`
	Text string `msgpack:"text,omitempty"`
}

// Post says something. The answer is an Ack or an Error with the same ID.
type Post struct {
	ID     ID     `msgpack:"id"`
	Room   string `msgpack:"room"`
	Kind   Kind   `msgpack:"kind,omitempty"`
	Text   string `msgpack:"text,omitempty"`
	Target ID     `msgpack:"to,omitempty"` // the entry that this one is about
}

// Ack says that the entry is in the log and will not be lost. The same post
// sent again gets the same Ack.
type Ack struct {
	ID   ID     `msgpack:"id"`
	Room string `msgpack:"room"`
	Seq  uint64 `msgpack:"seq"`
	At   int64  `msgpack:"at"`
}

// Entry is one entry of a room's log. Its field names are the shortest words
// that say it (in a room, by a user, as a nick, at a time, to a target),
// because every reader of the room is sent it.
type Entry struct {
	Room   string `msgpack:"in"`
	Seq    uint64 `msgpack:"seq"`
	ID     ID     `msgpack:"id"`
	User   UserID `msgpack:"by"`
	Nick   string `msgpack:"as"`
	Guest  bool   `msgpack:"guest,omitempty"`
	Bot    bool   `msgpack:"bot,omitempty"`
	At     int64  `msgpack:"at"` // nanoseconds since 1970-01-01T00:00:00Z, by the server's clock
	Kind   Kind   `msgpack:"kind,omitempty"`
	Text   string `msgpack:"text,omitempty"`
	Target ID     `msgpack:"to,omitempty"`

	// TargetSeq is where Target stands in the room, so that it can be found; 0
	// when the log no longer has it.
	TargetSeq uint64 `msgpack:"to_seq,omitempty"`
	// What was said about this entry later is folded into it, up to the entry Rev
	// of the room: Text is the newest one; Gone means that its author deleted it,
	// and Text is empty.
	Edited    bool       `msgpack:"edited,omitempty"`
	Gone      bool       `msgpack:"gone,omitempty"`
	Rev       uint64     `msgpack:"rev,omitempty"`
	Reactions []Reaction `msgpack:"reactions,omitempty" max:"20"`

	// Purged, of an entry of KindDelete that a ModPurge made, are the seqs of all that
	// it deletes, ascending, Target's among them. Topics may be among them too.
	Purged []uint64 `msgpack:"purged,omitempty" max:"256"`
}

// MaxPurged is how many entries one delete of a ModPurge deletes.
const MaxPurged = 256

// MaxReactions is how many different reactions one entry takes; MaxReaction is
// the most bytes that one has.
const (
	MaxReactions = 20
	MaxReaction  = 32
)

// Reaction is one reaction to an entry, with those who gave it. On an entry of
// KindReaction there is exactly one: how this reaction to Target stands now,
// Count 0 when the last one has taken it back.
type Reaction struct {
	Text  string   `msgpack:"text" max:"32"`
	Count uint32   `msgpack:"n"`
	By    []UserID `msgpack:"by,omitempty" max:"16"` // the first of them
}

// History asks for entries of a room with After < seq < Before (0: no bound),
// at most Limit of them: the newest, or with Oldest the oldest.
type History struct {
	Ref    uint32 `msgpack:"ref,omitempty"`
	Room   string `msgpack:"room"`
	Before uint64 `msgpack:"before,omitempty"`
	After  uint64 `msgpack:"after,omitempty"`
	Oldest bool   `msgpack:"oldest,omitempty"`
	Limit  uint32 `msgpack:"limit,omitempty"`
}

// Page answers History, in ascending order.
type Page struct {
	Ref     uint32  `msgpack:"ref,omitempty"`
	Room    string  `msgpack:"room"`
	Entries []Entry `msgpack:"entries,omitempty" max:"1000"`
	More    bool    `msgpack:"more,omitempty"`
}

// Search asks for entries that match, the newest first. The next page is asked
// for with Before set to the time of the last entry found.
type Search struct {
	Ref    uint32 `msgpack:"ref,omitempty"`
	Query  string `msgpack:"query"` // as people write it: see the package comment
	Room   string `msgpack:"room,omitempty"`
	From   string `msgpack:"from,omitempty"`   // a nick
	Before uint64 `msgpack:"before,omitempty"` // nanoseconds, as in Entry.At
	After  uint64 `msgpack:"after,omitempty"`
	Limit  uint32 `msgpack:"limit,omitempty"`
}

// Found answers Search.
type Found struct {
	Ref     uint32  `msgpack:"ref,omitempty"`
	Entries []Entry `msgpack:"entries,omitempty" max:"1000"`
	More    bool    `msgpack:"more,omitempty"`
}

// Nick asks for another nick, and answers that request. Without a ref the
// server tells that this user's nick has changed.
type Nick struct {
	Ref  uint32 `msgpack:"ref,omitempty"`
	User UserID `msgpack:"user,omitempty"`
	Nick string `msgpack:"nick" max:"256"`
}

// Topic asks to change a room's topic, and answers that request. Everybody is
// sent an Entry of KindTopic.
type Topic struct {
	Ref   uint32 `msgpack:"ref,omitempty"`
	Room  string `msgpack:"room"`
	Topic string `msgpack:"topic,omitempty"`
}

// Rooms asks for the rooms behind After by name, and answers that request.
type Rooms struct {
	Ref   uint32     `msgpack:"ref,omitempty"`
	After string     `msgpack:"after,omitempty"`
	Limit uint32     `msgpack:"limit,omitempty"`
	Rooms []RoomInfo `msgpack:"rooms,omitempty" max:"512"`
	More  bool       `msgpack:"more,omitempty"`
	// Direct asks for this user's direct talks in place of the rooms: [ExtDirects].
	Direct bool `msgpack:"direct,omitempty"`
}

// RoomInfo is one room in a list.
type RoomInfo struct {
	Room    string `msgpack:"room"`
	Topic   string `msgpack:"topic,omitempty"`
	Head    uint64 `msgpack:"head,omitempty"`
	Count   uint32 `msgpack:"count,omitempty"` // people in it now
	Private bool   `msgpack:"private,omitempty"`
	Nick    string `msgpack:"nick,omitempty" max:"256"` // of a direct talk: the other user's
	Read    uint64 `msgpack:"read,omitempty"`           // of a direct talk: this user's read marker
}

// Who asks for the people of a room, and answers that request. Pages are by
// user id: After is the last one of the page before.
type Who struct {
	Ref    uint32   `msgpack:"ref,omitempty"`
	Room   string   `msgpack:"room"`
	After  UserID   `msgpack:"after,omitempty"`
	Limit  uint32   `msgpack:"limit,omitempty"`
	People []Member `msgpack:"people,omitempty" max:"512"`
	Count  uint32   `msgpack:"count,omitempty"`
	More   bool     `msgpack:"more,omitempty"`
}

// Invite asks for a token that lets somebody in, and into Room where that is
// private, and answers that request. Uses 0 is one use, TTL 0 a day.
type Invite struct {
	Ref   uint32 `msgpack:"ref,omitempty"`
	Room  string `msgpack:"room"`
	Uses  uint32 `msgpack:"uses,omitempty"`
	TTL   uint32 `msgpack:"ttl,omitempty"` // seconds
	Token string `msgpack:"token,omitempty" max:"256"`
	// Name names the invitation, not secretly, for ModInvites and ModRevoke.
	Name string `msgpack:"name,omitempty" max:"32"`
}

// Whois asks about one user, and answers that request: [ExtWhois]. Times are
// nanoseconds since 1970-01-01T00:00:00Z by the server's clock; 0: unknown.
type Whois struct {
	Ref   uint32   `msgpack:"ref,omitempty"`
	Who   string   `msgpack:"who,omitempty" max:"64"` // a nick or a user id
	User  UserID   `msgpack:"user,omitempty"`
	Nick  string   `msgpack:"nick,omitempty" max:"256"`
	Guest bool     `msgpack:"guest,omitempty"`
	Bot   bool     `msgpack:"bot,omitempty"`
	Role  Role     `msgpack:"role,omitempty"`                      // on the whole server
	Bound int64    `msgpack:"bound,omitempty"`                     // since when Nick is bound to this user; 0: it is not, or that is not known
	Here  bool     `msgpack:"here,omitempty"`                      // the user is here now
	Seen  int64    `msgpack:"seen,omitempty"`                      // when the user was last here, to an hour; of who is here the time of the answer
	Rooms []string `msgpack:"rooms,omitempty" max:"512"`           // in which the user is, and which the asker may see
	More  bool     `msgpack:"more,omitempty"`                      // there are more rooms than these
	Addrs []string `msgpack:"addrs,omitempty" max:"256" each:"64"` // from which the user is here; for admins alone
}

// Refuse says whose direct talks this user does not want to be told of, and answers
// that request with all that holds now: [ExtDirects]. It is kept by the server.
type Refuse struct {
	Ref   uint32   `msgpack:"ref,omitempty"`
	What  string   `msgpack:"what,omitempty" max:"16"` // RefuseFresh or RefuseAll
	Who   string   `msgpack:"who,omitempty" max:"64"`  // one user: a nick or a user id
	Off   bool     `msgpack:"off,omitempty"`           // What, or the refusal of Who, ends
	Users []UserID `msgpack:"users,omitempty" max:"256"`
}

// What a Refuse may say. Without What and Who it changes nothing and asks what holds.
const (
	RefuseFresh = "fresh" // of who is not known: see the package comment
	RefuseAll   = "all"
)

// Notice tells something about the server, unasked: [ExtNotices].
type Notice struct {
	About string `msgpack:"about" max:"32"` // NoticeDisk or NoticeLimits; show others as well
	Room  string `msgpack:"room,omitempty"` // that it concerns; "": the whole server
	Text  string `msgpack:"text,omitempty"` // for people; empty: what was said about this is over
}

// What a Notice may be about.
const (
	NoticeDisk   = "disk"   // space runs out; to admins
	NoticeLimits = "limits" // limits are reached in masses; to admins, and to a room's ops
)

// Moderate asks for something that takes a role, and answers that request, with
// Text for people. Without a ref it tells who follows Room that this was set there:
// lock, unlock, slow, private or public.
type Moderate struct {
	Ref  uint32 `msgpack:"ref,omitempty"`
	Do   Deed   `msgpack:"do" max:"16"`
	Room string `msgpack:"room,omitempty"`
	Who  string `msgpack:"who,omitempty" max:"64"` // a nick, a user id, or of a ban an address
	For  uint32 `msgpack:"for,omitempty"`          // seconds; 0: until it is taken back
	Text string `msgpack:"text,omitempty"`         // a reason, or what is announced
}

// Deed is what a Moderate asks for.
type Deed string

// The deeds. An admin may do all of them, an op those for a room in that room.
const (
	DeedKick     Deed = "kick"     // Who is put out of Room, and may come back after a minute
	DeedMute     Deed = "mute"     // Who may not post in Room, For a time
	DeedUnmute   Deed = "unmute"   //
	DeedOp       Deed = "op"       // Who, a person with a key, is an op of Room
	DeedDeop     Deed = "deop"     //
	DeedLock     Deed = "lock"     // ops alone change Room's topic
	DeedUnlock   Deed = "unlock"   //
	DeedSlow     Deed = "slow"     // a person's posts in Room are For seconds apart; 0: they need not be
	DeedPrivate  Deed = "private"  // only who is invited knows of Room; a room that is not there yet is made by it
	DeedPublic   Deed = "public"   //
	DeedUninvite Deed = "uninvite" // Who is not invited to Room any more, by whatever invitation: see ModInvite
	DeedBan      Deed = "ban"      // Who, a person or an address, may not enter the server; admins only, as all below
	DeedUnban    Deed = "unban"    //
	DeedBans     Deed = "bans"     // Text lists the bans
	DeedAnnounce Deed = "announce" // Text is said in every room
)

// ModAction is what a Moderate asks for.
type ModAction = Deed

// The actions of [ExtModeration].
const (
	ModInvites    ModAction = "invites"     // Text lists the open invitations to Room, or with no Room, for admins, all
	ModRevoke     ModAction = "revoke"      // the invitation to Room, or with no Room, for admins, any, that is called Who is not valid any more
	ModInvite     ModAction = "invite"      // Who may join the private Room, uninvited before or not
	ModRules      ModAction = "rules"       // Text lists what is stored of Room's rules, or made by Who, or with neither who has made the most; admins only, as all below
	ModDropRules  ModAction = "drop-rules"  // the rules of Room, or those made by Who, are dropped; a private room in which somebody talked stays private
	ModDeleteRoom ModAction = "delete-room" // Room and what was said in it are removed; also by who made Room, while nobody else has said anything there
	ModFree       ModAction = "free"        // the nick Who belongs to nobody any more
	ModPurge      ModAction = "purge"       // what Who has posted, in the last For seconds or ever, is deleted
)

// Read sets this user's read marker in a room: a request without an answer,
// and told to the user's other sessions in the same form.
type Read struct {
	Room string `msgpack:"room"`
	Seq  uint64 `msgpack:"seq"`
}

// Typing says that somebody is writing: a request without an answer (User and
// Nick left out), and told to the room in the same form.
type Typing struct {
	Room string `msgpack:"room"`
	User UserID `msgpack:"user,omitempty"`
	Nick string `msgpack:"nick,omitempty"`
}

// Ping asks for a Pong with the same number. Either side may send one.
type Ping struct {
	N uint64 `msgpack:"n"`
}

// Pong answers Ping.
type Pong struct {
	N uint64 `msgpack:"n"`
}

// Presence tells what has changed among the people of a room since the last
// one. Somebody already known among Joined has changed the nick. In a room of
// more than 200 it names at most 20; Who has them all.
type Presence struct {
	Room   string   `msgpack:"room"`
	Joined []Member `msgpack:"joined,omitempty" max:"512"`
	Left   []UserID `msgpack:"left,omitempty" max:"512"`
	Count  uint32   `msgpack:"count"`
	Reset  bool     `msgpack:"reset,omitempty"` // Joined is all there is to know: forget who was there
}

// Slow says that a rate limit holds this session back: what it sent is kept
// and read later.
type Slow struct {
	Why string `msgpack:"why"`
	For uint32 `msgpack:"for"` // milliseconds
}

// Skipped says that the entries From to To, both included, are not replayed:
// too many were missed. History has them.
type Skipped struct {
	Room string `msgpack:"room"`
	From uint64 `msgpack:"from"`
	To   uint64 `msgpack:"to"`
}

// Bye is the last message before the server closes the connection.
type Bye struct {
	Code       Code   `msgpack:"code"`
	Text       string `msgpack:"text,omitempty"`
	RetryAfter uint32 `msgpack:"retry_after,omitempty"` // milliseconds; 0: coming back is no use
}

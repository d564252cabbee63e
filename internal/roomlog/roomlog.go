// Package roomlog is the rooms' log: it gives entries their order, keeps them,
// and reads them back. The rest of the server reaches it through [Log] alone
// and cannot tell one store from another.
//
// # Order
//
// A room's entries are numbered 1, 2, 3, … without a gap, in the order in which
// they were committed. The posts of one [Poster] are committed in the order in
// which it submitted them, and each poster hears of them in that order. Where a
// post fails for a passing reason ([ErrUnavailable]), every later post of the
// same poster fails too: otherwise a line would stand before one that was said
// earlier and is sent again.
//
// # Once
//
// A post's id is unique in the log. Submitting the same id, room and content
// again gives the entry that is already there, whoever submits it; another
// content under a known id fails with [ErrIDConflict]. The memory store knows
// the last 1,048,576 ids; SQLite knows the id of every entry that it has, and of
// a removed one for 30 days past its removal or, where Keep bounds bytes, for at
// least 24 hours after it was posted. An entry that was edited is still compared
// with what was posted, by a hash; so is a removed one, by 24 bits of it. Of one
// that was deleted nothing is kept to compare with, not even a hash, nor of its
// edits: there, and where an edited entry was imported, any content counts as the
// same.
//
// # Folding
//
// Edits, deletes and reactions are entries like others, and change the entry that
// they are about, their target, in the commit that adds them. Whoever reads,
// searches or exports gets the target as it stands now, with Rev the newest of
// them. Only texts and actions that are there and not deleted are changed.
//
//   - An edit replaces the text. The target alone has it: an edit that is read
//     carries its target's newest text, none when that is deleted or removed, or
//     was no text.
//   - A delete leaves the entry in its place, Gone, with neither text, Edited nor
//     reactions. One with Purged does so to all entries of these numbers, topics too.
//   - A reaction is given, and by the same user once more taken back. A target has
//     its reactions in the order in which they appeared, each with how many gave
//     it and the first 16 of those. Read, the entry of a reaction says how this
//     reaction stands now. One that would be more than protocol.MaxReactions
//     different ones is refused with [ErrReactions].
//
// What a poster's room hears of at the commit, by Follow, is said of that moment:
// the edit's own text, the reaction as it stands behind it. An id that is known
// changes nothing a second time. Search finds newest texts only, and never an
// edit, delete or reaction itself.
//
// A text that was deleted or replaced is overwritten in its row as the commit is
// made. Behind that the index is merged, so that its words leave, and the
// write-ahead log is emptied: within a second, in a log of some 10,000 entries.
// In one of a million, merging takes some 15 seconds, and as it may only begin when
// the last is 20 times as long ago as it took, the time is about 5 minutes at most. A reader, such as a long export, holds up the end. What a crash interrupts
// goes on with the next start. One thing is out of reach: where SQLite moves rows
// to another page, bytes of them may stay in the part of the old one that is not
// in use, until that is. Among a thousand texts that were edited all over, a test
// finds two or three such.
//
// # What survives
//
// [Memory] keeps nothing beyond the process, and of the entries the newest
// [MemoryBudget] bytes: older ones are dropped, oldest first.
//
// [SQLite] keeps its promise through these faults:
//
//   - A process that is killed, at whatever moment: every entry that was
//     acknowledged is there, in its place, and of those under way each is there
//     as a whole or not at all. Topics, bound nicks and the ids of removed entries
//     are kept likewise. Of the read markers, the moves of the last two seconds may
//     be lost. The index is completed when the log is opened again, and no search
//     misses anything by it.
//   - A power cut: the same, as far as the disk keeps what it has acknowledged to
//     fsync. Each commit waits for that (synchronous=FULL). What an interrupted
//     retention had already removed may be back, and is then removed again.
//   - A full disk, or one that fails: a post is refused with ErrUnavailable and
//     nothing of its batch is kept; reading and searching go on. Nothing that was
//     acknowledged is lost, and posting works again as soon as there is space. A log
//     can also be opened while the disk is full to the last byte: where that takes
//     space that is not there, as after it was closed, or to migrate it, the log is
//     read by one connection that keeps in memory what it would write, and no other
//     process can read it; within seconds of there being space it is opened as usual.
//     With a Keep a small file is a reserve, out of which retention makes space. Where
//     the index could not be written, the newest 20,000 entries are indexed in memory
//     for a search.
//   - A damaged file: it is not opened, or reading fails with [ErrUnavailable]; it
//     is never silently replaced by an empty log.
//
// # Retention
//
// With a [Keep], entries are removed for good once they are too old, or once the
// log is larger than so many bytes: the oldest of the whole log first, whatever
// their room. [SQLite.Retain] does it after the commits, at once, then every minute
// and, with a bound in bytes, as soon as the log has grown to it; a post waits for
// one small step at most.
//
// A bound in bytes counts what a user sees, log.db and log.db-wal. Of it
//
//   - entries and their words in the index have at least four fifths, where there is
//     as much, at every moment: the newest stay, whatever their sizes;
//   - the ids of removed entries take at most a tenth: above it the oldest are
//     forgotten, but none whose entry was posted in the last 24 hours;
//   - the files have at most a tenth more than all of it. What was posted is
//     committed in small parts, and each has room made for it first: under a flood
//     posts are later, and the log is no larger.
//
// Where not all of that is possible, no post is doubled (ids stay), then entries have
// their four fifths, and the log is larger than it should be; warn is told why. A
// removed id takes 12 to 20 bytes: of messages of 25 bytes, which take 195 each, about
// four times as many may be removed within a day as are kept. And nicks, rooms, rules
// and read markers, which retention does not remove, may take a twentieth.
//
// A log that is too large when it is opened shrinks in the background. A reader, such as
// a long export, keeps the write-ahead log from being emptied, and the log is larger by
// that. Under a flood of 16 KiB posts a log of 10 MB was seen above 11 MB, by up to
// 0.7 MB, in one of 500 looks. With a bound of less than 10 MB the same tenths are less
// than a few steps write: a log may be larger by half a megabyte, and of the shortest
// messages under a flood three quarters of the bound were kept.
//
// A removed entry is not read, found or searched any more, and its reactions go
// with it. Its text is overwritten
// in the file as it is removed, and its single words in the index when that is
// merged, which is within a day. Older copies in the write-ahead log go as soon as
// no reader needs them. The space goes back to the file system, but for a
// sixteenth (with a bound in bytes three hundredths of that) that is kept for what
// comes. What stays is the room with its topic and its head, so that numbers never
// begin again, and each entry's id with a hash of its content, for as long as said
// above, so that a post that is sent again is acknowledged as it was the first time.
//
// # Removed rooms
//
// RemoveRoom removes a room with its topic and its entries at once, and their texts
// from the files after that, in small steps; a crash interrupts it and no more. Words
// and older copies go as those of deleted texts do. What stays are its head and, for 30
// days, its entries' ids: a room that is made again goes on at head+1, so that nobody's
// cursor is wrong, and a post that is sent again is acknowledged as it was. [MaxRemoved]
// rooms are remembered so; above that those are forgotten that were removed first and
// more than [RemovedKept] ago, and where there are none, no room is removed but by Force.
//
// # Who may use what
//
// One process at a time opens a log with [OpenSQLite]; another gets [ErrLocked].
// Beside it, any number of processes may read the file through a [SQLiteReader].
// A Store's Append is called by one goroutine at a time, Import by nobody while
// there is an Append; everything else, and everything of a Log, may be called by
// any number of goroutines at once. Reading and searching never hold up posting
// for longer than it takes to index a batch of what was posted before.
package roomlog

import (
	"context"
	"errors"
	"time"

	"lanchat/protocol"
)

// Errors of a Log, to be compared with errors.Is.
var (
	// ErrUnavailable wraps every fault that may pass: a full disk, a log out of
	// reach. Nothing of the post is kept; it may be sent again later.
	ErrUnavailable = errors.New("the log cannot take entries now")
	// ErrIDConflict says that a post's id belongs to another entry.
	ErrIDConflict = errors.New("this id belongs to another entry")
	// ErrNickTaken says that a nick is bound to another user.
	ErrNickTaken = errors.New("this nick belongs to somebody else")
	// ErrClosed says that the log was closed.
	ErrClosed = errors.New("the log is closed")
)

// RoomInfo is what the log knows of a room.
type RoomInfo struct {
	Name  string
	Head  uint64 // the newest entry's seq; it stays when entries, or the room, are removed
	Topic string
	// Last is when the newest entry was said, as in protocol.Entry.
	Last int64
	// Maker is who made the room; of a direct talk, who opened it.
	Maker Maker
}

// Range asks for entries of Room with After < seq < Before (0: no bound): the
// newest of them, or with Oldest the oldest, at most Limit entries and, by
// protocol's Entry.MaxSize, about Bytes bytes; but at least one, if there is one.
type Range struct {
	Room          string
	After, Before uint64
	Oldest        bool
	Limit         int
	Bytes         int
}

// Store keeps what was committed. One goroutine at a time calls Append.
type Store interface {
	// Epoch is the log's identity, made with it.
	Epoch() protocol.ID
	// Append commits a batch: it sets each record's Entry.Seq, At and TargetSeq,
	// or its Err, and makes of an edit or a reaction what is told of it now: see
	// Folding. An error of Append itself means that nothing of the batch is kept.
	Append(batch []Record) error

	// Room reports whether there is a room, and what is known of it: of one that was
	// removed its head.
	Room(name string) (RoomInfo, bool)
	// Rooms lists the rooms by name, from the one behind after.
	Rooms(after string, limit int) []RoomInfo
	// RoomCount counts the rooms that there are, and the direct talks.
	RoomCount() (rooms, directs int)
	// Made counts what a maker has made of these, and what was made from its place.
	Made(m Maker) (own, place Made)
	// RemoveRoom removes a room, unless how spares it, and returns how many entries it
	// had. They are not read, found or counted any more when it returns; a Store may
	// take them out of its files later. See Removed rooms.
	RemoveRoom(ctx context.Context, name string, how Removal) (entries int, err error)
	// Directs lists the direct talks of a user that have entries, the one with the
	// newest entry first.
	Directs(user protocol.UserID) []Direct
	// Read returns entries in ascending order, and whether there are more
	// within the range.
	Read(ctx context.Context, r Range) (entries []protocol.Entry, more bool, err error)
	// Search returns entries, the newest first, and whether there are more. A
	// store without an index fails with ErrNoSearch.
	Search(ctx context.Context, q Query) (entries []protocol.Entry, more bool, err error)
	// Posted returns what a purge of some users has to delete: texts, actions and topics
	// that are not deleted, of an edit the entry that it is about, and reactions that
	// stand; without texts but those of topics and reactions. One call is one step; next
	// is the next one's Before, 0 after the last.
	Posted(ctx context.Context, q Posted) (entries []protocol.Entry, next int64, err error)
	// Find returns the entry that has an id.
	Find(ctx context.Context, id protocol.ID) (protocol.Entry, bool, error)

	// Marker returns a user's read marker in a room; SetMarker moves it, never
	// back, and reports whether it moved.
	Marker(user protocol.UserID, room string) uint64
	SetMarker(user protocol.UserID, room string, seq uint64) (moved bool, err error)

	// NickOwner returns whom a nick, or one that looks like it, is bound to.
	// Bindings unused for NickExpiry do not count. Where nicks that look like it are
	// bound to two users it is nobody's, and taken: the user is the zero one.
	NickOwner(nick string) (protocol.UserID, bool)
	// NickLapsed reports whether a nick, or one that looks like it, was bound to
	// another user, and is not any more.
	NickLapsed(nick string, user protocol.UserID) bool
	// BindNick binds a nick to a user, or marks it as used at that time. A user
	// has at most NicksPerUser; the one unused for longest makes place. since is
	// when the nick, or one that looks like it, went from another user to this one;
	// zero: never, as far as is known.
	BindNick(nick string, user protocol.UserID, at time.Time) (since time.Time, err error)
	// Nicks returns the bindings of a user that count, the one used last first; none
	// where the log cannot be read.
	Nicks(user protocol.UserID) []NickBinding
	// UnbindNick ends the binding of a nick to a user, or with nick "" of all, and
	// returns the nicks that were bound.
	UnbindNick(nick string, user protocol.UserID) (freed []string, err error)

	// Facts returns the facts of a kind that count now, by key.
	Facts(kind string) ([]Fact, error)
	// SetFact remembers a fact in place of the one with its kind and key; it is
	// durable when SetFact returns. Above MaxFacts it fails with ErrFacts.
	SetFact(Fact) error
	// DropFact forgets a fact, if there is one.
	DropFact(kind, key string) error
	// DropFacts forgets several facts of a kind. Of very many an error may leave some
	// dropped.
	DropFacts(kind string, keys []string) error

	Close() error
}

// NickBinding is a nick that belongs to a user.
type NickBinding struct {
	Nick  string
	Bound time.Time // since when; zero: before that was kept
	Used  time.Time // last; not exactly, but to an hour
}

// A Record is one post in a batch. Append fills in Seq and At of Entry; with
// Known set these are an earlier entry's, and nothing was added.
type Record struct {
	Entry protocol.Entry
	From  Place // where it comes from; kept of an entry that makes a room
	Known bool
	Err   error
}

// Log is a Store and the Sequencer that feeds it.
type Log interface {
	Store
	Sequencer
}

// Sequencer gives posts their order.
type Sequencer interface {
	// Follow registers the function that hears of new entries: one commit's at
	// a time, in the log's order, before any poster hears of them. What it returns
	// is called, unless it is nil, when the commit's posters have heard too. Neither
	// may wait for a client. Follow is called once, before the first post.
	Follow(func(entries []protocol.Entry) (told func()))
	// Poster returns a handle for one sender's posts. done hears of each post,
	// once, in the order of submission, as it was submitted but for Seq and At; it
	// must not wait for a client.
	Poster(done func(entry *protocol.Entry, err error)) *Poster
	// Flush waits until what was submitted before is committed or has failed.
	Flush()
}

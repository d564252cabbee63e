package client

import (
	"sort"
	"time"

	"lanchat/protocol"
)

// State is everything that a user interface shows. It changes by [State.Apply]
// alone, which is pure: no I/O, no clock, no goroutine. Whoever shows it owns it
// and is the only goroutine that touches it.
//
// All text in it has been cleaned by package safetext.
type State struct {
	Link   Link
	Server Server
	Me     protocol.Member
	Limits protocol.Limits
	Offers []string // extensions that the server has
	Rooms  []*Room  // in the order in which they were joined
	Active string   // the room that is being read; its entries count as read
	Away   bool     // the terminal has lost the focus: nothing counts as read meanwhile

	// What is kept on this side for this server, across restarts.
	Ignored map[protocol.UserID]string // people whose entries are not shown, with their nicks
	Notices map[string]Policy          // of the rooms that differ from the default
	Drafts  map[string]string          // by room, as they were when the client ended

	Default Policy              // of the rooms that Notices does not name; "": TellMentions
	Theme   string              // that was asked for by /theme; "": none was
	Alerts  []Alert             // that nobody has taken yet; see TakeAlerts
	Found   *protocol.Found     // the answer to the newest search
	Listed  []protocol.RoomInfo // the answer to the newest question for rooms
	Directs []protocol.RoomInfo // the same for direct talks
	Reports []protocol.Notice   // what the server reports of itself now; see Report

	early []Event // posts and remarks for rooms whose join is not yet answered
	words words

	warned map[protocol.UserID]string // people with a new key that this user was told of, by nick
}

// Phase is what the connection is doing.
type Phase int

// The phases of a connection.
const (
	Connecting Phase = iota // the first time
	Up
	Waiting // the connection is lost; RetryAt says when the next try begins
	Trying  // the next try is under way
	Ended   // for good: Err says why
)

// Link is the connection's state.
type Link struct {
	Phase     Phase
	Err       error // why it is not up
	RetryAt   time.Time
	RoundTrip time.Duration // 0: not yet measured
}

// Server is whom one is connected to.
type Server struct {
	Name      string
	Addr      string
	Public    string // where others reach it
	Key       string // its fingerprint in hex; "" without TLS
	KeyWords  string // of the server's fingerprint, to be compared across a table
	Encrypted bool
	NewKey    bool // met for the first time: the key was pinned just now
}

// Room is one joined room.
type Room struct {
	Name   string
	Title  string          // what people call it: #lobby, @bob
	Direct protocol.UserID // the other one of a direct talk
	Topic  string
	Head   uint64 // the newest seq there is
	Read   uint64 // the read marker
	Older  bool   // there are entries before the first of Items
	// Items are the entries in order of seq, and notices between them; edits,
	// deletions and reactions are folded into what they are about. Pending are
	// one's own that have no seq yet; they stand behind.
	Items   []*Item
	Pending []*Item
	Unread  int // others' entries behind the read marker
	Mine    int // of these, those that mention this user, or are in a direct talk
	Members map[protocol.UserID]protocol.Member
	Count   int // of people; may be more than Members
	Typing  map[protocol.UserID]Typist

	Role    protocol.Role // of this user here
	Private bool          // only who is invited knows of it
	Locked  bool          // ops alone change the topic
	Slow    uint32        // seconds from one post of a person to the next; 0: any number

	// Line is the seq behind which what is new begins, as long as it is to be
	// shown; 0: there is no such line. It holds still while one reads. Missed is
	// how many of the entries behind it were said while there was no connection.
	Line   uint64
	Missed int

	first, last uint64 // the entries heard or loaded, those without an item too; 0: none
	known       bool   // it has been joined once
	joinHead    uint64 // what was said up to here was said before the first join
	gap         gap
	late        []protocol.Entry        // changes of entries that were not held when they came
	changes     map[protocol.ID]*Change // one's own under way, by the entry they are about
	hides       bool                    // somebody's entries were left out
}

// Policy says of which entries a user is told who is not looking.
type Policy string

// The policies. A direct talk is for this user, every line of it.
const (
	TellAll      Policy = "all"
	TellMentions Policy = "mentions" // the default
	TellNothing  Policy = "nothing"
)

func (p Policy) valid() bool { return p == TellAll || p == TellMentions || p == TellNothing }

// Alert is something that the user is to be told of.
type Alert struct {
	Room  string // its name
	Title string // and what people call it
	Nick  string
	Guest bool
	Text  string
	ForMe bool // mentions this user, or in a direct talk
}

// Typist is somebody who was writing a moment ago.
type Typist struct {
	Nick  string
	Since time.Time
}

// Status says how far an item has come.
type Status int

// The states of an item. Others' entries are always Said.
const (
	Said    Status = iota // in the log
	Pending               // on its way
	Acked                 // in the log; its entry is not here yet
	Failed                // refused: Err says why
	Notice                // not an entry: a remark of this client's
)

// Item is one thing in a room's list. An item is replaced, never changed, so
// that whoever caches how it looks may compare pointers.
type Item struct {
	Status Status
	Entry  protocol.Entry // of a Notice only Seq, At and Text
	Err    string
	Mine   bool   // said by this user
	ForMe  bool   // mentions this user, or in a direct talk
	GoneBy string // who has deleted it, where that is not its author and is known
	// Change is this user's edit or deletion of the entry that is not in the log
	// yet, or was refused. Entry is the entry without it.
	Change *Change
}

// Change is an edit or a deletion under way.
type Change struct {
	ID     protocol.ID   // of the post
	Kind   protocol.Kind // edit or delete
	Text   string
	Status Status // Pending, Acked or Failed
	Err    string
}

// Room returns a joined room, or nil.
func (s *State) Room(name string) *Room {
	for _, r := range s.Rooms {
		if r.Name == name {
			return r
		}
	}
	return nil
}

// Len counts all items, Pending ones included.
func (r *Room) Len() int { return len(r.Items) + len(r.Pending) }

// At returns item i of Len.
func (r *Room) At(i int) *Item {
	if i < len(r.Items) {
		return r.Items[i]
	}
	return r.Pending[i-len(r.Items)]
}

// FirstSeq is the seq of the oldest entry held, or folded into one that is; 0
// when there is none. What is older is asked for with it.
func (r *Room) FirstSeq() uint64 {
	if r.first > 0 {
		return r.first
	}
	for _, it := range r.Items {
		if it.Status != Notice {
			return it.Entry.Seq
		}
	}
	return 0
}

// LastSeq is the seq of the newest entry that has come; 0 when none has.
func (r *Room) LastSeq() uint64 {
	if n := len(r.Items); n > 0 {
		return max(r.last, r.Items[n-1].Entry.Seq)
	}
	return r.last
}

// Find returns where in Items the entry with a seq stands, or -1.
func (r *Room) Find(seq uint64) int {
	i := sort.Search(len(r.Items), func(i int) bool { return r.Items[i].Entry.Seq >= seq })
	for ; i < len(r.Items) && r.Items[i].Entry.Seq == seq; i++ {
		if r.Items[i].Status != Notice {
			return i
		}
	}
	return -1
}

// People lists the known members by nick.
func (r *Room) People() []protocol.Member {
	out := make([]protocol.Member, 0, len(r.Members))
	for _, m := range r.Members {
		out = append(out, m)
	}
	sort.Slice(out, func(i, j int) bool { return less(out[i], out[j]) })
	return out
}

func less(a, b protocol.Member) bool {
	if a.Nick != b.Nick {
		return a.Nick < b.Nick
	}
	return string(a.User[:]) < string(b.User[:])
}

// TypingNow lists the nicks of those who wrote in the last five seconds.
func (r *Room) TypingNow(now time.Time) []string {
	var out []string
	for _, t := range r.Typing {
		if now.Sub(t.Since) < 5*time.Second {
			out = append(out, t.Nick)
		}
	}
	sort.Strings(out)
	return out
}

package client

import (
	"time"

	"lanchat/protocol"
)

// Event is something that changes a State: what comes from the network, and
// what the user has done.
type Event interface{ event() }

// WentUp says that a connection has been established.
type WentUp struct {
	Server Server
	Me     protocol.Member
	Limits protocol.Limits
	Offers []string // extensions that the server has
	Asked  string   // the nick that was asked for
	// Wiped is true when the server's log is another one than before: what is
	// shown of it belongs to the past.
	Wiped bool
}

// WentDown says that there is no connection now.
type WentDown struct {
	Err     error
	RetryAt time.Time
}

// Retrying says that the next try has begun.
type Retrying struct{}

// GaveUp says that no further try will be made.
type GaveUp struct{ Err error }

// Received is a message from the server, cleaned. Entries come in order, each
// once.
type Received struct {
	Message protocol.Message
	At      time.Time
}

// RoundTrip is a measurement of the connection.
type RoundTrip struct{ Took time.Duration }

// Queued is a post of this user, made by Client.Post.
type Queued struct {
	Post protocol.Post
	At   time.Time
}

// Refused says that the server does not take a post of this user.
type Refused struct {
	ID   protocol.ID
	Text string
}

// Dropped takes a failed post off the list, or a failed change off its entry: the
// user has seen to it. ID is the post's.
type Dropped struct {
	Room string
	ID   protocol.ID
}

// Selected says which room the user reads now.
type Selected struct{ Room string }

// Remarked puts a notice of this client's into a room, or into the active one
// when Room is empty.
type Remarked struct {
	Room string
	Text string
	At   time.Time
}

// Focused says that the terminal has got the focus, or lost it.
type Focused struct{ Has bool }

// Recalled is what an earlier client of this server has kept on this side.
type Recalled struct {
	Ignored map[protocol.UserID]string
	Notices map[string]Policy
	Drafts  map[string]string
}

// Ignored says that somebody's entries are not to be shown, or again are.
type Ignored struct {
	User protocol.UserID
	Nick string
	On   bool
}

// Told sets a room's policy.
type Told struct {
	Room   string
	Policy Policy
}

// Drafted is what stands in a room's input; an empty text: nothing does.
type Drafted struct {
	Room string
	Text string
}

// Themed asks for another theme.
type Themed struct{ Name string }

func (WentUp) event()    {}
func (WentDown) event()  {}
func (Retrying) event()  {}
func (GaveUp) event()    {}
func (Received) event()  {}
func (RoundTrip) event() {}
func (Queued) event()    {}
func (Refused) event()   {}
func (Dropped) event()   {}
func (Selected) event()  {}
func (Remarked) event()  {}
func (Focused) event()   {}
func (Recalled) event()  {}
func (Ignored) event()   {}
func (Told) event()      {}
func (Drafted) event()   {}
func (Themed) event()    {}

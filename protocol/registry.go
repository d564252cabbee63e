package protocol

// The names of the messages on the wire.

func (*Hello) wireName() string    { return "hello" }
func (*Auth) wireName() string     { return "auth" }
func (*Welcome) wireName() string  { return "welcome" }
func (*Join) wireName() string     { return "join" }
func (*Joined) wireName() string   { return "joined" }
func (*Leave) wireName() string    { return "leave" }
func (*Left) wireName() string     { return "left" }
func (*Post) wireName() string     { return "post" }
func (*Ack) wireName() string      { return "ack" }
func (*Entry) wireName() string    { return "entry" }
func (*History) wireName() string  { return "history" }
func (*Page) wireName() string     { return "page" }
func (*Search) wireName() string   { return "search" }
func (*Found) wireName() string    { return "found" }
func (*Nick) wireName() string     { return "nick" }
func (*Topic) wireName() string    { return "topic" }
func (*Rooms) wireName() string    { return "rooms" }
func (*Who) wireName() string      { return "who" }
func (*Invite) wireName() string   { return "invite" }
func (*Whois) wireName() string    { return "whois" }
func (*Refuse) wireName() string   { return "refuse" }
func (*Notice) wireName() string   { return "notice" }
func (*Moderate) wireName() string { return "moderate" }
func (*Read) wireName() string     { return "read" }
func (*Typing) wireName() string   { return "typing" }
func (*Ping) wireName() string     { return "ping" }
func (*Pong) wireName() string     { return "pong" }
func (*Presence) wireName() string { return "presence" }
func (*Slow) wireName() string     { return "slow" }
func (*Skipped) wireName() string  { return "skipped" }
func (*Bye) wireName() string      { return "bye" }
func (*Error) wireName() string    { return "error" }

// messages makes an empty message for each type on the wire.
var messages = map[string]func() Message{
	"hello":    func() Message { return new(Hello) },
	"auth":     func() Message { return new(Auth) },
	"welcome":  func() Message { return new(Welcome) },
	"join":     func() Message { return new(Join) },
	"joined":   func() Message { return new(Joined) },
	"leave":    func() Message { return new(Leave) },
	"left":     func() Message { return new(Left) },
	"post":     func() Message { return new(Post) },
	"ack":      func() Message { return new(Ack) },
	"entry":    func() Message { return new(Entry) },
	"history":  func() Message { return new(History) },
	"page":     func() Message { return new(Page) },
	"search":   func() Message { return new(Search) },
	"found":    func() Message { return new(Found) },
	"nick":     func() Message { return new(Nick) },
	"topic":    func() Message { return new(Topic) },
	"rooms":    func() Message { return new(Rooms) },
	"who":      func() Message { return new(Who) },
	"invite":   func() Message { return new(Invite) },
	"whois":    func() Message { return new(Whois) },
	"refuse":   func() Message { return new(Refuse) },
	"notice":   func() Message { return new(Notice) },
	"moderate": func() Message { return new(Moderate) },
	"read":     func() Message { return new(Read) },
	"typing":   func() Message { return new(Typing) },
	"ping":     func() Message { return new(Ping) },
	"pong":     func() Message { return new(Pong) },
	"presence": func() Message { return new(Presence) },
	"slow":     func() Message { return new(Slow) },
	"skipped":  func() Message { return new(Skipped) },
	"bye":      func() Message { return new(Bye) },
	"error":    func() Message { return new(Error) },
}

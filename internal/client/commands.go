package client

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"lanchat/protocol"
)

// Engine is what commands need of a Client.
type Engine interface {
	Post(p protocol.Post) (Queued, error)
	Join(room string) error
	Leave(room string) error
	Request(m protocol.Message) (ref uint32, err error)
	// Keep keeps on disk, for the server, what a Drafted, Ignored or Told says.
	// The next client of the server gets it as a Recalled. It does not wait for
	// the disk.
	Keep(ev Event)
}

// Command is one slash command. Every user interface has the same ones.
type Command struct {
	Name string
	Args string // as shown in help; "" for none
	Help string
	run  func(d *deed, rest string) error
	Role protocol.Role // that it takes
}

// Offered reports whether a command is for this user in a room; the server decides.
func (s *State) Offered(c Command, room string) bool {
	role := s.Me.Role
	if r := s.Room(room); r != nil && role == protocol.RoleNone {
		role = r.Role
	}
	return c.Role == protocol.RoleNone || role == protocol.RoleAdmin || role == c.Role
}

// Commands is the table of commands, in the order of /help.
var Commands []Command

func init() { // not a literal: /help reads the table
	Commands = []Command{
		{"help", "", "show the commands", (*deed).help, protocol.RoleNone},
		{"join", "ROOM", "go to a room; it is made if there is none", (*deed).join, protocol.RoleNone},
		{"leave", "", "leave this room", (*deed).leave, protocol.RoleNone},
		{"msg", "NICK TEXT", "talk to one person alone", (*deed).msg, protocol.RoleNone},
		{"me", "DOES", "say what you do", (*deed).me, protocol.RoleNone},
		{"reply", "NICK TEXT", "answer somebody's newest message here", (*deed).reply, protocol.RoleNone},
		{"edit", "TEXT", "correct your last message", (*deed).edit, protocol.RoleNone},
		{"delete", "[NICK]", "delete your last message; op: somebody's", (*deed).delete, protocol.RoleNone},
		{"react", "EMOJI", "react to the newest message; once more takes it back", (*deed).react, protocol.RoleNone},
		{"nick", "NAME", "change your name", (*deed).nick, protocol.RoleNone},
		{"topic", "TEXT", "set the room's topic", (*deed).topic, protocol.RoleNone},
		{"search", "QUERY", "search what was said: words, \"a phrase\", from:NICK, in:ROOM, after:DATE", (*deed).search, protocol.RoleNone},
		{"ignore", "NICK", "see no more of somebody; alone: show whom you ignore", (*deed).ignore, protocol.RoleNone},
		{"unignore", "NICK", "see somebody's messages again", (*deed).unignore, protocol.RoleNone},
		{"dm", "WHAT", "take direct messages: on, off, or known: from bound nicks alone; alone: show it", (*deed).dm, protocol.RoleNone},
		{"block", "NICK", "take no direct messages from somebody; alone: show whom you block", (*deed).block, protocol.RoleNone},
		{"unblock", "NICK", "take somebody's direct messages again", (*deed).unblock, protocol.RoleNone},
		{"notify", "WHAT", "of what to be told in this room: all, mentions, nothing; alone: show it", (*deed).notify, protocol.RoleNone},
		{"who", "", "show who is here", (*deed).who, protocol.RoleNone},
		{"whois", "NICK", "show who somebody is: since when, last seen, in which rooms", (*deed).whois, protocol.RoleNone},
		{"rooms", "", "show the rooms there are, and your direct talks", (*deed).rooms, protocol.RoleNone},
		{"invite", "[NICK]", "get a line by which somebody else can join this room; op: let NICK in", (*deed).invite, protocol.RoleNone},
		{"quit", "", "leave", (*deed).quit, protocol.RoleNone},
	}
	Commands = append(Commands, above...)
}

var errNoRoom = errors.New("you are in no room; /join ROOM goes to one")

// deed is one line being carried out.
type deed struct {
	engine Engine
	state  *State
	room   string
	now    time.Time
	events []Event
	leaves bool
}

// Do carries out a line that the user has entered for a room: text is posted, a
// command obeyed. The events it returns are to be applied in order, whether or
// not there is an error; the error is to be shown to the user. quit is true when
// the user wants to leave.
func Do(e Engine, s *State, room, line string, now time.Time) (events []Event, quit bool, err error) {
	d := &deed{engine: e, state: s, room: room, now: now}
	name, rest, isCommand := parse(line)
	if !isCommand {
		err = d.post(room, protocol.KindText, rest)
		return d.events, false, err
	}
	i := slices.IndexFunc(Commands, func(c Command) bool { return c.Name == name })
	if i < 0 {
		return nil, false, fmt.Errorf("there is no command /%s; /help shows those there are, and // begins a line with a /", name)
	}
	err = Commands[i].run(d, rest)
	return d.events, d.leaves, err
}

// parse tells text from a command. Two slashes are one literal slash.
func parse(line string) (name, rest string, isCommand bool) {
	switch {
	case strings.HasPrefix(line, "//"):
		return "", line[1:], false
	case !strings.HasPrefix(line, "/"):
		return "", line, false
	}
	name, rest, _ = strings.Cut(line[1:], " ")
	return strings.ToLower(name), strings.TrimSpace(rest), true
}

func (d *deed) post(room string, kind protocol.Kind, text string) error {
	if strings.TrimSpace(text) == "" {
		return nil
	}
	if d.state.Room(room) == nil {
		return errNoRoom
	}
	ev, err := d.engine.Post(protocol.Post{Room: room, Kind: kind, Text: text})
	if err == nil {
		d.events = append(d.events, ev)
	}
	return err
}

func (d *deed) remark(format string, args ...any) {
	d.events = append(d.events, Remarked{Room: d.room, Text: fmt.Sprintf(format, args...), At: d.now})
}

// helpColumn is as wide as a command with its arguments.
const helpColumn = 18

func (d *deed) help(string) error {
	var b strings.Builder
	for _, c := range Commands {
		fmt.Fprintf(&b, "%-*s %s\n", helpColumn, strings.TrimSpace("/"+c.Name+" "+c.Args), c.Help)
	}
	fmt.Fprintf(&b, "%-*s a line that begins with a /", helpColumn, "//TEXT")
	d.remark("%s", b.String())
	return nil
}

func (d *deed) join(rest string) error {
	room := strings.ToLower(strings.TrimPrefix(rest, "#"))
	if err := d.engine.Join(room); err != nil {
		return err
	}
	d.events = append(d.events, Selected{Room: room})
	return nil
}

func (d *deed) leave(string) error {
	switch err := d.engine.Leave(d.room); {
	case errors.Is(err, ErrOffline): // it is not joined again; nobody will say so
		d.events = append(d.events, Received{Message: &protocol.Left{Room: d.room}, At: d.now})
	case err != nil:
		return err
	}
	for _, r := range d.state.Rooms {
		if r.Name != d.room {
			d.events = append(d.events, Selected{Room: r.Name})
			break
		}
	}
	return nil
}

func (d *deed) msg(rest string) error {
	nick, text, _ := strings.Cut(rest, " ")
	nick = strings.TrimPrefix(nick, "@")
	if nick == "" {
		return fmt.Errorf("whom? /msg NICK TEXT")
	}
	if d.state.Me.Guest {
		return fmt.Errorf("guests have no direct talks: a key says who is who, and you came without one")
	}
	who, ok := d.state.Person(nick)
	room, talked := d.state.directWith(nick)
	switch {
	case !ok && !talked:
		return fmt.Errorf("there is nobody called %s here; /who shows who is", nick)
	case !ok:
	case who.Guest:
		return fmt.Errorf("%s is a guest, and guests have no direct talks: nothing proves who they are", who.Nick)
	case who.User == d.state.Me.User:
		return fmt.Errorf("that is you")
	default:
		room = protocol.DirectRoom(d.state.Me.User, who.User)
	}
	if err := d.engine.Join(room); err != nil {
		return err
	}
	if strings.TrimSpace(text) != "" {
		// The room may not be joined yet; the post waits behind the join.
		ev, err := d.engine.Post(protocol.Post{Room: room, Text: strings.TrimSpace(text)})
		if err != nil {
			return err
		}
		d.events = append(d.events, ev)
	}
	d.events = append(d.events, Selected{Room: room})
	return nil
}

func (d *deed) me(rest string) error {
	if rest == "" {
		return fmt.Errorf("what do you do? /me DOES")
	}
	return d.post(d.room, protocol.KindAction, rest)
}

func (d *deed) request(m protocol.Message) error {
	_, err := d.engine.Request(m)
	return err
}

func (d *deed) nick(rest string) error {
	if err := protocol.ValidNick(rest); err != nil {
		return err
	}
	return d.request(&protocol.Nick{Nick: rest})
}

func (d *deed) topic(rest string) error {
	return d.request(&protocol.Topic{Room: d.room, Topic: rest})
}

func (d *deed) who(string) error {
	r := d.state.Room(d.room)
	if r == nil {
		return errNoRoom
	}
	var names []string
	for _, m := range r.People() {
		name := ShownNick(m.Nick, m.Guest)
		if m.Role != protocol.RoleNone {
			name += " (" + string(m.Role) + ")"
		}
		names = append(names, name)
	}
	more := ""
	if n := r.Count - len(names); n > 0 {
		more = fmt.Sprintf(" and %d more", n)
	}
	d.remark("%d here: %s%s", r.Count, strings.Join(names, ", "), more)
	return nil
}

// whois asks about somebody; the answer is a Received *protocol.Whois.
func (d *deed) whois(rest string) error {
	who := plainNick(rest)
	if who == "" {
		return errors.New("whom? /whois NICK")
	}
	return d.request(&protocol.Whois{Who: who})
}

// search asks the server; the answer is a Received *protocol.Found.
func (d *deed) search(rest string) error {
	if rest == "" {
		return errors.New("what for? /search QUERY")
	}
	return d.request(&protocol.Search{Query: rest, Limit: 20})
}

// rooms asks for the list, and for that of direct talks where the server has one; each
// answer is a Received *protocol.Rooms.
func (d *deed) rooms(string) error {
	err := d.request(&protocol.Rooms{})
	if directs := d.state.DirectsRequest(); err == nil && directs != nil {
		err = d.request(directs)
	}
	return err
}

func (d *deed) quit(string) error {
	d.leaves = true
	return nil
}

// Person finds somebody by nick in the rooms one is in, whatever the case.
func (s *State) Person(nick string) (protocol.Member, bool) {
	var guest protocol.Member
	for _, r := range s.Rooms {
		for _, m := range r.Members {
			if !strings.EqualFold(m.Nick, nick) {
				continue
			}
			if !m.Guest {
				return m, true
			}
			guest = m
		}
	}
	return guest, !guest.User.IsZero()
}

// ShownNick is a nick as people see it: a guest's, which no key proves, is
// marked.
func ShownNick(nick string, guest bool) string {
	if guest {
		return "~" + nick
	}
	return nick
}

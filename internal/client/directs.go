package client

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"lanchat/protocol"
)

// maxInvited is how many joins of direct talks that others opened are under way at the
// same time: what the user asks for does not wait for more than these.
const maxInvited = 2

// directOther returns the other user of a direct talk.
func (s *State) directOther(room string) (other protocol.UserID, direct bool) {
	a, b, direct := protocol.ParseDirectRoom(room)
	if a == s.Me.User {
		a = b
	}
	return a, direct
}

// DirectTitle is what people call a direct talk of the server's list.
func (s *State) DirectTitle(r *protocol.RoomInfo) string {
	if r.Nick != "" {
		return "@" + r.Nick
	}
	other, _ := s.directOther(r.Room)
	return "@" + other.String()[:6]
}

// directWith finds a direct talk by the nick of the other user, who need not be here:
// by the server's list, which has the nicks of now. What a talk was called when it was
// opened does not say whose the nick is.
func (s *State) directWith(nick string) (room string, ok bool) {
	for _, r := range s.Directs {
		if r.Nick != "" && strings.EqualFold(r.Nick, nick) {
			return r.Room, true
		}
	}
	return "", false
}

// offersDirects reports whether the server lists this user's direct talks.
func (s *State) offersDirects() bool {
	return !s.Me.Guest && slices.Contains(s.Offers, protocol.ExtDirects)
}

// DirectsRequest asks for the user's newest direct talks; nil where the server does not
// list them.
func (s *State) DirectsRequest() protocol.Message {
	if !s.offersDirects() {
		return nil
	}
	return &protocol.Rooms{Direct: true}
}

// dm says whose direct talks the user takes.
func (d *deed) dm(rest string) error {
	switch strings.ToLower(rest) {
	case "":
		return d.request(&protocol.Refuse{})
	case "on":
		return d.request(&protocol.Refuse{What: protocol.RefuseAll, Off: true})
	case "known":
		return d.request(&protocol.Refuse{What: protocol.RefuseFresh})
	case "off":
		return d.request(&protocol.Refuse{What: protocol.RefuseAll})
	}
	return errors.New("/dm on takes direct messages from everybody, /dm known from those whose nick is theirs, /dm off from nobody")
}

func (d *deed) block(rest string) error {
	return d.request(&protocol.Refuse{Who: d.blockable(rest)})
}

func (d *deed) unblock(rest string) error {
	if plainNick(rest) == "" {
		return errors.New("whom? /unblock NICK; /block shows whom you block")
	}
	return d.request(&protocol.Refuse{Who: d.blockable(rest), Off: true})
}

// blockable is how the server is told of somebody: by user id where it is known, since
// a nick may belong to somebody else by now.
func (d *deed) blockable(rest string) string {
	nick := plainNick(rest)
	if nick == "" {
		return ""
	}
	if who, ok := d.somebody(nick); ok {
		return who.User.String()
	}
	if room, ok := d.state.directWith(nick); ok {
		other, _ := d.state.directOther(room)
		return other.String()
	}
	return nick
}

// refusal words the answer to /dm, /block and /unblock.
func (s *State) refusal(m *protocol.Refuse, at time.Time) {
	from := "everybody"
	switch m.What {
	case protocol.RefuseFresh:
		from = "everybody whose nick is theirs"
	case protocol.RefuseAll:
		from = "nobody"
	}
	text := fmt.Sprintf("You take direct messages from %s.", from)
	if len(m.Users) > 0 {
		var nicks []string
		for _, u := range m.Users {
			nicks = append(nicks, s.nickOf(u))
		}
		slices.Sort(nicks)
		text += " Blocked: " + strings.Join(nicks, ", ") + ". /unblock NICK ends it."
	}
	s.remark("", text, at)
}

// nickOf is a user's nick where one is known here, and the user id where none is.
func (s *State) nickOf(user protocol.UserID) string {
	for _, r := range s.Rooms {
		if m, known := r.Members[user]; known {
			return m.Nick
		}
		if r.Direct == user && r.Title != "@"+user.String()[:6] {
			return strings.TrimPrefix(r.Title, "@")
		}
	}
	for i := range s.Directs {
		if other, _ := s.directOther(s.Directs[i].Room); other == user && s.Directs[i].Nick != "" {
			return s.Directs[i].Nick
		}
	}
	if nick, ignored := s.Ignored[user]; ignored {
		return nick
	}
	return user.String()
}

// directList words the server's list of direct talks; "": there is none.
func (s *State) directList(m *protocol.Rooms) string {
	var b strings.Builder
	for i := range m.Rooms {
		r := &m.Rooms[i]
		if i > 0 {
			b.WriteByte('\n')
		}
		fmt.Fprintf(&b, "%s, %d entries", s.DirectTitle(r), r.Head)
		if r.Head > r.Read {
			fmt.Fprintf(&b, ", %d of them new", r.Head-r.Read)
		}
	}
	if m.More {
		b.WriteString("\n… and older ones")
	}
	return b.String()
}

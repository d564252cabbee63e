package client

import (
	"lanchat/internal/safetext"
	"lanchat/protocol"
)

// clean makes every text of a message harmless, once, where it comes in.
func clean(m protocol.Message) {
	line := func(ss ...*string) {
		for _, s := range ss {
			*s = safetext.Line(*s)
		}
	}
	entry := func(e *protocol.Entry) {
		e.Text = safetext.Text(e.Text)
		line(&e.Nick, &e.Room, (*string)(&e.Kind))
		for i := range e.Reactions {
			line(&e.Reactions[i].Text)
		}
	}
	members := func(ms []protocol.Member) {
		for i := range ms {
			line(&ms[i].Nick, (*string)(&ms[i].Role))
		}
	}
	switch m := m.(type) {
	case *protocol.Entry:
		entry(m)
	case *protocol.Page:
		for i := range m.Entries {
			entry(&m.Entries[i])
		}
	case *protocol.Found:
		for i := range m.Entries {
			entry(&m.Entries[i])
		}
	case *protocol.Joined:
		line(&m.Room, &m.Topic, (*string)(&m.Role))
		members(m.Members)
	case *protocol.Presence:
		members(m.Joined)
	case *protocol.Who:
		members(m.People)
	case *protocol.Rooms:
		for i := range m.Rooms {
			line(&m.Rooms[i].Room, &m.Rooms[i].Topic, &m.Rooms[i].Nick)
		}
	case *protocol.Left:
		line(&m.Room, &m.Text)
	case *protocol.Moderate:
		m.Text = safetext.Text(m.Text)
	case *protocol.Topic:
		line(&m.Topic)
	case *protocol.Nick:
		line(&m.Nick)
	case *protocol.Typing:
		line(&m.Nick)
	case *protocol.Invite:
		line(&m.Room, &m.Token, &m.Name)
	case *protocol.Whois:
		line(&m.Nick, (*string)(&m.Role))
		for i := range m.Rooms {
			line(&m.Rooms[i])
		}
		for i := range m.Addrs {
			line(&m.Addrs[i])
		}
	case *protocol.Refuse:
		line(&m.What)
	case *protocol.Notice:
		line(&m.About, &m.Room, &m.Text)
	case *protocol.Slow:
		line(&m.Why)
	case *protocol.Bye:
		line(&m.Text, (*string)(&m.Code))
	case *protocol.Error:
		line(&m.Text, (*string)(&m.Code))
	}
}

package client

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"lanchat/protocol"
)

// What the user keeps on this side: whom not to hear, of what to be told, and
// what is not yet written to its end.
const (
	maxIgnored = 1000
	maxNotices = 1000
	maxDrafts  = 100
	maxDraft   = 64 << 10 // bytes
)

// keep applies one of the events that Engine.Keep keeps.
func (s *State) keep(ev Event) {
	switch ev := ev.(type) {
	case Recalled:
		s.recalled(ev)
	case Ignored:
		s.ignore(ev)
	case Told:
		if _, known := s.Notices[ev.Room]; known || len(s.Notices) < maxNotices {
			put(&s.Notices, ev.Room, ev.Policy)
		}
	case Drafted:
		if _, known := s.Drafts[ev.Room]; ev.Text == "" {
			delete(s.Drafts, ev.Room)
		} else if known || len(s.Drafts) < maxDrafts {
			put(&s.Drafts, ev.Room, ev.Text)
		}
	}
}

// recalled takes what an earlier client has kept, where this one has not yet
// said otherwise.
func (s *State) recalled(ev Recalled) {
	for user, nick := range ev.Ignored {
		if !s.ignores(user) {
			s.ignore(Ignored{User: user, Nick: nick, On: true})
		}
	}
	for room, policy := range ev.Notices {
		if _, said := s.Notices[room]; !said {
			put(&s.Notices, room, policy)
		}
	}
	for room, text := range ev.Drafts {
		if _, said := s.Drafts[room]; !said {
			put(&s.Drafts, room, text)
		}
	}
}

func put[K comparable, V any](m *map[K]V, k K, v V) {
	if *m == nil {
		*m = map[K]V{}
	}
	(*m)[k] = v
}

func (s *State) ignores(user protocol.UserID) bool {
	_, ignored := s.Ignored[user]
	return ignored
}

// hidden is true when the entry's author is not to be heard, and notes that the
// room has something that is not shown.
func (s *State) hidden(r *Room, e *protocol.Entry) bool {
	if len(s.Ignored) == 0 || !s.ignores(e.User) {
		return false
	}
	r.hides = true
	return true
}

func (s *State) ignore(ev Ignored) {
	if !ev.On {
		s.unignore(ev.User)
		return
	}
	if !s.ignores(ev.User) && len(s.Ignored) >= maxIgnored {
		return
	}
	put(&s.Ignored, ev.User, ev.Nick)
	for _, r := range s.Rooms {
		delete(r.Typing, ev.User)
		said := func(it *Item) bool { return it.Status == Said && it.Entry.User == ev.User }
		if slices.ContainsFunc(r.Items, said) {
			r.Items = slices.DeleteFunc(slices.Clone(r.Items), said)
			r.hides = true
			r.recount()
		}
	}
}

// unignore hears somebody again. What was left out lies between what is held, so
// that goes too, and history has all of it.
func (s *State) unignore(user protocol.UserID) {
	if !s.ignores(user) {
		return
	}
	delete(s.Ignored, user)
	for _, r := range s.Rooms {
		if r.hides {
			r.forget()
		}
	}
}

// found keeps the answer to a search, without those who are not to be heard.
func (s *State) found(m *protocol.Found) {
	answer := *m
	answer.Entries = slices.DeleteFunc(slices.Clone(m.Entries), func(e protocol.Entry) bool { return s.ignores(e.User) })
	s.Found = &answer
}

// aside applies and keeps an event.
func (d *deed) aside(ev Event, keep bool) {
	d.events = append(d.events, ev)
	if keep {
		d.engine.Keep(ev)
	}
}

func (d *deed) ignore(rest string) error {
	nick := plainNick(rest)
	if nick == "" {
		d.listIgnored()
		return nil
	}
	who, ok := d.somebody(nick)
	switch {
	case !ok:
		return fmt.Errorf("there is nobody called %s here, and no message of theirs", nick)
	case who.User == d.state.Me.User:
		return errors.New("that is you")
	case d.state.ignores(who.User):
		return fmt.Errorf("you ignore %s already", who.Nick)
	case len(d.state.Ignored) >= maxIgnored:
		return fmt.Errorf("you ignore %d people, and more cannot be kept; /unignore NICK makes place", maxIgnored)
	}
	d.aside(Ignored{User: who.User, Nick: who.Nick, On: true}, !who.Guest)
	if who.Guest {
		d.remark("You see no more of ~%s. A guest has no key to be known by: this ends when they connect anew.", who.Nick)
	} else {
		d.remark("You see no more of %s, whatever they are called. /unignore %s ends it.", who.Nick, who.Nick)
	}
	return nil
}

func (d *deed) listIgnored() {
	if len(d.state.Ignored) == 0 {
		d.remark("You ignore nobody. /ignore NICK begins it.")
		return
	}
	var nicks []string
	for _, nick := range d.state.Ignored {
		nicks = append(nicks, nick)
	}
	slices.Sort(nicks)
	d.remark("You ignore: %s", strings.Join(nicks, ", "))
}

func (d *deed) unignore(rest string) error {
	nick := plainNick(rest)
	if nick == "" {
		return errors.New("whom? /unignore NICK; /ignore shows whom you ignore")
	}
	none := true
	for user, called := range d.state.Ignored {
		if strings.EqualFold(called, nick) {
			d.aside(Ignored{User: user, Nick: called}, true)
			none = false
		}
	}
	if none {
		return fmt.Errorf("you do not ignore %s; /ignore shows whom you do", nick)
	}
	d.remark("You see %s's messages again.", nick)
	return nil
}

// somebody finds a person by nick: who is here, or who said something in the
// deed's room.
func (d *deed) somebody(nick string) (protocol.Member, bool) {
	if who, ok := d.state.Person(nick); ok {
		return who, true
	}
	it, err := d.newest(func(it *Item) bool { return strings.EqualFold(it.Entry.Nick, nick) })
	if it == nil || err != nil {
		return protocol.Member{}, false
	}
	return protocol.Member{User: it.Entry.User, Nick: it.Entry.Nick, Guest: it.Entry.Guest}, true
}

func (d *deed) notify(rest string) error {
	r := d.state.Room(d.room)
	if r == nil {
		return errNoRoom
	}
	p := Policy(strings.ToLower(rest))
	if rest == "" {
		p = d.state.Policy(r.Name)
	} else if !p.valid() {
		return errors.New("/notify all, /notify mentions or /notify nothing")
	} else if _, known := d.state.Notices[r.Name]; !known && len(d.state.Notices) >= maxNotices {
		return fmt.Errorf("%d rooms have such a setting, and more cannot be kept", maxNotices)
	} else {
		d.aside(Told{Room: r.Name, Policy: p}, true)
	}
	switch {
	case p == TellAll:
		d.remark("You are told of every message in %s.", r.Title)
	case p == TellNothing:
		d.remark("You are told of nothing in %s.", r.Title)
	case !r.Direct.IsZero():
		d.remark("You are told of every message in %s: all of them are for you.", r.Title)
	default:
		d.remark("You are told of messages in %s that mention you.", r.Title)
	}
	return nil
}

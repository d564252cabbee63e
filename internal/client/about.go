package client

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"lanchat/internal/safetext"
	"lanchat/protocol"
)

// About posts something about an item: an edit, a deletion, a reaction, or with
// protocol.KindText a reply. The events that it returns are to be applied. Its
// errors are for people.
func About(e Engine, s *State, it *Item, kind protocol.Kind, text string) ([]Event, error) {
	if err := s.mayBeAbout(it, kind, text); err != nil {
		return nil, err
	}
	p := protocol.Post{Room: it.Entry.Room, Kind: kind, Text: text, Target: it.Entry.ID}
	if kind == protocol.KindDelete {
		p.Text = ""
	}
	if kind == protocol.KindEdit && text == it.Entry.Text && it.Change == nil {
		return nil, nil
	}
	ev, err := e.Post(p)
	if err != nil {
		return nil, err
	}
	return []Event{ev}, nil
}

// mayBeAbout says why something cannot be posted about an item: what the server
// would say, said before it is sent.
func (s *State) mayBeAbout(it *Item, kind protocol.Kind, text string) error {
	switch {
	case it == nil || it.Status == Notice:
		return errors.New("that is no message")
	case it.Status == Failed:
		return errors.New("that message was not sent")
	case it.Status == Pending:
		return errors.New("that message is still on its way; try again in a moment")
	case it.Entry.Gone:
		return errors.New("that message was deleted")
	case s.Limits.Text > 0 && len(text) > int(s.Limits.Text):
		return fmt.Errorf("too long: %d bytes, and a message has at most %d", len(text), s.Limits.Text)
	}
	switch kind {
	case protocol.KindText:
		if strings.TrimSpace(text) == "" {
			return errors.New("a reply needs a text")
		}
	case protocol.KindEdit, protocol.KindDelete:
		switch {
		case kind == protocol.KindDelete && s.MayDelete(it) && takesFolds(it.Entry.Kind):
		case !it.Mine:
			return errors.New("that message is somebody else's")
		case it.Entry.User != s.Me.User:
			return errors.New("you said that over an earlier connection, and no key tells the server that a guest is the same")
		case !takesFolds(it.Entry.Kind):
			return errors.New("only messages can be changed")
		case kind == protocol.KindEdit && strings.TrimSpace(text) == "":
			return errors.New("an empty text is a deletion: /delete does that")
		}
	case protocol.KindReaction:
		return mayReact(it, text)
	default:
		return fmt.Errorf("%q is not about another message", kind)
	}
	return nil
}

func mayReact(it *Item, text string) error {
	switch {
	case !takesFolds(it.Entry.Kind):
		return errors.New("only messages take reactions")
	case strings.TrimSpace(text) == "":
		return errors.New("which reaction?")
	case len(text) > protocol.MaxReaction || strings.ContainsAny(text, " \t") || safetext.Line(text) != text:
		return fmt.Errorf("a reaction is one emoji or one short word, of at most %d bytes", protocol.MaxReaction)
	case len(it.Entry.Reactions) >= protocol.MaxReactions &&
		!slices.ContainsFunc(it.Entry.Reactions, func(r protocol.Reaction) bool { return r.Text == text }):
		return fmt.Errorf("that message has %d different reactions already, and takes no more", protocol.MaxReactions)
	}
	return nil
}

// Retry posts anew what was refused: an item, or a change of one. The events that
// it returns are to be applied.
func Retry(e Engine, s *State, it *Item) ([]Event, error) {
	var p protocol.Post
	var failed protocol.ID
	switch {
	case it == nil:
		return nil, errors.New("nothing here was refused")
	case it.Status == Failed:
		failed = it.Entry.ID
		p = protocol.Post{Room: it.Entry.Room, Kind: it.Entry.Kind, Text: it.Entry.Text, Target: it.Entry.Target}
	case it.Change != nil && it.Change.Status == Failed:
		failed = it.Change.ID
		p = protocol.Post{Room: it.Entry.Room, Kind: it.Change.Kind, Text: it.Change.Text, Target: it.Entry.ID}
	default:
		return nil, errors.New("that message was not refused")
	}
	if s.Room(p.Room) == nil {
		return nil, errors.New("you are not in that room any more")
	}
	ev, err := e.Post(p)
	if err != nil {
		return nil, err
	}
	return []Event{Dropped{Room: p.Room, ID: failed}, ev}, nil
}

// about posts something about an item of the deed's room.
func (d *deed) about(it *Item, kind protocol.Kind, text string) error {
	events, err := About(d.engine, d.state, it, kind, text)
	d.events = append(d.events, events...)
	return err
}

// newest returns the newest item of the deed's room that fits and can be changed,
// or nil.
func (d *deed) newest(fits func(it *Item) bool) (*Item, error) {
	r := d.state.Room(d.room)
	if r == nil {
		return nil, errNoRoom
	}
	for i := r.Len() - 1; i >= 0; i-- {
		it := r.At(i)
		if it.Status != Notice && it.Status != Failed && takesFolds(it.Entry.Kind) && !it.Entry.Gone && fits(it) {
			return it, nil
		}
	}
	return nil, nil
}

func isMine(it *Item) bool     { return it.Mine }
func isAnothers(it *Item) bool { return !it.Mine }

func (d *deed) edit(rest string) error {
	if rest == "" {
		return errors.New("what should it say? /edit TEXT; /delete deletes it")
	}
	return d.change(protocol.KindEdit, rest)
}

func (d *deed) delete(rest string) error {
	if rest == "" {
		return d.change(protocol.KindDelete, "")
	}
	nick := plainNick(rest)
	it, err := d.newest(func(it *Item) bool { return strings.EqualFold(it.Entry.Nick, nick) })
	switch {
	case err != nil:
		return err
	case it == nil:
		return fmt.Errorf("there is no message of %s here", nick)
	}
	return d.about(it, protocol.KindDelete, "")
}

func (d *deed) change(kind protocol.Kind, text string) error {
	it, err := d.newest(isMine)
	switch {
	case err != nil:
		return err
	case it == nil:
		return errors.New("there is no message of yours here")
	}
	return d.about(it, kind, text)
}

func (d *deed) react(rest string) error {
	if rest == "" {
		return errors.New("with what? /react EMOJI")
	}
	it, err := d.newest(isAnothers)
	switch {
	case err != nil:
		return err
	case it == nil:
		return errors.New("nobody else has said anything here")
	}
	return d.about(it, protocol.KindReaction, rest)
}

func (d *deed) reply(rest string) error {
	nick, text, _ := strings.Cut(rest, " ")
	nick = plainNick(nick)
	if nick == "" || strings.TrimSpace(text) == "" {
		return errors.New("whom, and what? /reply NICK TEXT")
	}
	it, err := d.newest(func(it *Item) bool { return strings.EqualFold(it.Entry.Nick, nick) })
	switch {
	case err != nil:
		return err
	case it == nil:
		return fmt.Errorf("there is no message of %s here", nick)
	}
	return d.about(it, protocol.KindText, strings.TrimSpace(text))
}

// plainNick is a nick without the signs that people write around it.
func plainNick(s string) string { return strings.Trim(s, "@~:,") }

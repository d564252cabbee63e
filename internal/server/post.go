package server

import (
	"context"
	"errors"
	"log/slog"
	"math"
	"strings"
	"time"

	"lanchat/internal/access"
	"lanchat/internal/roomlog"
	"lanchat/internal/safetext"
	"lanchat/protocol"
)

// Note is something said without a session: by a program that has shown a token
// of the room. It is marked as a bot's and as unverified.
type Note struct {
	Room string
	// User is whose it is, the same for all notes of one token, so that readers can
	// tell them from others of that nick. It is no key's: choose it at random.
	User [16]byte
	// Nick is the name wanted. Where it is a person's, the note has a variant.
	Nick   string
	Action bool // what somebody does, instead of says
	Text   string
	ID     string // a UUIDv7 in text: the same one again is the same entry; "": a new one
}

// Noted is where a note stands.
type Noted struct {
	Room string
	Seq  uint64
	ID   string
	Nick string
}

// Refusal is why Post did not take a note. Code is one of the protocol's; where
// trying again may help, RetryAfter says when.
type Refusal struct {
	Code, Text string
	RetryAfter time.Duration
}

func (r *Refusal) Error() string { return r.Text }

// retryNote is when to post again where the log takes nothing.
const (
	retryNote = 2 * time.Second
	retryFull = time.Minute // and where the disk is nearly full
)

// Post adds a note to a room, with the checks that a session's posts go through,
// and returns once it is durable. What it does not take is a *Refusal. When ctx
// ends first, the note may be there nevertheless: post it again under the same id.
// Any number of goroutines may post at once.
func (s *Server) Post(ctx context.Context, n Note) (Noted, error) {
	e, err := s.noteEntry(n)
	if err != nil {
		return Noted{}, refusal(err)
	}
	if err := s.rules.Posts(access.Who{User: e.User, Guest: true}, e.Room); err != nil {
		// One sent again is the log's to judge, as in a session's posts.
		if known, found, _ := s.log.Find(ctx, e.ID); !found || known.User != e.User {
			return Noted{}, refusal(err)
		}
	}
	if wait, err := s.mayBotPost(ctx, e.Room, e.ID, e.User); err != nil {
		r := refusal(err)
		r.RetryAfter = max(r.RetryAfter, wait)
		return Noted{}, r
	}
	if r := s.mayNote(e); r != nil {
		if known, found, _ := s.log.Find(ctx, e.ID); !found || known.User != e.User {
			return Noted{}, r
		}
	}
	type outcome struct {
		entry protocol.Entry
		err   error
	}
	done := make(chan outcome, 1)
	// A poster for each note: one that failed has nothing to say about the next.
	p := s.log.Poster(func(e *protocol.Entry, err error) { done <- outcome{*e, err} })
	if err := p.Submit(*e); err != nil {
		return Noted{}, refusal(err)
	}
	select {
	case o := <-done:
		s.logTakes(o.err)
		if o.err != nil {
			if isPassing(o.err) {
				s.logSome(slog.LevelError, "the log refuses a note", "err", o.err)
			}
			return Noted{}, refusal(o.err)
		}
		return Noted{Room: o.entry.Room, Seq: o.entry.Seq, ID: o.entry.ID.String(), Nick: o.entry.Nick}, nil
	case <-ctx.Done():
		return Noted{}, context.Cause(ctx)
	}
}

// mayNote reports why a note may not be posted now; nil: it counts as posted. Its user has
// the paces of a known one: whoever runs the server has made the token.
func (s *Server) mayNote(e *protocol.Entry) *Refusal {
	share := s.users.hold(e.User, math.MaxInt)
	defer s.users.drop(e.User)
	paces := s.limits.postPaces(true, 1)
	paces[posting] = pace{maxBytes, maxBytes} // the webhook's own
	now := time.Now()
	if err := s.spaceFor(e.MaxSize(), true, func() bool { return share.allowance.isOverDay(now, &paces) }); err != nil {
		return &Refusal{Code: string(protocol.CodeUnavailable), Text: err.Error(), RetryAfter: retryFull}
	}
	if wait, why := share.allowance.post(now, &paces, e.MaxSize()); wait > 0 {
		share.allowance.refund(e.MaxSize())
		s.stats.reached(exceeded[why])
		return &Refusal{Code: string(protocol.CodeLimit), Text: "these are too many bytes for this token: post again later", RetryAfter: wait}
	}
	return nil
}

// CheckNote reports why notes of this nick could not be posted to this room.
func CheckNote(room, nick string) error {
	if err := checkRoom(room); err != nil {
		return refusal(err)
	}
	if _, err := checkNick(nick); err != nil {
		return refusal(err)
	}
	return nil
}

func (s *Server) noteEntry(n Note) (*protocol.Entry, error) {
	if err := checkRoom(n.Room); err != nil {
		return nil, err
	}
	wanted, err := checkNick(n.Nick)
	if err != nil {
		return nil, err
	}
	id := protocol.NewID()
	if n.ID != "" {
		var err error
		if id, err = protocol.ParseID(n.ID); err != nil || id.Version() != 7 {
			return nil, protocol.Errorf(protocol.CodeBadID, "an id is a UUIDv7, as 0190b3c2-7a1e-7d3f-9c5b-2a4d6e8f0a1b is; %q is none", safetext.Line(cutUTF8(n.ID, 64)))
		}
	}
	text, err := s.cleanText(n.Text)
	if err != nil {
		return nil, err
	}
	if strings.TrimSpace(text) == "" {
		return nil, errNoText
	}
	if err := s.mayOpen(n.Room, nil); err != nil {
		return nil, err
	}
	nick, err := s.people.unused(wanted, n.User)
	if err != nil {
		return nil, err
	}
	e := &protocol.Entry{ID: id, Room: n.Room, User: n.User, Nick: nick, Guest: true, Bot: true, Kind: protocol.KindText, Text: text}
	if n.Action {
		e.Kind = protocol.KindAction
	}
	return e, nil
}

// checkRoom reports why a note cannot go to a room. A direct talk is two people's.
func checkRoom(room string) error {
	if _, _, direct := protocol.ParseDirectRoom(room); direct {
		return protocol.Errorf(protocol.CodeNotFound, "there is no such room")
	}
	return openRoom(room)
}

// openRoom reports why there is no room of this name that is open to all.
func openRoom(room string) error {
	if err := protocol.ValidRoom(room); err != nil {
		return protocol.Errorf(protocol.CodeBadRoom, "%v", err)
	}
	if safetext.Line(room) != room {
		return protocol.Errorf(protocol.CodeBadRoom, "a room's name has no characters that cannot be seen")
	}
	return nil
}

var errNoText = protocol.Errorf(protocol.CodeBadText, "a message needs a text")

// cleanText is a text as the log takes it, unless it is too long.
func (s *Server) cleanText(raw string) (string, error) {
	if max := s.limits.Text; len(raw) > max {
		s.stats.reached(limitText)
		return "", protocol.Errorf(protocol.CodeTooLong, "a message has at most %d bytes, this one has %d", max, len(raw))
	}
	text := safetext.Text(raw)
	if max := s.limits.Text; len(text) > max {
		s.stats.reached(limitText)
		return "", protocol.Errorf(protocol.CodeTooLong, "a message has at most %d bytes, this one has %d with its control characters made visible", max, len(text))
	}
	return text, nil
}

func refusal(err error) *Refusal {
	told := toError(err)
	r := &Refusal{Code: string(told.Code), Text: told.Text}
	if isPassing(err) {
		r.RetryAfter = retryNote
	}
	if errors.Is(err, roomlog.ErrUnavailable) {
		r.Text = "the room's log cannot take entries now"
	}
	return r
}

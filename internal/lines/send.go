package lines

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"

	"lanchat/internal/client"
	"lanchat/protocol"
)

// SendConfig says what to post.
type SendConfig struct {
	Engine Engine
	Room   string
	Text   string    // one post; or, when empty,
	Lines  io.Reader // each line of it, blank ones left out
}

// sendAhead is how many posts may wait for their acknowledgement.
const sendAhead = 1000

// Send posts, and returns once everything is acknowledged. Its error says how
// many posts were acknowledged and how many were not. A refused post does not
// keep the others from being sent.
func Send(ctx context.Context, cfg SendConfig) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	in := &input{lines: make(chan string, 1)}
	if cfg.Text != "" {
		in.lines <- cfg.Text
		close(in.lines)
	} else {
		in = readLines(ctx, cfg.Lines)
	}
	s := sender{cfg: cfg}
	from := in.lines
	for from != nil || s.waiting() > 0 {
		next := from
		if s.waiting() >= sendAhead || !s.up {
			next = nil
		}
		select {
		case text, ok := <-next:
			if !ok {
				from = nil
				if in.err != nil {
					return s.failed(fmt.Errorf("reading the input: %w", in.err))
				}
				break
			}
			if strings.TrimSpace(text) == "" {
				break
			}
			if _, err := cfg.Engine.Post(protocol.Post{Room: cfg.Room, Text: text}); err != nil {
				return s.failed(err)
			}
			s.posted++
		case ev, ok := <-cfg.Engine.Events():
			if !ok {
				return s.failed(s.gaveUp)
			}
			s.apply(ev)
		case <-ctx.Done():
			return s.failed(context.Cause(ctx))
		}
	}
	if s.posted == 0 {
		return errors.New("there was nothing to send: give a TEXT, or lines on standard input")
	}
	if s.refused > 0 {
		return s.failed(nil)
	}
	return nil
}

// sender counts by events, which come in order: a post is no longer waiting when
// what became of it is known.
type sender struct {
	cfg     SendConfig
	up      bool
	posted  int
	acked   int
	refused int
	reasons []string // the first few of the refusals
	gaveUp  error
	down    error // why there is no connection, if there is none
}

func (s *sender) waiting() int { return s.posted - s.acked - s.refused }

func (s *sender) apply(ev client.Event) {
	switch ev := ev.(type) {
	case client.WentUp:
		s.up, s.down = true, nil
	case client.WentDown:
		s.down = ev.Err
	case client.GaveUp:
		s.gaveUp = ev.Err
	case client.Refused:
		s.refused++
		s.because(ev.Text)
	case client.Received:
		switch m := ev.Message.(type) {
		case *protocol.Ack:
			s.acked++
		case *protocol.Error: // the room could not be joined
			s.because(m.Error())
		}
	}
}

func (s *sender) because(reason string) {
	if len(s.reasons) < 3 {
		s.reasons = append(s.reasons, reason)
	}
}

// SendError says what became of the posts.
type SendError struct {
	Sent, NotSent int
	Refused       []string // the server's first reasons
	Err           error    // why the rest was not sent
}

func (e *SendError) Error() string {
	var b strings.Builder
	fmt.Fprintf(&b, "%d sent, %d not", e.Sent, e.NotSent)
	for _, r := range e.Refused {
		fmt.Fprintf(&b, "; refused: %s", r)
	}
	if e.Err != nil {
		fmt.Fprintf(&b, "; %v", e.Err)
	}
	return b.String()
}

func (e *SendError) Unwrap() error { return e.Err }

func (s *sender) failed(err error) error {
	if s.down != nil && errors.Is(err, context.DeadlineExceeded) {
		err = fmt.Errorf("%w: %w", s.down, err)
	}
	if s.posted == 0 && err != nil {
		return err
	}
	return &SendError{Sent: s.acked, NotSent: s.posted - s.acked, Refused: s.reasons, Err: err}
}

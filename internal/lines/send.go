package lines

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"lanchat/internal/client"
	"lanchat/internal/safetext"
	"lanchat/protocol"
)

// SendConfig says what to post.
type SendConfig struct {
	Engine Engine
	Room   string
	// Texts makes the posts, each of at most limit bytes; or, when it is nil,
	Texts func(limit int) ([]string, error)
	Lines io.Reader // each line of it is one, blank ones left out
	// Progress, when not nil, is a terminal: how far a long input has come is shown
	// there in one line, which is gone in the end.
	Progress io.Writer
}

// sendAhead is how many posts may wait for their acknowledgement.
const sendAhead = 1000

// Send posts, and returns once everything is acknowledged. Its error says how
// many posts were acknowledged and how many were not. A refused post, and a line
// that is longer than an entry may be, do not keep the others from being sent. When
// the input breaks off, what has come of it is sent all the same.
func Send(ctx context.Context, cfg SendConfig) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	s := sender{cfg: cfg}
	var in *batches
	var from <-chan []numbered
	if cfg.Texts == nil {
		in = readBatches(ctx, cfg.Lines)
		from = in.out
	}
	show := newProgress(cfg.Progress)
	defer show.end()
	for from != nil || s.cfg.Texts != nil || len(s.have) > 0 || s.waiting() > 0 {
		if err := s.post(); err != nil {
			return s.failed(err)
		}
		next := from
		if len(s.have) > 0 {
			next = nil
		}
		select {
		case batch, ok := <-next:
			if !ok {
				from = nil
				break
			}
			s.have = batch
		case ev, ok := <-cfg.Engine.Events():
			if !ok {
				return s.failed(s.gaveUp)
			}
			s.apply(ev)
		case now := <-show.tick:
			show.draw(now, &s)
		case <-ctx.Done():
			return s.failed(context.Cause(ctx))
		}
	}
	var broken error
	if in != nil && in.err != nil {
		broken = fmt.Errorf("reading the input: %w", in.err)
	}
	switch {
	case broken == nil && s.refused == 0 && s.posted == 0:
		return errors.New("there was nothing to send: give a TEXT, or lines on standard input")
	case broken != nil || s.refused > 0:
		return s.failed(broken)
	}
	return nil
}

// sender counts by events, which come in order: a post is no longer waiting when
// what became of it is known.
type sender struct {
	cfg     SendConfig
	up      bool
	limits  protocol.Limits
	have    []numbered // to be posted
	under   []underWay // posted, and it is not known what became of it
	read    int        // the line that was taken last
	posted  int
	acked   int
	refused int
	reasons []string // the first few of the refusals
	gaveUp  error
	down    error     // why there is no connection, if there is none
	slow    time.Time // when the server last said that it takes posts slowly
}

// underWay is a post and the line that it was made of; 0: of none.
type underWay struct {
	id   protocol.ID
	line int
}

func (s *sender) waiting() int { return len(s.under) }

// post posts as much as may be under way.
func (s *sender) post() error {
	if !s.up {
		return nil
	}
	if s.cfg.Texts != nil {
		texts, err := s.cfg.Texts(int(s.limits.Text))
		if err != nil {
			return err
		}
		for _, text := range texts {
			s.have = append(s.have, numbered{text: text, size: len(text)})
		}
		s.cfg.Texts = nil
	}
	n := 0
	for ; n < len(s.have) && s.waiting() < sendAhead; n++ {
		if err := s.postOne(s.have[n]); err != nil {
			return err
		}
	}
	if s.have = s.have[n:]; len(s.have) == 0 {
		s.have = nil
	}
	return nil
}

func (s *sender) postOne(l numbered) error {
	s.read = max(s.read, l.line)
	if strings.TrimSpace(l.text) == "" {
		return nil
	}
	size := l.size
	if most := int(s.limits.Text); size <= most && 3*size > most { // nothing grows by more than that
		size = len(safetext.Text(l.text))
	}
	if most := int(s.limits.Text); most > 0 && size > most {
		s.refuse(l.line, fmt.Sprintf("a message has at most %d bytes, this one has %d; --code sends long texts", most, size))
		return nil
	}
	queued, err := s.cfg.Engine.Post(protocol.Post{Room: s.cfg.Room, Text: l.text})
	if err != nil {
		return err
	}
	s.posted++
	s.under = append(s.under, underWay{queued.Post.ID, l.line})
	return nil
}

func (s *sender) apply(ev client.Event) {
	switch ev := ev.(type) {
	case client.WentUp:
		s.up, s.down, s.limits = true, nil, ev.Limits
	case client.WentDown:
		s.down = ev.Err
	case client.GaveUp:
		s.gaveUp = ev.Err
	case client.Refused:
		if line, known := s.done(ev.ID); known {
			s.refuse(line, ev.Text)
		}
	case client.Received:
		switch m := ev.Message.(type) {
		case *protocol.Ack:
			if _, known := s.done(m.ID); known {
				s.acked++
			}
		case *protocol.Slow:
			s.slow = ev.At
		case *protocol.Error: // the room could not be joined
			s.because(m.Error())
		}
	}
}

// done takes out a post of which it is known what became of it: nearly always the
// first.
func (s *sender) done(id protocol.ID) (line int, known bool) {
	i := slices.IndexFunc(s.under, func(u underWay) bool { return u.id == id })
	switch {
	case i < 0:
		return 0, false
	case i == 0:
		line, s.under = s.under[0].line, s.under[1:]
	default:
		line = s.under[i].line
		s.under = slices.Delete(s.under, i, i+1)
	}
	return line, true
}

func (s *sender) refuse(line int, reason string) {
	s.refused++
	if line > 0 {
		reason = fmt.Sprintf("line %d: %s", line, reason)
	}
	s.because(reason)
}

func (s *sender) because(reason string) {
	if len(s.reasons) < 3 {
		s.reasons = append(s.reasons, reason)
	}
}

// SendError says what became of the posts.
type SendError struct {
	Sent, NotSent int
	Refused       []string // the first reasons why some were not taken
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
	if s.posted == 0 && s.refused == 0 && err != nil {
		return err
	}
	return &SendError{Sent: s.acked, NotSent: s.refused + s.waiting() + len(s.have), Refused: s.reasons, Err: err}
}

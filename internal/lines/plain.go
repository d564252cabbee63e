package lines

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"strings"
	"time"

	"lanchat/internal/client"
	"lanchat/protocol"
)

// PlainConfig says how to talk by plain lines.
type PlainConfig struct {
	Engine Engine
	In     io.Reader
	Out    io.Writer
	Room   string           // to write to at first; "": the first that is joined
	Now    func() time.Time // nil: time.Now
}

// linesKept is how many lines of input may wait.
const linesKept = 64

// Plain prints what is said, and says what is typed, until the input ends and
// everything typed is acknowledged, the user quits, ctx ends, or the client
// gives up; only the last is an error.
func Plain(ctx context.Context, cfg PlainConfig) error {
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	p := &plain{PlainConfig: cfg, printer: printer{out: cfg.Out, loc: time.Local}}
	p.state.Active = cfg.Room
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	input := readLines(ctx, cfg.In)
	for {
		in := input.lines
		if !p.joined || p.full {
			in = nil // there was no room yet, or no place for another post
		}
		select {
		case ev, ok := <-cfg.Engine.Events():
			if !ok {
				return p.state.Link.Err
			}
			if err := p.apply(ev); err != nil {
				return err
			}
		case line, ok := <-in:
			if !ok {
				p.inputEnded = true
				input.lines = nil
				if err := input.err; err != nil {
					return fmt.Errorf("reading the input: %w", err)
				}
				break
			}
			quit, err := p.do(line)
			if quit || err != nil {
				return err
			}
		case <-ctx.Done():
			return nil
		}
		if p.inputEnded && p.waiting == 0 && !p.full {
			return nil
		}
	}
}

type plain struct {
	PlainConfig
	printer
	state      client.State
	joined     bool // a room, once; who was put out of it may still say where to go
	inputEnded bool
	waiting    int             // posts of which it is not known what became of them
	gaps       map[string]*gap // by room: what was said while there was no connection
	reported   map[report]time.Time
	full       bool   // the outbox takes no more
	held       string // the line that it did not take
}

// gap is what is printed of a room since it was joined again.
type gap struct {
	to uint64 // what was said up to here was missed
	n  int
}

func (p *plain) apply(ev client.Event) error {
	if r, ok := ev.(client.Received); ok {
		p.joinedAgain(r.Message)
	}
	p.state.Apply(ev)
	now := p.Now()
	if err := p.link(ev, now); err != nil {
		return err
	}
	switch ev := ev.(type) {
	case client.Received:
		if err := p.received(ev); err != nil {
			return err
		}
	case client.Queued: // of an earlier client
		p.waiting++
	case client.Refused:
		p.waiting--
		if err := p.remark(now, "", "not sent: "+ev.Text); err != nil {
			return err
		}
	case client.Remarked:
		return p.remark(now, "", ev.Text)
	}
	if p.full {
		p.full = false
		_, err := p.do(p.held)
		return err
	}
	return nil
}

// link tells how the connection fares.
func (p *plain) link(ev client.Event, now time.Time) error {
	switch ev := ev.(type) {
	case client.WentUp:
		text := fmt.Sprintf("connected to %s at %s as %s", ev.Server.Name, ev.Server.Addr, client.ShownNick(ev.Me.Nick, ev.Me.Guest))
		if ev.Server.KeyWords != "" {
			text += "; its key: " + ev.Server.KeyWords
		}
		if ev.Me.Nick != ev.Asked {
			text += fmt.Sprintf("; %s was taken", ev.Asked)
		}
		if ev.Wiped {
			text += "; its log was wiped or replaced since"
		}
		return p.remark(now, "", text)
	case client.WentDown:
		return p.remark(now, "", fmt.Sprintf("%v; trying again in %v", ev.Err, max(ev.RetryAt.Sub(now), 0).Round(time.Second/10)))
	}
	return nil
}

func (p *plain) received(ev client.Received) error {
	switch m := ev.Message.(type) {
	case *protocol.Ack:
		p.waiting--
	case *protocol.Entry:
		return p.heard(m)
	case *protocol.Joined:
		r := p.state.Room(m.Room)
		if m.Ref == 0 || r == nil {
			return nil
		}
		p.joined = true
		text := fmt.Sprintf("you are in %s, %d here", r.Title, r.Count)
		if r.Topic != "" {
			text += ": " + r.Topic
		}
		return p.remark(ev.At, "", text)
	case *protocol.Left:
		if m.Room == p.state.Active && len(p.state.Rooms) > 0 {
			p.state.Apply(client.Selected{Room: p.state.Rooms[0].Name})
		}
		if m.Ref == 0 && m.Text != "" {
			return p.remark(ev.At, "", "you are not in #"+m.Room+" any more: "+m.Text)
		}
		return p.remark(ev.At, "", "you have left #"+m.Room)
	case *protocol.Moderate:
		if m.Ref == 0 || m.Text == "" {
			return nil // an entry of the room tells of it
		}
		return p.remark(ev.At, "", m.Text)
	case *protocol.Nick:
		return p.remark(ev.At, "", "you are now "+m.Nick)
	case *protocol.Error:
		return p.remark(ev.At, "", "the server says: "+m.Error())
	case *protocol.Skipped:
		return p.remark(ev.At, "#"+m.Room, fmt.Sprintf("%d earlier entries are not shown; chat tail --after has them", m.To-m.From+1))
	case *protocol.Slow:
		return p.remark(ev.At, "", "the server takes your lines more slowly now; they are sent in order")
	case *protocol.Found:
		return p.remark(ev.At, "", p.state.FoundList(p.state.Found))
	case *protocol.Invite:
		terms, link := p.state.Invited(m)
		if err := p.remark(ev.At, "", terms); err != nil || link == "" {
			return err
		}
		return p.remark(ev.At, "", link)
	case *protocol.Rooms:
		if list := p.state.RoomList(m); list != "" {
			return p.remark(ev.At, "", list)
		}
	case *protocol.Whois:
		return p.remark(ev.At, "", client.Whois(m))
	case *protocol.Notice:
		return p.report(m)
	}
	return nil
}

// report is a subject of the server's notices.
type report struct{ about, room string }

const (
	reportEvery = time.Minute // from one printed notice about a subject to the next
	maxReported = 16          // subjects within that time
)

// report prints a notice of the server, unless one about the same was printed just now.
func (p *plain) report(n *protocol.Notice) error {
	now, about := p.Now(), report{n.About, n.Room}
	maps.DeleteFunc(p.reported, func(_ report, at time.Time) bool { return now.Sub(at) >= reportEvery })
	if _, printed := p.reported[about]; printed || n.Text == "" || len(p.reported) >= maxReported {
		return nil
	}
	if p.reported == nil {
		p.reported = map[report]time.Time{}
	}
	p.reported[about] = now
	return p.remark(now, "", "the server reports: "+p.state.Report(n))
}

// heard prints an entry, with what it is about.
func (p *plain) heard(e *protocol.Entry) error {
	r := p.state.Room(e.Room)
	if r == nil {
		return nil
	}
	if _, ignored := p.state.Ignored[e.User]; !ignored {
		var about *protocol.Entry
		if i := r.Find(e.TargetSeq); i >= 0 && r.Items[i].Entry.ID == e.Target {
			about = &r.Items[i].Entry
		}
		if err := p.said(r.Title, e, about); err != nil {
			return err
		}
		if g := p.gaps[e.Room]; g != nil && e.Seq <= g.to && e.User != p.state.Me.User && client.Counts(e.Kind) {
			g.n++
		}
	}
	return p.closeGap(r, e.Seq)
}

// joinedAgain notes how much of a room was missed, before it is joined again.
func (p *plain) joinedAgain(m protocol.Message) {
	j, ok := m.(*protocol.Joined)
	if !ok || j.Ref == 0 {
		return
	}
	delete(p.gaps, j.Room)
	if r := p.state.Room(j.Room); r != nil && r.LastSeq() > 0 && j.Head > r.LastSeq() && !j.Reset {
		if p.gaps == nil {
			p.gaps = map[string]*gap{}
		}
		p.gaps[j.Room] = &gap{to: j.Head}
	}
}

// closeGap says how much was missed, when all of it is printed.
func (p *plain) closeGap(r *client.Room, seq uint64) error {
	g := p.gaps[r.Name]
	if g == nil || seq < g.to {
		return nil
	}
	delete(p.gaps, r.Name)
	if g.n == 0 {
		return nil
	}
	return p.remark(p.Now(), r.Title, fmt.Sprintf("%d missed: said while there was no connection", g.n))
}

// do carries out a line of input.
func (p *plain) do(line string) (quit bool, err error) {
	now := p.Now()
	events, quit, err := client.Do(p.Engine, &p.state, p.state.Active, line, now)
	for _, ev := range events {
		p.state.Apply(ev)
		switch ev := ev.(type) {
		case client.Queued:
			p.waiting++
		case client.Remarked:
			if err := p.remark(now, "", ev.Text); err != nil {
				return false, err
			}
		}
	}
	if errors.Is(err, client.ErrOutboxFull) {
		p.full, p.held = true, line
		return false, nil
	}
	if err != nil {
		return false, p.remark(now, "", err.Error())
	}
	return quit, nil
}

// input is the lines of a reader. err is valid once lines is closed.
type input struct {
	lines chan string
	err   error
}

// readLines reads lines until the reader ends. A read of a terminal cannot be
// interrupted: the goroutine outlives ctx until the next line or the end.
func readLines(ctx context.Context, r io.Reader) *input {
	in := &input{lines: make(chan string, linesKept)}
	out := in.lines
	go func() {
		defer close(out)
		br := bufio.NewReader(r)
		for {
			line, err := br.ReadString('\n')
			if line != "" {
				select {
				case out <- strings.TrimRight(line, "\r\n"):
				case <-ctx.Done():
					return
				}
			}
			if err != nil {
				if !errors.Is(err, io.EOF) {
					in.err = err
				}
				return
			}
		}
	}()
	return in
}

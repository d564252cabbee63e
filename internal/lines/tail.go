package lines

import (
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	"lanchat/internal/client"
	"lanchat/protocol"
)

// TailConfig says what to print of a room.
type TailConfig struct {
	Engine Engine
	Out    io.Writer
	Errors io.Writer // where breaks of the connection are told
	Room   string
	JSON   bool
	Last   int     // begin with so many of the last entries; or,
	After  *uint64 // when not nil, behind this one
	Follow bool    // go on with what is said from now on
}

// tailPage is how many entries are asked for at once.
const tailPage = 500

// Tail prints a room's entries, each once and in order, over broken connections
// too. The client must have been made to join the room live when Follow is set,
// and no room otherwise. Tail returns when there is nothing more to print; with
// Follow when ctx ends, or the client gives up, which is an error.
func Tail(ctx context.Context, cfg TailConfig) error {
	t := &tail{TailConfig: cfg, printer: printer{out: cfg.Out, json: cfg.JSON, loc: time.Local}}
	if cfg.After != nil {
		t.placed, t.printed = true, *cfg.After
	}
	for {
		select {
		case ev, ok := <-cfg.Engine.Events():
			if !ok {
				return t.gaveUp
			}
			if done, err := t.apply(ev); done || err != nil {
				return err
			}
		case <-ctx.Done():
			if cfg.Follow {
				return nil
			}
			return context.Cause(ctx)
		}
	}
}

// tail fetches what was said before, page by page behind the last entry
// printed, until it has caught up with what comes by itself.
type tail struct {
	TailConfig
	printer
	placed  bool   // printed says where to begin
	printed uint64 // the last entry printed
	seen    uint64 // the newest that came by itself
	caught  bool   // everything before what comes by itself is printed
	ref     uint32 // of the request under way
	gaveUp  error
}

func (t *tail) apply(ev client.Event) (done bool, err error) {
	switch ev := ev.(type) {
	case client.GaveUp:
		t.gaveUp = ev.Err
	case client.WentDown:
		t.complain("%v; trying again", ev.Err)
	case client.WentUp:
		if ev.Wiped {
			t.complain("the server's log was wiped or replaced; this is the new one")
			t.placed, t.printed, t.seen, t.caught = true, 0, 0, false
		}
		if !t.Follow {
			return false, t.ask()
		}
	case client.Received:
		return t.received(ev.Message)
	}
	return false, nil
}

func (t *tail) received(m protocol.Message) (done bool, err error) {
	switch m := m.(type) {
	case *protocol.Joined:
		if m.Room == t.Room && m.Ref != 0 && !t.caught {
			return false, t.ask()
		}
	case *protocol.Skipped: // more was missed than is sent by itself
		if m.Room == t.Room && t.caught {
			t.caught = false
			return false, t.ask()
		}
	case *protocol.Page:
		if m.Ref == t.ref {
			return t.page(m)
		}
	case *protocol.Entry:
		if m.Room != t.Room || m.Seq <= t.printed {
			break
		}
		t.seen = m.Seq
		if t.caught {
			return false, t.print(m)
		}
	case *protocol.Error:
		return false, m
	}
	return false, nil
}

// ask asks for the next page; while it is not known where to begin, for the
// newest entry.
func (t *tail) ask() error {
	h := &protocol.History{Room: t.Room, Limit: 1}
	if t.placed {
		h.After, h.Oldest, h.Limit = t.printed, true, tailPage
	}
	ref, err := t.Engine.Request(h)
	t.ref = ref
	if errors.Is(err, client.ErrOffline) {
		return nil // the next connection asks again
	}
	return err
}

func (t *tail) page(m *protocol.Page) (done bool, err error) {
	if !t.placed {
		t.placed = true
		if n := len(m.Entries); n > 0 {
			head := m.Entries[n-1].Seq
			t.printed = head - min(head, uint64(t.Last))
		}
		return false, t.ask()
	}
	for i := range m.Entries {
		if err := t.print(&m.Entries[i]); err != nil {
			return false, err
		}
	}
	if m.More || t.printed < t.seen {
		return false, t.ask()
	}
	t.caught = true
	return !t.Follow, nil
}

func (t *tail) print(e *protocol.Entry) error {
	t.printed = e.Seq
	return t.entry("", e)
}

func (t *tail) complain(format string, args ...any) {
	if t.Errors != nil {
		fmt.Fprintf(t.Errors, "chat: "+format+"\n", args...)
	}
}

package lines

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	"lanchat/internal/client"
	"lanchat/internal/safetext"
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
	Exec   *Exec   // when not nil, run this for each entry instead of printing it
}

// tailPage is how many entries are asked for at once.
const tailPage = 500

// Tail prints a room's entries, each once and in order, over broken connections
// too. The client must have been made to join the room live when Follow is set,
// and no room otherwise. Tail returns when there is nothing more to print; with
// Follow when ctx ends, or the client gives up, which is an error; and in any case
// not while a program that it has started is running.
func Tail(ctx context.Context, cfg TailConfig) error {
	t := &tail{TailConfig: cfg, room: protocol.Follower{Room: cfg.Room}, printer: printer{out: cfg.Out, json: cfg.JSON, loc: time.Local}}
	t.done = make(chan answer, 1)
	err := t.run(ctx)
	t.finish()
	return err
}

func (t *tail) run(ctx context.Context) error {
	cfg := t.TailConfig
	if cfg.After != nil {
		t.placed, t.room.Cursor = true, *cfg.After
	}
	for {
		if err := t.work(); err != nil || t.over && t.idle() {
			return err
		}
		select {
		case a := <-t.done:
			t.finished(a)
		case ev, ok := <-cfg.Engine.Events():
			if !ok {
				return t.gaveUp
			}
			if err := t.apply(ev); err != nil {
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
	execing
	room   protocol.Follower // its cursor is the last entry printed, or put into the queue
	placed bool              // it says where to begin
	caught bool              // everything before what comes by itself is printed
	ref    uint32            // of the request under way
	over   bool              // there is nothing more to print
	gaveUp error
}

func (t *tail) apply(ev client.Event) error {
	t.answered(ev)
	switch ev := ev.(type) {
	case client.GaveUp:
		t.gaveUp = ev.Err
	case client.WentDown:
		t.complain("%v; trying again", ev.Err)
	case client.WentUp:
		if ev.Wiped {
			t.complain("the server's log was wiped or replaced; this is the new one")
			t.placed, t.room, t.caught = true, protocol.Follower{Room: t.Room}, false
			t.room.Ask() // what comes before the answer to the next one has its place behind that
		}
		if !t.Follow {
			return t.ask()
		}
	case client.Received:
		return t.received(ev.Message)
	}
	return nil
}

func (t *tail) received(m protocol.Message) error {
	switch m := m.(type) {
	case *protocol.Joined:
		if m.Room == t.Room && m.Ref != 0 && !t.caught {
			t.place(m.Head)
			return t.ask()
		}
	case *protocol.Page:
		if m.Ref == t.ref {
			return t.page(m)
		}
	case *protocol.Skipped, *protocol.Entry:
		if t.caught && len(t.queue) >= execAhead {
			t.caught, t.hungry = false, true
			t.room.Ask() // once there is place again
		}
		return t.take(m)
	case *protocol.Error:
		return m
	}
	return nil
}

// place says where to begin, unless that is known: what is said behind this head
// is not missed.
func (t *tail) place(head uint64) {
	if !t.placed {
		t.placed, t.room.Cursor = true, head-min(head, uint64(t.Last))
	}
}

// ask asks for the next page; while it is not known where to begin, for the
// newest entry.
func (t *tail) ask() error {
	if len(t.queue) > 0 {
		t.hungry = true // when there is place again
		return nil
	}
	h := &protocol.History{Room: t.Room, Limit: 1}
	if t.placed {
		h = t.room.Ask()
		h.Limit = tailPage
	}
	ref, err := t.Engine.Request(h)
	t.ref = ref
	if errors.Is(err, client.ErrOffline) {
		return nil // the next connection asks again
	}
	return err
}

func (t *tail) page(m *protocol.Page) error {
	if !t.placed {
		head := uint64(0)
		if n := len(m.Entries); n > 0 {
			head = m.Entries[n-1].Seq
		}
		t.place(head)
		return t.ask()
	}
	return t.take(m)
}

// take prints what a message brings, and asks for more if that is needed.
func (t *tail) take(m protocol.Message) error {
	entries, more := t.room.Take(m)
	for i := range entries {
		if err := t.print(&entries[i]); err != nil {
			return err
		}
	}
	if more {
		t.caught = false
		return t.ask()
	}
	if _, last := m.(*protocol.Page); last {
		t.caught, t.over = true, !t.Follow
	}
	return nil
}

func (t *tail) print(e *protocol.Entry) error {
	if t.Exec != nil {
		t.enqueue(e)
		return nil
	}
	return t.entry("", e)
}

func (t *tail) complain(format string, args ...any) {
	if t.Errors != nil {
		text := safetext.Text(fmt.Sprintf(format, args...))
		fmt.Fprintf(t.Errors, "chat: %s\n", strings.ReplaceAll(text, "\n", "\n    "))
	}
}

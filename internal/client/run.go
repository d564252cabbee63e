package client

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"slices"
	"sync"
	"time"

	"lanchat/internal/safetext"
	"lanchat/protocol"
)

// Run connects and keeps connected until ctx ends, and then returns nil, or
// until trying again is no use. It returns when everything it started has
// ended.
func (c *Client) Run(ctx context.Context) error {
	defer close(c.events)
	keepUntil, stopKeeping := context.WithCancel(context.WithoutCancel(ctx))
	defer c.closeJournal()
	var keeping sync.WaitGroup
	keeping.Go(func() { c.keeper.run(keepUntil) })
	defer keeping.Wait()
	defer stopKeeping()
	var wait backoff
	wait.random = c.cfg.random
	for first := true; ; first = false {
		begin := time.Now()
		went, err := c.once(ctx)
		if went {
			wait.reset()
			first = false
		}
		if ctx.Err() != nil {
			return nil
		}
		if first || isFinal(err) {
			_ = c.emit(ctx, GaveUp{err})
			return err
		}
		pause := max(wait.next(err), connectEach-time.Since(begin))
		if c.emit(ctx, WentDown{Err: err, RetryAt: time.Now().Add(pause)}) != nil {
			return nil
		}
		select {
		case <-time.After(pause):
		case <-ctx.Done():
			return nil
		}
		if c.emit(ctx, Retrying{}) != nil {
			return nil
		}
	}
}

// once makes one connection and serves it to its end. went is true when it got
// as far as welcome.
func (c *Client) once(ctx context.Context) (went bool, err error) {
	link, conn, welcome, err := c.connect(ctx)
	c.tried(err)
	if err != nil {
		return false, err
	}
	defer conn.Close()
	kept, trouble := c.recall(link)
	aside, damage := c.recallAside(link)
	trouble = append(trouble, damage...)
	if err := c.emit(ctx, c.wentUp(link, welcome)); err != nil {
		return true, err
	}
	if aside != nil {
		if err := c.emit(ctx, *aside); err != nil {
			return true, err
		}
	}
	for _, p := range kept {
		if err := c.emit(ctx, Queued{Post: p, At: time.Now()}); err != nil {
			return true, err
		}
	}
	if c.cfg.Token != "" && welcome.Room == "" && !c.warned {
		c.warned = true
		trouble = append(trouble, errStaleInvitation)
	}
	for _, err := range trouble {
		if err := c.emit(ctx, Remarked{Text: safetext.Line(err.Error()), At: time.Now()}); err != nil {
			return true, err
		}
	}
	alive, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	stop := context.AfterFunc(alive, func() { conn.Close() })
	defer stop()
	l := &session{c: c, conn: conn, pongs: make(chan uint64, 1)}
	sender := make(chan struct{})
	go func() {
		defer close(sender)
		if err := l.send(alive); err != nil {
			cancel(err)
		}
	}()
	// Not alive: what was received before the connection broke is delivered, or
	// the cursor that moved with it would be a lie.
	err = l.receive(ctx)
	if cause := context.Cause(alive); cause != nil {
		err = cause
	}
	cancel(err)
	<-sender
	c.mu.Lock()
	c.up = false
	c.outbox.rewind()
	c.requests = nil
	c.mu.Unlock()
	for _, room := range c.leftUnanswered() {
		if err := c.emit(ctx, Received{&protocol.Left{Room: room}, time.Now()}); err != nil {
			return true, err
		}
	}
	return true, err
}

func (c *Client) connect(ctx context.Context) (*Dialed, *protocol.Conn, *protocol.Welcome, error) {
	for again := true; ; again = false {
		link, err := c.cfg.Dial(ctx)
		if err != nil {
			if errors.Is(err, protocol.ErrGreeted) && again {
				continue
			}
			return nil, nil, nil, err
		}
		c.mu.Lock()
		hello := &protocol.Hello{Software: c.cfg.Software, Nick: c.cfg.Nick, Epoch: c.epoch, Bot: c.cfg.Bot, Token: c.cfg.Token, Wants: protocol.Extensions()}
		c.mu.Unlock()
		conn := protocol.NewConn(link.Conn)
		if c.cfg.Watch != nil {
			conn.Watch(c.cfg.Watch(link))
		}
		p := &proving{key: c.cfg.Passphrase, insist: c.cfg.Insist, link: link}
		if p.key != nil {
			conn.Answer(p.answer)
		}
		welcome, err := conn.Handshake(ctx, hello)
		if refused, ok := errors.AsType[*protocol.Error](err); ok {
			clean(refused)
		}
		if errors.Is(err, protocol.ErrGreeted) && again {
			continue
		}
		if err = p.judge(welcome, err); err == nil && link.Welcomed != nil {
			err = link.Welcomed()
		}
		if err != nil {
			conn.Close()
		}
		return link, conn, welcome, err
	}
}

// recall opens the journal of a server that is met for the first time by this
// client, and returns the posts that an earlier one has left. They come before
// those of this one.
func (c *Client) recall(link *Dialed) (kept []protocol.Post, trouble []error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.opened || c.cfg.Journals == "" || link.Key == "" {
		return nil, nil
	}
	c.opened = true
	j, err := openJournal(c.cfg.Journals, link.Key)
	if err != nil {
		return nil, []error{fmt.Errorf("unsent messages are not kept: %w", err)}
	}
	kept = slices.Clone(j.posts)
	for _, p := range c.outbox.posts { // said before the first connection
		j.post(p)
	}
	c.journal, c.epoch = j, j.epoch
	c.outbox.restore(kept)
	for _, p := range kept {
		c.wish(p.Room)
	}
	for _, w := range c.rooms {
		if seen := j.cursors[w.room]; !w.live && w.cursor == 0 {
			w.cursor = seen - min(seen, recallContext)
		}
	}
	return kept, nil
}

// recallAside returns what the user of an earlier client has kept on this side, when
// the server is met for the first time by this client.
func (c *Client) recallAside(link *Dialed) (aside *Recalled, trouble []error) {
	if c.recalled || link.Key == "" {
		return nil, nil
	}
	c.recalled = true
	ev, err := c.keeper.open(link.Key)
	if err != nil {
		trouble = []error{err}
	}
	if len(ev.Ignored)+len(ev.Notices)+len(ev.Drafts) == 0 {
		return nil, trouble
	}
	return &ev, trouble
}

// recallContext is how many entries that were seen before are shown again, so
// that nobody comes back to an empty screen.
const recallContext = 200

func (c *Client) closeJournal() {
	c.mu.Lock()
	defer c.mu.Unlock()
	_ = c.journal.close() // what could be written is; the process ends
	c.journal = nil
}

// wentUp begins with a new connection: everything is to be joined and sent.
func (c *Client) wentUp(link *Dialed, w *protocol.Welcome) WentUp {
	c.mu.Lock()
	defer c.mu.Unlock()
	ev := WentUp{
		Server: Server{Name: safetext.Line(w.Server), Addr: link.Addr, Public: cmp.Or(link.Public, link.Addr),
			Key: link.Key, KeyWords: link.KeyWords, Encrypted: link.Encrypted, NewKey: link.NewKey},
		Me:     protocol.Member{User: w.User, Nick: safetext.Line(w.Nick), Guest: w.Guest, Bot: c.cfg.Bot, Role: w.Role},
		Limits: w.Limits,
		Offers: w.Offers,
		Asked:  c.cfg.Nick,
		Wiped:  !c.epoch.IsZero() && c.epoch != w.Epoch,
	}
	c.up, c.epoch, c.me, c.offers = true, w.Epoch, w.User, w.Offers
	if c.window = window; w.Limits.Pending > 0 {
		c.window = min(window, int(w.Limits.Pending))
	}
	c.journal.wiped(w.Epoch)
	clear(c.joins)
	for _, room := range c.rooms {
		room.asked, room.in = false, false
		if ev.Wiped {
			room.cursor = 0
		}
	}
	return ev
}

// backoff says how long to wait before the next try.
type backoff struct {
	tries  int
	random func() float64
}

const (
	backoffFirst = 500 * time.Millisecond
	backoffMost  = 15 * time.Second
	// connectEach is the least time between two connects: a server that welcomes
	// and drops is not tried without a pause.
	connectEach = 200 * time.Millisecond
)

func (b *backoff) reset() { b.tries = 0 }

// next is the pause after a connection that ended, or a try that failed, with err.
func (b *backoff) next(err error) time.Duration {
	random := b.random
	if random == nil {
		random = rand.Float64
	}
	pause := time.Duration(0)
	if b.tries > 0 {
		full := min(backoffFirst<<min(b.tries-1, 10), backoffMost)
		pause = full/2 + time.Duration(random()*float64(full/2))
	}
	b.tries++
	if bye, ok := errors.AsType[*byeError](err); ok {
		pause = max(pause, time.Duration(bye.RetryAfter)*time.Millisecond)
	}
	return pause
}

// byeError is the server's goodbye.
type byeError struct{ *protocol.Bye }

func (e *byeError) Error() string {
	if e.Text != "" {
		return safetext.Line(e.Text)
	}
	return "the server has closed the connection: " + safetext.Line(string(e.Code))
}

// FinalError is an error that no further try would cure.
type FinalError struct{ Err error }

func (e *FinalError) Error() string { return e.Err.Error() }
func (e *FinalError) Unwrap() error { return e.Err }

// isFinal is true when trying again is no use.
func isFinal(err error) bool {
	if _, ok := errors.AsType[*FinalError](err); ok {
		return true
	}
	if bye, ok := errors.AsType[*byeError](err); ok {
		return bye.RetryAfter == 0
	}
	return Refusal(err)
}

// Refusal reports whether err says that this client may not come in, now or later:
// by the server's word, or by its own judgement of the server.
func Refusal(err error) bool {
	if _, ok := errors.AsType[*InvitationError](err); ok || NeedsPassphrase(err) || errors.Is(err, ErrUnproved) {
		return true
	}
	e, ok := errors.AsType[*protocol.Error](err)
	if !ok {
		return false
	}
	switch e.Code {
	case protocol.CodeAuth, protocol.CodeForbidden, protocol.CodeVersion, protocol.CodeBadNick, protocol.CodeMalformed, protocol.CodeNickTaken:
		return true
	}
	return false
}

// readError words why a connection broke.
func readError(err error) error {
	if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
		return fmt.Errorf("the server has closed the connection: %w", err)
	}
	return fmt.Errorf("the connection is lost: %w", err)
}

package roomlog

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"sync/atomic"
	"time"

	"lanchat/protocol"
)

// retention removes the oldest entries, as Keep says, after the commits and in small
// steps: a post waits for one step at most.
//
// A step takes entries out of the log and of the index, and remembers their ids; or it
// forgets ids; or it clears up after these: the index drops the removed entries' words
// when it is merged, and the file gives pages back. What was removed may stand in the
// write-ahead log for longer, so that is emptied at the end of a pass.
//
// Where Keep bounds bytes, commits take part: see budget.go.
type retention struct {
	behind
	s    *SQLite
	keep Keep
	budget
	warn func(string)

	remover
	pageSize int64

	removing bool        // the log is being brought from where removing begins to where it ends
	uneven   atomic.Bool // the write-ahead log may hold removed texts
	others   int64       // bytes of what is neither entries nor their ids
	measured time.Time   // when that was measured
	warned   time.Time
	blocked  time.Time // until then a reader is taken to be in the way of emptying the write-ahead log
	wait     time.Duration
}

const (
	retentionTick = time.Minute

	// One step is at most this much; it takes a few milliseconds.
	removeEntries = 128
	vacuumPages   = 64

	// idsKept is how long a removed entry's id is known: a post that is sent
	// again within it gets its old acknowledgement.
	idsKept = 30 * 24 * time.Hour
	// idsSpared is how long, where Keep bounds bytes, an id is known whatever it takes:
	// from when its entry was said.
	idsSpared = 24 * time.Hour

	mergeEvery = 24 * time.Hour // a merge may have to read the whole index
	warnEvery  = 24 * time.Hour
)

// Retain begins to remove what keep does not want, and goes on until Close. It
// is called once at most, even with the zero Keep: ids that are no longer needed
// are dropped all the same. warn, which may be nil, is called at most once a day,
// with why the log cannot be as small as keep says.
func (s *SQLite) Retain(keep Keep, warn func(reason string)) error {
	s.writing.Lock()
	later := s.standby.Load()
	if later {
		s.retain = func() error { return s.Retain(keep, warn) }
	}
	s.writing.Unlock()
	if later {
		return nil // when there is space
	}
	r, err := newRetention(s, keep, warn)
	if err != nil {
		return s.unavailable(err)
	}
	r.start(r.run)
	return nil
}

func newRetention(s *SQLite, keep Keep, warn func(string)) (*retention, error) {
	if warn == nil {
		warn = func(string) {}
	}
	r := &retention{behind: newBehind(), s: s, keep: keep, budget: newBudget(keep.Bytes), warn: warn}
	r.uneven.Store(true)
	if err := r.open(s, waitsShortly); err != nil {
		return nil, err
	}
	if err := r.prepare(context.Background()); err != nil {
		return nil, errors.Join(err, r.behind.close())
	}
	s.writing.Lock()
	defer s.writing.Unlock()
	s.retention = r
	return r, nil
}

func (r *retention) prepare(ctx context.Context) (err error) {
	if err = r.conn.QueryRowContext(ctx, "PRAGMA page_size").Scan(&r.pageSize); err != nil {
		return err
	}
	return r.remover.prepare(ctx, r.conn)
}

func (r *retention) close() error {
	r.stop()
	return errors.Join(r.remover.close(), r.behind.close())
}

func (r *retention) run(ctx context.Context) {
	tick := time.NewTicker(retentionTick)
	defer tick.Stop()
	for {
		// A fault here is one of the file, and posting tells of it. What was not
		// removed now is later.
		if err := r.tightPass(ctx); isDiskFull(r.s.dir, err) && r.s.useReserve() {
			_ = r.tightPass(ctx)
		}
		r.s.makeReserve(r.keep)
		if !rest(ctx, retentionPause) {
			return
		}
		select {
		case <-tick.C:
		case <-r.wake:
		case <-ctx.Done():
			return
		}
	}
}

// pass removes whatever is to be removed now.
func (r *retention) pass(ctx context.Context) error {
	if _, err := r.s.repeat(ctx, r.step); err != nil {
		return err
	}
	if err := r.merge(ctx); err != nil {
		return err
	}
	if _, err := r.s.repeat(ctx, r.shrink); err != nil {
		return err
	}
	if r.uneven.Load() {
		return r.truncate(ctx)
	}
	return nil
}

// tightPass is a pass that takes no more space than it must where there is hardly any.
func (r *retention) tightPass(ctx context.Context) error {
	if !r.s.isTight() {
		return r.pass(ctx)
	}
	defer r.setCheckpoints(usualPages)
	if err := r.setCheckpoints(tightPages); err != nil {
		return err
	}
	return r.pass(ctx)
}

// setCheckpoints has the write-ahead log emptied after so many pages.
func (r *retention) setCheckpoints(pages int) error {
	r.s.writing.Lock()
	defer r.s.writing.Unlock()
	_, err := r.conn.ExecContext(context.Background(), fmt.Sprintf("PRAGMA wal_autocheckpoint = %d", pages))
	return err
}

// step does the next of what is to be done, so that neither entries nor ids ever take
// what belongs to the other. writing is held.
func (r *retention) step(ctx context.Context) (more bool, err error) {
	if more, err := r.forget(ctx); err != nil || more {
		return more, err
	}
	switch {
	case r.keep.Age > 0:
		return r.remove(ctx, r.s.now().Add(-r.keep.Age).UnixNano())
	case r.keep.Bytes > 0:
		return r.removeBytes(ctx)
	}
	return false, nil
}

// removeBytes brings the log down to its bound in bytes. writing is held.
func (r *retention) removeBytes(ctx context.Context) (more bool, err error) {
	u, err := r.usage(ctx)
	if err != nil {
		return false, err
	}
	if u.used > r.beginAt {
		r.removing = true
	}
	if r.removing = r.removing && u.used > r.endAt; !r.removing {
		return false, nil
	}
	if more, err := r.shrinkTo(ctx, max(r.freeMost, u.used-r.keep.Bytes)); err != nil || more {
		return more, err
	}
	// What removed entries still take of the index is not taken from others.
	// Where there is no space for that, removing makes some.
	if more, err := mergeWords(ctx, r.conn, mergePages); err == nil && more || err != nil && !isDiskFull(r.s.dir, err) {
		return more, err
	}
	if u.entries <= r.floor {
		r.warnOf(u)
		return false, nil
	}
	return r.remove(ctx, r.s.last+1)
}

// remove takes the oldest entries that were said before a time out of the log. writing
// is held.
func (r *retention) remove(ctx context.Context, before int64) (more bool, err error) {
	old, err := oldest(ctx, r.conn, before, r.stepBytes, "ORDER BY n")
	if err != nil || len(old) == 0 {
		return false, err
	}
	to, now := r.s.goneTo, r.s.now().Unix()
	err = transact(ctx, r.conn, func(ctx context.Context) error {
		if to, err = r.remover.remove(ctx, old, to, now); err != nil {
			return err
		}
		last := old[len(old)-1]
		return setMeta(ctx, r.conn, metaRemoved, last.n, last.At)
	})
	if err != nil {
		return false, err
	}
	r.s.goneTo = to
	r.uneven.Store(true)
	return true, nil
}

type oldEntry struct {
	protocol.Entry
	n, room int64
	flags   int
	posted  []byte // the row's sum
	reacted bool
}

// sum is what is kept of the content that an entry had as it was posted. It is
// empty where nothing of it is known: see matches.
func (e *oldEntry) sum() []byte {
	switch {
	case e.posted != nil:
		return e.posted
	case e.flags&(flagEdited|flagGone) != 0 || e.Kind == protocol.KindEdit:
		return []byte{}
	}
	return contentSum(&e.Entry)
}

// oldest returns the oldest entries that were said before a time, one step's.
func oldest(ctx context.Context, c *sql.Conn, before int64, most int, which string, args ...any) ([]oldEntry, error) {
	rows, err := c.QueryContext(ctx, "SELECT n, room, seq, id, at, kind, text, target, flags, sum, reactions IS NOT NULL FROM entries "+which+" LIMIT ?", append(args, removeEntries)...)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	var old []oldEntry
	for size := 0; size < most && rows.Next(); {
		var e oldEntry
		var id, target []byte
		if err := rows.Scan(&e.n, &e.room, &e.Seq, &id, &e.At, (*string)(&e.Kind), &e.Text, &target, &e.flags, &e.posted, &e.reacted); err != nil {
			return nil, err
		}
		if e.At >= before {
			break
		}
		copy(e.ID[:], id)
		copy(e.Target[:], target)
		old = append(old, e)
		size += len(e.Text)
	}
	return old, rows.Err()
}

// forget drops the ids that need not be known any longer. writing is held.
func (r *retention) forget(ctx context.Context) (more bool, err error) {
	if r.s.goneTo == 0 {
		return false, nil
	}
	now := r.s.now()
	if more, err = r.gone.forgetRemoved(ctx, now.Add(-idsKept)); err == nil && !more && r.keep.Bytes > 0 {
		more, err = r.gone.forgetSaid(ctx, now.Add(-idsSpared), r.idsMost)
	}
	if err != nil || !more {
		return false, err
	}
	r.s.goneTo, err = r.gone.newest(ctx)
	return true, err
}

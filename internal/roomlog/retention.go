package roomlog

import (
	"context"
	"database/sql"
	"errors"
	"math"
	"time"

	"lanchat/protocol"
)

// retention removes the oldest entries, as Keep says, behind the commits and in
// small steps: a post waits for one step at most.
//
// A step takes entries out of the log and of the index, and remembers their ids.
// What a pass of such steps leaves is cleared up behind it: the index drops the
// removed entries' words when it is merged, the file gives pages back, and the
// write-ahead log, in which older texts may stand, is emptied.
type retention struct {
	behind
	s    *SQLite
	keep Keep

	remover
	pageSize int64

	ids    int64 // rows of gone, where Keep bounds bytes; -1: not yet counted
	uneven bool  // the write-ahead log may hold removed texts
}

const (
	retentionTick = time.Minute

	// One step is at most this much; it takes a few milliseconds.
	removeEntries = 128
	removeBytes   = 256 << 10 // of text
	forgetIDs     = 512
	vacuumPages   = 64

	// idsKept is how long a removed entry's id is known: a post that is sent
	// again within it gets its old acknowledgement.
	idsKept = 30 * 24 * time.Hour
	// Where Keep bounds bytes, ids get at most this part of them, and the oldest
	// give way: else a busy server would keep ids in place of entries.
	idsShare = 4
	idSize   = 110 // bytes in the file, about

	mergeEvery = 24 * time.Hour // a merge may have to read the whole index
)

// Retain begins to remove what keep does not want, and goes on until Close. It
// is called once at most, even with the zero Keep: ids that are no longer needed
// are dropped all the same.
func (s *SQLite) Retain(keep Keep) error {
	r, err := newRetention(s, keep)
	if err != nil {
		return s.unavailable(err)
	}
	s.writing.Lock()
	s.retention = r
	s.writing.Unlock()
	r.start(r.run)
	return nil
}

func newRetention(s *SQLite, keep Keep) (*retention, error) {
	r := &retention{s: s, keep: keep, ids: -1, uneven: true}
	if err := r.open(s, neverWaits); err != nil {
		return nil, err
	}
	if err := r.prepare(context.Background()); err != nil {
		return nil, errors.Join(err, r.behind.close())
	}
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
		_ = r.pass(ctx)
		select {
		case <-tick.C:
		case <-ctx.Done():
			return
		}
	}
}

// pass removes whatever is to be removed now.
func (r *retention) pass(ctx context.Context) error {
	for _, step := range []func(context.Context) (bool, error){r.remove, r.forget} {
		did, err := r.s.repeat(ctx, step)
		if err != nil {
			return err
		}
		r.uneven = r.uneven || did
	}
	if err := r.merge(ctx); err != nil {
		return err
	}
	if _, err := r.s.repeat(ctx, r.shrink); err != nil {
		return err
	}
	if r.uneven {
		return r.truncate(ctx)
	}
	return nil
}

// remove takes the oldest entries out of the log. writing is held.
func (r *retention) remove(ctx context.Context) (more bool, err error) {
	var before int64 // what was said before this goes
	switch {
	case r.keep.Age > 0:
		before = r.s.now().Add(-r.keep.Age).UnixNano()
	case r.keep.Bytes > 0:
		if pages, free, err := r.pages(ctx); err != nil || (pages-free)*r.pageSize <= r.keep.Bytes {
			return false, err
		}
		// What removed entries still take of the index is not taken from others.
		if more, err := mergeWords(ctx, r.conn, mergePages); err != nil || more {
			return more, err
		}
		before = r.s.last + 1
	default:
		return false, nil
	}
	old, err := oldest(ctx, r.conn, before, "ORDER BY n")
	if err != nil || len(old) == 0 {
		return false, err
	}
	newest, now := r.s.goneMax, r.s.now().Unix()
	err = transact(ctx, r.conn, func(ctx context.Context) error {
		if newest, err = r.remover.remove(ctx, old, newest, now); err != nil {
			return err
		}
		last := old[len(old)-1]
		return setMeta(ctx, r.conn, metaRemoved, last.n, last.At)
	})
	if err != nil {
		return false, err
	}
	r.s.goneMax = newest
	if r.ids >= 0 {
		r.ids += int64(len(old))
	}
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
func oldest(ctx context.Context, c *sql.Conn, before int64, which string, args ...any) ([]oldEntry, error) {
	rows, err := c.QueryContext(ctx, "SELECT n, room, seq, id, at, kind, text, target, flags, sum, reactions IS NOT NULL FROM entries "+which+" LIMIT ?", append(args, removeEntries)...)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	var old []oldEntry
	for size := 0; size < removeBytes && rows.Next(); {
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
	if r.s.goneMax.IsZero() {
		return false, nil
	}
	before, most := r.s.now().Add(-idsKept).Unix(), int64(forgetIDs)
	if r.keep.Bytes > 0 {
		if r.ids < 0 {
			if err := r.conn.QueryRowContext(ctx, "SELECT count(*) FROM gone").Scan(&r.ids); err != nil {
				return false, err
			}
		}
		if tooMany := r.ids - r.keep.Bytes/idsShare/idSize; tooMany > 0 {
			before, most = math.MaxInt64, min(most, tooMany)
		}
	}
	result, err := r.conn.ExecContext(ctx, "DELETE FROM gone WHERE id IN (SELECT id FROM gone WHERE removed < ? ORDER BY removed LIMIT ?)", before, most)
	if err != nil {
		return false, err
	}
	count, err := result.RowsAffected()
	if err != nil || count == 0 {
		return false, err
	}
	if r.ids >= 0 {
		r.ids -= count
	}
	r.s.goneMax, err = goneMax(ctx, r.conn)
	return true, err
}

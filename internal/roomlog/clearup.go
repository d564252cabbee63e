package roomlog

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"time"
)

// This file is what comes behind the removal of entries and of texts: the index,
// the file and the write-ahead log hold nothing of them any longer, and shrink.

// repeat takes steps until there is nothing more to do. Between two it rests for
// as long as one took: the other half of the time belongs to posting alone.
func (s *SQLite) repeat(ctx context.Context, step func(context.Context) (more bool, err error)) (did bool, err error) {
	for {
		s.writing.Lock()
		begin := time.Now()
		more, err := step(ctx)
		took := time.Since(begin)
		s.endWriting()
		if err != nil || !more {
			return did, err
		}
		did = true
		if !rest(ctx, took) {
			return did, ctx.Err()
		}
	}
}

// mergeAll merges all parts of the index into one. An entry that was removed or
// changed is marked in the index at once, but what it said leaves only with the
// next merge of its part.
func (s *SQLite) mergeAll(ctx context.Context, c *sql.Conn) error {
	// A merge that was under way is ended first, and what it had already gone
	// through may still hold such words: then it is begun once more.
	for range 2 {
		pages := -mergePages // the first step begins the merge of all
		did, err := s.repeat(ctx, func(ctx context.Context) (bool, error) {
			defer func() { pages = mergePages }()
			return mergeWords(ctx, c, pages)
		})
		if err != nil || !did {
			return err
		}
	}
	return nil
}

// emptyWAL empties the write-ahead log. Most of it is written to the file while
// posting goes on. busy is true where a reader is in the way of the end.
func (s *SQLite) emptyWAL(ctx context.Context, c *sql.Conn) (busy bool, err error) {
	if _, err := checkpoint(ctx, c, "PASSIVE"); err != nil {
		return false, err
	}
	s.writing.Lock()
	defer s.writing.Unlock()
	return checkpoint(ctx, c, "TRUNCATE")
}

func checkpoint(ctx context.Context, c *sql.Conn, mode string) (busy bool, err error) {
	var inLog, done int
	err = c.QueryRowContext(ctx, "PRAGMA wal_checkpoint("+mode+")").Scan(&busy, &inLog, &done)
	return busy, err
}

// pages returns how many pages the file has, and how many of them are free.
func (r *retention) pages(ctx context.Context) (all, free int64, err error) {
	if err := r.conn.QueryRowContext(ctx, "PRAGMA page_count").Scan(&all); err != nil {
		return 0, 0, err
	}
	err = r.conn.QueryRowContext(ctx, "PRAGMA freelist_count").Scan(&free)
	return all, free, err
}

// merge rids the index of the removed entries' words, at most once a day.
func (r *retention) merge(ctx context.Context) error {
	r.s.writing.Lock()
	removed, _, err := meta(ctx, r.conn, metaRemoved)
	merged, at, errMerged := meta(ctx, r.conn, metaMerged)
	now := r.s.now()
	r.s.writing.Unlock()
	if err := errors.Join(err, errMerged); err != nil || removed <= merged || now.Sub(time.Unix(0, at)) < mergeEvery {
		return err
	}
	if err := r.s.mergeAll(ctx, r.conn); err != nil {
		return err
	}
	r.uneven.Store(true)
	r.s.writing.Lock()
	defer r.s.writing.Unlock()
	return setMeta(ctx, r.conn, metaMerged, removed, now.UnixNano())
}

// shrink gives pages back to the file system. Some free ones stay, for what is
// posted next. writing is held.
func (r *retention) shrink(ctx context.Context) (more bool, err error) {
	if r.keep.Bytes > 0 {
		return r.shrinkTo(ctx, r.freeMost)
	}
	all, _, err := r.pages(ctx)
	if err != nil {
		return false, err
	}
	return r.shrinkTo(ctx, (all/16+vacuumPages)*r.pageSize)
}

// shrinkTo gives pages back where more bytes than most are free.
func (r *retention) shrinkTo(ctx context.Context, most int64) (more bool, err error) {
	all, free, err := r.pages(ctx)
	if spare := free - most/r.pageSize; err != nil || spare <= 0 {
		return false, err
	} else if _, err = r.conn.ExecContext(ctx, fmt.Sprintf("PRAGMA incremental_vacuum(%d)", min(vacuumPages, spare))); err != nil {
		return false, err
	}
	now, _, err := r.pages(ctx)
	return now < all, err
}

// truncate empties the write-ahead log; where a reader is in the way, the next
// pass tries again.
func (r *retention) truncate(ctx context.Context) error {
	r.uneven.Store(false)
	busy, err := r.s.emptyWAL(ctx, r.conn)
	if err != nil || busy {
		r.uneven.Store(true)
	}
	return err
}

package roomlog

import (
	"context"
	"errors"
	"fmt"
	"time"
)

// This file is what comes behind the removal of entries: the index, the file
// and the write-ahead log hold nothing of them any longer, and shrink.

// pages returns how many pages the file has, and how many of them are free.
func (r *retention) pages(ctx context.Context) (all, free int64, err error) {
	if err := r.conn.QueryRowContext(ctx, "PRAGMA page_count").Scan(&all); err != nil {
		return 0, 0, err
	}
	err = r.conn.QueryRowContext(ctx, "PRAGMA freelist_count").Scan(&free)
	return all, free, err
}

// merge rids the index of the removed entries' words: a removed entry is marked
// in it at once, but what it said leaves with the next merge of its part. All
// parts are merged into one, at most once a day.
func (r *retention) merge(ctx context.Context) error {
	r.s.writing.Lock()
	removed, _, err := meta(ctx, r.conn, metaRemoved)
	merged, at, errMerged := meta(ctx, r.conn, metaMerged)
	now := r.s.now()
	r.s.writing.Unlock()
	if err := errors.Join(err, errMerged); err != nil || removed <= merged || now.Sub(time.Unix(0, at)) < mergeEvery {
		return err
	}
	pages := -mergePages // the first step begins the merge of all
	if _, err := r.repeat(ctx, func(ctx context.Context) (bool, error) {
		defer func() { pages = mergePages }()
		return mergeWords(ctx, r.conn, pages)
	}); err != nil {
		return err
	}
	r.uneven = true
	r.s.writing.Lock()
	defer r.s.writing.Unlock()
	return setMeta(ctx, r.conn, metaMerged, removed, now.UnixNano())
}

// shrink gives pages back to the file system. Some free ones stay, for what is
// posted next. writing is held.
func (r *retention) shrink(ctx context.Context) (more bool, err error) {
	all, free, err := r.pages(ctx)
	if err != nil || free <= all/16+vacuumPages {
		return false, err
	}
	if _, err = r.conn.ExecContext(ctx, fmt.Sprintf("PRAGMA incremental_vacuum(%d)", vacuumPages)); err != nil {
		return false, err
	}
	now, _, err := r.pages(ctx)
	return now < all, err
}

// truncate empties the write-ahead log. Most of it is written to the file while
// posting goes on. A reader may be in the way of the end; the next pass tries
// again.
func (r *retention) truncate(ctx context.Context) error {
	if _, err := r.checkpoint(ctx, "PASSIVE"); err != nil {
		return err
	}
	r.s.writing.Lock()
	defer r.s.writing.Unlock()
	busy, err := r.checkpoint(ctx, "TRUNCATE")
	r.uneven = err != nil || busy
	return err
}

func (r *retention) checkpoint(ctx context.Context, mode string) (busy bool, err error) {
	var inLog, done int
	err = r.conn.QueryRowContext(ctx, "PRAGMA wal_checkpoint("+mode+")").Scan(&busy, &inLog, &done)
	return busy, err
}

package roomlog

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"time"
)

// budget is how a bound in bytes is shared out, so that at every moment the entries
// have four fifths of it, their ids a tenth, and the files a tenth more than all of it.
// All of it is 0 where there is no such bound, but for the size of steps.
type budget struct {
	beginAt, endAt int64 // of the pages in use: removing begins above one, and ends at the other
	holdAt         int64 // before a commit goes beyond it, entries are removed for it
	floor          int64 // entries are not removed for more, whatever else takes space
	idsMost        int64 // of what the ids take
	freeMost       int64 // free pages that are kept for what is posted next
	walMost        int64 // above it the write-ahead log is emptied
	stepBytes      int   // of text that one step removes
	commitBytes    int   // of entries that one commit should have
}

const (
	removeBytesMost = 256 << 10
	commitBytesMost = 1 << 20
	spareBytes      = 250_000 // what pages that are not full, and the like, take of any log
	walMostEver     = 4 << 20
)

func newBudget(size int64) budget {
	if size == 0 {
		return budget{stepBytes: removeBytesMost, commitBytes: commitBytesMost}
	}
	part := func(percent int64) int64 { return size / 100 * percent }
	return budget{
		beginAt: part(99), endAt: part(98), holdAt: part(100), floor: part(84) + min(spareBytes, size/40), idsMost: part(10), freeMost: part(3),
		walMost:     min(max(part(4), 128<<10), walMostEver),
		stepBytes:   int(min(max(part(1), 16<<10), removeBytesMost)),
		commitBytes: int(min(max(part(1), 32<<10), commitBytesMost)),
	}
}

const (
	retentionPause = 100 * time.Millisecond // between two passes, under a flood
	measureEvery   = time.Minute
	smallTables    = 16 // pages of what is never more than a page, or an empty table
	mergeSteps     = 8  // of the index, for each step that removes entries
	// Where a reader is in the way of emptying the write-ahead log, that is tried again
	// after so long, and each time after twice as long, up to blockedMost.
	blockedFor  = 2 * time.Millisecond
	blockedMost = 50 * time.Millisecond
)

// usage is what takes the space in the file, in bytes.
type usage struct {
	used    int64 // pages in use
	ids     int64 // of these for removed entries' ids
	stale   int64 // of these for words of removed entries, which the next merge takes
	entries int64 // of these for entries and their words in the index
}

func (r *retention) usage(ctx context.Context) (u usage, err error) {
	all, free, err := r.pages(ctx)
	if err != nil {
		return u, err
	}
	if _, u.ids, err = r.gone.size(ctx); err != nil {
		return u, err
	}
	if now := time.Now(); now.Sub(r.measured) >= measureEvery {
		err := r.conn.QueryRowContext(ctx, `SELECT coalesce(sum(pgsize), 0) FROM dbstat
			WHERE aggregate = 1 AND name IN ('facts', 'facts_until', 'nicks', 'nicks_user', 'markers', 'rooms', 'sqlite_autoindex_rooms_1')`).Scan(&r.others)
		if err != nil {
			return u, err
		}
		r.others += smallTables * r.pageSize
		r.measured = now
	}
	if u.stale, err = staleWords(ctx, r.conn); err != nil {
		return u, err
	}
	u.used, u.stale = (all-free)*r.pageSize, u.stale*r.pageSize
	u.entries = u.used - u.stale - u.ids - r.others
	return u, nil
}

// warnOf says why the log is larger than it should be.
func (r *retention) warnOf(u usage) {
	now := r.s.now()
	if u.used <= r.keep.Bytes || now.Sub(r.warned) < warnEvery {
		return
	}
	r.warned = now
	mb := func(n int64) string { return fmt.Sprintf("%.1f MB", float64(n)/1e6) }
	r.warn(fmt.Sprintf("%s is too little for this server, whose log has %s: the ids of the last day's messages take %s, so that none is posted twice, and nicks, rooms and rules %s",
		r.keep, mb(u.used), mb(u.ids), mb(r.others)))
}

// startWriting takes writing for somebody who adds about so many bytes. Where that is
// more than fits, the oldest entries make room: so posting waits for retention, and the
// log stays within its bound however fast people post.
func (s *SQLite) startWriting(need int) {
	s.writing.Lock()
	if r := s.retention; r != nil && r.keep.Bytes > 0 {
		// A fault here is one of the file: what is written next tells of it.
		_ = r.makeRoom(context.Background(), int64(need))
	}
}

// makeRoom removes entries until so many bytes fit, or a little more than that is free
// again: so a log that is far too large, as one is whose bound was lowered, does not grow,
// and no commit waits until all of it is removed.
func (r *retention) makeRoom(ctx context.Context, need int64) error {
	all, _, err := r.pages(ctx)
	if err != nil || all*r.pageSize+need <= r.beginAt {
		return err
	}
	u, err := r.usage(ctx)
	if err != nil || u.used+need <= r.beginAt {
		return err
	}
	r.wakeUp()
	for had := u.used; u.used+need > r.holdAt && u.used > had-need*5/4; {
		merged := false
		for more, steps := true, 0; more && steps < mergeSteps; steps++ {
			if more, err = mergeWords(ctx, r.conn, mergePages); err != nil {
				return err
			}
			merged = merged || more
			r.trimWAL()
		}
		if u, err = r.usage(ctx); err != nil || u.used+need <= r.holdAt {
			return err
		}
		removed := u.entries > r.floor
		if removed {
			if removed, err = r.remove(ctx, r.s.last+1); err != nil {
				return err
			}
		}
		if !merged && !removed {
			r.warnOf(u)
			return nil
		}
		r.trimWAL()
		if u, err = r.usage(ctx); err != nil {
			return err
		}
	}
	return nil
}

// endWriting gives writing back.
func (s *SQLite) endWriting() {
	if r := s.retention; r != nil && r.keep.Bytes > 0 {
		r.trimWAL()
	}
	s.writing.Unlock()
}

// trimWAL empties the write-ahead log where it is large for a log of this size. A
// reader that is in the way is waited for only shortly. writing is held.
func (r *retention) trimWAL() {
	wal := r.fileSize("log.db-wal")
	if wal <= r.walMost || time.Now().Before(r.blocked) {
		return
	}
	// While the log is far above its bound anyway, that would only take time.
	if wal <= walMostEver && r.fileSize("log.db") > r.keep.Bytes/10*11 {
		return
	}
	if busy, err := checkpoint(context.Background(), r.conn, "TRUNCATE"); err != nil || busy {
		r.wait = min(max(2*r.wait, blockedFor), blockedMost)
		r.blocked = time.Now().Add(r.wait)
		return
	}
	r.wait = 0
}

func (r *retention) fileSize(name string) int64 {
	info, err := os.Stat(filepath.Join(r.s.dir, name))
	if err != nil {
		return 0
	}
	return info.Size()
}

// commitBytes is how many bytes of entries one commit should have.
func (s *SQLite) commitBytes() int {
	s.writing.Lock()
	defer s.writing.Unlock()
	if s.retention == nil {
		return commitBytesMost
	}
	return s.retention.budget.commitBytes
}

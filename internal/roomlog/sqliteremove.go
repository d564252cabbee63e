package roomlog

import (
	"context"
	"database/sql"
	"errors"
	"maps"
	"math"
	"slices"
	"time"

	"lanchat/protocol"
)

// A removed room keeps its row: removed says when, base is the head that it had. Entries
// up to the base are not there for anybody, also where the room was made again, and
// erasing says that some are still in the file.

// Made implements Store.
func (s *SQLite) Made(by Maker) (own, place Made) {
	s.mu.RLock()
	defer s.mu.RUnlock()
	return s.makers.Count(by)
}

// RemoveRoom implements Store.
func (s *SQLite) RemoveRoom(ctx context.Context, name string, how Removal) (entries int, err error) {
	s.mu.RLock()
	room := s.rooms[name]
	var was sqliteRoom
	if room != nil {
		was = *room
	}
	s.mu.RUnlock()
	if room == nil {
		return 0, ErrNoRoom
	}
	// What takes its time comes before the lock. Whatever is posted meanwhile changes
	// the head, and is one entry for each number.
	if how.Spoken {
		if spoken, err := s.hasSpoken(ctx, &was, how.By); err != nil || spoken {
			return 0, errors.Join(err, ErrSpoken)
		}
	}
	if err := s.db.QueryRowContext(ctx, "SELECT count(*) FROM entries WHERE room = ? AND seq > ?", was.id, int64(was.base)).Scan(&entries); err != nil {
		return 0, s.unavailable(err)
	}
	s.writing.Lock()
	defer s.writing.Unlock()
	if s.rooms[name] != room { // only changed under writing
		return 0, ErrNoRoom
	}
	if how.Spoken && room.info.Head != was.info.Head {
		return 0, ErrSpoken
	}
	entries += int(room.info.Head - was.info.Head)
	now := s.now()
	old, err := s.forgettable(now, how.Force)
	if err != nil {
		return 0, err
	}
	err = s.transact(ctx, func(ctx context.Context) error {
		for _, id := range old {
			if _, err := s.w.ExecContext(ctx, "DELETE FROM rooms WHERE id = ?", id); err != nil {
				return err
			}
		}
		if len(old) > 0 {
			if _, err := s.w.ExecContext(ctx, "DELETE FROM markers WHERE room NOT IN (SELECT id FROM rooms)"); err != nil {
				return err
			}
		}
		_, err := s.w.ExecContext(ctx, "UPDATE rooms SET removed = ?, base = head, topic = '', maker = x'', erasing = 1 WHERE id = ?", now.UnixNano(), room.id)
		return err
	})
	if err != nil {
		return 0, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, id := range old {
		delete(s.removed, s.byRoom[id].info.Name)
		delete(s.byRoom, id)
	}
	s.dropRoom(room)
	room = &sqliteRoom{id: room.id, info: RoomInfo{Name: name, Head: room.info.Head}, base: room.info.Head, removed: now.UnixNano()}
	s.removed[name], s.byRoom[room.id] = room, room
	s.erasing[room.id] = struct{}{}
	s.eraser.wakeUp()
	return entries, nil
}

// hasSpoken reports whether somebody but a user has said something in a room.
func (s *SQLite) hasSpoken(ctx context.Context, room *sqliteRoom, but protocol.UserID) (spoken bool, err error) {
	err = s.db.QueryRowContext(ctx, "SELECT EXISTS (SELECT 1 FROM entries WHERE room = ? AND seq > ? AND kind IN ('', 'action') AND flags & ? = 0 AND user <> ?)",
		room.id, int64(room.base), flagGone, but[:]).Scan(&spoken)
	if err != nil {
		return false, s.unavailable(err)
	}
	return spoken, nil
}

// forgettable are the ids of removed rooms that make place for one more. The newest id
// stays, so that none is given twice. writing is held.
func (s *SQLite) forgettable(now time.Time, force bool) (ids []int64, err error) {
	s.mu.RLock()
	defer s.mu.RUnlock()
	if len(s.removed) < s.maxRemoved {
		return nil, nil
	}
	newest := slices.Max(slices.Collect(maps.Keys(s.byRoom)))
	var all []removedRoom
	for name, r := range s.removed {
		if _, erasing := s.erasing[r.id]; r.id != newest && !erasing {
			all = append(all, removedRoom{name, r.info.Head, time.Unix(0, r.removed)})
		}
	}
	old, err := forgettable(all, s.maxRemoved, now, force)
	for _, r := range old {
		ids = append(ids, s.removed[r.name].id)
	}
	return ids, err
}

// dropRoom undoes addRoom. mu is held.
func (s *SQLite) dropRoom(r *sqliteRoom) {
	name := r.info.Name
	delete(s.rooms, name)
	delete(s.byRoom, r.id)
	at, _ := slices.BinarySearch(s.names, name)
	s.names = slices.Delete(s.names, at, at+1)
	dropDirect(s.directs, name)
	s.makers.Add(r.info.Maker, name, -1)
}

// eraser takes the entries of removed rooms out of the file.
type eraser struct {
	behind
	s *SQLite
	remover
}

// eraseAgain is the time until the eraser tries again where the file takes nothing.
const eraseAgain = time.Second

func newEraser(s *SQLite) *eraser { return &eraser{behind: newBehind(), s: s} }

func (x *eraser) begin() error {
	if err := x.open(x.s, neverWaits); err != nil {
		return err
	}
	if err := x.prepare(context.Background(), x.conn); err != nil {
		return errors.Join(err, x.behind.close())
	}
	x.start(x.run)
	x.wakeUp() // what the last process has left
	return nil
}

func (x *eraser) close() error {
	x.stop()
	return errors.Join(x.remover.close(), x.behind.close())
}

func (x *eraser) run(ctx context.Context) {
	for x.woken(ctx) {
		for x.erase(ctx) != nil && rest(ctx, eraseAgain) {
		}
	}
}

// erase erases every room that was removed before the call.
func (x *eraser) erase(ctx context.Context) error {
	x.s.mu.RLock()
	rooms := slices.Sorted(maps.Keys(x.s.erasing))
	x.s.mu.RUnlock()
	for _, id := range rooms {
		if _, err := x.s.repeat(ctx, func(ctx context.Context) (bool, error) { return x.step(ctx, id) }); err != nil {
			return err
		}
	}
	return nil
}

// step erases some of a removed room's entries. writing is held.
func (x *eraser) step(ctx context.Context, room int64) (more bool, err error) {
	ctx = context.WithoutCancel(ctx) // see indexer.step
	x.s.mu.RLock()
	base := x.s.byRoom[room].base
	x.s.mu.RUnlock()
	old, err := oldest(ctx, x.conn, math.MaxInt64, removeBytesMost, "WHERE room = ? AND seq <= ? ORDER BY seq", room, int64(base))
	if err != nil {
		return false, err
	}
	if len(old) == 0 {
		return false, x.done(ctx, room)
	}
	to, now := x.s.goneTo, x.s.now().Unix()
	err = transact(ctx, x.conn, func(ctx context.Context) error {
		to, err = x.remove(ctx, old, to, now)
		return err
	})
	if err != nil {
		return false, err
	}
	x.s.goneTo = to
	return true, nil
}

// done notes that a room was erased. The purger does the rest, as behind a deleted text:
// a place that no entry has says so. writing is held.
func (x *eraser) done(ctx context.Context, room int64) error {
	n := x.s.n + 1
	err := transact(ctx, x.conn, func(ctx context.Context) error {
		if _, err := x.conn.ExecContext(ctx, "UPDATE rooms SET erasing = 0 WHERE id = ?", room); err != nil {
			return err
		}
		return setMeta(ctx, x.conn, metaReplaced, n, x.s.last)
	})
	if err != nil {
		return err
	}
	x.s.n = n
	x.s.mu.Lock()
	delete(x.s.erasing, room)
	x.s.mu.Unlock()
	x.s.purger.wakeUp()
	return nil
}

// remover removes entries from the file, and remembers their ids.
type remover struct {
	gone                   *goneIDs
	unindex, unreact, drop *sql.Stmt
}

func (r *remover) prepare(ctx context.Context, c *sql.Conn) (err error) {
	if r.gone, err = newGoneIDs(ctx, c); err != nil {
		return err
	}
	for _, s := range []struct {
		stmt  **sql.Stmt
		query string
	}{
		{&r.unindex, "DELETE FROM words WHERE rowid = ?"},
		{&r.unreact, "DELETE FROM reactions WHERE target = ?"},
		{&r.drop, "DELETE FROM entries WHERE n = ?"},
	} {
		if *s.stmt, err = c.PrepareContext(ctx, s.query); err != nil {
			return errors.Join(err, r.close())
		}
	}
	return nil
}

func (r *remover) close() error {
	var errs []error
	for _, stmt := range []*sql.Stmt{r.unindex, r.unreact, r.drop} {
		if stmt != nil {
			errs = append(errs, stmt.Close())
		}
	}
	if r.gone != nil {
		errs = append(errs, r.gone.close())
	}
	return errors.Join(errs...)
}

// remove removes entries, in a transaction, at a time in seconds. It returns where the
// times of removed entries' ids end, which was to before.
func (r *remover) remove(ctx context.Context, old []oldEntry, to, now int64) (int64, error) {
	ids := make([]goneID, len(old))
	for i := range old {
		e := &old[i]
		ids[i] = goneID{key: keyOf(e.ID), room: e.room, seq: e.Seq, at: e.At, removed: now, sum: shortSum(e.sum())}
		to = max(to, ids[i].key.ms()+1)
	}
	if err := r.gone.add(ctx, ids); err != nil {
		return to, err
	}
	for _, e := range old {
		if _, err := r.unindex.ExecContext(ctx, e.n); err != nil {
			return to, err
		}
		if e.reacted {
			if _, err := r.unreact.ExecContext(ctx, e.n); err != nil {
				return to, err
			}
		}
		if _, err := r.drop.ExecContext(ctx, e.n); err != nil {
			return to, err
		}
	}
	return to, nil
}

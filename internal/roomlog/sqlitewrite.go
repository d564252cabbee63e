package roomlog

import (
	"bytes"
	"context"
	"crypto/sha256"
	"database/sql"
	"errors"
	"fmt"
	"maps"
	"time"

	"lanchat/protocol"

	sqlite3 "modernc.org/sqlite/lib"
)

// What a row's flags say.
const (
	flagGuest = 1 << iota
	flagBot
	flagEdited
	flagGone
)

// heads are the rooms as they will be when the transaction is committed.
type heads map[string]*sqliteRoom

// Append implements Store: one transaction, durable when it returns.
func (s *SQLite) Append(batch []Record) error {
	need := 0
	for i := range batch {
		need += batch[i].Entry.MaxSize()
	}
	s.startWriting(need)
	defer s.endWriting()
	rooms := heads{}
	n, last := s.n, max(s.last, s.now().UnixNano())
	err := s.transact(context.Background(), func(ctx context.Context) error {
		for i := range batch {
			r := &batch[i]
			r.Entry.Edited, r.Entry.Gone, r.Entry.Rev, r.Entry.Reactions = false, false, 0, nil
			added, err := s.add(ctx, rooms, &r.Entry, r.From, n+1, last+1, 0, false)
			switch {
			case errors.Is(err, ErrIDConflict), errors.Is(err, ErrReactions):
				r.Err = err
			case err != nil:
				return err
			case added:
				n, last = n+1, last+1
			default:
				r.Known = true
			}
		}
		return s.saveHeads(ctx, rooms)
	})
	if err != nil {
		for i := range batch { // nothing of it is kept
			batch[i].Known, batch[i].Err = false, nil
		}
		return err
	}
	s.committed(rooms, n, last)
	return nil
}

// saveHeads writes what a transaction has made of the rooms.
func (s *SQLite) saveHeads(ctx context.Context, rooms heads) error {
	for name, r := range rooms {
		if r.fresh && r.info.Head == r.base { // all that was posted to this new room was refused
			if r.base == 0 {
				if _, err := s.w.ExecContext(ctx, "DELETE FROM rooms WHERE id = ?", r.id); err != nil {
					return err
				}
			}
			delete(rooms, name)
			continue
		}
		if r.fresh {
			if _, err := s.w.ExecContext(ctx, "UPDATE rooms SET maker = ?, removed = 0 WHERE id = ?", r.info.Maker.pack(), r.id); err != nil {
				return err
			}
		}
		if _, err := s.setHead.ExecContext(ctx, int64(r.info.Head), r.info.Topic, r.info.Last, r.id); err != nil {
			return err
		}
	}
	return nil
}

// committed makes known what is in the file now. writing is held.
func (s *SQLite) committed(rooms heads, n, last int64) {
	s.n, s.last = n, last
	s.mu.Lock()
	for name, r := range rooms {
		if known := s.rooms[name]; known != nil {
			known.info = r.info
		} else {
			r.fresh, r.removed = false, 0
			s.addRoom(r)
		}
	}
	s.mu.Unlock()
	s.indexer.wakeUp()
	if s.folder.marked {
		s.folder.marked = false
		s.purger.wakeUp()
	}
}

// transact runs do as one transaction of the writing connection, durable when
// transact returns nil. It is not a sql.Tx, under which prepared statements are
// parsed anew each time. writing is held.
func (s *SQLite) transact(ctx context.Context, do func(ctx context.Context) error) error {
	if s.standby.Load() {
		return s.unavailable(errStandby)
	}
	if err := transact(ctx, s.w, do); err != nil {
		return s.unavailable(err)
	}
	return nil
}

// transact runs do as one transaction of a connection.
func transact(ctx context.Context, c *sql.Conn, do func(ctx context.Context) error) error {
	_, err := c.ExecContext(ctx, "BEGIN IMMEDIATE")
	if err == nil {
		err = do(ctx)
	}
	if err == nil {
		_, err = c.ExecContext(ctx, "COMMIT")
	}
	if err != nil {
		// Some faults have already ended the transaction; then this one fails. It
		// must be tried even when ctx is what has ended: perhaps just as it began.
		_, _ = c.ExecContext(context.WithoutCancel(ctx), "ROLLBACK")
	}
	return err
}

// add adds an entry at place n, unless its id is known; then it gets the known
// one's number and time. Its number is the room's next, but at least seq. An
// imported one may be edited or gone; what it said at first is not known then.
func (s *SQLite) add(ctx context.Context, rooms heads, e *protocol.Entry, from Place, n, at int64, seq uint64, imported bool) (added bool, err error) {
	if msOf(e.ID[:]) < s.goneTo {
		if known, err := s.wasRemoved(ctx, e, imported); known || err != nil {
			return false, err
		}
	}
	r, err := s.roomFor(ctx, rooms, e.Room)
	if err != nil {
		return false, err
	}
	seq = max(seq, r.info.Head+1)
	flags := 0
	if e.Guest {
		flags |= flagGuest
	}
	if e.Bot {
		flags |= flagBot
	}
	if e.Edited {
		flags |= flagEdited
	}
	if e.Gone {
		flags |= flagGone
	}
	text := e.Text
	var about *target
	var aboutSeq, sum any // NULL
	if !e.Target.IsZero() {
		if about, err = s.folder.target(ctx, r.id, e.Target); err != nil {
			return false, err
		}
		if about != nil && about.Seq <= r.base {
			about = nil
		}
		if about != nil {
			aboutSeq = int64(about.Seq)
		}
		if about.isFull(e) {
			if err := s.known(ctx, rooms, e, imported); !errors.Is(err, sql.ErrNoRows) {
				return false, err
			}
			return false, ErrReactions
		}
	}
	if e.Kind == protocol.KindEdit { // the text is its target's
		if text = ""; !imported && (about == nil || !about.Gone) {
			sum = contentSum(e)
		}
	}
	var result sql.Result
	if e.Target.IsZero() && sum == nil {
		result, err = s.insert.ExecContext(ctx, n, r.id, int64(seq), e.ID[:], at, e.User[:], e.Nick, flags, string(e.Kind), text)
	} else {
		result, err = s.insertAbout.ExecContext(ctx, n, r.id, int64(seq), e.ID[:], at, e.User[:], e.Nick, flags, string(e.Kind), text, e.Target[:], aboutSeq, sum)
	}
	if err != nil {
		return false, err
	}
	if count, err := result.RowsAffected(); err != nil || count == 0 {
		if err != nil {
			return false, err
		}
		return false, s.known(ctx, rooms, e, imported)
	}
	if r.fresh && r.info.Head == r.base {
		r.info.Maker = makerOf(e, from)
	}
	if imported && e.Seq != seq {
		e.Purged = nil // the lines' numbers do not hold here; what was deleted is marked so itself
	}
	e.Seq, e.At, e.TargetSeq = seq, at, 0
	r.info.said(e)
	if about != nil {
		e.TargetSeq = about.Seq
	}
	if isFolded(e.Kind) {
		return true, s.folder.fold(ctx, r.id, about, e, n)
	}
	if e.Kind == protocol.KindTopic {
		r.info.Topic = e.Text
	}
	return true, nil
}

// roomFor returns the room as the transaction sees it, making it.
func (s *SQLite) roomFor(ctx context.Context, rooms heads, name string) (*sqliteRoom, error) {
	if r := rooms[name]; r != nil {
		return r, nil
	}
	s.mu.RLock()
	known, removed := s.rooms[name], s.removed[name]
	s.mu.RUnlock()
	if known != nil {
		r := *known
		rooms[name] = &r
		return &r, nil
	}
	if removed != nil {
		r := *removed
		r.fresh = true
		rooms[name] = &r
		return &r, nil
	}
	result, err := s.w.ExecContext(ctx, "INSERT INTO rooms (name, head, topic) VALUES (?, 0, '')", name)
	if err != nil {
		return nil, err
	}
	r := &sqliteRoom{info: RoomInfo{Name: name}, fresh: true}
	if r.id, err = result.LastInsertId(); err != nil {
		return nil, err
	}
	rooms[name] = r
	return r, nil
}

// known gives an entry the number and time of the one that has its id. Lines that
// are imported may be older or newer than what was made of it since: where either
// was changed, their texts are not compared.
func (s *SQLite) known(ctx context.Context, rooms heads, e *protocol.Entry, imported bool) error {
	var room, at int64
	var seq uint64
	var flags int
	var kind, text string
	var about, sum []byte
	if err := s.byID.QueryRowContext(ctx, e.ID[:]).Scan(&room, &seq, &at, &flags, &kind, &text, &about, &sum); err != nil {
		return err
	}
	same := matches(e, flags, protocol.Kind(kind), text, about, sum)
	if imported && string(e.Kind) == kind && sameTarget(e.Target, about) {
		same = same || flags&(flagEdited|flagGone) != 0 || e.Edited || e.Gone || e.Kind == protocol.KindEdit
	}
	if rooms[e.Room].id != room || !same {
		return ErrIDConflict
	}
	e.Seq, e.At = seq, at
	return nil
}

func sameTarget(id protocol.ID, raw []byte) bool {
	return id.IsZero() && len(raw) == 0 || bytes.Equal(id[:], raw)
}

// wasRemoved does the same for an entry that retention has removed.
func (s *SQLite) wasRemoved(ctx context.Context, e *protocol.Entry, imported bool) (bool, error) {
	one, known, err := s.gone.lookup(ctx, e.ID)
	if err != nil || !known {
		return false, err
	}
	s.mu.RLock()
	r := s.byRoom[one.room]
	s.mu.RUnlock()
	same := one.sum == 0 || one.sum == shortSum(contentSum(e)) || imported && (e.Edited || e.Gone || e.Kind == protocol.KindEdit)
	if r == nil || r.info.Name != e.Room || !same {
		return true, ErrIDConflict
	}
	e.Seq, e.At = one.seq, one.at
	return true, nil
}

// contentSum stands for what an entry says, once the entry itself says something
// else or was removed.
func contentSum(e *protocol.Entry) []byte {
	h := sha256.New()
	fmt.Fprintf(h, "%s\x00%x\x00%s", e.Kind, e.Target[:], e.Text)
	return h.Sum(nil)[:16]
}

// unavailable wraps a fault of the file, with what its operator can do.
func (s *SQLite) unavailable(err error) error {
	advice := ""
	switch sqliteCode(err) {
	case sqlite3.SQLITE_FULL:
		advice = "the disk is full: make space where " + s.dir + " is; posting goes on by itself then"
	case sqlite3.SQLITE_READONLY, sqlite3.SQLITE_PERM, sqlite3.SQLITE_CANTOPEN:
		advice = "the files in " + s.dir + " cannot be written: check their permissions and the mount"
	case sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB:
		advice = "the file in " + s.dir + " is damaged: stop the server and put back a copy"
	case sqlite3.SQLITE_IOERR:
		advice = "reading or writing " + s.dir + " failed: look at the disk, and whether it is full"
	}
	if errors.Is(err, errStandby) {
		advice = "the disk is full: make space where " + s.dir + " is; posting goes on by itself then"
	}
	if advice == "" {
		return fmt.Errorf("%w: %w", ErrUnavailable, err)
	}
	return fmt.Errorf("%w: %s (%w)", ErrUnavailable, advice, err)
}

// Marker implements Store.
func (s *SQLite) Marker(user protocol.UserID, room string) uint64 {
	s.mu.RLock()
	seq, dirty := s.markers[markerKey{user, room}]
	r := s.rooms[room]
	s.mu.RUnlock()
	if dirty || r == nil {
		return seq
	}
	// A marker that cannot be read counts as none: it is a convenience.
	_ = s.db.QueryRow("SELECT seq FROM markers WHERE user = ? AND room = ?", user[:], r.id).Scan(&seq)
	return seq
}

// markerFlush is how long a moved marker may be in memory alone.
const markerFlush = 2 * time.Second

// SetMarker implements Store. A marker is written within seconds, not at once:
// a crash may lose its last moves.
func (s *SQLite) SetMarker(user protocol.UserID, room string, seq uint64) (bool, error) {
	if seq <= s.Marker(user, room) {
		return false, nil
	}
	s.mu.Lock()
	key := markerKey{user, room}
	if seq <= s.markers[key] {
		s.mu.Unlock()
		return false, nil
	}
	s.markers[key] = seq
	full := len(s.markers) >= memoryMarkers
	s.mu.Unlock()
	s.indexer.wakeUp()
	if full {
		s.writing.Lock()
		defer s.writing.Unlock()
		return true, s.writeMarkers(context.Background())
	}
	return true, nil
}

func (s *SQLite) hasMarkers() bool {
	s.mu.RLock()
	defer s.mu.RUnlock()
	return len(s.markers) > 0
}

// writeMarkers writes the moved markers. writing is held.
func (s *SQLite) writeMarkers(ctx context.Context) error {
	s.mu.RLock()
	moved := maps.Clone(s.markers)
	ids := make(map[string]int64, len(moved))
	for key := range moved {
		if r := s.rooms[key.room]; r != nil {
			ids[key.room] = r.id
		}
	}
	s.mu.RUnlock()
	if len(moved) == 0 {
		return nil
	}
	err := s.transact(ctx, func(ctx context.Context) error {
		for key, seq := range moved {
			id, ok := ids[key.room]
			if !ok {
				continue
			}
			if _, err := s.w.ExecContext(ctx, "INSERT INTO markers (user, room, seq) VALUES (?,?,?) ON CONFLICT DO UPDATE SET seq = excluded.seq", key.user[:], id, int64(seq)); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	for key, seq := range moved {
		if s.markers[key] == seq {
			delete(s.markers, key)
		}
	}
	return nil
}

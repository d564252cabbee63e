package roomlog

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"sort"
	"sync"
	"sync/atomic"
	"time"

	"lanchat/protocol"

	"modernc.org/sqlite"
	sqlite3 "modernc.org/sqlite/lib"
)

// SQLite is a Store in one file, log.db in a directory.
//
// One connection writes, guarded by writing; readers have others, so that
// reading never holds up posting. What is asked for with every message, the
// rooms and their heads, is in memory too.
type SQLite struct {
	dir   string
	epoch protocol.ID
	lock  *sql.DB // holds lock.db locked as long as the log is open
	db    *sql.DB // for readers
	read  *readerConns
	now   func() time.Time

	standby  atomic.Bool  // nothing can be written: see standBy
	standing *behind      // ends that; nil where the log did not stand by
	retain   func() error // what Retain asked for meanwhile; guarded by writing

	writing sync.Mutex
	w       *sql.Conn
	wdb     *sql.DB
	insert  *sql.Stmt // what is about no other entry; fewer columns are faster
	// insertAbout inserts what is about another one.
	insertAbout *sql.Stmt
	setHead     *sql.Stmt
	byID        *sql.Stmt
	gone        *goneIDs
	nickOwner   atomic.Pointer[sql.Stmt] // of the readers; nil: not yet asked for
	nicksOf     atomic.Pointer[sql.Stmt]
	bound       nickCache
	nickKeys    int64 // at most so many are in the file; 0: not counted. Guarded by writing
	folder      *folder
	last        int64 // the newest entry's time; guarded by writing
	n           int64 // its place; guarded by writing
	facts       int   // how many there are, those that are over included; guarded by writing
	// goneTo is where the times of removed entries' ids end, zero when there are
	// none: a post with a later one need not be looked for there. Guarded by writing.
	goneTo int64

	mu         sync.RWMutex
	rooms      map[string]*sqliteRoom
	byRoom     map[int64]*sqliteRoom
	names      []string
	directs    map[protocol.UserID][]string
	removed    map[string]*sqliteRoom
	erasing    map[int64]struct{} // removed rooms of which entries are in the file
	maxRemoved int
	makers     Makers
	markers    map[markerKey]uint64 // moved, and not yet written

	indexer   *indexer
	purger    *purger
	eraser    *eraser
	retention *retention // nil until Retain; guarded by writing
}

type sqliteRoom struct {
	id      int64
	info    RoomInfo
	base    uint64 // entries up to here were removed with the room
	removed int64  // when that was, in nanoseconds; 0: it is there
	fresh   bool   // the transaction under way makes the room
}

// ErrLocked says that another process has the log open.
var ErrLocked = errors.New("another process is using this log")

// readers is how many connections read at once.
const readers = 4

// OpenSQLite opens the log in dir, which it makes if there is none.
func OpenSQLite(dir string) (*SQLite, error) {
	s, err := openSQLite(dir)
	if err == nil {
		return s, nil
	}
	switch sqliteCode(err) {
	case sqlite3.SQLITE_NOTADB, sqlite3.SQLITE_CORRUPT:
		err = fmt.Errorf("%w: the file is damaged. Nothing was changed. Put back a copy, or move the file away to begin a new log", err)
	case sqlite3.SQLITE_CANTOPEN, sqlite3.SQLITE_READONLY, sqlite3.SQLITE_PERM:
		err = fmt.Errorf("%w: the directory and the files in it cannot be written: check their permissions, and whether the disk is mounted read-only", err)
	}
	return nil, fmt.Errorf("opening the log %s: %w", filepath.Join(dir, "log.db"), err)
}

func openSQLite(dir string) (_ *SQLite, err error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, err
	}
	s := &SQLite{dir: dir, now: time.Now, maxRemoved: MaxRemoved, markers: map[markerKey]uint64{}}
	s.indexer, s.purger, s.eraser = newIndexer(s), newPurger(s), newEraser(s)
	defer func() {
		if err != nil {
			s.closeFiles()
		}
	}()
	if err := s.takeLock(); err != nil {
		return nil, err
	}
	err = s.openAll()
	if isDiskFull(dir, err) && s.useReserve() {
		err = s.openAll()
	}
	if isDiskFull(dir, err) {
		err = s.standBy()
	}
	if err != nil {
		return nil, err
	}
	return s, nil
}

// openAll opens the log to be read and written.
func (s *SQLite) openAll() (err error) {
	ctx := context.Background()
	defer func() {
		if err != nil {
			_ = s.closeWriter()
			_ = s.closeReaders()
		}
	}()
	if err := s.openWriter(ctx); err != nil {
		return err
	}
	s.openReaders(false)
	if err := s.load(ctx, s.w); err != nil {
		return err
	}
	return s.startWorkers()
}

// openWriter opens the connection that writes, and migrates the log.
func (s *SQLite) openWriter(ctx context.Context) (err error) {
	// auto_vacuum comes first: it can only be chosen for an empty file.
	pragmas := "_pragma=auto_vacuum(INCREMENTAL)&_pragma=journal_mode(WAL)&_pragma=synchronous(FULL)&_pragma=secure_delete(ON)&_pragma=busy_timeout(10000)&_pragma=journal_size_limit(67108864)"
	if s.wdb, err = sql.Open("sqlite", dsn(s.dir, "log.db", pragmas+"&_txlock=immediate")); err != nil {
		return err
	}
	s.wdb.SetMaxOpenConns(1)
	if s.w, err = s.wdb.Conn(ctx); err != nil {
		return err
	}
	if err := migrate(ctx, s.w); err != nil {
		return err
	}
	if s.insert, err = s.w.PrepareContext(ctx, `INSERT INTO entries (n, room, seq, id, at, user, nick, flags, kind, text)
		VALUES (?,?,?,?,?,?,?,?,?,?) ON CONFLICT (id) DO NOTHING`); err != nil {
		return err
	}
	if s.insertAbout, err = s.w.PrepareContext(ctx, `INSERT INTO entries (n, room, seq, id, at, user, nick, flags, kind, text, target, target_seq, sum)
		VALUES (?,?,?,?,?,?,?,?,?,?,?,?,?) ON CONFLICT (id) DO NOTHING`); err != nil {
		return err
	}
	if s.folder, err = newFolder(ctx, s.w); err != nil {
		return err
	}
	if s.setHead, err = s.w.PrepareContext(ctx, "UPDATE rooms SET head = ?, topic = ?, last = ? WHERE id = ?"); err != nil {
		return err
	}
	if s.byID, err = s.w.PrepareContext(ctx, "SELECT room, seq, at, flags, kind, text, target, sum FROM entries WHERE id = ?"); err != nil {
		return err
	}
	if s.gone, err = newGoneIDs(ctx, s.w); err != nil {
		return err
	}
	return nil
}

// startWorkers starts what works beside the commits.
func (s *SQLite) startWorkers() (err error) {
	if err = s.indexer.begin(); err != nil {
		return err
	}
	if err = s.purger.begin(); err != nil {
		return errors.Join(err, s.indexer.close())
	}
	if err = s.eraser.begin(); err != nil {
		return errors.Join(err, s.purger.close(), s.indexer.close())
	}
	return nil
}

func dsn(dir, file, options string) string {
	u := url.URL{Scheme: "file", Opaque: (&url.URL{Path: filepath.ToSlash(filepath.Join(dir, file))}).EscapedPath(), RawQuery: options}
	return u.String()
}

// takeLock keeps other processes off: a transaction on a file of its own that
// is never committed, and for which nothing is written. The system drops it with the
// process, however that ends.
func (s *SQLite) takeLock() (err error) {
	if s.lock, err = sql.Open("sqlite", dsn(s.dir, "lock.db", "_pragma=busy_timeout(0)&_pragma=journal_mode(MEMORY)")); err != nil {
		return err
	}
	s.lock.SetMaxOpenConns(1)
	_, err = s.lock.Exec("BEGIN EXCLUSIVE")
	if sqliteCode(err) == sqlite3.SQLITE_BUSY {
		return fmt.Errorf("%w; stop it, or give this one another --data directory", ErrLocked)
	}
	return err
}

func (s *SQLite) load(ctx context.Context, c *sql.Conn) error {
	s.rooms, s.byRoom, s.removed = map[string]*sqliteRoom{}, map[int64]*sqliteRoom{}, map[string]*sqliteRoom{}
	s.names, s.directs, s.erasing = nil, map[protocol.UserID][]string{}, map[int64]struct{}{}
	s.makers = Makers{}
	var raw []byte
	err := c.QueryRowContext(ctx, "SELECT value FROM meta WHERE name = 'epoch'").Scan(&raw)
	if errors.Is(err, sql.ErrNoRows) {
		s.epoch = protocol.NewID()
		_, err = c.ExecContext(ctx, "INSERT INTO meta (name, value) VALUES ('epoch', ?)", s.epoch[:])
	} else if len(raw) == len(s.epoch) {
		s.epoch = protocol.ID(raw)
	}
	if err != nil {
		return err
	}
	if err := c.QueryRowContext(ctx, "SELECT coalesce(max(n), 0), coalesce((SELECT at FROM entries ORDER BY n DESC LIMIT 1), 0) FROM entries").Scan(&s.n, &s.last); err != nil {
		return err
	}
	// Where the newest entries were removed too, places and times go on behind
	// them all the same.
	for _, name := range []string{metaRemoved, metaReplaced} {
		n, last, err := meta(ctx, c, name)
		if err != nil {
			return err
		}
		s.n, s.last = max(s.n, n), max(s.last, last)
	}
	gone, err := newGoneIDs(ctx, c)
	if err != nil {
		return err
	}
	s.goneTo, err = gone.newest(ctx)
	if err := errors.Join(err, gone.close()); err != nil {
		return err
	}
	if err := c.QueryRowContext(ctx, "SELECT count(*) FROM facts").Scan(&s.facts); err != nil {
		return err
	}
	rows, err := c.QueryContext(ctx, "SELECT id, name, head, topic, last, maker, removed, base, erasing FROM rooms")
	if err != nil {
		return err
	}
	defer rows.Close()
	for rows.Next() {
		r := &sqliteRoom{}
		var maker []byte
		var erasing bool
		if err := rows.Scan(&r.id, &r.info.Name, &r.info.Head, &r.info.Topic, &r.info.Last, &maker, &r.removed, &r.base, &erasing); err != nil {
			return err
		}
		r.info.Maker = unpackMaker(maker)
		if erasing {
			s.erasing[r.id] = struct{}{}
		}
		if r.removed != 0 {
			s.removed[r.info.Name], s.byRoom[r.id] = r, r
			continue
		}
		s.addRoom(r)
	}
	return rows.Err()
}

func (s *SQLite) addRoom(r *sqliteRoom) {
	name := r.info.Name
	s.rooms[name], s.byRoom[r.id] = r, r
	delete(s.removed, name)
	s.makers.Add(r.info.Maker, name, +1)
	at, _ := slices.BinarySearch(s.names, name)
	s.names = slices.Insert(s.names, at, name)
	if a, b, ok := protocol.ParseDirectRoom(name); ok {
		s.directs[a] = append(s.directs[a], name)
		s.directs[b] = append(s.directs[b], name)
	}
}

// Close writes what is still in memory and closes the files.
func (s *SQLite) Close() error {
	if s.standing != nil {
		s.standing.stop()
	}
	s.writing.Lock()
	r := s.retention
	s.retention = nil
	s.writing.Unlock()
	var stopped error
	if r != nil {
		stopped = r.close()
	}
	stopped = errors.Join(stopped, s.eraser.close(), s.purger.close(), s.indexer.close())
	s.writing.Lock()
	defer s.writing.Unlock()
	written := s.writeMarkers(context.Background())
	if s.standby.Load() || isDiskFull(s.dir, written) {
		written = nil // markers are a convenience, and there is nowhere to write them
	}
	return errors.Join(stopped, written, s.closeFiles())
}

func (s *SQLite) closeFiles() error {
	errs := []error{s.closeReaders(), s.closeWriter()}
	if s.lock != nil {
		errs = append(errs, s.lock.Close())
	}
	return errors.Join(errs...)
}

func (s *SQLite) closeReaders() error {
	var errs []error
	for _, stmt := range []*sql.Stmt{s.nickOwner.Swap(nil), s.nicksOf.Swap(nil)} {
		if stmt != nil {
			errs = append(errs, stmt.Close())
		}
	}
	if s.db != nil {
		errs = append(errs, s.db.Close())
	}
	s.db = nil
	return errors.Join(errs...)
}

func (s *SQLite) closeWriter() error {
	var errs []error
	for _, stmt := range []*sql.Stmt{s.insert, s.insertAbout, s.setHead, s.byID} {
		if stmt != nil {
			errs = append(errs, stmt.Close())
		}
	}
	if s.folder != nil {
		errs = append(errs, s.folder.close())
	}
	if s.gone != nil {
		errs = append(errs, s.gone.close())
	}
	if s.w != nil {
		errs = append(errs, s.w.Close())
	}
	if s.wdb != nil {
		errs = append(errs, s.wdb.Close())
	}
	s.insert, s.insertAbout, s.setHead, s.byID, s.folder, s.gone, s.w, s.wdb = nil, nil, nil, nil, nil, nil, nil, nil
	return errors.Join(errs...)
}

func sqliteCode(err error) int {
	if e, ok := errors.AsType[*sqlite.Error](err); ok {
		return e.Code() & 0xff // without the extended part
	}
	return 0
}

// Epoch implements Store.
func (s *SQLite) Epoch() protocol.ID { return s.epoch }

// Room implements Store.
func (s *SQLite) Room(name string) (RoomInfo, bool) {
	s.mu.RLock()
	defer s.mu.RUnlock()
	if r := s.rooms[name]; r != nil {
		return r.info, true
	}
	info := RoomInfo{Name: name}
	if r := s.removed[name]; r != nil {
		info.Head = r.info.Head
	}
	return info, false
}

// Rooms implements Store.
func (s *SQLite) Rooms(after string, limit int) []RoomInfo {
	s.mu.RLock()
	defer s.mu.RUnlock()
	at := sort.Search(len(s.names), func(i int) bool { return s.names[i] > after })
	var out []RoomInfo
	for _, name := range s.names[at:min(at+limit, len(s.names))] {
		out = append(out, s.rooms[name].info)
	}
	return out
}

// RoomCount implements Store.
func (s *SQLite) RoomCount() (rooms, directs int) {
	s.mu.RLock()
	defer s.mu.RUnlock()
	directs = countDirects(s.names)
	return len(s.names) - directs, directs
}

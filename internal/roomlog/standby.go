package roomlog

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"fmt"
	"sync"
	"time"

	"lanchat/internal/diskspace"

	sqlite3 "modernc.org/sqlite/lib"
)

// A log that was closed takes some space to be opened for writing: SQLite makes an index
// of its write-ahead log, and a log of an older version is migrated. On a disk that is full
// to the last byte the log stands by instead: one connection reads it, alone, with that
// index in memory, inside a transaction that is never committed and holds what migrations
// change and the index lacks. Once there is space the log is opened as usual, and nobody who reads notices.

const (
	// fullDisk is the space below which a fault of the file is the full disk's.
	fullDisk = 1 << 20
	// standbyPause is the time until the space is looked at again. It doubles, up to
	// standbyMost, where opening fails in spite of it.
	standbyPause = time.Second
	standbyMost  = time.Minute
)

// errStandby is why nothing is written meanwhile.
var errStandby = errors.New("the log was opened on a full disk, to be read")

// isDiskFull reports whether err comes of there being no space left in dir.
func isDiskFull(dir string, err error) bool {
	switch sqliteCode(err) {
	case sqlite3.SQLITE_FULL:
		return true
	case sqlite3.SQLITE_IOERR, sqlite3.SQLITE_CANTOPEN:
		space, err := diskspace.Of(dir)
		return err == nil && space.Free < fullDisk
	}
	return false
}

// readerConns makes the connections that read.
type readerConns struct {
	dir    string
	driver driver.Driver
	// gate is held while a connection is made, and locked while there must be none.
	gate    sync.RWMutex
	standby bool
}

// Driver implements driver.Connector.
func (r *readerConns) Driver() driver.Driver { return r.driver }

// Connect implements driver.Connector.
func (r *readerConns) Connect(ctx context.Context) (driver.Conn, error) {
	r.gate.RLock()
	defer r.gate.RUnlock()
	if !r.standby {
		return r.driver.Open(dsn(r.dir, "log.db", "_pragma=query_only(ON)&_pragma=busy_timeout(10000)"))
	}
	opened, err := r.driver.Open(dsn(r.dir, "log.db", "_pragma=locking_mode(EXCLUSIVE)&_pragma=busy_timeout(10000)&_pragma=temp_store(MEMORY)&_pragma=cache_spill(OFF)"))
	if err != nil {
		return nil, err
	}
	c, ok := opened.(sqliteConn)
	if !ok {
		return nil, errors.Join(fmt.Errorf("the driver of SQLite has connections of another kind: %T", opened), opened.Close())
	}
	if err := migrateInMemory(ctx, c); err != nil {
		return nil, errors.Join(err, c.Close())
	}
	return c, nil
}

// sqliteConn is what the driver's connections can do.
type sqliteConn interface {
	driver.Conn
	driver.ConnBeginTx
	driver.ConnPrepareContext
	driver.ExecerContext
	driver.QueryerContext
}

// migrateInMemory has a connection see the log as it would be after the migrations, with
// all of it indexed.
func migrateInMemory(ctx context.Context, c sqliteConn) error {
	db := sql.OpenDB(lender{c})
	defer db.Close()
	one, err := db.Conn(ctx)
	if err != nil {
		return err
	}
	defer one.Close()
	if _, err := one.ExecContext(ctx, "BEGIN IMMEDIATE"); err != nil {
		return err
	}
	var version int
	if err := one.QueryRowContext(ctx, "PRAGMA user_version").Scan(&version); err != nil {
		return err
	}
	if version == 0 {
		return errors.New("there is no log yet, and no space to make one")
	}
	if version > len(migrations) {
		return errNewer(version)
	}
	for ; version < len(migrations); version++ {
		if err := migrations[version](ctx, one); err != nil {
			return fmt.Errorf("bringing the log from version %d to %d: %w", version, version+1, err)
		}
	}
	if err := indexAll(ctx, one); err != nil {
		return err
	}
	_, err = one.ExecContext(ctx, "PRAGMA query_only = ON")
	return err
}

// indexAll completes the index, in a transaction that is under way.
func indexAll(ctx context.Context, c *sql.Conn) error {
	s := &SQLite{byRoom: map[int64]*sqliteRoom{}} // which knows the rooms' names
	rows, err := c.QueryContext(ctx, "SELECT id, name FROM rooms")
	if err != nil {
		return err
	}
	defer rows.Close()
	for rows.Next() {
		r := &sqliteRoom{}
		if err := rows.Scan(&r.id, &r.info.Name); err != nil {
			return err
		}
		s.byRoom[r.id] = r
	}
	if err := rows.Err(); err != nil {
		return err
	}
	return newIndexer(s).indexInMemory(ctx, c)
}

// lender lends one connection to a sql.DB, which does not close it.
type lender struct{ c sqliteConn }

func (l lender) Connect(context.Context) (driver.Conn, error) { return lent{l.c}, nil }
func (l lender) Driver() driver.Driver                        { return nil }

type lent struct{ sqliteConn }

func (lent) Close() error { return nil }

// standBy opens the log to be read, until there is space.
func (s *SQLite) standBy() error {
	ctx := context.Background()
	s.openReaders(true)
	c, err := s.db.Conn(ctx)
	if err != nil {
		return err
	}
	err = s.load(ctx, c)
	if err := errors.Join(err, c.Close()); err != nil {
		return err
	}
	s.standby.Store(true)
	s.standing = &behind{}
	s.standing.start(s.awaitSpace)
	return nil
}

// openReaders makes the connections that read; in standby there is one.
func (s *SQLite) openReaders(standby bool) {
	s.read = &readerConns{dir: s.dir, driver: s.lock.Driver(), standby: standby}
	s.db = sql.OpenDB(s.read)
	s.setReaders(standby)
}

func (s *SQLite) setReaders(standby bool) {
	n := readers
	if standby {
		n = 1
	}
	s.db.SetMaxOpenConns(n)
	s.db.SetMaxIdleConns(n)
}

// awaitSpace opens the log for writing when there is space, or ctx ends.
func (s *SQLite) awaitSpace(ctx context.Context) {
	for pause := standbyPause; rest(ctx, pause); {
		if space, err := diskspace.Of(s.dir); err == nil && space.Free < fullDisk {
			continue
		}
		if retain, err := s.resume(ctx); err == nil {
			if retain != nil {
				_ = retain() // a fault here is one of the file, and posting tells of it
			}
			return
		}
		pause = min(2*pause, standbyMost)
	}
}

// resume ends the standby. It returns what is to be called then, if anything.
func (s *SQLite) resume(ctx context.Context) (retain func() error, err error) {
	s.writing.Lock()
	defer s.writing.Unlock()
	if err := s.reopen(ctx); err != nil {
		return nil, err
	}
	s.standby.Store(false)
	return s.retain, nil
}

// reopen takes the log from the one connection that reads it, and opens it as usual. No
// other is made meanwhile: who reads waits. writing is held.
func (s *SQLite) reopen(ctx context.Context) error {
	c, err := s.db.Conn(ctx)
	if err != nil {
		return err
	}
	s.read.gate.Lock()
	defer s.read.gate.Unlock()
	_ = c.Raw(func(any) error { return driver.ErrBadConn }) // it is closed then
	if err := s.openWriter(context.WithoutCancel(ctx)); err != nil {
		return errors.Join(err, s.closeWriter())
	}
	if err := s.startWorkers(); err != nil {
		return errors.Join(err, s.closeWriter())
	}
	s.read.standby = false
	s.setReaders(false)
	return nil
}

package roomlog

import (
	"bufio"
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"

	"lanchat/protocol"
)

// SQLiteReader reads a log's file beside the process that writes it, without
// its lock and without ever holding it up. One goroutine at a time may use it.
type SQLiteReader struct {
	dir string
	db  *sql.DB
}

// Errors of a SQLiteReader, to be compared with errors.Is.
var (
	// ErrNoLog says that a directory has no log.
	ErrNoLog = errors.New("there is no log here")
	// ErrNoRoom says that a log has no such room.
	ErrNoRoom = errors.New("there is no such room in the log")
)

// OpenSQLiteReader opens the log in dir for reading.
func OpenSQLiteReader(dir string) (*SQLiteReader, error) {
	file := filepath.Join(dir, "log.db")
	if _, err := os.Stat(file); errors.Is(err, os.ErrNotExist) {
		return nil, fmt.Errorf("%w: %s", ErrNoLog, file)
	}
	// Not mode=ro: where a server was killed, a reader too has to go through the
	// write-ahead log that was left.
	db, err := sql.Open("sqlite", dsn(dir, "log.db", "mode=rw&_pragma=query_only(ON)&_pragma=busy_timeout(10000)"))
	if err != nil {
		return nil, err
	}
	db.SetMaxOpenConns(1)
	r := &SQLiteReader{dir: dir, db: db}
	var version int
	if err := db.QueryRow("PRAGMA user_version").Scan(&version); err != nil {
		return nil, errors.Join(r.failed(err), db.Close())
	}
	switch {
	case version == 0:
		err = fmt.Errorf("%w: %s is empty", ErrNoLog, file)
	case version > len(migrations):
		err = errNewer(version)
	case version < len(migrations):
		err = fmt.Errorf("the log has version %d, and this program reads %d: start its server once with this program, or use the one that wrote it", version, len(migrations))
	}
	if err != nil {
		return nil, errors.Join(err, db.Close())
	}
	return r, nil
}

func (r *SQLiteReader) failed(err error) error {
	return fmt.Errorf("reading the log in %s: %w", r.dir, err)
}

// Close closes the file.
func (r *SQLiteReader) Close() error { return r.db.Close() }

// Selection says what to export: the entries of Room or, without one, of all
// rooms. Direct talks are private, and only exported with Direct.
type Selection struct {
	Room   string
	Direct bool
}

// Check reports why nothing can be exported so.
func (s Selection) Check() error {
	if s.Room == "" {
		return nil
	}
	if err := protocol.ValidRoom(s.Room); err != nil {
		return err
	}
	if isDirect(s.Room) && !s.Direct {
		return errors.New("this is a direct talk, which is private; ask for direct talks as well")
	}
	return nil
}

func isDirect(room string) bool {
	_, _, direct := protocol.ParseDirectRoom(room)
	return direct
}

// Export writes entries as JSON lines, in the order in which they were said. It
// is the log of one moment, whatever is posted meanwhile; as long as it runs, the
// log's write-ahead file cannot be emptied and grows.
func (r *SQLiteReader) Export(ctx context.Context, w io.Writer, what Selection) (err error) {
	if err := what.Check(); err != nil {
		return err
	}
	c, err := r.db.Conn(ctx)
	if err != nil {
		return r.failed(err)
	}
	defer c.Close()
	if _, err := c.ExecContext(ctx, "BEGIN"); err != nil {
		return r.failed(err)
	}
	defer c.ExecContext(context.WithoutCancel(ctx), "ROLLBACK")
	names, bases, err := roomNames(ctx, c, "SELECT id, name, base FROM rooms WHERE removed = 0")
	if err != nil {
		return r.failed(err)
	}
	query, args := "SELECT "+entryColumns+" FROM entries e"+withTarget+"ORDER BY e.n", []any(nil)
	if what.Room != "" {
		var id int64
		for i, name := range names {
			if name == what.Room {
				id = i
			}
		}
		if id == 0 {
			return fmt.Errorf("%w: %s", ErrNoRoom, what.Room)
		}
		query, args = "SELECT "+entryColumns+" FROM entries e"+withTarget+"WHERE e.room = ? ORDER BY e.seq", []any{id}
	}
	rows, err := c.QueryContext(ctx, query, args...)
	if err != nil {
		return r.failed(err)
	}
	defer rows.Close()
	out := bufio.NewWriterSize(w, 1<<16)
	for rows.Next() {
		e, id, err := scanEntry(rows)
		if err != nil {
			return r.failed(err)
		}
		e.Room = names[id]
		if e.Room == "" || e.Seq <= bases[id] { // removed with its room
			continue
		}
		if !what.Direct && isDirect(e.Room) {
			continue
		}
		if err := writeLine(out, &e); err != nil {
			return err
		}
	}
	if err := rows.Err(); err != nil {
		return r.failed(err)
	}
	return out.Flush()
}

// roomNames names the rooms, and says up to which entry each was removed before.
func roomNames(ctx context.Context, c *sql.Conn, query string) (names map[int64]string, bases map[int64]uint64, err error) {
	rows, err := c.QueryContext(ctx, query)
	if err != nil {
		return nil, nil, err
	}
	defer rows.Close()
	names, bases = map[int64]string{}, map[int64]uint64{}
	for rows.Next() {
		var id int64
		var name string
		var base uint64
		if err := rows.Scan(&id, &name, &base); err != nil {
			return nil, nil, err
		}
		names[id], bases[id] = name, base
	}
	return names, bases, rows.Err()
}

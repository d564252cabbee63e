package roomlog

import (
	"context"
	"database/sql"
	"errors"
	"fmt"

	"lanchat/protocol"
)

// Logs of version 2 hold edits, deletes and reactions as they were posted, and
// their targets as they were at first.
const foldColumns = `
	ALTER TABLE entries ADD COLUMN target_seq INTEGER; -- of the entry that this one is about; NULL where there was none
	ALTER TABLE entries ADD COLUMN rev INTEGER NOT NULL DEFAULT 0; -- the newest entry that is folded into this one
	ALTER TABLE entries ADD COLUMN sum BLOB; -- of what was posted, where the row has not got it any more
	ALTER TABLE entries ADD COLUMN reactions BLOB; -- see packReactions
	CREATE INDEX entries_edits ON entries (room, target_seq) WHERE kind = 'edit';
	CREATE TABLE reactions (target INTEGER NOT NULL, text TEXT NOT NULL, user BLOB NOT NULL, n INTEGER NOT NULL, PRIMARY KEY (target, text, user)) WITHOUT ROWID, STRICT;
	CREATE INDEX reactions_order ON reactions (target, text, n);
	UPDATE entries SET target_seq = (SELECT t.seq FROM entries t WHERE t.id = entries.target AND t.room = entries.room AND t.n < entries.n) WHERE target IS NOT NULL;`

// foldAll makes the columns and folds what there is.
func foldAll(ctx context.Context, c *sql.Conn) (err error) {
	if _, err := c.ExecContext(ctx, foldColumns); err != nil {
		return err
	}
	f, err := newFolder(ctx, c)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, f.close()) }()
	for last, more := int64(0), true; more && err == nil; {
		last, more, err = foldSome(ctx, c, f, last)
	}
	if err != nil {
		return err
	}
	return reindexFolded(ctx, c)
}

// foldSome folds the next entries behind a place.
func foldSome(ctx context.Context, c *sql.Conn, f *folder, last int64) (int64, bool, error) {
	const some = 1000
	type old struct {
		n, room int64
		protocol.Entry
	}
	rows, err := c.QueryContext(ctx, `SELECT n, room, seq, at, user, kind, text, target FROM entries
		WHERE n > ? AND kind IN ('edit', 'delete', 'reaction') ORDER BY n LIMIT ?`, last, some)
	if err != nil {
		return 0, false, err
	}
	defer rows.Close()
	var batch []old
	for rows.Next() {
		var e old
		var user, about []byte
		if err := rows.Scan(&e.n, &e.room, &e.Seq, &e.At, &user, (*string)(&e.Kind), &e.Text, &about); err != nil {
			return 0, false, err
		}
		copy(e.User[:], user)
		copy(e.Target[:], about)
		batch = append(batch, e)
	}
	if err := errors.Join(rows.Err(), rows.Close()); err != nil {
		return 0, false, err
	}
	for i := range batch {
		e := &batch[i]
		if e.Kind == protocol.KindEdit {
			if _, err := c.ExecContext(ctx, "UPDATE entries SET text = '', sum = ? WHERE n = ?", contentSum(&e.Entry), e.n); err != nil {
				return 0, false, err
			}
		}
		t, err := f.target(ctx, e.room, e.Target)
		if err != nil {
			return 0, false, err
		}
		if t != nil && t.n > e.n {
			t = nil // it was not there yet
		}
		if err := f.fold(ctx, e.room, t, &e.Entry, e.n); err != nil {
			return 0, false, err
		}
		last = e.n
	}
	return last, len(batch) == some, nil
}

// reindexFolded brings the index up to what the entries say now; those that the
// index has not come to yet are indexed as they are.
func reindexFolded(ctx context.Context, c *sql.Conn) error {
	names, _, err := roomNames(ctx, c, "SELECT id, name, 0 FROM rooms")
	if err != nil {
		return err
	}
	var indexed int64
	if err := c.QueryRowContext(ctx, indexedTo).Scan(&indexed); err != nil {
		return err
	}
	rows, err := c.QueryContext(ctx, "SELECT n FROM entries WHERE flags & ? <> 0 AND n <= ?", flagEdited|flagGone, indexed)
	if err != nil {
		return err
	}
	defer rows.Close()
	var changed []int64
	for rows.Next() {
		var n int64
		if err := rows.Scan(&n); err != nil {
			return err
		}
		changed = append(changed, n)
	}
	if err := errors.Join(rows.Err(), rows.Close()); err != nil {
		return err
	}
	for _, n := range changed {
		var room int64
		var nick, text string
		if err := c.QueryRowContext(ctx, "SELECT room, nick, text FROM entries WHERE n = ?", n).Scan(&room, &nick, &text); err != nil {
			return err
		}
		if _, err := c.ExecContext(ctx, replaceWords, n, spaced(text), place(room, names[room], nick)); err != nil {
			return fmt.Errorf("indexing what was edited: %w", err)
		}
	}
	return nil
}

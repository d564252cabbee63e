package roomlog

import (
	"context"
	"database/sql"
	"errors"

	"lanchat/protocol"
)

// packAllGone packs the ids of removed entries, which had a row and 110 bytes each.
func packAllGone(ctx context.Context, c *sql.Conn) (err error) {
	if _, err := c.ExecContext(ctx, `DROP INDEX gone_removed;
		ALTER TABLE gone RENAME TO gone_rows;
		CREATE TABLE gone (first BLOB NOT NULL UNIQUE, removed INTEGER NOT NULL, said INTEGER NOT NULL, data BLOB NOT NULL) STRICT;
		CREATE INDEX gone_removed ON gone (removed);
		CREATE INDEX gone_said ON gone (said)`); err != nil {
		return err
	}
	g, err := newGoneIDs(ctx, c)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, g.close()) }()
	for last, more := []byte{}, true; more; {
		var batch []goneID
		if batch, last, err = goneRows(ctx, c, last); err != nil {
			return err
		}
		if more = len(batch) > 0; more {
			if err := g.add(ctx, batch); err != nil {
				return err
			}
		}
	}
	// There are hashes in it, and no texts: it need not be overwritten, which would
	// write as much as it has.
	if _, err := c.ExecContext(ctx, "PRAGMA secure_delete = OFF"); err != nil {
		return err
	}
	_, err = c.ExecContext(ctx, "DROP TABLE gone_rows")
	_, on := c.ExecContext(ctx, "PRAGMA secure_delete = ON")
	return errors.Join(err, on)
}

// goneRows reads the next rows after an id.
func goneRows(ctx context.Context, c *sql.Conn, after []byte) (batch []goneID, last []byte, err error) {
	rows, err := c.QueryContext(ctx, "SELECT id, room, seq, at, sum, removed FROM gone_rows WHERE id > ? ORDER BY id LIMIT 1000", after)
	if err != nil {
		return nil, nil, err
	}
	defer rows.Close()
	last = after
	for rows.Next() {
		var one goneID
		var id protocol.ID
		var raw, sum []byte
		if err := rows.Scan(&raw, &one.room, &one.seq, &one.at, &sum, &one.removed); err != nil {
			return nil, nil, err
		}
		last = raw
		copy(id[:], raw)
		one.key, one.sum = keyOf(id), shortSum(sum)
		batch = append(batch, one)
	}
	return batch, last, rows.Err()
}

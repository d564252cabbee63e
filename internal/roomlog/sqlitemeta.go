package roomlog

import (
	"context"
	"database/sql"
	"encoding/binary"
	"errors"
)

// The places in the log that the table meta knows by name, each with a time.
const (
	metaRemoved = "removed" // up to here entries were removed; when the last was said
	metaMerged  = "merged"  // up to here no removed entry's words are in the index; since when

	metaReplaced = "replaced" // the newest entry that has replaced or deleted a text
	metaPurged   = "purged"   // up to here no replaced text is in the files

	metaGone = "gone" // not a place: how many removed entries' ids are known, and in how many bytes
)

// meta reads a place and a time; both are 0 when they were never set.
func meta(ctx context.Context, c *sql.Conn, name string) (n, at int64, err error) {
	var raw []byte
	err = c.QueryRowContext(ctx, "SELECT value FROM meta WHERE name = ?", name).Scan(&raw)
	if errors.Is(err, sql.ErrNoRows) {
		return 0, 0, nil
	}
	if len(raw) == 16 {
		n, at = int64(binary.BigEndian.Uint64(raw)), int64(binary.BigEndian.Uint64(raw[8:]))
	}
	return n, at, err
}

func setMeta(ctx context.Context, c *sql.Conn, name string, n, at int64) error {
	_, err := c.ExecContext(ctx, "INSERT INTO meta (name, value) VALUES (?,?) ON CONFLICT DO UPDATE SET value = excluded.value", name, metaValue(n, at))
	return err
}

func metaValue(n, at int64) []byte {
	raw := binary.BigEndian.AppendUint64(nil, uint64(n))
	return binary.BigEndian.AppendUint64(raw, uint64(at))
}

package roomlog

import (
	"context"
	"database/sql"
	"errors"

	"lanchat/internal/nicks"
	"lanchat/protocol"
)

// keyNicks brings in the keys by which nicks are the same: until then case alone was
// passed over. Of two that are the same now, the one used last stays.
func keyNicks(ctx context.Context, c *sql.Conn) error {
	type row struct {
		nick string
		user []byte
		used int64
	}
	var rows []row
	found, err := c.QueryContext(ctx, "SELECT nick, user, used FROM nicks ORDER BY used DESC, nick")
	if err != nil {
		return err
	}
	defer found.Close()
	for found.Next() {
		var r row
		if err := found.Scan(&r.nick, &r.user, &r.used); err != nil {
			return err
		}
		rows = append(rows, r)
	}
	if err := errors.Join(found.Err(), found.Close()); err != nil {
		return err
	}
	if _, err := c.ExecContext(ctx, `DROP TABLE nicks;
		CREATE TABLE nicks (key TEXT PRIMARY KEY, nick TEXT NOT NULL, user BLOB NOT NULL, used INTEGER NOT NULL, since INTEGER NOT NULL) WITHOUT ROWID, STRICT;
		CREATE INDEX nicks_user ON nicks (user);`); err != nil {
		return err
	}
	for _, r := range rows {
		for _, key := range nicks.Keys(r.nick) {
			if _, err := c.ExecContext(ctx, "INSERT INTO nicks (key, nick, user, used, since) VALUES (?,?,?,?,0) ON CONFLICT DO NOTHING", key, r.nick, r.user, r.used); err != nil {
				return err
			}
		}
	}
	return nil
}

// boundNicks adds when a nick was bound, and drops the nicks that are not granted any
// more.
func boundNicks(ctx context.Context, c *sql.Conn) error {
	if _, err := c.ExecContext(ctx, "ALTER TABLE nicks ADD COLUMN bound INTEGER NOT NULL DEFAULT 0"); err != nil {
		return err
	}
	found, err := c.QueryContext(ctx, "SELECT DISTINCT nick FROM nicks")
	if err != nil {
		return err
	}
	defer found.Close()
	var refused []string
	for found.Next() {
		var nick string
		if err := found.Scan(&nick); err != nil {
			return err
		}
		if protocol.ReservedNick(nick) != nil {
			refused = append(refused, nick)
		}
	}
	if err := errors.Join(found.Err(), found.Close()); err != nil {
		return err
	}
	for _, nick := range refused {
		if _, err := c.ExecContext(ctx, "DELETE FROM nicks WHERE nick = ?", nick); err != nil {
			return err
		}
	}
	return nil
}

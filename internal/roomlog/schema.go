package roomlog

import (
	"context"
	"database/sql"
	"fmt"
)

// A migration brings a log's file from one version of the schema to the next, in
// a transaction of its own.
type migration func(ctx context.Context, c *sql.Conn) error

// statements is a migration that needs no more than SQL.
func statements(query string) migration {
	return func(ctx context.Context, c *sql.Conn) error {
		_, err := c.ExecContext(ctx, query)
		return err
	}
}

// migrations[v] makes version v+1 of version v. One that was released is never
// changed; a new one is added behind it.
var migrations = []migration{
	// 1. n is the entry's place in the whole log, and the full-text index's key.
	// A text that was removed must not stay in the file: see the pragmas.
	statements(`CREATE TABLE meta (name TEXT PRIMARY KEY, value BLOB NOT NULL) WITHOUT ROWID, STRICT;
	CREATE TABLE rooms (id INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE, head INTEGER NOT NULL, topic TEXT NOT NULL) STRICT;
	CREATE TABLE entries (
		n INTEGER PRIMARY KEY, room INTEGER NOT NULL, seq INTEGER NOT NULL, id BLOB NOT NULL, at INTEGER NOT NULL,
		user BLOB NOT NULL, nick TEXT NOT NULL, flags INTEGER NOT NULL, kind TEXT NOT NULL, text TEXT NOT NULL, target BLOB) STRICT;
	CREATE UNIQUE INDEX entries_place ON entries (room, seq);
	CREATE UNIQUE INDEX entries_id ON entries (id);
	CREATE TABLE gone (id BLOB PRIMARY KEY, room INTEGER NOT NULL, seq INTEGER NOT NULL, at INTEGER NOT NULL, sum BLOB NOT NULL, removed INTEGER NOT NULL) WITHOUT ROWID, STRICT;
	CREATE TABLE markers (user BLOB NOT NULL, room INTEGER NOT NULL, seq INTEGER NOT NULL, PRIMARY KEY (user, room)) WITHOUT ROWID, STRICT;
	CREATE TABLE nicks (nick TEXT PRIMARY KEY, user BLOB NOT NULL, used INTEGER NOT NULL) WITHOUT ROWID, STRICT;
	CREATE INDEX nicks_user ON nicks (user);
	CREATE VIRTUAL TABLE words USING fts5 (text, place, content='', contentless_delete=1, tokenize="unicode61 remove_diacritics 2");`),
	// 2. The ids of removed entries are dropped in the order of their removal.
	// The index does not merge its parts while it is written to, which can take
	// long: see indexer.merge.
	statements(`CREATE INDEX gone_removed ON gone (removed);
	INSERT INTO words (words, rank) VALUES ('automerge', 0);`),
	// 3. What was said about an entry is folded into it.
	foldAll,
	// 4. What is remembered beside the entries; until in nanoseconds, 0: for good.
	statements(`CREATE TABLE facts (kind TEXT NOT NULL, key TEXT NOT NULL, value BLOB NOT NULL, until INTEGER NOT NULL, PRIMARY KEY (kind, key)) WITHOUT ROWID, STRICT;
	CREATE INDEX facts_until ON facts (until) WHERE until <> 0;`),
	// 5. Nicks that look alike are the same.
	keyNicks,
	// 6. Since when a nick is bound, 0 where that is not known. Nicks that are taken
	// for a user id or an address were granted once, and belong to nobody now.
	boundNicks,
	// 7. A room that was removed is remembered; who made a room, and when the newest
	// entry was said, is known without looking for it.
	statements(`ALTER TABLE rooms ADD COLUMN last INTEGER NOT NULL DEFAULT 0;
	ALTER TABLE rooms ADD COLUMN maker BLOB NOT NULL DEFAULT x'';
	ALTER TABLE rooms ADD COLUMN removed INTEGER NOT NULL DEFAULT 0;
	ALTER TABLE rooms ADD COLUMN base INTEGER NOT NULL DEFAULT 0;
	ALTER TABLE rooms ADD COLUMN erasing INTEGER NOT NULL DEFAULT 0;
	UPDATE rooms SET last = coalesce((SELECT at FROM entries WHERE room = rooms.id ORDER BY seq DESC LIMIT 1), unixepoch() * 1000000000),
		maker = coalesce((SELECT user FROM entries WHERE room = rooms.id AND seq = 1 AND flags & 1 = 0 AND kind <> 'announce'), x'');`),
	// 8. The ids of removed entries take a seventh of the space.
	packAllGone,
}

// migrate brings the file up to the newest schema, each step in a transaction
// of its own: a crash between two leaves a version that can go on.
func migrate(ctx context.Context, db *sql.Conn) error {
	var version int
	if err := db.QueryRowContext(ctx, "PRAGMA user_version").Scan(&version); err != nil {
		return err
	}
	if version > len(migrations) {
		return errNewer(version)
	}
	for ; version < len(migrations); version++ {
		err := transact(ctx, db, func(ctx context.Context) error {
			if err := migrations[version](ctx, db); err != nil {
				return fmt.Errorf("bringing the log from version %d to %d: %w", version, version+1, err)
			}
			_, err := db.ExecContext(ctx, fmt.Sprintf("PRAGMA user_version = %d", version+1))
			return err
		})
		if err != nil {
			return err
		}
	}
	return nil
}

func errNewer(version int) error {
	return fmt.Errorf("the log has version %d, and this program knows up to %d: it was written by a newer lanchat; use that one", version, len(migrations))
}

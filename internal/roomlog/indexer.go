package roomlog

import (
	"context"
	"database/sql"
	"encoding/hex"
	"errors"
	"fmt"
	"math"
	"slices"
	"strings"
	"time"
	"unicode"

	"lanchat/protocol"
)

// indexer does what may come behind a commit: the full-text index, and the read
// markers. What a crash takes of the index is indexed again, because the index itself
// says how far it has come.
type indexer struct {
	behind
	s *SQLite
}

const (
	maxInMemory = 20_000                 // entries of which the index is in memory, on a full disk; some 20 MB
	indexBatch  = 256                    // entries in one transaction: posting waits for no more; with half as many, each costs more
	indexBytes  = 64 << 10               // of their text, for the same reason,
	indexedRow  = 64                     // bytes that an entry takes in the index, beside its text
	indexChange = 1 << 10                // where one that changes another's text counts as much
	mergePages  = 8                      // pages that one step of a merge writes, for the same reason
	indexPause  = 100 * time.Millisecond // after a commit; in a burst, once for many
)

func newIndexer(s *SQLite) *indexer { return &indexer{behind: newBehind(), s: s} }

func (x *indexer) begin() error {
	if err := x.open(x.s, waitsForOthers); err != nil {
		return err
	}
	x.start(x.run)
	x.wakeUp() // what the last process has left
	return nil
}

func (x *indexer) run(ctx context.Context) {
	var markers time.Time // when they were last written
	for x.woken(ctx) && rest(ctx, indexPause) {
		// A fault here is one of the file, and posting tells of it. What is not
		// indexed now is later.
		if x.catchUp(ctx) == nil {
			_ = x.merge(ctx, math.MaxInt)
		}
		if time.Since(markers) >= markerFlush {
			markers = time.Now()
			x.s.writing.Lock()
			_ = x.s.writeMarkers(ctx)
			x.s.writing.Unlock()
		}
		if x.s.hasMarkers() {
			x.wakeUp()
		}
	}
}

// catchUp indexes every entry that was committed before the call.
func (x *indexer) catchUp(ctx context.Context) error {
	x.s.writing.Lock()
	last := x.s.n
	x.s.writing.Unlock()
	for {
		indexed, err := x.step(ctx)
		if err != nil || indexed >= last {
			return err
		}
		// Far behind, it would make so many parts that FTS5 merges them at once.
		if err := x.merge(ctx, 4); err != nil {
			return err
		}
	}
}

// merge makes fewer and larger parts of the many small ones that steps have
// written: a search looks into each. FTS5 would do it as part of one step or
// another, and posting would wait for all of it; here it waits for mergePages.
func (x *indexer) merge(ctx context.Context, steps int) error {
	if x.s.isTight() {
		return nil // it takes space before it gives back some
	}
	for range steps {
		if err := ctx.Err(); err != nil {
			return err
		}
		x.s.writing.Lock()
		more, err := mergeWords(context.WithoutCancel(ctx), x.conn, mergePages)
		x.s.endWriting()
		if err != nil || !more {
			return err
		}
	}
	return nil
}

// mergeWords merges parts of the index, so many pages, and reports whether there
// was anything to merge. With pages below 0 it begins to make one part of all.
func mergeWords(ctx context.Context, c *sql.Conn, pages int) (more bool, err error) {
	var before, after int64
	if err := c.QueryRowContext(ctx, "SELECT total_changes()").Scan(&before); err != nil {
		return false, err
	}
	if _, err := c.ExecContext(ctx, "INSERT INTO words (words, rank) VALUES ('merge', ?)", pages); err != nil {
		return false, err
	}
	err = c.QueryRowContext(ctx, "SELECT total_changes()").Scan(&after)
	return after-before >= 2, err // the command itself counts as one
}

// step indexes the next batch and returns how far the index has come. Once begun
// it is not interrupted: for each statement that could be, the driver starts a
// goroutine.
func (x *indexer) step(ctx context.Context) (indexed int64, err error) {
	if err := ctx.Err(); err != nil {
		return 0, err
	}
	ctx = context.WithoutCancel(ctx)
	x.s.writing.Lock()
	defer x.s.endWriting()
	if err := x.conn.QueryRowContext(ctx, indexedTo).Scan(&indexed); err != nil || indexed >= x.s.n {
		return indexed, err
	}
	if err := x.makeRoom(ctx, indexed); err != nil {
		return indexed, err
	}
	tx, err := x.conn.BeginTx(ctx, nil)
	if err != nil {
		return indexed, err
	}
	defer tx.Rollback()
	last, err := x.index(ctx, tx, indexed)
	if err != nil {
		return indexed, err
	}
	if last == indexed {
		return x.s.n, nil // the newest entries were removed
	}
	if err := tx.Commit(); err != nil {
		return indexed, err
	}
	return last, nil
}

// index indexes the next batch, in a transaction that is under way, and returns how far
// the index has come; not further where there is nothing more.
func (x *indexer) index(ctx context.Context, tx querier, indexed int64) (last int64, err error) {
	batch, err := x.rows(ctx, tx, indexBytes, "SELECT n, room, nick, kind, text, iif(kind = 'delete', reactions, NULL) FROM entries WHERE n > ? ORDER BY n LIMIT ?", indexed, indexBatch)
	if err != nil {
		return indexed, err
	}
	// What a purge has deleted counts as well: posting waits for a batch.
	for i, work := 0, 0; i < len(batch); i++ {
		if work += 1 + len(batch[i].purged); work > indexBatch {
			batch = batch[:max(i, 1)]
			break
		}
	}
	if len(batch) == 0 {
		return indexed, nil
	}
	last = batch[len(batch)-1].n
	// What has changed an entry comes behind it in the index too, and has it
	// indexed again: so nothing but the index says how far it has come.
	var changed []indexRow
	if slices.ContainsFunc(batch, func(r indexRow) bool { return r.changes }) {
		changed, err = x.rows(ctx, tx, math.MaxInt, `SELECT DISTINCT t.n, t.room, t.nick, t.kind, t.text, NULL FROM entries e JOIN entries t ON t.room = e.room AND t.seq = e.target_seq
		WHERE e.n > ? AND e.n <= ? AND e.kind IN ('edit', 'delete') AND t.n <= ?`, indexed, last, indexed)
	}
	for _, r := range batch {
		for _, seq := range r.purged {
			if err != nil {
				break
			}
			var one []indexRow
			one, err = x.rows(ctx, tx, math.MaxInt, "SELECT n, room, nick, kind, text, NULL FROM entries WHERE room = ? AND seq = ? AND n <= ?", r.room, int64(seq), indexed)
			changed = append(changed, one...)
		}
	}
	if err != nil {
		return indexed, err
	}
	insert, err := tx.PrepareContext(ctx, "INSERT INTO words (rowid, text, place) VALUES (?,?,?)")
	if err != nil {
		return indexed, err
	}
	defer insert.Close()
	for _, r := range batch {
		if _, err := insert.ExecContext(ctx, r.n, r.text, r.place); err != nil {
			return indexed, err
		}
	}
	for _, r := range changed {
		if r.text == "" { // deleted: to mark it in the index costs a tenth of replacing it
			_, err = tx.ExecContext(ctx, "DELETE FROM words WHERE rowid = ?", r.n)
		} else {
			_, err = tx.ExecContext(ctx, replaceWords, r.n, r.text, r.place)
		}
		if err != nil {
			return indexed, err
		}
	}
	return last, nil
}

// querier is a connection or a transaction.
type querier interface {
	ExecContext(context.Context, string, ...any) (sql.Result, error)
	PrepareContext(context.Context, string) (*sql.Stmt, error)
	QueryContext(context.Context, string, ...any) (*sql.Rows, error)
	QueryRowContext(context.Context, string, ...any) *sql.Row
}

// indexInMemory indexes what there is no space to write the index of, in a transaction
// that is under way and is not to be committed: the newest maxInMemory entries at most.
func (x *indexer) indexInMemory(ctx context.Context, tx querier) error {
	var indexed, last int64
	if err := tx.QueryRowContext(ctx, "SELECT max(("+indexedTo+"), coalesce((SELECT max(n) FROM entries), 0) - ?)", maxInMemory).Scan(&indexed); err != nil {
		return err
	}
	for {
		var err error
		if last, err = x.index(ctx, tx, indexed); err != nil || last == indexed {
			return err
		}
		indexed = last
	}
}

// searchInMemory has do search an index that is complete in memory alone. Nobody posts
// meanwhile.
func (x *indexer) searchInMemory(ctx context.Context, do func(querier) error) error {
	x.s.writing.Lock()
	defer x.s.writing.Unlock()
	ctx = context.WithoutCancel(ctx)
	if _, err := x.conn.ExecContext(ctx, "PRAGMA cache_spill = OFF; BEGIN IMMEDIATE"); err != nil {
		return err
	}
	err := x.indexInMemory(ctx, x.conn)
	if err == nil {
		err = do(x.conn)
	}
	_, ended := x.conn.ExecContext(ctx, "ROLLBACK; PRAGMA cache_spill = ON")
	return errors.Join(err, ended)
}

// makeRoom has retention make room for what the next step adds to the file.
func (x *indexer) makeRoom(ctx context.Context, indexed int64) error {
	r := x.s.retention
	if r == nil || r.keep.Bytes == 0 {
		return nil
	}
	var entries, text int64
	if err := x.conn.QueryRowContext(ctx, "SELECT count(*), coalesce(sum(length(CAST(text AS BLOB))), 0) FROM (SELECT text FROM entries WHERE n > ? ORDER BY n LIMIT ?)",
		indexed, indexBatch).Scan(&entries, &text); err != nil {
		return err
	}
	return r.makeRoom(ctx, min(text, 2*indexBytes)+entries*indexedRow)
}

const (
	indexedTo    = "SELECT coalesce((SELECT rowid FROM words ORDER BY rowid DESC LIMIT 1), 0)"
	replaceWords = "INSERT OR REPLACE INTO words (rowid, text, place) VALUES (?,?,?)"
)

// indexRow is what the index is given of an entry.
type indexRow struct {
	n, room     int64
	text, place string
	changes     bool     // the text of another one
	purged      []uint64 // the seqs of what it has deleted, if it is a purge's
}

// rows reads what is to be indexed: of each entry n, room, nick, kind, text and
// what it has purged, until the texts have most bytes.
func (x *indexer) rows(ctx context.Context, tx querier, most int, query string, args ...any) (batch []indexRow, err error) {
	rows, err := tx.QueryContext(ctx, query, args...)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	for size := 0; size < most && rows.Next(); {
		var r indexRow
		var nick, kind string
		var purged []byte
		if err := rows.Scan(&r.n, &r.room, &nick, &kind, &r.text, &purged); err != nil {
			return nil, err
		}
		if r.purged, err = unpackSeqs(purged); err != nil {
			return nil, err
		}
		if k := protocol.Kind(kind); k != protocol.KindText && k != protocol.KindAction && k != protocol.KindTopic {
			r.text = "" // it has a row all the same: the last one says how far the index has come
		}
		size += len(r.text) + len(r.purged)*indexChange
		r.text, r.place = spaced(r.text), x.s.place(r.room, nick)
		if r.changes = kind == string(protocol.KindEdit) || kind == string(protocol.KindDelete); r.changes {
			size += indexChange
		}
		batch = append(batch, r)
	}
	return batch, rows.Err()
}

// place are the words under which an entry is found by where it stands and who
// said it. To look for them in the index is far cheaper than to look at each
// entry that has a common word.
func (s *SQLite) place(room int64, nick string) string {
	name := ""
	s.mu.RLock()
	if r := s.byRoom[room]; r != nil {
		name = r.info.Name
	}
	s.mu.RUnlock()
	return place(room, name, nick)
}

func place(room int64, name, nick string) string {
	public := publicToken
	if isDirect(name) {
		public = ""
	}
	return public + " " + roomToken(room) + " " + nickToken(nick)
}

const publicToken = "public"

func roomToken(room int64) string { return fmt.Sprint("room", room) }

func nickToken(nick string) string {
	return "nick" + hex.EncodeToString([]byte(strings.ToLower(nick)))
}

// unspaced are the scripts that write no spaces between words, and Hangul,
// where a word's ending is written to it. Each of their characters is a word of
// the index, and what is looked for is a row of such words.
var unspaced = []*unicode.RangeTable{
	unicode.Han, unicode.Hiragana, unicode.Katakana, unicode.Hangul, unicode.Bopomofo, unicode.Thai, unicode.Lao, unicode.Khmer, unicode.Myanmar,
}

// spaced puts spaces around the characters of such scripts.
func spaced(text string) string {
	if strings.IndexFunc(text, func(r rune) bool { return r > 0x7f }) < 0 {
		return text
	}
	var b strings.Builder
	for _, r := range text {
		if r > 0x7f && unicode.In(r, unspaced...) && unicode.IsLetter(r) {
			b.WriteByte(' ')
			b.WriteRune(r)
			b.WriteByte(' ')
		} else {
			b.WriteRune(r)
		}
	}
	return b.String()
}

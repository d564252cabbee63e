package roomlog

import (
	"bytes"
	"context"
	"crypto/sha256"
	"database/sql"
	"encoding/binary"
	"errors"
	"math"
	"slices"
	"time"

	"lanchat/protocol"
)

// goneIDs is what the log remembers of removed entries, so that a post that is sent
// again is acknowledged as it was the first time. Of a busy log that is bounded in
// bytes it can be more than the entries themselves, so it is packed: a row of the
// table gone is a chunk of some 250 ids, of 12 to 20 bytes each, and the
// chunks are in the order of their ids. An id is found with one look into the table,
// whatever ids people make up.
//
// It works on one connection, under SQLite.writing.
type goneIDs struct {
	conn                                     *sql.Conn
	find, lowest, next, change, insert, drop *sql.Stmt
	byRemoved, bySaid                        *sql.Stmt
}

// goneID is what is remembered of one removed entry.
type goneID struct {
	key         goneKey
	room        int64
	seq         uint64
	at, removed int64  // in nanoseconds, and in seconds
	sum         uint32 // 24 bits of contentSum; 0: nothing is known of the content
}

// goneKey stands for an id: its 48 bits of time, which keep the order, and 40 bits of
// a hash. Two of the same millisecond are taken for one with a probability of 2^-40.
type goneKey [11]byte

func keyOf(id protocol.ID) (k goneKey) {
	h := sha256.Sum256(id[:])
	copy(k[:], id[:6])
	copy(k[6:], h[:])
	return k
}

// ms is the key's time.
func (k goneKey) ms() int64 { return msOf(k[:]) }

// msOf is the time with which a UUIDv7 begins, in milliseconds.
func msOf(id []byte) int64 {
	return int64(id[0])<<40 | int64(id[1])<<32 | int64(binary.BigEndian.Uint32(id[2:]))
}

func (k *goneKey) setMS(ms int64) {
	k[0], k[1] = byte(ms>>40), byte(ms>>32)
	binary.BigEndian.PutUint32(k[2:], uint32(ms))
}

func (k goneKey) compare(other goneKey) int { return bytes.Compare(k[:], other[:]) }

// shortSum is what a goneID has of a contentSum; an empty one is unknown.
func shortSum(sum []byte) uint32 {
	if len(sum) < 3 {
		return 0
	}
	return max(1, uint32(sum[0])<<16|uint32(sum[1])<<8|uint32(sum[2]))
}

const (
	maxChunk  = 4000 // bytes, so that a page holds one
	chunkCost = 150  // bytes that a chunk takes beside its data, about: three indexes, and what is left over of pages
	forgetAt  = 8    // chunks that one step looks through
)

// goneChunk is a row of gone.
type goneChunk struct {
	row   int64 // 0: it is to be made
	first goneKey
	ids   []goneID
	size  int // of the data as it stands in the row
}

func newGoneIDs(ctx context.Context, c *sql.Conn) (*goneIDs, error) {
	g := &goneIDs{conn: c}
	for _, s := range []struct {
		stmt  **sql.Stmt
		query string
	}{
		{&g.find, "SELECT rowid, first, data FROM gone WHERE first <= ? ORDER BY first DESC LIMIT 1"},
		{&g.lowest, "SELECT rowid, first, data FROM gone ORDER BY first LIMIT 1"},
		{&g.next, "SELECT first FROM gone WHERE first > ? ORDER BY first LIMIT 1"},
		{&g.change, "UPDATE gone SET first = ?, removed = ?, said = ?, data = ? WHERE rowid = ?"},
		{&g.insert, "INSERT INTO gone (first, removed, said, data) VALUES (?,?,?,?)"},
		{&g.drop, "DELETE FROM gone WHERE rowid = ?"},
		{&g.byRemoved, "SELECT rowid, first, data FROM gone WHERE removed < ? ORDER BY removed LIMIT ?"},
		{&g.bySaid, "SELECT rowid, first, data FROM gone WHERE said < ? ORDER BY said LIMIT ?"},
	} {
		var err error
		if *s.stmt, err = c.PrepareContext(ctx, s.query); err != nil {
			return nil, errors.Join(err, g.close())
		}
	}
	return g, nil
}

func (g *goneIDs) close() error {
	var errs []error
	for _, stmt := range []*sql.Stmt{g.find, g.lowest, g.next, g.change, g.insert, g.drop, g.byRemoved, g.bySaid} {
		if stmt != nil {
			errs = append(errs, stmt.Close())
		}
	}
	return errors.Join(errs...)
}

// lookup finds what is remembered of an id.
func (g *goneIDs) lookup(ctx context.Context, id protocol.ID) (found goneID, ok bool, err error) {
	key := keyOf(id)
	c, err := scanChunk(g.find.QueryRowContext(ctx, key[:]))
	if err != nil || c == nil {
		return goneID{}, false, err
	}
	for _, one := range c.ids {
		if one.key == key {
			return one, true, nil
		}
	}
	return goneID{}, false, nil
}

// newest returns the time of the greatest id that is remembered, and one more; 0 when
// there is none.
func (g *goneIDs) newest(ctx context.Context) (int64, error) {
	c, err := scanChunk(g.find.QueryRowContext(ctx, bytes.Repeat([]byte{0xff}, len(goneKey{}))))
	if err != nil || c == nil {
		return 0, err
	}
	to := int64(0)
	for _, one := range c.ids {
		to = max(to, one.key.ms()+1)
	}
	return to, nil
}

// size returns how many ids are remembered, and about how many bytes they take.
func (g *goneIDs) size(ctx context.Context) (ids, size int64, err error) {
	return meta(ctx, g.conn, metaGone)
}

// add remembers more, in the transaction that removes the entries.
func (g *goneIDs) add(ctx context.Context, ids []goneID) error {
	ids = slices.Clone(ids)
	slices.SortFunc(ids, func(a, b goneID) int { return a.key.compare(b.key) })
	count, size, err := g.size(ctx)
	if err != nil {
		return err
	}
	for len(ids) > 0 {
		c, end, err := g.chunk(ctx, ids[0].key)
		if err != nil {
			return err
		}
		n := len(ids)
		if end != nil {
			n, _ = slices.BinarySearchFunc(ids, *end, func(one goneID, end goneKey) int { return one.key.compare(end) })
		}
		had := len(c.ids)
		c.merge(ids[:n])
		added, err := g.store(ctx, c, end == nil)
		if err != nil {
			return err
		}
		count, size = count+int64(len(c.ids)-had), size+added
		ids = ids[n:]
	}
	return setMeta(ctx, g.conn, metaGone, count, size)
}

// chunk returns the chunk to which a key belongs, and the next one's first key; nil
// where there is no next one.
func (g *goneIDs) chunk(ctx context.Context, key goneKey) (*goneChunk, *goneKey, error) {
	c, err := scanChunk(g.find.QueryRowContext(ctx, key[:]))
	if err == nil && c == nil {
		c, err = scanChunk(g.lowest.QueryRowContext(ctx))
	}
	if err != nil || c == nil {
		return &goneChunk{}, nil, err
	}
	var raw []byte
	var end goneKey
	err = g.next.QueryRowContext(ctx, c.first[:]).Scan(&raw)
	switch {
	case errors.Is(err, sql.ErrNoRows):
		return c, nil, nil
	case err != nil:
		return nil, nil, err
	}
	copy(end[:], raw)
	return c, &end, nil
}

func scanChunk(row interface{ Scan(...any) error }) (*goneChunk, error) {
	c := &goneChunk{}
	var first, data []byte
	err := row.Scan(&c.row, &first, &data)
	switch {
	case errors.Is(err, sql.ErrNoRows):
		return nil, nil
	case err != nil:
		return nil, err
	}
	copy(c.first[:], first)
	c.size = len(data)
	c.ids, err = unpackGone(data)
	return c, err
}

// merge adds ids, in the order of their keys. Of the same key the last one counts.
func (c *goneChunk) merge(ids []goneID) {
	all := append(c.ids, ids...)
	slices.SortStableFunc(all, func(a, b goneID) int { return a.key.compare(b.key) })
	c.ids = all[:0]
	for i := range all {
		if i+1 == len(all) || all[i].key != all[i+1].key {
			c.ids = append(c.ids, all[i])
		}
	}
}

// store writes a chunk's ids, which are in the order of their keys, as one row or
// more, and returns by how much the table has grown. Ids mostly come in their order,
// so that where the last chunk is full, the next one is begun; any other is split in
// equal parts.
func (g *goneIDs) store(ctx context.Context, c *goneChunk, last bool) (grown int64, err error) {
	if c.row != 0 {
		grown = -int64(c.size + chunkCost)
	}
	row := c.row
	for ids := c.ids; len(ids) > 0; {
		n := len(ids)
		data := packGone(ids)
		for len(data) > maxChunk && n > 1 {
			if parts := len(data)/maxChunk + 1; last {
				n = max(1, min(n-1, n*maxChunk/len(data)))
			} else {
				n = max(1, (n+parts-1)/parts)
			}
			data = packGone(ids[:n])
		}
		removed, said := ids[0].removed, ids[0].at
		for _, one := range ids[:n] {
			removed, said = min(removed, one.removed), min(said, one.at)
		}
		if first := ids[0].key; row != 0 {
			_, err = g.change.ExecContext(ctx, first[:], removed, said, data, row)
		} else {
			_, err = g.insert.ExecContext(ctx, first[:], removed, said, data)
		}
		if err != nil {
			return 0, err
		}
		grown += int64(len(data) + chunkCost)
		row, ids = 0, ids[n:]
	}
	if row != 0 {
		_, err = g.drop.ExecContext(ctx, row)
	}
	return grown, err
}

// forgetRemoved drops ids whose entries were removed before a time, some chunks of them.
func (g *goneIDs) forgetRemoved(ctx context.Context, before time.Time) (did bool, err error) {
	chunks, err := chunksOf(ctx, g.byRemoved, before.Unix())
	if err != nil || len(chunks) == 0 {
		return false, err
	}
	return true, g.forget(ctx, chunks, math.MinInt64, func(one goneID) bool { return one.removed < before.Unix() })
}

// forgetSaid drops ids whose entries were said before a time, the oldest, some chunks of
// them, as long as all ids take more than most bytes.
func (g *goneIDs) forgetSaid(ctx context.Context, before time.Time, most int64) (did bool, err error) {
	if _, size, err := g.size(ctx); err != nil || size <= most {
		return false, err
	}
	chunks, err := chunksOf(ctx, g.bySaid, before.UnixNano())
	if err != nil || len(chunks) == 0 {
		return false, err
	}
	return true, g.forget(ctx, chunks, most, func(one goneID) bool { return one.at < before.UnixNano() })
}

func (g *goneIDs) forget(ctx context.Context, chunks []*goneChunk, most int64, drop func(goneID) bool) error {
	return transact(ctx, g.conn, func(ctx context.Context) error {
		count, size, err := g.size(ctx)
		if err != nil {
			return err
		}
		for _, c := range chunks {
			if size <= most {
				break
			}
			had := len(c.ids)
			c.ids = slices.DeleteFunc(c.ids, drop)
			slices.SortFunc(c.ids, func(a, b goneID) int { return a.key.compare(b.key) })
			grown, err := g.store(ctx, c, false)
			if err != nil {
				return err
			}
			count, size = count+int64(len(c.ids)-had), size+grown
		}
		return setMeta(ctx, g.conn, metaGone, count, size)
	})
}

func chunksOf(ctx context.Context, which *sql.Stmt, before int64) (chunks []*goneChunk, err error) {
	rows, err := which.QueryContext(ctx, before, forgetAt)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	for rows.Next() {
		c, err := scanChunk(rows)
		if err != nil {
			return nil, err
		}
		chunks = append(chunks, c)
	}
	return chunks, rows.Err()
}

package roomlog

import (
	"bytes"
	"context"
	"database/sql"
	"errors"
)

// staleWords is about how many pages of the index have words of removed entries, which
// leave only when it is merged. FTS5 counts them in the record that describes the index:
//
//	4 bytes  cookie
//	4 bytes  FF 00 00 01, where removals are counted
//	varints  levels, segments, writes; then for each level
//	           whether it is being merged, its segments; for each of these
//	             id, first page, last page, two origins, pages of removals, removals, entries
//
// What cannot be read counts as none.
func staleWords(ctx context.Context, c *sql.Conn) (pages int64, err error) {
	const record = 10
	var raw []byte
	err = c.QueryRowContext(ctx, "SELECT block FROM words_data WHERE id = ?", record).Scan(&raw)
	if errors.Is(err, sql.ErrNoRows) {
		return 0, nil
	}
	if err != nil || len(raw) < 8 || !bytes.Equal(raw[4:8], []byte{0xff, 0, 0, 1}) {
		return 0, err
	}
	raw = raw[8:]
	varint := func() (v int64) {
		for i := 0; len(raw) > 0; i++ {
			b := raw[0]
			raw = raw[1:]
			if i == 8 {
				return v<<8 | int64(b)
			}
			if v = v<<7 | int64(b&0x7f); b < 0x80 {
				return v
			}
		}
		return 0
	}
	levels := varint()
	varint()
	varint()
	for merging := int64(0); levels > 0 && len(raw) > 0; levels-- {
		isMerged, all := varint() > 0, int64(0)
		for segments := varint(); segments > 0 && len(raw) > 0; segments-- {
			varint()
			first, last := varint(), varint()
			varint()
			varint()
			removals, removed, entries := varint(), varint(), varint()
			all += entries
			if entries == 0 { // it is being made of the level before
				entries = merging
			}
			pages += removals
			if removed > 0 && entries > 0 && last >= first {
				pages += (last - first + 1) * min(removed, entries) / entries
			}
		}
		if merging = 0; isMerged {
			merging = all
		}
	}
	return pages, nil
}

package roomlog

import (
	"context"
	"errors"
	"fmt"
	"math"
	"strings"
	"time"
	"unicode"

	"lanchat/protocol"
)

// ErrNoSearch says that a store keeps no index to search.
var ErrNoSearch = errors.New("this server keeps its log in memory, without an index to search")

// ErrQuery wraps what is wrong with a search.
var ErrQuery = errors.New("this search cannot be understood")

// Query says what to search: entries that have all of Terms, in a room that the
// user may see, with After < At < Before; the newest first.
type Query struct {
	Terms         []Term
	Room          string // "": everywhere
	From          string // a nick, in whatever case
	Before, After int64  // nanoseconds; 0: no bound
	Limit, Bytes  int
	// User is who asks: direct talks of others are not searched, nor are the rooms that
	// are Hidden from the user.
	User   protocol.UserID
	Hidden []string
}

// Term is a word or, with several words, a phrase. A word matches in whatever
// case and with or without its accents; with Prefix, its beginning does.
type Term struct {
	Text   string
	Prefix bool
}

// maxTerms bounds what one search may cost.
const maxTerms = 16

// ParseQuery reads a search as people write it:
//
//	pizza tonight        both words, anywhere in an entry
//	"pizza tonight"      the words in this order
//	piz*                 words that begin so
//	from:ann in:lobby    said by ann, in the room lobby
//	after:2026-11-01 before:2026-12-01T18:00    by date, in loc
func ParseQuery(s string, loc *time.Location) (Query, error) {
	var q Query
	for s = strings.TrimSpace(s); s != ""; s = strings.TrimSpace(s) {
		var word string
		quoted := false
		if rest, ok := strings.CutPrefix(s, `"`); ok {
			quoted = true
			word, s, ok = strings.Cut(rest, `"`)
			if !ok {
				return q, fmt.Errorf("%w: a quotation mark is not closed", ErrQuery)
			}
		} else {
			end := strings.IndexFunc(s, unicode.IsSpace)
			if end < 0 {
				end = len(s)
			}
			word, s = s[:end], s[end:]
		}
		if err := q.add(word, quoted, loc); err != nil {
			return q, err
		}
	}
	return q, q.check()
}

func (q *Query) add(word string, quoted bool, loc *time.Location) error {
	key, value, isField := strings.Cut(word, ":")
	switch {
	case quoted || !isField:
	case value == "" && (key == "from" || key == "in" || key == "before" || key == "after"):
		return fmt.Errorf("%w: %s: needs a value directly behind it", ErrQuery, key)
	case key == "from":
		q.From = strings.TrimPrefix(value, "@")
		return nil
	case key == "in":
		q.Room = strings.ToLower(strings.TrimPrefix(value, "#"))
		return nil
	case key == "before", key == "after":
		at, err := parseDate(value, loc)
		if err != nil {
			return err
		}
		if key == "before" {
			q.Before = at
		} else {
			q.After = at - 1 // a day begins with its first moment
		}
		return nil
	}
	t := Term{Text: word}
	if !quoted {
		t.Text, t.Prefix = strings.CutSuffix(word, "*")
	}
	if strings.IndexFunc(t.Text, inIndex) >= 0 {
		q.Terms = append(q.Terms, t)
	}
	return nil
}

// inIndex is true for characters that words of the index are made of.
func inIndex(r rune) bool { return unicode.In(r, unicode.L, unicode.N, unicode.Co) }

// indexed makes spaces of all else: a quotation mark or a NUL would end the
// string that it stands in.
func indexed(r rune) rune {
	if inIndex(r) || unicode.Is(unicode.M, r) {
		return r
	}
	return ' '
}

func (q *Query) check() error {
	if len(q.Terms) == 0 && q.From == "" {
		return fmt.Errorf("%w: it needs a word to look for, or from:NICK", ErrQuery)
	}
	if len(q.Terms) > maxTerms {
		return fmt.Errorf("%w: it has %d words, at most %d", ErrQuery, len(q.Terms), maxTerms)
	}
	return nil
}

func parseDate(s string, loc *time.Location) (int64, error) {
	for _, layout := range []string{time.DateOnly, "2006-01-02T15:04", "2006-01-02T15:04:05", time.RFC3339} {
		if t, err := time.ParseInLocation(layout, s, loc); err == nil {
			return t.UnixNano(), nil
		}
	}
	return 0, fmt.Errorf("%w: %q is no date; write 2026-11-22 or 2026-11-22T18:00", ErrQuery, s)
}

// Search implements Store. The index first catches up with what was committed; on a full
// disk in memory.
func (s *SQLite) Search(ctx context.Context, q Query) (found []protocol.Entry, more bool, err error) {
	match, erasing, any := s.match(q)
	if !any {
		return nil, false, nil
	}
	if !s.standby.Load() { // else the index is complete
		switch err := s.indexer.catchUp(ctx); {
		case isDiskFull(s.dir, err):
			err = s.indexer.searchInMemory(ctx, func(c querier) error {
				found, more, err = s.search(ctx, c, q, match, erasing)
				return err
			})
			return found, more, err
		case err != nil:
			return nil, false, s.unavailable(err)
		}
	}
	return s.search(ctx, s.db, q, match, erasing)
}

// search searches the index that a connection sees.
func (s *SQLite) search(ctx context.Context, c querier, q Query, match string, erasing bool) ([]protocol.Entry, bool, error) {
	from, to := int64(0), int64(math.MaxInt64)
	var err error
	if q.After > 0 {
		if from, err = s.firstAt(ctx, q.After+1); err != nil {
			return nil, false, s.unavailable(err)
		}
		from--
	}
	if q.Before > 0 {
		if to, err = s.firstAt(ctx, q.Before); err != nil {
			return nil, false, s.unavailable(err)
		}
	}
	there := ""
	if erasing {
		there = "AND e.seq > (SELECT base FROM rooms WHERE id = e.room) "
	}
	rows, err := c.QueryContext(ctx, "SELECT "+entryColumns+` FROM words JOIN entries e ON e.n = words.rowid`+withTarget+`
		WHERE words MATCH ? AND words.rowid > ? AND words.rowid < ? AND e.kind NOT IN ('edit', 'delete', 'reaction') AND e.flags & ? = 0 `+there+`
		ORDER BY words.rowid DESC LIMIT ?`, match, from, to, flagGone, q.Limit+1)
	if err != nil {
		return nil, false, s.unavailable(err)
	}
	defer rows.Close()
	var out []protocol.Entry
	bytes := 0
	for rows.Next() {
		e, err := s.scan(rows)
		if err != nil {
			return nil, false, s.unavailable(err)
		}
		if e.Room == "" {
			continue
		}
		if bytes += e.MaxSize(); len(out) == q.Limit || bytes > q.Bytes && len(out) > 0 {
			return out, true, nil
		}
		out = append(out, e)
	}
	if err := rows.Err(); err != nil {
		return nil, false, s.unavailable(err)
	}
	return out, false, nil
}

// match words a query for FTS5. found is false when nothing can be; erasing when every
// entry of the file is there.
func (s *SQLite) match(q Query) (match string, erasing, found bool) {
	s.mu.RLock()
	defer s.mu.RUnlock()
	var parts []string
	for _, t := range q.Terms {
		text := `text : "` + spaced(strings.Map(indexed, t.Text)) + `"`
		if t.Prefix {
			text += " *"
		}
		parts = append(parts, text)
	}
	var places []string
	if q.Room != "" {
		r := s.rooms[q.Room]
		if r == nil {
			return "", false, false
		}
		places = []string{roomToken(r.id)}
	} else {
		places = []string{publicToken}
		for _, room := range s.directs[q.User] {
			places = append(places, roomToken(s.rooms[room].id))
		}
	}
	parts = append(parts, "place : ("+strings.Join(places, " OR ")+")")
	if q.From != "" {
		parts = append(parts, "place : "+nickToken(q.From))
	}
	match = strings.Join(parts, " AND ")
	var hidden []string
	for _, room := range q.Hidden {
		if r := s.rooms[room]; r != nil {
			hidden = append(hidden, roomToken(r.id))
		}
	}
	if len(hidden) > 0 {
		match = "(" + match + ") NOT place : (" + strings.Join(hidden, " OR ") + ")"
	}
	return match, len(s.erasing) > 0, true
}

// firstAt finds the first place whose entry was said at or after a time: place
// and time grow together, so it halves the range.
func (s *SQLite) firstAt(ctx context.Context, at int64) (int64, error) {
	var low, high int64
	if err := s.db.QueryRowContext(ctx, "SELECT coalesce(min(n), 0), coalesce(max(n), -1) + 1 FROM entries").Scan(&low, &high); err != nil {
		return 0, err
	}
	for low < high {
		middle := low + (high-low)/2
		var n, t int64
		if err := s.db.QueryRowContext(ctx, "SELECT n, at FROM entries WHERE n >= ? ORDER BY n LIMIT 1", middle).Scan(&n, &t); err != nil {
			return 0, err
		}
		if t >= at {
			high = middle
		} else {
			low = n + 1
		}
	}
	return low, nil
}

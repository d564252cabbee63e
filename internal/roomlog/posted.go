package roomlog

import (
	"cmp"
	"context"
	"database/sql"
	"errors"
	"math"
	"slices"
	"strings"
	"time"

	"lanchat/protocol"
)

// Posted asks for what some users have posted, the newest first.
type Posted struct {
	Since  map[protocol.UserID]time.Time // of each user from when on; the zero time: ever
	Before int64                         // where the last step has ended; 0: this is the first
}

// postedStep is how many entries of the log one step looks at. A step takes about 10 ms,
// and holds up nobody who posts.
const postedStep = 10_000

// Posted implements Store: it looks through the log, which has no index by user, as every
// post would pay for that.
func (s *SQLite) Posted(ctx context.Context, q Posted) (entries []protocol.Entry, next int64, err error) {
	before := q.Before
	if before == 0 {
		s.writing.Lock()
		before = s.n + 1
		s.writing.Unlock()
	}
	since := int64(math.MaxInt64)
	args := []any{before - postedStep, before}
	for user, from := range q.Since {
		since = min(since, nanos(from))
		args = append(args, user[:])
	}
	if len(q.Since) == 0 {
		return nil, 0, nil
	}
	rows, err := s.db.QueryContext(ctx, `SELECT e.room, e.seq, e.id, e.at, e.user, e.nick, e.flags, e.kind, iif(e.kind IN ('topic', 'reaction'), e.text, ''),
			e.target, coalesce(t.seq, 0), coalesce(t.kind, ''), coalesce(t.flags, 0), r.n IS NOT NULL
		FROM entries e LEFT JOIN entries t ON t.room = e.room AND t.seq = e.target_seq
		LEFT JOIN reactions r ON e.kind = 'reaction' AND r.target = t.n AND r.text = e.text AND r.user = e.user AND r.n = e.n
		WHERE e.n >= ? AND e.n < ? AND e.user IN (?`+strings.Repeat(",?", len(q.Since)-1)+`) ORDER BY e.n DESC`, args...)
	if err != nil {
		return nil, 0, s.unavailable(err)
	}
	defer rows.Close()
	seen := map[protocol.ID]bool{}
	for rows.Next() {
		var e, t protocol.Entry
		var room int64
		var id, user, target []byte
		var flags, targetFlags int
		var standing bool
		if err := rows.Scan(&room, &e.Seq, &id, &e.At, &user, &e.Nick, &flags, (*string)(&e.Kind), &e.Text, &target, &t.Seq, (*string)(&t.Kind), &targetFlags, &standing); err != nil {
			return nil, 0, s.unavailable(err)
		}
		copy(e.ID[:], id)
		copy(e.User[:], user)
		copy(t.ID[:], target)
		e.Guest, e.Bot, e.Gone, t.Gone = flags&flagGuest != 0, flags&flagBot != 0, flags&flagGone != 0, targetFlags&flagGone != 0
		s.mu.RLock()
		if r := s.byRoom[room]; r != nil && e.Seq > r.base {
			e.Room = r.info.Name
		}
		s.mu.RUnlock()
		if e.Room == "" { // removed with its room
			continue
		}
		if e, takes := toPurge(&e, &t, standing); takes && !seen[e.ID] && e.At >= nanos(q.Since[e.User]) {
			seen[e.ID] = true
			entries = append(entries, e)
		}
	}
	if err := rows.Err(); err != nil {
		return nil, 0, s.unavailable(err)
	}
	// Later entries stand after earlier ones: the first before the step says whether any
	// other can be new enough.
	next = before - postedStep
	var at int64
	switch err := s.db.QueryRowContext(ctx, "SELECT at FROM entries WHERE n < ? ORDER BY n DESC LIMIT 1", next).Scan(&at); {
	case errors.Is(err, sql.ErrNoRows):
		return entries, 0, nil
	case err != nil:
		return nil, 0, s.unavailable(err)
	case at < since:
		next = 0
	}
	return entries, next, nil
}

// nanos is a time as entries have it; the zero time is before all of them.
func nanos(t time.Time) int64 {
	if t.IsZero() {
		return math.MinInt64
	}
	return t.UnixNano()
}

// toPurge returns what is to be deleted of an entry e about t: itself, of an edit its
// target, or the reaction that it gave and that still stands.
func toPurge(e, t *protocol.Entry, standing bool) (protocol.Entry, bool) {
	switch {
	case isPurgeable(e.Kind):
		return *e, !e.Gone
	case e.Kind == protocol.KindEdit && takesFolds(t.Kind) && t.Seq > 0 && !t.Gone:
		target := *e
		target.Kind, target.Text, target.ID, target.Seq = t.Kind, "", t.ID, t.Seq
		return target, true
	case e.Kind == protocol.KindReaction && standing:
		e.Target, e.TargetSeq = t.ID, t.Seq
		return *e, true
	}
	return protocol.Entry{}, false
}

// Posted implements Store, in one step.
func (m *Memory) Posted(_ context.Context, q Posted) (entries []protocol.Entry, next int64, err error) {
	m.mu.RLock()
	defer m.mu.RUnlock()
	type given struct {
		to   protocol.ID
		by   protocol.UserID
		text string
	}
	seen := map[given]bool{}
	for _, room := range m.rooms {
		for i := range slices.Backward(room.entries) {
			e := room.entries[i]
			since, asked := q.Since[e.User]
			if !asked || e.At < nanos(since) {
				continue
			}
			var t protocol.Entry
			standing := false
			if found := room.find(e.TargetSeq); found != nil && e.TargetSeq > 0 {
				t = *found
				if f := m.folds[t.ID]; f != nil {
					standing = slices.Contains(f.users[e.Text], e.User)
				}
			}
			if e, takes := toPurge(&e, &t, standing); takes {
				one := given{to: e.ID}
				if e.Kind == protocol.KindReaction { // the newest of several is the one that stands
					one = given{e.Target, e.User, e.Text}
				}
				if !seen[one] {
					entries = append(entries, e)
				}
				seen[one] = true
			}
		}
	}
	slices.SortFunc(entries, func(a, b protocol.Entry) int { return cmp.Compare(b.At, a.At) })
	return entries, 0, nil
}

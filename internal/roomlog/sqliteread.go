package roomlog

import (
	"context"
	"database/sql"
	"errors"
	"math"
	"slices"

	"lanchat/protocol"
)

// An entry is read together with the one that it is about, t: an edit carries the
// text of that, a reaction how it stands there. Where an entry is about none, its
// target_seq is NULL and nothing is looked for.
const (
	entryColumns = `e.room, e.seq, e.id, e.at, e.user, e.nick, e.flags, e.kind,
		CASE e.kind WHEN 'edit' THEN iif(t.kind IN ('', 'action'), t.text, '') ELSE e.text END,
		e.target, coalesce(t.seq, 0), e.rev, CASE e.kind WHEN 'reaction' THEN iif(t.kind IN ('', 'action'), t.reactions, NULL) ELSE e.reactions END`
	withTarget = " LEFT JOIN entries t ON t.room = e.room AND t.seq = e.target_seq "
)

// scanEntry reads one row of entryColumns; the room is still to be named.
func scanEntry(row interface{ Scan(...any) error }) (e protocol.Entry, room int64, err error) {
	var id, user, target, reactions []byte
	var flags int
	if err := row.Scan(&room, &e.Seq, &id, &e.At, &user, &e.Nick, &flags, (*string)(&e.Kind), &e.Text, &target, &e.TargetSeq, &e.Rev, &reactions); err != nil {
		return e, 0, err
	}
	copy(e.ID[:], id)
	copy(e.User[:], user)
	copy(e.Target[:], target)
	e.Guest, e.Bot = flags&flagGuest != 0, flags&flagBot != 0
	e.Edited, e.Gone = flags&flagEdited != 0, flags&flagGone != 0
	if e.Kind == protocol.KindDelete {
		e.Purged, err = unpackSeqs(reactions)
		return e, room, err
	}
	if len(reactions) > 0 {
		if e.Reactions, err = unpackReactions(reactions); err != nil {
			return e, 0, err
		}
	}
	if e.Kind == protocol.KindReaction {
		e.Reactions = oneReaction(e.Reactions, e.Text)
	}
	return e, room, nil
}

// scan reads one row of entryColumns. An entry that was removed with its room has none.
func (s *SQLite) scan(row interface{ Scan(...any) error }) (protocol.Entry, error) {
	e, room, err := scanEntry(row)
	if err != nil {
		return e, err
	}
	s.mu.RLock()
	defer s.mu.RUnlock()
	if r := s.byRoom[room]; r != nil && e.Seq > r.base {
		e.Room = r.info.Name
	}
	return e, nil
}

// Read implements Store. It costs what it returns, however long the log is.
func (s *SQLite) Read(ctx context.Context, r Range) ([]protocol.Entry, bool, error) {
	s.mu.RLock()
	room := s.rooms[r.Room]
	var id int64
	var base uint64
	if room != nil {
		id, base = room.id, room.base
	}
	s.mu.RUnlock()
	if room == nil {
		return nil, false, nil
	}
	before, order := int64(math.MaxInt64), "DESC"
	if r.Before > 0 && r.Before < math.MaxInt64 {
		before = int64(r.Before)
	}
	if r.Oldest {
		order = "ASC"
	}
	rows, err := s.db.QueryContext(ctx, "SELECT "+entryColumns+" FROM entries e"+withTarget+"WHERE e.room = ? AND e.seq > ? AND e.seq < ? ORDER BY e.seq "+order+" LIMIT ?",
		id, int64(min(max(r.After, base), math.MaxInt64)), before, r.Limit+1)
	if err != nil {
		return nil, false, s.unavailable(err)
	}
	defer rows.Close()
	var out []protocol.Entry
	bytes := 0
	more := false
	for rows.Next() {
		e, err := s.scan(rows)
		if err != nil {
			return nil, false, s.unavailable(err)
		}
		if bytes += e.MaxSize(); len(out) == r.Limit || bytes > r.Bytes && len(out) > 0 {
			more = true
			break
		}
		out = append(out, e)
	}
	if err := rows.Err(); err != nil {
		return nil, false, s.unavailable(err)
	}
	if !r.Oldest {
		slices.Reverse(out)
	}
	return out, more, nil
}

// Find implements Store.
func (s *SQLite) Find(ctx context.Context, id protocol.ID) (protocol.Entry, bool, error) {
	e, err := s.scan(s.db.QueryRowContext(ctx, "SELECT "+entryColumns+" FROM entries e"+withTarget+"WHERE e.id = ?", id[:]))
	switch {
	case errors.Is(err, sql.ErrNoRows):
		return e, false, nil
	case err != nil:
		return e, false, s.unavailable(err)
	case e.Room == "":
		return protocol.Entry{}, false, nil
	}
	return e, true, nil
}

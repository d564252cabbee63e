package roomlog

import (
	"bytes"
	"context"
	"database/sql"
	"errors"

	"lanchat/protocol"
)

// folder folds entries into the ones that they are about, in the transaction
// that adds them. It works on the writing connection, under writing.
type folder struct {
	find, edit, blank, forgetEdits, react, give, take, first, clear, mark, at, purged *sql.Stmt

	// marked is set where a text was replaced: the purger has to be woken when
	// the transaction is committed.
	marked bool
}

func newFolder(ctx context.Context, c *sql.Conn) (*folder, error) {
	f := &folder{}
	for _, s := range []struct {
		stmt  **sql.Stmt
		query string
	}{
		{&f.find, "SELECT n, seq, flags, kind, text, target, rev, reactions FROM entries WHERE id = ? AND room = ?"},
		{&f.edit, "UPDATE entries SET text = ?, flags = flags | ?, rev = ?, sum = coalesce(sum, ?) WHERE n = ?"},
		{&f.blank, "UPDATE entries SET text = '', flags = flags & ~? | ?, rev = ?, sum = NULL, reactions = NULL WHERE n = ?"},
		{&f.forgetEdits, "UPDATE entries SET sum = NULL WHERE room = ? AND target_seq = ? AND kind = 'edit'"},
		{&f.react, "UPDATE entries SET reactions = ?, rev = ? WHERE n = ?"},
		{&f.give, "INSERT INTO reactions (target, text, user, n) VALUES (?,?,?,?)"},
		{&f.take, "DELETE FROM reactions WHERE target = ? AND text = ? AND user = ?"},
		{&f.first, "SELECT user FROM reactions WHERE target = ? AND text = ? ORDER BY n LIMIT ?"},
		{&f.clear, "DELETE FROM reactions WHERE target = ?"},
		{&f.at, "SELECT n, flags, kind, rev, reactions IS NOT NULL FROM entries WHERE room = ? AND seq = ?"},
		{&f.purged, "UPDATE entries SET reactions = ? WHERE n = ?"},
		{&f.mark, "INSERT INTO meta (name, value) VALUES (?,?) ON CONFLICT DO UPDATE SET value = excluded.value"},
	} {
		var err error
		if *s.stmt, err = c.PrepareContext(ctx, s.query); err != nil {
			return nil, errors.Join(err, f.close())
		}
	}
	return f, nil
}

func (f *folder) close() error {
	var errs []error
	for _, stmt := range []*sql.Stmt{f.find, f.edit, f.blank, f.forgetEdits, f.react, f.give, f.take, f.first, f.clear, f.mark, f.at, f.purged} {
		if stmt != nil {
			errs = append(errs, stmt.Close())
		}
	}
	return errors.Join(errs...)
}

// target is the entry that another one is about, as it stands before that.
type target struct {
	protocol.Entry
	n, room int64
	flags   int
}

// target finds an entry of a room; nil when it is not there.
func (f *folder) target(ctx context.Context, room int64, id protocol.ID) (*target, error) {
	t := &target{room: room, Entry: protocol.Entry{ID: id}}
	var about, reactions []byte
	err := f.find.QueryRowContext(ctx, id[:], room).Scan(&t.n, &t.Seq, &t.flags, (*string)(&t.Kind), &t.Text, &about, &t.Rev, &reactions)
	switch {
	case errors.Is(err, sql.ErrNoRows):
		return nil, nil
	case err != nil:
		return nil, err
	}
	copy(t.Target[:], about)
	t.Gone = t.flags&flagGone != 0
	if takesFolds(t.Kind) { // a purge has the column too
		t.Reactions, err = unpackReactions(reactions)
	}
	return t, err
}

// isOpen is true for a target that can be changed.
func (t *target) isOpen() bool { return t != nil && takesFolds(t.Kind) && !t.Gone }

// isFull is true for a target that refuses a reaction.
func (t *target) isFull(e *protocol.Entry) bool {
	return e.Kind == protocol.KindReaction && t.isOpen() && isReaction(e.Text) && isFull(t.Reactions, e.Text)
}

// fold folds an entry of a room that stands at place n into its target, and makes the
// entry what those are sent who hear of it now.
func (f *folder) fold(ctx context.Context, room int64, t *target, e *protocol.Entry, n int64) error {
	switch e.Kind {
	case protocol.KindEdit:
		return f.foldEdit(ctx, t, e, n)
	case protocol.KindDelete:
		if len(e.Purged) > 0 {
			return f.foldPurge(ctx, room, e, n)
		}
		return f.foldDelete(ctx, t, e, n)
	case protocol.KindReaction:
		return f.foldReaction(ctx, t, e, n)
	}
	return nil
}

func (f *folder) foldEdit(ctx context.Context, t *target, e *protocol.Entry, n int64) error {
	if !t.isOpen() {
		e.Text = ""
		return nil
	}
	if e.Text == "" { // imported: its text was replaced in its turn, or is not known
		e.Text = t.Text
	}
	var sum []byte
	if t.flags&flagEdited == 0 { // else it is kept already, or was never known
		sum = contentSum(&t.Entry)
	}
	if _, err := f.edit.ExecContext(ctx, e.Text, flagEdited, int64(e.Seq), sum, t.n); err != nil {
		return err
	}
	return f.markPurge(ctx, n, e.At)
}

func (f *folder) foldDelete(ctx context.Context, t *target, e *protocol.Entry, n int64) error {
	// One that was imported as gone, without a rev, waits for the entry that did it.
	if t == nil || !takesFolds(t.Kind) || t.Gone && t.Rev > 0 {
		return nil
	}
	if err := f.delete(ctx, t.n, t.room, t.Seq, e.Seq, t.Reactions != nil); err != nil {
		return err
	}
	return f.markPurge(ctx, n, e.At)
}

// delete leaves of the entry at place n its place alone; rev is the seq of what does it.
func (f *folder) delete(ctx context.Context, n, room int64, seq, rev uint64, reacted bool) error {
	if _, err := f.blank.ExecContext(ctx, flagEdited, flagGone, int64(rev), n); err != nil {
		return err
	}
	if _, err := f.forgetEdits.ExecContext(ctx, room, int64(seq)); err != nil {
		return err
	}
	if !reacted {
		return nil
	}
	_, err := f.clear.ExecContext(ctx, n)
	return err
}

// foldPurge deletes all that a purge's entry names.
func (f *folder) foldPurge(ctx context.Context, room int64, e *protocol.Entry, n int64) error {
	if _, err := f.purged.ExecContext(ctx, packSeqs(e.Purged), n); err != nil {
		return err
	}
	for _, seq := range e.Purged {
		var at int64
		var flags int
		var kind protocol.Kind
		var rev uint64
		var reacted bool
		err := f.at.QueryRowContext(ctx, room, int64(seq)).Scan(&at, &flags, (*string)(&kind), &rev, &reacted)
		switch {
		case errors.Is(err, sql.ErrNoRows):
			continue
		case err != nil:
			return err
		case at >= n || !isPurgeable(kind) || flags&flagGone != 0 && rev > 0:
			continue
		}
		if err := f.delete(ctx, at, room, seq, e.Seq, reacted); err != nil {
			return err
		}
	}
	return f.markPurge(ctx, n, e.At)
}

func (f *folder) foldReaction(ctx context.Context, t *target, e *protocol.Entry, n int64) error {
	e.Reactions = oneReaction(nil, e.Text)
	if !t.isOpen() || !isReaction(e.Text) || isFull(t.Reactions, e.Text) {
		return nil
	}
	result, err := f.take.ExecContext(ctx, t.n, e.Text, e.User[:])
	if err != nil {
		return err
	}
	taken, err := result.RowsAffected()
	if err != nil {
		return err
	}
	var list []protocol.Reaction
	if taken > 0 {
		first, err := f.firstReactors(ctx, t.n, e.Text)
		if err != nil {
			return err
		}
		list = tookReaction(t.Reactions, e.Text, first)
	} else {
		if _, err := f.give.ExecContext(ctx, t.n, e.Text, e.User[:], n); err != nil {
			return err
		}
		list = gaveReaction(t.Reactions, e.Text, e.User)
	}
	e.Reactions = oneReaction(list, e.Text)
	_, err = f.react.ExecContext(ctx, packReactions(list), int64(e.Seq), t.n)
	return err
}

func (f *folder) firstReactors(ctx context.Context, target int64, text string) (users []protocol.UserID, err error) {
	rows, err := f.first.QueryContext(ctx, target, text, reactors)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	for rows.Next() {
		var raw []byte
		if err := rows.Scan(&raw); err != nil {
			return nil, err
		}
		var u protocol.UserID
		copy(u[:], raw)
		users = append(users, u)
	}
	return users, rows.Err()
}

// markPurge notes in the file that an older text is to be rid of.
func (f *folder) markPurge(ctx context.Context, n, at int64) error {
	f.marked = true
	_, err := f.mark.ExecContext(ctx, metaReplaced, metaValue(n, at))
	return err
}

// matches reports whether a post says what an entry said that has its id. kind,
// text and about are the row's; sum stands for the content that it had at first
// where that is not the row's any more.
func matches(e *protocol.Entry, flags int, kind protocol.Kind, text string, about, sum []byte) bool {
	switch {
	case sum != nil:
		return bytes.Equal(sum, contentSum(e))
	case flags&(flagGone|flagEdited) != 0 || kind == protocol.KindEdit:
		return true // what it said is not known any more
	}
	return e.Kind == kind && e.Text == text && sameTarget(e.Target, about)
}

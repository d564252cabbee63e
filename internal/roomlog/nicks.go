package roomlog

import (
	"bytes"
	"context"
	"database/sql"
	"errors"
	"slices"
	"time"

	"lanchat/internal/nicks"
	"lanchat/protocol"
)

// The bounds of nick bindings.
const (
	NicksPerUser = 3
	NickExpiry   = 90 * 24 * time.Hour
)

// nickUse is how exactly the last use of a nick is kept: not each connection
// should cost a commit.
const nickUse = time.Hour

// memoryBinding is a nick in a Memory, under each of its keys.
type memoryBinding struct {
	nick  string
	user  protocol.UserID
	used  time.Time
	since time.Time // when it went from another user to this one; zero: never
}

// NickOwner implements Store.
func (m *Memory) NickOwner(nick string) (protocol.UserID, bool) {
	m.mu.RLock()
	defer m.mu.RUnlock()
	for _, key := range nicks.Keys(nick) {
		if b, ok := m.nicks[key]; ok && m.now().Sub(b.used) <= NickExpiry {
			return b.user, true
		}
	}
	return protocol.UserID{}, false
}

// BindNick implements Store. When 65,536 keys are bound, no new one is, and the nick
// stays free for all.
func (m *Memory) BindNick(nick string, user protocol.UserID, at time.Time) (since time.Time, err error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	keys := nicks.Keys(nick)
	for _, key := range keys {
		b, known := m.nicks[key]
		switch {
		case !known:
		case b.user == user:
			since = later(since, b.since)
		case at.Sub(b.used) <= NickExpiry:
			return time.Time{}, ErrNickTaken
		default:
			since = at
		}
	}
	if len(m.nicks) >= memoryNicks {
		return since, nil
	}
	for _, key := range keys {
		if b, known := m.nicks[key]; known && b.nick != nick { // one that looks like it makes place
			m.forgetNick(b)
		}
	}
	for _, key := range keys {
		m.nicks[key] = memoryBinding{nick, user, at, since}
	}
	own := append(slices.DeleteFunc(m.owned[user], func(n string) bool { return n == nick }), nick) // used last
	m.owned[user] = own
	if len(own) > NicksPerUser {
		m.forgetNick(memoryBinding{nick: own[0], user: user})
	}
	return since, nil
}

// forgetNick ends a binding.
func (m *Memory) forgetNick(b memoryBinding) {
	for _, key := range nicks.Keys(b.nick) {
		if m.nicks[key].nick == b.nick && m.nicks[key].user == b.user {
			delete(m.nicks, key)
		}
	}
	m.owned[b.user] = slices.DeleteFunc(m.owned[b.user], func(n string) bool { return n == b.nick })
	if len(m.owned[b.user]) == 0 {
		delete(m.owned, b.user)
	}
}

func later(a, b time.Time) time.Time {
	if b.After(a) {
		return b
	}
	return a
}

// NickOwner implements Store.
func (s *SQLite) NickOwner(nick string) (protocol.UserID, bool) {
	oldest := s.now().Add(-NickExpiry).Unix()
	for _, key := range nicks.Keys(nick) {
		b, known, as := s.bound.get(key)
		if !known {
			var err error
			if b, err = s.nickBinding(key); err != nil {
				continue // as nobody's: to bind it fails too
			}
			s.bound.put(key, b, as)
		}
		if !b.user.IsZero() && b.used >= oldest {
			return b.user, true
		}
	}
	return protocol.UserID{}, false
}

// nickBinding is what the file has of a key.
func (s *SQLite) nickBinding(key string) (b nickBinding, err error) {
	owner, err := s.prepareNickOwner()
	if err != nil {
		return nickBinding{}, err
	}
	var raw []byte
	switch err := owner.QueryRow(key).Scan(&raw, &b.used); {
	case errors.Is(err, sql.ErrNoRows):
		return nickBinding{}, nil
	case err != nil:
		return nickBinding{}, err
	case len(raw) != len(b.user):
		return nickBinding{}, nil
	}
	b.user = protocol.UserID(raw)
	return b, nil
}

// prepareNickOwner prepares the statement once: everybody who comes has it run, some
// several times, and to parse it takes longer than to run it.
func (s *SQLite) prepareNickOwner() (*sql.Stmt, error) {
	if owner := s.nickOwner.Load(); owner != nil {
		return owner, nil
	}
	owner, err := s.db.Prepare("SELECT user, used FROM nicks WHERE key = ?")
	if err != nil {
		return nil, err
	}
	if !s.nickOwner.CompareAndSwap(nil, owner) {
		owner.Close()
	}
	return s.nickOwner.Load(), nil
}

// BindNick implements Store.
func (s *SQLite) BindNick(nick string, user protocol.UserID, at time.Time) (since time.Time, err error) {
	ctx := context.Background()
	s.writing.Lock()
	defer s.writing.Unlock()
	keys := nicks.Keys(nick)
	fresh := true
	for _, key := range keys {
		var raw []byte
		var shown string
		var used, changed int64
		err := s.w.QueryRowContext(ctx, "SELECT nick, user, used, since FROM nicks WHERE key = ?", key).Scan(&shown, &raw, &used, &changed)
		mine := bytes.Equal(raw, user[:])
		switch old := at.Sub(time.Unix(used, 0)); {
		case errors.Is(err, sql.ErrNoRows):
			fresh = false
		case err != nil:
			return since, s.unavailable(err)
		case !mine && old <= NickExpiry:
			return time.Time{}, ErrNickTaken
		case !mine:
			since, fresh = at, false
		case changed != 0:
			since = later(since, time.Unix(changed, 0))
			fallthrough
		default:
			fresh = fresh && shown == nick && old < nickUse
		}
	}
	if fresh {
		return since, nil
	}
	defer s.bound.forget()
	return since, s.transact(ctx, func(ctx context.Context) error { return s.bind(ctx, s.w, nick, keys, user, at, since) })
}

// bind writes a binding, and forgets those of its user that are too many.
func (s *SQLite) bind(ctx context.Context, c *sql.Conn, nick string, keys []string, user protocol.UserID, at, since time.Time) error {
	changed := int64(0)
	if !since.IsZero() {
		changed = since.Unix()
	}
	for _, key := range keys {
		if _, err := c.ExecContext(ctx, `INSERT INTO nicks (key, nick, user, used, since) VALUES (?,?,?,?,?)
			ON CONFLICT DO UPDATE SET nick = excluded.nick, user = excluded.user, used = excluded.used, since = excluded.since`, key, nick, user[:], at.Unix(), changed); err != nil {
			return err
		}
	}
	_, err := c.ExecContext(ctx, `DELETE FROM nicks WHERE user = ?1 AND nick <> ?2 AND nick NOT IN
		(SELECT nick FROM nicks WHERE user = ?1 AND nick <> ?2 GROUP BY nick ORDER BY max(used) DESC, nick LIMIT ?3)`, user[:], nick, NicksPerUser-1)
	return err
}

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

package roomlog

import (
	"bytes"
	"context"
	"database/sql"
	"errors"
	"maps"
	"slices"
	"sync/atomic"
	"time"

	"lanchat/internal/nicks"
	"lanchat/protocol"
)

// The bounds of nick bindings.
const (
	NicksPerUser = 3
	NickExpiry   = 90 * 24 * time.Hour
)

// maxNickKeys is how many keys of nicks the file has; above it those that were not used
// for longest are forgotten, a sixteenth at a time.
var maxNickKeys = int64(1 << 18)

// nickUse is how exactly the last use of a nick is kept: not each connection
// should cost a commit.
const nickUse = time.Hour

// memoryBinding is a nick in a Memory, under each of its keys.
type memoryBinding struct {
	nick  string
	user  protocol.UserID
	used  time.Time
	since time.Time // when it went from another user to this one; zero: never
	bound time.Time
}

// bindings returns what is known of the keys of a nick.
func (m *Memory) bindings(nick string) (all []nickBinding) {
	m.mu.RLock()
	defer m.mu.RUnlock()
	for _, key := range nicks.Keys(nick) {
		if b, ok := m.nicks[key]; ok {
			all = append(all, nickBinding{b.user, b.used.Unix()})
		}
	}
	return all
}

// NickOwner implements Store.
func (m *Memory) NickOwner(nick string) (protocol.UserID, bool) {
	return nickOwner(m.bindings(nick), m.now())
}

// NickLapsed implements Store.
func (m *Memory) NickLapsed(nick string, user protocol.UserID) bool {
	return nickLapsed(m.bindings(nick), user, m.now())
}

// nickOwner is whose the bindings of a nick's keys are.
func nickOwner(keys []nickBinding, now time.Time) (owner protocol.UserID, bound bool) {
	for _, b := range keys {
		if !b.counts(now) {
			continue
		}
		if bound && owner != b.user {
			return protocol.UserID{}, true
		}
		owner, bound = b.user, true
	}
	return owner, bound
}

func nickLapsed(keys []nickBinding, user protocol.UserID, now time.Time) bool {
	return slices.ContainsFunc(keys, func(b nickBinding) bool { return !b.user.IsZero() && b.user != user && !b.counts(now) })
}

// counts reports whether the key is bound.
func (b nickBinding) counts(now time.Time) bool {
	return !b.user.IsZero() && b.used >= now.Add(-NickExpiry).Unix()
}

// BindNick implements Store. When 65,536 keys are known, those that were not used for
// longest make place.
func (m *Memory) BindNick(nick string, user protocol.UserID, at time.Time) (since time.Time, err error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	keys := nicks.Keys(nick)
	bound := at
	for _, key := range keys {
		b, known := m.nicks[key]
		switch {
		case !known:
		case b.user == user:
			since = later(since, b.since)
			if at.Sub(b.used) <= NickExpiry {
				bound = b.bound
			}
		case at.Sub(b.used) <= NickExpiry:
			return time.Time{}, ErrNickTaken
		default:
			since = at
		}
	}
	if len(m.nicks) >= memoryNicks {
		m.dropOldNicks()
	}
	for _, key := range keys {
		if b, known := m.nicks[key]; known && b.nick != nick { // one that looks like it makes place
			m.forgetNick(b)
		}
	}
	for _, key := range keys {
		m.nicks[key] = memoryBinding{nick, user, at, since, bound}
	}
	own := append(slices.DeleteFunc(m.owned[user], func(n string) bool { return n == nick }), nick) // used last
	m.owned[user] = own
	if len(own) > NicksPerUser {
		m.forgetNick(memoryBinding{nick: own[0], user: user})
	}
	return since, nil
}

// Nicks implements Store.
func (m *Memory) Nicks(user protocol.UserID) (all []NickBinding) {
	m.mu.RLock()
	defer m.mu.RUnlock()
	for _, nick := range slices.Backward(m.owned[user]) {
		for _, key := range nicks.Keys(nick) {
			if b := m.nicks[key]; b.nick == nick && b.user == user && m.now().Sub(b.used) <= NickExpiry {
				all = append(all, NickBinding{nick, b.bound, b.used})
				break
			}
		}
	}
	return all
}

// UnbindNick implements Store.
func (m *Memory) UnbindNick(nick string, user protocol.UserID) (freed []string, err error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, own := range slices.Clone(m.owned[user]) {
		if nick != "" && !nicks.Same(nick, own) {
			continue
		}
		for _, key := range nicks.Keys(own) {
			if b := m.nicks[key]; b.nick == own && b.user == user && m.now().Sub(b.used) <= NickExpiry {
				// As one that was not used for long: whoever has it next is marked.
				b.used = time.Time{}
				m.nicks[key] = b
				freed = append(freed, own)
			}
		}
	}
	freed = slices.Compact(freed)
	// They make place before those that are bound.
	bound := slices.DeleteFunc(slices.Clone(m.owned[user]), func(n string) bool { return slices.Contains(freed, n) })
	if len(freed) > 0 {
		m.owned[user] = append(slices.Clone(freed), bound...)
	}
	return freed, nil
}

// dropOldNicks forgets a sixteenth of the keys, those that were not used for longest.
func (m *Memory) dropOldNicks() {
	all := slices.SortedFunc(maps.Values(m.nicks), func(a, b memoryBinding) int { return a.used.Compare(b.used) })
	for _, b := range all[:len(all)/16+1] {
		m.forgetNick(b)
	}
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

// bindings returns what is known of the keys of a nick.
func (s *SQLite) bindings(nick string) (all []nickBinding) {
	for _, key := range nicks.Keys(nick) {
		b, known, as := s.bound.get(key)
		if !known {
			var err error
			if b, err = s.nickBinding(key); err != nil {
				continue // as nobody's: to bind it fails too
			}
			s.bound.put(key, b, as)
		}
		all = append(all, b)
	}
	return all
}

// NickOwner implements Store.
func (s *SQLite) NickOwner(nick string) (protocol.UserID, bool) {
	return nickOwner(s.bindings(nick), s.now())
}

// NickLapsed implements Store.
func (s *SQLite) NickLapsed(nick string, user protocol.UserID) bool {
	return nickLapsed(s.bindings(nick), user, s.now())
}

// nickBinding is what the file has of a key.
func (s *SQLite) nickBinding(key string) (b nickBinding, err error) {
	owner, err := s.prepareOnce(&s.nickOwner, "SELECT user, used FROM nicks WHERE key = ?")
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

// prepareOnce prepares a statement of the readers once: everybody who comes has it run,
// some several times, and to parse it takes longer than to run it.
func (s *SQLite) prepareOnce(once *atomic.Pointer[sql.Stmt], query string) (*sql.Stmt, error) {
	if stmt := once.Load(); stmt != nil {
		return stmt, nil
	}
	stmt, err := s.db.Prepare(query)
	if err != nil {
		return nil, err
	}
	if !once.CompareAndSwap(nil, stmt) {
		stmt.Close()
	}
	return once.Load(), nil
}

// BindNick implements Store.
func (s *SQLite) BindNick(nick string, user protocol.UserID, at time.Time) (since time.Time, err error) {
	ctx := context.Background()
	s.writing.Lock()
	defer s.writing.Unlock()
	if s.standby.Load() {
		return since, s.unavailable(errStandby)
	}
	keys := nicks.Keys(nick)
	fresh := true
	bound := at.Unix()
	for _, key := range keys {
		var raw []byte
		var shown string
		var used, changed, began int64
		err := s.w.QueryRowContext(ctx, "SELECT nick, user, used, since, bound FROM nicks WHERE key = ?", key).Scan(&shown, &raw, &used, &changed, &began)
		mine := bytes.Equal(raw, user[:])
		if mine && at.Sub(time.Unix(used, 0)) <= NickExpiry {
			bound = began
		}
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
	return since, s.transact(ctx, func(ctx context.Context) error { return s.bind(ctx, s.w, nick, keys, user, at, since, bound) })
}

// bind writes a binding, and forgets those of its user that are too many.
func (s *SQLite) bind(ctx context.Context, c *sql.Conn, nick string, keys []string, user protocol.UserID, at, since time.Time, bound int64) error {
	changed := int64(0)
	if !since.IsZero() {
		changed = since.Unix()
	}
	if err := s.dropOldNicks(ctx, c, len(keys)); err != nil {
		return err
	}
	for _, key := range keys {
		if _, err := c.ExecContext(ctx, `INSERT INTO nicks (key, nick, user, used, since, bound) VALUES (?,?,?,?,?,?)
			ON CONFLICT DO UPDATE SET nick = excluded.nick, user = excluded.user, used = excluded.used, since = excluded.since, bound = excluded.bound`,
			key, nick, user[:], at.Unix(), changed, bound); err != nil {
			return err
		}
	}
	_, err := c.ExecContext(ctx, `DELETE FROM nicks WHERE user = ?1 AND nick <> ?2 AND nick NOT IN
		(SELECT nick FROM nicks WHERE user = ?1 AND nick <> ?2 GROUP BY nick ORDER BY max(used) DESC, nick LIMIT ?3)`, user[:], nick, NicksPerUser-1)
	return err
}

// dropOldNicks forgets keys where the file has as many as it may, before more are added.
// The number is an upper bound until it is counted anew.
func (s *SQLite) dropOldNicks(ctx context.Context, c *sql.Conn, more int) error {
	if s.nickKeys += int64(more); s.nickKeys > int64(more) && s.nickKeys <= maxNickKeys {
		return nil
	}
	if err := c.QueryRowContext(ctx, "SELECT count(*) FROM nicks").Scan(&s.nickKeys); err != nil {
		return err
	}
	if s.nickKeys += int64(more); s.nickKeys <= maxNickKeys {
		return nil
	}
	_, err := c.ExecContext(ctx, "DELETE FROM nicks WHERE key IN (SELECT key FROM nicks ORDER BY used LIMIT ?)", maxNickKeys/16+1)
	s.nickKeys = 0 // is counted next time
	return err
}

// Nicks implements Store.
func (s *SQLite) Nicks(user protocol.UserID) (all []NickBinding) {
	list, err := s.prepareOnce(&s.nicksOf, "SELECT nick, max(used), max(bound) FROM nicks WHERE user = ? AND used >= ? GROUP BY nick ORDER BY max(used) DESC, nick")
	if err != nil {
		return nil
	}
	rows, err := list.Query(user[:], s.now().Add(-NickExpiry).Unix())
	if err != nil {
		return nil
	}
	defer rows.Close()
	for rows.Next() {
		var nick string
		var used, bound int64
		if rows.Scan(&nick, &used, &bound) != nil {
			return nil
		}
		b := NickBinding{Nick: nick, Used: time.Unix(used, 0)}
		if bound != 0 {
			b.Bound = time.Unix(bound, 0)
		}
		all = append(all, b)
	}
	if rows.Err() != nil {
		return nil
	}
	return all
}

// UnbindNick implements Store.
func (s *SQLite) UnbindNick(nick string, user protocol.UserID) (freed []string, err error) {
	ctx := context.Background()
	s.writing.Lock()
	defer s.writing.Unlock()
	defer s.bound.forget()
	err = s.transact(ctx, func(ctx context.Context) error {
		rows, err := s.w.QueryContext(ctx, "SELECT DISTINCT nick FROM nicks WHERE user = ? AND used >= ? ORDER BY nick", user[:], s.now().Add(-NickExpiry).Unix())
		if err != nil {
			return err
		}
		defer rows.Close()
		for rows.Next() {
			var own string
			if err := rows.Scan(&own); err != nil {
				return err
			}
			if nick == "" || nicks.Same(nick, own) {
				freed = append(freed, own)
			}
		}
		if err := errors.Join(rows.Err(), rows.Close()); err != nil {
			return err
		}
		for _, own := range freed {
			// As one that was not used for long: whoever has it next is marked.
			if _, err := s.w.ExecContext(ctx, "UPDATE nicks SET used = 0 WHERE user = ? AND nick = ?", user[:], own); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	return freed, nil
}

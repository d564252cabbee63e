package roomlog

import (
	"cmp"
	"context"
	"database/sql"
	"errors"
	"fmt"
	"slices"
	"time"
)

// Fact is something that a server remembers beside its entries: a ban, an
// invitation, who may see a room. What a kind's keys and values mean is for
// whoever sets them.
type Fact struct {
	Kind, Key string
	Value     []byte
	Until     time.Time // it does not count any more then; zero: for good
}

// The bounds of facts.
const (
	MaxFacts     = 1 << 17 // of all kinds together
	MaxFactValue = 4 << 10 // bytes
)

// ErrFacts says that there are as many facts as there may be.
var ErrFacts = errors.New("the server remembers as much as it may: remove something first")

func (f *Fact) check() error {
	if f.Kind == "" || f.Key == "" || len(f.Kind)+len(f.Key) > 1<<10 || len(f.Value) > MaxFactValue {
		return fmt.Errorf("a fact needs a kind and a key, and its value has at most %d bytes", MaxFactValue)
	}
	return nil
}

func (f *Fact) over(now time.Time) bool { return !f.Until.IsZero() && !now.Before(f.Until) }

type factKey struct{ kind, key string }

// Facts implements Store.
func (m *Memory) Facts(kind string) ([]Fact, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	now := m.now()
	var facts []Fact
	for k, f := range m.facts {
		switch {
		case f.over(now):
			delete(m.facts, k)
		case f.Kind == kind:
			facts = append(facts, f)
		}
	}
	slices.SortFunc(facts, func(a, b Fact) int { return cmp.Compare(a.Key, b.Key) })
	return facts, nil
}

// SetFact implements Store.
func (m *Memory) SetFact(f Fact) error {
	if err := f.check(); err != nil {
		return err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	k := factKey{f.Kind, f.Key}
	if _, known := m.facts[k]; !known && len(m.facts) >= MaxFacts {
		return ErrFacts
	}
	f.Value = slices.Clone(f.Value)
	m.facts[k] = f
	return nil
}

// DropFact implements Store.
func (m *Memory) DropFact(kind, key string) error { return m.DropFacts(kind, []string{key}) }

// DropFacts implements Store.
func (m *Memory) DropFacts(kind string, keys []string) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, key := range keys {
		delete(m.facts, factKey{kind, key})
	}
	return nil
}

// Facts implements Store.
func (s *SQLite) Facts(kind string) ([]Fact, error) {
	rows, err := s.db.Query("SELECT key, value, until FROM facts WHERE kind = ? AND (until = 0 OR until > ?) ORDER BY key", kind, s.now().UnixNano())
	if err != nil {
		return nil, s.unavailable(err)
	}
	defer rows.Close()
	var facts []Fact
	for rows.Next() {
		f := Fact{Kind: kind}
		var until int64
		if err := rows.Scan(&f.Key, &f.Value, &until); err != nil {
			return nil, s.unavailable(err)
		}
		if until != 0 {
			f.Until = time.Unix(0, until)
		}
		facts = append(facts, f)
	}
	if err := rows.Err(); err != nil {
		return nil, s.unavailable(err)
	}
	return facts, nil
}

// SetFact implements Store.
func (s *SQLite) SetFact(f Fact) error {
	if err := f.check(); err != nil {
		return err
	}
	until := int64(0)
	if !f.Until.IsZero() {
		until = f.Until.UnixNano()
	}
	s.writing.Lock()
	defer s.writing.Unlock()
	full, count := false, 0
	err := s.transact(context.Background(), func(ctx context.Context) error {
		count = s.facts
		over, err := s.w.ExecContext(ctx, "DELETE FROM facts WHERE until <> 0 AND until <= ?", s.now().UnixNano())
		if err := dropped(over, err, &count); err != nil {
			return err
		}
		var known bool
		if err := s.w.QueryRowContext(ctx, "SELECT EXISTS (SELECT 1 FROM facts WHERE kind = ? AND key = ?)", f.Kind, f.Key).Scan(&known); err != nil {
			return err
		}
		if full = !known && count >= MaxFacts; full {
			return nil
		}
		if !known {
			count++
		}
		_, err = s.w.ExecContext(ctx, "INSERT INTO facts (kind, key, value, until) VALUES (?,?,?,?) ON CONFLICT DO UPDATE SET value = excluded.value, until = excluded.until",
			f.Kind, f.Key, append([]byte{}, f.Value...), until)
		return err
	})
	if err != nil {
		return err
	}
	if s.facts = count; full {
		return ErrFacts
	}
	return nil
}

// DropFact implements Store.
func (s *SQLite) DropFact(kind, key string) error { return s.DropFacts(kind, []string{key}) }

// dropStep is how many facts one commit drops: posts wait for it.
const dropStep = 500

// DropFacts implements Store.
func (s *SQLite) DropFacts(kind string, keys []string) error {
	for step := range slices.Chunk(keys, dropStep) {
		if err := s.dropFacts(kind, step); err != nil {
			return err
		}
	}
	return nil
}

func (s *SQLite) dropFacts(kind string, keys []string) error {
	s.writing.Lock()
	defer s.writing.Unlock()
	count := 0
	err := s.transact(context.Background(), func(ctx context.Context) error {
		count = s.facts
		for _, key := range keys {
			one, err := s.w.ExecContext(ctx, "DELETE FROM facts WHERE kind = ? AND key = ?", kind, key)
			if err := dropped(one, err, &count); err != nil {
				return err
			}
		}
		return nil
	})
	if err == nil {
		s.facts = count
	}
	return err
}

// dropped takes the rows of a DELETE from a count.
func dropped(result sql.Result, err error, count *int) error {
	if err != nil {
		return err
	}
	n, err := result.RowsAffected()
	*count -= int(n)
	return err
}

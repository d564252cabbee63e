package roomlog

import (
	"errors"
	"fmt"
	"testing"
	"time"
)

func TestFacts(t *testing.T) {
	eachStore(t, func(t *testing.T, s Store) {
		now := time.Now()
		switch s := s.(type) {
		case *Memory:
			s.now = func() time.Time { return now }
		case *SQLite:
			s.now = func() time.Time { return now }
		}
		set := func(f Fact) {
			t.Helper()
			if err := s.SetFact(f); err != nil {
				t.Fatal(err)
			}
		}
		is := func(kind string, want ...string) {
			t.Helper()
			facts, err := s.Facts(kind)
			if err != nil {
				t.Fatal(err)
			}
			var got []string
			for _, f := range facts {
				got = append(got, f.Key+"="+string(f.Value))
			}
			if fmt.Sprint(got) != fmt.Sprint(want) {
				t.Errorf("of the kind %s there is %v, want %v", kind, got, want)
			}
		}
		set(Fact{Kind: "ban", Key: "b", Value: []byte("1")})
		set(Fact{Kind: "ban", Key: "a", Value: []byte("2"), Until: now.Add(time.Hour)})
		set(Fact{Kind: "op", Key: "a"})
		is("ban", "a=2", "b=1")
		is("op", "a=")
		set(Fact{Kind: "ban", Key: "b", Value: []byte("3")})
		now = now.Add(time.Hour)
		is("ban", "b=3")
		if err := s.DropFact("ban", "b"); err != nil {
			t.Fatal(err)
		}
		is("ban")
		is("op", "a=")
		for _, bad := range []Fact{{Kind: "ban"}, {Key: "a"}, {Kind: "ban", Key: "a", Value: make([]byte, MaxFactValue+1)}} {
			if s.SetFact(bad) == nil {
				t.Errorf("%.20v was taken", bad)
			}
		}
	})
}

// What is remembered is there after a restart, and nothing above the bound.
func TestFactsStay(t *testing.T) {
	dir := t.TempDir()
	s, err := OpenSQLite(dir)
	if err != nil {
		t.Fatal(err)
	}
	if err := s.SetFact(Fact{Kind: "ban", Key: "a", Value: []byte("x")}); err != nil {
		t.Fatal(err)
	}
	// As many as there may be, in one statement: each by itself would be a commit.
	if _, err := s.w.ExecContext(t.Context(), `WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i+1 FROM n WHERE i < ?)
		INSERT INTO facts (kind, key, value, until) SELECT 'filling', i, x'', 0 FROM n`, MaxFacts-1); err != nil {
		t.Fatal(err)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	if s, err = OpenSQLite(dir); err != nil { // they are counted as the log is opened
		t.Fatal(err)
	}
	if err := s.SetFact(Fact{Kind: "ban", Key: "b"}); !errors.Is(err, ErrFacts) {
		t.Errorf("one too many: %v", err)
	}
	if err := s.SetFact(Fact{Kind: "ban", Key: "a", Value: []byte("y")}); err != nil {
		t.Errorf("one that there is already: %v", err)
	}
	if err := s.DropFacts("filling", []string{"1", "2", "none"}); err != nil {
		t.Error(err)
	}
	for _, key := range []string{"a", "b"} {
		if err := s.SetFact(Fact{Kind: "other", Key: key}); err != nil {
			t.Errorf("where two were dropped: %v", err)
		}
	}
	if err := s.SetFact(Fact{Kind: "ban", Key: "b"}); !errors.Is(err, ErrFacts) {
		t.Errorf("one too many: %v", err)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	if s, err = OpenSQLite(dir); err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	if facts, err := s.Facts("ban"); err != nil || len(facts) != 1 || string(facts[0].Value) != "y" {
		t.Errorf("behind the restart there is %v, %v", facts, err)
	}
}

// BenchmarkSetFact is what one fact costs among as many as the rules may be.
func BenchmarkSetFact(b *testing.B) {
	s, err := OpenSQLite(b.TempDir())
	if err != nil {
		b.Fatal(err)
	}
	defer s.Close()
	if _, err := s.w.ExecContext(b.Context(), `WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i+1 FROM n WHERE i < 60000)
		INSERT INTO facts (kind, key, value, until) SELECT 'filling', i, x'', 0 FROM n`); err != nil {
		b.Fatal(err)
	}
	for i := 0; b.Loop(); i++ {
		if err := s.SetFact(Fact{Kind: "ban", Key: fmt.Sprint(i % 100)}); err != nil {
			b.Fatal(err)
		}
	}
}

package roomlog

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"lanchat/protocol"
)

// filled makes a closed log with n entries, and returns the path of its file.
func filled(t *testing.T, dir string, n int) string {
	t.Helper()
	s, err := OpenSQLite(dir)
	if err != nil {
		t.Fatal(err)
	}
	var es []protocol.Entry
	for range n {
		es = append(es, entry("lobby", strings.Repeat("x", 500)))
	}
	add(t, s, es...)
	if err := s.indexer.catchUp(t.Context()); err != nil {
		t.Fatal(err)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	return filepath.Join(dir, "log.db")
}

// A file that is no log any more is refused with what to do, and not touched.
func TestCrashGarbage(t *testing.T) {
	for name, damage := range map[string]func(file []byte) []byte{
		"the header":  func(file []byte) []byte { copy(file, bytes.Repeat([]byte("garbage "), 12)); return file },
		"another one": func([]byte) []byte { return bytes.Repeat([]byte("this is a letter\n"), 1000) },
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			path := filled(t, dir, 100)
			file, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			file = damage(file)
			if err := os.WriteFile(path, file, 0o600); err != nil {
				t.Fatal(err)
			}
			s, err := OpenSQLite(dir)
			if err == nil {
				s.Close()
				t.Fatal("it opens")
			}
			for _, part := range []string{path, "damaged", "copy"} {
				if !strings.Contains(err.Error(), part) {
					t.Errorf("%q does not say %q", err, part)
				}
			}
			if now, err := os.ReadFile(path); err != nil || !bytes.Equal(now, file) {
				t.Errorf("the file was changed, %v", err)
			}
		})
	}
}

// One damaged page takes what stood in it and no more: what is elsewhere can be
// read, what is on it says what to do, and the page stays as it is.
func TestCrashDamagedPage(t *testing.T) {
	const entries = 2000
	dir := t.TempDir()
	path := filled(t, dir, entries)
	file, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	// A leaf of the entries' own tree (a page of the type 13), in the middle.
	const size = 4096
	var leaves []int
	for at := 0; at+size <= len(file); at += size {
		if file[at] == 13 && bytes.Contains(file[at:at+size], bytes.Repeat([]byte("x"), 400)) {
			leaves = append(leaves, at)
		}
	}
	if len(leaves) < 100 {
		t.Fatalf("%d pages with entries in %d bytes", len(leaves), len(file))
	}
	at := leaves[len(leaves)/2]
	page := bytes.Repeat([]byte{0xff}, size)
	f, err := os.OpenFile(path, os.O_WRONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := f.WriteAt(page, int64(at)); err != nil {
		t.Fatal(err)
	}
	if err := f.Close(); err != nil {
		t.Fatal(err)
	}

	s, err := OpenSQLite(dir)
	if err != nil {
		t.Fatalf("it does not open: %v", err)
	}
	readable, damaged := 0, 0
	for seq := uint64(1); seq <= entries; seq++ {
		es, _, err := s.Read(context.Background(), Range{Room: "lobby", After: seq - 1, Before: seq + 1, Limit: 1, Bytes: 1})
		switch {
		case err == nil && len(es) == 1 && es[0].Seq == seq:
			readable++
		case errors.Is(err, ErrUnavailable) && strings.Contains(err.Error(), "damaged"):
			damaged++
		default:
			t.Fatalf("entry %d: %v, %v", seq, es, err)
		}
	}
	if damaged == 0 || damaged > 20 {
		t.Errorf("%d entries cannot be read, of one page", damaged)
	}
	t.Logf("%d entries can be read, %d not", readable, damaged)
	if r := add(t, s, entry("lobby", "and goes on"))[0]; r.Err != nil || r.Entry.Seq != entries+1 {
		t.Errorf("posting: %+v", r)
	}
	if err := s.Close(); err != nil {
		t.Error(err)
	}
	if now, err := os.ReadFile(path); err != nil || !bytes.Equal(now[at:at+size], page) {
		t.Errorf("the damaged page was changed, %v", err)
	}
}

// withMigrations has the program know other versions for the time of a test.
func withMigrations(t *testing.T, list []migration) {
	old := migrations
	migrations = list
	t.Cleanup(func() { migrations = old })
}

func version(t *testing.T, s *SQLite) (v int) {
	t.Helper()
	if err := s.w.QueryRowContext(t.Context(), "PRAGMA user_version").Scan(&v); err != nil {
		t.Fatal(err)
	}
	return v
}

// A log comes from nothing to the newest version, and from one version to the next
// with what it has; one from the future is refused, and none is left half-way.
func TestCrashMigrations(t *testing.T) {
	dir := t.TempDir()
	newest := len(migrations)
	open := func() *SQLite {
		t.Helper()
		s, err := OpenSQLite(dir)
		if err != nil {
			t.Fatal(err)
		}
		if info, _ := s.Room("lobby"); info.Head != 100 || version(t, s) != len(migrations) {
			t.Errorf("head %d, version %d of %d", info.Head, version(t, s), len(migrations))
		}
		return s
	}
	refused := func(parts ...string) {
		t.Helper()
		s, err := OpenSQLite(dir)
		if err == nil {
			s.Close()
			t.Fatal("it opens")
		}
		for _, part := range parts {
			if !strings.Contains(err.Error(), part) {
				t.Errorf("%q does not say %q", err, part)
			}
		}
	}
	filled(t, dir, 100) // from version 0, an empty file
	if err := open().Close(); err != nil {
		t.Fatal(err)
	}

	all := append([]migration(nil), migrations...)
	withMigrations(t, append(all, statements("CREATE TABLE later (x) STRICT")))
	refused("from version "+fmt.Sprint(newest), "missing datatype") // a column needs a type there
	withMigrations(t, all)
	if err := open().Close(); err != nil { // nothing of the step is left
		t.Fatal(err)
	}
	withMigrations(t, append(all[:newest:newest], statements("CREATE TABLE later (x INTEGER) STRICT; INSERT INTO later VALUES (1); CREATE TABLE never (x"), statements("SELECT 1")))
	refused("from version " + fmt.Sprint(newest))
	withMigrations(t, append(all[:newest:newest], statements("CREATE TABLE later (x INTEGER) STRICT; INSERT INTO later VALUES (7)")))
	s := open()
	var x int
	if err := s.w.QueryRowContext(t.Context(), "SELECT x FROM later").Scan(&x); err != nil || x != 7 {
		t.Errorf("later: %d, %v", x, err)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	withMigrations(t, all)
	refused(fmt.Sprintf("version %d", newest+1), "newer lanchat")
}

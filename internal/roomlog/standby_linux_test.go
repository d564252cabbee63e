package roomlog

import (
	"context"
	"database/sql"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"lanchat/internal/diskspace"
	"lanchat/protocol"
)

var allDisks = flag.Bool("disk.all", false, "fill ext4 in every test that fills tmpfs")

// smallExt4 mounts a file system of its own that is on a disk, as tmpfs is not.
func smallExt4(t *testing.T, size string) string {
	t.Helper()
	image, dir := filepath.Join(t.TempDir(), "image"), t.TempDir()
	for _, command := range [][]string{{"truncate", "-s", size, image}, {"mkfs.ext4", "-q", "-m", "0", image}, {"mount", "-o", "loop", image, dir}} {
		if out, err := exec.Command(command[0], command[1:]...).CombinedOutput(); err != nil {
			t.Skipf("a file system of one's own takes root and mkfs.ext4: %v: %s", err, out)
		}
	}
	t.Cleanup(func() {
		if err := syscall.Unmount(dir, 0); err != nil {
			t.Errorf("unmounting: %v", err)
		}
	})
	return dir
}

// fillDisk takes all the space that there is, to the last byte, and returns the file.
func fillDisk(t *testing.T, dir string) string {
	t.Helper()
	path := filepath.Join(dir, "ballast")
	f, err := os.OpenFile(path, os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o600)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	for size := 1 << 20; size > 0; {
		if _, err := f.Write(make([]byte, size)); err != nil {
			size /= 2
		}
	}
	_ = f.Sync() // what was written late has its place now, or has none
	if space, err := diskspace.Of(dir); err != nil || space.Free > 4096 {
		t.Fatalf("not full: %+v, %v", space, err)
	}
	return path
}

// firstRelease makes a log as the first release has left it.
func firstRelease(t *testing.T, dir string) *sql.DB {
	t.Helper()
	const version = 5
	db, err := sql.Open("sqlite", dsn(dir, "log.db", "_pragma=auto_vacuum(INCREMENTAL)&_pragma=journal_mode(WAL)"))
	if err != nil {
		t.Fatal(err)
	}
	db.SetMaxOpenConns(1)
	c, err := db.Conn(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	for _, m := range migrations[:version] {
		if err := transact(t.Context(), c, func(ctx context.Context) error { return m(ctx, c) }); err != nil {
			t.Fatal(err)
		}
	}
	id := protocol.NewID()
	for _, command := range []string{
		fmt.Sprintf("PRAGMA user_version = %d", version),
		fmt.Sprintf("INSERT INTO meta VALUES ('epoch', x'%x')", id[:]),
		"INSERT INTO rooms (id, name, head, topic) VALUES (1, 'lobby', 500, '')",
		`WITH RECURSIVE i (n) AS (VALUES (1) UNION ALL SELECT n + 1 FROM i WHERE n < 500) INSERT INTO entries (n, room, seq, id, at, user, nick, flags, kind, text)
			SELECT n, 1, n, randomblob(16), n, zeroblob(16), 'alice', 0, '', 'line has ' || hex(randomblob(200)) FROM i`,
		"INSERT INTO words (rowid, text, place) SELECT n, text, '" + place(1, "lobby", "alice") + "' FROM entries WHERE n < 300", // it was stopped too early for more
	} {
		if _, err := c.ExecContext(t.Context(), command); err != nil {
			t.Fatal(command, err)
		}
	}
	return db
}

// today makes the same log as it is made today.
func today(t *testing.T, dir string) *SQLite {
	t.Helper()
	s, err := OpenSQLite(dir)
	if err != nil {
		t.Fatal(err)
	}
	var entries []protocol.Entry
	for range 500 {
		entries = append(entries, entry("lobby", "line has "+strings.Repeat("x", 400)))
	}
	add(t, s, entries...)
	searched(t, s)
	return s
}

func searched(t *testing.T, s Store) {
	t.Helper()
	if found, more, err := s.Search(t.Context(), Query{Terms: []Term{{Text: "line"}}, Limit: 400, Bytes: 1 << 20}); err != nil || len(found) != 400 || !more {
		t.Errorf("%d found, %v, %v", len(found), more, err)
	}
}

// copyFiles copies the files whose names end so.
func copyFiles(t *testing.T, from, to string, ends ...string) {
	t.Helper()
	for _, end := range ends {
		b, err := os.ReadFile(filepath.Join(from, "log.db"+end))
		if err == nil {
			err = os.WriteFile(filepath.Join(to, "log.db"+end), b, 0o600)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
}

// TestStandby: a log is opened on a disk that is full to the last byte, after it was closed
// and after a kill, also in the version of the first release, and reading and searching
// find everything. Nothing is taken until there is space, and then without its being opened
// again.
func TestStandby(t *testing.T) {
	logs := map[string]func(t *testing.T, dir string){
		"closed": func(t *testing.T, dir string) {
			if err := today(t, dir).Close(); err != nil {
				t.Fatal(err)
			}
		},
		"killed": func(t *testing.T, dir string) {
			from := t.TempDir()
			defer today(t, from).Close()
			copyFiles(t, from, dir, "", "-wal", "-shm")
		},
		"copied": func(t *testing.T, dir string) { // while it was written, by somebody who knows what matters
			from := t.TempDir()
			defer today(t, from).Close()
			copyFiles(t, from, dir, "", "-wal")
		},
		"first release, closed": func(t *testing.T, dir string) {
			if err := firstRelease(t, dir).Close(); err != nil {
				t.Fatal(err)
			}
		},
		"first release, killed": func(t *testing.T, dir string) {
			from := t.TempDir()
			defer firstRelease(t, from).Close()
			copyFiles(t, from, dir, "", "-wal", "-shm")
		},
	}
	disks := map[string]func(*testing.T, string) string{"tmpfs": smallDisk, "ext4": smallExt4}
	for name, disk := range disks {
		for state, log := range logs {
			if name == "ext4" && !strings.HasPrefix(state, "first release") && !*allDisks {
				continue
			}
			t.Run(name+"/"+state, func(t *testing.T) {
				t.Parallel()
				onFullDisk(t, disk(t, "16m"), log)
			})
		}
	}
}

func onFullDisk(t *testing.T, disk string, log func(t *testing.T, dir string)) {
	dir := filepath.Join(disk, "log")
	if err := os.Mkdir(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	log(t, dir)
	ballast := fillDisk(t, disk)
	head := uint64(500)
	for range 2 { // and again after it was closed there
		s, err := OpenSQLite(dir)
		if err != nil {
			t.Fatal(err)
		}
		fillDisk(t, disk)
		if info, _ := s.Room("lobby"); info.Head != head {
			t.Errorf("head %d, not %d", info.Head, head)
		}
		noGap(t, s, "lobby")
		searched(t, s)
		canceled, cancel := context.WithCancel(t.Context())
		cancel()
		s.NickOwner("alice")
		_, _, _ = s.Search(canceled, Query{Terms: []Term{{Text: "line"}}, Limit: 400, Bytes: 1 << 20})
		searched(t, s)
		// What was killed has space in its write-ahead log still.
		err = nil
		for posts := 0; err == nil && posts < 1000; posts++ {
			if err = s.Append([]Record{{Entry: entry("lobby", "unindexed "+strings.Repeat("x", 10_000))}}); err == nil {
				head++
			}
		}
		if !errors.Is(err, ErrUnavailable) || !strings.Contains(err.Error(), "full") {
			t.Errorf("posting: %v", err)
		}
		if _, err := s.BindNick("alice", alice, time.Now()); err != nil && !errors.Is(err, ErrUnavailable) {
			t.Errorf("binding a nick: %v", err)
		}
		if _, err := s.SetMarker(alice, "lobby", 7); err != nil {
			t.Errorf("a read marker: %v", err)
		}
		_, _, _ = s.Read(canceled, Range{Room: "lobby", Limit: 10, Bytes: 1 << 20})
		noGap(t, s, "lobby")
		if found, _, err := s.Search(t.Context(), Query{Terms: []Term{{Text: "unindexed"}}, Limit: 400, Bytes: 1 << 30}); err != nil || len(found) != int(min(head-500, 400)) {
			t.Errorf("of those that came last %d of %d found: %v", len(found), head-500, err)
		}
		if err := s.Close(); err != nil {
			t.Error(err)
		}
		fillDisk(t, disk)
	}
	s, err := OpenSQLite(dir)
	if err != nil {
		t.Fatal(err)
	}
	stood := s.standby.Load()
	if err := os.Remove(ballast); err != nil {
		t.Fatal(err)
	}
	for end := time.Now().Add(20 * time.Second); ; {
		searched(t, s) // who reads notices nothing
		err := s.Append([]Record{{Entry: entry("lobby", "there is space")}})
		if err == nil {
			break
		}
		if time.Now().After(end) || !errors.Is(err, ErrUnavailable) {
			t.Fatalf("posting with space again: %v", err)
		}
	}
	if _, err := s.BindNick("alice", alice, time.Now()); err != nil {
		t.Error(err)
	}
	if err := s.Close(); err != nil {
		t.Error(err)
	}
	if s, err = OpenSQLite(dir); err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	noGap(t, s, "lobby")
	if info, _ := s.Room("lobby"); info.Head != head+1 || s.standby.Load() {
		t.Errorf("head %d; stands by: %v", info.Head, s.standby.Load())
	}
	t.Logf("stood by: %v", stood)
}

// TestReserve: a log that is to be smaller makes the space for that out of its reserve, on
// a disk that is full to the last byte, after it was closed and after a kill.
func TestReserve(t *testing.T) {
	disks := map[string]func(*testing.T, string) string{"tmpfs": smallDisk, "ext4": smallExt4}
	for name, disk := range disks {
		for _, killed := range []bool{false, true} {
			if (name == "ext4") == killed && !*allDisks {
				continue
			}
			t.Run(fmt.Sprintf("%s/killed=%v", name, killed), func(t *testing.T) {
				t.Parallel()
				// A kill leaves more in the write-ahead log than the least reserve has.
				size, kept := "20m", int64(1_500_000)
				if killed {
					size, kept = "80m", 100_000_000
				}
				shrinkOnFullDisk(t, disk(t, size), killed, Keep{Bytes: kept})
			})
		}
	}
}

func shrinkOnFullDisk(t *testing.T, disk string, killed bool, before Keep) {
	from := t.TempDir()
	s, err := OpenSQLite(from)
	if err != nil {
		t.Fatal(err)
	}
	for range 8 {
		var entries []protocol.Entry
		for range 1000 {
			entries = append(entries, entry("lobby", "line has "+strings.Repeat("x y", 100)))
		}
		add(t, s, entries...)
		searched(t, s)
	}
	dir := filepath.Join(disk, "log")
	if err := os.Mkdir(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	if killed {
		copyFiles(t, from, dir, "", "-wal", "-shm")
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	if !killed {
		copyFiles(t, from, dir, "")
	}
	(&SQLite{dir: dir}).makeReserve(before)
	fillDisk(t, disk)

	if s, err = OpenSQLite(dir); err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	if s.standby.Load() {
		t.Error("it stands by")
	}
	if err := s.Retain(Keep{Bytes: 1_500_000}, nil); err != nil {
		t.Fatal(err)
	}
	for end := time.Now().Add(time.Minute); ; {
		size, err := os.Stat(filepath.Join(dir, "log.db"))
		if err != nil {
			t.Fatal(err)
		}
		_, err = os.Stat(filepath.Join(dir, reserveName))
		if size.Size() <= 1_650_000 && err == nil {
			break
		}
		if time.Now().After(end) {
			t.Fatalf("%d bytes; the reserve: %v", size.Size(), err)
		}
		<-time.After(10 * time.Millisecond)
	}
	if info, _ := s.Room("lobby"); info.Head != 8_000 {
		t.Errorf("head %d", info.Head)
	}
	var left int
	if err := s.db.QueryRowContext(t.Context(), "SELECT count(*) FROM entries").Scan(&left); err != nil {
		t.Fatal(err)
	}
	t.Logf("%d entries left", left)
	if left < 1200 {
		t.Errorf("%d entries are left", left)
	}
	add(t, s, entry("lobby", "there is space"))
}

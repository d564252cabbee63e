package roomlog

import (
	"errors"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"syscall"
	"testing"

	"lanchat/protocol"
)

// smallDisk mounts a file system of its own.
func smallDisk(t *testing.T, size string) string {
	t.Helper()
	dir := t.TempDir()
	if err := syscall.Mount("tmpfs", dir, "tmpfs", 0, "size="+size); err != nil {
		t.Skipf("a file system of one's own takes root: %v", err)
	}
	t.Cleanup(func() {
		if err := syscall.Unmount(dir, 0); err != nil {
			t.Errorf("unmounting: %v", err)
		}
	})
	return dir
}

// On a full disk posting fails and says what to do, and reading goes on. Nothing
// acknowledged is lost; when there is space again, posting goes on by itself.
func TestCrashFullDisk(t *testing.T) {
	dir := smallDisk(t, "4m")
	ballast := filepath.Join(dir, "ballast")
	if err := os.WriteFile(ballast, make([]byte, 2<<20), 0o600); err != nil {
		t.Fatal(err)
	}
	s, err := OpenSQLite(filepath.Join(dir, "log"))
	if err != nil {
		t.Fatal(err)
	}
	l := Local(s)
	defer func() { l.Close() }()
	var acks []protocol.Entry
	heard := make(chan error, 1)
	newPoster := func() *Poster {
		return l.Poster(func(e *protocol.Entry, err error) {
			if err == nil {
				acks = append(acks, *e)
			}
			heard <- err
		})
	}
	say := func(p *Poster, e protocol.Entry) error {
		if err := p.Submit(e); err != nil {
			t.Fatal(err)
		}
		return <-heard
	}
	readable := func() {
		t.Helper()
		noGap(t, l, "lobby")
		for _, e := range acks {
			if got, found, err := l.Find(t.Context(), e.ID); err != nil || !found || !reflect.DeepEqual(got, e) {
				t.Fatalf("entry %d was acknowledged, and is %v, %v", e.Seq, found, err)
			}
		}
	}
	text := strings.Repeat("x", 2000)
	for round := range 3 {
		p := newPoster()
		var failed error
		var refused protocol.Entry
		for failed == nil {
			if len(acks) > 10_000 {
				t.Fatal("the disk does not fill")
			}
			refused = entry("lobby", text)
			failed = say(p, refused)
		}
		if !errors.Is(failed, ErrUnavailable) || !strings.Contains(failed.Error(), "full") || !strings.Contains(failed.Error(), dir) {
			t.Errorf("round %d: %v", round, failed)
		}
		if err := say(p, entry("lobby", "behind it")); !errors.Is(err, ErrUnavailable) {
			t.Errorf("behind a refused post: %v", err)
		}
		// Small ones may still fit where a large one did not: the log decides by itself.
		if err := say(newPoster(), entry("lobby", text)); !errors.Is(err, ErrUnavailable) {
			t.Errorf("another poster on the full disk: %v", err)
		}
		t.Logf("round %d: %d acknowledged; %v", round, len(acks), failed)
		readable()

		switch round {
		case 0: // there is a little more space, without the log having been closed
			if err := os.Truncate(ballast, 1<<20); err != nil {
				t.Fatal(err)
			}
		case 1: // and over a restart on the full disk
			if err := l.Close(); err != nil {
				t.Logf("closing: %v", err)
			}
			if s, err = OpenSQLite(filepath.Join(dir, "log")); err != nil {
				t.Logf("opening on a full disk: %v", err)
				if err := os.Remove(ballast); err != nil {
					t.Fatal(err)
				}
				if s, err = OpenSQLite(filepath.Join(dir, "log")); err != nil {
					t.Fatal(err)
				}
			}
			l = Local(s)
			readable()
			if err := os.Remove(ballast); err != nil && !errors.Is(err, os.ErrNotExist) {
				t.Fatal(err)
			}
		}
		if round < 2 {
			had := len(acks)
			if err := say(newPoster(), refused); err != nil || len(acks) != had+1 {
				t.Fatalf("round %d: with space again: %v", round, err)
			}
		}
	}
	readable()
}

// A log that cannot be written is not opened, and why is said.
func TestCrashReadOnly(t *testing.T) {
	dir := smallDisk(t, "4m")
	s, err := OpenSQLite(dir)
	if err != nil {
		t.Fatal(err)
	}
	add(t, s, entry("lobby", "x"))
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	remount := func(flags uintptr) {
		t.Helper()
		if err := syscall.Mount("", dir, "", syscall.MS_REMOUNT|flags, ""); err != nil {
			t.Fatal(err)
		}
	}
	remount(syscall.MS_RDONLY)
	s, err = OpenSQLite(dir)
	if err == nil {
		s.Close()
		t.Fatal("it opens")
	}
	for _, part := range []string{dir, "permissions", "read-only"} {
		if !strings.Contains(err.Error(), part) {
			t.Errorf("%q does not say %q", err, part)
		}
	}
	if errors.Is(err, ErrLocked) {
		t.Errorf("%q says that somebody else has it", err)
	}
	t.Log(err)
	remount(0)
	if s, err = OpenSQLite(dir); err != nil {
		t.Fatalf("writable again: %v", err)
	}
	defer s.Close()
	if info, _ := s.Room("lobby"); info.Head != 1 {
		t.Errorf("head %d", info.Head)
	}
}

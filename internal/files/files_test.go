package files

import (
	"errors"
	"os"
	"path/filepath"
	"sync"
	"testing"
)

// What is read and written anew under the lock loses nobody's change.
func TestLockAndReplace(t *testing.T) {
	path := filepath.Join(t.TempDir(), "count")
	if err := Replace(path, nil); err != nil {
		t.Fatal(err)
	}
	const writers, each = 8, 10
	var all sync.WaitGroup
	for range writers {
		all.Go(func() {
			for range each {
				unlock, err := Lock(path)
				if err != nil {
					t.Error(err)
					return
				}
				data, err := Read(path, 1000)
				if err == nil {
					err = Replace(path, append(data, 'x'))
				}
				unlock()
				if err != nil {
					t.Error(err)
				}
			}
		})
	}
	all.Wait()
	if data, err := Read(path, 1000); err != nil || len(data) != writers*each {
		t.Errorf("%d changes are left of %d, %v", len(data), writers*each, err)
	}
	if _, err := Read(path, writers*each-1); err == nil {
		t.Error("more than the limit is read")
	}
	if info, err := os.Stat(path); err != nil || info.Mode().Perm()&0o077 != 0 && os.PathSeparator == '/' {
		t.Errorf("others can read it: %v, %v", info.Mode(), err)
	}
}

func TestTryLock(t *testing.T) {
	path := filepath.Join(t.TempDir(), "lock")
	unlock, err := TryLock(path)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := TryLock(path); !errors.Is(err, ErrLocked) {
		t.Errorf("a second holder: %v", err)
	}
	unlock()
	unlock, err = TryLock(path)
	if err != nil {
		t.Fatal(err)
	}
	unlock()
}

// Package files has what it takes to keep small files that several processes of
// one user share: a lock that ends with its holder, and replacement in one step.
// All functions may be called by any goroutine at any time.
package files

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"time"
)

const (
	lockPatience = 10 * time.Second // a holder needs milliseconds: longer means it hangs
	lockRetry    = 10 * time.Millisecond
)

// ErrLocked is what TryLock gives while somebody else holds the lock.
var ErrLocked = errors.New("another process holds the lock")

// Lock keeps other processes and goroutines from changing the file at path, until
// unlock is called. The lock is a file beside it, which stays: removing it would let
// two processes hold locks on two files of the same name. The operating system frees
// the lock of a process that died.
func Lock(path string) (unlock func(), err error) {
	path += ".lock"
	// Asking again and again, instead of blocking, is what can be given up.
	ctx, cancel := context.WithTimeout(context.Background(), lockPatience)
	defer cancel()
	for {
		unlock, err := TryLock(path)
		if !errors.Is(err, ErrLocked) {
			return unlock, err
		}
		select {
		case <-ctx.Done():
			return nil, fmt.Errorf("%s is still locked after %v: find the process that holds it, and end it", path, lockPatience)
		case <-time.After(lockRetry):
		}
	}
}

// Replace puts data at path, for the owner's eyes only: whatever happens, the
// file is the old one or the new one. The caller holds the lock, which is why the
// file that is being written can have a fixed name and nothing piles up.
func Replace(path string, data []byte) (err error) {
	next := path + ".new"
	if err := os.Remove(next); err != nil && !errors.Is(err, os.ErrNotExist) {
		return err
	}
	f, err := os.OpenFile(next, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return err
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, os.Remove(next))
		}
	}()
	_, err = f.Write(data)
	if err == nil {
		err = f.Sync()
	}
	if err := errors.Join(err, f.Close()); err != nil {
		return err
	}
	if err := rename(next, path); err != nil {
		return err
	}
	return syncDir(filepath.Dir(path))
}

// Read reads a file of at most limit bytes.
func Read(path string, limit int) ([]byte, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	data, err := io.ReadAll(io.LimitReader(f, int64(limit)+1))
	if err != nil {
		return nil, err
	}
	if len(data) > limit {
		return nil, fmt.Errorf("%s has more than %d bytes, so this program did not write it", path, limit)
	}
	return data, nil
}

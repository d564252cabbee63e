package identity

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"time"
)

const (
	lockPatience = 10 * time.Second // a holder needs milliseconds: longer means it hangs
	lockRetry    = 10 * time.Millisecond
)

// errLocked is what tryLock gives while somebody else holds the lock.
var errLocked = errors.New("another process holds the lock")

// lock keeps other processes and goroutines from changing the file at path, until
// unlock is called. The lock is a file beside it, which stays: removing it would let
// two processes hold locks on two files of the same name. The operating system frees
// the lock of a process that died.
func lock(path string) (unlock func(), err error) {
	path += ".lock"
	// Asking again and again, instead of blocking, is what can be given up.
	ctx, cancel := context.WithTimeout(context.Background(), lockPatience)
	defer cancel()
	for {
		unlock, err := tryLock(path)
		if !errors.Is(err, errLocked) {
			return unlock, err
		}
		select {
		case <-ctx.Done():
			return nil, fmt.Errorf("%s is still locked after %v: find the process that holds it, and end it", path, lockPatience)
		case <-time.After(lockRetry):
		}
	}
}

// replaceFile puts data at path, for the owner's eyes only: whatever happens, the
// file is the old one or the new one. The caller holds the lock, which is why the
// file that is being written can have a fixed name and nothing piles up.
func replaceFile(path string, data []byte) (err error) {
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

// readFile reads a file of at most limit bytes.
func readFile(path string, limit int) ([]byte, error) {
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

// quote makes s one word of a command line, so that a command in an error text can
// be copied as it is, also when s was chosen by somebody else.
func quote(s string) string {
	plain := func(r rune) bool {
		return r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || strings.ContainsRune("/._-:", r)
	}
	if s != "" && strings.IndexFunc(s, func(r rune) bool { return !plain(r) }) < 0 {
		return s
	}
	if runtime.GOOS == "windows" { // PowerShell
		return "'" + strings.ReplaceAll(s, "'", "''") + "'"
	}
	return "'" + strings.ReplaceAll(s, "'", `'\''`) + "'"
}

package files

import (
	"errors"
	"os"
	"syscall"
	"time"
)

// sharingViolation is Windows' error 32: somebody else has the file open, in a way
// that excludes us. The syscall package has no name for it.
const sharingViolation = syscall.Errno(32)

// TryLock opens the file so that nobody else can, or gives ErrLocked.
func TryLock(path string) (unlock func(), err error) {
	name, err := syscall.UTF16PtrFromString(path)
	if err != nil {
		return nil, &os.PathError{Op: "lock", Path: path, Err: err}
	}
	const nobodyElse = 0
	h, err := syscall.CreateFile(name, syscall.GENERIC_READ|syscall.GENERIC_WRITE, nobodyElse, nil,
		syscall.OPEN_ALWAYS, syscall.FILE_ATTRIBUTE_NORMAL, 0)
	switch {
	case errors.Is(err, sharingViolation):
		return nil, ErrLocked
	case err != nil:
		return nil, &os.PathError{Op: "lock", Path: path, Err: err}
	}
	return func() { syscall.CloseHandle(h) }, nil
}

// rename tries for a moment: it fails while another process has the old file open
// to read it, which takes a millisecond, or while a virus scanner looks at it.
func rename(from, to string) error {
	var err error
	for range 50 {
		if err = os.Rename(from, to); err == nil ||
			!errors.Is(err, sharingViolation) && !errors.Is(err, syscall.ERROR_ACCESS_DENIED) {
			return err
		}
		time.Sleep(20 * time.Millisecond)
	}
	return err
}

// syncDir does nothing: Windows cannot sync a directory, and NTFS journals renames.
func syncDir(string) error { return nil }

package roomlog

import (
	"os"
	"path/filepath"

	"lanchat/internal/diskspace"
)

// A log with a Keep has a reserve: a file that does nothing but take space. Removing
// entries takes some before it gives back more, so on a full disk the reserve makes way.
const (
	reserveName  = "log.reserve"
	reserveLeast = 1 << 20
	reserveMost  = 4 << 20
	reserveKeep  = 20 // so small a part of what is kept, between the two,
	reservePart  = 16 // but no more than this part of the file system
	reserveFrom  = 2  // so many reserves must be free before one is made

	// Where there is less space than that, the write-ahead log is emptied after so many
	// pages, and the index is not merged.
	tightSpace = 2 * reserveMost
	tightPages = 50
	usualPages = 1_000 // SQLite's default
)

// makeReserve makes the reserve where there is none and enough space.
func (s *SQLite) makeReserve(keep Keep) {
	path := filepath.Join(s.dir, reserveName)
	if _, err := os.Stat(path); err == nil || keep == (Keep{}) {
		return
	}
	size := int64(reserveMost)
	if keep.Bytes > 0 {
		size = min(max(keep.Bytes/reserveKeep, reserveLeast), size)
	}
	space, err := diskspace.Of(s.dir)
	if size = min(size, space.Total/reservePart); err != nil || space.Free < reserveFrom*size {
		return
	}
	filling := make([]byte, size)
	for i := range filling { // not zeros: some file systems keep those as nothing
		filling[i] = byte(i*7 + i>>8)
	}
	if err := os.WriteFile(path, filling, 0o600); err != nil {
		_ = os.Remove(path) // half of one is of no use
	}
}

// isTight reports whether there is hardly any space.
func (s *SQLite) isTight() bool {
	space, err := diskspace.Of(s.dir)
	return err == nil && space.Free < tightSpace
}

// useReserve gives the reserve's space free, and reports whether there was any.
func (s *SQLite) useReserve() bool {
	return os.Remove(filepath.Join(s.dir, reserveName)) == nil
}

// Package diskspace says how much space a directory's file system has left, and how much
// of it a program that only ever adds to its files leaves to others.
package diskspace

// Space is what a file system has, in bytes.
type Space struct {
	Free  int64 // that this process may still use
	Total int64
}

// The floor is the larger of floorLeast and a twentieth of the file system, but no more
// than a tenth of it: a small one is there to be used.
const (
	floorLeast = 1 << 30
	floorPart  = 20
	floorMost  = 10
)

// Floor is how much of the file system is to stay free.
func (s Space) Floor() int64 {
	return min(max(floorLeast, s.Total/floorPart), s.Total/floorMost)
}

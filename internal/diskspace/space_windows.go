package diskspace

import (
	"fmt"
	"math"

	"golang.org/x/sys/windows"
)

// Of asks for the space of the file system that has dir.
func Of(dir string) (Space, error) {
	path, err := windows.UTF16PtrFromString(dir)
	var free, total, all uint64
	if err == nil {
		err = windows.GetDiskFreeSpaceEx(path, &free, &total, &all)
	}
	if err != nil {
		return Space{}, fmt.Errorf("asking for the space of %s: %w", dir, err)
	}
	return Space{Free: int64(min(free, math.MaxInt64)), Total: int64(min(total, math.MaxInt64))}, nil
}

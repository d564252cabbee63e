//go:build linux || darwin || freebsd

package diskspace

import (
	"fmt"

	"golang.org/x/sys/unix"
)

// Of asks for the space of the file system that has dir.
func Of(dir string) (Space, error) {
	var s unix.Statfs_t
	for {
		err := unix.Statfs(dir, &s)
		if err == unix.EINTR {
			continue
		}
		if err != nil {
			return Space{}, fmt.Errorf("asking for the space of %s: %w", dir, err)
		}
		// The types of the fields differ from system to system. What is free for others
		// than root can be less than nothing.
		block := int64(s.Bsize)
		return Space{Free: max(int64(s.Bavail), 0) * block, Total: int64(s.Blocks) * block}, nil
	}
}

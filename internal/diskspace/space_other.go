//go:build !linux && !darwin && !freebsd && !windows

package diskspace

import "errors"

// Of asks for the space of the file system that has dir: here nobody can be asked.
func Of(string) (Space, error) { return Space{}, errors.ErrUnsupported }

//go:build !linux

package doctor

import (
	"errors"
	"runtime"
)

// What these systems know would take their own libraries to read: the doctor does
// without, and says so.

func routes() ([]Route, error) {
	return nil, errors.New("the routing table is not read on " + runtime.GOOS)
}

func neighbours() []Neighbour { return nil }

func holders(uint16) []Holder { return nil }

func firewalls() []Firewall { return nil }

func wireless(string) bool { return false }

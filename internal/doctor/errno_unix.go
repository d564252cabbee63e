//go:build unix

package doctor

import "syscall"

// Windows has other names for these.
const (
	errInUse           = syscall.EADDRINUSE
	errRefused         = syscall.ECONNREFUSED
	errNotPermitted    = syscall.EPERM
	errHostUnreachable = syscall.EHOSTUNREACH
	errNetUnreachable  = syscall.ENETUNREACH
)

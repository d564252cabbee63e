package doctor

import "golang.org/x/sys/windows"

// What Windows calls these.
const (
	errInUse           = windows.WSAEADDRINUSE
	errRefused         = windows.WSAECONNREFUSED
	errNotPermitted    = windows.WSAEACCES
	errHostUnreachable = windows.WSAEHOSTUNREACH
	errNetUnreachable  = windows.WSAENETUNREACH
)

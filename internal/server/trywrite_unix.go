//go:build unix

package server

import (
	"io"
	"sync"
	"syscall"
)

// attempt is one write that does not wait. They are kept, because making the function
// anew for each write costs two allocations.
type attempt struct {
	b   []byte
	n   int
	err error
	run func(fd uintptr) (done bool)
}

var attempts = sync.Pool{New: func() any {
	a := new(attempt)
	a.run = func(fd uintptr) bool {
		for {
			a.n, a.err = syscall.Write(int(fd), a.b)
			if a.err != syscall.EINTR {
				return true // also where the socket is full: nobody waits
			}
		}
	}
	return a
}}

// tryWrite writes what a socket takes at once, which may be nothing.
func tryWrite(c syscall.RawConn, b []byte) (n int, err error) {
	a := attempts.Get().(*attempt)
	a.b = b
	err = c.Write(a.run)
	n, tried := a.n, a.err
	a.b, a.n, a.err = nil, 0, nil
	attempts.Put(a)
	switch {
	case err != nil:
		return 0, err
	case tried == syscall.EAGAIN:
		return 0, nil
	case tried != nil:
		return 0, tried
	case n == 0 && len(b) > 0:
		return 0, io.ErrUnexpectedEOF
	}
	return n, nil
}

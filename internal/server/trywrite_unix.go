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
	run func(fd uintptr)
}

var attempts = sync.Pool{New: func() any {
	a := new(attempt)
	a.run = func(fd uintptr) {
		for {
			if a.n, a.err = send(fd, a.b); a.err != syscall.EINTR {
				return
			}
		}
	}
	return a
}}

// tryWrite writes what a socket takes at once, which may be nothing. One goroutine at a
// time may call it, and none beside that writes to the socket in another way: it does
// not ask RawConn for the right to write, which also gets ready for waiting.
func tryWrite(c syscall.RawConn, b []byte) (n int, err error) {
	a := attempts.Get().(*attempt)
	a.b = b
	err = c.Control(a.run)
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

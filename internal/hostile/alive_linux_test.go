package hostile

import (
	"errors"
	"io"
	"syscall"
)

// alive reports, without reading anything, whether the server has ended a connection.
func (w *wire) alive() error {
	raw, err := w.SyscallConn()
	if err != nil {
		return err
	}
	var info error
	err = raw.Control(func(fd uintptr) {
		code, e := syscall.GetsockoptInt(int(fd), syscall.SOL_SOCKET, syscall.SO_ERROR)
		switch {
		case e != nil:
			info = e
		case code != 0:
			info = syscall.Errno(code)
		default:
			b := make([]byte, 1)
			n, _, e := syscall.Recvfrom(int(fd), b, syscall.MSG_PEEK|syscall.MSG_DONTWAIT)
			if n == 0 && e == nil {
				info = io.EOF
			} else if e != nil && !errors.Is(e, syscall.EAGAIN) {
				info = e
			}
		}
	})
	return errors.Join(err, info)
}

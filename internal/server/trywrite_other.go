//go:build !unix

package server

import "syscall"

// tryWrite takes nothing: here only a goroutine can write that may wait.
func tryWrite(syscall.RawConn, []byte) (int, error) { return 0, nil }

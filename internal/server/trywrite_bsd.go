//go:build unix && !linux

package server

import "syscall"

func send(fd uintptr, b []byte) (n int, err error) { return syscall.Write(int(fd), b) }

//go:build !linux

package wiredemo

import "syscall"

func lose(syscall.Conn, int) error   { return errNoFilter }
func drops(syscall.Conn) int         { return Unknown }
func retransmitted(syscall.Conn) int { return Unknown }

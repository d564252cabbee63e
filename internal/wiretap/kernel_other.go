//go:build !linux

package wiretap

import "net"

// kernelOf: what other kernels tell is not asked for.
func kernelOf(net.Conn) func() (kernel, bool) {
	return func() (kernel, bool) { return kernel{}, false }
}

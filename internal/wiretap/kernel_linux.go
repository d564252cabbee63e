package wiretap

import (
	"net"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// kernelOf asks the kernel by TCP_INFO, see tcp(7).
func kernelOf(nc net.Conn) func() (kernel, bool) {
	sc, ok := nc.(syscall.Conn)
	if !ok {
		return func() (kernel, bool) { return kernel{}, false }
	}
	raw, err := sc.SyscallConn()
	if err != nil {
		return func() (kernel, bool) { return kernel{}, false }
	}
	return func() (k kernel, ok bool) {
		err := raw.Control(func(fd uintptr) {
			info, err := unix.GetsockoptTCPInfo(int(fd), unix.IPPROTO_TCP, unix.TCP_INFO)
			if err != nil {
				return
			}
			ok = true
			k = kernel{
				rtt:           time.Duration(info.Rtt) * time.Microsecond,
				retransmitted: uint64(info.Total_retrans),
				reordered:     uint64(info.Rcv_ooopack),
				unacked:       uint64(info.Unacked),
				segmentsIn:    uint64(info.Data_segs_in),
				segmentsOut:   uint64(info.Data_segs_out),
			}
		})
		return k, ok && err == nil
	}
}

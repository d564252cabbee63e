package wiredemo

import (
	"fmt"
	"math"
	"syscall"
	"unsafe"

	"golang.org/x/sys/unix"
)

// Words of linux/filter.h and linux/sock_diag.h that the library does not name.
const (
	adOff     = math.MaxUint32 - 0x1000 + 1 // SKF_AD_OFF: what lies here is not in the packet
	adRandom  = 56                          // SKF_AD_RANDOM: a random word
	memDrops  = 8                           // SK_MEMINFO_DROPS
	memWords  = 9                           // SK_MEMINFO_VARS
	takeWhole = math.MaxUint32
)

// lose has the kernel throw away so many percent of what comes in at a socket.
func lose(c syscall.Conn, percent int) error {
	program := []unix.SockFilter{
		{Code: unix.BPF_LD | unix.BPF_W | unix.BPF_ABS, K: adOff + adRandom},
		{Code: unix.BPF_JMP | unix.BPF_JGE | unix.BPF_K, K: uint32(uint64(percent) << 32 / 100), Jt: 0, Jf: 1},
		{Code: unix.BPF_RET | unix.BPF_K, K: takeWhole},
		{Code: unix.BPF_RET | unix.BPF_K, K: 0},
	}
	err := control(c, func(fd int) error {
		return unix.SetsockoptSockFprog(fd, unix.SOL_SOCKET, unix.SO_ATTACH_FILTER, &unix.SockFprog{Len: uint16(len(program)), Filter: &program[0]})
	})
	if err != nil {
		return fmt.Errorf("the kernel does not let this user filter it: %w", err)
	}
	return nil
}

// drops is how many packets the kernel threw away at a socket.
func drops(c syscall.Conn) int {
	n := Unknown
	_ = control(c, func(fd int) error {
		var words [memWords]uint32
		size := uint32(unsafe.Sizeof(words))
		_, _, errno := unix.Syscall6(unix.SYS_GETSOCKOPT, uintptr(fd), unix.SOL_SOCKET, unix.SO_MEMINFO,
			uintptr(unsafe.Pointer(&words)), uintptr(unsafe.Pointer(&size)), 0)
		if errno == 0 && size >= (memDrops+1)*4 {
			n = int(words[memDrops])
		}
		return nil
	})
	return n
}

// retransmitted is how many segments TCP has sent again.
func retransmitted(c syscall.Conn) int {
	n := Unknown
	_ = control(c, func(fd int) error {
		info, err := unix.GetsockoptTCPInfo(fd, unix.IPPROTO_TCP, unix.TCP_INFO)
		if err == nil {
			n = int(info.Total_retrans)
		}
		return err
	})
	return n
}

func control(c syscall.Conn, f func(fd int) error) error {
	raw, err := c.SyscallConn()
	if err != nil {
		return err
	}
	var ferr error
	if err := raw.Control(func(fd uintptr) { ferr = f(int(fd)) }); err != nil {
		return err
	}
	return ferr
}

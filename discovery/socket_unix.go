//go:build linux || darwin || freebsd

package discovery

import (
	"errors"
	"net"
	"net/netip"
	"os"

	"golang.org/x/sys/unix"
)

// listenGroup opens a socket on the group's address, on one interface. Package
// net cannot: for a group it binds the wildcard address, which takes unicast
// away from a server, and it knows interfaces by names that it keeps for a
// minute.
func listenGroup(port uint16, index int) (packetConn, error) {
	fd, err := unix.Socket(unix.AF_INET6, unix.SOCK_DGRAM, 0)
	if err != nil {
		return nil, err
	}
	unix.CloseOnExec(fd)
	f := os.NewFile(uintptr(fd), "discovery group")
	defer f.Close() // FilePacketConn has one of its own
	err = errors.Join(
		unix.SetsockoptInt(fd, unix.IPPROTO_IPV6, unix.IPV6_V6ONLY, 1),
		setOptions(uintptr(fd), true, true),
		unix.Bind(fd, &unix.SockaddrInet6{Port: int(port), ZoneId: uint32(index), Addr: group.As16()}),
		joinGroup(uintptr(fd), index),
	)
	if err != nil {
		return nil, err
	}
	pc, err := net.FilePacketConn(f)
	if err != nil {
		return nil, err
	}
	return newSocket(pc.(*net.UDPConn))
}

func joinGroup(fd uintptr, index int) error {
	return unix.SetsockoptIPv6Mreq(int(fd), unix.IPPROTO_IPV6, unix.IPV6_JOIN_GROUP, groupOn(index))
}

func leaveGroup(fd uintptr, index int) {
	_ = unix.SetsockoptIPv6Mreq(int(fd), unix.IPPROTO_IPV6, unix.IPV6_LEAVE_GROUP, groupOn(index))
}

func groupOn(index int) *unix.IPv6Mreq {
	return &unix.IPv6Mreq{Multiaddr: group.As16(), Interface: uint32(index)}
}

// write6 sends by the interface of via. The address says so by its zone, as a
// number; package net would look for an interface of that name each time.
func (s *socket) write6(b []byte, to netip.AddrPort, via link) error {
	sa := &unix.SockaddrInet6{Port: int(to.Port()), ZoneId: uint32(via.index), Addr: to.Addr().As16()}
	var failed error
	err := s.raw.Write(func(fd uintptr) bool {
		failed = unix.Sendto(int(fd), b, 0, sa)
		return failed != unix.EAGAIN
	})
	return errors.Join(err, failed)
}

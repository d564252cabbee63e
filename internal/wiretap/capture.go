package wiretap

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net/netip"
	"time"
)

// Capture writes rows as a capture that Wireshark, tshark and tcpdump read: the
// classic pcap format with nanoseconds, link type 101 (raw IP).
//
// The IP, UDP and TCP headers are made up here, since no program sees the real
// ones: addresses, ports, lengths and checksums are right, TCP's numbers count
// the bytes of the frames from 1 on, and there is no handshake. The payload of
// TCP is the frames as they are inside TLS, one segment for each, or several of 16
// KiB: a real capture of the same talk holds what TLS made of them.
type Capture struct {
	w       io.Writer
	offset  int64 // bytes of whole records that were written
	packets uint64
	streams map[uint64]*[2]uint32 // the next sequence number of this end and of the peer
	failed  error
}

const (
	maxSegment   = 16 << 10
	linkTypeRaw  = 101
	nanoMagic    = 0xa1b23c4d
	snapLength   = 65535
	maxCaptured  = 1024 // connections whose numbers are remembered
	protocolTCP  = 6
	protocolUDP  = 17
	hopLimit     = 64
	firstInTCP   = 1
	windowInTCP  = 65535
	pushAckFlags = 0x18
)

// NewCapture writes the head of a capture.
func NewCapture(w io.Writer) (*Capture, error) {
	head := binary.LittleEndian.AppendUint32(nil, nanoMagic)
	head = binary.LittleEndian.AppendUint16(head, 2)
	head = binary.LittleEndian.AppendUint16(head, 4)
	head = append(head, make([]byte, 8)...) // the zone, and a field that nobody uses
	head = binary.LittleEndian.AppendUint32(head, snapLength)
	head = binary.LittleEndian.AppendUint32(head, linkTypeRaw)
	c := &Capture{w: w, streams: map[uint64]*[2]uint32{}}
	return c, c.write(head)
}

// Packets is how many were written.
func (c *Capture) Packets() uint64 { return c.packets }

// Write writes a row. Each record is one write, and what a write that fails has
// left is cut off where the file can be cut: the capture always ends with a whole
// record. After an error there is nothing more to write.
func (c *Capture) Write(e Event) error {
	if c.failed != nil {
		return c.failed
	}
	switch {
	case len(e.Raw) == 0:
		return nil
	case !e.Row.Stream:
		return c.datagram(e)
	}
	for rest := e.Raw; len(rest) > 0; {
		n := min(len(rest), maxSegment)
		if err := c.segment(e.Row, rest[:n]); err != nil {
			return err
		}
		rest = rest[n:]
	}
	return nil
}

func (c *Capture) datagram(e Event) error {
	from, to := ends(e.Row)
	payload := e.Raw
	udp := binary.BigEndian.AppendUint16(nil, from.Port())
	udp = binary.BigEndian.AppendUint16(udp, to.Port())
	udp = binary.BigEndian.AppendUint16(udp, uint16(8+len(payload)))
	udp = append(udp, 0, 0)
	udp = append(udp, payload...)
	sum := checksum(pseudo(from.Addr(), to.Addr(), protocolUDP, len(udp)), udp)
	if sum == 0 { // which would mean that there is none
		sum = 0xffff
	}
	binary.BigEndian.PutUint16(udp[6:], sum)
	return c.packet(e.Row.At, ip(from.Addr(), to.Addr(), protocolUDP, udp))
}

func (c *Capture) segment(r Row, payload []byte) error {
	from, to := ends(r)
	numbers := c.streams[r.Conn]
	if numbers == nil {
		if len(c.streams) >= maxCaptured {
			clear(c.streams)
		}
		numbers = &[2]uint32{firstInTCP, firstInTCP}
		c.streams[r.Conn] = numbers
	}
	own, other := &numbers[0], &numbers[1]
	if !r.Sent {
		own, other = other, own
	}
	tcp := binary.BigEndian.AppendUint16(nil, from.Port())
	tcp = binary.BigEndian.AppendUint16(tcp, to.Port())
	tcp = binary.BigEndian.AppendUint32(tcp, *own)
	tcp = binary.BigEndian.AppendUint32(tcp, *other)
	tcp = append(tcp, 5<<4, pushAckFlags)
	tcp = binary.BigEndian.AppendUint16(tcp, windowInTCP)
	tcp = append(tcp, 0, 0, 0, 0) // checksum, urgent pointer
	tcp = append(tcp, payload...)
	binary.BigEndian.PutUint16(tcp[16:], checksum(pseudo(from.Addr(), to.Addr(), protocolTCP, len(tcp)), tcp))
	*own += uint32(len(payload))
	return c.packet(r.At, ip(from.Addr(), to.Addr(), protocolTCP, tcp))
}

// ends are source and destination, of one family.
func ends(r Row) (from, to netip.AddrPort) {
	local, peer := r.Local, r.Peer
	six := peer.Addr().Is6() || !peer.IsValid() && local.Addr().Is6()
	same := func(a netip.AddrPort) netip.AddrPort {
		addr := a.Addr().WithZone("")
		switch {
		case six && !addr.Is6():
			addr = netip.IPv6Unspecified()
		case !six && !addr.Is4():
			addr = netip.IPv4Unspecified()
		}
		return netip.AddrPortFrom(addr, a.Port())
	}
	if r.Sent {
		return same(local), same(peer)
	}
	return same(peer), same(local)
}

// ip puts a header of IPv4 or IPv6 before payload.
func ip(from, to netip.Addr, protocol byte, payload []byte) []byte {
	if from.Is6() {
		b := binary.BigEndian.AppendUint32(nil, 6<<28)
		b = binary.BigEndian.AppendUint16(b, uint16(len(payload)))
		b = append(b, protocol, hopLimit)
		b = append(append(b, from.AsSlice()...), to.AsSlice()...)
		return append(b, payload...)
	}
	b := []byte{4<<4 | 5, 0}
	b = binary.BigEndian.AppendUint16(b, uint16(20+len(payload)))
	b = append(b, 0, 0, 0x40, 0, hopLimit, protocol, 0, 0) // not to be cut into fragments
	b = append(append(b, from.AsSlice()...), to.AsSlice()...)
	binary.BigEndian.PutUint16(b[10:], checksum(0, b))
	return append(b, payload...)
}

// pseudo is the sum of what UDP and TCP put before their checksum: RFC 768, 9293
// and 8200.
func pseudo(from, to netip.Addr, protocol byte, length int) uint32 {
	b := append(from.AsSlice(), to.AsSlice()...)
	b = binary.BigEndian.AppendUint32(b, uint32(length))
	return sum(0, append(b, 0, 0, 0, protocol))
}

func sum(acc uint32, b []byte) uint32 {
	for ; len(b) >= 2; b = b[2:] {
		acc += uint32(binary.BigEndian.Uint16(b))
	}
	if len(b) == 1 {
		acc += uint32(b[0]) << 8
	}
	return acc
}

// checksum is that of RFC 1071.
func checksum(acc uint32, b []byte) uint16 {
	acc = sum(acc, b)
	for acc > 0xffff {
		acc = acc>>16 + acc&0xffff
	}
	return ^uint16(acc)
}

func (c *Capture) packet(at time.Time, b []byte) error {
	record := binary.LittleEndian.AppendUint32(make([]byte, 0, 16+len(b)), uint32(at.Unix()))
	record = binary.LittleEndian.AppendUint32(record, uint32(at.Nanosecond()))
	record = binary.LittleEndian.AppendUint32(record, uint32(len(b)))
	record = binary.LittleEndian.AppendUint32(record, uint32(len(b)))
	if err := c.write(append(record, b...)); err != nil {
		return err
	}
	c.packets++
	return nil
}

// write writes all of b or, as far as it can be undone, nothing.
func (c *Capture) write(b []byte) error {
	n, err := c.w.Write(b)
	if err == nil {
		c.offset += int64(n)
		return nil
	}
	c.failed = fmt.Errorf("the capture ends behind %d packets: %w", c.packets, err)
	if f, ok := c.w.(interface{ Truncate(int64) error }); ok && n > 0 {
		if cut := f.Truncate(c.offset); cut != nil {
			c.failed = errors.Join(c.failed, fmt.Errorf("and with part of one: %w", cut))
		}
	}
	return c.failed
}

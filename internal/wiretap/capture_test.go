package wiretap

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"lanchat/internal/tsharktest"
)

// taken is one packet of a capture, as a reader sees it.
type taken struct {
	at       time.Time
	from, to netip.AddrPort
	tcp      bool
	seq, ack uint32
	payload  []byte
}

// readCapture reads a capture and holds every length and checksum in it to the
// RFCs.
func readCapture(t *testing.T, b []byte) (packets []taken) {
	t.Helper()
	if len(b) < 24 || binary.LittleEndian.Uint32(b) != 0xa1b23c4d || binary.LittleEndian.Uint32(b[20:]) != 101 {
		t.Fatalf("this is no capture: % x", b[:min(len(b), 24)])
	}
	for b = b[24:]; len(b) > 0; {
		if len(b) < 16 {
			t.Fatalf("%d bytes stand behind the last record", len(b))
		}
		n := int(binary.LittleEndian.Uint32(b[8:]))
		if n != int(binary.LittleEndian.Uint32(b[12:])) || n > len(b)-16 {
			t.Fatalf("a record of %d bytes, and %d are left", n, len(b)-16)
		}
		p := taken{at: time.Unix(int64(binary.LittleEndian.Uint32(b)), int64(binary.LittleEndian.Uint32(b[4:])))}
		packet := b[16 : 16+n]
		b = b[16+n:]
		var src, dst netip.Addr
		var proto byte
		var rest []byte
		switch packet[0] >> 4 {
		case 4:
			if int(binary.BigEndian.Uint16(packet[2:])) != n || folded(packet[:20]) != 0xffff {
				t.Errorf("IPv4: length or checksum: % x", packet[:20])
			}
			src, dst = netip.AddrFrom4([4]byte(packet[12:])), netip.AddrFrom4([4]byte(packet[16:]))
			proto, rest = packet[9], packet[20:]
		case 6:
			if int(binary.BigEndian.Uint16(packet[4:])) != n-40 {
				t.Errorf("IPv6: length: % x", packet[:40])
			}
			src, dst = netip.AddrFrom16([16]byte(packet[8:])), netip.AddrFrom16([16]byte(packet[24:]))
			proto, rest = packet[6], packet[40:]
		default:
			t.Fatalf("IP version %d", packet[0]>>4)
		}
		over := append(append(src.AsSlice(), dst.AsSlice()...), 0, 0, byte(len(rest)>>8), byte(len(rest)), 0, 0, 0, proto)
		if folded(append(over, rest...)) != 0xffff {
			t.Errorf("the checksum of protocol %d is wrong", proto)
		}
		p.from = netip.AddrPortFrom(src, binary.BigEndian.Uint16(rest))
		p.to = netip.AddrPortFrom(dst, binary.BigEndian.Uint16(rest[2:]))
		switch proto {
		case 6:
			p.tcp, p.seq, p.ack = true, binary.BigEndian.Uint32(rest[4:]), binary.BigEndian.Uint32(rest[8:])
			p.payload = rest[20:]
		case 17:
			if int(binary.BigEndian.Uint16(rest[4:])) != len(rest) {
				t.Errorf("UDP: length: % x", rest[:8])
			}
			p.payload = rest[8:]
		}
		packets = append(packets, p)
	}
	return packets
}

// folded is the sum in ones' complement, 0xffff where a checksum is right.
func folded(b []byte) uint16 {
	var acc uint32
	for i, c := range b {
		if i%2 == 0 {
			acc += uint32(c) << 8
		} else {
			acc += uint32(c)
		}
		acc = acc>>16 + acc&0xffff
	}
	return uint16(acc)
}

func udpEvent(local, peer string, sent bool, raw string) Event {
	return Event{Row{At: time.Unix(1, 2), Sent: sent, Local: ap(local), Peer: ap(peer), Bytes: len(raw)}, []byte(raw)}
}

func tcpEvent(conn uint64, local, peer string, sent bool, raw string) Event {
	return Event{Row{Stream: true, Conn: conn, At: time.Unix(1, 2), Sent: sent, Local: ap(local), Peer: ap(peer), Bytes: len(raw)}, []byte(raw)}
}

func ap(s string) netip.AddrPort {
	a, _ := netip.ParseAddrPort(s)
	return a
}

func TestCapture(t *testing.T) {
	long := strings.Repeat("x", 65540)
	var out bytes.Buffer
	c, err := NewCapture(&out)
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range []Event{
		udpEvent("10.0.0.1:40000", "255.255.255.255:25252", true, "query"),
		udpEvent("10.0.0.1:40000", "10.0.0.2:25252", false, "odd"),
		udpEvent("[fe80::1%eth0]:40000", "[ff12::ec63:6874%eth0]:25252", true, "six"),
		udpEvent("[::]:40000", "10.0.0.2:25252", true, "mixed"),
		udpEvent("", "", false, "nobody knows"),
		{Row: Row{At: time.Unix(1, 2)}}, // silence
		tcpEvent(1, "10.0.0.1:40000", "10.0.0.2:25252", true, "hello"),
		tcpEvent(1, "10.0.0.1:40000", "10.0.0.2:25252", false, "welcome"),
		tcpEvent(2, "[::1]:40001", "[::1]:25252", true, "other"),
		tcpEvent(1, "10.0.0.1:40000", "10.0.0.2:25252", false, long),
		tcpEvent(1, "10.0.0.1:40000", "10.0.0.2:25252", true, "join"),
	} {
		if err := c.Write(e); err != nil {
			t.Fatal(err)
		}
	}
	packets := readCapture(t, out.Bytes())
	if uint64(len(packets)) != c.Packets() || !packets[0].at.Equal(time.Unix(1, 2)) {
		t.Errorf("%d packets, it says %d; the first at %v", len(packets), c.Packets(), packets[0].at)
	}
	for i, want := range []struct{ from, to, payload string }{
		{"10.0.0.1:40000", "255.255.255.255:25252", "query"},
		{"10.0.0.2:25252", "10.0.0.1:40000", "odd"},
		{"[fe80::1]:40000", "[ff12::ec63:6874]:25252", "six"},
		{"0.0.0.0:40000", "10.0.0.2:25252", "mixed"},
		{"0.0.0.0:0", "0.0.0.0:0", "nobody knows"},
		{"10.0.0.1:40000", "10.0.0.2:25252", "hello"},
	} {
		if p := packets[i]; p.from != ap(want.from) || p.to != ap(want.to) || string(p.payload) != want.payload {
			t.Errorf("packet %d: %v to %v: %q", i, p.from, p.to, p.payload)
		}
	}
	// Each direction of a connection counts its bytes, and acknowledges the other's.
	streams := map[netip.AddrPort][]byte{}
	for _, p := range packets {
		if !p.tcp {
			continue
		}
		if want := uint32(1 + len(streams[p.from])); p.seq != want {
			t.Errorf("%v: seq %d, want %d", p.from, p.seq, want)
		}
		if want := uint32(1 + len(streams[p.to])); p.ack != want {
			t.Errorf("%v: ack %d, want %d", p.from, p.ack, want)
		}
		streams[p.from] = append(streams[p.from], p.payload...)
	}
	if got := string(streams[ap("10.0.0.2:25252")]); got != "welcome"+long {
		t.Errorf("the server's stream has %d bytes", len(got))
	}
	if got := string(streams[ap("10.0.0.1:40000")]); got != "hellojoin" {
		t.Errorf("the client's stream is %q", got)
	}
}

// full is a disk that takes so many bytes.
type full struct {
	*os.File
	left int
}

func (f *full) Write(b []byte) (int, error) {
	if f.left < len(b) {
		n, _ := f.File.Write(b[:f.left])
		f.left = 0
		return n, syscall.ENOSPC
	}
	f.left -= len(b)
	return f.File.Write(b)
}

// Wherever a disk becomes full, the capture ends with a whole packet, and says how
// many it has.
func TestCaptureOnAFullDisk(t *testing.T) {
	for _, size := range []int{24, 25, 40, 24 + 16 + 33, 100, 170} {
		name := filepath.Join(t.TempDir(), "full.pcap")
		f, err := os.Create(name)
		if err != nil {
			t.Fatal(err)
		}
		c, err := NewCapture(&full{f, size})
		for err == nil {
			err = c.Write(udpEvent("10.0.0.1:40000", "10.0.0.2:25252", true, "query"))
		}
		if !errors.Is(err, syscall.ENOSPC) || !strings.Contains(err.Error(), "packets") {
			t.Errorf("%d bytes: %v", size, err)
		}
		if again := c.Write(udpEvent("10.0.0.1:1", "10.0.0.2:1", true, "more")); !errors.Is(again, syscall.ENOSPC) {
			t.Errorf("%d bytes: it goes on: %v", size, again)
		}
		f.Close()
		b, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		if got := len(readCapture(t, b)); uint64(got) != c.Packets() {
			t.Errorf("%d bytes: %d packets, it says %d", size, got, c.Packets())
		}
	}
	if _, err := NewCapture(&full{nil, 0}); err == nil {
		t.Error("a capture without a head is no error")
	}
}

// The dissector says malformed of what is malformed, and never fails itself.
func TestDissectorOnHostileBytes(t *testing.T) {
	frame := func(body string) string {
		return string(binary.BigEndian.AppendUint32(nil, uint32(len(body)))) + body
	}
	deep := "\x92\xa1a\x81\xa1b" + strings.Repeat("\x91", 60) + "\xc0"
	bodies := map[string]string{
		"an array of 2^28":         "\x92\xa4ping\xdd\x10\x00\x00\x00",
		"a map of 2^32":            "\x92\xa4ping\xdf\xff\xff\xff\xff",
		"a string of 4 GiB":        "\x92\xa4ping\x81\xa1n\xdb\xff\xff\xff\xff",
		"a binary of 64 KiB":       "\x92\xa4ping\x81\xa1n\xc5\xff\xff",
		"cut in a number":          "\x92\xa4ping\x81\xa1n\xcf\x00\x00",
		"a byte without a meaning": "\x92\xa4ping\x81\xa1n\xc1",
		"deep":                     deep,
		"a key that is no string":  "\x92\xa4ping\x81\x01\x01",
		"fields that are no map":   "\x92\xa4ping\x90",
		"something behind it":      "\x92\xa4ping\x80\x00",
	}
	good := map[string]string{
		"every form": "\x92\xa5every\xde\x00\x0d" +
			"\xa1a\xc0\xa1b\xc2\xa1c\xc3\xa1d\xcf\xff\xff\xff\xff\xff\xff\xff\xff\xa1e\xd3\x80\x00\x00\x00\x00\x00\x00\x00" +
			"\xa1f\xcb\x40\x09\x21\xfb\x54\x44\x2d\x18\xa1g\xca\x40\x49\x0f\xdb\xa1h\xd6\xff\x00\x00\x00\x00\xa1i\xc7\x02\x05\x01\x02" +
			"\xa1j\xdc\x00\x01\xff\xa1k\xda\x00\x02hi\xa1l\xc4\x03\x01\x02\x03\xa1m\xce\xff\xff\xff\xff",
		"controls and no UTF-8": "\x92\xa4post\x82\xa4text\xa7a\x00\x1b[2J\n\xa2to\xa3\xff\xfe\xfd",
		"empty":                 "\x92\xa5empty\x80",
	}
	var out bytes.Buffer
	c, err := NewCapture(&out)
	if err != nil {
		t.Fatal(err)
	}
	wanted := 0
	add := func(e Event) {
		if err := c.Write(e); err != nil {
			t.Fatal(err)
		}
	}
	conn := uint64(0)
	local := func(conn uint64) string { return fmt.Sprintf("10.0.0.1:%d", 40000+conn) }
	for _, body := range bodies {
		conn++
		add(tcpEvent(conn, local(conn), "10.0.0.2:25252", true, frame(body)))
		add(udpEvent("10.0.0.1:40000", "10.0.0.2:25252", true, "lcht\x01"+body))
		wanted += 2
	}
	for _, head := range []string{"\x00\x00\x00\x00rest", "\x00\x02\x00\x00\x92\xa4ping"} {
		conn++
		add(tcpEvent(conn, local(conn), "10.0.0.2:25252", true, head))
		wanted++
	}
	add(udpEvent("10.0.0.1:40000", "10.0.0.2:25252", true, "lcht\x01\x92\xa4ping\x80"+strings.Repeat("x", 300)))
	wanted++
	names := 0
	for _, body := range good {
		conn++
		add(tcpEvent(conn, local(conn), "10.0.0.2:25252", true, frame(body)))
		names++
	}
	for _, other := range []string{"", "l", "lcht", "lcht\x02\x92", "hello"} {
		add(udpEvent("10.0.0.1:40000", "10.0.0.2:25252", true, other))
	}
	for _, other := range []string{"/nick ann\n", "\x16\x03\x01\x00\x05abcde", "\x00", "\x00\x00"} {
		conn++
		add(tcpEvent(conn, local(conn), "10.0.0.2:25252", true, other))
	}
	text := tsharktest.Run(t, out.Bytes(), "-V")
	if strings.Contains(text, "Lua") {
		i := strings.Index(text, "Lua")
		t.Errorf("the dissector fails: …%s", text[max(0, i-200):min(len(text), i+400)])
	}
	lines := strings.Split(strings.TrimSpace(tsharktest.Run(t, out.Bytes(), "-Y", "lanchat.malformed", "-T", "fields", "-e", "frame.number", "-e", "_ws.col.Info")), "\n")
	if len(lines) != wanted {
		t.Errorf("%d packets are malformed, want %d:\n%s", len(lines), wanted, strings.Join(lines, "\n"))
	}
	named := strings.Split(strings.TrimSpace(tsharktest.Run(t, out.Bytes(), "-Y", "lanchat.type && !lanchat.malformed", "-T", "fields", "-e", "lanchat.type")), "\n")
	if len(named) != names {
		t.Errorf("%d packets are named, want %d: %q", len(named), names, named)
	}
}

// A frame that stands in several segments, and several that stand in one, are all
// named.
func TestDissectorPutsFramesTogether(t *testing.T) {
	frame := func(body string) string {
		return string(binary.BigEndian.AppendUint32(nil, uint32(len(body)))) + body
	}
	long := frame("\x92\xa4post\x81\xa4text\xda\x9c\x40" + strings.Repeat("y", 40000))
	stream := frame("\x92\xa4ping\x80") + long + frame("\x92\xa4pong\x80") + frame("\x92\xa3ack\x80")
	first := len(frame("\x92\xa4ping\x80")) // by its first bytes a stream on another port is noticed
	for _, size := range []int{first, 1000, maxSegment} {
		var out bytes.Buffer
		c, err := NewCapture(&out)
		if err != nil {
			t.Fatal(err)
		}
		for rest := stream; len(rest) > 0; {
			n := min(size, len(rest))
			if err := c.Write(tcpEvent(1, "10.0.0.1:40000", "10.0.0.2:33333", true, rest[:n])); err != nil {
				t.Fatal(err)
			}
			rest = rest[n:]
		}
		got := strings.Fields(strings.ReplaceAll(tsharktest.Run(t, out.Bytes(), "-Y", "lanchat.type", "-T", "fields", "-e", "lanchat.type"), ",", " "))
		if strings.Join(got, " ") != "ping post pong ack" {
			t.Errorf("in segments of %d: %q", size, got)
		}
	}
}

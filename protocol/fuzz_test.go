package protocol

import (
	"errors"
	"io"
	"net"
	"runtime"
	"testing"
	"time"
)

// pieces is a connection on which all bytes have come.
type pieces struct {
	net.Conn
	rest []byte
	step int
}

func (s *pieces) Read(p []byte) (int, error) {
	if len(s.rest) == 0 {
		return 0, io.EOF
	}
	n := copy(p[:min(len(p), s.step)], s.rest)
	s.rest = s.rest[n:]
	return n, nil
}
func (s *pieces) Write(p []byte) (int, error)      { return len(p), nil }
func (s *pieces) Close() error                     { return nil }
func (s *pieces) SetDeadline(time.Time) error      { return nil }
func (s *pieces) SetReadDeadline(time.Time) error  { return nil }
func (s *pieces) SetWriteDeadline(time.Time) error { return nil }

// Whatever comes over a connection is messages, or an error; and the same however it
// is cut into pieces. Memory is taken for what has come, not for what is promised.
func FuzzFrames(f *testing.F) {
	var all []byte
	for _, m := range golden {
		frame, err := AppendFrame(nil, m)
		if err != nil {
			f.Fatal(err)
		}
		if len(all) < 2000 {
			all = append(all, frame...)
		}
		f.Add(frame, uint8(3))
	}
	f.Add(all, uint8(0))
	f.Add([]byte{0, 0, 255, 255, 0x92}, uint8(1))
	f.Fuzz(func(t *testing.T, b []byte, step uint8) {
		read := func(step int) (n int, last error) {
			c := NewConn(&pieces{rest: b, step: step})
			if err := c.established(); err != nil {
				t.Fatal(err)
			}
			for {
				if _, err := c.Read(); err != nil {
					return n, err
				}
				n++
			}
		}
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		whole, err := read(len(b) + 1)
		runtime.ReadMemStats(&after)
		if took := after.TotalAlloc - before.TotalAlloc; took > 1<<20+100*uint64(len(b)) {
			t.Fatalf("%d bytes took %d of memory", len(b), took)
		}
		n, err2 := read(int(step) + 1)
		if n != whole || errors.Is(err, io.EOF) != errors.Is(err2, io.EOF) {
			t.Fatalf("%d messages and %v at once, %d and %v in pieces of %d", whole, err, n, err2, step+1)
		}
	})
}

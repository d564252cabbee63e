package server

import (
	"crypto/tls"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"lanchat/internal/identity"
	"lanchat/protocol"
)

// bystanders are two people who talk while something happens to the server, and
// must notice nothing of it.
type bystanders struct{ ann, bob *peer }

func newBystanders(t testing.TB, addr string) *bystanders {
	b := &bystanders{connect(t, addr, "ann"), connect(t, addr, "bob")}
	b.ann.join("lobby", 0)
	b.bob.join("lobby", 0)
	await(b.bob, func(p *protocol.Presence) bool { return p.Count == 2 })
	return b
}

// talk says something, and fails the test when anything else than that is heard
// of the room.
func (b *bystanders) talk() {
	b.ann.Helper()
	ack := b.ann.say("lobby", "still here")
	for heard := false; !heard; {
		m, err := b.bob.Read()
		if err != nil {
			b.bob.Fatal(err)
		}
		switch m := m.(type) {
		case *protocol.Entry:
			if heard = m.ID == ack.ID; !heard {
				b.bob.Errorf("the room hears %+v", m)
			}
		default:
			b.bob.Errorf("the room is told %+v", m)
		}
	}
}

// body is a frame of a body that nobody would encode.
func body(s string) string {
	return string(binary.BigEndian.AppendUint32(nil, uint32(len(s)))) + s
}

func TestHostileBytes(t *testing.T) {
	_, addr := startTLS(t)
	b := newBystanders(t, addr)
	hello := string(frames(&protocol.Hello{Version: protocol.Version, Nick: "eve"}))
	const array = "\xdd\x10\x00\x00\x00" // announces 2^28 elements
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	tests := []struct {
		name, sends string
		tls         bool
		code        protocol.Code // of the error before the end; none: an end without a word will do
		says        string        // or a line
	}{
		{"4 GiB in TLS", "\xff\xff\xff\xff", true, protocol.CodeMalformed, ""},
		{"4 GiB in TLS behind hello", hello + "\xff\xff\xff\xff", true, protocol.CodeMalformed, ""},
		{"4 GiB behind hello", hello + "\xff\xff\xff\xff", false, protocol.CodeMalformed, ""},
		{"16 MiB", "\x00\xff\xff\xff", false, protocol.CodeMalformed, ""},
		{"64 KiB and a byte behind hello", hello + "\x00\x01\x00\x01", false, protocol.CodeMalformed, ""},
		{"an empty frame", "\x00\x00\x00\x00", false, protocol.CodeMalformed, ""},
		{"a large array for a body", body(array), false, protocol.CodeMalformed, ""},
		{"a large array behind hello", hello + body(array), false, protocol.CodeMalformed, ""},
		{"a large array in hello", body("\x92\xa5hello\x82\xa1v\x01\xa5wants" + array), false, protocol.CodeMalformed, ""},
		{"a large array in an unknown field", hello + body("\x92\xa4ping\x82\xa1n\x01\xa1x"+array), false, protocol.CodeMalformed, ""},
		{"deep nesting", hello + body("\x92\xa4ping\x81\xa1x"+strings.Repeat("\x91", 60_000)+"\x01"), false, protocol.CodeMalformed, ""},
		{"garbage behind 0", "\x00garbage garbage", false, protocol.CodeMalformed, ""},
		{"garbage behind TLS's first byte", "\x16garbage garbage garbage", false, "", ""},
		{"a hello of 5 KiB", string(frames(&protocol.Hello{Version: 1, Nick: "eve", Software: strings.Repeat("x", 5<<10)})), false, protocol.CodeMalformed, ""},
		{"no hello", string(frames(&protocol.Ping{N: 1})), false, protocol.CodeMalformed, ""},
		{"another version", string(frames(&protocol.Hello{Version: 99, Nick: "eve"})), false, protocol.CodeVersion, ""},
		{"text that is none", hello + body("\x92\xa5topic\x82\xa4room\xa5lobby\xa5topic\xa2\xff\xfe"), false, protocol.CodeMalformed, ""},
		{"bytes of no protocol", "\x7fELF\x02\x01\x01\x00\x00\x00\n", false, "", "! this is no text"},
	}
	for _, tt := range tests {
		nc, err := net.Dial("tcp", addr)
		if err != nil {
			t.Fatal(err)
		}
		nc.SetDeadline(time.Now().Add(5 * time.Second))
		if tt.tls {
			nc = tls.Client(nc, identity.GuestTLS(nil))
		}
		if _, err := io.WriteString(nc, tt.sends); err != nil {
			t.Errorf("%s: %v", tt.name, err)
		}
		answer, err := io.ReadAll(nc)
		if errors.Is(err, protocol.ErrProtocol) || isTimeout(err) {
			t.Errorf("%s: the connection is not closed: %v", tt.name, err)
		}
		nc.Close()
		switch {
		case tt.says != "":
			if !strings.Contains(string(answer), tt.says) {
				t.Errorf("%s: the answer is %q", tt.name, answer)
			}
		case tt.code != "":
			if code := lastError(answer); code != tt.code {
				t.Errorf("%s: the answer is %q (%s), want %s", tt.name, code, answer, tt.code)
			}
		}
		b.talk()
	}
	runtime.ReadMemStats(&after)
	if used := after.TotalAlloc - before.TotalAlloc; used > 16<<20 {
		t.Errorf("all this took %d KiB of memory", used>>10)
	}
}

func isTimeout(err error) bool {
	ne, ok := errors.AsType[net.Error](err)
	return ok && ne.Timeout()
}

// lastError returns the code of the error that is the last of some frames.
func lastError(frames []byte) (code protocol.Code) {
	for len(frames) >= 4 {
		n := int(binary.BigEndian.Uint32(frames))
		if len(frames) < 4+n {
			return ""
		}
		m, _ := protocol.Decode(frames[4 : 4+n])
		frames = frames[4+n:]
		if e, ok := m.(*protocol.Error); ok && len(frames) == 0 {
			code = e.Code
		}
	}
	return code
}

// inUse is the memory in use, without what is garbage.
func inUse() int {
	runtime.GC()
	runtime.GC() // what pools hold goes at the second
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return int(m.HeapAlloc + m.StackInuse)
}

// bare connects without TLS and says hello, and keeps no buffer of its own.
func bare(t testing.TB, addr, nick string, ms ...protocol.Message) net.Conn {
	t.Helper()
	nc, err := net.Dial("tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { nc.Close() })
	ms = append([]protocol.Message{&protocol.Hello{Version: protocol.Version, Nick: nick}}, ms...)
	if _, err := nc.Write(frames(ms...)); err != nil {
		t.Fatal(err)
	}
	return nc
}

// TestHalfAFrame: a frame that is announced and does not come costs what has
// come of it, not what it was to be.
func TestHalfAFrame(t *testing.T) {
	s, addr := start(t)
	b := newBystanders(t, addr)
	before := inUse()
	const count = 100
	for i := range count {
		nc := bare(t, addr, fmt.Sprint("half-", i))
		nc.Write(append(frames(&protocol.Ping{N: 5}), "\x00\x01\x00\x00half"...))
		awaitBytes(t, nc, "pong") // and the rest, sent with it, was read too
	}
	b.talk()
	if n := sessions(s); n != count+2 {
		t.Errorf("%d sessions", n)
	}
	if each := (inUse() - before) / count; each > 24<<10 {
		t.Errorf("each takes %d bytes", each)
	}
}

func awaitBytes(t testing.TB, nc net.Conn, want string) {
	t.Helper()
	nc.SetReadDeadline(time.Now().Add(10 * time.Second))
	var all []byte
	for b := make([]byte, 1024); !strings.Contains(string(all), want); {
		n, err := nc.Read(b)
		if all = append(all, b[:n]...); err != nil {
			t.Fatalf("waiting for %q: %v", want, err)
		}
	}
}

// sessions counts the sessions that there are.
func sessions(s *Server) int {
	s.mu.Lock()
	defer s.mu.Unlock()
	n := 0
	for _, ss := range s.conns {
		if ss != nil {
			n++
		}
	}
	return n
}

// TestHelloFlood: connections that come and go leave nothing behind.
func TestHelloFlood(t *testing.T) {
	s, addr := start(t)
	b := newBystanders(t, addr)
	before := runtime.NumGoroutine()
	var flood sync.WaitGroup
	for range 4 {
		flood.Go(func() {
			for i := range 125 {
				nc, err := net.Dial("tcp", addr)
				if err != nil {
					t.Error(err)
					return
				}
				nc.Write(frames(&protocol.Hello{Version: protocol.Version, Nick: "flood"}))
				if i%2 == 0 {
					nc.(*net.TCPConn).SetLinger(0)
				}
				nc.Close()
			}
		})
	}
	for range 20 {
		b.talk()
	}
	flood.Wait()
	waitFor(t, func() bool {
		s.mu.Lock()
		defer s.mu.Unlock()
		return len(s.conns) == 2 && s.handshakes.Load() == 0
	})
	b.talk()
	s.people.mu.Lock()
	if len(s.people.byUser) != 2 || len(s.people.byKey) != 2 {
		t.Errorf("%d users and %d nicks are known", len(s.people.byUser), len(s.people.byKey))
	}
	s.people.mu.Unlock()
	waitFor(t, func() bool { return runtime.NumGoroutine() <= before })
}

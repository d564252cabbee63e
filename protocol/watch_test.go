package protocol

import (
	"errors"
	"io"
	"net"
	"strings"
	"sync"
	"testing"
)

// noted is what a watcher was told, without the bytes that are gone by then.
type noted struct {
	sent        bool
	kind        string
	first, last uint64
	size, more  int
	known       bool
	failed      bool
}

// notebook is a watcher.
type notebook struct {
	mu    sync.Mutex
	lines []noted
}

func (n *notebook) watch(f Frame) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.lines = append(n.lines, noted{f.Sent, f.Type, f.First, f.Last, f.Size, f.More, f.Message != nil, f.Err != nil})
}

// Which reads brought which frame is told as it was, whatever the cuts.
func TestWatchedReads(t *testing.T) {
	frame := func(m Message) string {
		b, err := AppendFrame(nil, m)
		if err != nil {
			t.Fatal(err)
		}
		return string(b)
	}
	ping, pong := frame(&Ping{N: 1}), frame(&Pong{N: 1})
	post := frame(&Post{ID: id(1), Room: "lobby", Text: strings.Repeat("x", 100)})
	strange := "\x00\x00\x00\x09\x92\xa4new!\x81\xa0\xc0"
	tests := map[string]struct {
		chunks []string
		want   []noted
	}{
		"one by one": {[]string{ping, pong}, []noted{
			{kind: "ping", first: 1, last: 1, size: len(ping), known: true},
			{kind: "pong", first: 2, last: 2, size: len(pong), known: true},
		}},
		"three in one read": {[]string{ping + post + pong}, []noted{
			{kind: "ping", first: 1, last: 1, size: len(ping + post + pong), more: 2, known: true},
			{kind: "post", first: 1, last: 1, size: len(ping + post + pong), more: 1, known: true},
			{kind: "pong", first: 1, last: 1, size: len(ping + post + pong), known: true},
		}},
		"one over three reads": {[]string{post[:2], post[2:50], post[50:]}, []noted{
			{kind: "post", first: 1, last: 3, size: len(post) - 50, known: true},
		}},
		"a cut inside the second": {[]string{ping + post[:10], post[10:] + pong}, []noted{
			{kind: "ping", first: 1, last: 1, size: len(ping) + 10, known: true},
			{kind: "post", first: 1, last: 2, size: len(post) - 10 + len(pong), more: 1, known: true},
			{kind: "pong", first: 2, last: 2, size: len(post) - 10 + len(pong), known: true},
		}},
		"an unknown type": {[]string{strange + ping}, []noted{
			{kind: "new!", first: 1, last: 1, size: len(strange + ping), more: 1},
			{kind: "ping", first: 1, last: 1, size: len(strange + ping), known: true},
		}},
		"one that cannot be read": {[]string{"\x00\x00\x00\x02\xc1\xc1"}, []noted{
			{first: 1, last: 1, size: 6, failed: true},
		}},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			a, b := net.Pipe()
			c := NewConn(b)
			if err := c.established(); err != nil {
				t.Fatal(err)
			}
			var book notebook
			c.Watch(book.watch)
			go func() {
				for _, chunk := range tt.chunks {
					io.WriteString(a, chunk)
				}
				a.Close()
			}()
			var err error
			for err == nil {
				_, err = c.Read()
			}
			if failed := tt.want[len(tt.want)-1].failed; !failed && !errors.Is(err, io.EOF) || failed && !errors.Is(err, ErrProtocol) {
				t.Errorf("it ends with %v", err)
			}
			if len(book.lines) != len(tt.want) {
				t.Fatalf("told of %+v, want %+v", book.lines, tt.want)
			}
			for i, got := range book.lines {
				if got != tt.want[i] {
					t.Errorf("frame %d: %+v, want %+v", i, got, tt.want[i])
				}
			}
		})
	}
}

// A write is told of before it, frame by frame, the handshake too.
func TestWatchedHandshakeAndWrites(t *testing.T) {
	a, b := net.Pipe()
	go func() {
		server, err := Accept(b, func(*Hello, *Exchange) (*Welcome, error) { return &Welcome{Version: Version, Nick: "ann"}, nil })
		if err != nil {
			return
		}
		for {
			if _, err := server.Read(); err != nil {
				server.Close()
				return
			}
		}
	}()
	c := NewConn(a)
	var book notebook
	c.Watch(book.watch)
	if _, err := c.Handshake(t.Context(), &Hello{Nick: "ann"}); err != nil {
		t.Fatal(err)
	}
	if err := c.Write(&Ping{N: 1}, &Typing{Room: "lobby"}); err != nil {
		t.Fatal(err)
	}
	c.Close()
	want := []noted{
		{sent: true, kind: "hello", first: 1, last: 1, known: true},
		{kind: "welcome", first: 1, last: 1, known: true},
		{sent: true, kind: "ping", first: 2, last: 2, more: 1, known: true},
		{sent: true, kind: "typing", first: 2, last: 2, known: true},
	}
	for i, got := range book.lines {
		if got.size == 0 {
			t.Errorf("frame %d has no size", i)
		}
		got.size = 0
		if i >= len(want) || got != want[i] {
			t.Errorf("frame %d: %+v", i, got)
		}
	}
	if len(book.lines) != len(want) {
		t.Errorf("%d frames, want %d", len(book.lines), len(want))
	}
	if book.lines[2].size != book.lines[3].size {
		t.Error("two frames of one write tell different sizes of it")
	}
}

// The greeting of a server that took us for a person is understood by one that
// is watched as by any other.
func TestWatchedGreeting(t *testing.T) {
	a, b := net.Pipe()
	go func() {
		io.WriteString(b, Greeting+" to Hack Night\n")
		io.Copy(io.Discard, b)
	}()
	go io.Copy(io.Discard, b)
	c := NewConn(a)
	c.Watch(func(Frame) {})
	if _, err := c.Handshake(t.Context(), &Hello{}); !errors.Is(err, ErrGreeted) {
		t.Errorf("Handshake = %v", err)
	}
}

// endless gives one frame for ever, and takes everything.
type endless struct {
	net.Conn
	frame []byte
	at    int
}

func (e *endless) Read(b []byte) (n int, err error) {
	for n < len(b) {
		k := copy(b[n:], e.frame[e.at:])
		n += k
		e.at = (e.at + k) % len(e.frame)
	}
	return n, nil
}

func (e *endless) Write(b []byte) (int, error) { return len(b), nil }

func newEndless(tb testing.TB) *Conn {
	frame, err := AppendFrame(nil, &Post{ID: id(1), Room: "lobby", Text: strings.Repeat("x", 100)})
	if err != nil {
		tb.Fatal(err)
	}
	return NewConn(&endless{frame: frame})
}

// Where nobody watches, a frame is read with no allocation but that of its
// message, and written with none.
func TestUnwatchedAllocatesNothing(t *testing.T) {
	c := newEndless(t)
	frame := c.nc.(*endless).frame
	decode := testing.AllocsPerRun(1000, func() { Decode(frame[frameHeader:]) })
	read := testing.AllocsPerRun(1000, func() { c.Read() })
	write := testing.AllocsPerRun(1000, func() { c.WriteFrames(frame) })
	if raced {
		decode++ // the detector has a pool lose things now and then
	}
	if read > decode || write > 0 {
		t.Errorf("a read allocates %v times where decoding does %v, a write %v times", read, decode, write)
	}
}

func BenchmarkWatch(b *testing.B) {
	for _, who := range []string{"nobody", "somebody"} {
		c := newEndless(b)
		if who == "somebody" {
			c.Watch(func(Frame) {})
		}
		b.Run("read/"+who, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if _, err := c.Read(); err != nil {
					b.Fatal(err)
				}
			}
		})
		frame := c.nc.(*endless).frame
		b.Run("write/"+who, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if err := c.WriteFrames(frame); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

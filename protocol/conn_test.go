package protocol

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"runtime"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// pair is two established ends of one connection in memory.
func pair(t *testing.T) (client, server *Conn) {
	a, b := net.Pipe()
	t.Cleanup(func() { a.Close(); b.Close() })
	client, server = NewConn(a), NewConn(b)
	if err := errors.Join(client.established(), server.established()); err != nil {
		t.Fatal(err)
	}
	return client, server
}

func TestFramesSurviveAnyCut(t *testing.T) {
	var stream []byte
	var want []string
	for i := range 50 {
		p := &Post{ID: id(byte(i)), Room: "lobby", Text: strings.Repeat("x", i*i*20)}
		var err error
		if stream, err = AppendFrame(stream, p); err != nil {
			t.Fatal(err)
		}
		want = append(want, p.Text)
	}
	for _, size := range []int{1, 3, 5, 1000, 4096, 5000, len(stream)} {
		// In a bubble no time passes, and no new deadline is set: unlike a socket, the end
		// of a pipe takes none when the other is closed.
		cut := func(t *testing.T) {
			a, b := net.Pipe()
			defer a.Close()
			c := NewConn(b)
			if err := c.established(); err != nil {
				t.Fatal(err)
			}
			go func() {
				for rest := stream; len(rest) > 0; {
					n, err := a.Write(rest[:min(size, len(rest))])
					if err != nil {
						return
					}
					rest = rest[n:]
				}
				a.Close()
			}()
			for i := range want {
				m, err := c.Read()
				if err != nil {
					t.Fatal(err)
				}
				if got := m.(*Post).Text; got != want[i] {
					t.Fatalf("post %d has %d bytes, want %d", i, len(got), len(want[i]))
				}
			}
			if _, err := c.Read(); !errors.Is(err, io.EOF) {
				t.Fatalf("behind the last frame: %v", err)
			}
			if c.buf != nil {
				t.Error("an idle connection holds a read buffer")
			}
		}
		t.Run(fmt.Sprint(size), func(t *testing.T) { synctest.Test(t, cut) })
	}
}

func TestUnknownTypeIsSkipped(t *testing.T) {
	client, server := pair(t)
	go func() {
		client.nc.Write([]byte{0, 0, 0, 9, 0x92, 0xa4, 'n', 'e', 'w', '!', 0x81, 0xa0, 0xc0})
		client.Write(&Ping{N: 3})
	}()
	if m, err := server.Read(); err != nil || m.(*Ping).N != 3 {
		t.Fatalf("%v, %v", m, err)
	}
}

func TestHostileFrames(t *testing.T) {
	tests := map[string]struct {
		bytes []byte
		want  error
	}{
		"4 GiB":            {[]byte{0xff, 0xff, 0xff, 0xff}, ErrProtocol},
		"one too long":     {binary.BigEndian.AppendUint32(nil, MaxFrame+1), ErrProtocol},
		"empty":            {[]byte{0, 0, 0, 0}, ErrProtocol},
		"2^28 elements":    {[]byte{0, 0, 0, 5, 0xdd, 0x10, 0, 0, 0}, ErrProtocol},
		"half a header":    {[]byte{0, 0}, io.ErrUnexpectedEOF},
		"half a body":      {[]byte{0, 0, 0, 9, 0x92}, io.ErrUnexpectedEOF},
		"not MessagePack":  {[]byte{0, 0, 0, 4, 0xc1, 0xc1, 0xc1, 0xc1}, ErrProtocol},
		"fields of no map": {[]byte{0, 0, 0, 7, 0x92, 0xa4, 'p', 'i', 'n', 'g', 0x90}, ErrProtocol},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			client, server := pair(t)
			go func() {
				client.nc.Write(tt.bytes)
				client.Close()
			}()
			var before, after runtime.MemStats
			runtime.ReadMemStats(&before)
			_, err := server.Read()
			runtime.ReadMemStats(&after)
			if !errors.Is(err, tt.want) {
				t.Errorf("Read = %v, want %v", err, tt.want)
			}
			if n := after.TotalAlloc - before.TotalAlloc; n > 64<<10 {
				t.Errorf("%d bytes made it allocate %d", len(tt.bytes), n)
			}
		})
	}
}

// A length of 64 KiB and then silence costs 4 KiB, not 64.
func TestBufferGrowsOnlyWithBytes(t *testing.T) {
	client, server := pair(t)
	done := make(chan error)
	go func() { _, err := server.Read(); done <- err }()
	client.nc.Write([]byte{0, 1, 0, 0, 0x92})
	client.Close()
	if err := <-done; !errors.Is(err, io.ErrUnexpectedEOF) {
		t.Fatal(err)
	}
	if len(server.buf) != readBufferMin {
		t.Errorf("the buffer has %d bytes", len(server.buf))
	}
}

func TestHandshakeFramesAreSmall(t *testing.T) {
	a, b := net.Pipe()
	defer a.Close()
	go func() {
		a.Write(binary.BigEndian.AppendUint32(nil, MaxHandshakeFrame+1))
		io.Copy(io.Discard, a)
	}()
	_, err := Accept(b, func(*Hello, *Exchange) (*Welcome, error) { t.Error("decide was asked"); return nil, nil })
	if !errors.Is(err, ErrProtocol) {
		t.Errorf("Accept = %v", err)
	}
}

func TestSilenceEndsAConnection(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		client, server := pair(t)
		start := time.Now()
		go func() {
			for range 3 { // half frames do not count as life
				client.nc.Write([]byte{0})
				time.Sleep(SilenceTimeout / 3)
			}
		}()
		_, err := server.Read()
		if !errors.Is(err, os.ErrDeadlineExceeded) {
			t.Errorf("Read = %v", err)
		}
		if waited := time.Since(start); waited > SilenceTimeout || waited < SilenceTimeout-deadlineSlack {
			t.Errorf("it waited %v", waited)
		}
		if got := ToError(err).Code; got != CodeTimeout {
			t.Errorf("the peer is told %q", got)
		}
		client.Close()
	})
}

func TestStalledWriteEnds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		client, _ := pair(t)
		start := time.Now()
		if err := client.Write(&Ping{}); !errors.Is(err, os.ErrDeadlineExceeded) {
			t.Errorf("Write = %v", err)
		}
		if waited := time.Since(start); waited != WriteTimeout {
			t.Errorf("it waited %v", waited)
		}
	})
}

func TestTooLargeIsNotSent(t *testing.T) {
	client, _ := pair(t)
	if err := client.Write(&Ping{}, &Post{Text: strings.Repeat("x", MaxFrame)}); !errors.Is(err, ErrTooLarge) {
		t.Errorf("Write = %v", err) // and it did not block: nobody reads the pipe
	}
}

func TestHandshake(t *testing.T) {
	tests := map[string]struct {
		decide func(*Hello, *Exchange) (*Welcome, error)
		want   error
	}{
		"welcome": {func(h *Hello, _ *Exchange) (*Welcome, error) {
			return &Welcome{Version: Version, Nick: h.Nick + "-2"}, nil
		}, nil},
		"refused":  {func(*Hello, *Exchange) (*Welcome, error) { return nil, Errorf(CodeAuth, "no") }, &Error{Code: CodeAuth}},
		"internal": {func(*Hello, *Exchange) (*Welcome, error) { return nil, errors.New("secret path") }, &Error{Code: CodeInternal}},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			a, b := net.Pipe()
			defer b.Close()
			accepted := make(chan error, 1)
			go func() {
				_, err := Accept(b, tt.decide)
				accepted <- err
			}()
			c, welcome, err := Handshake(t.Context(), a, &Hello{Nick: "ann"})
			if err2 := <-accepted; (err2 == nil) != (tt.want == nil) {
				t.Errorf("Accept = %v", err2)
			}
			if tt.want != nil {
				if !errors.Is(err, tt.want) || strings.Contains(err.Error(), "secret") {
					t.Errorf("Handshake = %v", err)
				}
				return
			}
			if err != nil || welcome.Nick != "ann-2" {
				t.Fatalf("%+v, %v", welcome, err)
			}
			c.Close()
		})
	}
}

func TestHandshakeEndsWithItsContext(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	a, b := net.Pipe()
	defer b.Close()
	go func() {
		b.Read(make([]byte, 1))
		cancel()
	}()
	if _, _, err := Handshake(ctx, a, &Hello{}); !errors.Is(err, context.Canceled) {
		t.Errorf("Handshake = %v", err)
	}
}

func TestVersionIsChecked(t *testing.T) {
	a, b := net.Pipe()
	go Accept(b, nil)
	if _, _, err := Handshake(t.Context(), a, &Hello{Version: 99}); !errors.Is(err, &Error{Code: CodeVersion}) {
		t.Errorf("Handshake = %v", err)
	}
}

// A server that took us for a person has greeted us: Dial connects again, once.
func TestDialAfterGreeting(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	served := make(chan int, 1)
	go func() {
		n := 0
		defer func() { served <- n }()
		for {
			nc, err := l.Accept()
			if err != nil {
				return
			}
			if n++; n == 1 {
				io.WriteString(nc, Greeting+" to Hack Night\n")
				io.ReadAtLeast(nc, make([]byte, 100), 5)
				nc.Close()
				continue
			}
			c, err := Accept(nc, func(*Hello, *Exchange) (*Welcome, error) { return &Welcome{Version: Version, Nick: "ann"}, nil })
			if err == nil {
				defer c.Close()
			}
		}
	}()
	c, _, err := Dial(t.Context(), l.Addr().String(), nil, &Hello{Nick: "ann"})
	if err != nil {
		t.Fatal(err)
	}
	c.Close()
	l.Close()
	if n := <-served; n != 2 {
		t.Errorf("it connected %d times", n)
	}
}

func BenchmarkRead(b *testing.B) {
	a, z := net.Pipe()
	frame, _ := AppendFrame(nil, &Post{ID: id(1), Room: "lobby", Text: strings.Repeat("x", 100)})
	burst := []byte(strings.Repeat(string(frame), 100))
	go func() {
		for {
			if _, err := a.Write(burst); err != nil {
				return
			}
		}
	}()
	c := NewConn(z)
	c.limit = MaxFrame
	b.ReportAllocs()
	for b.Loop() {
		if _, err := c.Read(); err != nil {
			b.Fatal(err)
		}
	}
	a.Close()
}

package protocol

import (
	"fmt"
	"io"
	"net"
	"strings"
	"testing"
	"time"
)

// theEntry is an ordinary one, of a text of 100 bytes.
func theEntry() *Entry {
	return &Entry{Room: "lobby", Seq: 12_345, ID: NewID(), User: UserID{1, 2, 3}, Nick: "somebody", At: time.Now().UnixNano(), Text: strings.Repeat("x", 100)}
}

// BenchmarkDecode is what a server does with a post's bytes, and a client with an
// entry's.
func BenchmarkDecode(b *testing.B) {
	for name, m := range map[string]Message{
		"post":  &Post{ID: NewID(), Room: "lobby", Text: strings.Repeat("x", 100)},
		"entry": theEntry(),
		"join":  &Join{Ref: 1, Room: "lobby", After: 1_000},
	} {
		b.Run(name, func(b *testing.B) {
			frame, err := AppendFrame(nil, m)
			if err != nil {
				b.Fatal(err)
			}
			b.ReportAllocs()
			for b.Loop() {
				if _, err := Decode(frame[4:]); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

// BenchmarkEncode is what an entry costs once, however many hear it, and an
// acknowledgement.
func BenchmarkEncode(b *testing.B) {
	for name, m := range map[string]Message{
		"entry": theEntry(),
		"ack":   &Ack{ID: NewID(), Room: "lobby", Seq: 12_345, At: time.Now().UnixNano()},
	} {
		b.Run(name, func(b *testing.B) {
			var buf []byte
			b.ReportAllocs()
			for b.Loop() {
				var err error
				if buf, err = AppendFrame(buf[:0], m); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

// BenchmarkWrite is one write to a socket, of so many encoded entries.
func BenchmarkWrite(b *testing.B) {
	frame, err := AppendFrame(nil, theEntry())
	if err != nil {
		b.Fatal(err)
	}
	for _, entries := range []int{1, 32, 512} {
		b.Run(fmt.Sprint("entries=", entries), func(b *testing.B) {
			l, err := net.Listen("tcp", "127.0.0.1:0")
			if err != nil {
				b.Fatal(err)
			}
			defer l.Close()
			reader, err := net.Dial("tcp", l.Addr().String())
			if err != nil {
				b.Fatal(err)
			}
			defer reader.Close()
			go io.Copy(io.Discard, reader)
			nc, err := l.Accept()
			if err != nil {
				b.Fatal(err)
			}
			c := NewConn(nc)
			defer c.Close()
			frames := []byte(strings.Repeat(string(frame), entries))
			b.SetBytes(int64(len(frames)))
			b.ReportAllocs()
			for b.Loop() {
				if err := c.WriteFrames(frames); err != nil {
					b.Fatal(err)
				}
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N*entries), "ns/entry")
		})
	}
}

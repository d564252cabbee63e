package protocol

import (
	"strings"
	"testing"
)

// BenchmarkDecode and BenchmarkEncode measure what each post costs.
func BenchmarkDecode(b *testing.B) {
	for _, m := range hot() {
		b.Run(Name(m), func(b *testing.B) {
			frame, err := AppendFrame(nil, m)
			if err != nil {
				b.Fatal(err)
			}
			b.ReportAllocs()
			for b.Loop() {
				if _, err := Decode(frame[frameHeader:]); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

func BenchmarkEncode(b *testing.B) {
	for _, m := range hot() {
		b.Run(Name(m), func(b *testing.B) {
			var frame []byte
			b.ReportAllocs()
			for b.Loop() {
				var err error
				if frame, err = AppendFrame(frame[:0], m); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

func hot() []Message {
	text := strings.Repeat("x", 100)
	entry := textEntry()
	entry.Text = text
	return []Message{&Post{ID: id(1), Room: "lobby", Text: text}, entry, &Ack{ID: id(1), Room: "lobby", Seq: 7, At: entry.At}}
}

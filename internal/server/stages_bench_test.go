package server

import (
	"fmt"
	"io"
	"strings"
	"testing"

	"lanchat/protocol"
)

// BenchmarkValidate is what a post's checks cost, between its decoding and the log.
func BenchmarkValidate(b *testing.B) {
	for name, text := range map[string]string{
		"ascii":  strings.Repeat("hello you ", 10),
		"accent": strings.Repeat("grüß dich ", 9),
		"emoji":  strings.Repeat("👍🏽 fine ", 8),
	} {
		b.Run(name, func(b *testing.B) {
			ss := posterOf(b)
			post := &protocol.Post{ID: protocol.NewID(), Room: "lobby", Text: text}
			b.ReportAllocs()
			for b.Loop() {
				if _, err := ss.entry(post); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

// posterOf is the session of somebody in the lobby.
func posterOf(b *testing.B) *session {
	s, addr := start(b)
	connect(b, addr, "ann").join("lobby", 0)
	all := s.allSessions()
	if len(all) != 1 {
		b.Fatalf("%d sessions", len(all))
	}
	return all[0]
}

// BenchmarkFanOut is an entry's way from the log to so many people's sockets, for each
// of them. Entries come in bursts, all of which everybody has before the next: so the
// first wakes, and a write may carry more than one.
func BenchmarkFanOut(b *testing.B) {
	const burst = 32
	for _, readers := range []int{10, 200, 1_000} {
		b.Run(fmt.Sprint("readers=", readers), func(b *testing.B) {
			s, addr := start(b, func(c *Config) {
				c.Limits.PostBurst, c.Limits.PostRate = 1<<30, 1<<30
				c.Limits.AddressConns, c.Limits.AddressHandshakes, c.Limits.Handshakes = 2*readers+10, 2*readers+10, 2*readers+10
			})
			defer s.Close()
			got := make(chan struct{}, readers)
			for i := range readers {
				r, err := dialRaw(addr, fmt.Sprint("reader-", i), 0)
				if err != nil {
					b.Fatal(err)
				}
				defer r.Close()
				go func() {
					for heard := 0; ; {
						name, err := r.next()
						if err != nil {
							return
						}
						if name != "entry" {
							continue
						}
						if heard++; heard%burst == 0 {
							got <- struct{}{}
						}
					}
				}()
			}
			sender, err := dialRaw(addr, "somebody", 0)
			if err != nil {
				b.Fatal(err)
			}
			defer sender.Close()
			go io.Copy(io.Discard, sender.Conn)
			text := strings.Repeat("x", 100)
			b.ReportAllocs()
			for b.Loop() {
				b.StopTimer()
				var posts []byte
				for range burst {
					posts = appendFrame(posts, &protocol.Post{ID: protocol.NewID(), Room: "lobby", Text: text})
				}
				b.StartTimer()
				if _, err := sender.Write(posts); err != nil {
					b.Fatal(err)
				}
				for range readers {
					<-got
				}
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N*burst*readers), "ns/delivery")
		})
	}
}

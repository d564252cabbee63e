package main

import (
	"context"
	"encoding/json"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"lanchat/protocol"
)

// How the client feels: the real programs, a room of 100,000 entries and 5,000
// people, and a terminal of the kernel's. Run with
//
//	go test -run xxx -bench Feel -benchtime 1x ./cmd/chat
//
// start-ms is the median of the times from the start of the program to the
// newest line on the screen; echo-… the times from a key to its character while
// 2,000 lines a second arrive; all-… what it takes to have the whole room loaded.
func BenchmarkFeel(b *testing.B) {
	const entries, people, rate = 100_000, 5_000, 2_000
	s := newSite(b)
	data := filepath.Join(b.TempDir(), "data")
	fill(b, filepath.Join(s.bin, "chatd"), data, entries)
	_, addr, _ := s.chatd("Hack Night", "--data", data, "--post-rate", "4000")
	newest := fmt.Sprintf("line-%d", entries)
	for b.Loop() {
		disperse := crowd(b, addr, people)
		chat := func() (*pty, time.Duration) {
			cmd := s.command("chat", "join", addr, "--nick", "ann")
			cmd.Env = append(cmd.Env, "TERM=xterm-256color")
			begin := time.Now()
			p := startInPty(b, 120, 40, cmd)
			return p, p.see(newest).Sub(begin)
		}
		var starts []time.Duration
		for range 9 {
			p, took := chat()
			starts = append(starts, took)
			p.type_("/quit\r")
			p.cmd.Wait()
		}
		b.ReportMetric(ms(quantile(starts, 0.5)), "start-ms")

		// 2,000 lines a second to 5,000 people are more than this machine can carry.
		disperse()
		p, _ := chat()
		p.see("online")
		// All of the room: to its first line, by a search for it.
		p.type_("\x06\"line-1 of\"\r")
		p.see("goes") // "Enter goes there"
		begin := time.Now()
		p.type_("\r")
		p.see("line-12") // below the first one
		b.ReportMetric(ms(time.Since(begin)), "all-ms")
		b.ReportMetric(p.memory(), "all-MiB")
		p.type_("\x1b")
		<-time.After(200 * time.Millisecond) // Escape and a key at once would be that key with Alt
		p.type_("\x1b")
		stop := flood(b, addr, rate)
		p.see("flood-3") // it flows
		var echoes []time.Duration
		for i := range 200 {
			key := string(rune(0x100 + i)) // each another letter, which nobody else writes
			begin := time.Now()
			p.type_(key)
			echoes = append(echoes, p.see(key).Sub(begin))
			p.type_("\x7f")
			<-time.After(7 * time.Millisecond) // not in step with the frames
		}
		arrived := stop()
		b.ReportMetric(ms(quantile(echoes, 0.5)), "echo-p50-ms")
		b.ReportMetric(ms(quantile(echoes, 0.99)), "echo-p99-ms")
		b.ReportMetric(arrived, "lines/s")
	}
}

func ms(d time.Duration) float64 { return float64(d) / float64(time.Millisecond) }

func quantile(ds []time.Duration, q float64) time.Duration {
	slices.Sort(ds)
	return ds[int(q*float64(len(ds)-1))]
}

// fill makes a log of so many entries in the lobby.
func fill(b testing.TB, chatd, data string, entries int) {
	b.Helper()
	var lines strings.Builder
	enc := json.NewEncoder(&lines)
	begin := time.Now().Add(-time.Duration(entries) * time.Second)
	for i := range entries {
		at := begin.Add(time.Duration(i) * time.Second)
		if err := enc.Encode(map[string]any{"room": "lobby", "seq": i + 1, "id": protocol.NewID().String(), "user": protocol.UserID{byte(i % 50)}.String(),
			"from": fmt.Sprint("person", i%50), "verified": true, "at": at.UTC().Format(time.RFC3339Nano), "kind": "text",
			"text": fmt.Sprintf("line-%d of what was said before, long enough to be one of those that people write", i+1)}); err != nil {
			b.Fatal(err)
		}
	}
	cmd := exec.Command(chatd, "import", "--data", data)
	cmd.Stdin, cmd.Stderr = strings.NewReader(lines.String()), os.Stderr
	if err := cmd.Run(); err != nil {
		b.Fatal(err)
	}
}

// enterPlain joins the lobby over a connection without TLS.
func enterPlain(b testing.TB, addr, nick string) *protocol.Conn {
	b.Helper()
	nc, err := net.Dial("tcp", addr)
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { nc.Close() })
	c, _, err := protocol.Handshake(context.Background(), nc, &protocol.Hello{Version: protocol.Version, Nick: nick})
	if err == nil {
		err = c.Write(&protocol.Join{Ref: 1, Room: protocol.DefaultRoom, Live: true})
	}
	if err != nil {
		b.Fatal(err)
	}
	return c
}

// crowd has so many people in the lobby, who sit there until it disperses.
func crowd(b testing.TB, addr string, people int) (disperse func()) {
	b.Helper()
	conns := make([]*protocol.Conn, people)
	for i := range conns {
		conns[i] = enterPlain(b, addr, fmt.Sprint("visitor", i))
		for joined := false; !joined; {
			m, err := conns[i].Read()
			if err != nil {
				b.Fatal(err)
			}
			_, joined = m.(*protocol.Joined)
		}
	}
	return func() {
		for _, c := range conns {
			c.Close()
		}
	}
}

// flood posts so many lines a second until it is stopped; then it returns how
// many a second it were.
func flood(b testing.TB, addr string, rate int) (stop func() float64) {
	b.Helper()
	c := enterPlain(b, addr, "flood")
	go func() {
		for {
			if _, err := c.Read(); err != nil {
				return
			}
		}
	}()
	quit, done := make(chan struct{}), make(chan float64)
	go func() {
		begin, n := time.Now(), 0
		tick := time.NewTicker(5 * time.Millisecond)
		defer tick.Stop()
		for {
			select {
			case <-quit:
				done <- float64(n) / time.Since(begin).Seconds()
				return
			case <-tick.C:
			}
			var ms []protocol.Message
			for due := int(time.Since(begin).Seconds() * float64(rate)); n < due; n++ {
				ms = append(ms, &protocol.Post{ID: protocol.NewID(), Room: protocol.DefaultRoom, Text: fmt.Sprintf("flood-%d of lines, one after the other", n+1)})
			}
			if len(ms) == 0 {
				continue
			}
			if err := c.Write(ms...); err != nil {
				b.Error(err)
				done <- 0
				return
			}
		}
	}()
	return func() float64 { close(quit); return <-done }
}

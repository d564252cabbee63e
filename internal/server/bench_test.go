package server

import (
	"bufio"
	"fmt"
	"io"
	"os"
	"os/exec"
	"runtime"
	"strconv"
	"strings"
	"testing"

	"lanchat/internal/identity"
	"lanchat/protocol"
)

// BenchmarkRelay measures what one more recipient costs. Entries go through one
// by one, each to everybody before the next: the worst case, in which nothing is
// gathered into one write.
//
//	allocs/recipient  allocations for each entry and recipient; should be 0
//	allocs/entry      those that an entry costs however many hear it
//	B/entry           bytes on the wire of an entry of 100 bytes of text
func BenchmarkRelay(b *testing.B) {
	for _, readers := range []int{10, 200} {
		b.Run(fmt.Sprint("readers=", readers), func(b *testing.B) {
			one, _ := relay(b, 1)
			b.ResetTimer()
			all, size := relay(b, readers)
			more := float64(all) - float64(one)
			b.ReportMetric(more/float64(b.N)/float64(readers-1), "allocs/recipient")
			b.ReportMetric(float64(one)/float64(b.N), "allocs/entry")
			b.ReportMetric(float64(size), "B/entry")
		})
	}
}

// relay sends b.N entries to so many readers, and returns how many allocations
// were made and an entry's size.
func relay(b *testing.B, readers int) (mallocs uint64, size int) {
	s, addr := start(b, func(c *Config) { c.Limits.PostBurst = 1 << 30 })
	defer s.Close()
	got := make(chan int, readers)
	for i := range readers {
		r, err := dialRaw(addr, fmt.Sprint("reader-", i), 0)
		if err != nil {
			b.Fatal(err)
		}
		defer r.Close()
		go func() {
			for {
				name, err := r.next()
				if err != nil {
					return
				}
				if name == "entry" {
					got <- len(r.body) + 4
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
	const warmUp = 100
	posts := make([][]byte, warmUp+b.N)
	for i := range posts {
		posts[i] = frames(&protocol.Post{ID: protocol.NewID(), Room: "lobby", Text: strings.Repeat("x", 100)})
	}
	var before, after runtime.MemStats
	for i, p := range posts {
		if i == warmUp {
			runtime.ReadMemStats(&before)
		}
		if _, err := sender.Write(p); err != nil {
			b.Fatal(err)
		}
		for range readers {
			size = <-got
		}
	}
	runtime.ReadMemStats(&after)
	return after.Mallocs - before.Mallocs, size
}

// BenchmarkIdle measures what a connection costs that is in the lobby and
// silent: memory (heap and stacks) and goroutines, of the server alone. The
// clients are another process.
func BenchmarkIdle(b *testing.B) {
	for _, door := range []string{"bare", "guest", "key"} {
		b.Run(door, func(b *testing.B) {
			const clients = 500
			s, addr := startTLS(b, func(c *Config) { c.Limits.AddressConns = 2 * clients })
			var memory, goroutines int
			for b.Loop() {
				waitFor(b, func() bool { return sessions(s) == 0 })
				before, running := inUse(), runtime.NumGoroutine()
				leave := idleClients(b, addr, door, clients)
				waitFor(b, func() bool { return s.presence.settled() })
				memory, goroutines = inUse()-before, runtime.NumGoroutine()-running
				leave()
			}
			b.ReportMetric(float64(memory)/clients, "B/conn")
			b.ReportMetric(float64(goroutines)/clients, "goroutines/conn")
		})
	}
}

func (p *presence) settled() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return len(p.dirty) == 0
}

// idleClients starts a process that connects so many times.
func idleClients(t testing.TB, addr, door string, count int) (leave func()) {
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	c := exec.Command(self, "-test.run=^TestIdleClients$")
	c.Env = append(os.Environ(), "IDLE_CLIENTS="+strings.Join([]string{addr, door, fmt.Sprint(count)}, ","))
	c.Stderr = os.Stderr
	in, err1 := c.StdinPipe()
	out, err2 := c.StdoutPipe()
	if err1 != nil || err2 != nil || c.Start() != nil {
		t.Fatal("the clients do not start", err1, err2)
	}
	if line, err := bufio.NewReader(out).ReadString('\n'); line != "ready\n" {
		t.Fatalf("the clients say %q, %v", line, err)
	}
	return func() {
		in.Close()
		c.Wait() // how it ends does not matter
	}
}

// TestIdleClients is the other process of BenchmarkIdle.
func TestIdleClients(t *testing.T) {
	what := strings.Split(os.Getenv("IDLE_CLIENTS"), ",")
	if len(what) != 3 {
		t.Skip("runs as a process of BenchmarkIdle's")
	}
	count, _ := strconv.Atoi(what[2])
	config := identity.GuestTLS(nil)
	for i := range count {
		switch what[1] {
		case "bare":
			config = nil
		case "key":
			config = newKey(t).ClientTLS(nil)
		}
		c, _, err := protocol.Dial(t.Context(), what[0], config, &protocol.Hello{Nick: fmt.Sprint("idle-", i)})
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		if err := c.Write(&protocol.Join{Ref: 1, Room: "lobby"}); err != nil {
			t.Fatal(err)
		}
		go io.Copy(io.Discard, c.NetConn())
	}
	fmt.Println("ready")
	io.Copy(io.Discard, os.Stdin)
}

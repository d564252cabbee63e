package main

import (
	"bufio"
	"encoding/json"
	"flag"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"lanchat/internal/tied"
)

var logMegabytes = flag.Int("log.megabytes", 1, "size of the build log in TestBuildLog")

// writeBuildLog writes lines as a compiler's, each another one.
func writeBuildLog(t testing.TB, path string, size int) (lines int) {
	t.Helper()
	f, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	w := bufio.NewWriter(f)
	random := rand.New(rand.NewPCG(1, 2))
	for written := 0; written < size; lines++ {
		n, _ := fmt.Fprintf(w, "%07d cc -O2 -Wall -c src/module_%d/file_%d.c -o build/%s.o\n", lines, lines%97, lines%1009, strings.Repeat("x", random.IntN(60)))
		written += n
	}
	if err := w.Flush(); err != nil {
		t.Fatal(err)
	}
	if err := f.Close(); err != nil {
		t.Fatal(err)
	}
	return lines
}

// peak is the most memory that a process has had so far, in KiB; 0 when it has ended.
func peak(pid int) (kib int) {
	status, _ := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if _, rest, found := strings.Cut(string(status), "VmHWM:"); found {
		fmt.Sscan(rest, &kib)
	}
	return kib
}

// sendFile runs chat send on a file, and returns how long it took and the most
// memory it had.
func (s *site) sendFile(path string, args ...string) (took time.Duration, kib int) {
	s.Helper()
	in, err := os.Open(path)
	if err != nil {
		s.Fatal(err)
	}
	defer in.Close()
	cmd := s.command("chat", append([]string{"send"}, args...)...)
	var errs strings.Builder
	cmd.Stdin, cmd.Stderr = in, &errs
	begin := time.Now()
	if err := cmd.Start(); err != nil {
		s.Fatal(err)
	}
	ended := make(chan error, 1)
	go func() { ended <- cmd.Wait() }()
	look := time.NewTicker(20 * time.Millisecond)
	defer look.Stop()
	for {
		select {
		case <-look.C:
			kib = max(kib, peak(cmd.Process.Pid))
		case err := <-ended:
			if err != nil || errs.Len() > 0 {
				s.Fatalf("chat send: %v\n%s", err, errs.String())
			}
			return time.Since(begin), kib
		}
	}
}

// sameLines wants a room to have exactly the lines of a file, in their order.
func (s *site) sameLines(path, room string) {
	s.Helper()
	f, err := os.Open(path)
	if err != nil {
		s.Fatal(err)
	}
	defer f.Close()
	want := bufio.NewScanner(f)
	cmd := s.command("chat", "tail", "-r", room, "--json", "--follow=false", "--after", "0")
	out, err := cmd.StdoutPipe()
	if err != nil {
		s.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		s.Fatal(err)
	}
	defer cmd.Wait()
	defer out.Close()
	got := json.NewDecoder(out)
	n := uint64(0)
	for want.Scan() {
		var r struct {
			Seq  uint64
			Text string
		}
		if err := got.Decode(&r); err != nil {
			s.Fatalf("behind line %d: %v", n, err)
		}
		if n++; r.Seq != n || r.Text != want.Text() {
			s.Fatalf("entry %d is %q, and line %d of the file %q", r.Seq, r.Text, n, want.Text())
		}
	}
	if err := got.Decode(new(any)); err != io.EOF {
		s.Fatalf("there is more than the %d lines of the file: %v", n, err)
	}
}

// throughPipe is how long a file takes to an address, and until the other side has
// closed: what nc -N does.
func throughPipe(t testing.TB, path, addr string) time.Duration {
	t.Helper()
	in, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer in.Close()
	begin := time.Now()
	nc, err := net.Dial("tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	defer nc.Close()
	if _, err := io.Copy(nc, in); err != nil {
		t.Fatal(err)
	}
	if err := nc.(*net.TCPConn).CloseWrite(); err != nil {
		t.Fatal(err)
	}
	if _, err := io.Copy(io.Discard, nc); err != nil {
		t.Fatal(err)
	}
	return time.Since(begin)
}

// A build log through chat send is in the room complete and in order, and neither
// side holds more of it than its bounds. What it takes is logged beside the same by
// plain lines, as nc sends them, and beside TCP with nothing behind it.
//
//	go test ./cmd/chat -run BuildLog -log.megabytes 50 -v
func TestBuildLog(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	path := filepath.Join(t.TempDir(), "build.log")
	n := writeBuildLog(t, path, *logMegabytes<<20)
	d, addr, _ := s.chatd("Hack Night", "--data", t.TempDir(), "--post-rate", "10000000")
	s.env = append(s.env, "CHAT_SERVER="+addr)

	took, kib := s.sendFile(path, "-r", "build")
	server := peak(d.cmd.Process.Pid)
	s.sameLines(path, "build")

	plain := throughPipe(t, path, addr)
	s.sameLines(path, "lobby")

	nobody, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer nobody.Close()
	go func() {
		if nc, err := nobody.Accept(); err == nil {
			_, _ = io.Copy(io.Discard, nc)
			nc.Close()
		}
	}()
	bare := throughPipe(t, path, nobody.Addr().String())
	t.Logf("%d lines, %d MiB: chat send %v; plain lines as by nc %v, ratio %.2f; bare TCP %v, ratio %.0f; peak memory: chat %d KiB, chatd %d KiB",
		n, *logMegabytes, took, plain, took.Seconds()/plain.Seconds(), bare, took.Seconds()/bare.Seconds(), kib, server)
	if kib > 64<<10 || server > 128<<10 {
		t.Errorf("chat had up to %d KiB and chatd %d KiB of memory", kib, server)
	}
}

// A server that is killed in the middle of an input, and comes back, has every line
// of it once and in order.
func TestSendOverRestarts(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	path := filepath.Join(t.TempDir(), "build.log")
	writeBuildLog(t, path, 2<<20)
	log, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	data := t.TempDir()
	addr := tied.FreePort(t) // also for those that come after it
	d, _, _ := s.chatd("Hack Night", "--listen", addr, "--data", data, "--post-rate", "10000000")
	s.env = append(s.env, "CHAT_SERVER="+addr)
	send := start(t, s.command("chat", "send", "-r", "build"))
	for i, third := range []int{0, 1, 2} {
		if i > 0 { // what was written last is under way
			d.cmd.Process.Kill()
			<-d.ended
			d = start(t, s.command("chatd", "--name", "Hack Night", "--listen", addr, "--data", data, "--post-rate", "10000000"))
			d.await("ready name=")
		}
		if _, err := send.in.Write(log[third*len(log)/3 : (third+1)*len(log)/3]); err != nil {
			t.Fatal(err)
		}
	}
	send.in.Close()
	if code := send.exit(); code != exitDone || send.output() != "" {
		t.Errorf("chat send ends with %d:\n%s", code, send.output())
	}
	s.sameLines(path, "build")
}

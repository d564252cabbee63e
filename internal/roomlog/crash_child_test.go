package roomlog

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strings"
	"sync"
	"testing"
	"time"

	"lanchat/protocol"
)

// The tests of the crash promise run this test's own program as another process,
// which does what childEnv says in the directory childDir, and nothing else.
const (
	childEnv = "ROOMLOG_TEST_CHILD"
	childDir = "ROOMLOG_TEST_DIR"
)

// TestCrashChild is that other process.
func TestCrashChild(t *testing.T) {
	what, dir := os.Getenv(childEnv), os.Getenv(childDir)
	if what == "" {
		t.Skip("it is run by other tests")
	}
	s, err := OpenSQLite(dir)
	if err != nil {
		t.Fatal(err)
	}
	if what == "keep" {
		if err := s.Retain(Keep{Bytes: MinKeepBytes}, nil); err != nil {
			t.Fatal(err)
		}
	}
	l := Local(s)
	defer l.Close()
	fmt.Println("open")
	switch what {
	case "hold":
		io.Copy(io.Discard, os.Stdin)
	case "post", "keep":
		postForEver(l)
	case "lazy": // as one would who has thought it faster
		if _, err := s.w.ExecContext(t.Context(), "PRAGMA synchronous = NORMAL"); err != nil {
			t.Fatal(err)
		}
		postInTurn(l, 30)
	case "turn":
		postInTurn(l, 30)
	case "remove":
		_, _ = s.RemoveRoom(t.Context(), "attic", Removal{}) // it may be removed
		for n, end := 2, time.Now().Add(time.Minute); n > 1 && time.Now().Before(end); {
			if err := s.db.QueryRow("SELECT count(*) FROM entries").Scan(&n); err != nil {
				t.Fatal(err)
			}
			fmt.Println(n)
			rest(t.Context(), 2*time.Millisecond)
		}
	}
}

// acked prints an acknowledgement, in one write.
func acked(e *protocol.Entry, err error) {
	if err != nil {
		fmt.Println("error", err)
		return
	}
	fmt.Println("ack", e.Room, e.Seq, e.ID)
}

// postForEver has many posts under way, of several posters, until it is killed.
func postForEver(l Log) {
	var posters sync.WaitGroup
	for p := range 4 {
		posters.Go(func() {
			slots := make(chan struct{}, 50)
			poster := l.Poster(func(e *protocol.Entry, err error) {
				acked(e, err)
				<-slots
			})
			for i := 0; ; i++ {
				slots <- struct{}{}
				e := entry([]string{"lobby", "kitchen"}[i%2], strings.Repeat("x", i%500))
				e.User = protocol.UserID{byte(p)}
				if err := poster.Submit(e); err != nil {
					return
				}
			}
		})
	}
	posters.Wait()
}

// postInTurn posts one entry when the one before is acknowledged.
func postInTurn(l Log, n int) {
	heard := make(chan struct{})
	poster := l.Poster(func(e *protocol.Entry, err error) {
		acked(e, err)
		heard <- struct{}{}
	})
	for range n {
		if poster.Submit(entry("lobby", "x")) != nil {
			return
		}
		<-heard
	}
}

// child makes the command that runs this program as another process.
func child(what, dir string) *exec.Cmd {
	cmd := exec.Command(os.Args[0], "-test.run=^TestCrashChild$", "-test.count=1")
	cmd.Env = append(os.Environ(), childEnv+"="+what, childDir+"="+dir)
	return cmd
}

// startChild starts one and returns the lines that it prints. It is killed at the
// end of the test, at the latest.
func startChild(t *testing.T, what, dir string) (*exec.Cmd, *bufio.Scanner) {
	t.Helper()
	cmd := child(what, dir)
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if _, err := cmd.StdinPipe(); err != nil { // it ends with this process, if it only waits
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = cmd.Process.Kill() // it has mostly ended
		_ = cmd.Wait()
	})
	lines := bufio.NewScanner(out)
	if !lines.Scan() || lines.Text() != "open" {
		t.Fatalf("the other process says %q", lines.Text())
	}
	return cmd, lines
}

// Killed while it posts, again and again: what was acknowledged is there.
func TestCrashKeepsWhatWasAcknowledged(t *testing.T) {
	dir := t.TempDir()
	want := map[protocol.ID]protocol.Entry{} // acknowledged, with room and seq
	for round := range 5 {
		cmd, lines := startChild(t, "post", dir)
		read := func(most int) {
			for ; most > 0 && lines.Scan(); most-- {
				var room, id string
				var seq uint64
				if _, err := fmt.Sscanf(lines.Text(), "ack %s %d %s", &room, &seq, &id); err != nil {
					t.Fatalf("%q: %v", lines.Text(), err)
				}
				key, err := protocol.ParseID(id)
				if err != nil {
					t.Fatal(err)
				}
				want[key] = protocol.Entry{Room: room, Seq: seq}
			}
		}
		read(200 + 150*round)
		if err := cmd.Process.Kill(); err != nil {
			t.Fatal(err)
		}
		read(1 << 30) // what it had said before the end
		s, err := OpenSQLite(dir)
		if err != nil {
			t.Fatalf("after kill %d: %v", round+1, err)
		}
		for id, w := range want {
			if e, found, err := s.Find(t.Context(), id); err != nil || !found || e.Room != w.Room || e.Seq != w.Seq {
				t.Errorf("after kill %d: acknowledged as %s %d; the log has %+v, %v, %v", round+1, w.Room, w.Seq, e, found, err)
			}
		}
		for _, room := range []string{"lobby", "kitchen"} {
			noGap(t, s, room)
		}
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
		if t.Failed() {
			return
		}
	}
	t.Logf("%d acknowledged over 5 kills", len(want))
	if len(want) < 1000 {
		t.Errorf("that is too easy")
	}
}

// noGap checks that a room's entries are numbered 1, 2, 3, … up to its head.
func noGap(t *testing.T, s Store, room string) {
	t.Helper()
	next := uint64(1)
	for more := true; more; {
		var es []protocol.Entry
		var err error
		if es, more, err = s.Read(t.Context(), Range{Room: room, After: next - 1, Oldest: true, Limit: 1000, Bytes: 1 << 20}); err != nil {
			t.Fatal(err)
		}
		for i := range es {
			if es[i].Seq != next {
				t.Fatalf("%s: %d where %d belongs", room, es[i].Seq, next)
			}
			next++
		}
	}
	if info, _ := s.Room(room); info.Head != next-1 {
		t.Errorf("%s: the head is %d, and %d entries are there", room, info.Head, next-1)
	}
}

// One process at a time: a second one is told why, and comes in when the first is
// gone, however it went.
func TestCrashFreesTheLock(t *testing.T) {
	dir := t.TempDir()
	cmd, _ := startChild(t, "hold", dir)
	for range 2 {
		s, err := OpenSQLite(dir)
		if !errors.Is(err, ErrLocked) {
			if err == nil {
				s.Close()
			}
			t.Fatalf("the second one gets %v", err)
		}
		for _, part := range []string{dir, "another process", "--data"} {
			if !strings.Contains(err.Error(), part) {
				t.Errorf("%q does not say %q", err, part)
			}
		}
	}
	if err := cmd.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	_ = cmd.Wait() // that it was killed
	begin := time.Now()
	s, err := OpenSQLite(dir)
	if err != nil {
		t.Fatalf("after the kill: %v", err)
	}
	add(t, s, entry("lobby", "x"))
	if err := s.Close(); err != nil {
		t.Error(err)
	}
	if took := time.Since(begin); took > 5*time.Second {
		t.Errorf("it took %v", took)
	}
}

package torture

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"lanchat/internal/tied"
	"lanchat/protocol"
)

// chat makes a command of the real client, with files of its own.
func (p *process) chat(t testing.TB, args ...string) *exec.Cmd {
	cmd := exec.Command(tied.Program(t, "chat"), append(args, "--server", p.at)...)
	home := t.TempDir()
	cmd.Env = append(os.Environ(), "HOME="+home, "XDG_CONFIG_HOME="+filepath.Join(home, "config"), "XDG_DATA_HOME="+filepath.Join(home, "data"),
		"CHAT_SERVER=", "CHAT_ROOM=", "CHAT_NICK=", "CHAT_DISCOVERY_INTERFACE=")
	return cmd
}

// running is a client that runs until the test ends.
type running struct {
	cmd   *exec.Cmd
	in    io.WriteCloser
	errs  bytes.Buffer
	ended chan struct{}

	mu    sync.Mutex
	texts []string // of the JSON lines that it has printed
	bad   error
}

func runChat(t testing.TB, cmd *exec.Cmd) *running {
	t.Helper()
	c := &running{cmd: cmd, ended: make(chan struct{})}
	cmd.Stderr = &c.errs
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if c.in, err = cmd.StdinPipe(); err != nil {
		t.Fatal(err)
	}
	if err := tied.Start(cmd); err != nil {
		t.Fatal(err)
	}
	go func() {
		defer close(c.ended)
		lines := bufio.NewScanner(out)
		for lines.Scan() {
			var e struct{ Text string }
			err := json.Unmarshal(lines.Bytes(), &e)
			c.mu.Lock()
			c.texts = append(c.texts, e.Text)
			c.bad = errors.Join(c.bad, err)
			c.mu.Unlock()
		}
		_ = cmd.Wait() // its exit code says it
	}()
	t.Cleanup(func() {
		_ = cmd.Process.Kill()
		<-c.ended
	})
	return c
}

func (c *running) printed() ([]string, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.texts[:len(c.texts):len(c.texts)], c.bad
}

func (c *running) await(t testing.TB, limit time.Duration, what string, cond func() bool) {
	t.Helper()
	if !await(t.Context(), limit, cond) {
		got, err := c.printed()
		t.Fatalf("%s: not within %v; it has printed %d lines, %v; %s", what, limit, len(got), err, c.errs.String())
	}
}

// inOrder reports what is wrong with lines that should be the numbers from 0.
func inOrder(got []string, n int) error {
	for i := range max(len(got), n) {
		switch {
		case i >= len(got):
			return fmt.Errorf("%d lines, want %d", len(got), n)
		case i >= n || got[i] != fmt.Sprint(i):
			return fmt.Errorf("line %d is %q; there are %d, want %d", i, got[i], len(got), n)
		}
	}
	return nil
}

// A long chat send goes through a server that is killed every second.
func TestSendWhileTheServerIsKilled(t *testing.T) {
	t.Parallel()
	lines, kills := 3_000, 5
	if flags.long {
		lines, kills = 10_000, 20
	}
	server := newProcess(t)
	if err := server.start(); err != nil {
		t.Fatal(err)
	}
	c := runChat(t, server.chat(t, "send", "--nick", "sender"))
	// It gives up when its first try to connect fails, so that has to succeed.
	first := watch(t, server)
	next := 0
	feed := func(n int) {
		for ; n > 0 && next < lines; n-- {
			if _, err := fmt.Fprintln(c.in, next); err != nil {
				t.Fatalf("chat send has ended: %v; %s", err, c.errs.String())
			}
			next++
		}
	}
	feed(1)
	select {
	case <-first:
	case <-time.After(20 * time.Second):
		t.Fatalf("the first line does not come: %s", c.errs.String())
	}
	for range kills {
		begin := time.Now()
		feed(lines / kills)
		wait(t.Context(), 20*time.Millisecond) // to be killed under way, not before
		server.kill()
		if err := server.start(); err != nil {
			t.Fatal(err)
		}
		wait(t.Context(), time.Second-time.Since(begin))
	}
	feed(lines)
	c.in.Close()
	select {
	case <-c.ended:
	case <-time.After(30 * time.Second):
		t.Fatalf("chat send does not end: %s", c.errs.String())
	}
	if code := c.cmd.ProcessState.ExitCode(); code != 0 {
		t.Errorf("chat send ends with %d: %s", code, c.errs.String())
	}
	tail := runChat(t, server.chat(t, "tail", "--json", "--follow=false", "--after", "0"))
	<-tail.ended
	got, err := tail.printed()
	if err = errors.Join(err, inOrder(got, lines)); err != nil {
		t.Errorf("chat tail: %v; %s", err, tail.errs.String())
	}
	t.Logf("%d kills, %d lines", kills, len(got))
}

// watch returns a channel that is closed with the first entry in the lobby.
func watch(t testing.TB, server *process) <-chan struct{} {
	t.Helper()
	conn := dial(t, server.addr(), "watcher")
	seen := make(chan struct{})
	go func() {
		defer conn.Close()
		for {
			m, err := conn.Read()
			if err != nil {
				return
			}
			if _, ok := m.(*protocol.Entry); ok {
				close(seen)
				return
			}
		}
	}()
	return seen
}

// dial comes as a guest and joins the lobby.
func dial(t testing.TB, addr, nick string) *protocol.Conn {
	t.Helper()
	conn, _, err := protocol.Dial(context.Background(), addr, nil, &protocol.Hello{Nick: nick})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	if err := conn.Write(&protocol.Join{Ref: 1, Room: "lobby"}); err != nil {
		t.Fatal(err)
	}
	return conn
}

//go:build unix

package torture

import (
	"errors"
	"fmt"
	"syscall"
	"testing"
	"time"

	"lanchat/protocol"
)

// A chat tail that was suspended while 5,000 lines went by, as with a lid that was
// closed, has them all within 2 seconds of coming back.
func TestTailThatWasSuspended(t *testing.T) {
	t.Parallel()
	const lines = 5_000
	suspended := 3 * time.Second
	if flags.long {
		suspended = 2 * time.Minute // longer than the server waits for a sign of life
	}
	server := newProcess(t)
	if err := server.start(); err != nil {
		t.Fatal(err)
	}
	cmd := server.chat(t, "tail", "--json", "--after", "0")
	// In a group of its own: one that the shell has left behind is not kept stopped.
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	c := runChat(t, cmd)
	conn := dial(t, server.addr(), "talker")
	next := 0
	say := func(n int) {
		t.Helper()
		var ms []protocol.Message
		for range n {
			ms = append(ms, &protocol.Post{ID: protocol.NewID(), Room: "lobby", Text: fmt.Sprint(next)})
			next++
		}
		if err := conn.Write(ms...); err != nil {
			t.Fatal(err)
		}
		for n > 0 {
			m, err := conn.Read()
			if err != nil {
				t.Fatal(err)
			}
			if _, ok := m.(*protocol.Ack); ok {
				n--
			}
		}
	}
	say(1)
	c.await(t, 20*time.Second, "the line before", func() bool { got, _ := c.printed(); return len(got) == 1 })

	if err := c.cmd.Process.Signal(syscall.SIGSTOP); err != nil {
		t.Fatal(err)
	}
	begin := time.Now()
	for range lines / 100 {
		say(100)
	}
	conn.Close() // it has nothing to say for so long as the other sleeps
	wait(t.Context(), suspended-time.Since(begin))
	if got, _ := c.printed(); len(got) == next {
		t.Fatal("it was not suspended")
	}
	if err := c.cmd.Process.Signal(syscall.SIGCONT); err != nil {
		t.Fatal(err)
	}
	woken := time.Now()
	within := 2 * time.Second
	if raced {
		within = 20 * time.Second
	}
	c.await(t, within, "all lines", func() bool { got, _ := c.printed(); return len(got) >= next })
	got, err := c.printed()
	if err = errors.Join(err, inOrder(got, next)); err != nil {
		t.Errorf("%v; %s", err, c.errs.String())
	}
	t.Logf("complete %v after %v of sleep", time.Since(woken).Round(time.Millisecond), suspended)
}

package lines

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os/exec"
	"strconv"
	"strings"
	"time"

	"lanchat/internal/client"
	"lanchat/internal/safetext"
	"lanchat/protocol"
)

// Exec says what program Tail runs for each entry, in place of printing it: one at
// a time and in order. The program gets the entry's text on its standard input, or
// its Record where the tail is one of JSON, and what else there is to know of it in
// variables: see [Variables]. No shell sees any of it. What it says on standard
// output is printed, or posted.
type Exec struct {
	Path string   // of the program
	Args []string // behind its name
	Env  []string // the variables of the entry come to these
	// Reply posts what it prints, unless that is blank, as an answer to the entry.
	// It is run only for what people say then: a bot that heard bots, and so
	// itself, would never come to an end. The client should say that it is a bot.
	Reply bool
}

// Variables are an entry's, as NAME=value, without line breaks and control
// characters.
func Variables(e *protocol.Entry) []string {
	r := NewRecord(e)
	return []string{
		"CHAT_ROOM=" + safetext.Line(r.Room),
		"CHAT_SEQ=" + strconv.FormatUint(r.Seq, 10),
		"CHAT_ID=" + r.ID,
		"CHAT_FROM=" + r.From,
		"CHAT_USER=" + r.User,
		"CHAT_VERIFIED=" + strconv.FormatBool(r.Verified),
		"CHAT_BOT=" + strconv.FormatBool(r.Bot),
		"CHAT_AT=" + r.At,
		"CHAT_KIND=" + safetext.Line(r.Kind),
		"CHAT_TARGET=" + r.Target,
	}
}

const (
	answerMost = 64 << 10 // bytes of an answer; no server takes more
	execAhead  = 500      // entries that wait for the program
	// leftOpen is how long to wait for what a program has left behind that still
	// holds its standard output.
	leftOpen = time.Second
	// endMost is how long the last answers may take to be acknowledged.
	endMost = 5 * time.Second
)

// wants reports whether the program is run for an entry.
func (x *Exec) wants(e *protocol.Entry) bool {
	if !x.Reply {
		return true
	}
	return !e.Bot && !e.Gone && (e.Kind == protocol.KindText || e.Kind == protocol.KindAction)
}

// answer is what became of one run.
type answer struct {
	entry protocol.Entry
	text  string
	err   error
}

// run runs the program for one entry, to its end.
func (x *Exec) run(e protocol.Entry, asJSON bool, out, errs io.Writer) answer {
	a := answer{entry: e}
	in := []byte(safetext.Text(e.Text))
	if asJSON {
		if in, a.err = json.Marshal(NewRecord(&e)); a.err != nil {
			return a
		}
	}
	cmd := exec.Command(x.Path, x.Args...)
	cmd.Env = append(x.Env[:len(x.Env):len(x.Env)], Variables(&e)...)
	cmd.Stdin = bytes.NewReader(append(in, '\n'))
	cmd.Stdout, cmd.Stderr = out, errs
	cmd.WaitDelay = leftOpen
	var said bounded
	if x.Reply {
		cmd.Stdout = &said
	}
	if a.err = cmd.Run(); errors.Is(a.err, exec.ErrWaitDelay) {
		a.err = nil
	}
	if a.text = strings.TrimRight(string(said.data), "\r\n"); said.over && a.err == nil {
		a.text, a.err = "", fmt.Errorf("its answer is longer than %d bytes, and was not sent", answerMost)
	}
	return a
}

// bounded keeps what fits, and notes that there was more.
type bounded struct {
	data []byte
	over bool
}

func (b *bounded) Write(p []byte) (int, error) {
	n := min(len(p), answerMost-len(b.data))
	b.data = append(b.data, p[:n]...)
	b.over = b.over || n < len(p)
	return len(p), nil
}

// execing is the part of a tail that runs programs. Entries wait in a queue that
// is bounded: what comes when it is full is fetched later, so that a slow program
// holds neither memory nor the connection.
type execing struct {
	queue   []protocol.Entry
	running bool
	done    chan answer
	hungry  bool // there is more to fetch when the queue is empty
	answers int  // posted, and not yet acknowledged
	ending  bool // no further run is begun
}

func (t *tail) idle() bool { return !t.running && len(t.queue) == 0 }

// enqueue takes an entry, if the program is to hear of it.
func (t *tail) enqueue(e *protocol.Entry) {
	if t.Exec.wants(e) {
		t.queue = append(t.queue, *e)
	}
}

// work begins the next run, and fetches what comes then.
func (t *tail) work() error {
	if t.Exec == nil || t.running || t.ending {
		return nil
	}
	if len(t.queue) > 0 {
		e := t.queue[0]
		if t.queue = t.queue[1:]; len(t.queue) == 0 {
			t.queue = nil
		}
		t.running = true
		go func() { t.done <- t.Exec.run(e, t.JSON, t.Out, t.Errors) }()
		return nil
	}
	if t.hungry {
		t.hungry = false
		return t.ask()
	}
	return nil
}

// finished tells of a run that failed, and posts what one has answered.
func (t *tail) finished(a answer) {
	t.running = false
	if a.err != nil {
		t.complain("%s, for entry %d: %v", t.Exec.Path, a.entry.Seq, a.err)
	}
	if strings.TrimSpace(a.text) == "" {
		return
	}
	if _, err := t.Engine.Post(protocol.Post{Room: t.Room, Text: a.text, Target: a.entry.ID}); err != nil {
		t.complain("the answer to entry %d was not sent: %v", a.entry.Seq, err)
		return
	}
	t.answers++
}

// finish waits for the run under way, and until its answer is acknowledged, but
// for that not for ever.
func (t *tail) finish() {
	t.ending = true
	var late <-chan time.Time
	for t.running || t.answers > 0 {
		if !t.running && late == nil {
			late = time.After(endMost)
		}
		select {
		case a := <-t.done:
			t.finished(a)
		case ev, ok := <-t.Engine.Events():
			if !ok {
				if t.running {
					<-t.done
				}
				return
			}
			t.answered(ev)
		case <-late:
			t.complain("%d answers were not acknowledged", t.answers)
			return
		}
	}
}

// answered notes what became of an answer.
func (t *tail) answered(ev client.Event) {
	switch ev := ev.(type) {
	case client.Refused:
		t.answers--
		t.complain("an answer was refused: %s", ev.Text)
	case client.Received:
		if _, ok := ev.Message.(*protocol.Ack); ok {
			t.answers--
		}
	}
}

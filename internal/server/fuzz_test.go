package server

import (
	"bufio"
	"context"
	"errors"
	"io"
	"net"
	"strings"
	"syscall"
	"testing"
	"time"
	"unicode"

	"lanchat/internal/roomlog"
	"lanchat/protocol"
)

// Whatever comes as lines, or as anything else, what a person beside it reads is
// whole lines without controls, and none is in the name of somebody who says nothing.
func FuzzLines(f *testing.F) {
	log := roomlog.Local(roomlog.NewMemory())
	srv := New(Config{Name: "fuzz", Log: log, Limits: Limits{PostRate: 1 << 20, PostBurst: 1 << 20}})
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		f.Fatal(err)
	}
	ctx, stop := context.WithCancel(context.Background())
	served := make(chan struct{})
	go func() {
		defer close(served)
		_ = srv.Serve(ctx, l)
	}()
	f.Cleanup(func() {
		stop()
		<-served
		log.Close()
	})
	f.Add("hello\n/me waves\n/nick bob\n/topic x\r\n//x\n/who\n")
	f.Add("x\r<ann> forged\x85\u2028\x1b]0;t\x07\n\x16\x03\x01")
	f.Add("GET / HTTP/1.1\r\n\r\n")
	f.Fuzz(func(t *testing.T, in string) {
		if len(in) > 4096 || strings.HasPrefix(in, "\x00") || strings.HasPrefix(in, "\x16") {
			return // other doors
		}
		nc, err := net.Dial("tcp", l.Addr().String())
		if err != nil {
			if errors.Is(err, syscall.EADDRNOTAVAIL) {
				t.Skip("so many inputs that no local port is left: ", err)
			}
			t.Fatal(err)
		}
		defer nc.Close()
		nc.SetDeadline(time.Now().Add(10 * time.Second))
		if _, err := io.WriteString(nc, in+"\n/quit\n"); err != nil {
			return
		}
		out, _ := io.ReadAll(nc)
		holdsLines(t, string(out))
	})
}

// An entry of whatever content is one line with a head, and further ones indented.
func FuzzEntryLines(f *testing.F) {
	f.Add("bob", "x\r\n<ann> forged\u2028\x1b[2J", "", uint8(0))
	f.Add("b", "x> y", "poll> <ann", uint8(3))
	f.Fuzz(func(t *testing.T, nick, text, kind string, flags uint8) {
		if protocol.ValidNick(nick) != nil {
			return
		}
		e := &protocol.Entry{Nick: nick, Text: text, Kind: protocol.Kind(kind), Guest: flags&1 > 0, Bot: flags&2 > 0, Edited: flags&4 > 0, Gone: flags&8 > 0}
		out := string(appendEntryLines(nil, e))
		holdsLines(t, out)
		for i, line := range strings.Split(strings.TrimSuffix(out, "\n"), "\n") {
			if i > 0 && !strings.HasPrefix(line, "    ") || i == 0 && line != "" && !strings.Contains("<*-!", line[:1]) {
				t.Fatalf("%q: line %d is %q", out, i, line)
			}
		}
		if head, _, _ := strings.Cut(out, ">"); strings.HasPrefix(out, "<") && strings.Count(head, "<") != 1 {
			t.Fatalf("%q: the head is %q", out, head)
		}
	})
}

func holdsLines(t *testing.T, out string) {
	for s := bufio.NewScanner(strings.NewReader(out)); s.Scan(); {
		line := s.Text()
		if strings.HasPrefix(line, "<ann") || strings.HasPrefix(line, "<~ann") {
			t.Fatalf("forged: %q", line)
		}
	}
	for _, r := range strings.ReplaceAll(out, "\r\n", "\n") { // HTTP's
		if unicode.IsControl(r) && r != '\n' && r != '\t' || unicode.Is(unicode.Bidi_Control, r) || r == 0x2028 || r == 0x2029 {
			t.Fatalf("%q holds %U", out, r)
		}
	}
}

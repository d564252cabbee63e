package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"regexp"
	"strings"
	"testing"
	"time"

	"lanchat/internal/identity"
	"lanchat/internal/tied"
	"lanchat/protocol"
)

// TestHostileTextThroughEveryDoorAsPlainLines has the corpus come in by each door of a
// real server, and looks at what a person with nc and the clients have of it then.
func TestHostileTextThroughEveryDoorAsPlainLines(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	data := t.TempDir()
	webhook := tied.FreePort(t)
	add := s.command("chatd", "webhook", "add", "lobby", "--data", data)
	add.Args = append(add.Args[:1], add.Args[5:]...) // it has no discovery
	token, err := add.Output()
	if err != nil {
		t.Fatal(err)
	}
	d := start(t, s.command("chatd", "--name", `[red]$<2000>["x"]`, "--listen", "127.0.0.1:0", "--data", data, "--webhook", webhook, "--post-rate", "4000"))
	_, addr, _ := strings.Cut(d.await("ready name="), " addr=")
	addr, _, _ = strings.Cut(addr, " ")
	watching, err := net.Dial("tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	defer watching.Close()
	if _, err := io.WriteString(watching, "/nick nora\n"); err != nil {
		t.Fatal(err)
	}
	id, err := identity.LoadOrCreate(t.TempDir(), "eve")
	if err != nil {
		t.Fatal(err)
	}
	secure, _, err := protocol.Dial(t.Context(), addr, id.ClientTLS(func(identity.Fingerprint) error { return nil }), &protocol.Hello{Version: protocol.Version, Nick: "eve"})
	if err != nil {
		t.Fatal(err)
	}
	defer secure.Close()
	if err := secure.Write(&protocol.Join{Ref: 1, Room: "lobby", Live: true}); err != nil {
		t.Fatal(err)
	}
	bare := enterPlain(t, addr, "evan")
	for _, c := range []*protocol.Conn{secure, bare} {
		go func() {
			for {
				if _, err := c.Read(); err != nil {
					return
				}
			}
		}()
	}
	typing, err := net.Dial("tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	defer typing.Close()
	for _, e := range corpus(t) {
		for _, c := range []*protocol.Conn{secure, bare} {
			said := protocol.NewID()
			ms := []protocol.Message{
				&protocol.Post{ID: said, Room: "lobby", Text: "case-" + e.name + " " + e.text},
				&protocol.Post{ID: protocol.NewID(), Room: "lobby", Kind: protocol.KindAction, Text: e.text},
				&protocol.Post{ID: protocol.NewID(), Room: "lobby", Text: e.text, Target: said},
				&protocol.Post{ID: protocol.NewID(), Room: "lobby", Kind: protocol.KindEdit, Text: "again " + e.text, Target: said},
				&protocol.Post{ID: protocol.NewID(), Room: "lobby", Kind: protocol.KindReaction, Text: cut(e.text, 30), Target: said},
				&protocol.Nick{Ref: 2, Nick: e.text}, &protocol.Topic{Ref: 3, Room: "lobby", Topic: e.text}, &protocol.Join{Ref: 4, Room: e.text},
			}
			if err := c.Write(ms...); err != nil {
				t.Fatal(err)
			}
		}
		line := strings.ReplaceAll(e.text, "\x00", "\x01") // which ends the connection
		latin := strings.Map(func(r rune) rune {
			if r >= 0x80 && r < 0x100 {
				return -1
			}
			return r
		}, line)
		fmt.Fprintf(typing, "by hand %s\n/me %s\n/nick %s\n/topic %s\n/join %s\n/%s\nbytes \x9b2J\x9d0;x\x9c %s\n", line, line, line, line, line, line, latin)
		for kind, body := range map[string]any{"application/json": map[string]string{"text": "hook " + e.text}, "text/plain": "hook " + e.text} {
			raw, isText := body.(string)
			if !isText {
				b, err := json.Marshal(body)
				if err != nil {
					t.Fatal(err)
				}
				raw = string(b)
			}
			res, err := http.Post("http://"+webhook+"/hook/"+strings.TrimSpace(string(token)), kind, strings.NewReader(raw))
			if err != nil {
				t.Fatal(err)
			}
			answer, _ := io.ReadAll(res.Body)
			res.Body.Close()
			holdsNoControls(t, append(answer, '\n'), false)
		}
	}
	if err := secure.Write(&protocol.Post{ID: protocol.NewID(), Room: "lobby", Text: "finished"}); err != nil {
		t.Fatal(err)
	}
	var seen bytes.Buffer
	watching.SetReadDeadline(time.Now().Add(20 * time.Second))
	for buf := make([]byte, 1<<16); !bytes.Contains(seen.Bytes(), []byte("> finished\n")); {
		n, err := watching.Read(buf)
		if seen.Write(buf[:n]); err != nil {
			t.Fatalf("%v; what came: %.2000q", err, seen.Bytes())
		}
	}
	holdsNoControls(t, seen.Bytes(), false)
	head := regexp.MustCompile(`^(<|\* |-- |! |    |welcome to |/nick NAME )`)
	for line := range strings.Lines(seen.String()) {
		if !head.MatchString(line) {
			t.Errorf("a line of plain lines begins with nobody's head: %q", line)
		}
	}
	for _, args := range [][]string{{"tail", "-n", "2000"}, {"tail", "-n", "2000", "--json"}, {"search", "case*"}, {"who"}, {"rooms"}} {
		tail := args[0] == "tail"
		if args = append(args, "-s", addr); tail {
			args = append(args, "--follow=false")
		}
		p := startInPty(t, 160, 50, s.command("chat", args...))
		p.wait(20 * time.Second)
		holdsNoControls(t, p.everything(), args[0] != "who" && args[0] != "rooms" && !strings.Contains(strings.Join(args, " "), "--json"))
	}
}

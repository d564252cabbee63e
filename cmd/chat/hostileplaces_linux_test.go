package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"
	"time"

	"lanchat/discovery"
	"lanchat/internal/wire"
	"lanchat/protocol"
)

// announceHostile answers every query on a site's loopback in the names of many servers,
// as say makes them of the corpus, whatever a name may be.
func (s *site) announceHostile(t testing.TB, all []evil, say func(evil) string) {
	open := net.ListenConfig{Control: func(_, _ string, c syscall.RawConn) error {
		return c.Control(func(fd uintptr) { _ = syscall.SetsockoptInt(int(fd), syscall.SOL_SOCKET, syscall.SO_REUSEADDR, 1) })
	}}
	pc, err := open.ListenPacket(t.Context(), "udp4", ":"+s.port)
	if err != nil {
		t.Fatal(err)
	}
	ended := make(chan struct{})
	t.Cleanup(func() { pc.Close(); <-ended })
	// Of one source sixteen servers are kept: first those whose names may be.
	var names, refused []string
	for _, e := range all {
		name := cut("s"+say(e), discovery.MaxName)
		if discovery.ValidName(name) == nil {
			names = append(names, name)
		} else {
			refused = append(refused, name)
		}
	}
	go func() {
		defer close(ended)
		buf := make([]byte, 2048)
		for {
			n, from, err := pc.ReadFrom(buf)
			if err != nil {
				return
			}
			p, _ := discovery.Parse(buf[:n])
			q, ok := p.(*discovery.Query)
			if !ok {
				continue
			}
			for i, name := range append(names[:len(names):len(names)], refused...) {
				a := &discovery.Answer{Token: q.Token, Name: name, Port: uint16(1 + i), People: 3, Seq: 1, TTL: 60, Asked: q.Seq}
				a.Instance[0], a.Key[0] = byte(i+1), byte(i+1)
				out := wire.Append(append([]byte(discovery.Magic), discovery.Version), a.Type(), a)
				_, _ = pc.WriteTo(out, from)
			}
		}
	}()
}

// TestHostileNamesOnTheNetwork: what calls itself a server may call itself anything.
func TestHostileNamesOnTheNetwork(t *testing.T) {
	s := newSite(t)
	all := corpus(t)
	s.announceHostile(t, all, stinging)
	terms := []string{"xterm-256color"}
	if *hostileMatrix {
		terms = append(terms, "tmux-256color", "screen", "linux")
	}
	for _, term := range terms {
		for _, args := range [][]string{{"ls"}, {"ls", "--json"}, {"ls", "--watch", "--plain"}, {"ls", "--watch", "--json"}, {"doctor"}, {"doctor", "--json"}, {"join", "nobody", "--plain", "--nick", "zoe"},
			{"who"}, {"wire", "--plain", "--timeout", "1s"}, {"__complete", "join", ""}, {"__complete", "who", "-s", ""}} {
			t.Run(strings.Join(args, " ")+" "+term, func(t *testing.T) {
				t.Parallel()
				cmd := s.command("chat", args...)
				if args[0] == "__complete" { // which must come first
					cmd.Args = append([]string{cmd.Args[0], "__complete", "--discovery-interface", "lo", "--discovery-port", s.port}, args[1:]...)
				}
				cmd.Env = append(home(t), "TERM="+term)
				p := startInPty(t, 160, 50, cmd)
				if strings.Contains(strings.Join(args, " "), "--watch") {
					p.see("s[red]red[-]")
					p.type_("\x03")
				}
				p.wait(20 * time.Second)
				out := p.everything()
				if holdsNoControls(t, out, false); args[0] == "ls" && !bytes.Contains(out, []byte("s[red]red[-]")) {
					t.Errorf("a name that may be is not listed:\n%.2000q", out)
				}
			})
		}
		t.Run("the choice "+term, func(t *testing.T) {
			t.Parallel()
			harm := newSite(t)
			harm.announceHostile(t, all, harmless)
			shows := func(s *site, first, name string) []byte {
				cmd := s.command("chat", "--nick", "zoe")
				cmd.Env = append(home(t), "TERM="+term)
				p := startInPty(t, 160, 120, cmd)
				p.see(first)
				p.resize(160, 119) // then all of it is drawn once more
				p.see(name)
				p.type_("\x03")
				p.wait(10 * time.Second)
				return p.everything()
			}
			// What is wide is drawn with control functions that nothing else is.
			want, _ := controls(shows(harm, "你", "sxxxx"))
			got, _ := controls(shows(s, "s[red]red[-]", "s[red]red[-]"))
			sameControls(t, want, got)
		})
	}
}

// own are the notifications and titles that the client makes of what it is told: with
// nothing in them that a terminal would take for more than text.
var own = regexp.MustCompile(`\x1b\](9|0|2|777;notify);[^\x00-\x1f\x7f]*(\x1b\\|\x07)`)

// TestHostileTextInNotifications has the terminal told of what a server that cleans
// nothing says, by each way that there is.
func TestHostileTextInNotifications(t *testing.T) {
	s := newSite(t)
	all := corpus(t)
	wild, mild := serveHostile(t, all, stinging), serveHostile(t, all, harmless)
	terms, step := []string{"xterm-256color"}, len(all)
	if *hostileMatrix {
		terms, step = []string{"xterm-256color", "tmux-256color", "screen", "linux"}, 10
	}
	for _, term := range terms {
		for _, kind := range []string{"osc9", "osc777"} {
			t.Run(kind+" "+term, func(t *testing.T) {
				t.Parallel()
				shows := func(addr string) (out []byte, told int) {
					cmd := s.command("chat", "join", addr, "--nick", "zoe", "--no-discovery")
					cmd.Env = append(home(t), "TERM="+term)
					config := filepath.Join(lastOf(cmd.Env, "XDG_CONFIG_HOME="), "lanchat", "config.toml")
					if err := os.MkdirAll(filepath.Dir(config), 0o700); err != nil {
						t.Fatal(err)
					}
					if err := os.WriteFile(config, fmt.Appendf(nil, "[notify]\nterminal = %q\nbell = true\ntitle = true\n", kind), 0o600); err != nil {
						t.Fatal(err)
					}
					p := startInPty(t, 160, 50, cmd)
					p.see("finished")
					p.type_("\x1b[O") // they look elsewhere
					for i := 0; i < len(all); i += step {
						p.type_(fmt.Sprintf("tell %d\r", i))
						p.see(map[string]string{"osc9": "\x1b]9;", "osc777": "\x1b]777;"}[kind])
					}
					p.type_("/quit\r") // to kill it may cut what it draws
					p.wait(10 * time.Second)
					out = p.everything()
					return own.ReplaceAll(out, nil), len(own.FindAll(out, -1))
				}
				plain, n := shows(mild.addr)
				out, m := shows(wild.addr)
				want, _ := controls(plain)
				got, _ := controls(out)
				bells, rung := want["C0 07"], got["C0 07"]
				delete(got, "C0 07")
				sameControls(t, want, got)
				if n < 2 || n != m || bells == 0 || bells != rung {
					t.Errorf("%d and %d notifications and titles, %d and %d bells", n, m, bells, rung)
				}
			})
		}
	}
}

func lastOf(env []string, name string) (value string) {
	for _, v := range env {
		if rest, ok := strings.CutPrefix(v, name); ok {
			value = rest
		}
	}
	return value
}

// TestHostileTextInAnExport: a log that was imported may hold what no server takes.
func TestHostileTextInAnExport(t *testing.T) {
	s := newSite(t)
	data := t.TempDir()
	var in bytes.Buffer
	all := corpus(t)
	for i, e := range all {
		id := protocol.NewID()
		line, err := json.Marshal(map[string]any{"room": "lobby", "seq": i + 1, "id": id.String(), "user": protocol.UserID{7}.String(), "from": "eve",
			"at": time.Unix(int64(1_700_000_000-len(all)+i), 0).UTC().Format(time.RFC3339Nano), "kind": "text", "text": "case-" + e.name + " " + e.text})
		if err != nil {
			t.Fatal(err)
		}
		in.Write(append(line, '\n'))
	}
	run := func(stdin []byte, args ...string) []byte {
		cmd := s.command("chatd", args...)
		cmd.Args = append(cmd.Args[:1], cmd.Args[5:]...) // it has no discovery
		cmd.Env = append(s.env, "TERM=xterm-256color")
		if stdin != nil {
			cmd.Stdin = bytes.NewReader(stdin)
			out, err := cmd.CombinedOutput()
			if err != nil {
				t.Fatalf("%v: %v\n%s", args, err, out)
			}
			return out
		}
		p := startInPty(t, 160, 50, cmd)
		p.wait(20 * time.Second)
		return p.everything()
	}
	holdsNoControls(t, run(in.Bytes(), "import", "--data", data), false)
	out := run(nil, "export", "--data", data)
	holdsNoControls(t, out, false)
	again := map[string]string{}
	for line := range bytes.Lines(out) {
		var e struct{ Text string }
		if err := json.Unmarshal(line, &e); err != nil {
			t.Fatalf("%v: %q", err, line)
		}
		name, text, _ := strings.Cut(e.Text, " ")
		again[name] = text
	}
	for _, e := range all {
		if again["case-"+e.name] != e.text {
			t.Errorf("%s comes out as %q, and was %q", e.name, again["case-"+e.name], e.text)
		}
	}
}

package main

import (
	"bytes"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"lanchat/internal/access"
	"lanchat/internal/client"
	"lanchat/internal/identity"
	"lanchat/internal/roomlog"
	"lanchat/protocol"

	"rsc.io/qr"
)

const sesame = "open sesame"

// passphraseFile makes a file with a passphrase.
func passphraseFile(t testing.TB, line string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "passphrase")
	if err := os.WriteFile(path, []byte(line+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// newcomer is somebody else at the same site, with files of their own.
func (s *site) newcomer() *site {
	other := *s
	other.env = home(s.TB)
	return &other
}

// refused runs chat, and expects one line that says why it is not let in.
func (s *site) refused(want string, args ...string) {
	s.Helper()
	code, out, errs := s.chat("hello\n", args...)
	if code != exitRefused || out != "" || strings.Count(errs, "\n") != 1 || !strings.HasPrefix(errs, "chat: ") || !strings.Contains(errs, want) {
		s.Errorf("chat %q: exit code %d, want %d and one line with %q:\n%s%s", args, code, exitRefused, want, out, errs)
	}
}

// does runs chat, and expects that it works.
func (s *site) does(args ...string) (stdout string) {
	s.Helper()
	code, out, errs := s.chat("", args...)
	if code != exitDone {
		s.Fatalf("chat %q: exit code %d:\n%s%s", args, code, out, errs)
	}
	return out
}

func TestTheDoor(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	right, wrong := passphraseFile(t, sesame), passphraseFile(t, "sesame")
	admin := s.newcomer()
	user := strings.Fields(admin.does("id"))[1]
	admins := filepath.Join(t.TempDir(), "admins")
	if err := os.WriteFile(admins, []byte(user+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	d, addr, _ := s.chatd("Hack Night", "--passphrase-file", right, "--no-guests", "--admins-file", admins)

	// Each command that meets a server says the same.
	for _, args := range [][]string{{"send", "x"}, {"send"}, {"tail"}, {"who"}, {"join", addr, "--plain"}, {"invite"}} {
		args = append(args, "-s", addr)
		if args[0] == "join" {
			args = args[:3]
		}
		s.newcomer().refused("asks for a passphrase, and there is no terminal to ask for it: --passphrase-file", args...)
	}
	bob := s.newcomer()
	bob.refused("the passphrase is wrong", "send", "-s", addr, "--passphrase-file", wrong)
	bob.does("send", "-s", addr, "--passphrase-file", right, "hello")
	s.newcomer().refused("admits no guests", "send", "-s", addr, "--passphrase-file", right, "--guest")
	if out := s.does("ls"); !strings.Contains(out, "passphrase") {
		t.Errorf("ls does not tell that there is a passphrase: %s", out)
	}
	if out := s.does("ls", "--json"); !strings.Contains(out, `"passphrase":true,"no_guests":true`) {
		t.Errorf("ls --json: %s", out)
	}

	// An invitation lets in whoever has it, once, and its key is no surprise.
	bob.refused("only an op of the room, or an admin", "invite", "-s", addr, "--passphrase-file", right)
	link := strings.TrimSpace(admin.does("invite", "-s", addr, "-r", "build"))
	if !strings.HasPrefix(link, "chat://"+addr+"/build?t=") || strings.Count(link, "\n") != 0 {
		t.Errorf("the invitation is %q", link)
	}
	eve := s.newcomer()
	guest := start(t, eve.command("chat", "join", link, "--plain", "--nick", "eve"))
	guest.await("you are in #build")
	guest.type_("/invite")
	guest.await("only an op of the room, or an admin")
	guest.in.Close()
	if code := guest.exit(); code != exitDone {
		t.Errorf("who is invited ends with %d:\n%s", code, guest.output())
	}
	eve.does("send", "-s", addr, "here again, without it")
	s.newcomer().refused("not valid any more", "join", link, "--plain")
	t.Logf("an invitation: %d bytes", len(link))

	out := d.output()
	if !strings.Contains(out, "a wrong passphrase") || strings.Contains(out, "sesame") || strings.Contains(out, "?t=") {
		t.Errorf("the server's log:\n%s", out)
	}
}

func TestTheBannedKey(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	bob := s.newcomer()
	user, err := protocol.ParseUserID(strings.Fields(bob.does("id"))[1])
	if err != nil {
		t.Fatal(err)
	}
	data := t.TempDir()
	store, err := roomlog.OpenSQLite(data)
	if err != nil {
		t.Fatal(err)
	}
	rules, err := access.Open(store, nil)
	if err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(rules.BanUser(user, access.Ban{Nick: "bob", Why: "pills"}), store.Close()); err != nil {
		t.Fatal(err)
	}
	_, addr, _ := s.chatd("Hack Night", "--data", data)
	bob.refused("you are banned from this server: pills", "send", "-s", addr, "--nick", "bob", "more pills")
	bob.refused("you are banned", "join", addr, "--plain", "--nick", "robert")
	s.newcomer().does("send", "-s", addr, "--nick", "bob", "no pills")
}

// relay is somebody in the middle: it ends TLS on both sides, with a key of its own on
// each, and hears all that is said.
type relay struct {
	addr string
	mu   sync.Mutex
	all  bytes.Buffer
	ends sync.WaitGroup
}

func (r *relay) Write(b []byte) (int, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.all.Write(b)
}

func (r *relay) heard() string {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.all.String()
}

// startRelay listens at listen and passes on to server.
func startRelay(t testing.TB, listen, server string) *relay {
	t.Helper()
	id, err := identity.LoadOrCreate(t.TempDir(), "relay")
	if err != nil {
		t.Fatal(err)
	}
	l, err := net.Listen("tcp", listen)
	if err != nil {
		t.Fatal(err)
	}
	r := &relay{addr: l.Addr().String()}
	r.ends.Go(func() {
		for {
			nc, err := l.Accept()
			if err != nil {
				return
			}
			r.ends.Go(func() { r.between(tls.Server(nc, id.ServerTLS()), server, id) })
		}
	})
	t.Cleanup(func() { l.Close(); r.ends.Wait() })
	return r
}

func (r *relay) between(near *tls.Conn, server string, id *identity.Identity) {
	defer near.Close()
	if near.Handshake() != nil {
		return
	}
	far, err := tls.Dial("tcp", server, id.ClientTLS(nil))
	if err != nil {
		return
	}
	defer far.Close()
	pass := func(to, from *tls.Conn) {
		defer to.Close()
		b := make([]byte, 64<<10)
		for {
			n, err := from.Read(b)
			r.Write(b[:n])
			if _, failed := to.Write(b[:n]); err != nil || failed != nil {
				return
			}
		}
	}
	var both sync.WaitGroup
	both.Go(func() { pass(far, near) })
	pass(near, far)
	both.Wait()
}

// Somebody between a client and a server, with keys of his own, is refused by a key
// that is known, by an invitation, and by the passphrase, of which he learns nothing.
func TestManInTheMiddle(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	file := passphraseFile(t, sesame)
	data := t.TempDir()
	d, addr, _ := s.chatd("Hack Night", "--passphrase-file", file, "--data", data)

	t.Run("the key is known", func(t *testing.T) {
		bob := s.newcomer()
		bob.TB = t
		bob.does("send", "-s", addr, "--passphrase-file", file, "hello")
		d.cmd.Process.Signal(os.Interrupt)
		d.exit()
		var moved string
		d, moved, _ = s.chatd("Hack Night", "--passphrase-file", file, "--data", data)
		r := startRelay(t, addr, moved) // where the server was
		code, _, errs := bob.chat("", "send", "-s", addr, "--passphrase-file", file, "my secret")
		if code != exitRefused || !strings.Contains(errs, "its key has changed") {
			t.Errorf("exit code %d: %s", code, errs)
		}
		if got := r.heard(); got != "" {
			t.Errorf("the relay heard %q", got)
		}
		addr = moved
	})
	key := func() string {
		id, err := identity.LoadOrCreate(data, "")
		if err != nil {
			t.Fatal(err)
		}
		return id.Fingerprint().String()
	}()
	t.Run("by an invitation", func(t *testing.T) {
		r := startRelay(t, "127.0.0.1:0", addr)
		bob := s.newcomer()
		bob.TB = t
		token := strings.Repeat("a", 26)
		bob.refused("not the one of the invitation", "join", client.Invitation(r.addr, "lobby", token, key), "--plain", "--passphrase-file", file)
		if got := r.heard(); got != "" {
			t.Errorf("the relay heard %q", got)
		}
	})
	t.Run("at the first meeting", func(t *testing.T) {
		r := startRelay(t, "127.0.0.1:0", addr)
		bob := s.newcomer()
		bob.TB = t
		bob.refused("the passphrase is wrong, or this is not the server that you mean", "send", "-s", r.addr, "--passphrase-file", file, "my secret")
		got := r.heard()
		if !strings.Contains(got, "SCRAM-SHA-256-PLUS") || !strings.Contains(got, ",p=") {
			t.Errorf("the relay did not pass the proof on, which tests nothing:\n%q", got)
		}
		for _, secret := range []string{sesame, "sesame", "my secret", "welcome", "v="} {
			if strings.Contains(got, secret) {
				t.Errorf("the relay heard %q:\n%q", secret, got)
			}
		}
		// Whom it was not let in by is not remembered.
		if pins, err := os.ReadFile(filepath.Join(configOf(bob.env), "servers.json")); err == nil && strings.Contains(string(pins), r.addr) {
			t.Errorf("the relay's key is pinned: %s", pins)
		}
		bob.does("send", "-s", addr, "--passphrase-file", file, "hello")
	})
	if out := d.output(); !strings.Contains(out, "a wrong passphrase") || strings.Contains(out, "sesame") {
		t.Errorf("the server's log:\n%s", out)
	}
}

// configOf is the config directory of an environment that home has made.
func configOf(env []string) string {
	for _, v := range env {
		if dir, is := strings.CutPrefix(v, "XDG_CONFIG_HOME="); is {
			return filepath.Join(dir, "lanchat")
		}
	}
	return ""
}

// FuzzInvite reads anything as an invitation: what is taken is what is written again.
func FuzzInvite(f *testing.F) {
	key := strings.Repeat("5b", 32)
	for _, seed := range []string{
		"192.168.1.5:25252/build?t=k7orfkgknqaqs7325z5inkryz5#" + key, "192.168.1.5:25252/lobby#" + key, "chat.example.org:1#" + key,
		"[fe80::5%25eth0]:25252/a%20b?t=x&u=1#" + key, "[fe80::5%eth0]:25252/dm:a:b?#" + key, ":80/x#" + key, "a:0/x#" + key, "a:1/x?t=a&t=b#" + key,
		"a:1/\x1b]0;x\x07#" + key, "a:1/x?t=%1b#" + key, "a:1/x#", "#", "",
	} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, rest string) {
		got, err := parseInvite(rest)
		if err != nil {
			if _, usage := errors.AsType[usageError](err); !usage || strings.ContainsFunc(err.Error(), func(r rune) bool { return r < ' ' }) {
				t.Errorf("%q is refused with %q", rest, err)
			}
			return
		}
		if host, port, err := net.SplitHostPort(got.addr); err != nil || host == "" || port == "0" {
			t.Errorf("%q leads to %q", rest, got.addr)
		}
		if got.room != "" && protocol.ValidRoom(got.room) != nil || len(got.token) > 64 || !got.invited || got.key == (identity.Fingerprint{}) {
			t.Errorf("%q is %+v", rest, got)
		}
		link := client.Invitation(got.addr, got.room, got.token, got.key.String())
		for _, r := range link {
			if r <= ' ' || r == 0x7f {
				t.Errorf("%q is written as %q", rest, link)
			}
		}
		again, err := parseTarget(link)
		if err != nil || again != got {
			t.Errorf("%q is %+v, and again %+v, %v", rest, got, again, err)
		}
	})
}

func TestQRCode(t *testing.T) {
	link := client.Invitation("192.168.178.155:25252", "hack-night", strings.Repeat("k", 26), strings.Repeat("5b", 32))
	for _, colours := range []bool{false, true} {
		p, err := qrCode(link, colours)
		if err != nil {
			t.Fatal(err)
		}
		if w, h := p.size(); w > 79 || h > 23 {
			t.Errorf("an invitation takes %d columns and %d rows", w, h)
		}
		// What is drawn, module by module, is the code.
		code, err := qr.Encode(link, qr.L)
		if err != nil {
			t.Fatal(err)
		}
		for y := range code.Size {
			for x := range code.Size {
				c := []rune(p.rows[(y+qrMargin)/2])[x+qrMargin]
				light := c == '█' || c == '▀' && (y+qrMargin)%2 == 0 || c == '▄' && (y+qrMargin)%2 == 1
				if light == code.Black(x, y) {
					t.Fatalf("the module %d, %d is wrong", x, y)
				}
			}
		}
		for line := range strings.SplitSeq(strings.TrimSuffix(fmt.Sprint(p), "\n"), "\n") {
			if strings.HasPrefix(line, "\x1b[") != colours || strings.HasSuffix(line, "\x1b[0m") != colours {
				t.Errorf("colours %v: %q", colours, line)
			}
		}
	}
}

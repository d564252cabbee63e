package main

import (
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"lanchat/internal/netlab"
)

// street is two hosts of a lab, with a server's and a client's programs.
type street struct {
	*testing.T
	bin            string
	server, client *netlab.Host
	env            []string // of the client
}

func newStreet(t *testing.T) *street {
	lab := netlab.New(t)
	return &street{t, built(t), lab.Host("server", "10.77.0.1/24"), lab.Host("client", "10.77.0.2/24"), home(t)}
}

func (s *street) run(h *netlab.Host, env []string, program string, args ...string) *process {
	s.Helper()
	cmd := h.Command(filepath.Join(s.bin, program), args...)
	cmd.Env = env
	return start(s, cmd)
}

// chatd starts a server whose files are in data.
func (s *street) chatd(data string, args ...string) *process {
	s.Helper()
	d := s.run(s.server, home(s), "chatd", append([]string{"--name", "Hack Night", "--data", data}, args...)...)
	d.await("ready name=")
	return d
}

// join joins, leaves, and returns how long it took to be in.
func (s *street) join(h *netlab.Host, args ...string) time.Duration {
	s.Helper()
	began := time.Now()
	p := s.run(h, s.env, "chat", append([]string{"join", "--plain"}, args...)...)
	p.await("you are in #lobby")
	took := time.Since(began)
	p.in.Close()
	if code := p.exit(); code != 0 {
		s.Errorf("chat join %q ends with %d:\n%s", args, code, p.output())
	}
	return took
}

// filter drops what rule matches on its way into either host.
func (s *street) filter(rule string) {
	s.Helper()
	if _, err := exec.LookPath("nft"); err != nil {
		s.Skip("no firewall: ", err)
	}
	for _, h := range []*netlab.Host{s.server, s.client} {
		out, err := h.Command("nft", "flush ruleset; add table ip f; add chain ip f in { type filter hook input priority 0; }; add rule ip f in "+rule+" counter drop").CombinedOutput()
		if err != nil {
			s.Skipf("no firewall: %v: %s", err, out)
		}
	}
}

func stopped(t testing.TB, p *process) {
	t.Helper()
	p.cmd.Process.Signal(os.Interrupt)
	if code := p.exit(); code != 0 {
		t.Errorf("it ends with %d:\n%s", code, p.output())
	}
}

// A server that was joined once is found where no broadcast arrives, at another
// port than it had, by asking its host; and where no datagram does, by going there.
func TestLabRememberedAddress(t *testing.T) {
	s := newStreet(t)
	data := t.TempDir()
	d := s.chatd(data)
	s.join(s.client, "Hack Night")

	s.filter("ip daddr { 255.255.255.255, 10.77.0.255 }")
	stranger := s.run(s.client, home(t), "chat", "send", "-s", "Hack Night", "x") // who was never there
	stopped(t, d)
	d = s.chatd(data, "--listen", ":4000")
	took := s.join(s.client, "Hack Night")
	t.Logf("in after %v without broadcasts", took)
	if took > time.Second {
		t.Errorf("it took %v to join by unicast", took)
	}

	ls := s.run(s.client, s.env, "chat", "ls", "--timeout", "500ms")
	if code := ls.exit(); code != 0 || !strings.Contains(ls.output(), "10.77.0.1:4000") {
		t.Errorf("ls without broadcasts: %d\n%s", code, ls.output())
	}

	s.filter("meta l4proto udp")
	took = s.join(s.client, "hack night")
	t.Logf("in after %v without datagrams", took)
	if took > time.Second {
		t.Errorf("it took %v to join by TCP", took)
	}
	if code := stranger.exit(); code != exitNotFound {
		t.Errorf("without a remembered address the server is found (%d): this test shows nothing", code)
	}

	// Another server, at the remembered place, is not taken for it.
	stopped(t, d)
	s.chatd(t.TempDir(), "--listen", ":4000")
	p := s.run(s.client, s.env, "chat", "send", "-s", "Hack Night", "x")
	if code := p.exit(); code == 0 || !strings.Contains(p.output(), "another key") {
		t.Errorf("another server at the remembered address: %d\n%s", code, p.output())
	}
}

// sent is how many datagrams a host has sent since it exists.
func (s *street) sent(h *netlab.Host) (n int) {
	s.Helper()
	out, err := h.Command("cat", "/proc/net/snmp", "/proc/net/snmp6").Output()
	if err != nil {
		s.Fatal(err)
	}
	for line := range strings.Lines(string(out)) {
		f := strings.Fields(line)
		v := 0
		switch {
		case f[0] == "Udp:" && f[1] != "InDatagrams": // InDatagrams NoPorts InErrors OutDatagrams …
			fmt.Sscan(f[4], &v)
		case f[0] == "Udp6OutDatagrams":
			fmt.Sscan(f[1], &v)
		}
		n += v
	}
	return n
}

// Where discovery is unwelcome, not one datagram is sent, and an address is enough:
// of a host without a port, by IPv6, or the one that is remembered.
func TestLabNoDiscovery(t *testing.T) {
	t.Parallel()
	s := newStreet(t)
	data := t.TempDir()
	d := s.chatd(data, "--no-discovery")
	if err := s.server.IP("addr add fe80::77/64 dev eth0 nodad"); err != nil {
		t.Fatal(err)
	}
	if err := s.client.IP("addr add fe80::78/64 dev eth0 nodad"); err != nil {
		t.Fatal(err)
	}
	s.join(s.client, "10.77.0.1", "--no-discovery")
	s.join(s.client, "fe80::77%eth0", "--no-discovery")
	s.join(s.client, "[fe80::77%eth0]:25252", "--no-discovery")

	host := s.run(s.client, home(t), "chat", "host", "Here", "--plain", "--no-discovery")
	host.await("chat join 10.77.0.2:25252")
	host.await("you are in #lobby")
	s.env = home(t)
	s.join(s.server, "10.77.0.2", "--no-discovery")

	p := s.run(s.client, s.env, "chat", "join", "Hack Night", "--plain", "--no-discovery")
	if code := p.exit(); code != exitNotFound || !strings.Contains(p.output(), "switched off") {
		t.Errorf("by name without discovery: %d\n%s", code, p.output())
	}
	for _, h := range []*netlab.Host{s.server, s.client} {
		if n := s.sent(h); n != 0 {
			t.Errorf("%d datagrams left the %s", n, h.Name)
		}
	}

	stopped(t, d)
	d = s.chatd(data)
	s.join(s.client, "Hack Night")
	if s.sent(s.server) == 0 || s.sent(s.client) == 0 {
		t.Error("discovery sends nothing: this test shows nothing")
	}
	stopped(t, d)
	d = s.chatd(data, "--no-discovery")
	before := s.sent(s.client)
	s.join(s.client, "Hack Night", "--no-discovery")
	if n := s.sent(s.client); n != before {
		t.Errorf("%d datagrams left the client", n-before)
	}
	stopped(t, d)
}

// Another program has the port of discovery: a server serves all the same, says so
// once, and is reached by its address, from its own host too.
func TestLabPortHeld(t *testing.T) {
	t.Parallel()
	s := newStreet(t)
	for _, h := range []*netlab.Host{s.server, s.client} {
		err := h.Do(func() error {
			held, err := net.ListenPacket("udp4", ":25252")
			if err == nil {
				t.Cleanup(func() { held.Close() })
			}
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	d := s.chatd(t.TempDir())
	s.join(s.client, "10.77.0.1")
	s.join(s.server, "10.77.0.1:25252")
	stopped(t, d)
	if out := d.output(); strings.Count(out, "level=WARN") != 1 || !strings.Contains(out, "join it by address") {
		t.Errorf("it does not say in one line that it cannot be found:\n%s", out)
	}

	host := s.run(s.client, home(t), "chat", "host", "Here", "--plain")
	host.await("but can join it: chat join 10.77.0.2:25252")
	host.await("you are in #lobby")
}

func TestParseTarget(t *testing.T) {
	for in, want := range map[string]target{
		"Hack Night":            {name: "Hack Night"},
		"chat.example.org":      {name: "chat.example.org"},
		"chat.example.org:4000": {addr: "chat.example.org:4000"},
		"192.168.1.5":           {addr: "192.168.1.5:25252"},
		"192.168.1.5:4000":      {addr: "192.168.1.5:4000"},
		"2001:db8::5":           {addr: "[2001:db8::5]:25252"},
		"[2001:db8::5]":         {addr: "[2001:db8::5]:25252"},
		"[2001:db8::5]:4000":    {addr: "[2001:db8::5]:4000"},
		"fe80::5%eth0":          {addr: "[fe80::5%eth0]:25252"},
		"[fe80::5%eth0]:4000":   {addr: "[fe80::5%eth0]:4000"},
		"::ffff:192.168.1.5":    {addr: "192.168.1.5:25252"},
		"Room: the second":      {name: "Room: the second"},
	} {
		if got, err := parseTarget(in); err != nil || got != want {
			t.Errorf("%q is %+v, %v; want %+v", in, got, err, want)
		}
	}
	for _, in := range []string{"", "-x", "a\x1bb", "chat://"} {
		if got, err := parseTarget(in); err == nil {
			t.Errorf("%q is %+v", in, got)
		}
	}
}

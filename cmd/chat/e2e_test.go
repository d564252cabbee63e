package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"lanchat/discovery"
	"lanchat/internal/netlab"
	"lanchat/internal/tied"
)

// site is a server and its clients on the loopback, with files and a discovery
// port of their own.
type site struct {
	testing.TB
	bin, port string
	env       []string
}

func newSite(t testing.TB) *site {
	if runtime.GOOS != "linux" {
		t.Skip("the loopback has no broadcast on " + runtime.GOOS)
	}
	return &site{TB: t, bin: built(t), port: strconv.Itoa(tied.FreeUDPPort(t)), env: home(t)}
}

func (s *site) command(program string, args ...string) *exec.Cmd {
	cmd := exec.Command(filepath.Join(s.bin, program), append([]string{"--discovery-interface", "lo", "--discovery-port", s.port}, args...)...)
	cmd.Env = s.env
	return cmd
}

// chat runs chat to its end.
func (s *site) chat(stdin string, args ...string) (code int, stdout, stderr string) {
	s.Helper()
	cmd := s.command("chat", args...)
	var out, errs bytes.Buffer
	cmd.Stdin, cmd.Stdout, cmd.Stderr = strings.NewReader(stdin), &out, &errs
	timer := time.AfterFunc(30*time.Second, func() { cmd.Process.Kill() })
	defer timer.Stop()
	if err := cmd.Run(); err != nil && cmd.ProcessState == nil {
		s.Fatal(err)
	}
	return cmd.ProcessState.ExitCode(), out.String(), errs.String()
}

var readyLine = regexp.MustCompile(`(?m)^ready name="(.*)" addr=(\S+) key="([a-z ]+)"$`)

// chatd starts a server that nobody is too fast for, and returns where it is.
func (s *site) chatd(name string, args ...string) (p *process, addr, key string) {
	s.Helper()
	p = start(s.TB, s.command("chatd", append([]string{"--name", name, "--listen", "127.0.0.1:0", "--post-rate", "10000"}, args...)...))
	m := readyLine.FindStringSubmatch(p.await("ready name="))
	if m == nil || m[1] != name {
		s.Fatalf("the ready line is wrong:\n%s", p.output())
	}
	return p, m[2], m[3]
}

func TestPipes(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	d, addr, key := s.chatd("Hack Night")
	expect := func(wantCode int, wantOut, wantErr string, args ...string) string {
		t.Helper()
		code, out, errs := s.chat("", args...)
		if code != wantCode || !strings.Contains(out, wantOut) || !strings.Contains(errs, wantErr) {
			t.Errorf("chat %s: exit code %d, want %d\nstdout: %s\nstderr: %s\nwant %q and %q", strings.Join(args, " "), code, wantCode, out, errs, wantOut, wantErr)
		}
		return out
	}
	expect(0, "Hack Night", "", "ls")
	var listed struct{ Name, Addr, Key, Instance string }
	if err := json.Unmarshal([]byte(expect(0, "", "", "ls", "--json")), &listed); err != nil || listed.Addr != addr || len(listed.Key) != 64 || listed.Instance == "" {
		t.Errorf("ls --json: %+v, %v", listed, err)
	}
	expect(0, "", "", "send", "hello", "world")              // the only server there is
	expect(0, "", "", "send", "-s", "hack night", "by name") // in whatever case
	expect(0, "", "", "send", "-s", addr, "by", "address")   // at once
	expect(0, "", "", "tail", "--follow=false", "-n", "1")
	s.env = append(s.env, "CHAT_SERVER="+addr) // from here on nobody has to look for it
	expect(0, "", "", "send", "-r", "build", "--", "--literal")
	out := expect(0, "hello world\n", "", "tail", "--follow=false", "-n", "2", "--after", "0")
	if n := strings.Count(out, "\n"); n != 3 {
		t.Errorf("tail prints %d lines:\n%s", n, out)
	}
	expect(0, `"text":"--literal"`, "", "tail", "--follow=false", "-r", "build", "--json")
	expect(0, "build", "", "rooms")
	expect(0, "#lobby <", "", "search", "hello wor*")
	expect(0, `"text":"by name"`, "", "search", "--json", `"by name"`)
	expect(0, "", "", "who")
	expect(0, key, "", "ls")
	expect(0, "chat://"+addr+"/build#", "", "invite", "-r", "build")

	code, _, errs := s.chat("one\n\ntwo\n"+strings.Repeat("x", 20000)+"\nthree\n", "send", "-r", "lines")
	if code != exitRefused || !strings.Contains(errs, "3 sent, 1 not") || !strings.Contains(errs, "16384") {
		t.Errorf("send with a line that is too long: %d, %s", code, errs)
	}
	expect(0, "three\n", "", "tail", "--follow=false", "-r", "lines")

	// Wrong input says what is wrong, and does nothing.
	expect(exitUsage, "", "unknown flag", "ls", "--jsno")
	expect(exitUsage, "", "unknown command", "jion")
	expect(exitUsage, "", "--room", "tail", "-r", "No Room")
	expect(exitUsage, "", `"30" has no unit`, "host", "--keep", "30")
	expect(exitUsage, "", "--memory", "host", "--keep", "30d", "--memory")
	expect(exitUsage, "", "--nick", "send", "--nick", "a b", "x")
	expect(exitUsage, "", "TEXT is empty", "send", "")
	expect(exitFailed, "", "nothing to send", "send")
	expect(exitNotFound, "", "nobody here answers", "send", "-s", "No Such Room", "x")
	expect(exitNotFound, "", "refused", "send", "-s", "127.0.0.1:1", "x")
	expect(exitRefused, "", "no such room", "who", "-r", "nowhere")
	expect(exitUsage, "", "invitation is damaged", "join", "chat://x/y#z")
	expect(0, "chat dev", "", "version")
	expect(0, "chat host", "", "--help")

	// Another key under the same name: refused, with the way out.
	d.cmd.Process.Signal(os.Interrupt)
	if code := d.exit(); code != 0 {
		t.Errorf("chatd ends with %d:\n%s", code, d.output())
	}
	s.chatd("Hack Night", "--data", t.TempDir())
	expect(exitRefused, "", "chat id forget 'Hack Night'", "send", "-s", "Hack Night", "x")
	expect(0, "forgotten", "", "id", "forget", "Hack Night")
	expect(0, "", "", "send", "-s", "Hack Night", "a new beginning")
}

func TestTwoServersOfOneName(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	_, a, keyA := s.chatd("Hack Night", "--data", t.TempDir())
	_, b, keyB := s.chatd("Hack Night", "--data", t.TempDir())
	code, _, errs := s.chat("", "send", "-s", "Hack Night", "x")
	for _, want := range []string{a, b, keyA, keyB, "different keys"} {
		if !strings.Contains(errs, want) {
			t.Errorf("it does not say %q:\n%s", want, errs)
		}
	}
	if code != exitUsage {
		t.Errorf("exit code %d", code)
	}
}

func TestChatdRefusesWrongInput(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct {
		args []string
		env  string
		code int
		want string
	}{
		{[]string{"--name", ""}, "", exitUsage, "--name"},
		{[]string{"--name", "a:1"}, "", exitUsage, "would be taken for an address"},
		{[]string{"--log-level", "loud"}, "", exitUsage, "none of debug"},
		{[]string{"--post-rate", "0"}, "", exitUsage, "--post-rate"},
		{[]string{"extra"}, "", exitUsage, "extra"},
		{nil, "CHATD_POST_RATE=many", exitUsage, "CHATD_POST_RATE"},
		{[]string{"--listen", "nowhere"}, "", exitFailed, "cannot listen on nowhere"},
		{[]string{"--data", file}, "", exitFailed, file},
	} {
		cmd := s.command("chatd", tt.args...)
		cmd.Env = append(cmd.Env, tt.env)
		out, _ := cmd.CombinedOutput()
		if code := cmd.ProcessState.ExitCode(); code != tt.code || !strings.Contains(string(out), tt.want) || strings.Contains(string(out), "ready ") {
			t.Errorf("chatd %q %s: exit code %d, want %d and %q:\n%s", tt.args, tt.env, code, tt.code, tt.want, out)
		}
	}
}

func TestPlainTalk(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	host := start(t, s.command("chat", "host", "Hack Night", "--listen", "127.0.0.1:0", "--plain", "--nick", "ann"))
	host.await("you are in #lobby")
	other := *s
	other.env = home(t)
	bob := start(t, other.command("chat", "--nick", "bob")) // no address, no name, no terminal
	bob.await("you are in #lobby")
	host.type_("hello bob")
	bob.await("<ann> hello bob")
	bob.type_("/msg ann psst")
	host.await("@bob <bob> psst")
	bob.type_("/search hello psst")
	bob.await("Nothing was found.")
	bob.type_("/search hel* from:ann")
	bob.await("#lobby <ann> hello bob")
	bob.in.Close()
	if code := bob.exit(); code != 0 {
		t.Errorf("bob ends with %d", code)
	}
	host.type_("/quit")
	if code := host.exit(); code != 0 {
		t.Errorf("the host ends with %d:\n%s", code, host.output())
	}
}

// Three hosts on one network: nobody is told an address.
func TestThreeHosts(t *testing.T) {
	bin := built(t)
	lab := netlab.New(t)
	lan := lab.LAN()
	hosts := make([]*netlab.Host, 3)
	for i := range hosts {
		hosts[i] = lab.Host(fmt.Sprint("host", i))
		hosts[i].Join(lan, fmt.Sprintf("10.77.0.%d/24", i+1))
	}
	run := func(h *netlab.Host, program string, args ...string) *process {
		cmd := h.Command(filepath.Join(bin, program), args...)
		cmd.Env = home(t)
		return start(t, cmd)
	}
	d := run(hosts[0], "chatd", "--name", "Hack Night")
	if out := d.await("ready "); !strings.Contains(out, "addr=10.77.0.1:25252") {
		t.Errorf("the server does not say where it is: %s", out)
	}
	ann := run(hosts[1], "chat", "--plain", "--nick", "ann")
	bob := run(hosts[2], "chat", "join", "hack night", "--plain", "--nick", "bob")
	ann.await("you are in #lobby")
	bob.await("you are in #lobby")
	ann.type_("hello from the second host")
	bob.await("<ann> hello from the second host")
	bob.type_("and from the third")
	ann.await("<bob> and from the third")

	for i, want := range []discovery.Want{{Name: "Hack Night"}, {Name: "hack night"}} {
		for try := 1; ; try++ { // once more where the machine stood still
			times := lookups(t, hosts[i+1], want, "10.77.0.1:25252")
			t.Logf("host %d looks for %q: median %v, slowest %v of %d", i+1, want.Name, times[len(times)/2], times[len(times)-1], len(times))
			if times[len(times)/2] <= 100*time.Millisecond {
				break
			}
			if try == 3 {
				t.Fatal("the median is over 100 ms")
			}
		}
	}
}

// lookups are how long 20 of them take, the shortest first.
func lookups(t *testing.T, on *netlab.Host, want discovery.Want, at string) (times []time.Duration) {
	t.Helper()
	for range 20 {
		err := on.Do(func() error {
			begin := time.Now()
			found, err := discovery.Lookup(t.Context(), discovery.Config{}, want)
			if err != nil || found[0].Addr != netip.MustParseAddrPort(at) {
				return fmt.Errorf("found %+v, %w", found, err)
			}
			times = append(times, time.Since(begin))
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	slices.Sort(times)
	return times
}

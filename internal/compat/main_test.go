package compat

import (
	"bytes"
	"flag"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"testing"

	"lanchat/internal/tied"
	"lanchat/protocol"
)

var oldDir = flag.String("old", "", "directory with chat, chatd and golden.txt of an earlier build")

func TestMain(m *testing.M) {
	flag.Parse()
	code := m.Run()
	tied.RemovePrograms()
	os.Exit(code)
}

// build is one build's programs.
type build struct{ name, chat, chatd string }

// builds are the earlier build and this code's; without the earlier one the test is skipped.
func builds(t *testing.T) (old, today build) {
	t.Helper()
	if *oldDir == "" {
		t.Skip("no earlier build to compare with: scripts/compat makes one")
	}
	old = build{"old", filepath.Join(*oldDir, "chat"), filepath.Join(*oldDir, "chatd")}
	for _, path := range []string{old.chat, old.chatd} {
		if _, err := os.Stat(path); err != nil {
			t.Fatal(err)
		}
	}
	return old, build{"new", tied.Program(t, "chat"), tied.Program(t, "chatd")}
}

func TestGoldenTableOnlyGrows(t *testing.T) {
	if *oldDir == "" {
		t.Skip("no earlier build to compare with: scripts/compat makes one")
	}
	old, err := os.ReadFile(filepath.Join(*oldDir, "golden.txt"))
	if err != nil || len(old) == 0 {
		t.Fatal("the earlier table has nothing: ", err)
	}
	today, err := os.ReadFile("../../protocol/testdata/golden.txt")
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.HasPrefix(today, old) {
		t.Error("the golden table of the earlier build is not the beginning of today's: frames that exist have changed")
	}
}

var noDiscovery = []string{"--no-discovery"}

// onLoopback are the flags for discovery that stays on this machine, and in this test.
func onLoopback(t *testing.T) []string {
	if runtime.GOOS != "linux" {
		t.Skip("the loopback has no broadcast on " + runtime.GOOS)
	}
	return []string{"--discovery-interface", "lo", "--discovery-port", strconv.Itoa(tied.FreeUDPPort(t))}
}

const serverName = "Hack Night"

// server is a running chatd.
type server struct {
	*tied.Process
	addr string
}

// serve starts a build's chatd at an address. It sends no datagram.
func (b build) serve(t *testing.T, addr, data string, args ...string) *server {
	t.Helper()
	return b.announce(t, noDiscovery, addr, data, args...)
}

// announce starts a build's chatd at an address, with these flags about discovery.
func (b build) announce(t *testing.T, discovery []string, addr, data string, args ...string) *server {
	t.Helper()
	args = slices.Concat(discovery, args, []string{"--name", serverName, "--listen", addr, "--data", data})
	p := tied.Run(t, exec.Command(b.chatd, args...))
	return &server{p, p.Await(`^ready name="Hack Night" addr=(\S+) `)[1]}
}

// manage runs a command of a build's chatd to its end.
func (b build) manage(t *testing.T, stdin string, args ...string) (stdout string) {
	t.Helper()
	cmd := exec.Command(b.chatd, args...)
	cmd.Stdin = strings.NewReader(stdin)
	var out, errs bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &errs
	if err := cmd.Run(); err != nil {
		t.Fatalf("%s chatd %q: %v\n%s", b.name, args, err, errs.String())
	}
	return out.String()
}

// user is somebody with a chat of some build and a home of their own.
type user struct {
	t         *testing.T
	with      build
	nick      string
	home      string
	discovery []string // flags
}

func newUser(t *testing.T, with build, nick string) *user {
	return &user{t, with, nick, t.TempDir(), noDiscovery}
}

func (u *user) configDir() string { return filepath.Join(u.home, "config", "lanchat") }

func (u *user) command(args ...string) *exec.Cmd {
	cmd := exec.Command(u.with.chat, slices.Concat(u.discovery, args)...)
	cmd.Env = append(os.Environ(), "HOME="+u.home, "XDG_CONFIG_HOME="+filepath.Join(u.home, "config"), "XDG_DATA_HOME="+filepath.Join(u.home, "data"),
		"CHAT_SERVER=", "CHAT_ROOM=", "CHAT_DISCOVERY_INTERFACE=", "CHAT_NICK="+u.nick)
	return cmd
}

// ends runs chat to its end.
func (u *user) ends(code int, stdin string, args ...string) (stdout, stderr string) {
	u.t.Helper()
	cmd := u.command(args...)
	var out, errs bytes.Buffer
	cmd.Stdin, cmd.Stdout, cmd.Stderr = strings.NewReader(stdin), &out, &errs
	if err := cmd.Run(); cmd.ProcessState == nil {
		u.t.Fatal(err)
	}
	if got := cmd.ProcessState.ExitCode(); got != code {
		u.t.Fatalf("%s chat %q ends with %d, want %d:\n%s%s", u.with.name, args, got, code, out.String(), errs.String())
	}
	return out.String(), errs.String()
}

// does runs chat and expects that it works and prints what a pattern matches.
func (u *user) does(pattern string, args ...string) []string {
	u.t.Helper()
	out, _ := u.ends(0, "", args...)
	m := regexp.MustCompile("(?m)" + pattern).FindStringSubmatch(out)
	if m == nil {
		u.t.Fatalf("%s chat %q does not print %q but:\n%s", u.with.name, args, pattern, out)
	}
	return m
}

// id is the user's id in text form.
func (u *user) id() string {
	u.t.Helper()
	return u.does(`^user\s+(\S+)$`, "id")[1]
}

// joins enters by plain lines, and is in the lobby, or in the room of an invitation.
func (u *user) joins(where string) *tied.Process {
	u.t.Helper()
	p := tied.Run(u.t, u.command("join", where, "--plain"))
	room := protocol.DefaultRoom
	if m := regexp.MustCompile(`^chat://[^/]+/([a-z]+)`).FindStringSubmatch(where); m != nil {
		room = m[1]
	}
	p.Await(`-- you are in #` + room + ",")
	return p
}

func write(t *testing.T, path, text string) string {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

package main

import (
	"bufio"
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"lanchat/internal/roomlog"
	"lanchat/protocol"
)

// asProgram has the test's binary be chatd: other processes are needed here.
const asProgram = "CHATD_TEST_AS_PROGRAM"

func TestMain(m *testing.M) {
	if os.Getenv(asProgram) != "" {
		main()
	}
	os.Exit(m.Run())
}

func command(t *testing.T, args ...string) *exec.Cmd {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(t.Context(), self, args...)
	home := t.TempDir()
	env := slices.DeleteFunc(os.Environ(), func(v string) bool { return strings.HasPrefix(v, "CHATD_") })
	cmd.Env = append(env, asProgram+"=1", "HOME="+home, "XDG_CONFIG_HOME="+home, "XDG_DATA_HOME="+home)
	return cmd
}

// start runs a server until the test ends, and returns when it is ready.
func start(t *testing.T, args ...string) (stop func()) {
	t.Helper()
	cmd := command(t, append([]string{"--listen", "127.0.0.1:0", "--no-discovery"}, args...)...)
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	var errs bytes.Buffer
	cmd.Stderr = &errs
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	if line, err := bufio.NewReader(out).ReadString('\n'); err != nil || !strings.HasPrefix(line, "ready ") {
		t.Fatalf("%q, %v\n%s", line, err, errs.String())
	}
	return func() {
		t.Helper()
		if err := cmd.Process.Signal(os.Interrupt); err != nil {
			t.Fatal(err)
		}
		if err := cmd.Wait(); err != nil {
			t.Errorf("chatd: %v\n%s", err, errs.String())
		}
	}
}

// expect runs chatd to its end.
func expect(t *testing.T, code int, stdin string, want string, args ...string) (stdout string) {
	t.Helper()
	var out, errs bytes.Buffer
	if got := run(args, strings.NewReader(stdin), &out, &errs); got != code || !strings.Contains(errs.String(), want) {
		t.Errorf("chatd %q: exit code %d, want %d and %q; it says\n%s", args, got, code, want, errs.String())
	}
	return out.String()
}

func line(i int, room, text string) string {
	return fmt.Sprintf(`{"room":%q,"seq":%d,"id":%q,"user":%q,"from":"ann","verified":true,"at":"2026-01-02T03:04:%02d.000000005Z","kind":"text","text":%q}`+"\n",
		room, i, protocol.NewID(), protocol.UserID{1}, i, text)
}

func TestExportAndImport(t *testing.T) {
	dm := protocol.DirectRoom(protocol.UserID{1}, protocol.UserID{2})
	dir := t.TempDir()
	lines := line(1, "lobby", "one") + line(2, "lobby", "two") + line(3, dm, "psst")
	expect(t, exitDone, lines, "entries imported: 3; there already: 0", "import", "--data", dir)
	expect(t, exitDone, lines, "entries imported: 0; there already: 3", "import", "--data", dir)

	// Beside a running server: reading is fine, writing is refused.
	stop := start(t, "--data", dir)
	all := expect(t, exitDone, "", "", "export", "--data", dir, "--direct")
	if all != lines {
		t.Errorf("exported:\n%s\nimported:\n%s", all, lines)
	}
	if out := expect(t, exitDone, "", "", "export", "--data", dir); strings.Contains(out, "psst") || strings.Count(out, "\n") != 2 {
		t.Errorf("without --direct: %s", out)
	}
	if out := expect(t, exitDone, "", "", "export", "--data", dir, "--direct", "--room", dm); !strings.Contains(out, "psst") || strings.Count(out, "\n") != 1 {
		t.Errorf("the direct talk: %s", out)
	}
	expect(t, exitFailed, lines, roomlog.ErrLocked.Error(), "import", "--data", dir)
	stop()

	// By name, as the server itself finds its directory.
	home := t.TempDir()
	t.Setenv("XDG_DATA_HOME", home)
	expect(t, exitDone, all, filepath.Join(home, "lanchat"), "import", "--name", "Hack Night")
	if again := expect(t, exitDone, "", "", "export", "--name", "Hack Night", "--direct"); again != all {
		t.Errorf("exported again:\n%s\nat first:\n%s", again, all)
	}
	t.Setenv("CHATD_NAME", "Hack Night")
	t.Setenv("CHATD_ROOM", "lobby")
	if out := expect(t, exitDone, "", "", "export"); strings.Count(out, "\n") != 2 {
		t.Errorf("by the environment: %s", out)
	}
}

func TestTransferRefusesWrongInput(t *testing.T) {
	dir := t.TempDir()
	dm := protocol.DirectRoom(protocol.UserID{1}, protocol.UserID{2})
	expect(t, exitFailed, line(1, "lobby", "one")+"oops\n", "entries imported: 1", "import", "--data", dir)
	for _, tt := range []struct {
		code  int
		stdin string
		want  string
		args  []string
	}{
		{exitFailed, "\noops\n", "line 2: ", []string{"import", "--data", dir}},
		{exitFailed, "", "no log here", []string{"export", "--data", t.TempDir()}},
		{exitFailed, "", "no such room", []string{"export", "--data", dir, "--room", "attic"}},
		{exitUsage, "", "private", []string{"export", "--data", dir, "--room", dm}},
		{exitUsage, "", "--room", []string{"export", "--data", dir, "--room", "No Room"}},
		{exitUsage, "", "--name", []string{"import", "--name", "a:1"}},
		{exitUsage, "", "extra", []string{"export", "extra"}},
		{exitUsage, "", "--rom", []string{"export", "--rom", "x"}},
		{exitUsage, "", `"30" has no unit`, []string{"--keep", "30"}},
		{exitUsage, "", "--memory", []string{"--keep", "30d", "--memory"}},
	} {
		expect(t, tt.code, tt.stdin, tt.want, tt.args...)
	}
	later := regexp.MustCompile(`:0(\d)\.0`).ReplaceAllString(line(1, "lobby", "early"), ":00.0")
	expect(t, exitDone, later, "later entries: 1", "import", "--data", dir)
	t.Setenv("CHATD_KEEP", "12")
	expect(t, exitUsage, "", "CHATD_KEEP", "--data", dir)
}

// A server removes what --keep does not want when it starts, and its files show
// nothing of it any longer.
func TestKeep(t *testing.T) {
	dir := t.TempDir()
	expect(t, exitDone, line(1, "lobby", "zanzibar"), "imported: 1", "import", "--data", dir)
	shown := func() bool {
		for _, name := range []string{"log.db", "log.db-wal"} {
			b, err := os.ReadFile(filepath.Join(dir, name))
			if err != nil && !os.IsNotExist(err) {
				t.Fatal(err)
			}
			if bytes.Contains(b, []byte("zanzibar")) {
				return true
			}
		}
		return false
	}
	if !shown() {
		t.Fatal("the files do not show texts: this test would find nothing")
	}
	stop := start(t, "--data", dir, "--keep", "1h")
	for begin := time.Now(); shown(); {
		if time.Since(begin) > 20*time.Second {
			t.Fatal("the text is still there")
		}
	}
	stop()
	if out := expect(t, exitDone, "", "", "export", "--data", dir); out != "" {
		t.Errorf("there is still: %s", out)
	}
}

package roomlog

import (
	"bufio"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// No acknowledgement leaves the process before its entry is on the disk: seen from
// the kernel, between any two acknowledgements the write-ahead log is written and
// then synced. With a store that does not wait for the disk the same look fails.
func TestCrashTraceOfSyncs(t *testing.T) {
	acks, err := traced(t, "turn")
	if err != nil || acks != 30 {
		t.Errorf("%d acknowledgements: %v", acks, err)
	}
	if acks, err := traced(t, "lazy"); !errors.Is(err, errTooEarly) {
		t.Errorf("without a sync for each commit: %d acknowledgements, %v", acks, err)
	}
}

var errTooEarly = errors.New("acknowledged before it was synced")

var (
	traceCall    = regexp.MustCompile(`^(\d+) +(write|pwrite64|fsync|fdatasync)\(\d+<([^>]*)>(?:, "([^"]*))?`)
	traceResumed = regexp.MustCompile(`^(\d+) +<\.\.\. (fsync|fdatasync) resumed>.* = (-?\d+)`)
)

// traced runs the other process under strace and looks at what it did.
func traced(t *testing.T, what string) (acks int, err error) {
	t.Helper()
	strace, err := exec.LookPath("strace")
	if err != nil {
		t.Skip("there is no strace here")
	}
	if out, err := exec.Command(strace, "-o", os.DevNull, "true").CombinedOutput(); err != nil {
		t.Skipf("strace may not trace here: %v %s", err, out)
	}
	run := child(what, t.TempDir())
	file := filepath.Join(t.TempDir(), "trace")
	cmd := exec.Command(strace, append([]string{"-f", "-y", "-s", "16", "-e", "trace=fdatasync,fsync,write,pwrite64", "-o", file}, run.Args...)...)
	cmd.Env = run.Env
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	f, err := os.Open(file)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	isLog := func(path string) bool { return strings.HasSuffix(path, "log.db-wal") }
	wrote, synced := false, false
	syncing := map[string]bool{} // threads that have begun to sync the log
	for lines := bufio.NewScanner(f); lines.Scan(); {
		line := lines.Text()
		if m := traceResumed.FindStringSubmatch(line); m != nil {
			synced = synced || wrote && syncing[m[1]] && m[3] == "0"
			delete(syncing, m[1])
			continue
		}
		m := traceCall.FindStringSubmatch(line)
		if m == nil {
			continue
		}
		switch thread, call, path, text := m[1], m[2], m[3], m[4]; {
		case strings.Contains(call, "sync") && isLog(path):
			if strings.Contains(line, "<unfinished") {
				syncing[thread] = true
			} else {
				synced = synced || wrote && strings.HasSuffix(line, "= 0")
			}
		case isLog(path):
			wrote = true
		case call == "write" && strings.HasPrefix(text, "ack "):
			acks++
			if !synced {
				return acks, fmt.Errorf("acknowledgement %d: %w", acks, errTooEarly)
			}
			wrote, synced = false, false
		}
	}
	return acks, nil
}

//go:build unix

package main

import (
	"bufio"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

// A hang-up has the files read again, and the server runs on; its metrics are where
// the ready line says.
func TestHangUpAndMetrics(t *testing.T) {
	file := filepath.Join(t.TempDir(), "passphrase")
	write := func(text string) {
		t.Helper()
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write("open sesame\n")
	cmd := command(t, "--listen", "127.0.0.1:0", "--no-discovery", "--memory", "--name", "test", "--passphrase-file", file, "--metrics", "0")
	out, err1 := cmd.StdoutPipe()
	errs, err2 := cmd.StderrPipe()
	if err1 != nil || err2 != nil || cmd.Start() != nil {
		t.Fatal("it does not start", err1, err2)
	}
	ready, err := bufio.NewReader(out).ReadString('\n')
	_, url, there := strings.Cut(strings.TrimSpace(ready), " metrics=")
	if err != nil || !there {
		t.Fatalf("%q, %v", ready, err)
	}
	get := func(path, want string) {
		t.Helper()
		a, err := http.Get(url + path)
		if err != nil {
			t.Fatal(err)
		}
		defer a.Body.Close()
		if b, _ := io.ReadAll(a.Body); a.StatusCode != 200 || !strings.Contains(string(b), want) {
			t.Errorf("%s: %s %s", path, a.Status, b)
		}
	}
	get("/readyz", "ready")
	get("/metrics", "\nlanchat_people 0\n")
	said := bufio.NewReader(errs)
	hangUp := func(want string) {
		t.Helper()
		if err := cmd.Process.Signal(syscall.SIGHUP); err != nil {
			t.Fatal(err)
		}
		if line, err := said.ReadString('\n'); err != nil || !strings.Contains(line, want) {
			t.Errorf("%q, %v; want %q", line, err, want)
		}
	}
	hangUp("read again")
	write("")
	hangUp("is empty")
	write("open sesame\n")
	hangUp("were read again")
	get("/healthz", "ok")
	http.DefaultClient.CloseIdleConnections()
	if err := cmd.Process.Signal(os.Interrupt); err != nil {
		t.Fatal(err)
	}
	io.Copy(io.Discard, said)
	if err := cmd.Wait(); err != nil {
		t.Error(err)
	}
}

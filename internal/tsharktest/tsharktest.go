// Package tsharktest runs tshark with the project's dissector. It is for tests
// only.
package tsharktest

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
)

// Run gives tshark a capture and returns what it prints. Where there is no tshark
// the test is skipped.
//
// Wireshark's scripts can be switched off for root; then it runs as nobody.
func Run(t testing.TB, capture []byte, args ...string) string {
	t.Helper()
	program, err := exec.LookPath("tshark")
	if err != nil {
		t.Skip("tshark is not installed: the dissector in contrib is not tried")
	}
	out, errs, err := run(program, capture, args, false)
	if strings.Contains(errs, "aren't valid") && os.Getuid() == 0 {
		out, errs, err = run(program, capture, args, true)
	}
	if err != nil || strings.Contains(errs, "Lua") {
		t.Fatalf("tshark %q: %v\n%s", args, err, errs)
	}
	return out
}

func run(program string, capture []byte, args []string, asNobody bool) (out, errs string, err error) {
	_, here, _, _ := runtime.Caller(0)
	script := filepath.Join(filepath.Dir(here), "..", "..", "contrib", "lanchat.lua")
	// Ports that other protocols have registered do not decide.
	all := append([]string{"-X", "lua_script:" + script, "-o", "tcp.try_heuristic_first:TRUE", "-o", "udp.try_heuristic_first:TRUE", "-r", "-"}, args...)
	cmd := exec.Command(program, all...)
	home, err := os.MkdirTemp("", "tshark") // no plugins or preferences of whoever runs this
	if err != nil {
		return "", "", err
	}
	defer os.RemoveAll(home)
	if asNobody {
		asNobodyElse(cmd, home)
	}
	cmd.Dir = "/"
	cmd.Env = append(os.Environ(), "HOME="+home, "XDG_CONFIG_HOME="+home, "WIRESHARK_CONFIG_DIR="+home)
	var stdout, stderr bytes.Buffer
	cmd.Stdin, cmd.Stdout, cmd.Stderr = bytes.NewReader(capture), &stdout, &stderr
	err = cmd.Run()
	return stdout.String(), stderr.String(), err
}

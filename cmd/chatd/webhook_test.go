package main

import (
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"lanchat/cmd/internal/serve"
)

// A token that is made beside a running server posts to it, until it is removed.
func TestWebhook(t *testing.T) {
	dir := t.TempDir()
	stop := start(t, "--data", dir, "--webhook", "0")
	token := strings.TrimSpace(expect(t, exitDone, "", "for #build as ci", "webhook", "add", "#build", "--data", dir, "--as", "ci"))
	addr, ok := serve.LastWebhook(dir)
	if !ok || !addr.Addr().IsLoopback() {
		t.Fatalf("the webhook is at %v, %v", addr, ok)
	}
	url := "http://" + addr.String() + "/hook/" + token
	expect(t, exitDone, "", "curl -d 'hello from curl' http://"+addr.String()+"/hook/", "webhook", "add", "alerts", "--data", dir)
	post := func(status int, want string) {
		t.Helper()
		res, err := (&http.Client{Timeout: 20 * time.Second}).Post(url, "text/plain", strings.NewReader("tests are green"))
		if err != nil {
			t.Fatal(err)
		}
		defer res.Body.Close()
		if b, err := io.ReadAll(res.Body); err != nil || res.StatusCode != status || !strings.Contains(string(b), want) {
			t.Errorf("%s %s, %v", res.Status, b, err)
		}
	}
	post(200, `"room":"build","seq":1`)
	if out := expect(t, exitDone, "", "", "webhook", "list", "--data", dir); strings.Count(out, "\n") != 2 || !strings.Contains(out, "1  #build   ci") || strings.Contains(out, token) {
		t.Errorf("list:\n%s", out)
	}
	expect(t, exitDone, "", "removed: token 1", "webhook", "remove", token, "--data", dir)
	post(401, "auth")
	if out := expect(t, exitDone, "", "", "export", "--data", dir); !strings.Contains(out, `"from":"ci"`) || !strings.Contains(out, `"verified":false,"bot":true`) {
		t.Errorf("the log has:\n%s", out)
	}
	expect(t, exitDone, "", "removed: token 2", "webhook", "remove", "2", "--data", dir)
	expect(t, exitDone, "", "There are no tokens", "webhook", "list", "--data", dir)
	stop()
	for _, name := range []string{"webhooks.json", "webhook.addr"} {
		if info, err := os.Stat(filepath.Join(dir, name)); err != nil || info.Mode().Perm()&0o077 != 0 && os.PathSeparator == '/' {
			t.Errorf("%s: %v, %v", name, info, err)
		}
	}
}

func TestWebhookRefusesWrongInput(t *testing.T) {
	dir := t.TempDir()
	for _, tt := range []struct {
		code int
		want string
		args []string
	}{
		{exitUsage, "--webhook", []string{"--webhook", "example.org:80"}},
		{exitUsage, "0.0.0.0:80", []string{"--webhook", "*:80"}},
		{exitUsage, "neither a PORT", []string{"--webhook", "http"}},
		{exitUsage, "neither a PORT", []string{"--webhook", "127.0.0.1"}},
		{exitFailed, "cannot listen for the webhook on 192.0.2.1:80", []string{"--webhook", "192.0.2.1:80", "--data", dir, "--listen", "127.0.0.1:0", "--no-discovery"}},
		{exitUsage, "add, list and remove", []string{"webhook"}},
		{exitUsage, "arg", []string{"webhook", "add"}},
		{exitUsage, "a room's name", []string{"webhook", "add", "No Room", "--data", dir}},
		{exitUsage, "a nick", []string{"webhook", "add", "build", "--as", "a b", "--data", dir}},
		{exitUsage, "--name", []string{"webhook", "list", "--name", "a:1"}},
		{exitFailed, "7: there is no such token", []string{"webhook", "remove", "7", "--data", dir}},
		{exitFailed, "this: there is no such token", []string{"webhook", "remove", "lanchat_x", "--data", dir}},
	} {
		expect(t, tt.code, "", tt.want, tt.args...)
	}
}

// What is not said is on the loopback.
func TestWebhookAddr(t *testing.T) {
	for s, want := range map[string]string{
		"8080": "127.0.0.1:8080", ":8080": "127.0.0.1:8080", "localhost:8080": "127.0.0.1:8080", "0.0.0.0:80": "0.0.0.0:80",
		"192.168.1.5:80": "192.168.1.5:80", "[::1]:80": "[::1]:80", "[::]:80": "[::]:80", "": "", "-1": "", "+80": "", "70000": "", "host": "", "1.2.3.4": "", "*:1": "",
	} {
		if got, err := serve.WebhookAddr(s); got != want || (err == nil) != (want != "") {
			t.Errorf("%q: %q, %v", s, got, err)
		}
	}
}

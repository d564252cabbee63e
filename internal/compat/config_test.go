package compat

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"lanchat/internal/tied"
)

const configFile = `nick  = "ann"
theme = "contrast"

[keys]
palette = "Ctrl-G"

[themes.mine]
base    = "dark"
warning = "bold bright-white on red"

[notify]
default = "all"
bell    = false
`

// What the earlier chat has kept of its user is all there for today's.
func TestConfigDirectory(t *testing.T) {
	t.Parallel()
	old, today := builds(t)
	data := t.TempDir()
	ann, bob := newUser(t, old, ""), newUser(t, old, "bob")
	write(t, filepath.Join(ann.configDir(), "config.toml"), configFile)
	id := ann.id()
	ann.discovery = onLoopback(t)
	srv := old.announce(t, ann.discovery, tied.FreePort(t), data)
	witness := bob.joins(srv.addr)
	p := ann.joins(serverName)
	if !strings.Contains(p.Output(), "as ann;") || strings.Contains(p.Output(), "config.toml:") {
		t.Fatalf("the old chat does not take its config file:\n%s", p.Output())
	}
	witness.Say("hello")
	p.Await(`<bob> hello`)
	p.Say("/ignore bob", "/notify nothing", "/quit")
	p.Exit()

	// Lines that wait for a server, in a chat that is killed.
	ann.discovery = noDiscovery // from here on the server's name is known from the pins
	p = ann.joins(serverName)
	srv.Interrupt()
	p.Await(`trying again`)
	p.Say("unsent one", "unsent two")
	eventually(t, "the journal has the unsent lines", func() bool {
		files, _ := filepath.Glob(filepath.Join(ann.home, "data", "lanchat", "unsent", "*.journal"))
		for _, path := range files {
			if b, err := os.ReadFile(path); err == nil && strings.Contains(string(b), "unsent two") {
				return true
			}
		}
		return false
	})
	p.Kill()

	for _, with := range []build{old, today} { // the server; the old one first
		srv = with.serve(t, srv.addr, data)
		ann.with = today
		if got := ann.id(); got != id {
			t.Errorf("the user was %s, and is %s", id, got)
		}
		p = ann.joins(serverName)
		if !strings.Contains(p.Output(), "as ann;") || strings.Contains(p.Output(), "config.toml:") {
			t.Errorf("ann is not who she was:\n%s", p.Output())
		}
		if with == old {
			witness.Await(`<ann> unsent one\n(?:.*\n)*?.*<ann> unsent two`)
		}
		p.Say("/ignore", "/notify")
		p.Await(`You ignore: bob`)
		p.Await(`told of nothing`)
		p.Say("/quit")
		p.Exit()
		srv.Interrupt()
	}
	if n := strings.Count(witness.Output(), "<ann> unsent one"); n != 1 {
		t.Errorf("an unsent line came %d times:\n%s", n, witness.Output())
	}

	// The key of the server that ann has met is still the only one.
	ann.discovery = onLoopback(t)
	today.announce(t, ann.discovery, srv.addr, t.TempDir())
	_, errs := ann.ends(4, "", "send", "-s", serverName, "x")
	if !strings.Contains(errs, "chat id forget") {
		t.Errorf("a server with another key: %s", errs)
	}
}

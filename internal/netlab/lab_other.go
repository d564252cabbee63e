//go:build !linux

package netlab

import (
	"net/netip"
	"os/exec"
	"testing"
)

// Lab is a set of hosts and LANs; it exists on Linux only.
type Lab struct{}

// LAN is one broadcast domain.
type LAN struct{}

// Host is one host.
type Host struct{ Name string }

// Established is a match for Firewall.
const Established = ""

const unsupported = "no network lab: network namespaces exist on Linux only"

// Enter does nothing here.
func Enter() {}

// New skips the test.
func New(t testing.TB) *Lab {
	t.Helper()
	t.Skip(unsupported)
	return nil
}

// No other method is ever called: without New there is no Lab.

func (*Lab) LAN() *LAN                                  { panic(unsupported) }
func (*Lab) First() *LAN                                { panic(unsupported) }
func (*Lab) Host(string, ...string) *Host               { panic(unsupported) }
func (*Lab) Tunnel(*Host, string, *Host, string) string { panic(unsupported) }
func (*Host) Firewall(...string)                        { panic(unsupported) }
func (*Host) Refuse(string)                             { panic(unsupported) }
func (*Host) Lose(int)                                  { panic(unsupported) }
func (*Host) Unplug(string)                             { panic(unsupported) }
func (*Host) Plug(string)                               { panic(unsupported) }
func (*Host) Isolate(string)                            { panic(unsupported) }
func (*Host) Crowd(int)                                 { panic(unsupported) }
func (*Host) Join(*LAN, string) string                  { panic(unsupported) }
func (*Host) Addr() netip.Addr                          { panic(unsupported) }
func (*Host) Do(func() error) error                     { panic(unsupported) }
func (*Host) Command(string, ...string) *exec.Cmd       { panic(unsupported) }
func (*Host) IP(string) error                           { panic(unsupported) }

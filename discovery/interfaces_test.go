package discovery

import (
	"fmt"
	"net/netip"
	"slices"
	"testing"
)

func linkAt(index int, name, addr string) link {
	p := netip.MustParsePrefix(addr)
	return link{index: index, name: name, addr: p, loopback: p.Addr().IsLoopback()}
}

func TestBroadcasts(t *testing.T) {
	tests := []struct{ addr, want string }{
		{"10.77.0.1/24", "[255.255.255.255 10.77.0.255]"},
		{"10.77.0.1/8", "[255.255.255.255 10.255.255.255]"},
		{"172.16.5.9/20", "[255.255.255.255 172.16.15.255]"},
		{"192.168.1.2/30", "[255.255.255.255 192.168.1.3]"},
		{"192.168.1.2/31", "[255.255.255.255]"},
		{"192.168.1.2/32", "[255.255.255.255]"},
		{"127.0.0.1/8", "[127.255.255.255]"},
	}
	for _, tt := range tests {
		if got := fmt.Sprint(linkAt(1, "x", tt.addr).broadcasts()); got != tt.want {
			t.Errorf("%s: %s, want %s", tt.addr, got, tt.want)
		}
	}
}

func TestLinkOf(t *testing.T) {
	links := []link{
		linkAt(1, "lo", "127.0.0.1/8"),
		linkAt(2, "eth0", "10.77.0.1/24"),
		linkAt(2, "eth0", "192.168.9.1/24"),
		linkAt(3, "eth1", "10.78.0.1/24"),
	}
	tests := []struct {
		index  int
		source string
		want   string // the link's address; empty: nobody to answer
	}{
		{1, "127.0.0.1", "127.0.0.1"},
		{1, "127.9.9.9", "127.0.0.1"},
		{1, "10.77.0.1", "127.0.0.1"}, // this host, to itself
		{1, "10.77.0.2", ""},
		{2, "10.77.0.2", "10.77.0.1"},
		{2, "192.168.9.7", "192.168.9.1"},
		{2, "10.78.0.2", ""}, // forged, or a wrong cable
		{2, "127.0.0.1", ""}, // forged
		{3, "10.78.0.2", "10.78.0.1"},
		{4, "10.78.0.2", ""},
		{2, "203.0.113.5", ""},
		{0, "10.78.0.2", "10.78.0.1"}, // where the system does not tell
		{0, "203.0.113.5", ""},
	}
	for _, tt := range tests {
		l, ok := linkOf(links, tt.index, netip.MustParseAddr(tt.source))
		got := ""
		if ok {
			got = l.addr.Addr().String()
		}
		if got != tt.want {
			t.Errorf("interface %d, source %s: %q, want %q", tt.index, tt.source, got, tt.want)
		}
	}
}

func TestInterfacesOption(t *testing.T) {
	all := []link{linkAt(1, "lo", "127.0.0.1/8"), linkAt(2, "eth0", "10.77.0.1/24")}
	for want, names := range map[string][]string{
		"[lo eth0]": nil,
		"[eth0]":    {"eth0", "later0"},
		"[]":        {"later0"},
	} {
		cfg := Config{Interfaces: names, network: &fakeNetwork{all: slices.Clone(all)}}
		links, err := cfg.links()
		var got []string
		for _, l := range links {
			got = append(got, l.name)
		}
		if err != nil || fmt.Sprint(got) != want {
			t.Errorf("%v: %v, %v, want %s", names, got, err, want)
		}
	}
}

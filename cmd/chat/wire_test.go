package main

import (
	"encoding/binary"
	"encoding/json"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"lanchat/internal/tsharktest"
)

// wireLine is a line of chat wire --json.
type wireLine struct {
	Model  string
	N      int
	Sent   bool
	Bytes  int
	Type   string
	Peer   string
	Fields map[string]any
	Notes  []struct{ Kind, Text string }
	Totals *struct{ UDP, TCP map[string]float64 }
}

func (l *wireLine) has(kind string) bool {
	return slices.ContainsFunc(l.Notes, func(n struct{ Kind, Text string }) bool { return n.Kind == kind })
}

func wireLines(t *testing.T, out string) (rows []wireLine, totals map[string]map[string]float64) {
	t.Helper()
	for line := range strings.Lines(out) {
		var l wireLine
		if err := json.Unmarshal([]byte(line), &l); err != nil {
			t.Fatalf("%v: %s", err, line)
		}
		if l.Totals != nil {
			totals = map[string]map[string]float64{"udp": l.Totals.UDP, "tcp": l.Totals.TCP}
			continue
		}
		rows = append(rows, l)
	}
	return rows, totals
}

// A talk is watched: every datagram and frame is told of, the totals are theirs, and
// Wireshark names the same ones in the same order.
func TestWire(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	_, addr, _ := s.chatd("Hack Night")
	file := filepath.Join(t.TempDir(), "talk.pcap")
	p := start(t, s.command("chat", "wire", "--json", "--pcap", file))
	p.await(`"type":"joined"`)
	for _, text := range []string{"one", "two", strings.Repeat("three ", 2000)} {
		if code, _, errs := s.chat("", "send", "-s", addr, text); code != 0 {
			t.Fatal(errs)
		}
	}
	p.await(`"text":"three three`)
	p.cmd.Process.Signal(os.Interrupt)
	if code := p.exit(); code != 0 {
		t.Fatalf("it ends with %d:\n%s", code, p.output())
	}
	rows, totals := wireLines(t, p.output())
	count := map[string]float64{}
	var types []string
	for _, r := range rows {
		if r.Bytes == 0 {
			continue
		}
		way := " received"
		if r.Sent {
			way = " sent"
		}
		count[r.Model+way]++
		count[r.Type]++
		types = append(types, r.Type)
		if r.Model == "tcp" && !r.has("reads") {
			t.Errorf("it does not say how %s came: %+v", r.Type, r.Notes)
		}
		if (r.Type == "welcome" || r.Type == "joined" || r.Type == "pong" || r.Type == "answer") && !r.has("round_trip") {
			t.Errorf("%s has no round trip: %+v", r.Type, r.Notes)
		}
		if r.Type == "answer" && r.Fields["name"] != "Hack Night" {
			t.Errorf("an answer with the fields %v", r.Fields)
		}
		if r.Model == "tcp" && r.Peer != addr {
			t.Errorf("a frame with the peer %s", r.Peer)
		}
	}
	for _, want := range []string{"query", "answer", "hello", "welcome", "join", "joined", "ping", "pong"} {
		if count[want] == 0 {
			t.Errorf("no %s among %q", want, types)
		}
	}
	if count["entry"] != 3 {
		t.Errorf("%v entries", count["entry"])
	}
	for _, model := range []string{"udp", "tcp"} {
		for _, way := range []string{"sent", "received"} {
			if got, want := totals[model][way], count[model+" "+way]; got != want {
				t.Errorf("the totals of %s say %v %s, and %v rows do", model, got, way, want)
			}
		}
	}
	capture, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if info, err := os.Stat(file); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("the capture, with all that was said, has the mode %v (%v)", info.Mode(), err)
	}
	got := strings.Fields(tsharktest.Run(t, capture, "-Y", "lanchat.type", "-T", "fields", "-e", "lanchat.type"))
	if !slices.Equal(got, types) {
		t.Errorf("tshark names\n%q\nwhere there were\n%q", got, types)
	}
	info := tsharktest.Run(t, capture, "-Y", `lanchat.type == "entry"`, "-T", "fields", "-e", "_ws.col.Info")
	if !strings.Contains(info, "text=one") || !strings.Contains(info, "in=lobby") {
		t.Errorf("the Info column does not say what was said:\n%s", info)
	}
}

// For people: a line for each, marked by its model, and below it how it came.
func TestWireAsText(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	s.chatd("Hack Night")
	code, out, errs := s.chat("", "wire", "Hack Night", "--timeout", "2s")
	if code != 0 || errs != "" {
		t.Errorf("exit code %d: %s", code, errs)
	}
	for _, want := range []string{" UDP → query ", " UDP ← answer ", " TCP → hello ", " TCP ← welcome ", "\n    read 1 (", "round trip", "\nUDP: ", "\nTCP: "} {
		if !strings.Contains(out, want) {
			t.Errorf("it does not say %q:\n%s", want, out)
		}
	}
}

// A capture through a pipe is nothing but a capture.
func TestWireToStandardOutput(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	_, addr, _ := s.chatd("Hack Night")
	code, out, errs := s.chat("", "wire", addr, "--no-discovery", "--pcap", "-", "--timeout", "1s")
	if code != 0 || errs != "" || len(out) < 24 || binary.LittleEndian.Uint32([]byte(out)) != 0xa1b23c4d {
		t.Fatalf("exit code %d, %d bytes: %s", code, len(out), errs)
	}
	for b := []byte(out)[24:]; len(b) > 0; {
		n := int(binary.LittleEndian.Uint32(b[8:]))
		if len(b) < 16+n {
			t.Fatal("it ends within a packet")
		}
		if proto := b[16+9]; proto != 6 {
			t.Errorf("protocol %d, where --no-discovery was given", proto)
		}
		b = b[16+n:]
	}
}

// With no server there are still datagrams, and a server that comes is joined.
func TestWireWaitsForAServer(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	p := start(t, s.command("chat", "wire"))
	p.await("no server is found yet")
	p.await("no answer to query 1 within 2s")
	s.chatd("Hack Night")
	p.await("TCP ← joined")
	p.cmd.Process.Signal(os.Interrupt)
	if code := p.exit(); code != 0 {
		t.Errorf("it ends with %d", code)
	}
}

func TestWireWrongInput(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	_, addr, _ := s.chatd("Hack Night")
	for _, tt := range []struct {
		code int
		want string
		args []string
	}{
		{exitUsage, "both write to standard output", []string{"--json", "--pcap", "-"}},
		{exitUsage, "accepts at most 1 arg", []string{"a", "b"}},
		{exitUsage, "--timeout", []string{"--timeout", "-1s"}},
		{exitFailed, "/nowhere/talk.pcap", []string{addr, "--pcap", "/nowhere/talk.pcap"}},
		{exitFailed, "writing /dev/full: the capture ends behind 0 packets: write /dev/full: no space left", []string{addr, "--pcap", "/dev/full"}},
		{exitNotFound, "refused", []string{"127.0.0.1:1"}},
	} {
		code, _, errs := s.chat("", append([]string{"wire"}, tt.args...)...)
		if code != tt.code || !strings.Contains(errs, tt.want) {
			t.Errorf("chat wire %q: exit code %d, want %d and %q:\n%s", tt.args, code, tt.code, tt.want, errs)
		}
	}
}

// Package peers proves the wire by MessagePack libraries that share no code with
// ours: Python's and Node's. It is for tests only, and skips where they are missing.
//
// A [Peer] decodes a body and encodes it again ([Peer.Recode]), or makes messages of
// its own of a [Shape] that it is told, and says later whether what came back has the
// same fields ([Peer.Make]).
package peers

import (
	"bufio"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"reflect"
	"strconv"
	"strings"
	"testing"
)

// Peer is a program in another language.
type Peer struct {
	Name    string
	command []string
}

// Each runs a test with each peer, or skips it with the reason. root is the way to
// the repository's root.
func Each(t *testing.T, root string, test func(*testing.T, Peer)) {
	root, err := filepath.Abs(root)
	if err != nil {
		t.Fatal(err)
	}
	dir := filepath.Join(root, "internal", "peers", "testdata")
	t.Run("python", func(t *testing.T) {
		// Debian's own python has Debian's packages; another one in PATH has not.
		if out, err := exec.Command("/usr/bin/python3", "-c", "import msgpack").CombinedOutput(); err != nil {
			t.Skipf("it needs python3-msgpack: %v %s", err, out)
		}
		test(t, Peer{"python", []string{"/usr/bin/python3", filepath.Join(dir, "peer.py")}})
	})
	t.Run("node", func(t *testing.T) {
		node, err := exec.LookPath("node")
		if err != nil {
			t.Skip(err)
		}
		modules := filepath.Join(root, "examples", "node", "node_modules")
		if _, err := os.Stat(filepath.Join(modules, "@msgpack", "msgpack")); err != nil {
			t.Skip("it needs the library of the bot in Node: run npm ci in examples/node")
		}
		test(t, Peer{"node", []string{node, filepath.Join(dir, "peer.cjs"), modules}})
	})
}

// Recode has the peer decode each body and encode it again.
func (p Peer) Recode(t *testing.T, bodies [][]byte) [][]byte {
	t.Helper()
	talk := p.start(t, "recode")
	go talk.send(bodies) // the peer answers meanwhile, and both pipes are short
	return talk.receive(len(bodies))
}

// Make has the peer make n messages of the shapes, from a seed. back must return
// other bytes of the same message for each. The peer compares.
func (p Peer) Make(t *testing.T, seed uint64, n int, shapes []Shape, back func(body []byte) ([]byte, error)) {
	t.Helper()
	talk := p.start(t, "make", strconv.FormatUint(seed%1e9, 10), strconv.Itoa(n))
	if err := json.NewEncoder(talk.in).Encode(shapes); err != nil {
		t.Fatal(err)
	}
	bodies := talk.receive(n)
	for i, body := range bodies {
		again, err := back(body)
		if err != nil {
			t.Fatalf("%s made %x: %v", p.Name, body, err)
		}
		bodies[i] = again
	}
	go talk.send(bodies)
	if said, err := io.ReadAll(talk.out); err != nil || strings.TrimSpace(string(said)) != fmt.Sprintf("%d same", n) {
		t.Errorf("%s says: %s %v", p.Name, said, err)
	}
}

type talk struct {
	*testing.T
	in  io.WriteCloser
	out *bufio.Reader
}

func (p Peer) start(t *testing.T, args ...string) *talk {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), p.command[0], append(p.command[1:len(p.command):len(p.command)], args...)...)
	cmd.Stderr = os.Stderr
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { in.Close(); _ = cmd.Wait() })
	return &talk{t, in, bufio.NewReaderSize(out, 1<<20)}
}

// send writes a body a line, in hex, and ends the peer's input. What goes wrong
// shows in what the peer answers.
func (t *talk) send(bodies [][]byte) {
	var lines strings.Builder
	for _, b := range bodies {
		fmt.Fprintf(&lines, "%x\n", b)
	}
	_, _ = io.WriteString(t.in, lines.String())
	_ = t.in.Close()
}

func (t *talk) receive(n int) (bodies [][]byte) {
	t.Helper()
	for range n {
		line, err := t.out.ReadString('\n')
		if err != nil {
			t.Fatalf("the peer ended: %v %s", err, line)
		}
		b, err := hex.DecodeString(strings.TrimSpace(line))
		if err != nil {
			t.Fatal(err)
		}
		bodies = append(bodies, b)
	}
	return bodies
}

// Shape is what a peer must know to make a message, or a part of one.
type Shape struct {
	Name   string  `json:"name,omitempty"` // of the message, or of the field
	Kind   string  `json:"kind"`           // bool, int, string, binary, list, map
	Bits   int     `json:"bits,omitempty"` // of an integer's value, sign excluded
	Signed bool    `json:"signed,omitempty"`
	Fixed  int     `json:"fixed,omitempty"` // bytes of a binary; 0: up to Max
	Max    int     `json:"max,omitempty"`   // bytes, or elements
	Must   bool    `json:"must,omitempty"`  // it is always there
	Fields []Shape `json:"fields,omitempty"`
}

// ShapeOf returns the shape of a message type: a struct with msgpack tags.
func ShapeOf(name string, t reflect.Type) Shape {
	s := Shape{Name: name, Kind: "map"}
	for f := range t.Fields() {
		tag, options, _ := strings.Cut(f.Tag.Get("msgpack"), ",")
		field := shape(f.Type)
		field.Name, field.Must = tag, options != "omitempty"
		if m, err := strconv.Atoi(f.Tag.Get("max")); err == nil {
			field.Max = min(m, 40)
		}
		if each, err := strconv.Atoi(f.Tag.Get("each")); err == nil {
			field.Fields[0].Max = min(each, 40)
		}
		s.Fields = append(s.Fields, field)
	}
	return s
}

func shape(t reflect.Type) Shape {
	isByte := func(t reflect.Type) bool { return t.Kind() == reflect.Uint8 }
	switch k := t.Kind(); {
	case k == reflect.Bool:
		return Shape{Kind: "bool"}
	case k == reflect.String:
		return Shape{Kind: "string", Max: 40}
	case k == reflect.Int64:
		return Shape{Kind: "int", Bits: 63, Signed: true}
	case k >= reflect.Uint && k <= reflect.Uint64:
		return Shape{Kind: "int", Bits: t.Bits()}
	case k == reflect.Array && isByte(t.Elem()):
		return Shape{Kind: "binary", Fixed: t.Len()}
	case k == reflect.Slice && isByte(t.Elem()):
		return Shape{Kind: "binary", Max: 40}
	case k == reflect.Slice:
		return Shape{Kind: "list", Max: 8, Fields: []Shape{shape(t.Elem())}}
	case k == reflect.Struct:
		return ShapeOf("", t)
	}
	panic(fmt.Sprintf("peers: no message holds a %v", t))
}

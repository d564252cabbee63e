package discovery

import (
	"fmt"
	"math/rand/v2"
	"reflect"
	"slices"
	"testing"

	"lanchat/internal/peers"
)

// Every golden packet, and 1,000 random ones each way, have the same fields for
// MessagePack libraries that share no code with ours.
func TestPeers(t *testing.T) {
	peers.Each(t, "..", func(t *testing.T, p peers.Peer) {
		seed := rand.Uint64()
		t.Logf("seed %d", seed)
		r := rand.New(rand.NewPCG(seed, 2))
		var sent []Packet
		for _, row := range golden {
			sent = append(sent, row.packet)
		}
		empty := []func() Packet{
			func() Packet { return new(Query) }, func() Packet { return new(Answer) },
			func() Packet { return new(Beacon) }, func() Packet { return new(Goodbye) },
		}
		var bodies [][]byte
		for len(sent) < len(golden)+1000 {
			m := empty[r.IntN(len(empty))]()
			peers.Fill(r, reflect.ValueOf(m).Elem())
			if q, ok := m.(*Query); ok {
				q.Pad = nil
			}
			if m.check() == nil { // of random ones many have no name, or a bad one
				sent = append(sent, m)
			}
		}
		for _, m := range sent {
			b, err := Append(nil, m)
			if err != nil {
				t.Fatal(err)
			}
			bodies = append(bodies, b[headerSize:])
		}
		head := fmt.Appendf(nil, "%s%c", Magic, Version)
		for i, body := range p.Recode(t, bodies) {
			got, err := Parse(slices.Concat(head, body))
			if q, ok := got.(*Query); ok && i >= len(golden) {
				q.Pad = nil // Append has made it
			}
			if err != nil || !reflect.DeepEqual(got, sent[i]) {
				t.Fatalf("%s was sent\n%+v as %x and gave\n%+v as %x, %v", p.Name, sent[i], bodies[i], got, body, err)
			}
		}
		var shapes []peers.Shape
		for _, make := range empty {
			m := make()
			shape := peers.ShapeOf(m.Type(), reflect.TypeOf(m).Elem())
			shape.Fields = slices.DeleteFunc(shape.Fields, func(f peers.Shape) bool { return f.Name == "pad" })
			shapes = append(shapes, shape)
		}
		p.Make(t, seed, 1000, shapes, func(body []byte) ([]byte, error) {
			got, err := Parse(slices.Concat(head, body))
			if err != nil {
				return nil, err
			}
			b, err := encode(got) // Append would pad a query
			return b[min(len(b), headerSize):], err
		})
	})
}

package protocol

import (
	"math/rand/v2"
	"reflect"
	"slices"
	"testing"

	"lanchat/internal/peers"
)

// Every golden message, and 1,000 random ones each way, have the same fields for
// MessagePack libraries that share no code with ours.
func TestPeers(t *testing.T) {
	peers.Each(t, "..", func(t *testing.T, p peers.Peer) {
		seed := rand.Uint64()
		t.Logf("seed %d", seed)
		r := rand.New(rand.NewPCG(seed, 1))
		sent := slices.Clone(golden)
		var names []string
		for name := range messages {
			names = append(names, name)
		}
		slices.Sort(names)
		var shapes []peers.Shape
		for i := range 1000 {
			m := messages[names[i%len(names)]]()
			peers.Fill(r, reflect.ValueOf(m).Elem())
			sent = append(sent, m)
		}
		for _, name := range names {
			shapes = append(shapes, peers.ShapeOf(name, reflect.TypeOf(messages[name]()).Elem()))
		}
		var bodies [][]byte
		for _, m := range sent {
			frame, err := AppendFrame(nil, m)
			if err != nil {
				t.Fatal(err)
			}
			bodies = append(bodies, frame[frameHeader:])
		}
		for i, body := range p.Recode(t, bodies) {
			if m, err := Decode(body); err != nil || !reflect.DeepEqual(m, sent[i]) {
				t.Fatalf("%s was sent\n%+v as %x and gave\n%+v as %x, %v", p.Name, sent[i], bodies[i], m, body, err)
			}
		}
		p.Make(t, seed, 1000, shapes, func(body []byte) ([]byte, error) {
			m, err := Decode(body)
			if err != nil {
				return nil, err
			}
			frame, err := AppendFrame(nil, m)
			return frame[min(len(frame), frameHeader):], err
		})
	})
}

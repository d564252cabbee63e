package torture

import (
	"context"
	"net"
	"slices"
	"sync"
	"testing"
	"time"

	"lanchat/internal/client"
	"lanchat/protocol"
)

// fakeServer is the other end of an engine's connection. As nothing is buffered
// between the two, the engine stands still where it is not read.
type fakeServer struct {
	testing.TB
	*protocol.Conn
	engine *client.Client

	mu   sync.Mutex
	told []uint64 // the numbers of the entries that a user interface gets
}

func newFakeServer(t *testing.T, room string) *fakeServer {
	t.Helper()
	ours, theirs := net.Pipe()
	f := &fakeServer{TB: t, engine: client.New(client.Config{Nick: "ann", Rooms: []string{room}, Dial: func(context.Context) (*client.Dialed, error) {
		return &client.Dialed{Conn: theirs}, nil
	}})}
	ctx, stop := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- f.engine.Run(ctx) }()
	drained := make(chan struct{})
	go func() {
		defer close(drained)
		for ev := range f.engine.Events() {
			r, _ := ev.(client.Received)
			if e, ok := r.Message.(*protocol.Entry); ok {
				f.mu.Lock()
				f.told = append(f.told, e.Seq)
				f.mu.Unlock()
			}
		}
	}()
	t.Cleanup(func() {
		stop()
		ours.Close()
		<-drained
		<-ended
	})
	var err error
	if f.Conn, err = protocol.Accept(ours, func(h *protocol.Hello, _ *protocol.Exchange) (*protocol.Welcome, error) {
		return &protocol.Welcome{Version: protocol.Version, Nick: h.Nick}, nil
	}); err != nil {
		t.Fatal(err)
	}
	return f
}

// next returns the engine's next message, pings left out.
func (f *fakeServer) next() protocol.Message {
	f.Helper()
	for {
		m, err := f.Read()
		if err != nil {
			f.Fatal(err)
		}
		if _, isPing := m.(*protocol.Ping); !isPing {
			return m
		}
	}
}

func (f *fakeServer) say(ms ...protocol.Message) {
	f.Helper()
	if err := f.Write(ms...); err != nil {
		f.Fatal(err)
	}
}

// A room that is left while its join is under way stays left: the answer to the
// join does not bring it back.
func TestLeaveWhileJoining(t *testing.T) {
	f := newFakeServer(t, "lobby")
	join := f.next().(*protocol.Join)
	if !await(t.Context(), 10*time.Second, func() bool { return f.engine.Leave("lobby") == nil }) {
		t.Fatal("it cannot leave")
	}
	leave := f.next().(*protocol.Leave)
	f.say(&protocol.Joined{Ref: join.Ref, Room: "lobby", Head: 7}, &protocol.Left{Ref: leave.Ref, Room: "lobby"}, &protocol.Ping{N: 1})
	if m := f.next(); protocol.Name(m) != "pong" { // it has heard both
		t.Fatalf("it says %s %+v instead of pong", protocol.Name(m), m)
	}
	if err := f.engine.Join("kitchen"); err != nil {
		t.Fatal(err)
	}
	if m, ok := f.next().(*protocol.Join); !ok || m.Room != "kitchen" {
		t.Errorf("it asks for %+v", m)
	}
}

// A room that is left and joined again before either was sent is left first, and
// what comes of the stay before does not count for the new one.
func TestLeaveAndJoinAtOnce(t *testing.T) {
	f := newFakeServer(t, "lobby")
	join := f.next().(*protocol.Join)
	f.say(&protocol.Joined{Ref: join.Ref, Room: "lobby", Head: 5})
	f.say(&protocol.Entry{Room: "lobby", Seq: 5, ID: protocol.NewID(), Nick: "bob", Text: "x"})
	if !await(t.Context(), 10*time.Second, func() bool {
		f.mu.Lock()
		defer f.mu.Unlock()
		return len(f.told) == 1
	}) {
		t.Fatal("it does not tell the first entry")
	}
	// The engine is about to ping, and is not read: both stay where they are.
	if err := f.engine.Leave("lobby"); err != nil {
		t.Fatal(err)
	}
	if err := f.engine.Join("lobby"); err != nil {
		t.Fatal(err)
	}
	first := f.next()
	leave, ok := first.(*protocol.Leave)
	if !ok {
		t.Fatalf("it does not leave first, but says %s %+v", protocol.Name(first), first)
	}
	again := f.next().(*protocol.Join)
	if again.After != 0 {
		t.Errorf("it joins behind %d", again.After)
	}
	f.say(&protocol.Entry{Room: "lobby", Seq: 6, ID: protocol.NewID(), Nick: "bob", Text: "of the stay before"},
		&protocol.Left{Ref: leave.Ref, Room: "lobby"}, &protocol.Joined{Ref: again.Ref, Room: "lobby", Head: 6},
		&protocol.Entry{Room: "lobby", Seq: 1, ID: protocol.NewID(), Nick: "bob", Text: "x"})
	var told []uint64
	await(t.Context(), 10*time.Second, func() bool {
		f.mu.Lock()
		defer f.mu.Unlock()
		told = slices.Clone(f.told)
		return len(told) > 0 && told[len(told)-1] == 1
	})
	if !slices.Equal(told, []uint64{5, 1}) {
		t.Errorf("it tells the entries %d, want 5, and 1 again", told)
	}
}

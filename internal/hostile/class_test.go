package hostile

import (
	"bufio"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"maps"
	"net"
	"strings"
	"sync"
	"testing"
	"time"

	"lanchat/internal/client"
	"lanchat/internal/identity"
	"lanchat/protocol"
)

const (
	classSize  = 60
	classComes = 2 * time.Second  // all come within this
	classIn    = 10 * time.Second // and each is in within this
)

// classAddr is where a class comes from: an address that is not the host's own.
var classAddr = &net.TCPAddr{IP: net.IPv4(127, 66, 20, 1)}

// A class behind one address comes at once: everybody is in soon, has the nick that they
// ask for, and posts.
func TestClass(t *testing.T) {
	if supported != "" {
		t.Skip(supported)
	}
	for _, tt := range []struct {
		name string
		come func(i int) func(*pupil) error
	}{
		{"chat", func(int) func(*pupil) error { return (*pupil).comeByChat }},
		{"plain lines", func(int) func(*pupil) error { return (*pupil).comeByLines }},
		{"both", func(i int) func(*pupil) error {
			if i%2 == 0 {
				return (*pupil).comeByChat
			}
			return (*pupil).comeByLines
		}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			s := startServer(t)
			teacher := observe(t, s.addr)
			pupils := make([]*pupil, classSize)
			dir := t.TempDir()
			for i := range pupils {
				id, err := identity.LoadOrCreate(fmt.Sprint(dir, "/", i), "pupil")
				if err != nil {
					t.Fatal(err)
				}
				pupils[i] = &pupil{addr: s.addr, nick: fmt.Sprintf("pupil-%02d", i), key: id.ClientTLS(nil), i: i}
			}
			ctx, stop := context.WithCancel(t.Context())
			var talking sync.WaitGroup
			defer talking.Wait()
			defer stop()
			for i, p := range pupils {
				p.ctx = ctx
				talking.Go(func() {
					pause(ctx, time.Duration(i)*classComes/classSize)
					p.began = time.Now()
					p.err = tt.come(i)(p)
				})
			}
			seen := teacher.posts(classSize, classComes+2*classIn)
			stop()
			talking.Wait()
			in := spread{}
			for _, p := range pupils {
				at, posted := seen[p.nick]
				switch {
				case !posted:
					t.Errorf("%s has not posted: %v", p.nick, p.err)
				case at.Sub(p.began) > classIn:
					t.Errorf("%s was in after %v", p.nick, at.Sub(p.began))
				}
				if p.busy > 1 {
					t.Errorf("%s was told busy %d times", p.nick, p.busy)
				}
				in = append(in, at.Sub(p.began))
			}
			t.Logf("%d of %d have posted under their nick; from the start until that is seen: %v", len(seen), classSize, sorted(in))
		})
	}
}

// pupil is one of a class.
type pupil struct {
	ctx  context.Context
	addr string
	nick string
	key  *tls.Config
	i    int

	began time.Time
	busy  int
	err   error
}

func (p *pupil) hello() string { return "hello from " + p.nick }

// connect connects from the address that the class shares.
func (p *pupil) connect(ctx context.Context) (net.Conn, error) {
	return (&net.Dialer{LocalAddr: classAddr, Timeout: 5 * time.Second}).DialContext(ctx, "tcp", p.addr)
}

// comeByChat comes with a key that the server has never met, by what chat runs on.
func (p *pupil) comeByChat() error {
	c := client.New(client.Config{Nick: p.nick, Rooms: []string{lobby}, Dial: func(ctx context.Context) (*client.Dialed, error) {
		nc, err := p.connect(ctx)
		if err != nil {
			return nil, err
		}
		conn := tls.Client(nc, p.key)
		if err := conn.HandshakeContext(ctx); err != nil {
			nc.Close()
			return nil, protocol.Greeted(err)
		}
		return &client.Dialed{Conn: conn, Addr: p.addr, Encrypted: true}, nil
	}})
	ended := make(chan error, 1)
	go func() { ended <- c.Run(p.ctx) }()
	var wrong error
	for ev := range c.Events() {
		switch ev := ev.(type) {
		case client.WentDown:
			if errors.Is(ev.Err, protocol.ErrBusy) {
				p.busy++
			}
			wrong = ev.Err
		case client.Received:
			switch m := ev.Message.(type) {
			case *protocol.Joined:
				if m.Ref != 0 {
					if _, err := c.Post(protocol.Post{Room: lobby, Text: p.hello()}); err != nil {
						wrong = err
					}
				}
			case *protocol.Error:
				wrong = m
			}
		}
	}
	return errors.Join(wrong, <-ended)
}

// comeByLines comes as with nc: one of two waits for the greeting.
func (p *pupil) comeByLines() error {
	var wrong error
	for p.ctx.Err() == nil {
		nc, err := p.connect(p.ctx)
		if err != nil {
			return err
		}
		unhook := context.AfterFunc(p.ctx, func() { nc.Close() })
		lines := bufio.NewScanner(nc)
		say := func(line string) { _, _ = io.WriteString(nc, line+"\n") } // what is wrong is read
		if p.i%4 < 2 {
			say("/nick " + p.nick)
		}
		told := false
		for lines.Scan() {
			line := lines.Text()
			switch {
			case strings.HasPrefix(line, protocol.Busy+" "):
				p.busy++
				told = true
			case strings.HasPrefix(line, protocol.Greeting) && p.i%4 >= 2:
				say("/nick " + p.nick)
			case line == "-- you are now "+p.nick:
				say(p.hello())
			case strings.HasPrefix(line, "! "):
				wrong = errors.New(line)
			}
		}
		unhook()
		nc.Close()
		if !told {
			return wrong
		}
		pause(p.ctx, 5*time.Second)
	}
	return wrong
}

// observer is somebody in the lobby who notes when each has said hello.
type observer struct {
	mu    sync.Mutex
	seen  map[string]time.Time // by nick
	grown chan struct{}
}

func observe(t *testing.T, addr string) *observer {
	t.Helper()
	id, err := identity.LoadOrCreate(t.TempDir(), "teacher")
	if err != nil {
		t.Fatal(err)
	}
	conn, _, err := dial(t.Context(), net.IPv4(127, 1, 9, 9), addr, id.ClientTLS(nil), "teacher")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	if err := conn.Write(&protocol.Join{Ref: 1, Room: lobby}); err != nil {
		t.Fatal(err)
	}
	o := &observer{seen: map[string]time.Time{}, grown: make(chan struct{}, 1)}
	go func() {
		for {
			m, err := conn.Read()
			if err != nil {
				return
			}
			if e, ok := m.(*protocol.Entry); ok && e.Text == "hello from "+e.Nick {
				o.mu.Lock()
				o.seen[e.Nick] = time.Now()
				o.mu.Unlock()
				select {
				case o.grown <- struct{}{}:
				default:
				}
			}
		}
	}()
	return o
}

// posts waits until so many have said hello, and returns when each was seen.
func (o *observer) posts(n int, most time.Duration) map[string]time.Time {
	limit := time.After(most)
	for {
		o.mu.Lock()
		seen := len(o.seen)
		o.mu.Unlock()
		if seen >= n {
			break
		}
		select {
		case <-o.grown:
			continue
		case <-limit:
		}
		break
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	return maps.Clone(o.seen)
}

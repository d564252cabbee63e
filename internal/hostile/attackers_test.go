package hostile

import (
	"bufio"
	"context"
	"crypto/tls"
	"encoding/json"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"os"
	"os/exec"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"lanchat/internal/identity"
	"lanchat/internal/tied"
	"lanchat/protocol"
)

// tally is what attackers of one kind have done.
type tally struct {
	Attackers   int
	Connections atomic.Int64
	Refused     atomic.Int64 // did not come about
	Frames      atomic.Int64 // or lines
	Sent        atomic.Int64 // bytes
	Got         atomic.Int64 // bytes
	Cut         atomic.Int64 // ended by the server
	Granted     atomic.Int64 // requests, of lasting attacks

	mu     sync.Mutex
	Stolen []string // names that were granted and should not have been
	Failed []string // what the attackers could not do
}

// counts is a tally as it is told.
type counts struct {
	Attackers                                             int
	Connections, Refused, Frames, Sent, Got, Cut, Granted int64
	Stolen, Failed                                        []string
}

func (t *tally) counts() counts {
	t.mu.Lock()
	defer t.mu.Unlock()
	return counts{t.Attackers, t.Connections.Load(), t.Refused.Load(), t.Frames.Load(), t.Sent.Load(), t.Got.Load(), t.Cut.Load(), t.Granted.Load(), t.Stolen, t.Failed}
}

func (c counts) String() string {
	text := fmt.Sprintf("%d attackers, %d connections (%d did not come about, %d ended by the server), %d frames or lines, %d KiB sent, %d KiB got",
		c.Attackers, c.Connections, c.Refused, c.Cut, c.Frames, c.Sent>>10, c.Got>>10)
	if c.Granted > 0 {
		text += fmt.Sprintf(", %d requests granted", c.Granted)
	}
	return text
}

// kind is one way to attack.
type kind struct {
	name string
	n    int
	from func(i int) net.IP // the address of the i-th
	run  func(ctx context.Context, a *attacker)
}

func shared(net3, of int) func(int) net.IP {
	return func(i int) net.IP { return net.IPv4(127, 66, byte(net3), byte(i%of+1)) }
}

// momentary are the attacks on what a server does at the moment, and lasting those on what
// it keeps: each leaves as much behind as it may.
var momentary = []kind{
	{"stall", 50, shared(1, 5), stall},
	{"dribble", 50, shared(2, 5), dribble},
	{"flood", 20, shared(3, 20), flood},
	{"bomb", 20, shared(4, 20), bomb},
	{"vanish", 4, shared(5, 4), vanish},
	{"thief", 1, shared(6, 1), steal},
}

var lasting = []kind{
	{"rules", 12, shared(11, 3), strangers(fillRules)},
	{"directs", 3, shared(12, 3), strangers(openDirects)},
	{"squat", 3, shared(13, 3), strangers(squatRooms)},
	{"grab", 3, shared(14, 3), strangers(grabNicks)},
	{"bytes", 3, shared(15, 3), strangers(floodBytes)},
	{"invite", 12, shared(16, 3), strangers(makeInvitations)},
}

// chosen are those that -only lets be.
func chosen(kinds []kind) []kind {
	return slices.DeleteFunc(slices.Clone(kinds), func(k kind) bool {
		return flags.only != "" && !slices.Contains(strings.Split(flags.only, ","), k.name)
	})
}

// attacker is one goroutine of the attack.
type attacker struct {
	*tally
	i      int
	addr   string
	victim string // whose nick is to be stolen
	from   net.IP
	key    *tls.Config
	rng    *rand.Rand
}

// attack is all attackers, until standard input ends; then it tells what they did.
func attack(addr, victim string) error {
	if err := stepBack(); err != nil {
		return err
	}
	dir, err := os.MkdirTemp("", "lanchat-hostile-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	ctx, stop := context.WithCancel(context.Background())
	defer stop()
	var running sync.WaitGroup
	tallies := map[string]*tally{}
	for k, kind := range chosen(slices.Concat(momentary, lasting)) {
		t := &tally{Attackers: kind.n}
		tallies[kind.name] = t
		for i := range kind.n {
			id, err := identity.LoadOrCreate(fmt.Sprintf("%s/%d-%d", dir, k, i), "eve")
			if err != nil {
				return err
			}
			a := &attacker{tally: t, i: i, addr: addr, victim: victim, from: kind.from(i), key: id.ClientTLS(nil), rng: rand.New(rand.NewPCG(uint64(k), uint64(i)))}
			running.Go(func() { kind.run(ctx, a) })
		}
	}
	fmt.Println("the attack has begun")
	_, _ = io.Copy(io.Discard, os.Stdin)
	stop()
	running.Wait()
	told := map[string]counts{}
	for name, t := range tallies {
		told[name] = t.counts()
	}
	return json.NewEncoder(os.Stdout).Encode(told)
}

// connect connects from the attacker's address. The connection ends with ctx.
func (a *attacker) connect(ctx context.Context) (*wire, error) {
	a.Connections.Add(1)
	nc, err := (&net.Dialer{LocalAddr: &net.TCPAddr{IP: a.from}, Timeout: 5 * time.Second}).DialContext(ctx, "tcp", a.addr)
	if err != nil {
		if ctx.Err() == nil {
			a.Refused.Add(1)
		}
		pause(ctx, 10*time.Millisecond)
		return nil, err
	}
	w := &wire{TCPConn: nc.(*net.TCPConn), tally: a.tally}
	w.unhook = context.AfterFunc(ctx, func() { nc.Close() })
	return w, nil
}

// wire is a connection whose bytes are counted.
type wire struct {
	*net.TCPConn
	*tally
	unhook func() bool
}

func (w *wire) Read(b []byte) (int, error) {
	n, err := w.TCPConn.Read(b)
	w.Got.Add(int64(n))
	return n, err
}

func (w *wire) Write(b []byte) (int, error) {
	n, err := w.TCPConn.Write(b)
	w.Sent.Add(int64(n))
	return n, err
}

func (w *wire) Close() error {
	w.unhook()
	return w.TCPConn.Close()
}

// reset ends the connection with RST.
func (w *wire) reset() {
	_ = w.SetLinger(0)
	w.Close()
}

// hello connects over TLS and with a key, and says hello.
func (a *attacker) hello(ctx context.Context, nick string) (*protocol.Conn, *protocol.Welcome, error) {
	w, err := a.connect(ctx)
	if err != nil {
		return nil, nil, err
	}
	return protocol.Handshake(ctx, tls.Client(w, a.key), &protocol.Hello{Nick: nick})
}

// pause waits, and is false when ctx has ended.
func pause(ctx context.Context, d time.Duration) bool {
	select {
	case <-time.After(d):
		return true
	case <-ctx.Done():
		return false
	}
}

// army is the attackers' process.
type army struct {
	cmd *exec.Cmd
	in  io.WriteCloser
	out *bufio.Reader
	err logged
}

// raise starts the attackers, and returns when they have begun.
func raise(t *testing.T, kinds []kind, addr, victim string) *army {
	t.Helper()
	var names []string
	for _, k := range kinds {
		names = append(names, k.name)
	}
	a := &army{}
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	a.cmd = exec.Command(self, "-attack", addr, "-victim", victim, "-only", strings.Join(names, ","))
	a.cmd.Stderr = &a.err
	apart(a.cmd)
	if a.in, err = a.cmd.StdinPipe(); err != nil {
		t.Fatal(err)
	}
	out, err := a.cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	a.out = bufio.NewReader(out)
	if err := tied.Start(a.cmd); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = a.cmd.Process.Kill() }) // it has ended, as a rule
	if _, err := a.out.ReadString('\n'); err != nil {
		t.Fatalf("the attackers do not begin: %v\n%s", err, a.err.first())
	}
	return a
}

// dismiss ends the attack and returns what was done.
func (a *army) dismiss(t *testing.T) (told map[string]counts) {
	t.Helper()
	a.in.Close()
	if err := json.NewDecoder(a.out).Decode(&told); err != nil {
		t.Fatalf("the attackers do not tell what they did: %v\n%s", err, a.err.first())
	}
	if err := a.cmd.Wait(); err != nil {
		t.Errorf("the attackers: %v\n%s", err, a.err.first())
	}
	return told
}

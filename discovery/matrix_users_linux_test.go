package discovery

import (
	"bufio"
	"errors"
	"io"
	"net/netip"
	"os"
	"os/exec"
	"slices"
	"strings"
	"syscall"
	"testing"

	"lanchat/internal/netlab"
)

// process is a child that runs.
type process struct {
	cmd *exec.Cmd
	in  io.Closer
	out *bufio.Reader
}

// childOn starts a child on a host as the user with an id, or skips the test
// where that is not possible. A server is ready when it returns.
func childOn(t *testing.T, h *netlab.Host, uid uint32, args ...string) *process {
	t.Helper()
	cmd := exec.Command("/proc/self/exe")
	cmd.Env = []string{childEnv + "=" + strings.Join(args, " ")}
	cmd.Dir = "/"
	cmd.Stderr = os.Stderr
	if uid != 0 {
		cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: uid, Gid: uid}}
	}
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	// The child inherits the network of the thread that starts it.
	err = h.Do(cmd.Start)
	if uid != 0 && (errors.Is(err, syscall.EPERM) || errors.Is(err, syscall.EINVAL)) {
		t.Skipf("no processes of other users: %v", err)
	}
	if err != nil {
		t.Fatal(err)
	}
	p := &process{cmd: cmd, in: in, out: bufio.NewReader(out)}
	t.Cleanup(p.kill)
	if args[0] == "announce" {
		if line, err := p.line(); line != "ready" {
			t.Fatalf("%v: %q, %v", args, line, err)
		}
	}
	return p
}

// line is the next one that the child printed.
func (p *process) line() (string, error) {
	s, err := p.out.ReadString('\n')
	return strings.TrimSuffix(s, "\n"), err
}

// kill ends the child without a chance to say goodbye.
func (p *process) kill() {
	_ = p.cmd.Process.Kill()
	_ = p.in.Close()
	_ = p.cmd.Wait()
}

// Two servers and two clients on one host, each of another user, share the port:
// everybody finds everybody, and so does a neighbour.
func TestMatrixUsers(t *testing.T) {
	t.Parallel()
	lab := netlab.New(t)
	host, neighbour := lab.Host("host", serverAddr+"/24"), lab.Host("neighbour", "10.77.0.2/24")
	childOn(t, host, 2001, "announce", "first", "1", "25252")
	childOn(t, host, 2002, "announce", "second", "2", "40002")
	b := browse(t, host, Config{}) // it has the port open too
	clients := []*process{
		childOn(t, host, 2003, "list"),
		childOn(t, host, 2004, "list"),
		childOn(t, neighbour, 2003, "list"),
	}
	for n, c := range clients {
		if line, err := c.line(); line != "first second" {
			t.Errorf("client %d: %q, %v", n, line, err)
		}
	}
	for name, port := range map[string]uint16{"first": 25252, "second": 40002} {
		for from, addr := range map[*netlab.Host]string{host: "127.0.0.1", neighbour: serverAddr} {
			want := netip.AddrPortFrom(netip.MustParseAddr(addr), port)
			found(t, from, name+" from "+from.Name, name, func(s Server) bool { return s.Addr == want })
		}
	}
	if got := names(b.Servers()); !slices.Equal(got, []string{"first", "second"}) {
		t.Errorf("a browser on the host lists %v", got)
	}
}

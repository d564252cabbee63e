package main

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"lanchat/internal/netlab"
)

// pagePath is the page for students, which promises that its commands print what
// stands below them.
const pagePath = "../../docs/sockets.md"

// pageTools are what the page's commands take, and the Debian packages of them.
var pageTools = map[string]string{
	"nc": "netcat-openbsd", "tcpdump": "tcpdump", "ss": "iproute2", "ip": "iproute2", "strace": "strace",
	"nft": "nftables", "xxd": "xxd", "unshare": "util-linux", "bash": "bash",
}

// TestSocketsPageLab types the whole page into one shell, on a host of the lab that
// has nothing but its loopback, and compares what is printed.
func TestSocketsPageLab(t *testing.T) {
	t.Parallel()
	page, err := os.ReadFile(pagePath)
	if err != nil {
		t.Fatal(err)
	}
	steps, err := readPage(string(page))
	if err != nil {
		t.Fatal(err)
	}
	if len(steps) < 40 {
		t.Errorf("only %d commands were found", len(steps))
	}
	for tool, pkg := range pageTools {
		if _, err := exec.LookPath(tool); err != nil {
			t.Skipf("the page uses %s (Debian's %s): %v", tool, pkg, err)
		}
	}
	if b, _ := os.ReadFile("/proc/self/setgroups"); strings.TrimSpace(string(b)) == "deny" {
		t.Skip("it takes root: tcpdump changes its user, which a user namespace forbids")
	}
	if _, err := os.Stat("/proc/net/if_inet6"); err != nil {
		t.Skip("the page's host has IPv6: ", err)
	}
	host := netlab.New(t).Host("desk")
	for _, probe := range [][]string{{"strace", "-qq", "-e", "trace=none", "true"}, {"nft", "add table inet probe"}} {
		if out, err := host.Command(probe[0], probe[1:]...).CombinedOutput(); err != nil {
			t.Skipf("%q is not permitted: %v: %s", probe, err, out)
		}
	}
	desk := openDesk(t, host)
	for _, s := range steps {
		began := time.Now()
		got, err := desk.run(s)
		if err != nil {
			t.Errorf("docs/sockets.md:%d: $ %s\n%v\nit should print:\n%s\nit printed:\n%s", s.line, s.command, err, indent(s.want), indent(got))
		}
		if errors.Is(err, errStuck) {
			break
		}
		if took := time.Since(began); took > time.Second {
			t.Logf("%v for line %d: %s", took.Round(10*time.Millisecond), s.line, s.command)
		}
	}
}

// What the comparison must not let pass: it is the check of all the others.
func TestSocketsPageIsCompared(t *testing.T) {
	for _, tt := range []struct {
		want, got string
		ok        bool
	}{
		{"", "", true},
		{"", "something", false},
		{"a\nb", "a\nb\n", true},
		{"a\nb", "a\n", false},
		{"a", "a\nb", false},
		{"port …, key …", "port 25252, key abc", true},
		{"port …", "no port 1", false},
		{"…", "", true},
		{"…\nend", "1\n2\nend", true},
		{"…\nend", "1\nend\n2", false},
		{"a…b", "a\nb", false},
		{"State   Recv-Q", "State Recv-Q  ", true},
		{"x [1]", "x 1", false},
	} {
		if ok := matches(strings.Split(tt.want, "\n"), tt.got); ok != tt.ok {
			t.Errorf("%q matches %q: %v", tt.want, tt.got, ok)
		}
	}
	steps, err := readPage("text\n```console\n$ one\nout\n\n$ two\n```\n```text\nno command\n```\n")
	if err != nil || len(steps) != 2 || steps[0].command != "one" || steps[0].line != 3 || !matches(steps[0].want, "out") || !matches(steps[1].want, "") {
		t.Errorf("read %+v, %v", steps, err)
	}
	for _, wrong := range []string{"```console\nout\n```\n", "```console\n$ one\n", "```sh\none\n```\n", "```\n$ one\n```\n", "```console\n$ \n```\n", "```text\n$ one\n```\n", "    $ one\n"} {
		if steps, err := readPage(wrong); err == nil {
			t.Errorf("%q gives %+v and no error", wrong, steps)
		}
	}
}

// step is one command of the page and what it prints.
type step struct {
	line    int
	command string
	want    []string
}

// readPage finds the commands. Every block must say what it is: "console" for
// commands with their output, "text" for what is none. So no command stands
// anywhere without being run.
func readPage(page string) (steps []step, err error) {
	block := ""
	for i, line := range strings.Split(page, "\n") {
		command, isCommand := strings.CutPrefix(line, "$ ")
		switch info, fence := strings.CutPrefix(line, "```"); {
		case fence && block != "":
			block = ""
			if info != "" {
				return nil, fmt.Errorf("line %d: a block begins in a block", i+1)
			}
		case fence && (info == "console" || info == "text"):
			block = info
		case fence:
			return nil, fmt.Errorf("line %d: a block is console or text, not %q", i+1, info)
		case isCommand && block != "console", block == "" && strings.HasPrefix(strings.TrimSpace(line), "$ "):
			return nil, fmt.Errorf("line %d: a command that nobody runs", i+1)
		case isCommand && strings.TrimSpace(command) == "":
			return nil, fmt.Errorf("line %d: a prompt without a command", i+1)
		case isCommand:
			steps = append(steps, step{line: i + 1, command: command})
		case block != "console":
		case len(steps) == 0:
			return nil, fmt.Errorf("line %d: output without a command", i+1)
		default:
			s := &steps[len(steps)-1]
			s.want = append(s.want, line)
		}
	}
	if block != "" {
		return nil, fmt.Errorf("the last block has no end")
	}
	return steps, nil
}

var spaces = regexp.MustCompile(`[ \t]+`)

// matches compares by the page's rules: … is anything within a line, alone on a line
// any number of lines; white space within a line counts as one space; empty lines at
// the end do not count.
func matches(want []string, got string) bool {
	var re strings.Builder
	re.WriteString("^")
	for line := range strings.SplitSeq(strings.TrimRight(strings.Join(want, "\n"), "\n"), "\n") {
		line = strings.TrimSpace(spaces.ReplaceAllString(line, " "))
		if line == "…" {
			re.WriteString("(?:.*\n)*")
			continue
		}
		re.WriteString(strings.ReplaceAll(regexp.QuoteMeta(line), "…", ".*") + "\n")
	}
	re.WriteString("$")
	var have strings.Builder
	for line := range strings.SplitSeq(strings.TrimRight(got, "\n \t"), "\n") {
		have.WriteString(strings.TrimSpace(spaces.ReplaceAllString(line, " ")) + "\n")
	}
	return regexp.MustCompile(re.String()).MatchString(have.String())
}

func indent(text any) string {
	s, isText := text.(string)
	if !isText {
		s = strings.Join(text.([]string), "\n")
	}
	return "    " + strings.ReplaceAll(strings.TrimRight(s, "\n"), "\n", "\n    ")
}

// desk is the shell in which the page is typed.
type desk struct {
	in io.Writer
	n  int

	mu    sync.Mutex
	out   bytes.Buffer
	grown chan struct{}
	ended chan struct{}
}

func openDesk(t *testing.T, host *netlab.Host) *desk {
	root, err := filepath.Abs("../..")
	if err != nil {
		t.Fatal(err)
	}
	env, err := exec.Command("go", "env", "GOCACHE", "GOMODCACHE", "GOPATH").Output()
	if err != nil {
		t.Fatal(err)
	}
	caches := strings.Split(string(env), "\n")
	cmd := host.Command("bash", "--norc")
	cmd.Dir = root
	cmd.Env = append(home(t), "LC_ALL=C.UTF-8", "TERM=dumb", "BASH_ENV=",
		"GOCACHE="+caches[0], "GOMODCACHE="+caches[1], "GOPATH="+caches[2], "GOFLAGS=-mod=readonly")
	for _, name := range []string{"XDG_CONFIG_HOME", "XDG_DATA_HOME"} { // as a user has it: below HOME
		cmd.Env = append(cmd.Env, name+"=")
	}
	// What the page starts and does not end must end with the test.
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL}
	d := &desk{grown: make(chan struct{}, 1), ended: make(chan struct{})}
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	d.in, cmd.Stdout, cmd.Stderr = in, w, w
	// It would end with the thread that has started it, such as one of the lab's.
	started := make(chan error)
	go func() {
		runtime.LockOSThread()
		defer runtime.UnlockOSThread()
		err := cmd.Start()
		if started <- err; err == nil {
			<-d.ended
		}
	}()
	if err := <-started; err != nil {
		t.Fatal(err)
	}
	w.Close()
	go func() {
		defer close(d.ended)
		b := make([]byte, 4096)
		for {
			n, err := r.Read(b)
			d.mu.Lock()
			d.out.Write(b[:n])
			d.mu.Unlock()
			select {
			case d.grown <- struct{}{}:
			default:
			}
			if err != nil {
				return
			}
		}
	}()
	t.Cleanup(func() {
		in.Close()
		syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL)
		cmd.Wait()
		r.Close()
		<-d.ended
	})
	return d
}

// errStuck says that nothing more can be typed.
var errStuck = errors.New("it does not end")

// run types one command, and waits until it has ended and printed what it should:
// what runs in the background may print a little later.
func (d *desk) run(s step) (got string, err error) {
	d.n++
	end := regexp.MustCompile(fmt.Sprintf("\x01%d ended ([0-9]+)\x01", d.n))
	typed := "{\n" + s.command + "\n} </dev/null\n"
	if strings.HasSuffix(s.command, " bash") { // a shell, which reads the rest of the page
		typed = s.command + "\n"
	}
	if _, err := fmt.Fprintf(d.in, "%sprintf '\\001%d ended %%d\\001' $?\n", typed, d.n); err != nil {
		return "", err
	}
	defer func() {
		d.mu.Lock()
		d.out.Reset()
		d.mu.Unlock()
	}()
	limit, late := time.After(3*patience), (<-chan time.Time)(nil)
	for {
		d.mu.Lock()
		got = d.out.String()
		d.mu.Unlock()
		if m := end.FindStringSubmatch(got); m != nil {
			got = end.ReplaceAllString(got, "")
			if m[1] != "0" {
				return got, fmt.Errorf("it ended with exit code %s", m[1])
			}
			if half := got != "" && !strings.HasSuffix(got, "\n"); !half && matches(s.want, got) {
				return got, nil
			}
			if late == nil {
				late = time.After(5 * time.Second)
			}
		}
		select {
		case <-d.grown:
		case <-late:
			if matches(s.want, got) { // what ends within a line
				return got, nil
			}
			return got, errors.New("it prints something else")
		case <-d.ended:
			return got, fmt.Errorf("%w: the shell is gone", errStuck)
		case <-limit:
			return got, errStuck
		}
	}
}

package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"lanchat/internal/netlab"
)

// What the demo prints is what was made, by the kernel's own count of the network
// in which it ran: /proc/net/snmp has what was sent, delivered, thrown away and
// sent again there, and nothing else was.
func TestDemoTellsWhatWasMade(t *testing.T) {
	t.Parallel()
	bin := built(t)
	lab := netlab.New(t)
	const count = 600
	// Of some hundred streams one loses the same segment so often that the last messages
	// come later than the demo waits.
	whole := regexp.MustCompile(`600 sent, 600 arrived|"sent":600,"arrived":600`)
	demo := func(format string) (out string, made map[string]int) {
		for try := 0; try < 3 && !whole.MatchString(out); try++ {
			host := lab.Host(fmt.Sprint(format, try))
			out = demoOutput(t, host.Command(filepath.Join(bin, "chat"), "wire", "--demo", "--loss", "30", "--count", strconv.Itoa(count), "--every", "1ms", "--"+format))
			made = snmp(t, host)
		}
		return out, made
	}

	out, made := demo("plain")
	udp := regexp.MustCompile(`(?m)^UDP: (\d+) sent, (\d+) arrived, (\d+) lost \((\d+) %\), (\d+) doubled, (\d+) late; the kernel threw away (\d+)$`).FindStringSubmatch(out)
	tcp := regexp.MustCompile(`(?m)^TCP: (\d+) sent, (\d+) arrived in order, longest \d+\.\d ms; of its segments the kernel threw away (\d+) and sent (\d+) again$`).FindStringSubmatch(out)
	if udp == nil || tcp == nil {
		t.Fatalf("the sums are not as expected:\n%s", out[max(0, len(out)-1000):])
	}
	dropped := made["Udp InErrors"]
	n := numbers(t, udp[1:])
	if want := []int{count, count - dropped, dropped, percent(dropped, count), 0, 0, dropped}; !equal(n, want) || made["Udp OutDatagrams"] != count || made["Udp InDatagrams"] != count-dropped {
		t.Errorf("UDP: it tells %v, and made was %v", n, want)
	}
	if dropped < count*19/100 || dropped > count*41/100 { // six standard deviations
		t.Errorf("%d of %d are lost, where 30 %% were asked for", dropped, count)
	}
	if n := numbers(t, tcp[1:]); n[0] != count || n[1] != count || n[2] < 1 || n[3] < 1 || n[3] != made["Tcp RetransSegs"] {
		t.Errorf("TCP: it tells %v, and sent again were %d", n, made["Tcp RetransSegs"])
	}
	// The lines before are the same numbers, each message once a side.
	for side, want := range map[string]int{"udp  came ": count - dropped, "udp  LOST ": dropped, "tcp  came ": count} {
		if got := strings.Count("\n"+out, "\n"+side); got != want {
			t.Errorf("%d lines begin with %q, want %d", got, side, want)
		}
	}
	inOrder(t, regexp.MustCompile(`(?m)^tcp  came +message (\d+) of`).FindAllStringSubmatch(out, -1))

	var sum struct {
		Event, By string
		UDP       struct{ Sent, Arrived, Lost, Dropped int }
		TCP       struct {
			Sent, Arrived, Dropped, Retransmitted int
			InOrder                               bool `json:"in_order"`
		}
	}
	lost := 0
	out, made = demo("json")
	for line := range strings.Lines(out) {
		if err := json.Unmarshal([]byte(line), &sum); err != nil {
			t.Fatalf("%v: %s", err, line)
		}
		if sum.Event == "lost" {
			lost++
		}
	}
	dropped = made["Udp InErrors"]
	if u := sum.UDP; sum.Event != "summary" || sum.By != "kernel" || u.Sent != count || u.Lost != dropped || u.Dropped != dropped || u.Arrived != made["Udp InDatagrams"] || lost != dropped {
		t.Errorf("%+v, %d events of loss, and made was %v", sum, lost, made)
	}
	if s := sum.TCP; s.Sent != count || s.Arrived != count || !s.InOrder || s.Dropped < 1 || s.Retransmitted != made["Tcp RetransSegs"] {
		t.Errorf("%+v, and made was %v", s, made)
	}
}

// Who may not administer the network has it too, in one of its own; where the
// system does not permit that either, it is said that the stream had no loss.
func TestDemoWithoutRights(t *testing.T) {
	t.Parallel()
	bin := built(t)
	if _, err := exec.LookPath("setpriv"); err != nil {
		t.Skip("setpriv is not installed: the rights cannot be taken away")
	}
	host := netlab.New(t).Host("host")
	out := demoOutput(t, host.Command("setpriv", "--bounding-set=-net_admin", filepath.Join(bin, "chat"), "wire", "--demo", "--count", "20", "--every", "1ms", "--plain"))
	if !strings.Contains(out, "UDP: 20 sent") || !strings.Contains(out, "TCP: 20 sent, 20 arrived in order") {
		t.Errorf("%s", out)
	}
	made := snmp(t, host)
	own, clean := strings.Contains(out, " of its segments the kernel "), strings.Contains(out, "No segment of the stream was thrown away: ")
	if own == clean || own != (made["Udp OutDatagrams"] == 0) {
		t.Errorf("in a network of its own: %v; without loss: %v; sent in the first one: %d\n%s", own, clean, made["Udp OutDatagrams"], out)
	}
}

func TestDemoRefusesWrongInput(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	for _, args := range [][]string{{"--demo", "--loss", "81"}, {"--demo", "--loss", "-1"}, {"--demo", "--count", "0"}, {"--demo", "--every", "0s"}, {"--loss", "10"}} {
		if code, out, errs := s.chat("", append([]string{"wire"}, args...)...); code != exitUsage || out != "" || !strings.Contains(errs, "--") {
			t.Errorf("%v: %d: %s%s", args, code, out, errs)
		}
	}
}

// On a terminal it is shown side by side, stays when it is over, and the sums are
// there for who has left.
func TestDemoInATerminal(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	term := newTerminal(t, home(t))
	term.type_(filepath.Join(s.bin, "chat") + " wire --demo --count 8 --every 20ms")
	term.await("UDP, datagrams", "TCP, frames", "message 8 of 8", "8 arrived in order", "Esc leaves")
	term.key("d")
	term.await("entry of ", "seq 8")
	term.key("q")
	term.await("UDP: 8 sent", "TCP: 8 sent, 8 arrived in order")
	term.shell()
	term.type_("clear; " + filepath.Join(s.bin, "chat") + " wire --demo --timeout 1s; echo over $?")
	term.await("over 0", "UDP: ")
	term.type_("clear; " + filepath.Join(s.bin, "chat") + " wire --demo --plain; echo stopped $?")
	term.await("tcp  came")
	term.key("C-c")
	term.await("stopped 0", "UDP: ", "arrived in order")
}

func demoOutput(t *testing.T, cmd *exec.Cmd) string {
	t.Helper()
	cmd.Env = home(t)
	var errs bytes.Buffer
	cmd.Stderr = &errs
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("%v: %s", err, errs.String())
	}
	return string(out)
}

// snmp are the counters of a host's network, by protocol and name.
func snmp(t *testing.T, h *netlab.Host) map[string]int {
	t.Helper()
	out, err := h.Command("cat", "/proc/net/snmp").Output()
	if err != nil {
		t.Fatal(err)
	}
	counts, names := map[string]int{}, map[string][]string{}
	for line := range strings.Lines(string(out)) {
		protocol, rest, _ := strings.Cut(line, ":")
		fields := strings.Fields(rest)
		if names[protocol] == nil {
			names[protocol] = fields
			continue
		}
		for i, n := range fields {
			counts[protocol+" "+names[protocol][i]], _ = strconv.Atoi(n)
		}
	}
	return counts
}

func numbers(t *testing.T, texts []string) (out []int) {
	t.Helper()
	for _, text := range texts {
		n, err := strconv.Atoi(text)
		if err != nil {
			t.Fatal(err)
		}
		out = append(out, n)
	}
	return out
}

func equal(a, b []int) bool { return fmt.Sprint(a) == fmt.Sprint(b) }

func inOrder(t *testing.T, found [][]string) {
	t.Helper()
	for i, m := range found {
		if m[1] != strconv.Itoa(i+1) {
			t.Fatalf("message %s came as number %d", m[1], i+1)
		}
	}
}

// F2 shows how the room was found, and the frames from then on.
func TestWireInTheChat(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	s.chatd("Hack Night", "--memory")
	term := newTerminal(t, home(t))
	term.type_(filepath.Join(s.bin, "chat") + " --nick ann --discovery-interface lo --discovery-port " + s.port)
	term.await("you are ann", "1 person")
	term.key("F2")
	term.await("UDP, datagrams", "TCP, frames", "query", "answer", "since F2 was pressed first")
	term.key("F2")
	term.await("#lobby>")
	term.type_("hello wire")
	term.until("what was said, in the talk", func(screen string) bool {
		return strings.Contains(screen, "hello wire") && !strings.Contains(screen, "> hello wire")
	})
	term.key("F2")
	term.await("post", "ack")
	term.key("Tab")
	term.key("Enter")
	term.await("hides fields", "hello wire")
	term.key("Escape")
	term.await("#lobby>")
	term.type_("/quit")
	term.shell()
}

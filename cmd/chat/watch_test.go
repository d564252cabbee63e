package main

import (
	"encoding/json"
	"flag"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"lanchat/discovery"
)

var long = flag.Bool("long", false, "wait for the 35 s for which a killed server's last beacon is good")

// watched is an object of chat ls --watch --json.
type watched struct {
	Event, Name, Addr, Key, Instance string
	People                           int
	Seen                             time.Time
	RTT                              *float64 `json:"rtt_ms"`
}

// nth waits for the nth object that tells this of a server, and returns it and when
// it came.
func (p *process) nth(n int, event, name string) (watched, time.Time) {
	p.Helper()
	limit := time.After(40 * time.Second)
	for {
		seen := 0
		for line := range strings.Lines(p.output()) {
			var w watched
			if err := json.Unmarshal([]byte(line), &w); err != nil && strings.HasSuffix(line, "\n") {
				p.Fatalf("%v: %s", err, line)
			}
			if w.Event == event && w.Name == name {
				if seen++; seen == n {
					return w, time.Now()
				}
			}
		}
		select {
		case <-p.grown:
		case <-p.ended:
			p.Fatalf("it ended (%v):\n%s", p.err, p.output())
		case <-limit:
			p.Fatalf("no %q of %q; there is:\n%s", event, name, p.output())
		}
	}
}

// What stops cleanly is gone at once.
func TestWatchPipes(t *testing.T) {
	s := newSite(t)
	ls := start(t, s.command("chat", "ls", "--watch", "--json"))
	var times []time.Duration
	for n := range 5 {
		d, addr, key := s.chatd("Hack Night", "--data", filepath.Join(t.TempDir(), strconv.Itoa(n)))
		w, _ := ls.nth(n+1, "found", "Hack Night")
		if w.Addr != addr || len(w.Key) != 64 || key == "" || w.Instance == "" || time.Since(w.Seen) > time.Minute {
			t.Errorf("found %+v, want %s", w, addr)
		}
		if n == 0 { // what asks gets an answer, and takes its time
			code, out, _ := s.chat("", "ls", "--json", "--timeout", "1s")
			if err := json.Unmarshal([]byte(out), &w); err != nil || code != 0 || w.RTT == nil || *w.RTT <= 0 || *w.RTT > 1000 {
				t.Errorf("ls --json: %d, %s, %v", code, out, err)
			}
		}
		began := time.Now()
		d.cmd.Process.Signal(os.Interrupt)
		_, at := ls.nth(n+1, "gone", "Hack Night")
		times = append(times, at.Sub(began))
		d.exit()
	}
	slices.Sort(times)
	t.Logf("gone after %v", times)
	if times[len(times)/2] > 300*time.Millisecond {
		t.Errorf("half of the servers that stopped were gone only after %v", times[len(times)/2])
	}
	ls.cmd.Process.Signal(os.Interrupt)
	if code := ls.exit(); code != 0 {
		t.Errorf("ls ends with %d", code)
	}
}

// What says nothing any more is gone when its last word has lost its worth. The
// server is the test: a real one gives a beacon half a minute.
func TestWatchPipesUntilTheTTL(t *testing.T) {
	s := newSite(t)
	ls := start(t, s.command("chat", "ls", "--watch", "--json"))
	d, _, _ := s.chatd("Another", "--memory")
	ls.nth(1, "found", "Another") // from here on it listens
	port, _ := strconv.Atoi(s.port)
	beacon := discovery.Beacon{Instance: [8]byte{1}, Key: [32]byte{1}, Name: "Hack Night", Port: 9, People: 3, Seq: 1, TTL: 2}
	packet, err := discovery.Append(nil, &beacon)
	if err != nil {
		t.Fatal(err)
	}
	c, err := net.DialUDP("udp4", &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1)}, &net.UDPAddr{IP: net.IPv4(127, 255, 255, 255), Port: port})
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	if _, err := c.Write(packet); err != nil {
		t.Fatal(err)
	}
	w, began := ls.nth(1, "found", "Hack Night")
	if w.People != 3 || w.RTT != nil {
		t.Errorf("found %+v", w)
	}
	_, at := ls.nth(1, "gone", "Hack Night")
	if took := at.Sub(began); took < time.Second || took > 3*time.Second {
		t.Errorf("gone after %v, where the ttl is 2 s", took)
	}
	if strings.Contains(ls.output(), `"gone","name":"Another"`) {
		t.Error("the other one is gone too")
	}

	if !*long {
		return
	}
	began = time.Now()
	d.cmd.Process.Kill()
	_, at = ls.nth(1, "gone", "Another")
	t.Logf("killed, and gone after %v", at.Sub(began))
	if took := at.Sub(began); took > 36*time.Second {
		t.Errorf("gone after %v", took)
	}
}

// The table follows what happens, fits the terminal, and leaves it as it was.
func TestWatchTerminal(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	term := newTerminal(t, home(t))
	chat := filepath.Join(s.bin, "chat") + " ls --watch --discovery-interface lo --discovery-port " + s.port
	term.type_("echo before; stty -g > " + s.file("watch-before"))
	term.await("before")
	term.type_(chat)
	term.await("Looking for rooms")
	d, addr, key := s.chatd("Hack Night", "--memory")
	term.await("Servers on this network: 1", "Hack Night", addr, "key: "+key, "NAME", "HEARD")
	s.chatd("Build Room", "--memory")
	screen := term.await("Servers on this network: 2", "Build Room")
	if strings.Index(screen, "Build Room") > strings.Index(screen, "Hack Night") {
		t.Errorf("they are not sorted:\n%s", screen)
	}
	term.must("resize-window", "-x", "60", "-y", "12")
	term.await("Hack Night", "* met before, q leaves")
	term.must("resize-window", "-x", "160", "-y", "30")
	term.await("KEY", "TRIP", "Up and Down move")
	stopped(t, d)
	term.until("one server", func(screen string) bool {
		return strings.Contains(screen, "Build Room") && !strings.Contains(screen, "Hack Night")
	})
	term.key("q")
	term.shell()
	if screen := term.await("before"); strings.Contains(screen, "Build Room") {
		t.Errorf("the screen is not as it was:\n%s", screen)
	}
	term.type_("stty -g > " + s.file("watch-after") + "; echo left with $?") // -g: not the size
	term.await("left with 0")
	same(t, s.file("watch-before"), s.file("watch-after"))

	term.type_(fmt.Sprintf("clear; %s --timeout 1s; echo over $?", chat))
	term.await("over 0")
	term.type_(fmt.Sprintf("clear; %s; echo interrupted $?", chat))
	term.await("Build Room")
	term.key("C-c")
	term.await("interrupted 0")
}

package main

import (
	"bytes"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"lanchat/internal/doctor"
	"lanchat/internal/identity"
	"lanchat/internal/netlab"
)

// ward is a lab in which the doctor is called.
type ward struct {
	*testing.T
	lab *netlab.Lab
	bin string
	env []string // of the one who calls the doctor
}

// serves runs chatd on a host, and returns its key.
func (w *ward) serves(h *netlab.Host, args ...string) identity.Fingerprint {
	w.Helper()
	data := w.TempDir()
	id, err := identity.LoadOrCreate(data, "Hack Night")
	if err != nil {
		w.Fatal(err)
	}
	cmd := h.Command(filepath.Join(w.bin, "chatd"), append([]string{"--name", "Hack Night", "--data", data, "--memory"}, args...)...)
	cmd.Env = home(w)
	start(w, cmd).await("ready name=")
	return id.Fingerprint()
}

// met writes down that the server was met before.
func (w *ward) met(key identity.Fingerprint, addr string) {
	w.Helper()
	pins, err := identity.OpenPins(filepath.Join(w.config(), "lanchat", "servers.json"))
	if err == nil {
		_, err = pins.Check("Hack Night", key)
	}
	if err == nil {
		err = pins.Remember("Hack Night", addr)
	}
	if err != nil {
		w.Fatal(err)
	}
}

// config is the config directory of the one who calls the doctor.
func (w *ward) config() string {
	var config string
	for _, v := range w.env {
		if dir, ok := strings.CutPrefix(v, "XDG_CONFIG_HOME="); ok {
			config = dir
		}
	}
	return config
}

// someKey is one that no server of the lab has.
var someKey = identity.Fingerprint{1, 2, 3}

const serverAt = "10.77.0.1:25252"

// topologies are networks, each with what is wrong in it. build returns the host
// from which one looks.
var topologies = []struct {
	name  string
	args  []string // of the doctor
	build func(w *ward) *netlab.Host
	want  string // the codes, the likeliest first
	exit  int
	says  string // somewhere in the report
}{
	{"server firewall, UDP open", []string{"Hack Night"}, func(w *ward) *netlab.Host {
		server, client := w.two()
		server.Firewall("udp dport 25252")
		w.serves(server)
		return client
	}, "server-firewall", 1, "ufw allow 25252/tcp"},
	{"VPN route", []string{"Hack Night"}, func(w *ward) *netlab.Host {
		server, client := w.two()
		nic := w.lab.Tunnel(w.lab.Host("vpn"), "10.9.0.1/24", client, "10.9.0.2/24")
		w.do(client, "route add 10.77.0.0/25 dev "+nic)
		w.serves(server)
		return client
	}, "vpn-route", 1, "10.77.0.0/25, of the network of eth0, goes by tun0"},
	{"no network", []string{"Hack Night"}, func(w *ward) *netlab.Host {
		client := w.lab.Host("client")
		w.do(client, "link set lo down")
		return client
	}, "no-network", 3, "ip address"},
	{"loopback only", []string{"Hack Night"}, func(w *ward) *netlab.Host { return w.lab.Host("client") },
		"loopback-only", 3, "chat host"},
	{"all well, no name", nil, func(w *ward) *netlab.Host {
		server, client := w.two()
		w.serves(server)
		return client
	}, "ok", 0, "is found at 10.77.0.1:25252"},
	{"all well, known", []string{"hack night"}, func(w *ward) *netlab.Host {
		server, client := w.two()
		w.met(w.serves(server), serverAt)
		return client
	}, "ok", 0, "has the known key"},
	{"server on this host", nil, func(w *ward) *netlab.Host {
		server, _ := w.two()
		w.serves(server)
		return server
	}, "ok", 0, "on this host: "},
	{"empty bridge", nil, func(w *ward) *netlab.Host { _, client := w.two(); return client },
		"nobody-answers", 3, "this host hears its own by eth0"},
	{"port held, server on this host", nil, func(w *ward) *netlab.Host {
		server, _ := w.two()
		w.hold(server)
		w.serves(server)
		return server
	}, "port-held", 3, "is held, and not shared, by chat.test"},
	{"port held at the client", []string{"Hack Night"}, func(w *ward) *netlab.Host {
		server, client := w.two()
		w.serves(server)
		w.hold(client)
		return client
	}, "ok", 0, "is held, and not shared"},
	{"egress refused", []string{"Hack Night"}, func(w *ward) *netlab.Host {
		server, client := w.two()
		server.Refuse(`oifname "eth0" udp sport 25252`) // no beacon helps out
		client.Refuse(`oifname "eth0" udp dport 25252`)
		w.serves(server)
		return client
	}, "egress-refused", 3, "nft insert rule inet filter output udp dport 25252 accept"},
	{"client firewall", []string{"Hack Night"}, func(w *ward) *netlab.Host {
		server, client := w.two()
		client.Firewall(netlab.Established)
		w.serves(server)
		return client
	}, "client-firewall", 3, "ufw allow 25252/udp"},
	{"client firewall, known", []string{"Hack Night"}, func(w *ward) *netlab.Host {
		server, client := w.two()
		client.Firewall(netlab.Established)
		w.met(w.serves(server), serverAt)
		return client
	}, "ok", 0, "does not hear its own broadcasts by eth0"},
	{"client firewall drops all, known", []string{"Hack Night"}, func(w *ward) *netlab.Host {
		server, client := w.two()
		client.Firewall()
		w.met(w.serves(server), serverAt)
		return client
	}, "client-firewall", 3, "does not hear its own broadcasts by eth0"},
	{"client firewall, this port open", []string{"Hack Night"}, func(w *ward) *netlab.Host {
		server, client := w.two()
		client.Firewall(netlab.Established, "udp dport 25252")
		w.serves(server)
		return client
	}, "ok", 0, "is found at"},
	{"server firewall", []string{"Hack Night"}, func(w *ward) *netlab.Host {
		server, client := w.two()
		server.Refuse("udp sport 25252")
		server.Firewall()
		w.met(w.serves(server), serverAt)
		return client
	}, "server-firewall", 3, "its host answers ARP"},
	{"server firewall, TCP open", []string{"Hack Night"}, func(w *ward) *netlab.Host {
		server, client := w.two()
		server.Refuse("udp sport 25252")
		server.Firewall("tcp dport 25252")
		w.met(w.serves(server), serverAt)
		return client
	}, "server-firewall discovery-off", 0, "UDP gets no answer"},
	{"isolated ports, a router", []string{"Hack Night"}, func(w *ward) *netlab.Host {
		server, client := w.two()
		w.lab.Host("router", "10.77.0.9/24")
		w.do(client, "route add default via 10.77.0.9")
		server.Isolate("eth0")
		client.Isolate("eth0")
		w.met(w.serves(server), serverAt)
		return client
	}, "client-isolation host-gone", 3, "the router 10.77.0.9 answers on eth0, and no other host does"},
	{"host gone, others are there", []string{"Hack Night"}, func(w *ward) *netlab.Host {
		client := w.lab.Host("client", "10.77.0.2/24")
		w.lab.Host("other", "10.77.0.3/24")
		w.met(someKey, serverAt)
		if err := dialFrom(client, "10.77.0.3:9"); err == nil {
			w.Error("somebody listens on port 9")
		}
		return client
	}, "host-gone", 3, "another host, 10.77.0.3, does answer on eth0"},
	{"tunnel, nothing remembered", []string{"Hack Night"}, func(w *ward) *netlab.Host {
		server, client := w.lab.Host("server"), w.lab.Host("client")
		w.lab.Tunnel(server, "10.9.0.1/24", client, "10.9.0.2/24")
		w.serves(server)
		return client
	}, "no-broadcast", 3, "chat join HOST:PORT"},
	{"tunnel, remembered", []string{"Hack Night"}, func(w *ward) *netlab.Host {
		server, client := w.lab.Host("server"), w.lab.Host("client", "10.77.0.2/24")
		w.lab.Tunnel(server, "10.9.0.1/24", client, "10.9.0.2/24")
		w.met(w.serves(server), "10.9.0.1:25252")
		return client
	}, "ok", 0, "is found at 10.9.0.1:25252"},
	{"other subnet", []string{"Hack Night"}, func(w *ward) *netlab.Host {
		client, server, router := w.lab.Host("client", "10.77.0.2/24"), w.lab.Host("server"), w.lab.Host("router", "10.77.0.9/24")
		far := w.lab.LAN()
		server.Join(far, "10.78.0.1/24")
		router.Join(far, "10.78.0.9/24")
		w.do(client, "route add default via 10.77.0.9")
		w.do(server, "route add default via 10.78.0.9")
		if out, err := router.Command("sysctl", "-w", "net.ipv4.ip_forward=1").CombinedOutput(); err != nil {
			w.Fatalf("%v: %s", err, out)
		}
		w.met(w.serves(server), "10.78.0.1:25252")
		return client
	}, "other-subnet", 0, "chat join 10.78.0.1:25252"},
	{"server not running", []string{"Hack Night"}, func(w *ward) *netlab.Host {
		_, client := w.two()
		w.met(someKey, serverAt)
		return client
	}, "server-not-running", 3, "TCP is refused"},
	{"discovery switched off", []string{"Hack Night"}, func(w *ward) *netlab.Host {
		server, client := w.two()
		w.met(w.serves(server, "--no-discovery"), serverAt)
		return client
	}, "discovery-off", 0, "UDP is refused"},
	{"key changed", []string{"Hack Night"}, func(w *ward) *netlab.Host {
		server, client := w.two()
		w.serves(server)
		w.met(someKey, serverAt)
		return client
	}, "key-changed", 4, "chat id forget 'Hack Night'"},
	{"two servers of one name", []string{"Hack Night"}, func(w *ward) *netlab.Host {
		server, client := w.two()
		w.serves(server)
		w.serves(w.lab.Host("twin", "10.77.0.3/24"))
		return client
	}, "same-name", 1, "chat join 10.77.0.3:25252"},
	{"another name", []string{"Knit Night"}, func(w *ward) *netlab.Host {
		server, client := w.two()
		w.serves(server)
		return client
	}, "name-not-heard", 3, "other servers are heard"},
	{"an address", []string{serverAt}, func(w *ward) *netlab.Host {
		server, client := w.two()
		w.serves(server)
		return client
	}, "ok", 0, "(given)"},
	{"discovery unwelcome", []string{"Hack Night", "--no-discovery"}, func(w *ward) *netlab.Host {
		server, client := w.two()
		w.met(w.serves(server), serverAt)
		return client
	}, "ok", 0, "discovery is switched off"},
	{"IPv6 alone", []string{"Hack Night"}, func(w *ward) *netlab.Host {
		server, client := w.two()
		for _, h := range []*netlab.Host{server, client} {
			w.do(h, "-4 addr flush dev eth0")
		}
		w.serves(server)
		return client
	}, "ok", 0, "%eth0]:25252"},
	{"no such interface", []string{"--discovery-interface", "eth7"}, func(w *ward) *netlab.Host { _, client := w.two(); return client },
		"no-such-interface", 3, "eth7"},
}

func (w *ward) two() (server, client *netlab.Host) {
	return w.lab.Host("server", "10.77.0.1/24"), w.lab.Host("client", "10.77.0.2/24")
}

func (w *ward) do(h *netlab.Host, command string) {
	w.Helper()
	if err := h.IP(command); err != nil {
		w.Fatal(err)
	}
}

// hold takes the discovery port as a program does that does not share.
func (w *ward) hold(h *netlab.Host) {
	w.Helper()
	var held net.PacketConn
	if err := h.Do(func() (err error) { held, err = net.ListenPacket("udp4", ":25252"); return err }); err != nil {
		w.Fatal(err)
	}
	w.Cleanup(func() { held.Close() })
}

func dialFrom(h *netlab.Host, addr string) error {
	return h.Do(func() error {
		c, err := (&net.Dialer{Timeout: 5 * time.Second}).Dial("tcp4", addr)
		if err == nil {
			c.Close()
		}
		return err
	})
}

// Each network that fails gets its own diagnosis, from the real program.
func TestDoctorNetworks(t *testing.T) {
	t.Parallel()
	bin := built(t)
	var group sync.WaitGroup
	defer group.Wait()
	// Each diagnosis takes 4 seconds of waiting; too many at once would wait for
	// each other instead.
	at := make(chan struct{}, 16)
	for _, tt := range topologies {
		w := &ward{T: t, lab: netlab.New(t), bin: bin, env: home(t)}
		client := tt.build(w)
		before := w.files()
		cmd := client.Command(filepath.Join(bin, "chat"), append([]string{"doctor", "--json"}, tt.args...)...)
		cmd.Env = w.env
		at <- struct{}{}
		group.Go(func() {
			defer func() { <-at }()
			began := time.Now()
			out, err := cmd.Output()
			took := time.Since(began)
			if _, exited := errors.AsType[*exec.ExitError](err); err != nil && !exited {
				t.Errorf("%s: %v", tt.name, err)
			}
			codes, first := codesOf(t, out)
			exit := cmd.ProcessState.ExitCode()
			t.Logf("%-34s %-34s exit %d %4d ms  %.200s", tt.name, codes, exit, took.Milliseconds(), first)
			if codes != tt.want || exit != tt.exit || !bytes.Contains(out, []byte(tt.says)) {
				t.Errorf("%s: %s, exit code %d; want %s, %d, and %q in:\n%s", tt.name, codes, exit, tt.want, tt.exit, tt.says, out)
			}
			if after := w.files(); after != before {
				t.Errorf("%s: the doctor changed files:\n%s\nbefore:\n%s", tt.name, after, before)
			}
		})
	}
}

// codesOf are the diagnoses of a report, and what the first one says.
func codesOf(t *testing.T, report []byte) (codes, first string) {
	var list []string
	for lines := json.NewDecoder(bytes.NewReader(report)); lines.More(); {
		var line struct {
			Check, Cause string
			Diagnosis    doctor.Code
			OK           *bool
			Skipped      bool
		}
		if err := lines.Decode(&line); err != nil {
			t.Errorf("%v:\n%s", err, report)
			break
		}
		if line.Diagnosis == "" {
			if line.Check == "" || (line.OK == nil) != line.Skipped || len(list) > 0 {
				t.Errorf("a line is wrong, or in the wrong place: %+v", line)
			}
			continue
		}
		if list = append(list, string(line.Diagnosis)); len(list) == 1 {
			first = line.Cause
		}
	}
	return strings.Join(list, " "), first
}

// files is everything that the user has, with what is in it.
func (w *ward) files() string {
	var all strings.Builder
	root := filepath.Dir(w.config())
	err := filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			fmt.Fprintln(&all, path, err)
			return nil
		}
		text, err := os.ReadFile(path)
		info, err2 := d.Info()
		fmt.Fprintf(&all, "%s %x %v %v\n", path, sha256.Sum256(text), info.ModTime(), errors.Join(err, err2))
		return nil
	})
	if err != nil {
		w.Error(err)
	}
	return all.String()
}

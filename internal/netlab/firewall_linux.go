package netlab

import (
	"fmt"
	"os/exec"
	"strings"
)

// Established is a match for Firewall: packets that belong to what the host
// itself began, and the complaints about it.
const Established = "ct state established,related"

// Firewall drops everything that comes in by a network, but for packets that
// one of the matches of nftables fits, such as Established or "udp dport 25252".
// The loopback stays open. A later call adds to an earlier one, behind its drop,
// so call it once.
func (h *Host) Firewall(allow ...string) {
	h.lab.t.Helper()
	rules := []string{`iifname "lo" accept`}
	for _, match := range allow {
		rules = append(rules, match+" accept")
	}
	h.filter("input", append(rules, "drop")...)
}

// Refuse has the host refuse to send what the match of nftables fits: the
// program that tries gets EPERM.
func (h *Host) Refuse(match string) {
	h.lab.t.Helper()
	h.filter("output", match+" drop")
}

// Lose loses, of the IPv4 and IPv6 packets that reach the host by a network, the
// given share at random, each by itself. On both ends of a conversation it is a
// loss each way, which no sender notices. A later call replaces an earlier one.
func (h *Host) Lose(percent int) {
	h.lab.t.Helper()
	lost := "drop" // numgen does not take all of them
	if percent < 100 {
		lost = fmt.Sprintf("numgen random mod 100 < %d drop", percent)
	}
	h.nft(
		"add chain inet netlab loss { type filter hook input priority -10; }",
		"flush chain inet netlab loss",
		`add rule inet netlab loss iifname != "lo" `+lost,
	)
}

// filter adds rules to the chain of a hook.
func (h *Host) filter(hook string, rules ...string) {
	h.lab.t.Helper()
	script := []string{fmt.Sprintf("add chain inet netlab %s { type filter hook %s priority 0; }", hook, hook)}
	for _, r := range rules {
		script = append(script, fmt.Sprintf("add rule inet netlab %s %s", hook, r))
	}
	h.nft(script...)
}

// nft runs commands on a table that is the lab's, and skips the test where
// nftables are not to be had.
func (h *Host) nft(commands ...string) {
	h.lab.t.Helper()
	if _, err := exec.LookPath("nft"); err != nil {
		h.lab.t.Skipf("no firewall in the network lab: %v", err)
	}
	cmd := h.Command("nft", "-f", "-")
	cmd.Stdin = strings.NewReader("add table inet netlab\n" + strings.Join(commands, "\n") + "\n")
	if out, err := cmd.CombinedOutput(); err != nil {
		h.lab.t.Fatalf("host %s: nft: %v: %s", h.Name, err, strings.TrimSpace(string(out)))
	}
}

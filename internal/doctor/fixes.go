package doctor

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
)

// join is the command that needs no discovery.
func (f *Facts) join(a *Attempt) string {
	if a == nil {
		return "chat join HOST:PORT"
	}
	return "chat join " + a.Addr.String()
}

// word makes a name one word of a command line of this system.
func (f *Facts) word(name string) string {
	dashes := ""
	if strings.HasPrefix(name, "-") {
		dashes = "-- "
	}
	if f.System == "windows" { // PowerShell
		return dashes + "'" + strings.ReplaceAll(name, "'", "''") + "'"
	}
	return dashes + "'" + strings.ReplaceAll(name, "'", `'\''`) + "'"
}

func (f *Facts) showAddresses() string {
	switch f.System {
	case "linux":
		return "ip address"
	case "windows":
		return "ipconfig"
	}
	return "ifconfig"
}

func (f *Facts) showHolder() string {
	switch f.System {
	case "linux":
		return fmt.Sprintf("sudo ss -lunp sport = :%d", f.Question.Port)
	case "windows":
		return fmt.Sprintf("Get-NetUDPEndpoint -LocalPort %d", f.Question.Port)
	case "freebsd":
		return fmt.Sprintf("sockstat -4 -P udp -p %d", f.Question.Port)
	}
	return fmt.Sprintf("lsof -nP -iUDP:%d", f.Question.Port)
}

func ufw(port int, proto string) string { return fmt.Sprintf("sudo ufw allow %d/%s", port, proto) }

func firewalld(port int, proto string) string {
	return fmt.Sprintf("sudo firewall-cmd --permanent --add-port=%d/%s && sudo firewall-cmd --reload", port, proto)
}

// nft puts the rule first: behind one that drops it would be of no use.
func nft(chain string, port int, proto string) string {
	return fmt.Sprintf("sudo nft insert rule inet filter %s %s dport %d accept", chain, proto, port)
}

func iptables(port int, proto string) string {
	return fmt.Sprintf("sudo iptables -I INPUT -p %s --dport %d -j ACCEPT", proto, port)
}

func windowsPort(port int, proto string) string {
	return fmt.Sprintf("New-NetFirewallRule -DisplayName lanchat -Direction Inbound -Protocol %s -LocalPort %d -Action Allow", strings.ToUpper(proto), port)
}

// letIn is how a client's host lets discovery in.
func (f *Facts) letIn() []Step {
	port, program := f.Question.Port, cmp.Or(f.Question.Program, "chat")
	switch f.System {
	case "windows":
		// By program and not by port: answers come to a port of the system's choice.
		return []Step{{Do: "In PowerShell, as administrator:", Run: fmt.Sprintf("New-NetFirewallRule -DisplayName lanchat -Direction Inbound -Program '%s' -Protocol UDP -Action Allow", strings.ReplaceAll(program, "'", "''"))}}
	case "darwin":
		return []Step{{Do: "Allow the program in the firewall:", Run: fmt.Sprintf("sudo /usr/libexec/ApplicationFirewall/socketfilterfw --add %s --unblockapp %[1]s", f.word(program))}}
	case "freebsd":
		return []Step{{Do: fmt.Sprintf("Add to /etc/pf.conf: pass in proto udp to port %d", port), Run: "sudo pfctl -f /etc/pf.conf"}}
	}
	commands := []struct{ firewall, run string }{
		{"ufw", ufw(port, "udp")},
		{"firewalld", firewalld(port, "udp")},
		{"nftables", nft("input", port, "udp")},
		{"iptables", iptables(port, "udp")},
	}
	var known, all []Step
	for _, c := range commands {
		step := Step{Do: "With " + c.firewall + ":", Run: c.run}
		all = append(all, step)
		if slices.ContainsFunc(f.Firewalls, func(w Firewall) bool { return w.Name == c.firewall }) {
			known = append(known, step)
		}
	}
	if len(known) > 0 {
		return known
	}
	all[2].Do = "With nftables (nft list ruleset tells the names of your table and chain):"
	return all[:3]
}

// letOut is how this host lets discovery out.
func (f *Facts) letOut() []Step {
	port := f.Question.Port
	vpn := Step{Do: "If a VPN is on, allow the local network in its settings."}
	switch f.System {
	case "windows":
		return []Step{{Do: "In PowerShell, as administrator:", Run: fmt.Sprintf("New-NetFirewallRule -DisplayName lanchat -Direction Outbound -Protocol UDP -RemotePort %d -Action Allow", port)}, vpn}
	case "linux":
		list := []Step{{Do: "With nftables (nft list ruleset tells the names of your table and chain):", Run: nft("output", port, "udp")},
			{Do: "With ufw:", Run: fmt.Sprintf("sudo ufw allow out %d/udp", port)}}
		if slices.ContainsFunc(f.Firewalls, func(w Firewall) bool { return w.Name == "ufw" }) {
			slices.Reverse(list)
		}
		return append(list, vpn)
	case "freebsd":
		return []Step{{Do: fmt.Sprintf("Add to /etc/pf.conf: pass out proto udp to port %d", port), Run: "sudo pfctl -f /etc/pf.conf"}, vpn}
	}
	return []Step{{Do: fmt.Sprintf("Let UDP to port %d out.", port)}, vpn}
}

// serverLetsIn is how the server's host, whatever it runs, lets both in.
func (f *Facts) serverLetsIn(tcp int) []Step {
	udp := f.Question.Port
	return []Step{
		{Do: fmt.Sprintf("On the server's host let in UDP port %d and TCP port %d. With ufw:", udp, tcp), Run: serverUFW(udp, tcp)},
		{Do: "With firewalld:", Run: fmt.Sprintf("sudo firewall-cmd --permanent --add-port=%d/udp --add-port=%d/tcp && sudo firewall-cmd --reload", udp, tcp)},
		{Do: "With nftables (nft list ruleset tells the names of your table and chain):", Run: nft("input", udp, "udp") + " && " + nft("input", tcp, "tcp")},
		{Do: "On Windows, in PowerShell as administrator:", Run: windowsPort(udp, "udp") + "; " + windowsPort(tcp, "tcp")},
	}
}

func serverUFW(udp int, tcp ...int) string {
	var text strings.Builder
	text.WriteString(ufw(udp, "udp"))
	for _, port := range tcp {
		text.WriteString(" && " + ufw(port, "tcp"))
	}
	return text.String()
}

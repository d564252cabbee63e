package doctor

import (
	"fmt"
	"slices"
	"strings"
)

// fromAddress is what one address proves: it is the best witness there is.
func (f *Facts) fromAddress(a *Attempt, heard bool) []Diagnosis {
	lan, near := f.lanOf(a.Addr.Addr())
	said := []string{f.checkAddress(a).Evidence}
	switch {
	case a.reached():
		if heard {
			return nil
		}
		return f.reachedUnheard(a, lan, near, said)
	case a.TCP == Answered:
		return []Diagnosis{{NotAServer, fmt.Sprintf("What listens at %s is no server of ours.", a.Addr), said,
			[]Step{{Do: "Ask whoever runs the server for its address, port and all; chat invite there prints one."}}}}
	case f.own(a.Addr.Addr()):
		return []Diagnosis{f.notRunning(a, said)}
	case f.diverted(a) && a.TCP != Refused:
		return []Diagnosis{f.vpn(append(f.taken(), said...))}
	case a.TCP == Refused && heard:
		return []Diagnosis{f.serverFirewall(a, append(said, "it announces itself all the same"))}
	case a.TCP == Refused:
		return []Diagnosis{f.notRunning(a, said)}
	case heard || a.UDP == Answered:
		return []Diagnosis{f.serverFirewall(a, append(said, "it answers discovery all the same"))}
	case near:
		return f.silentNeighbour(a, lan, said)
	}
	if a.By != "" && f.isTunnel(a.By) {
		return []Diagnosis{f.noBroadcast(append(said, fmt.Sprintf("what is for it goes by %s", a.By)))}
	}
	if f.Question.Name == "" {
		return nil // met somewhere else, and not asked for
	}
	return []Diagnosis{{OtherSubnet, fmt.Sprintf("The server was last at %s, which is in none of this host's networks, and nothing there answers now.", a.Addr),
		append(said, f.evidence("interfaces")...),
		[]Step{{Do: "Join the network that the server is on. If it is another on purpose, a router must lead there; then join by address:", Run: f.join(a)}}}}
}

// reachedUnheard: the server is there, and only discovery does not show it.
func (f *Facts) reachedUnheard(a *Attempt, lan Interface, near bool, said []string) []Diagnosis {
	byAddress := Step{Do: "Until then, join by address:", Run: f.join(a)}
	fixed := func(d Diagnosis) Diagnosis {
		d.Fix = append(d.Fix, byAddress)
		return d
	}
	off := Diagnosis{DiscoveryOff, "The server runs, and does not answer discovery: it was started with --no-discovery, or another program had the port.",
		said, []Step{{Do: "On the server's host: see why with the first lines that it logs; start it without --no-discovery, or end what holds the port."}, byAddress}}
	switch {
	case f.own(a.Addr.Addr()):
		if f.heldAlone() {
			return []Diagnosis{fixed(*f.held())}
		}
		return []Diagnosis{off}
	case f.isTunnel(a.By):
		return []Diagnosis{f.noBroadcast(append(said, fmt.Sprintf("what is for it goes by %s", a.By)))}
	case !near:
		return []Diagnosis{{OtherSubnet, "The server is in another network: it can be reached, but broadcasts do not cross routers.", append(said, f.evidence("interfaces")...),
			[]Step{{Do: "Join by address; chat remembers it for the name:", Run: f.join(a)}}}}
	case f.unsent(lan.Name):
		return nil // egress has said it
	case slices.Contains(f.muffled(), lan.Name):
		return []Diagnosis{fixed(*f.clientFirewall(append(said, f.evidence("broadcast")...)))}
	case a.UDP == Answered && f.Heard.Deaf == nil:
		return []Diagnosis{{BroadcastBlocked, "The network between carries datagrams to one host and loses broadcasts, as some Wi-Fi and guest networks do.", append(said, f.evidence("broadcast", "servers")...),
			[]Step{{Do: "Join by address; chat remembers it, and finds the server there without broadcasts:", Run: f.join(a)}, {Do: "Whoever runs the access point: let broadcasts pass between its clients."}}}}
	case a.UDP == Answered:
		return []Diagnosis{fixed(*f.clientFirewall(append(said, "it answers what is asked of it alone, and not what is asked of everybody")))}
	case a.UDP == Refused:
		return []Diagnosis{off}
	}
	return []Diagnosis{fixed(f.serverFirewall(a, said)), off}
}

func (f *Facts) notRunning(a *Attempt, said []string) Diagnosis {
	return Diagnosis{NotRunning, fmt.Sprintf("The server is not running: its host says that nobody listens at %s.", a.Addr), said,
		[]Step{{Do: "Ask whoever runs it to start it. If it runs, it listens at another port by now, and a firewall there keeps discovery out:"},
			{Run: serverUFW(f.Question.Port)}}}
}

// silentNeighbour: an address on a network of ours says nothing.
func (f *Facts) silentNeighbour(a *Attempt, lan Interface, said []string) []Diagnosis {
	if slices.Contains(f.muffled(), lan.Name) { // it drops what its own connections bring back, too
		return []Diagnosis{*f.clientFirewall(append(f.evidence("broadcast"), said...))}
	}
	if answers, asked := f.arp(a.Addr.Addr()); answers || !asked && a.UDP != Unreachable && a.TCP != Unreachable {
		return []Diagnosis{f.serverFirewall(a, said)}
	}
	gone := Diagnosis{HostGone, fmt.Sprintf("Nobody has the address %s any more: the server's host is off, left this network, or has another address.", a.Addr.Addr()), slices.Clone(said),
		[]Step{{Do: "See that the server's host is on, and on this network. Its address, from there:", Run: "chat invite"}}}
	isolated := Diagnosis{ClientIsolation, "The network keeps its hosts apart (client isolation, guest Wi-Fi, isolated ports).", slices.Clone(said),
		[]Step{{Do: "Use another network, or ask whoever runs this one to switch client isolation off. No setting of this program helps: nothing passes from host to host."}}}
	routers, others := f.company(lan)
	switch {
	case others != "":
		gone.Evidence = append(gone.Evidence, fmt.Sprintf("another host, %s, does answer on %s", others, lan.Name))
		return []Diagnosis{gone}
	case routers != "":
		isolated.Evidence = append(isolated.Evidence, fmt.Sprintf("the router %s answers on %s, and no other host does", routers, lan.Name))
		if lan.Wireless {
			isolated.Evidence = append(isolated.Evidence, lan.Name+" is a Wi-Fi")
		}
		return []Diagnosis{isolated, gone}
	}
	gone.Evidence = append(gone.Evidence, "no other host answers on "+lan.Name)
	return []Diagnosis{gone, isolated}
}

// company is who answers ARP on an interface: a router, and one of the others.
func (f *Facts) company(lan Interface) (router, other string) {
	gateways := f.gateways()
	for _, n := range f.Neighbours {
		switch {
		case n.Interface != lan.Name || !n.Answers:
		case slices.Contains(gateways, n.Addr):
			router = n.Addr.String()
		default:
			other = n.Addr.String()
		}
	}
	return router, other
}

func (f *Facts) serverFirewall(a *Attempt, said []string) Diagnosis {
	what := "what comes for it"
	if a.reached() {
		what = "what discovery asks"
	}
	return Diagnosis{ServerFirewall, fmt.Sprintf("The host of the server is there, and a firewall on it drops %s.", what), said,
		f.serverLetsIn(int(a.Addr.Port()))}
}

func (f *Facts) vpn(said []string) Diagnosis {
	fix := []Step{{Do: "In the VPN's settings allow the local network (split tunnel, \"allow LAN access\"), or switch the VPN off while you talk."}}
	if f.System == "linux" {
		fix = append(fix, Step{Do: "To see which way is taken:", Run: "ip route get ADDRESS"})
	}
	return Diagnosis{VPNRoute, "A VPN has taken the route of this network: what is for its hosts goes into the tunnel.", said, fix}
}

func (f *Facts) noBroadcast(said []string) Diagnosis {
	var names strings.Builder
	for _, i := range f.tunnels() {
		names.WriteString(" " + i.Name)
	}
	if said == nil {
		said = f.evidence("interfaces")
	}
	var known *Attempt
	for _, a := range f.Attempts {
		if f.isTunnel(a.By) {
			known = a
		}
	}
	return Diagnosis{NoBroadcast, fmt.Sprintf("The way to the server is a tunnel,%s, and tunnels carry no broadcasts: nobody can be found through it by name alone.", names.String()), said,
		[]Step{{Do: "Join by address; chat remembers it for the name:", Run: f.join(known)}}}
}

package doctor

import (
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"strings"

	"lanchat/discovery"
	"lanchat/internal/identity"
)

type prefix = netip.Prefix

// Diagnose says what the facts mean.
func Diagnose(f *Facts) Report {
	r := Report{Checks: f.checks()}
	heard := f.heard()
	r.Heard = len(heard) > 0
	for _, a := range f.Attempts {
		if pin, known := f.pin(a.Name); a.reached() && (!known || pin.Key == a.Key) {
			r.Reached = true
		}
	}
	r.Diagnoses = f.causes(&r, heard)
	if f.trusted(heard) != nil {
		r.Reached = false // a name that two claim, or another key: it is not known to be the one
	}
	r.clean()
	return r
}

// causes names the likely ones, the likeliest first.
func (f *Facts) causes(r *Report, heard []discovery.Server) []Diagnosis {
	if d := f.unconnected(); d != nil {
		return []Diagnosis{*d}
	}
	if d := f.trusted(heard); d != nil {
		return []Diagnosis{*d}
	}
	if r.Heard && r.Reached {
		return []Diagnosis{f.allWell(heard)}
	}
	if f.Question.NoDiscovery && r.Reached {
		return []Diagnosis{{AllWell, "A connection is made. Nothing was looked for: discovery is switched off.", f.evidence("address", "key"), nil}}
	}
	var list []Diagnosis
	add := func(d *Diagnosis) {
		if d != nil && !slices.ContainsFunc(list, func(o Diagnosis) bool { return o.Code == d.Code }) {
			list = append(list, *d)
		}
	}
	for _, a := range f.Attempts {
		if pin, known := f.pin(a.Name); known && a.reached() && pin.Key != a.Key {
			add(f.changed(pin, a.Key, a.Addr))
		}
	}
	add(f.egress())
	if len(f.Attempts) == 0 || f.Question.Name == "" && !r.Reached {
		add(f.held()) // where the server may be on this very host
	}
	// What an address proves goes before what its absence suggests.
	for _, a := range f.Attempts {
		for _, d := range f.fromAddress(a, r.Heard) {
			add(&d)
		}
	}
	if !r.Heard {
		add(f.muffling())
		add(f.held())
	}
	if len(list) == 0 {
		add(f.otherNames())
	}
	if len(list) == 0 {
		for _, d := range f.nobody() {
			add(&d)
		}
	}
	return list
}

// unconnected: this host is on no network.
func (f *Facts) unconnected() *Diagnosis {
	onThisHost := slices.ContainsFunc(f.Attempts, (*Attempt).reached)
	lans, tunnels := f.lans(), f.tunnels()
	switch {
	case !f.Up():
		return &Diagnosis{NoNetwork, "This host is on no network: no interface is up and has an address.", f.evidence("interfaces"),
			[]Step{{Do: "Plug the cable in or join the Wi-Fi, and see that the interface gets an address:", Run: f.showAddresses()}}}
	case len(lans)+len(tunnels) > 0 || onThisHost:
		return nil
	case len(f.Question.Interfaces) > 0 && !slices.ContainsFunc(f.Interfaces, func(i Interface) bool { return i.Up && f.wanted(i.Name) && len(i.Addrs) > 0 }):
		return &Diagnosis{NoInterface, fmt.Sprintf("None of the interfaces to look on is up: %s.", strings.Join(f.Question.Interfaces, ", ")), f.evidence("interfaces"),
			[]Step{{Do: "Name others with --discovery-interface, or leave it away to look on all. Is CHAT_DISCOVERY_INTERFACE set?"}}}
	case len(f.heard()) > 0:
		return nil
	case len(f.Question.Interfaces) > 0:
		return nil // the loopback alone was asked for
	case f.heldAlone():
		return f.held()
	}
	return &Diagnosis{LoopbackOnly, "This host is on no network but its own loopback, so only servers on this host can be found, and there is none.", f.evidence("interfaces", "servers"),
		[]Step{{Do: "Plug the cable in or join the Wi-Fi, and see that the interface gets an address:", Run: f.showAddresses()},
			{Do: "To open a room on this host:", Run: "chat host"}}}
}

// trusted: what is there claims to be the server, and may not be.
func (f *Facts) trusted(heard []discovery.Server) *Diagnosis {
	q := f.Question
	if q.Name == "" && !q.Addr.IsValid() {
		return nil
	}
	pin, known := f.pin(q.Name)
	if known {
		right := func(s discovery.Server) bool { return s.Key == pin.Key }
		proved := func(a *Attempt) bool { return a.reached() && a.Key == pin.Key }
		if slices.ContainsFunc(heard, right) || slices.ContainsFunc(f.Attempts, proved) {
			return nil // the others do not matter: the known key decides
		}
		for _, a := range f.Attempts {
			if a.reached() && a.Key != pin.Key {
				return f.changed(pin, a.Key, a.Addr)
			}
		}
		if len(heard) > 0 {
			d := f.changed(pin, heard[0].Key, heard[0].Addr)
			d.Evidence = append(d.Evidence, "a datagram says so, which anybody can send: no connection proved it")
			return d
		}
		return nil
	}
	d := Diagnosis{Code: SameName, Cause: fmt.Sprintf("Several servers are called %q, with different keys: which is yours, only its owner can say.", q.Name)}
	keys := map[identity.Fingerprint]bool{}
	for _, s := range heard {
		if key := identity.Fingerprint(s.Key); !keys[key] {
			keys[key] = true
			d.Evidence = append(d.Evidence, fmt.Sprintf("%s has the key %s", s.Addr, key.Words()))
			d.Fix = append(d.Fix, Step{Do: fmt.Sprintf("If the words of its key are %q:", key.Words()), Run: "chat join " + s.Addr.String()})
		}
	}
	if len(keys) < 2 || q.Addr.IsValid() {
		return nil
	}
	return &d
}

func (f *Facts) changed(pin identity.Pin, is identity.Fingerprint, at netip.AddrPort) *Diagnosis {
	return &Diagnosis{KeyChanged, fmt.Sprintf("%q was set up anew, or another machine claims its name: its key is not the known one.", pin.Name),
		[]string{"known is " + pin.Key.Words(), fmt.Sprintf("%s has %s", at, is.Words())},
		[]Step{{Do: "Ask whoever runs it for the words of its key. If they are those of the new one, forget the known one, and join again:",
			Run: "chat id forget " + f.word(pin.Name)},
			{Do: "If they are not, stay away: someone else would read what you write."}}}
}

func (f *Facts) allWell(heard []discovery.Server) Diagnosis {
	took := f.Heard.First
	if f.Lookup.Done && f.Lookup.Err == nil {
		took = f.Lookup.Took
	}
	d := Diagnosis{Code: AllWell, Evidence: f.evidence("key")}
	one := heard[0]
	for _, a := range f.Attempts {
		for _, s := range heard {
			if a.reached() && (a.Addr == s.Addr || slices.Contains(s.Others, a.Addr)) {
				one = s
			}
		}
	}
	d.Cause = fmt.Sprintf("All is well: %q is found at %s after %s, and a connection is made.", one.Name, one.Addr, ms(took))
	if len(f.muffled()) > 0 {
		d.Evidence = append(d.Evidence, f.evidence("broadcast")...)
		d.Fix = append([]Step{{Do: "It was found where it was before. A firewall here keeps servers from being found elsewhere:"}}, f.letIn()...)
	}
	if f.heldAlone() {
		d.Evidence = append(d.Evidence, f.evidence("port")...)
		d.Fix = append(d.Fix, Step{Do: "A server on this host would hear no questions while another program holds the port; this client finds others all the same."})
	}
	return d
}

// egress: this host does not let out what is to be sent.
func (f *Facts) egress() *Diagnosis {
	var refused []string
	for _, t := range f.sendTrouble() {
		if errors.Is(t.Err, errNotPermitted) {
			refused = append(refused, fmt.Sprintf("%s: %v", t.What, t.Err))
		}
	}
	if len(refused) == 0 {
		return nil
	}
	return &Diagnosis{EgressRefused, "A firewall on this host does not let discovery out. It may belong to a VPN that allows no local network.",
		append(refused[:min(len(refused), 3)], f.evidence("firewall")...), f.letOut()}
}

// held: another program has the port.
func (f *Facts) held() *Diagnosis {
	if !f.heldAlone() {
		return nil
	}
	return &Diagnosis{PortHeld, fmt.Sprintf("Another program holds UDP port %d for itself: a server on this host hears no questions, and a client here no beacons.", f.Question.Port),
		f.evidence("port"), []Step{{Do: fmt.Sprintf("End the program that holds it, then start the server anew. To see which it is: %s", f.showHolder())},
			{Do: "Or join by address, which needs no discovery:", Run: f.join(nil)}}}
}

// muffling: this host drops what it should hear.
func (f *Facts) muffling() *Diagnosis {
	lost := f.muffled()
	if len(lost) == 0 {
		return nil
	}
	return f.clientFirewall(f.evidence("broadcast"))
}

func (f *Facts) clientFirewall(evidence []string) *Diagnosis {
	if len(f.Firewalls) > 0 {
		evidence = append(evidence, f.evidence("firewall")...)
	}
	return &Diagnosis{ClientFirewall, "A firewall on this host drops the answers and beacons of servers.", evidence, f.letIn()}
}

// otherNames: it is this name that is not there.
func (f *Facts) otherNames() *Diagnosis {
	if f.Question.Name == "" || f.Question.Addr.IsValid() || len(f.Heard.Servers) == 0 {
		return nil
	}
	return &Diagnosis{UnknownName, fmt.Sprintf("Discovery works: other servers are heard, and none is called %q. It is not running, on another network, or has another name.", f.Question.Name),
		f.evidence("servers", "name"), []Step{{Do: "See what there is:", Run: "chat ls"}, {Do: "Ask whoever runs it whether it runs, and for its address:", Run: "chat join HOST:PORT"}}}
}

// nobody: nothing proves anything.
func (f *Facts) nobody() (list []Diagnosis) {
	if f.Question.NoDiscovery {
		return []Diagnosis{{NobodyAnswers, "Discovery is switched off, and no address is known that answers.", f.evidence("address"),
			[]Step{{Do: "Leave --no-discovery away, or join by address:", Run: f.join(nil)}}}}
	}
	if len(f.lans()) == 0 && len(f.tunnels()) > 0 {
		return []Diagnosis{f.noBroadcast(nil)}
	}
	if taken := f.taken(); len(taken) > 0 {
		list = append(list, f.vpn(taken))
	}
	d := Diagnosis{NobodyAnswers, "Nobody answers, and nothing here is wrong as far as can be seen. From the likeliest: no server runs on this network; a firewall on its host drops the questions; the network keeps its hosts apart.",
		f.evidence("broadcast", "servers"),
		append([]Step{{Do: "If nobody runs a room yet, open one:", Run: "chat host"}}, f.serverLetsIn(f.Question.Port)...)}
	d.Fix = append(d.Fix, Step{Do: "Whatever it is, an address needs no discovery; chat invite on the server's host prints one:", Run: f.join(nil)})
	if slices.ContainsFunc(f.lans(), func(i Interface) bool { return i.Wireless }) {
		d.Evidence = append(d.Evidence, "this network is a Wi-Fi, and many keep their clients apart")
	}
	return append(list, d)
}

// evidence is that of the checks of these names.
func (f *Facts) evidence(names ...string) (list []string) {
	for _, name := range names {
		for _, c := range f.checks() {
			if c.Name == name {
				list = append(list, c.Evidence)
			}
		}
	}
	return list
}

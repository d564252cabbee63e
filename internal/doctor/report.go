package doctor

import (
	"lanchat/internal/safetext"
)

// Report is what the doctor has to say.
type Report struct {
	Checks    []Check
	Diagnoses []Diagnosis // the likeliest first; never empty
	// Heard: discovery found a server of that name. Reached: a connection to one
	// was made, and its key is the known one, or none was known.
	Heard, Reached bool
}

// Status is how a check ended.
type Status int

// A check is Skipped where it was not made; its evidence is then the reason.
const (
	Skipped Status = iota
	OK
	Bad
)

// Check is one thing that was looked at.
type Check struct {
	Name     string
	Status   Status
	Evidence string
}

// Code names a diagnosis, for scripts.
type Code string

// The diagnoses.
const (
	AllWell          Code = "ok"                 // it is found, and can be joined
	NoNetwork        Code = "no-network"         // no interface is up
	LoopbackOnly     Code = "loopback-only"      // none but the loopback is up
	PortHeld         Code = "port-held"          // another program has the discovery port for itself
	EgressRefused    Code = "egress-refused"     // a rule on this host stops what is sent
	ClientFirewall   Code = "client-firewall"    // a rule on this host drops what comes
	ServerFirewall   Code = "server-firewall"    // the server's host lives, and drops what is asked
	ClientIsolation  Code = "client-isolation"   // the network keeps its hosts apart
	BroadcastBlocked Code = "broadcast-blocked"  // it carries unicast, and loses broadcasts
	VPNRoute         Code = "vpn-route"          // a tunnel has taken the network's route
	NoBroadcast      Code = "no-broadcast"       // the way there is a tunnel, which carries none
	OtherSubnet      Code = "other-subnet"       // the server is in another network
	NotRunning       Code = "server-not-running" // its host lives, and nothing listens
	DiscoveryOff     Code = "discovery-off"      // it runs, and does not answer discovery
	HostGone         Code = "host-gone"          // nobody has the address any more
	KeyChanged       Code = "key-changed"        // another key than the known one
	SameName         Code = "same-name"          // several servers of one name
	NotAServer       Code = "not-a-server"       // something else listens there
	UnknownName      Code = "name-not-heard"     // other servers are heard, none of that name
	NobodyAnswers    Code = "nobody-answers"     // nothing tells why
	NoInterface      Code = "no-such-interface"  // --discovery-interface names none that is up
)

// Diagnosis is a likely cause, why it is thought to be, and what to do.
type Diagnosis struct {
	Code     Code
	Cause    string
	Evidence []string
	Fix      []Step
}

// Step is something to do: in words, or as a command to be run as it is.
type Step struct {
	Do  string
	Run string
}

// clean is where what peers, other programs and file systems chose is made
// harmless: whatever stands in a report came through here.
func (r *Report) clean() {
	for i := range r.Checks {
		r.Checks[i].Evidence = safetext.Line(r.Checks[i].Evidence)
	}
	for i := range r.Diagnoses {
		d := &r.Diagnoses[i]
		d.Cause = safetext.Line(d.Cause)
		for j := range d.Evidence {
			d.Evidence[j] = safetext.Line(d.Evidence[j])
		}
		for j := range d.Fix {
			d.Fix[j].Do = safetext.Line(d.Fix[j].Do)
			d.Fix[j].Run = safetext.Line(d.Fix[j].Run)
		}
	}
}

// Found reports whether something claims to be the server, whatever it is worth.
func (r *Report) Found() bool {
	claims := r.Diagnoses[0].Code
	return r.Heard || r.Reached || claims == KeyChanged || claims == SameName || claims == NotAServer
}

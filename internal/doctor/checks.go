package doctor

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"lanchat/discovery"
	"lanchat/internal/identity"
)

// checks words what was looked at, in the order in which a person would.
func (f *Facts) checks() []Check {
	list := []Check{f.checkInterfaces(), f.checkRoutes(), f.checkPort(), f.checkSending(), f.checkEcho(), f.checkFirewall(), f.checkServers()}
	if f.Lookup.Done {
		list = append(list, f.checkName())
	}
	if len(f.Attempts) == 0 {
		list = append(list, Check{"address", Skipped, "no address is remembered that could be asked directly"})
	}
	for _, a := range f.Attempts {
		list = append(list, f.checkAddress(a))
	}
	return append(list, f.checkKey(), f.checkClock())
}

func (f *Facts) checkInterfaces() Check {
	var up, down []string
	others := false
	for _, i := range f.Interfaces {
		if !i.Up || len(i.Addrs) == 0 {
			down = append(down, i.Name)
			continue
		}
		var text strings.Builder
		text.WriteString(i.Name)
		for _, p := range i.Addrs {
			text.WriteString(" " + p.String())
		}
		switch {
		case !f.wanted(i.Name):
			text.WriteString(" (not to be used)")
		case !i.Loopback && !i.Broadcast:
			text.WriteString(" (carries no broadcasts)")
			others = true
		default:
			others = others || !i.Loopback
		}
		up = append(up, text.String())
	}
	text := strings.Join(up, ", ")
	if len(up) == 0 {
		text = "none is up and has an address"
	}
	if len(down) > 0 {
		text += fmt.Sprintf("; down or without an address: %s", strings.Join(down, ", "))
	}
	if status := verdict(others); status == OK || len(f.Heard.Servers) == 0 {
		return Check{"interfaces", status, text}
	}
	return Check{"interfaces", Skipped, text} // this host alone, which may be all that is wanted
}

func verdict(ok bool) Status {
	if ok {
		return OK
	}
	return Bad
}

func (f *Facts) checkRoutes() Check {
	if f.RoutesErr != nil {
		if by := f.taken(); len(by) > 0 {
			return Check{"routes", Bad, strings.Join(by, "; ")}
		}
		return Check{"routes", Skipped, f.RoutesErr.Error()}
	}
	if by := f.taken(); len(by) > 0 {
		return Check{"routes", Bad, strings.Join(by, "; ")}
	}
	for _, r := range f.Routes {
		if r.To.Bits() == 0 {
			return Check{"routes", OK, fmt.Sprintf("default by %s; no tunnel takes what is for this network", r.Interface)}
		}
	}
	return Check{"routes", OK, "there is no default route, which does no harm here"}
}

// taken are the routes by which a tunnel takes what is for a network of ours.
func (f *Facts) taken() (list []string) {
	for _, r := range f.Routes {
		if r.To.Bits() == 0 || !f.isTunnel(r.Interface) {
			continue
		}
		for _, i := range f.lans() {
			for _, p := range i.Addrs {
				if r.To.Bits() > p.Bits() && p.Contains(r.To.Addr()) {
					list = append(list, fmt.Sprintf("%s, of the network of %s, goes by %s", r.To, i.Name, r.Interface))
				}
			}
		}
	}
	for _, a := range f.Attempts {
		if i, near := f.lanOf(a.Addr.Addr()); near && f.diverted(a) && len(list) == 0 {
			list = append(list, fmt.Sprintf("%s is on the network of %s, and what is for it goes by %s", a.Addr.Addr(), i.Name, a.By))
		}
	}
	return list
}

// diverted reports whether what is for a neighbour leaves by an interface on
// which that is none.
func (f *Facts) diverted(a *Attempt) bool {
	lan, near := f.lanOf(a.Addr.Addr())
	if !near || a.By == "" || f.own(a.Addr.Addr()) {
		return false
	}
	for _, r := range f.Routes { // a tunnel without an address sends from another's
		if f.isTunnel(r.Interface) && r.To.Contains(a.Addr.Addr()) && slices.ContainsFunc(lan.Addrs, func(p prefix) bool { return r.To.Bits() > p.Bits() }) {
			return true
		}
	}
	return !slices.ContainsFunc(f.lans(), func(i Interface) bool {
		return i.Name == a.By && i.reaches(a.Addr.Addr())
	})
}

// heldAlone reports whether the discovery port cannot be shared: another program
// opened it for itself.
func (f *Facts) heldAlone() bool {
	if errors.Is(f.Heard.Deaf, errInUse) {
		return true
	}
	return slices.ContainsFunc(f.Heard.Trouble, func(t discovery.Trouble) bool { return errors.Is(t.Err, errInUse) })
}

func (f *Facts) holders() string {
	var list []string
	for _, h := range f.Holders {
		text := fmt.Sprintf("%s (process %d)", h.Program, h.PID)
		if h.PID == 0 {
			text = fmt.Sprintf("a program of the user with id %d", h.UID)
		}
		if !slices.Contains(list, text) {
			list = append(list, text)
		}
	}
	return strings.Join(list, ", ")
}

func (f *Facts) checkPort() Check {
	who := f.holders()
	switch {
	case f.heldAlone():
		return Check{"port", Bad, fmt.Sprintf("UDP port %d is held, and not shared, by %s", f.Question.Port, cmp.Or(who, "a program that the system does not tell"))}
	case who != "":
		return Check{"port", OK, fmt.Sprintf("UDP port %d is shared by %s", f.Question.Port, who)}
	}
	return Check{"port", OK, fmt.Sprintf("UDP port %d is free", f.Question.Port)}
}

// unsent reports whether what was to go by an interface could not be sent.
func (f *Facts) unsent(name string) bool {
	return slices.ContainsFunc(f.Heard.Trouble, func(t discovery.Trouble) bool {
		return strings.HasPrefix(t.What, "send by "+name+" ")
	})
}

// sendTrouble are the datagrams that the system did not take.
func (f *Facts) sendTrouble() (list []discovery.Trouble) {
	for _, t := range f.Heard.Trouble {
		if strings.HasPrefix(t.What, "send ") {
			list = append(list, t)
		}
	}
	return list
}

const switchedOff = "discovery is switched off"

func (f *Facts) checkSending() Check {
	if !f.Up() {
		return Check{"sending", Skipped, "there is nothing to send by"}
	}
	if f.Question.NoDiscovery {
		return Check{"sending", Skipped, switchedOff}
	}
	if f.Heard.Err != nil {
		return Check{"sending", Bad, f.Heard.Err.Error()}
	}
	if list := f.sendTrouble(); len(list) > 0 {
		return Check{"sending", Bad, fmt.Sprintf("%s: %v", list[0].What, list[0].Err)}
	}
	return Check{"sending", OK, "the system takes what is to be sent"}
}

func (f *Facts) checkEcho() Check {
	var back, lost []string
	for _, i := range f.lans() {
		switch {
		case f.echoed(i.Name):
			back = append(back, i.Name)
		case !f.unsent(i.Name):
			lost = append(lost, i.Name)
		}
	}
	switch {
	case f.Question.NoDiscovery:
		return Check{"broadcast", Skipped, switchedOff}
	case len(f.lans()) == 0:
		return Check{"broadcast", Skipped, "no interface carries broadcasts"}
	case f.Heard.Deaf != nil:
		return Check{"broadcast", Skipped, fmt.Sprintf("it could not be listened for: %v", f.Heard.Deaf)}
	case len(lost) > 0:
		return Check{"broadcast", Bad, "this host does not hear its own broadcasts by " + strings.Join(lost, ", ")}
	case len(back) == 0:
		return Check{"broadcast", Skipped, "none could be sent"}
	}
	return Check{"broadcast", OK, "this host hears its own by " + strings.Join(back, ", ")}
}

func (f *Facts) checkFirewall() Check {
	if len(f.Firewalls) == 0 {
		return Check{"firewall", Skipped, "none is known to be switched on; without root not all can be seen"}
	}
	var list []string
	for _, w := range f.Firewalls {
		list = append(list, fmt.Sprintf("%s (%s)", w.Name, w.Evidence))
	}
	return Check{"firewall", Skipped, "switched on: " + strings.Join(list, ", ")}
}

func (f *Facts) checkServers() Check {
	var here, there []string
	for _, s := range f.Heard.Servers {
		text := fmt.Sprintf("%q at %s", s.Name, s.Addr)
		if f.own(s.Addr.Addr()) {
			here = append(here, text)
		} else {
			there = append(there, text)
		}
	}
	if f.Question.NoDiscovery {
		return Check{"servers", Skipped, switchedOff}
	}
	if len(here)+len(there) == 0 {
		return Check{"servers", Bad, "none is heard"}
	}
	const most = 5
	text := ""
	for _, list := range []struct {
		where string
		names []string
	}{{"on this host: ", here}, {"on the network: ", there}} {
		if len(list.names) == 0 {
			continue
		}
		if text != "" {
			text += "; "
		}
		text += list.where + strings.Join(list.names[:min(most, len(list.names))], ", ")
		if n := len(list.names) - most; n > 0 {
			text += fmt.Sprintf(", and %d more", n)
		}
	}
	return Check{"servers", OK, fmt.Sprintf("%s; the first after %s", text, ms(f.Heard.First))}
}

func ms(d time.Duration) string { return fmt.Sprintf("%d ms", d.Milliseconds()) }

func (f *Facts) checkName() Check {
	name, l := f.Question.Name, f.Lookup
	switch {
	case l.Err == nil && len(l.Servers) > 0:
		return Check{"name", OK, fmt.Sprintf("%q is found at %s after %s", name, l.Servers[0].Addr, ms(l.Took))}
	case errors.Is(l.Err, discovery.ErrOtherKey):
		return Check{"name", Bad, fmt.Sprintf("%q is found at %s, with another key than the known one", name, l.Servers[0].Addr)}
	}
	return Check{"name", Bad, fmt.Sprintf("nobody answers to %q within %s", name, ms(l.Took))}
}

func (f *Facts) checkAddress(a *Attempt) Check {
	text := fmt.Sprintf("%s (%s", a.Addr, a.Source)
	if f.Question.Name == "" && a.Name != "" {
		text += fmt.Sprintf(", %q", a.Name)
	}
	text += fmt.Sprintf("): TCP %s", tcpWords[a.TCP])
	if a.UDP != Untried {
		text += fmt.Sprintf(", UDP %s", udpWords[a.UDP])
	}
	if a.TCP == Answered && a.TLS != nil {
		text += fmt.Sprintf("; it is no server of ours: %v", a.TLS)
	}
	if answers, asked := f.arp(a.Addr.Addr()); asked && a.TCP != Answered {
		text += map[bool]string{true: "; its host answers ARP", false: "; nobody answers ARP there"}[answers]
	}
	return Check{"address", verdict(a.reached()), text}
}

var tcpWords = map[Outcome]string{Untried: "was not tried", Answered: "connects", Refused: "is refused", Silent: "gets no answer",
	Unreachable: "finds no way there", Forbidden: "is not permitted by this host"}

var udpWords = map[Outcome]string{Answered: "answers", Refused: "is refused", Silent: "gets no answer",
	Unreachable: "finds no way there", Forbidden: "is not permitted by this host"}

func (f *Facts) checkKey() Check {
	compared := ""
	for _, a := range f.Attempts {
		pin, known := f.pin(a.Name)
		if !a.reached() || !known {
			continue
		}
		if pin.Key != a.Key {
			return Check{"key", Bad, fmt.Sprintf("%s has the key %s, and known is %s", a.Addr, a.Key.Words(), pin.Key.Words())}
		}
		compared = fmt.Sprintf("%s has the known key of %q", a.Addr, pin.Name)
	}
	if compared != "" {
		return Check{"key", OK, compared}
	}
	for _, a := range f.Attempts {
		if a.reached() {
			return Check{"key", Skipped, fmt.Sprintf("none is known to compare with; %s has: %s", a.Addr, a.Key.Words())}
		}
	}
	return Check{"key", Skipped, "no connection was made"}
}

// clockSlack is how far a clock may be behind what was written by it.
const clockSlack = 2 * time.Hour // a meeting is noted to within one

func (f *Facts) checkClock() Check {
	newest := slices.MaxFunc(append([]identity.Pin{{}}, f.Question.Pins...), func(a, b identity.Pin) int { return a.Last.Compare(b.Last) })
	if newest.Last.Sub(f.At) > clockSlack {
		return Check{"clock", Bad, fmt.Sprintf("it shows %s, and %q was met on %s", f.At.Format(time.DateTime), newest.Name, newest.Last.Format(time.DateTime))}
	}
	return Check{"clock", Skipped, "a server tells the time only with what is said in a room, and none was joined"}
}

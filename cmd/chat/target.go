package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"time"

	"lanchat/cmd/internal/serve"
	"lanchat/discovery"
	"lanchat/internal/client"
	"lanchat/internal/identity"
	"lanchat/internal/safetext"
)

// target is the server that the user means: one at an address, or the one that
// has a name.
type target struct {
	name   string
	addr   string
	key    identity.Fingerprint // zero unless it was announced, or an invitation told it
	public string               // where others reach it, if not at addr
	// Of an invitation:
	invited bool
	room    string // "": none is named
	token   string // "": there is none
}

// parseTarget tells an address from a name.
func parseTarget(s string) (target, error) {
	if rest, ok := strings.CutPrefix(s, client.InvitationScheme); ok {
		return parseInvite(rest)
	}
	if serve.HostPort.MatchString(s) {
		if _, _, err := net.SplitHostPort(s); err != nil {
			return target{}, usagef("%q is no HOST:PORT: %w", s, err)
		}
		return target{addr: s}, nil
	}
	if ip, ok := serve.Literal(s); ok {
		return target{addr: netip.AddrPortFrom(ip, discovery.DefaultPort).String()}, nil
	}
	if err := discovery.ValidName(s); err != nil {
		return target{}, usagef("%q: %w", s, err)
	}
	return target{name: s}, nil
}

func (t target) String() string {
	if t.addr != "" {
		return t.addr
	}
	return t.name
}

// pinName is the name under which the server's key is pinned: its own, when it
// is known, whatever address it has today.
func (t target) pinName() string {
	if t.name != "" {
		return t.name
	}
	return t.addr
}

// dial is how to reach the target.
func (t target) dial(d *client.Dialer) client.DialFunc {
	return func(ctx context.Context) (*client.Dialed, error) {
		link, err := d.Dial(ctx)
		if err == nil {
			link.Public = t.public
		}
		return link, err
	}
}

// files are what the client keeps in the user's config directory.
func openFiles() (*identity.Identity, *identity.Pins, error) {
	dir, err := serve.ConfigHome()
	if err != nil {
		return nil, nil, err
	}
	id, err := identity.LoadOrCreate(dir, "lanchat user")
	if err != nil {
		return nil, nil, err
	}
	pins, err := openPins()
	return id, pins, err
}

func openPins() (*identity.Pins, error) {
	dir, err := serve.ConfigHome()
	if err != nil {
		return nil, err
	}
	return identity.OpenPins(filepath.Join(dir, "servers.json"))
}

// dialer returns how to reach a target.
func (a *app) dialer(t target) (*client.Dialer, error) {
	id, pins, err := openFiles()
	if err != nil {
		return nil, err
	}
	d := &client.Dialer{Identity: id, Pins: pins, Pin: t.pinName()}
	if a.o.guest {
		d.Identity = nil
	}
	if t.invited {
		d.Invited = t.key
	}
	if t.addr != "" {
		d.Find = func(context.Context) ([]client.Candidate, error) {
			return []client.Candidate{{Addr: t.addr, Key: t.key}}, nil
		}
		return d, nil
	}
	d.Find = func(ctx context.Context) ([]client.Candidate, error) { return a.find(ctx, pins, t.name) }
	d.Last = func() []client.Candidate { return last(pins, t.name) }
	return d, nil
}

// last is where a pinned server was reached before.
func last(pins *identity.Pins, name string) (candidates []client.Candidate) {
	pin, _, err := pins.Lookup(name)
	if err != nil {
		return nil // find says so
	}
	for _, addr := range pin.Addrs {
		candidates = append(candidates, client.Candidate{Addr: addr, Key: pin.Key})
	}
	return candidates
}

// maxCandidates is how many addresses that were announced for one name are tried:
// anybody can announce any number.
const maxCandidates = 8

// find looks a name up on the network. The hosts where a pinned server was before
// are asked too, and a name that nobody answers to may be a host's.
func (a *app) find(ctx context.Context, pins *identity.Pins, name string) ([]client.Candidate, error) {
	want := discovery.Want{Name: name}
	pin, pinned, err := pins.Lookup(name)
	if err != nil {
		return nil, err
	}
	if pinned {
		want.Key = (*[discovery.KeySize]byte)(&pin.Key)
		for _, addr := range pin.Addrs {
			if ap, err := netip.ParseAddrPort(addr); err == nil {
				want.Last = append(want.Last, ap)
			}
		}
	}
	var servers []discovery.Server
	if err = errDiscoveryOff; !a.o.noDiscovery {
		servers, err = discovery.Lookup(ctx, a.o.discovery(), want)
	}
	switch {
	case errors.Is(err, discovery.ErrOtherKey):
		// A datagram proves nothing. A server that is there and proves the other key
		// is refused by the Dialer; one that was only announced is not reached.
	case errors.Is(err, discovery.ErrConflict):
		return nil, &client.FinalError{Err: conflict(name, servers)}
	case errors.Is(err, discovery.ErrNotFound):
		return a.byHostName(ctx, name, err)
	case err != nil:
		return nil, err
	}
	var candidates []client.Candidate
	for _, s := range servers {
		for _, addr := range append([]netip.AddrPort{s.Addr}, s.Others...) {
			candidates = append(candidates, client.Candidate{Addr: addr.String(), Key: s.Key})
		}
	}
	return candidates[:min(len(candidates), maxCandidates)], nil
}

// errDiscoveryOff stands for an answer that nobody was asked for.
var errDiscoveryOff = fmt.Errorf("%w: discovery is switched off", discovery.ErrNotFound)

// byHostName takes a name that was not found for a host's.
func (a *app) byHostName(ctx context.Context, name string, notFound error) ([]client.Candidate, error) {
	var candidates []client.Candidate
	if hostname.MatchString(name) {
		ctx, cancel := context.WithTimeout(ctx, 2*time.Second)
		defer cancel()
		if addrs, err := net.DefaultResolver.LookupHost(ctx, name); err == nil {
			for _, addr := range addrs {
				candidates = append(candidates, client.Candidate{Addr: net.JoinHostPort(addr, strconv.Itoa(discovery.DefaultPort))})
			}
			return candidates[:min(len(candidates), maxCandidates)], nil
		}
	}
	if a.o.noDiscovery {
		return nil, fmt.Errorf("%w, and %q is no host's name; chat join HOST:PORT goes to an address", notFound, name)
	}
	return nil, fmt.Errorf("%w: nobody here answers to %q. Is the server running, on this network? chat doctor says why not; chat join HOST:PORT goes there without looking", notFound, name)
}

// hostname is what could stand in DNS.
var hostname = regexp.MustCompile(`^[A-Za-z0-9]([A-Za-z0-9-]*[A-Za-z0-9])?(\.[A-Za-z0-9]([A-Za-z0-9-]*[A-Za-z0-9])?)*$`)

// conflict words that several servers claim one name: choosing is for a person.
func conflict(name string, servers []discovery.Server) error {
	var text strings.Builder
	text.WriteString(fmt.Sprintf("several servers are called %q, with different keys. Ask the one who runs yours for the words of its key, and join it by address:", name))
	for _, s := range servers {
		text.WriteString(fmt.Sprintf("\nchat join %s   key: %s", s.Addr, identity.Fingerprint(s.Key).Words()))
	}
	return usagef("%s", text.String())
}

// theServer is the target of commands that are given none: what --server says,
// or the only server there is.
func (a *app) theServer(ctx context.Context) (target, error) {
	if a.o.server != "" {
		return parseTarget(a.o.server)
	}
	servers, err := a.list(ctx)
	switch {
	case err != nil:
		return target{}, err
	case len(servers) == 0 && a.o.noDiscovery:
		return target{}, fmt.Errorf("%w; -s HOST:PORT goes to a server without looking", errDiscoveryOff)
	case len(servers) == 0:
		return target{}, fmt.Errorf("%w: no server can be heard; chat host NAME opens a room, -s HOST:PORT goes to one without looking, chat doctor says what is wrong", discovery.ErrNotFound)
	}
	name, err := only(servers)
	return target{name: name}, err
}

// only is the name of the one server that there is.
func only(servers []discovery.Server) (name string, err error) {
	if len(servers) == 1 {
		return servers[0].Name, nil
	}
	var text strings.Builder
	text.WriteString("there are several servers; say which with --server:")
	for _, s := range servers {
		text.WriteString(fmt.Sprintf("\n%s   %s", safetext.Line(s.Name), s.Addr))
	}
	return "", usagef("%s", text.String())
}

// list finds the servers there are: quickly when one answers, with patience
// when none does.
func (a *app) list(ctx context.Context) ([]discovery.Server, error) {
	if a.o.noDiscovery {
		return nil, nil
	}
	servers, err := discovery.List(ctx, a.everybody(), 500*time.Millisecond)
	if err == nil && len(servers) == 0 {
		servers, err = discovery.List(ctx, a.everybody(), 2*time.Second)
	}
	return servers, err
}

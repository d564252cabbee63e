package doctor

import (
	"context"
	"crypto/rand"
	"crypto/tls"
	"errors"
	"net"
	"net/netip"
	"os"
	"runtime"
	"slices"
	"strings"
	"sync"
	"time"

	"lanchat/discovery"
	"lanchat/internal/identity"
	"lanchat/protocol"
)

const (
	// connectTime is longer than systems look for a neighbour by ARP (3 s): then
	// they say that nobody is there, where a shorter wait would only be silence.
	connectTime = 3500 * time.Millisecond
	// answerTime is how long one query by unicast waits, and queries how many go.
	answerTime = 400 * time.Millisecond
	queries    = 3
)

// system is the Probes of this host.
type system struct {
	cfg    discovery.Config
	listen time.Duration
}

// System are the probes of this host. listen is for how long servers are listened
// for; 0: as long as discovery does.
func System(cfg discovery.Config, listen time.Duration) Probes {
	if cfg.Port == 0 {
		cfg.Port = discovery.DefaultPort
	}
	return &system{cfg, listen}
}

func (s *system) Now() time.Time { return time.Now() }

func (s *system) Local(context.Context) Local {
	l := Local{System: runtime.GOOS, Interfaces: interfaces(), Firewalls: firewalls(), Holders: holders(uint16(s.cfg.Port))}
	l.Routes, l.RoutesErr = routes()
	return l
}

func (s *system) Neighbours() []Neighbour { return neighbours() }

func interfaces() (list []Interface) {
	all, err := net.Interfaces()
	if err != nil {
		return nil
	}
	for _, i := range all {
		one := Interface{Name: i.Name, Up: i.Flags&net.FlagUp != 0, Broadcast: i.Flags&net.FlagBroadcast != 0,
			Loopback: i.Flags&net.FlagLoopback != 0, Wireless: wireless(i.Name)}
		var four, six []netip.Prefix
		addrs, _ := i.Addrs() // it may be gone by now
		for _, a := range addrs {
			if p, err := netip.ParsePrefix(a.String()); err == nil {
				if p.Addr().Is4() {
					four = append(four, p)
				} else if p.Addr().IsLinkLocalUnicast() {
					six = append(six, p)
				}
			}
		}
		// As package discovery does: IPv6 only where there is no IPv4.
		one.Addrs = four
		if len(four) == 0 && len(six) > 0 && i.Flags&net.FlagMulticast != 0 {
			one.Addrs, one.Broadcast = six[:1], true
		}
		list = append(list, one)
	}
	return list
}

// Ask browses for a while.
func (s *system) Ask(ctx context.Context) Heard {
	length := s.listen
	if length <= 0 {
		length = discovery.ListTime
	}
	ctx, cancel := context.WithTimeout(ctx, length)
	defer cancel()
	b, err := discovery.NewBrowser(s.cfg)
	if err != nil {
		return Heard{Err: err}
	}
	var h Heard
	began := time.Now()
	done := make(chan error, 1)
	go func() { done <- b.Run(ctx) }()
	for running := true; running; {
		select {
		case <-b.Changed():
			if h.First == 0 && len(b.Servers()) > 0 {
				h.First = time.Since(began)
			}
		case h.Err = <-done:
			running = false
		}
	}
	stats := b.Stats()
	h.Servers, h.Trouble = b.Servers(), stats.Trouble
	if runtime.GOOS == "windows" {
		h.Deaf = errors.New("this system does not tell a program its own broadcasts")
	}
	for _, t := range stats.Trouble {
		if strings.HasPrefix(t.What, "listen ") {
			h.Deaf = t.Err
		}
	}
	for _, i := range stats.Interfaces {
		if i.Own > 0 {
			h.Echo = append(h.Echo, i.Name)
		}
	}
	return h
}

func (s *system) Lookup(ctx context.Context, want discovery.Want) Lookup {
	if s.listen > 0 {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, s.listen)
		defer cancel()
	}
	began := time.Now()
	servers, err := discovery.Lookup(ctx, s.cfg, want)
	return Lookup{Done: true, Servers: servers, Took: time.Since(began), Err: err}
}

// Try asks both at once.
func (s *system) Try(ctx context.Context, addr netip.AddrPort, udp bool) Attempt {
	a := Attempt{By: way(addr.Addr())}
	var group sync.WaitGroup
	if udp {
		group.Go(func() { a.UDP = s.query(ctx, addr.Addr()) })
	}
	a.TCP, a.Key, a.TLS = connect(ctx, addr)
	group.Wait()
	return a
}

// way is the interface by which the system sends to addr. Connecting a UDP socket
// sends nothing.
func way(addr netip.Addr) string {
	c, err := net.DialUDP("udp", nil, net.UDPAddrFromAddrPort(netip.AddrPortFrom(addr, discovery.DefaultPort)))
	if err != nil {
		return ""
	}
	defer c.Close()
	local := c.LocalAddr().(*net.UDPAddr).AddrPort().Addr().Unmap()
	for _, i := range interfaces() {
		if slices.ContainsFunc(i.Addrs, func(p netip.Prefix) bool { return p.Addr() == local.WithZone("") }) && (local.Zone() == "" || local.Zone() == i.Name) {
			return i.Name
		}
	}
	return ""
}

// query asks one host by unicast, at the discovery port.
func (s *system) query(ctx context.Context, addr netip.Addr) Outcome {
	if !s.may(addr) {
		return Untried
	}
	c, err := net.DialUDP("udp", nil, net.UDPAddrFromAddrPort(netip.AddrPortFrom(addr, uint16(s.cfg.Port))))
	if err != nil {
		return outcome(err)
	}
	defer c.Close()
	defer context.AfterFunc(ctx, func() { _ = c.Close() })()
	var q discovery.Query
	rand.Read(q.Token[:])
	buf := make([]byte, discovery.MaxPacket+1)
	for n := range queries {
		q.Seq = uint32(n + 1)
		b, err := discovery.Append(nil, &q)
		if err != nil {
			return Untried
		}
		if _, err := c.Write(b); err != nil {
			return outcome(err)
		}
		_ = c.SetReadDeadline(time.Now().Add(answerTime))
		for {
			n, err := c.Read(buf)
			if errors.Is(err, os.ErrDeadlineExceeded) {
				break
			}
			if err != nil {
				return outcome(err)
			}
			p, err := discovery.Parse(buf[:n])
			if answer, ok := p.(*discovery.Answer); err == nil && ok && answer.Token == q.Token {
				return Answered
			}
		}
	}
	return Silent
}

// may reports whether an address may be sent datagrams: named interfaces keep
// everything on their own networks.
func (s *system) may(addr netip.Addr) bool {
	return len(s.cfg.Interfaces) == 0 || slices.ContainsFunc(interfaces(), func(i Interface) bool {
		return slices.Contains(s.cfg.Interfaces, i.Name) &&
			i.reaches(addr)
	})
}

// connect makes a TLS connection and closes it. What comes of TCP and what comes
// of TLS are told apart.
func connect(ctx context.Context, addr netip.AddrPort) (Outcome, identity.Fingerprint, error) {
	for again := true; ; again = false {
		nc, err := (&net.Dialer{Timeout: connectTime}).DialContext(ctx, "tcp", addr.String())
		if err != nil {
			return outcome(err), identity.Fingerprint{}, nil
		}
		t := tls.Client(nc, identity.GuestTLS(nil))
		shake, cancel := context.WithTimeout(ctx, connectTime)
		err = protocol.Greeted(t.HandshakeContext(shake))
		cancel()
		key, _ := identity.PeerFingerprint(t.ConnectionState())
		_ = t.Close()
		if errors.Is(err, protocol.ErrGreeted) && again {
			continue // it took us for a person, on a slow network
		}
		return Answered, key, err
	}
}

func outcome(err error) Outcome {
	switch timeout, ok := errors.AsType[net.Error](err); {
	case errors.Is(err, errRefused):
		return Refused
	case errors.Is(err, errNotPermitted):
		return Forbidden
	case errors.Is(err, errHostUnreachable), errors.Is(err, errNetUnreachable):
		return Unreachable
	case ok && timeout.Timeout():
		return Silent
	}
	return Silent
}

func (s *system) Stir(ctx context.Context, addrs []netip.Addr) {
	for _, addr := range addrs[:min(len(addrs), 4)] {
		if s.may(addr) {
			s.stir(addr)
		}
	}
}

func (s *system) stir(addr netip.Addr) {
	c, err := net.DialUDP("udp4", nil, net.UDPAddrFromAddrPort(netip.AddrPortFrom(addr, uint16(s.cfg.Port))))
	if err != nil {
		return
	}
	defer c.Close()
	var q discovery.Query
	rand.Read(q.Token[:])
	if b, err := discovery.Append(nil, &q); err == nil {
		_, _ = c.Write(b)
	}
}

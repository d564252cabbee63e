// Package serve puts one server together: its key, its log, the engine behind a
// TCP listener, and the beacon that makes it known. It is the place where the
// stream and the datagram meet, and is shared by chatd and by chat host.
package serve

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"time"
	"unicode"

	"lanchat/discovery"
	"lanchat/internal/access"
	"lanchat/internal/diskspace"
	"lanchat/internal/identity"
	"lanchat/internal/passphrase"
	"lanchat/internal/roomlog"
	"lanchat/internal/server"
)

// DefaultListen is where a server listens unless it is told otherwise. When
// this port is taken, another one does too: discovery carries it.
const DefaultListen = ":25252"

// Config says what server to run.
type Config struct {
	Name        string
	Listen      string // HOST:PORT; empty: DefaultListen, or any port when that is taken
	Data        string // the directory of this server's key and log
	Memory      bool   // keep the log in memory: it ends with the server
	Keep        roomlog.Keep
	DiskFloor   int64 // bytes of the file system of Data that stay free; 0: see diskspace.Space.Floor; below 0: none
	NoDiscovery bool
	Discovery   discovery.Config
	PostRate    int                    // 0: the default
	PerAddress  int                    // connections from one address; 0: the default
	Metrics     string                 // IP:PORT of metrics, health and profiles; empty: there are none
	Webhook     string                 // IP:PORT at which the webhook listens; empty: there is none
	Admins      []identity.Fingerprint // whose keys may do everything on this server
	AdminsFile  string                 // where more of them are listed; see access.ParseAdmins
	// PassphraseFile has the passphrase that newcomers need; empty: none is asked for.
	PassphraseFile string
	NoGuests       bool // nobody comes in without a key
	Software       string
	Logger         *slog.Logger
}

// Server is a running server. Stop ends it.
type Server struct {
	Name string
	Addr netip.AddrPort // where it can be reached on this network, as far as is known
	Key  identity.Fingerprint
	// DiscoveryProblem says why the server cannot be found by name; nil when it can.
	DiscoveryProblem error
	Webhook          netip.AddrPort // zero unless there is one
	Metrics          netip.AddrPort // the same

	bound  netip.AddrPort
	stop   context.CancelFunc
	group  sync.WaitGroup
	cfg    Config
	secret atomic.Pointer[passphrase.Secret]
	engine *server.Server
	log    roomlog.Log
	failed error
	ended  chan struct{}
}

// Start starts a server and returns when it can be reached and found. The
// server runs until Stop is called or it fails; see Ended.
func Start(cfg Config) (*Server, error) {
	if err := ValidName(cfg.Name); err != nil {
		return nil, err
	}
	if cfg.Logger == nil {
		cfg.Logger = slog.New(slog.DiscardHandler)
	}
	s := &Server{Name: cfg.Name, cfg: cfg, ended: make(chan struct{})}
	if cfg.PassphraseFile != "" {
		if err := s.ReloadPassphrase(); err != nil {
			return nil, err
		}
	}
	admins, err := cfg.readAdmins()
	if err != nil {
		return nil, err
	}
	id, err := identity.LoadOrCreate(cfg.Data, cfg.Name)
	if err != nil {
		return nil, err
	}
	l, err := listen(cfg.Listen)
	if err != nil {
		return nil, err
	}
	hook, status, err := cfg.listenAll()
	if err != nil {
		l.Close()
		return nil, err
	}
	log, err := openLog(cfg)
	if err != nil {
		closeAll(l, hook, status)
		return nil, err
	}
	rules, err := access.Open(log, nil)
	if err != nil {
		closeAll(l, hook, status)
		return nil, errors.Join(err, log.Close())
	}
	rules.SetAdmins(admins)
	bound := l.Addr().(*net.TCPAddr).AddrPort()
	s.bound, s.Key, s.Addr, s.log = unmapped(bound), id.Fingerprint(), reachable(bound, cfg.Discovery.Interfaces), log
	ctx, stop := context.WithCancel(context.Background())
	s.stop = stop

	var announcer atomic.Pointer[discovery.Announcer]
	engine := server.New(server.Config{
		Name: cfg.Name, Software: cfg.Software, Log: s.log, Rules: rules, TLS: id.ServerTLS(), Logger: cfg.Logger,
		Limits: server.Limits{PostRate: cfg.PostRate, AddressConns: cfg.PerAddress}, Secret: s.secret.Load, NoGuests: cfg.NoGuests, Disk: cfg.disk(),
		OnPeople: func(n int) {
			if a := announcer.Load(); a != nil {
				a.SetPeople(n)
			}
		},
	})
	s.engine = engine
	s.group.Go(func() {
		if err := engine.Serve(ctx, l); !errors.Is(err, server.ErrServerClosed) {
			s.failed = err
		}
		stop()
	})
	s.group.Go(func() { giveBack(ctx, func() uint64 { return engine.Stats().Accepted }) })
	if hook != nil {
		s.runWebhook(ctx, cfg, hook, engine)
	}
	if status != nil {
		s.runStatus(ctx, cfg, status, engine)
	}
	if cfg.NoDiscovery {
		s.DiscoveryProblem = errors.New("discovery is switched off")
	} else {
		s.announce(ctx, cfg, discovery.Announcement{Name: cfg.Name, Key: s.Key, Listen: unmapped(bound), Flags: cfg.flags()}, &announcer)
	}
	go func() {
		s.group.Wait()
		if err := s.log.Close(); err != nil && s.failed == nil {
			s.failed = err
		}
		close(s.ended)
	}()
	return s, nil
}

// flags tell a newcomer what is needed.
func (cfg *Config) flags() (f discovery.Flags) {
	if cfg.PassphraseFile != "" {
		f |= discovery.FlagPassphrase
	}
	if cfg.NoGuests {
		f |= discovery.FlagNoGuests
	}
	return f
}

// disk asks for the space where the log is; nil: none need stay free.
func (cfg *Config) disk() func() (free, floor int64, err error) {
	if cfg.Memory || cfg.DiskFloor < 0 {
		return nil
	}
	dir, floor := cfg.Data, cfg.DiskFloor
	return func() (int64, int64, error) {
		space, err := diskspace.Of(dir)
		if floor > 0 {
			return space.Free, floor, err
		}
		return space.Free, space.Floor(), err
	}
}

func openLog(cfg Config) (roomlog.Log, error) {
	if cfg.Memory {
		return roomlog.Local(roomlog.NewMemory()), nil
	}
	store, err := roomlog.OpenSQLite(cfg.Data)
	if err != nil {
		return nil, err
	}
	if err := store.Retain(cfg.Keep, func(reason string) { cfg.Logger.Warn("the log is larger than --keep says", "reason", reason) }); err != nil {
		return nil, errors.Join(err, store.Close())
	}
	return roomlog.Local(store), nil
}

// HostPort matches what chat join takes for an address: digits stand behind the
// last colon. (A bare IPv6 address has no port.)
var HostPort = regexp.MustCompile(`^(\[[^\[\]]+\]|[^:]*):[0-9]+$`)

// ValidName reports why a server cannot be called name.
func ValidName(name string) error {
	if HostPort.MatchString(name) {
		return fmt.Errorf("%q would be taken for an address: a name does not end with a colon and digits", name)
	}
	if _, ok := Literal(name); ok {
		return fmt.Errorf("%q would be taken for an address", name)
	}
	return discovery.ValidName(name)
}

// Literal is the IP address that s is, with or without a zone and brackets.
func Literal(s string) (netip.Addr, bool) {
	if inner, ok := strings.CutPrefix(s, "["); ok {
		if s, ok = strings.CutSuffix(inner, "]"); !ok {
			return netip.Addr{}, false
		}
	}
	ip, err := netip.ParseAddr(s)
	return ip.Unmap(), err == nil
}

// announce makes the server known, and waits until it is or cannot be.
func (s *Server) announce(ctx context.Context, cfg Config, ann discovery.Announcement, running *atomic.Pointer[discovery.Announcer]) {
	cfg.Discovery.Logger = cfg.Logger
	a, err := discovery.NewAnnouncer(cfg.Discovery, ann)
	if err != nil {
		s.DiscoveryProblem = err
		return
	}
	running.Store(a)
	s.group.Go(func() { _ = a.Run(ctx) }) // it ends with ctx and has nothing to say
	<-a.Ready()
	s.DiscoveryProblem = a.Problem()
}

// Ended is closed when the server has ended; Err then says why, nil after Stop.
func (s *Server) Ended() <-chan struct{} { return s.ended }

// Err returns why the server has ended. It is valid once Ended is closed.
func (s *Server) Err() error { return s.failed }

// Stop says goodbye to everybody and returns when everything has ended.
func (s *Server) Stop() error {
	s.stop()
	<-s.ended
	return s.failed
}

// Local is the address under which this machine reaches the server.
func (s *Server) Local() string {
	host := s.bound.Addr()
	if host.IsUnspecified() {
		host = netip.AddrFrom4([4]byte{127, 0, 0, 1})
	}
	return netip.AddrPortFrom(host, s.bound.Port()).String()
}

func listen(addr string) (net.Listener, error) {
	given := addr != ""
	if !given {
		addr = DefaultListen
	}
	l, err := net.Listen("tcp", addr)
	if errors.Is(err, syscall.EADDRINUSE) && !given {
		l, err = net.Listen("tcp", ":0")
	}
	if err != nil {
		return nil, fmt.Errorf("cannot listen on %s: %w", addr, err)
	}
	return l, nil
}

func unmapped(a netip.AddrPort) netip.AddrPort { return netip.AddrPortFrom(a.Addr().Unmap(), a.Port()) }

// reachable is the address to tell people: the bound one, or for a wildcard the
// first of an interface in use, the loopback's only when there is no other.
func reachable(bound netip.AddrPort, only []string) netip.AddrPort {
	bound = unmapped(bound)
	if !bound.Addr().IsUnspecified() {
		return bound
	}
	best := netip.AddrFrom4([4]byte{127, 0, 0, 1})
	links, err := net.Interfaces()
	if err != nil {
		return netip.AddrPortFrom(best, bound.Port())
	}
	for _, link := range links {
		if link.Flags&net.FlagUp == 0 || link.Flags&net.FlagLoopback != 0 || len(only) > 0 && !contains(only, link.Name) {
			continue
		}
		addrs, err := link.Addrs()
		if err != nil {
			continue
		}
		for _, a := range addrs {
			if p, err := netip.ParsePrefix(a.String()); err == nil && p.Addr().Is4() && best.IsLoopback() {
				best = p.Addr()
			}
		}
	}
	return netip.AddrPortFrom(best, bound.Port())
}

// Reachable is where a port of this machine can be reached on this network, as far as
// is known.
func Reachable(port uint16) netip.AddrPort {
	return reachable(netip.AddrPortFrom(netip.IPv4Unspecified(), port), nil)
}

func contains(list []string, s string) bool {
	return slices.Contains(list, s)
}

// DataDir is the directory of a server's key, one for each name, below base. A
// name may have any letters; the directory's has harmless ones only.
func DataDir(base, name string) string {
	safe := strings.Map(func(r rune) rune {
		if unicode.IsLetter(r) || unicode.IsDigit(r) || r == '-' || r == '_' {
			return unicode.ToLower(r)
		}
		return '_'
	}, name)
	return filepath.Join(base, "servers", safe)
}

// DefaultName is what a server is called that nobody has named: after its host.
func DefaultName() string {
	host, err := os.Hostname()
	host, _, _ = strings.Cut(host, ".")
	if err != nil || discovery.ValidName(host) != nil {
		return "lanchat"
	}
	return host
}

// Confirm reports whether a server still accepts connections: what is asked
// before a goodbye is believed.
func Confirm(ctx context.Context, addr netip.AddrPort) bool {
	ctx, cancel := context.WithTimeout(ctx, 2*time.Second)
	defer cancel()
	nc, err := new(net.Dialer).DialContext(ctx, "tcp", addr.String())
	if err != nil {
		return false
	}
	nc.Close()
	return true
}

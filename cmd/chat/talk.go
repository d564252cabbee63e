package main

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"lanchat/cmd/internal/serve"
	"lanchat/discovery"
	"lanchat/internal/client"
	"lanchat/internal/identity"
	"lanchat/internal/lines"
	"lanchat/internal/tui"
	"lanchat/protocol"

	"github.com/spf13/cobra"
)

func (a *app) joinCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "join [NAME|HOST[:PORT]|chat://…]",
		Short: "Join a server by name, address or invitation",
		Long: `join finds the server by its name on this network, or goes to an address:
digits behind the last colon are a port; without one it is 25252. A name that
nobody answers to is tried as a host's. A server that was joined before is also
tried where it was then, so that it is found where no broadcast arrives. What
begins with chat:// is an invitation, as chat invite makes it.`,
		Example: `  chat join "Hack Night"
  chat join 192.168.1.5:25252 -r build
  chat join 'chat://192.168.1.5:25252/build?t=k7ofr…#5b0c…'
  chat join fe80::5%eth0        an IPv6 address of this network, by eth0
  chat join chat.example.org    a host, where no room has that name`,
		Args: cobra.MaximumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			if len(args) == 0 && a.o.server == "" {
				return a.start(cmd, args)
			}
			if len(args) == 1 {
				a.o.server = args[0]
			}
			t, err := parseTarget(a.o.server)
			if err != nil {
				return err
			}
			return a.joinTarget(cmd.Context(), t)
		},
	}
}

func (a *app) hostCommand() *cobra.Command {
	var h hosting
	cmd := &cobra.Command{
		Use:   "host [NAME]",
		Short: "Open a room on this machine, and join it",
		Long: `host starts a server in this program, makes it known on this network, and
joins it. What was said is there again when you host the same name again;
chatd runs a room that stays when you leave. You are its admin: /help shows
what an admin may, such as /kick and /ban. With --passphrase-file newcomers are
asked for what stands in the FILE.`,
		Example: `  chat host "Hack Night"
  chat host "Hack Night" --no-discovery   for who is told the address
  chat host "Hack Night" --passphrase-file ~/hack-night.txt
  chat host "Hack Night" --keep 30d       forget what is older than 30 days`,
		Args: cobra.MaximumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			name := serve.DefaultName()
			if len(args) == 1 {
				name = args[0]
			}
			if err := serve.ValidName(name); err != nil {
				return usagef("%w", err)
			}
			if err := h.keep.Check(h.memory); err != nil {
				return usagef("%w", err)
			}
			return a.host(cmd.Context(), name, h)
		},
	}
	cmd.Flags().StringVar(&h.listen, "listen", "", "`ADDR`ess to listen on; without it port 25252, or any one when that is taken")
	cmd.Flags().BoolVar(&h.noGuests, "no-guests", false, "admit nobody without a key")
	cmd.Flags().BoolVar(&h.memory, "memory", false, "keep what is said in memory only: it ends with the program")
	cmd.Flags().Var(&h.keep, "keep", serve.KeepUsage)
	return cmd
}

// hosting is how to host.
type hosting struct {
	listen   string
	memory   bool
	keep     serve.KeepFlag
	noGuests bool
}

// start is chat without a command.
func (a *app) start(cmd *cobra.Command, _ []string) error {
	ctx := cmd.Context()
	a.record()
	if a.o.server != "" || a.plain() {
		t, err := a.theServer(ctx)
		if err != nil {
			return err
		}
		return a.join(ctx, t)
	}
	if err := a.introduce(ctx); err != nil {
		return err
	}
	if !a.o.noDiscovery {
		fmt.Fprintln(a.err, "Looking for rooms on this network …")
	}
	servers, err := a.list(ctx)
	if err != nil {
		return err
	}
	if len(servers) == 1 {
		return a.join(ctx, target{name: servers[0].Name})
	}
	return a.choose(ctx)
}

// plain reports whether to talk by plain lines.
func (a *app) plain() bool { return a.o.plain || !a.terminal }

// joinTarget is join for what the user has typed, which may be an invitation.
func (a *app) joinTarget(ctx context.Context, t target) error {
	if t.room != "" {
		a.o.room = t.room
	}
	return a.join(ctx, t)
}

// join talks with a server until the user leaves.
func (a *app) join(ctx context.Context, t target) error {
	a.record()
	if err := a.introduce(ctx); err != nil {
		return err
	}
	d, err := a.dialer(t)
	if err != nil {
		return err
	}
	return a.talk(ctx, d, t)
}

// host runs a server and talks with it.
func (a *app) host(ctx context.Context, name string, h hosting) error {
	a.record()
	if err := a.introduce(ctx); err != nil {
		return err
	}
	id, _, err := openFiles()
	if err != nil {
		return err
	}
	home, err := serve.DataHome()
	if err != nil {
		return err
	}
	s, err := serve.Start(serve.Config{Name: name, Listen: h.listen, Memory: h.memory, Keep: h.keep.Keep, Data: serve.DataDir(home, name),
		PassphraseFile: a.o.passphraseFile, NoGuests: h.noGuests,
		Admins: []identity.Fingerprint{id.Fingerprint()}, NoDiscovery: a.o.noDiscovery, Discovery: a.o.discovery(), Software: serve.Software()})
	if err != nil {
		return err
	}
	if s.DiscoveryProblem != nil {
		text := fmt.Sprintf("People may not find this room by name, but can join it: chat join %s (%v)", s.Addr, s.DiscoveryProblem)
		if a.plain() {
			fmt.Fprintln(a.err, "chat: "+text)
		}
		a.remarks = append(a.remarks, text)
	}
	err = a.talk(ctx, &client.Dialer{Identity: id, Find: func(context.Context) ([]client.Candidate, error) {
		return []client.Candidate{{Addr: s.Local(), Key: s.Key}}, nil
	}}, target{addr: s.Local(), public: s.Addr.String()})
	if stopped := s.Stop(); err == nil {
		err = stopped
	}
	return err
}

// talk runs a client with a screen or with plain lines.
func (a *app) talk(ctx context.Context, d *client.Dialer, t target) error {
	rooms := []string{protocol.DefaultRoom}
	if a.o.room != protocol.DefaultRoom {
		rooms = append(rooms, a.o.room)
	}
	home, err := serve.DataHome()
	if err != nil {
		return err
	}
	cfg := client.Config{Dial: t.dial(d), Token: t.token, Nick: a.o.nick, Software: serve.Software(), Rooms: rooms, Journals: filepath.Join(home, "unsent")}
	if a.recorder != nil {
		cfg.Watch = a.recorder.stream
	}
	patience := screenWaits
	if a.plain() {
		patience = linesWait
	}
	return a.withClient(ctx, cfg, patience, func(ctx context.Context, c *client.Client) error {
		if a.plain() {
			return lines.Plain(ctx, lines.PlainConfig{Engine: c, In: a.in, Out: a.out, Room: a.o.room})
		}
		return tui.Run(ctx, a.screen(c))
	})
}

// withClient runs a client for as long as use runs. Where the server asks for a
// passphrase, and there is somebody to ask for it, it is asked for, and the client
// begins again.
func (a *app) withClient(ctx context.Context, cfg client.Config, patience time.Duration, use func(context.Context, *client.Client) error) error {
	if err := a.givenPassphrase(&cfg); err != nil {
		return err
	}
	for tries := 0; ; tries++ {
		err := a.once(ctx, cfg, patience, use)
		if !client.NeedsPassphrase(err) {
			return err
		}
		key, err := a.askPassphrase(ctx, cfg, err, tries)
		if err != nil {
			return err
		}
		cfg.Passphrase = key
	}
}

// How long use waits for the first connection. So a passphrase is asked for before
// there is a screen, and before anything reads what is typed.
const (
	screenWaits = 700 * time.Millisecond
	linesWait   = time.Hour
)

// once is withClient with the passphrase that there is. It does without use where the
// client is refused.
func (a *app) once(ctx context.Context, cfg client.Config, patience time.Duration, use func(context.Context, *client.Client) error) error {
	// When ctx ends, what use says last is still to be kept.
	running, cancel := context.WithCancel(context.WithoutCancel(ctx))
	defer cancel()
	using, stop := context.WithCancel(ctx)
	defer stop()
	c := client.New(cfg)
	done := make(chan error, 1)
	go func() {
		err := c.Run(running) // it comes out as the event GaveUp too
		done <- err
		if client.NeedsPassphrase(err) {
			stop()
		}
	}()
	var refused error
	select {
	case err := <-c.Tried():
		if _, said := errors.AsType[*protocol.Error](err); said || client.Refusal(err) {
			refused = err
		}
	case <-time.After(patience):
	case <-ctx.Done():
	}
	err := refused
	if refused == nil {
		err = use(using, c)
	}
	cancel()
	for range c.Events() {
	}
	if ended := <-done; client.NeedsPassphrase(ended) && ctx.Err() == nil {
		return ended
	}
	return err
}

// withServer finds the server and runs a client on it, for as long as use runs
// and --timeout allows.
func (a *app) withServer(ctx context.Context, cfg client.Config, use func(context.Context, *client.Client) error) error {
	if a.o.timeout > 0 {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeoutCause(ctx, a.o.timeout, fmt.Errorf("not done within %v", a.o.timeout))
		defer cancel()
	}
	t, err := a.theServer(ctx)
	if err != nil {
		return err
	}
	d, err := a.dialer(t)
	if err != nil {
		return err
	}
	cfg.Dial, cfg.Nick, cfg.Software, cfg.Token = t.dial(d), a.o.nick, serve.Software(), t.token
	return a.withClient(ctx, cfg, linesWait, use)
}

// choose lets the user pick a server, or host one.
func (a *app) choose(ctx context.Context) error {
	cfg := tui.PickConfig{Host: serve.DefaultName(), CheckName: serve.ValidName,
		CheckAddress: func(text string) error { _, err := parseTarget(text); return err }, Settings: a.settings}
	var choice tui.Choice
	pick := func(ctx context.Context) (err error) {
		choice, err = tui.Pick(ctx, cfg)
		return err
	}
	var found []discovery.Server
	var err error
	if a.o.noDiscovery {
		err = pick(ctx)
	} else {
		err = a.browse(ctx, func(ctx context.Context, b *discovery.Browser) error {
			cfg.Found = asFound(b)
			err := pick(ctx)
			found = b.Servers()
			return err
		})
	}
	switch {
	case err != nil:
		return err
	case choice.Host:
		return a.host(ctx, choice.Name, hosting{})
	case choice.Address != "":
		t, err := parseTarget(choice.Address)
		if err != nil {
			return err
		}
		return a.joinTarget(ctx, t)
	}
	t := target{name: choice.Server.Name, addr: choice.Server.Addr}
	for _, s := range found {
		if s.Addr.String() == t.addr {
			t.key = s.Key // what was announced there, and no other
		}
	}
	return a.join(ctx, t)
}

// met returns the keys of the servers that were met before, by their names.
func met() map[string]identity.Fingerprint {
	keys := map[string]identity.Fingerprint{}
	if pins, err := openPins(); err == nil {
		all, _ := pins.All() // what is wrong with them is said when one is joined
		for _, pin := range all {
			keys[strings.ToLower(pin.Name)] = pin.Key
		}
	}
	return keys
}

// browse keeps a list of the servers for as long as use runs.
func (a *app) browse(ctx context.Context, use func(context.Context, *discovery.Browser) error) error {
	b, err := discovery.NewBrowser(a.everybody())
	if err != nil {
		return err
	}
	ctx, stop := context.WithCancelCause(ctx)
	done := make(chan struct{})
	go func() {
		defer close(done)
		stop(b.Run(ctx))
	}()
	err = use(ctx, b)
	stop(nil)
	<-done
	return err
}

// everybody is the configuration to look for all servers: those that were met before
// are known, and the hosts of the latest of them are asked even where no broadcast
// reaches them.
func (a *app) everybody() discovery.Config {
	cfg := a.o.discovery()
	pins, err := openPins()
	if err != nil {
		return cfg
	}
	all, _ := pins.All() // as in met
	pinned := map[identity.Fingerprint]bool{}
	slices.SortFunc(all, func(x, y identity.Pin) int { return y.Last.Compare(x.Last) })
	for _, pin := range all {
		pinned[pin.Key] = true
		if len(pin.Addrs) == 0 || len(cfg.Last) == maxLast {
			continue
		}
		if addr, err := netip.ParseAddrPort(pin.Addrs[0]); err == nil {
			cfg.Last = append(cfg.Last, addr)
		}
	}
	cfg.Known = func(key [discovery.KeySize]byte) bool { return pinned[key] }
	return cfg
}

// maxLast is how many hosts of servers that were met before are asked.
const maxLast = 16

// asFound is how the screen gets a browser's servers.
func asFound(b *discovery.Browser) func() []tui.Server {
	known := met()
	return func() []tui.Server { return shown(b.Servers(), known) }
}

func shown(servers []discovery.Server, known map[string]identity.Fingerprint) (out []tui.Server) {
	for _, s := range servers {
		one := tui.Server{Name: s.Name, Addr: s.Addr.String(), People: s.People, KeyWords: identity.Fingerprint(s.Key).Words(), Seen: s.Seen, RoundTrip: s.RoundTrip,
			Passphrase: s.Flags&discovery.FlagPassphrase != 0, NoGuests: s.Flags&discovery.FlagNoGuests != 0}
		if pinned, ok := known[strings.ToLower(s.Name)]; ok {
			if one.Known = pinned == s.Key; !one.Known {
				one.Warning = "When you met this name it had another key: " + pinned.Words()
			}
		}
		out = append(out, one)
	}
	return out
}

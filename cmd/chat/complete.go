package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
	"slices"
	"strings"
	"time"

	"lanchat/cmd/internal/serve"
	"lanchat/cmd/internal/shell"
	"lanchat/discovery"
	"lanchat/internal/identity"
	"lanchat/internal/safetext"
	"lanchat/protocol"

	"github.com/spf13/cobra"
)

// Somebody waits for these, with a finger on Tab.
const (
	completeServers = 300 * time.Millisecond // to hear who is there
	completeRooms   = time.Second            // to be told the rooms, all in all
)

// maxOffered is how many completions are shown: anybody can announce any number.
const maxOffered = 100

// completions has the shell complete servers, rooms and interfaces, and files only
// where a file is meant.
func (a *app) completions(root *cobra.Command) {
	shell.Add(root, func() *cobra.Command {
		return (&app{in: strings.NewReader(""), out: io.Discard, err: io.Discard}).command()
	})
	_ = root.RegisterFlagCompletionFunc("server", a.completeServer)
	_ = root.RegisterFlagCompletionFunc("room", a.completeRoom)
	_ = root.RegisterFlagCompletionFunc("discovery-interface", completeInterface)
	shell.Finish(root, func(cmd *cobra.Command) cobra.CompletionFunc {
		switch {
		case takesServer(cmd):
			return a.completeOneServer
		case cmd.CommandPath() == "chat id forget":
			return completePinned
		}
		return nil
	})
}

// takesServer reports whether a command's argument is a server.
func takesServer(cmd *cobra.Command) bool {
	_, args, _ := strings.Cut(cmd.Use, " ")
	return strings.HasPrefix(args, "[NAME|HOST") || strings.HasPrefix(args, "NAME|HOST")
}

func (a *app) completeOneServer(cmd *cobra.Command, args []string, typed string) ([]cobra.Completion, cobra.ShellCompDirective) {
	if len(args) > 0 {
		return nil, cobra.ShellCompDirectiveNoFileComp
	}
	return a.completeServer(cmd, args, typed)
}

// completeServer offers the servers that can be heard now; with --no-discovery
// those that were met before.
func (a *app) completeServer(cmd *cobra.Command, _ []string, _ string) ([]cobra.Completion, cobra.ShellCompDirective) {
	servers, ok := a.hear(cmd)
	if !ok {
		return completePinned(cmd, nil, "")
	}
	var offers []cobra.Completion
	for _, s := range servers {
		offers = offer(offers, s.Name, fmt.Sprintf("%s, %d here", s.Addr, s.People))
	}
	return offers, cobra.ShellCompDirectiveNoFileComp
}

// hear lists who is there now. It is false where that is not wanted.
func (a *app) hear(cmd *cobra.Command) ([]discovery.Server, bool) {
	if fromEnvironment(cmd.Flags()) != nil || a.o.noDiscovery {
		return nil, false
	}
	servers, _ := discovery.List(cmd.Context(), a.everybody(), completeServers) // what was heard until an error is offered
	return servers, true
}

// completePinned offers the names of the servers that were met before.
func completePinned(*cobra.Command, []string, string) (offers []cobra.Completion, _ cobra.ShellCompDirective) {
	for _, pin := range allPins() {
		offers = offer(offers, pin.Name, "key: "+pin.Key.Words())
	}
	return offers, cobra.ShellCompDirectiveNoFileComp
}

func allPins() []identity.Pin {
	pins, err := openPins()
	if err != nil {
		return nil
	}
	all, _ := pins.All() // completion has no place for errors
	return all
}

// completeRoom offers the rooms of the server that is meant, if its key is pinned:
// nobody is to trust a server because Tab was pressed.
func (a *app) completeRoom(cmd *cobra.Command, args []string, _ string) ([]cobra.Completion, cobra.ShellCompDirective) {
	ctx, cancel := context.WithTimeout(cmd.Context(), completeRooms)
	defer cancel()
	offers := []cobra.Completion{protocol.DefaultRoom}
	if t, ok := a.meant(cmd, args); ok {
		for _, r := range a.roomsOf(ctx, t) {
			if r.Room != protocol.DefaultRoom && protocol.ValidRoom(r.Room) == nil {
				offers = offer(offers, r.Room, fmt.Sprintf("%d here", r.Count))
			}
		}
	}
	return offers, cobra.ShellCompDirectiveNoFileComp
}

// meant is the server of a command line that is being written.
func (a *app) meant(cmd *cobra.Command, args []string) (target, bool) {
	if fromEnvironment(cmd.Flags()) != nil {
		return target{}, false
	}
	name := a.o.server
	if takesServer(cmd) && len(args) > 0 {
		name = args[0]
	}
	if name == "" {
		servers, _ := a.hear(cmd)
		if len(servers) != 1 {
			return target{}, false
		}
		return target{name: servers[0].Name}, true
	}
	t, err := parseTarget(name)
	return t, err == nil && t.key == (identity.Fingerprint{})
}

// roomsOf asks a server that was met before for its rooms, as a guest: the user's
// key and nick are not shown for it, nothing is written down.
func (a *app) roomsOf(ctx context.Context, t target) []protocol.RoomInfo {
	i := slices.IndexFunc(allPins(), func(p identity.Pin) bool {
		return t.name != "" && discovery.SameName(p.Name, t.name) || t.addr != "" && (p.Name == t.addr || slices.Contains(p.Addrs, t.addr))
	})
	if i < 0 {
		return nil
	}
	pin := allPins()[i]
	addrs := []string{t.addr}
	if t.addr == "" {
		addrs = a.whereNow(ctx, pin)
	}
	config := protocol.ClientTLS(nil, protocol.Pinned(pin.Key, errors.New("it has another key")))
	for _, addr := range addrs[:min(len(addrs), maxCandidates)] {
		c, _, err := protocol.Dial(ctx, addr, config, &protocol.Hello{Software: serve.Software(), Nick: "completion", Bot: true})
		if err != nil {
			continue
		}
		defer context.AfterFunc(ctx, func() { c.Close() })()
		defer c.Close()
		if c.Write(&protocol.Rooms{Ref: 1}) != nil {
			return nil
		}
		for {
			m, err := c.Read()
			if err != nil {
				return nil
			}
			if list, ok := m.(*protocol.Rooms); ok {
				return list.Rooms
			}
		}
	}
	return nil
}

// whereNow is where a pinned server can be tried.
func (a *app) whereNow(ctx context.Context, pin identity.Pin) (addrs []string) {
	if !a.o.noDiscovery {
		want := discovery.Want{Name: pin.Name, Key: (*[discovery.KeySize]byte)(&pin.Key)}
		for _, addr := range pin.Addrs {
			if ap, err := netip.ParseAddrPort(addr); err == nil {
				want.Last = append(want.Last, ap)
			}
		}
		ctx, cancel := context.WithTimeout(ctx, completeServers)
		defer cancel()
		servers, _ := discovery.Lookup(ctx, a.o.discovery(), want)
		for _, s := range servers {
			addrs = append(addrs, s.Addr.String())
		}
	}
	return append(addrs, pin.Addrs...)
}

func completeInterface(*cobra.Command, []string, string) (offers []cobra.Completion, _ cobra.ShellCompDirective) {
	links, _ := net.Interfaces()
	for _, link := range links {
		if link.Flags&net.FlagUp != 0 {
			offers = append(offers, link.Name)
		}
	}
	return offers, cobra.ShellCompDirectiveNoFileComp
}

// offer adds a name from the network. One that a shell might take for more than a
// name, or that looks like another one, is not offered: it can be typed. So every
// one that is can stand in a line as it is quoted, in whatever shell.
func offer(offers []cobra.Completion, name, description string) []cobra.Completion {
	if name == "" || name[0] == '-' || name[0] == '~' || strings.HasPrefix(name, "_activeHelp_") || safetext.Line(name) != name ||
		strings.ContainsAny(name, "$`\\\"';|&<>(){}*?\t\n") || len(offers) >= maxOffered {
		return offers
	}
	one := cobra.CompletionWithDesc(name, safetext.Line(description))
	if slices.Contains(offers, one) {
		return offers
	}
	return append(offers, one)
}

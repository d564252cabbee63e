package main

import (
	"context"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"time"

	"lanchat/discovery"
	"lanchat/internal/identity"
	"lanchat/internal/safetext"
	"lanchat/internal/tui"

	"github.com/spf13/cobra"
)

func (a *app) lsCommand() *cobra.Command {
	var asJSON, watch bool
	cmd := &cobra.Command{
		Use:   "ls",
		Short: "List the servers on this network",
		Long: `ls asks who is there, listens for a moment (--timeout, 1.5s unless given), and
lists the servers that answered. With --watch it goes on until you leave: in a
terminal as a table that follows what happens, through a pipe, with --plain or
with --json as a line for what comes (+), changes (~) and goes (-). With --json
each server is an object on a line: name, addr, key, people, instance, seen,
rtt_ms where it is known, passphrase and no_guests where they are true, and with
--watch event: found, changed, gone.`,
		Example: `  chat ls
  chat ls --watch
  chat ls --watch --json | jq -r 'select(.event=="found").name'`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if a.o.noDiscovery {
				return usagef("ls looks by discovery, and --no-discovery switches that off")
			}
			p := &serverPrinter{out: a.out, json: asJSON}
			if watch {
				return a.watch(cmd.Context(), p)
			}
			servers, err := discovery.List(cmd.Context(), a.everybody(), a.o.timeout)
			if err != nil {
				return err
			}
			if len(servers) == 0 {
				return fmt.Errorf("%w: no server can be heard; chat host NAME opens a room, chat doctor says what is wrong", discovery.ErrNotFound)
			}
			for _, s := range servers {
				if err := p.print("", s); err != nil {
					return err
				}
			}
			return nil
		},
	}
	cmd.Flags().BoolVar(&asJSON, "json", false, "one JSON object for each server")
	cmd.Flags().BoolVar(&watch, "watch", false, "go on, and tell what changes")
	return cmd
}

// watch shows what changes until the user leaves or --timeout is over.
func (a *app) watch(ctx context.Context, p *serverPrinter) error {
	if a.o.timeout > 0 {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, a.o.timeout)
		defer cancel()
	}
	err := a.browse(ctx, func(ctx context.Context, b *discovery.Browser) error {
		if !p.json && !a.plain() {
			return tui.Watch(ctx, tui.WatchConfig{Found: asFound(b), Settings: a.settings})
		}
		return p.follow(ctx, b)
	})
	if ctx.Err() != nil { // the time is over, or somebody has interrupted it
		return nil
	}
	return err
}

// follow prints what changes until ctx ends.
func (p *serverPrinter) follow(ctx context.Context, b *discovery.Browser) error {
	type one struct {
		instance [discovery.InstanceSize]byte
		key      [discovery.KeySize]byte
	}
	known := map[one]discovery.Server{}
	for {
		select {
		case <-b.Changed():
		case <-ctx.Done():
			return context.Cause(ctx)
		}
		now := map[one]discovery.Server{}
		for _, s := range b.Servers() {
			id := one{s.Instance, s.Key}
			now[id] = s
			old, was := known[id]
			event := ""
			switch {
			case !was:
				event = "found"
			case old.Name != s.Name || old.Addr != s.Addr || old.People != s.People:
				event = "changed"
			default:
				continue
			}
			if err := p.print(event, s); err != nil {
				return err
			}
		}
		for id, s := range known {
			if _, still := now[id]; !still {
				if err := p.print("gone", s); err != nil {
					return err
				}
			}
		}
		known = now
	}
}

type serverPrinter struct {
	out  io.Writer
	json bool
}

var eventMarks = map[string]string{"found": "+ ", "changed": "~ ", "gone": "- "}

func (p *serverPrinter) print(event string, s discovery.Server) error {
	key := identity.Fingerprint(s.Key)
	if !p.json {
		needs := ""
		if s.Flags&discovery.FlagPassphrase != 0 {
			needs = "   passphrase"
		} else if s.Flags&discovery.FlagNoGuests != 0 {
			needs = "   no guests"
		}
		_, err := fmt.Fprintf(p.out, "%s%-24s %-22s %3d here   key: %s%s\n", eventMarks[event], safetext.Line(s.Name), s.Addr, s.People, key.Words(), needs)
		return err
	}
	line, err := json.Marshal(struct {
		Event    string  `json:"event,omitempty"`
		Name     string  `json:"name"`
		Addr     string  `json:"addr"`
		Key      string  `json:"key"`
		People   int     `json:"people"`
		Instance string  `json:"instance"`
		Seen     string  `json:"seen"`
		RTT      float64 `json:"rtt_ms,omitempty"`
		Secret   bool    `json:"passphrase,omitempty"`
		NoGuests bool    `json:"no_guests,omitempty"`
	}{event, safetext.Line(s.Name), s.Addr.String(), key.String(), s.People, hex.EncodeToString(s.Instance[:]), s.Seen.UTC().Format(time.RFC3339Nano),
		s.RoundTrip.Seconds() * 1000, s.Flags&discovery.FlagPassphrase != 0, s.Flags&discovery.FlagNoGuests != 0})
	if err != nil {
		return err
	}
	_, err = p.out.Write(append(line, '\n'))
	return err
}

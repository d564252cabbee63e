package main

import (
	"context"
	"errors"
	"fmt"
	"math"
	"net"
	"net/netip"
	"net/url"
	"os"
	"regexp"
	"strconv"
	"strings"
	"time"

	"lanchat/cmd/internal/serve"
	"lanchat/internal/client"
	"lanchat/internal/identity"
	"lanchat/internal/lines"
	"lanchat/protocol"

	"github.com/spf13/cobra"
	"golang.org/x/term"
)

// An invitation is chat://HOST:PORT/ROOM?t=TOKEN#FINGERPRINT, without ?t=TOKEN where
// none is needed. Other parameters are ignored.

var errInvitation = usagef("this invitation is damaged: it is %sHOST:PORT/ROOM?t=TOKEN#FINGERPRINT, and in a shell it stands in quotation marks", client.InvitationScheme)

// tokenText is what a token may be made of.
var tokenText = regexp.MustCompile(`^[A-Za-z0-9_-]{1,64}$`)

// maxInvitation is longer than one with the longest host, room and token.
const maxInvitation = 2048

// parseInvite reads what stands behind chat://.
func parseInvite(rest string) (target, error) {
	place, key, _ := strings.Cut(rest, "#")
	place, query, _ := strings.Cut(place, "?")
	addr, room, _ := strings.Cut(place, "/")
	if len(rest) > maxInvitation || !isPlace(addr) {
		return target{}, errInvitation
	}
	t := target{addr: addr, invited: true}
	var err error
	if t.key, err = identity.ParseFingerprint(key); err != nil || t.key == (identity.Fingerprint{}) {
		return target{}, errInvitation
	}
	if t.room, err = url.PathUnescape(room); err != nil {
		return target{}, errInvitation
	}
	if t.room != "" {
		if err := protocol.ValidRoom(t.room); err != nil {
			return target{}, errInvitation
		}
	}
	params, err := url.ParseQuery(query)
	if err != nil || len(params["t"]) > 1 {
		return target{}, errInvitation
	}
	if t.token = params.Get("t"); t.token != "" && !tokenText.MatchString(t.token) {
		return target{}, errInvitation
	}
	return t, nil
}

// isPlace reports whether an address is an IP's or a host's, with a port.
func isPlace(addr string) bool {
	if !serve.HostPort.MatchString(addr) {
		return false
	}
	host, port, err := net.SplitHostPort(addr)
	if n, bad := strconv.ParseUint(port, 10, 16); err != nil || bad != nil || n == 0 {
		return false
	}
	if ip, err := netip.ParseAddr(host); err == nil {
		return !strings.ContainsFunc(ip.Zone(), func(r rune) bool { return !strings.ContainsRune(zoneText, r) })
	}
	return len(host) <= 253 && hostname.MatchString(host)
}

// zoneText is what the name of an interface is made of in an invitation.
const zoneText = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789.-_"

func (a *app) inviteCommand() *cobra.Command {
	var uses uint32
	var ttl time.Duration
	var noQR bool
	cmd := &cobra.Command{
		Use:   "invite",
		Short: "Print a line by which others can join",
		Long: `invite asks the server for an invitation, and prints it: a line for chat join
that has the server's address, a room and the server's key, so that whoever
joins by it cannot be led to another server. In a terminal it is a QR code too.

Where there is a passphrase, or the room is private, the line carries the right
to come in as well, --uses people within --ttl: ops and admins can ask for that.
Send it as you would send a key.`,
		Example: `  chat invite
  chat invite -r build --uses 5 --ttl 2h
  chat join 'chat://192.168.1.5:25252/build?t=k7ofr…#5b0c…'`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if uses == 0 {
				return usagef("--uses 0: an invitation is for somebody, for 1 at least")
			}
			if ttl < time.Second || ttl/time.Second > math.MaxUint32 {
				return usagef("--ttl %v: an invitation lasts for a second at least, and 90 days at most", ttl)
			}
			return a.invite(cmd.Context(), protocol.Invite{Room: a.o.room, Uses: uses, TTL: uint32(ttl / time.Second)}, !noQR)
		},
	}
	cmd.Flags().Uint32Var(&uses, "uses", 1, "how many people may come in by it; 1000 at most")
	cmd.Flags().DurationVar(&ttl, "ttl", 24*time.Hour, "how long it is good for, such as 30m; 90 days at most")
	cmd.Flags().BoolVar(&noQR, "no-qr", false, "no QR code")
	return cmd
}

func (a *app) invite(ctx context.Context, request protocol.Invite, qr bool) error {
	return a.withServer(ctx, client.Config{}, func(ctx context.Context, c *client.Client) error {
		answer, server, err := lines.Invite(ctx, c, request)
		if err != nil {
			return err
		}
		if server.Key == "" {
			return errors.New("the connection is not encrypted: there is no key to put into an invitation")
		}
		link := client.Invitation(elsewhere(ctx, server), answer.Room, answer.Token, server.Key)
		if a.terminal {
			fmt.Fprintln(a.err, client.InvitationTerms(answer))
		}
		if qr && a.terminal {
			a.drawQR(link)
		}
		_, err = fmt.Fprintln(a.out, link) // last: on 24 rows the code would push it off the screen
		return err
	})
}

// drawQR draws the QR code of a link, where there is place for it.
func (a *app) drawQR(link string) {
	columns, rows, err := term.GetSize(int(os.Stdout.Fd()))
	if err != nil {
		return // the line alone will do
	}
	picture, err := qrCode(link, os.Getenv("NO_COLOR") == "")
	if err != nil {
		return
	}
	if w, h := picture.size(); w > columns || h >= rows {
		fmt.Fprintf(a.err, "The terminal is too small for the QR code: it takes %d columns and %d rows.\n", w, h+1)
		return
	}
	fmt.Fprint(a.out, picture)
}

// elsewhere is where others reach a server. For one that was reached by the loopback it
// is an address of this machine, if the same server answers there.
func elsewhere(ctx context.Context, server client.Server) string {
	at, err := netip.ParseAddrPort(server.Public)
	key, bad := identity.ParseFingerprint(server.Key)
	if err != nil || bad != nil || !at.Addr().IsLoopback() {
		return server.Public
	}
	public := serve.Reachable(at.Port())
	if public.Addr().IsLoopback() {
		return server.Public
	}
	ctx, cancel := context.WithTimeout(ctx, 500*time.Millisecond)
	defer cancel()
	d := client.Dialer{Invited: key, Find: func(context.Context) ([]client.Candidate, error) {
		return []client.Candidate{{Addr: public.String(), Key: key}}, nil
	}}
	link, err := d.Dial(ctx)
	if err != nil {
		return server.Public
	}
	link.Conn.Close()
	return public.String()
}

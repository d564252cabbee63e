package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
	"os"
	"strconv"
	"strings"
	"time"

	"lanchat/internal/doctor"
	"lanchat/internal/safetext"

	"github.com/rivo/uniseg"
	"github.com/spf13/cobra"
)

func (a *app) doctorCommand() *cobra.Command {
	var asJSON bool
	cmd := &cobra.Command{
		Use:   "doctor [NAME|HOST:PORT]",
		Short: "Find out why a server is not found, and what to do",
		Long: `doctor looks at this host's interfaces, routes, firewalls and discovery port,
hears whether its own broadcasts come back, asks everybody and the addresses
where the server was before, compares its key with the known one, and then
names the likely cause with what speaks for it, and what to do. It changes
nothing: no file is written, no key pinned, no room joined.

It takes 2 to 4 seconds; with --timeout, servers are listened for so long. With
--json each check is an object on a line (check, ok, or skipped; evidence),
then each likely cause (diagnosis, cause, evidence, fix), the likeliest first.

Exit codes: 0 the server can be joined, 3 it is not found, 4 its key has changed,
1 it is there and cannot be joined for another reason.`,
		Example: `  chat doctor                      is there any server, and if not, why?
  chat doctor "Hack Night"         why is this one not found?
  chat doctor 192.168.1.5:25252    is there a server at this address?
  chat doctor --json | jq -r 'select(.diagnosis).cause'`,
		Args: cobra.MaximumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			if len(args) == 1 {
				a.o.server = args[0]
			}
			return a.doctor(cmd.Context(), asJSON)
		},
	}
	cmd.Flags().BoolVar(&asJSON, "json", false, "one JSON object for each check and each cause")
	return cmd
}

// silently ends with an exit code; what there is to say was printed.
type silently int

func (e silently) Error() string { return fmt.Sprintf("exit code %d", int(e)) }

func (a *app) doctor(ctx context.Context, asJSON bool) error {
	q := doctor.Question{Port: int(a.o.port), Interfaces: a.o.interfaces, NoDiscovery: a.o.noDiscovery}
	if a.o.server != "" {
		t, err := parseTarget(a.o.server)
		if err != nil {
			return err
		}
		q.Name = t.String()
		if t.addr != "" {
			if q.Addr, err = resolve(ctx, t.addr); err != nil {
				return err
			}
		}
	}
	pins, err := openPins()
	if err != nil {
		return err
	}
	if q.Pins, err = pins.All(); err != nil {
		return err
	}
	q.Program, _ = os.Executable()
	if !asJSON {
		fmt.Fprintln(a.err, "Looking around …")
	}
	facts, err := doctor.Examine(ctx, doctor.System(a.o.discovery(), a.o.timeout), q)
	if err != nil {
		return err
	}
	report := doctor.Diagnose(facts)
	if asJSON {
		err = printReportJSON(a.out, report)
	} else {
		err = printReport(a.out, report)
	}
	switch {
	case err != nil:
		return err
	case report.Reached:
		return nil
	case report.Diagnoses[0].Code == doctor.KeyChanged:
		return silently(exitRefused)
	case report.Found():
		return silently(exitFailed)
	}
	return silently(exitNotFound)
}

// resolve gives the first address of a host.
func resolve(ctx context.Context, hostPort string) (netip.AddrPort, error) {
	host, port, err := net.SplitHostPort(hostPort)
	if err != nil {
		return netip.AddrPort{}, usagef("%q is no HOST:PORT: %w", hostPort, err)
	}
	n, err := strconv.ParseUint(port, 10, 16)
	if err != nil || n == 0 {
		return netip.AddrPort{}, usagef("%q is no HOST:PORT: %s is no port", hostPort, port)
	}
	ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	addrs, err := net.DefaultResolver.LookupNetIP(ctx, "ip", host)
	if err == nil && len(addrs) == 0 {
		err = errors.New("it has no address")
	}
	if err != nil {
		return netip.AddrPort{}, fmt.Errorf("the host %s is not known: %w", host, err)
	}
	best := addrs[0].Unmap()
	for _, addr := range addrs {
		if addr = addr.Unmap(); addr.Is4() && !best.Is4() {
			best = addr
		}
	}
	return netip.AddrPortFrom(best, uint16(n)), nil
}

func printReportJSON(w io.Writer, r doctor.Report) error {
	lines := json.NewEncoder(w)
	lines.SetEscapeHTML(false)
	for _, c := range r.Checks {
		line := struct {
			Check    string `json:"check"`
			OK       *bool  `json:"ok,omitempty"`
			Skipped  bool   `json:"skipped,omitempty"`
			Evidence string `json:"evidence"`
		}{Check: c.Name, Skipped: c.Status == doctor.Skipped, Evidence: c.Evidence}
		if !line.Skipped {
			ok := c.Status == doctor.OK
			line.OK = &ok
		}
		if err := lines.Encode(line); err != nil {
			return err
		}
	}
	for _, d := range r.Diagnoses {
		type step struct {
			Do  string `json:"do,omitempty"`
			Run string `json:"run,omitempty"`
		}
		fix := make([]step, 0, len(d.Fix))
		for _, s := range d.Fix {
			fix = append(fix, step(s))
		}
		err := lines.Encode(struct {
			Diagnosis doctor.Code `json:"diagnosis"`
			Cause     string      `json:"cause"`
			Evidence  []string    `json:"evidence"`
			Fix       []step      `json:"fix"`
		}{d.Code, d.Cause, d.Evidence, fix})
		if err != nil {
			return err
		}
	}
	return nil
}

// reportWidth is the columns of a small terminal.
const reportWidth = 80

func printReport(w io.Writer, r doctor.Report) error {
	var b strings.Builder
	for _, c := range r.Checks {
		mark := map[doctor.Status]string{doctor.OK: "✓", doctor.Bad: "✗", doctor.Skipped: "–"}[c.Status]
		wrapInto(&b, fmt.Sprintf(" %s %-11s", mark, c.Name), strings.Repeat(" ", 14), c.Evidence)
	}
	for i, d := range r.Diagnoses {
		title := "Likely cause: "
		switch {
		case d.Code == doctor.AllWell:
			title = ""
		case i > 0:
			title = "Or else: "
		}
		b.WriteByte('\n')
		wrapInto(&b, title, "  ", d.Cause)
		for _, e := range d.Evidence {
			wrapInto(&b, "  · ", "    ", e)
		}
		if len(d.Fix) > 0 && d.Code != doctor.AllWell {
			b.WriteString("What to do:\n")
		}
		for _, s := range d.Fix {
			if s.Do != "" {
				wrapInto(&b, "  ", "  ", s.Do)
			}
			if s.Run != "" { // to be copied as it is: never broken
				b.WriteString("    " + s.Run + "\n")
			}
		}
	}
	_, err := io.WriteString(w, b.String())
	return err
}

// wrapInto writes text behind first, further lines behind indent, within the width.
func wrapInto(b *strings.Builder, first, indent, text string) {
	line, empty := first, true
	for word := range strings.FieldsSeq(safetext.Line(text)) {
		if !empty && uniseg.StringWidth(line)+1+uniseg.StringWidth(word) > reportWidth-1 {
			b.WriteString(strings.TrimRight(line, " ") + "\n")
			line, empty = indent, true
		}
		if !empty {
			line += " "
		}
		line += word
		empty = false
	}
	b.WriteString(strings.TrimRight(line, " ") + "\n")
}

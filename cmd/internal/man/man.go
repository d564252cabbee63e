// Package man makes man pages of a command tree: a page for each command, of
// what its help says. There is no other text to keep up to date.
//
// A page is written in man(7), the macros of groff and mandoc, with everything in
// ASCII: other characters are named by their number.
package man

import (
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
)

// Info is what a tree's help does not say.
type Info struct {
	Version string
	Date    string      // as 2026-11-01
	Exit    []ExitCode  // of every command that does not say it itself
	Also    []string    // other pages, as chatd(1)
	Files   [][2]string // paths, and what they are
	Env     [][2]string // variables, and what they do
}

// ExitCode is one of a program's.
type ExitCode struct {
	Code int
	Text string
}

// Command is the hidden command that writes the pages of its tree.
func Command(info Info) *cobra.Command {
	return &cobra.Command{
		Use: "man DIR", Short: "Write the manual's pages into a directory", Hidden: true, Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error { return Write(args[0], cmd.Root(), info) },
	}
}

// Write writes the pages of root and of every command below it into a directory,
// which it makes if need be.
func Write(dir string, root *cobra.Command, info Info) error {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	for _, cmd := range Commands(root) {
		cmd.InitDefaultHelpFlag()
		f, err := os.Create(filepath.Join(dir, Name(cmd)+".1"))
		if err != nil {
			return err
		}
		err = page(f, cmd, info)
		if closed := f.Close(); err == nil {
			err = closed
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// Commands are the commands that have a page: all but the hidden ones.
func Commands(cmd *cobra.Command) []*cobra.Command {
	all := []*cobra.Command{cmd}
	for _, sub := range cmd.Commands() {
		if sub.IsAvailableCommand() && sub.Name() != "help" {
			all = append(all, Commands(sub)...)
		}
	}
	return all
}

// Name is the page's: chat-id-export for chat id export.
func Name(cmd *cobra.Command) string { return strings.ReplaceAll(cmd.CommandPath(), " ", "-") }

// page writes one page.
func page(w io.Writer, cmd *cobra.Command, info Info) error {
	var b strings.Builder
	title := strings.ToUpper(Name(cmd))
	fmt.Fprintf(&b, ".\\\" made from the program's help\n.TH %q 1 %q %q %q\n", title, info.Date, cmd.Root().Name()+" "+info.Version, "lanchat")
	b.WriteString(".nh\n.ad l\n") // commands are copied: nothing in them is broken or stretched
	fmt.Fprintf(&b, ".SH NAME\n%s \\- %s\n", text(Name(cmd)), text(lower(cmd.Short)))
	b.WriteString(".SH SYNOPSIS\n")
	synopsis(&b, cmd)
	about, exit := description(cmd)
	if len(about) > 0 {
		b.WriteString(".SH DESCRIPTION\n")
		prose(&b, about)
	}
	if subs := cmd.Commands(); len(Commands(cmd)) > 1 {
		b.WriteString(".SH COMMANDS\n")
		for _, sub := range subs {
			if sub.IsAvailableCommand() && sub.Name() != "help" {
				_, args, _ := strings.Cut(sub.Use, " ")
				item(&b, strings.TrimSpace("\\fB"+text(sub.Name())+"\\fR "+text(args)), sub.Short+"; see "+Name(sub)+"(1).")
			}
		}
	}
	options(&b, "OPTIONS", cmd.NonInheritedFlags())
	options(&b, "OPTIONS OF EVERY COMMAND", cmd.InheritedFlags())
	pairs(&b, "ENVIRONMENT", info.Env)
	pairs(&b, "FILES", info.Files)
	b.WriteString(".SH EXIT STATUS\n")
	if exit != "" {
		prose(&b, []string{exit})
	} else {
		for _, e := range info.Exit {
			item(&b, fmt.Sprintf("\\fB%d\\fR", e.Code), e.Text)
		}
	}
	if cmd.Example != "" {
		b.WriteString(".SH EXAMPLES\n")
		verbatim(&b, strings.Split(strings.Trim(cmd.Example, "\n"), "\n"))
	}
	b.WriteString(".SH SEE ALSO\n" + strings.Join(related(cmd, info), ",\n") + "\n")
	_, err := io.WriteString(w, b.String())
	return err
}

// related are the pages around a command's.
func related(cmd *cobra.Command, info Info) (pages []string) {
	add := func(name string) { pages = append(pages, "\\fB"+text(name)+"\\fR(1)") }
	if cmd.HasParent() {
		add(Name(cmd.Parent()))
	}
	for _, sub := range Commands(cmd)[1:] {
		if sub.Parent() == cmd {
			add(Name(sub))
		}
	}
	for _, name := range info.Also {
		add(name)
	}
	return pages
}

func synopsis(b *strings.Builder, cmd *cobra.Command) {
	_, args, _ := strings.Cut(cmd.Use, " ")
	line := func(more string) {
		fmt.Fprintf(b, "\\fB%s\\fR", text(cmd.CommandPath()))
		if more = strings.TrimSpace(more); more != "" {
			b.WriteString(" " + text(more))
		}
		b.WriteByte('\n')
	}
	if !cmd.Runnable() {
		line("COMMAND")
		return
	}
	if cmd.HasAvailableFlags() {
		args = "[OPTION]... " + strings.TrimSpace(strings.TrimSuffix(args, "[flags]"))
	}
	line(args)
	if len(Commands(cmd)) > 1 {
		b.WriteString(".br\n")
		line("COMMAND ...")
	}
}

// description is a command's help in paragraphs, without those that have a section
// of their own, and what it says of its exit codes.
func description(cmd *cobra.Command) (paragraphs []string, exit string) {
	long := cmd.Long
	if long == "" {
		long = cmd.Short + "."
	}
	for p := range strings.SplitSeq(strings.Trim(long, "\n"), "\n\n") {
		var kept []string
		inExit := false
		for line := range strings.SplitSeq(p, "\n") {
			switch {
			case strings.HasPrefix(line, "Exit codes: "):
				inExit = true
				exit = strings.TrimPrefix(line, "Exit codes: ")
			case inExit && !strings.HasPrefix(line, "Environment: "):
				exit += "\n" + line
			default:
				inExit = false
				kept = append(kept, strings.TrimPrefix(line, "Environment: "))
			}
		}
		if len(kept) > 0 {
			paragraphs = append(paragraphs, strings.Join(kept, "\n"))
		}
	}
	if !cmd.HasParent() {
		exit = "" // the list says it better
	}
	return paragraphs, exit
}

func options(b *strings.Builder, title string, flags *pflag.FlagSet) {
	first := true
	flags.VisitAll(func(f *pflag.Flag) {
		if f.Hidden {
			return
		}
		if first {
			b.WriteString(".SH " + title + "\n")
			first = false
		}
		value, usage := pflag.UnquoteUsage(f)
		name := "\\fB" + text("--"+f.Name) + "\\fR"
		if f.Shorthand != "" {
			name = "\\fB" + text("-"+f.Shorthand) + "\\fR, " + name
		}
		if value != "" {
			name += " \\fI" + text(value) + "\\fR"
		}
		switch f.DefValue {
		case "", "false", "0", "0s", "[]":
		default:
			usage += " (default " + f.DefValue + ")"
		}
		item(b, name, usage)
	})
}

func pairs(b *strings.Builder, title string, list [][2]string) {
	if len(list) == 0 {
		return
	}
	b.WriteString(".SH " + title + "\n")
	for _, p := range list {
		item(b, "\\fB"+text(p[0])+"\\fR", p[1])
	}
}

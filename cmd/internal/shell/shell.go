// Package shell makes the completion of a command tree for bash, zsh, fish and
// PowerShell.
//
// For all but bash it is cobra's. Its script for bash hands what is typed to eval,
// and puts what several completions have in common into the line unquoted: there a
// server's name with a space cannot be completed, and one with $(…) is run. Ours
// gives the line to the program, which reads it by itself ([splitLine]), and gets
// back what can stand in it as it is ([quote]). Nothing is expanded or run.
package shell

import (
	"bytes"
	"fmt"
	"io"
	"strconv"
	"strings"

	"github.com/spf13/cobra"
)

// lineCommand is what the script for bash calls.
const lineCommand = "__complete-line"

// Add gives a command tree the command completion. fresh makes the tree anew,
// without output, to be asked for completions.
func Add(root *cobra.Command, fresh func() *cobra.Command) {
	root.CompletionOptions.DisableDefaultCmd = true
	root.AddCommand(completionCommand(root), &cobra.Command{
		Use: lineCommand, Hidden: true, DisableFlagParsing: true, Args: cobra.ExactArgs(2),
		RunE: func(cmd *cobra.Command, args []string) error {
			return completeLine(cmd.OutOrStdout(), fresh(), args[0], args[1])
		},
	})
}

var generators = map[string]func(root *cobra.Command, w io.Writer) error{
	"bash":       func(root *cobra.Command, w io.Writer) error { return writeBash(w, root.Name()) },
	"zsh":        func(root *cobra.Command, w io.Writer) error { return root.GenZshCompletion(w) },
	"fish":       func(root *cobra.Command, w io.Writer) error { return root.GenFishCompletion(w, true) },
	"powershell": func(root *cobra.Command, w io.Writer) error { return root.GenPowerShellCompletionWithDesc(w) },
}

func completionCommand(root *cobra.Command) *cobra.Command {
	name := root.Name()
	return &cobra.Command{
		Use:   "completion bash|zsh|fish|powershell",
		Short: "Make the script with which a shell completes " + name,
		Long: fmt.Sprintf(`completion prints a script for a shell, which then completes the commands and
flags of %s with Tab. Load it in a running shell, or keep it where the shell
looks for it; each new shell then has it. bash does so from version 4 on, where
the package bash-completion is installed; zsh where .zshrc has compinit:
  autoload -U compinit; compinit`, name),
		Example: fmt.Sprintf(`  source <(%[1]s completion bash)
  %[1]s completion bash > ~/.local/share/bash-completion/completions/%[1]s
  %[1]s completion zsh > "${fpath[1]}/_%[1]s"
  %[1]s completion fish > ~/.config/fish/completions/%[1]s.fish
  %[1]s completion powershell | Out-String | Invoke-Expression`, name),
		Args:      cobra.MatchAll(cobra.ExactArgs(1), cobra.OnlyValidArgs),
		ValidArgs: []string{"bash", "zsh", "fish", "powershell"},
		RunE: func(cmd *cobra.Command, args []string) error {
			var script bytes.Buffer
			if err := generators[args[0]](root, &script); err != nil {
				return err
			}
			_, err := cmd.OutOrStdout().Write(script.Bytes())
			return err
		},
	}
}

// writeBash writes the script for bash. Version 3.2, which macOS has, lacks
// compopt: there, files are completed where nothing else is.
func writeBash(w io.Writer, name string) error {
	_, err := fmt.Fprintf(w, `# bash completion for %[1]s
__%[1]s_complete() {
    local program=${COMP_WORDS[0]} directive='' line
    program=${program/#\~\//$HOME/}
    type -P -- "$program" >/dev/null 2>&1 || program=%[1]s
    COMPREPLY=()
    while IFS= read -r line; do
        if [[ -z $directive ]]; then directive=$line; else COMPREPLY+=("$line"); fi
    done < <("$program" %[2]s "${COMP_LINE:0:COMP_POINT}" "$COMP_WORDBREAKS" 2>/dev/null </dev/null)
    [[ $directive =~ ^[0-9]+$ ]] || directive=%[3]d
    if (( directive & %[6]d )); then
        while IFS= read -r line; do COMPREPLY+=("$line"); done < <(compgen -d -- "${COMP_WORDS[COMP_CWORD]}")
    fi
    if [[ $(type -t compopt) == builtin ]]; then
        if (( directive & %[6]d )); then compopt -o filenames; fi
        if (( directive & %[4]d )); then compopt -o nospace; fi
        if (( directive & (%[3]d | %[5]d) )); then compopt +o default; fi
    fi
}
complete -o default -F __%[1]s_complete %[1]s
`, name, lineCommand, cobra.ShellCompDirectiveError, cobra.ShellCompDirectiveNoSpace, cobra.ShellCompDirectiveNoFileComp, cobra.ShellCompDirectiveFilterDirs)
	return err
}

// completeLine prints, for a line up to the cursor, cobra's directive and then what
// may stand where the last word is, from the last of the shell's word breaks on.
func completeLine(w io.Writer, root *cobra.Command, line, breaks string) error {
	words, last := splitLine(line, breaks)
	var out bytes.Buffer
	root.SetOut(&out)
	root.SetErr(io.Discard)
	root.SetArgs(append([]string{cobra.ShellCompNoDescRequestCmd}, words...))
	directive, offers := cobra.ShellCompDirectiveError, []string(nil)
	if root.Execute() == nil {
		directive, offers = results(out.String())
	}
	if directive&(cobra.ShellCompDirectiveFilterDirs|cobra.ShellCompDirectiveFilterFileExt) != 0 {
		offers = nil // these would be patterns
	}
	if _, err := fmt.Fprintln(w, int(directive)); err != nil {
		return err
	}
	typed := last.value
	if strings.HasPrefix(typed, "-") {
		if flag, value, ok := strings.Cut(typed, "="); ok { // completions are of the value
			typed = value
			last.fixed = max(last.fixed-len(flag)-1, 0)
		}
	}
	for _, offer := range matching(offers, typed) {
		if len(offer) < last.fixed {
			continue
		}
		if quoted, ok := quote(offer[last.fixed:], last.quote); ok {
			if _, err := fmt.Fprintln(w, quoted); err != nil {
				return err
			}
		}
	}
	return nil
}

// results takes apart what cobra prints: completions, and the directive at the end.
func results(out string) (directive cobra.ShellCompDirective, offers []string) {
	lines := strings.Split(strings.TrimRight(out, "\n"), "\n")
	end := len(lines) - 1
	n, err := strconv.Atoi(strings.TrimPrefix(lines[end], ":"))
	if err != nil {
		return cobra.ShellCompDirectiveError, nil
	}
	for _, line := range lines[:end] {
		if line != "" && !strings.HasPrefix(line, "_activeHelp_ ") {
			offers = append(offers, line)
		}
	}
	return cobra.ShellCompDirective(n), offers
}

// matching is what begins with what is typed; or the only one that does when upper
// and lower case are one.
func matching(offers []string, typed string) (exact []string) {
	var folded []string
	for _, o := range offers {
		switch {
		case strings.HasPrefix(o, typed):
			exact = append(exact, o)
		case len(o) >= len(typed) && strings.EqualFold(o[:len(typed)], typed):
			folded = append(folded, o)
		}
	}
	if len(exact) == 0 && len(folded) == 1 {
		return folded
	}
	return exact
}

package shell

import (
	"slices"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
)

// Finish has the shell complete files only where a flag's value is one, by the name
// that its usage gives it: FILE, F, PATH, or DIR for directories. args gives what completes a command's arguments, or nil.
// What was registered before stays.
func Finish(root *cobra.Command, args func(*cobra.Command) cobra.CompletionFunc) {
	for _, cmd := range root.Commands() {
		Finish(cmd, args)
	}
	if cmd := root; !strings.Contains(cmd.Use, "FILE") && cmd.ValidArgsFunction == nil && len(cmd.ValidArgs) == 0 {
		if cmd.ValidArgsFunction = args(cmd); cmd.ValidArgsFunction == nil {
			cmd.ValidArgsFunction = cobra.NoFileCompletions
		}
	}
	for _, flags := range []*pflag.FlagSet{root.LocalNonPersistentFlags(), root.PersistentFlags()} {
		flags.VisitAll(func(f *pflag.Flag) {
			value, _ := pflag.UnquoteUsage(f)
			if _, known := root.GetFlagCompletionFunc(f.Name); known || isFile(value) {
				return
			}
			complete := cobra.NoFileCompletions
			if strings.HasPrefix(value, "DIR") {
				complete = cobra.FixedCompletions(nil, cobra.ShellCompDirectiveFilterDirs)
			}
			_ = root.RegisterFlagCompletionFunc(f.Name, complete)
		})
	}
}

// isFile reports whether what a flag's usage calls its value is a file.
func isFile(value string) bool { return slices.Contains([]string{"FILE", "F", "PATH", "CMD"}, value) }

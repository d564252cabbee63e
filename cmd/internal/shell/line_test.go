package shell

import (
	"io"
	"os/exec"
	"slices"
	"strings"
	"testing"

	"github.com/spf13/cobra"
)

const breaks = " \t\n\"'><=;|&(:" // bash's own

func TestSplitLine(t *testing.T) {
	for _, tt := range []struct {
		line  string
		words []string
		last  word
	}{
		{"chat", []string{""}, word{}},
		{"chat ", []string{""}, word{}},
		{"chat jo", []string{"jo"}, word{"jo", 0, 0}},
		{"chat  join  Ha", []string{"join", "Ha"}, word{"Ha", 0, 0}},
		{`chat join Hack\ N`, []string{"join", "Hack N"}, word{"Hack N", 0, 0}},
		{`chat join "Hack N`, []string{"join", "Hack N"}, word{"Hack N", '"', 0}},
		{`chat join 'a\b`, []string{"join", `a\b`}, word{`a\b`, '\'', 0}},
		{`chat join "a\$\b" x`, []string{"join", `a$\b`, "x"}, word{"x", 0, 0}},
		{`chat join Ann\'s" Ro`, []string{"join", "Ann's Ro"}, word{"Ann's Ro", '"', 5}},
		{`chat -s 127.0.0.1:25`, []string{"-s", "127.0.0.1:25"}, word{"127.0.0.1:25", 0, 10}},
		{`chat --server=An`, []string{"--server=An"}, word{"--server=An", 0, 9}},
		{`chat send $(date) "" `, []string{"send", "$(date)", "", ""}, word{}},
		{`chat x\`, []string{"x"}, word{"x", 0, 0}},
	} {
		words, last := splitLine(tt.line, breaks)
		if !slices.Equal(words, tt.words) || last != tt.last {
			t.Errorf("%s: %q, %+v; want %q, %+v", tt.line, words, last, tt.words, tt.last)
		}
	}
}

// What quote writes is one word of bash, and that word.
func TestQuote(t *testing.T) {
	bash, err := exec.LookPath("bash")
	if err != nil {
		t.Skip("bash is not installed")
	}
	for _, s := range []string{"plain", "Hack Night", "it's", `a"b`, "$(touch x)", "`touch x`", `back\slash`, "~root", "#x", "a;b|c&d", "*?[x]{a,b}", "grün 🎉", "!!", "(x)", "<>", "^a", "a=b:c"} {
		quoted, ok := quote(s, 0)
		if !ok {
			t.Errorf("%q cannot be quoted", s)
			continue
		}
		out, err := exec.CommandContext(t.Context(), bash, "-c", "printf %s "+quoted).Output()
		if err != nil || string(out) != s {
			t.Errorf("%q is written %s, which bash reads as %q, %v", s, quoted, out, err)
		}
		for _, open := range []string{"'", `"`} {
			if quoted, ok := quote(s, open[0]); ok {
				if out, err := exec.CommandContext(t.Context(), bash, "-c", "printf %s "+open+quoted+open).Output(); err != nil || string(out) != s {
					t.Errorf("behind %s, %q is written %s, which bash reads as %q, %v", open, s, quoted, out, err)
				}
			}
		}
	}
	for _, s := range []string{"a\nb", "a\tb", "\x1b[31m", "\x7f"} {
		if quoted, ok := quote(s, 0); ok {
			t.Errorf("%q is written %q", s, quoted)
		}
	}
	if _, ok := quote("it's", '\''); ok {
		t.Error("a quote ends a quoted word")
	}
}

func tree() *cobra.Command {
	root := &cobra.Command{Use: "prog", SilenceErrors: true, SilenceUsage: true, RunE: func(*cobra.Command, []string) error { return nil }}
	root.PersistentFlags().StringP("server", "s", "", "`NAME`")
	root.PersistentFlags().String("dir", "", "`DIR`")
	root.PersistentFlags().String("file", "", "`FILE`")
	names := func(*cobra.Command, []string, string) ([]cobra.Completion, cobra.ShellCompDirective) {
		return []cobra.Completion{"Hack Night", "Hack Day", "Zoe's room: $x", "_activeHelp_ no"}, cobra.ShellCompDirectiveNoFileComp
	}
	_ = root.RegisterFlagCompletionFunc("server", names)
	root.AddCommand(&cobra.Command{Use: "join", RunE: root.RunE, ValidArgsFunction: names}, &cobra.Command{Use: "jump", RunE: root.RunE})
	Add(root, tree)
	Finish(root, func(*cobra.Command) cobra.CompletionFunc { return nil })
	return root
}

func TestCompleteLine(t *testing.T) {
	for line, want := range map[string]string{
		"prog jo":                   "4 join",
		"prog j":                    "4 join|jump",
		"prog join Hack":            `4 Hack\ Night|Hack\ Day`,
		`prog join Hack\ N`:         `4 Hack\ Night`,
		`prog join "Hack N`:         "4 Hack Night",
		`prog join hack\ n`:         `4 Hack\ Night`,
		`prog join Zoe\'s\ room:\ `: `4 \ \$x`, // readline keeps what is before the colon
		`prog join "Zoe's room:`:    "4 ",      // it cannot stand in these quotes
		"prog --server=Hack":        `4 Hack\ Night|Hack\ Day`,
		"prog -s Z":                 `4 Zoe\'s\ room:\ \$x`,
		"prog jump x":               "4 ",
		"prog --dir x":              "16 ",
		"prog --file x":             "0 ",
		"prog completion z":         "4 zsh",
	} {
		var out strings.Builder
		cmd := tree()
		cmd.SetArgs([]string{lineCommand, line, breaks})
		cmd.SetOut(&out)
		cmd.SetErr(io.Discard)
		if err := cmd.Execute(); err != nil {
			t.Errorf("%s: %v", line, err)
		}
		directive, offers, _ := strings.Cut(strings.TrimSpace(out.String()), "\n")
		if got := directive + " " + strings.ReplaceAll(offers, "\n", "|"); got != want {
			t.Errorf("%s: %s, want %s", line, got, want)
		}
	}
}

// The scripts are what their shells take, as far as these are here. Nobody reads
// PowerShell's.
func TestScripts(t *testing.T) {
	for shell, check := range map[string][]string{"bash": {"-n"}, "zsh": {"-n"}, "fish": {"--no-execute"}} {
		t.Run(shell, func(t *testing.T) {
			var out strings.Builder
			cmd := tree()
			cmd.SetArgs([]string{"completion", shell})
			cmd.SetOut(&out)
			if err := cmd.Execute(); err != nil || !strings.Contains(out.String(), "prog") {
				t.Fatalf("%v\n%s", err, out.String())
			}
			program, err := exec.LookPath(shell)
			if err != nil {
				t.Skipf("%s is not installed: nobody to read the script", shell)
			}
			read := exec.CommandContext(t.Context(), program, check...)
			read.Stdin = strings.NewReader(out.String())
			if said, err := read.CombinedOutput(); err != nil || len(said) > 0 {
				t.Errorf("%v\n%s", err, said)
			}
		})
	}
}

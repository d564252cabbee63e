package main

import (
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"lanchat/cmd/internal/man"

	"github.com/rivo/uniseg"
)

// Every command has a page that says how it is used, what its exit codes mean, and
// shows examples; and the pages are such that readers of them have nothing to say.
func TestManual(t *testing.T) {
	t.Parallel()
	bin, dir := built(t), t.TempDir()
	for _, program := range []string{"chat", "chatd"} {
		cmd := exec.CommandContext(t.Context(), filepath.Join(bin, program), "man", dir)
		cmd.Env = home(t)
		if out, err := cmd.CombinedOutput(); err != nil || len(out) > 0 {
			t.Fatalf("%s man: %v\n%s", program, err, out)
		}
	}
	for _, cmd := range man.Commands((&app{}).command()) {
		if _, err := os.Stat(filepath.Join(dir, man.Name(cmd)+".1")); err != nil {
			t.Errorf("%s has no page: %v", cmd.CommandPath(), err)
		}
	}
	pages, err := filepath.Glob(filepath.Join(dir, "*.1"))
	if err != nil || !slices.Contains(pages, filepath.Join(dir, "chatd-webhook-add.1")) {
		t.Fatalf("%q, %v", pages, err)
	}
	for _, page := range pages {
		b, err := os.ReadFile(page)
		if err != nil {
			t.Fatal(err)
		}
		for _, section := range []string{"NAME", "SYNOPSIS", "DESCRIPTION", "OPTIONS", "EXIT STATUS", "EXAMPLES", "SEE ALSO"} {
			if !strings.Contains(string(b), "\n.SH "+section+"\n") {
				t.Errorf("%s has no %s", filepath.Base(page), section)
			}
		}
	}
	t.Run("man", func(t *testing.T) {
		program, err := exec.LookPath("man")
		if err != nil {
			t.Skip("man is not installed")
		}
		for _, page := range pages {
			var errs strings.Builder
			cmd := exec.CommandContext(t.Context(), program, "--warnings=w", "-l", page)
			cmd.Env = append(os.Environ(), "LC_ALL=C.UTF-8", "MANWIDTH=80", "MAN_KEEP_FORMATTING=", "PAGER=cat", "MANPAGER=cat")
			cmd.Stderr = &errs
			out, err := cmd.Output()
			if err != nil || errs.Len() > 0 {
				t.Skipf("this man does not show single files: %v\n%s", err, errs.String())
			}
			for line := range strings.Lines(string(out)) {
				if uniseg.StringWidth(strings.TrimRight(line, "\n")) > 80 {
					t.Errorf("%s: wider than 80 columns: %s", filepath.Base(page), line)
				}
			}
		}
	})
	lint(t, pages, "groff", "-ww", "-man", "-Tutf8", "-z")
	lint(t, pages, "mandoc", "-Tlint", "-Wwarning")
}

// lint has a program read pages, of which it is to say nothing.
func lint(t *testing.T, pages []string, program string, args ...string) {
	t.Run(program, func(t *testing.T) {
		if _, err := exec.LookPath(program); err != nil {
			t.Skipf("%s is not installed", program)
		}
		for _, page := range pages {
			out, err := exec.CommandContext(t.Context(), program, append(args, page)...).CombinedOutput()
			said := strings.TrimSpace(string(out))
			if strings.Contains(said, "missing date") && !strings.Contains(said, "\n") {
				continue // of a build that no commit is known of
			}
			if err != nil || said != "" {
				t.Errorf("%s: %v\n%s", filepath.Base(page), err, said)
			}
		}
	})
}

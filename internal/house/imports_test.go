package house

import (
	"fmt"
	"go/ast"
	"path"
	"slices"
	"strconv"
	"strings"
)

const module = "lanchat"

// anything in a package's row means every package of the project but a cmd.
const anything = "*"

// mayImport says which packages of the project each package may import outside of
// tests. A package that is not here fails: decide where it belongs, then add it.
var mayImport = map[string][]string{
	"internal/wire":      {},
	"internal/safetext":  {},
	"internal/files":     {},
	"internal/identity":  {"protocol", "internal/files"},
	"internal/config":    {},
	"internal/diskspace": {},
	"internal/house":     {},
	"protocol":           {"internal/wire"},
	"discovery":          {"internal/wire", "internal/safetext"},
	"internal/roomlog":   {"internal/wire", "protocol", "internal/nicks", "internal/diskspace"},
	"internal/server":    {"protocol", "internal/roomlog", "internal/identity", "internal/safetext", "internal/access", "internal/nicks", "internal/passphrase"},
	"internal/client":    {"protocol", "internal/identity", "internal/safetext", "internal/files", "internal/nicks", "internal/passphrase"},
	"internal/tui":       {"internal/client", "protocol", "internal/safetext", "internal/config"},
	"internal/lines":     {"internal/client", "protocol", "internal/safetext", "internal/config"},
	"internal/ops":       {"internal/server", "internal/files"},
	"internal/doctor":    {"protocol", "discovery", "internal/client", "internal/identity", "internal/safetext"},
	"internal/wiretap":   {"protocol", "discovery", "internal/client", "internal/identity", "internal/safetext"},
	"internal/bench":     {"protocol", "discovery", "internal/client", "internal/identity", "internal/safetext"},
	"internal/wiredemo":  {"protocol", "discovery"},
	"cmd/internal/serve": {"protocol", "internal/access", "internal/passphrase", "internal/server", "internal/roomlog", "internal/identity", "internal/ops", "internal/config", "internal/diskspace", "discovery"},
	"cmd/chatd":          {"internal/safetext", "internal/server", "internal/roomlog", "internal/identity", "internal/ops", "internal/config", "discovery", "cmd/internal/serve", "cmd/internal/shell", "cmd/internal/man"},
	"cmd/chat":           {anything, "cmd/internal/serve", "cmd/internal/shell", "cmd/internal/man"},
	"cmd/internal/shell": {},
	"cmd/internal/man":   {},

	// To copy from: what others can import is all that they may use.
	"examples/go": {"protocol", "discovery"},

	// Who is who, and who may what.
	"internal/nicks":      {},
	"internal/passphrase": {},
	"internal/access":     {"protocol", "internal/roomlog"},

	// For tests: only tests and each other may import these.
	"internal/netlab":     {anything},
	"internal/torture":    {anything},
	"internal/tsharktest": {anything},
	"internal/peers":      {},
	"internal/hostile":    {anything},
	"internal/compat":     {anything},
	"internal/tied":       {},
}

var forTests = []string{"internal/netlab", "internal/torture", "internal/hostile", "internal/compat", "internal/peers", "internal/tied", "internal/tsharktest"}

// reserved says which packages alone may import something from outside. A name
// stands for everything below it as well.
var reserved = []struct {
	name  string
	to    func(dir string) bool
	tests bool // it holds for tests too; a test may have flags of its own, such as -update
	why   string
}{
	{"github.com/rivo/tview", isTUI, true, "the terminal library has one user"},
	{"github.com/gdamore/tcell", isTUI, true, "the terminal library has one user"},
	{"github.com/spf13/cobra", isCmd, false, "only a cmd reads flags"},
	{"github.com/spf13/pflag", isCmd, false, "only a cmd reads flags"},
	{"flag", isCmd, false, "only a cmd reads flags"},
}

// forbidden says what a package must not import, outside of tests. Here a name
// stands for itself only.
var forbidden = map[string][]string{
	"internal/tui":   {"net", "net/http", "crypto/tls"},
	"internal/lines": {"net", "net/http", "crypto/tls"},
}

func isTUI(dir string) bool { return dir == "internal/tui" }
func isCmd(dir string) bool { return strings.HasPrefix(dir, "cmd/") }

// isExample tells the programs that show how to use the public packages.
func isExample(dir string) bool { return strings.HasPrefix(dir, "examples/") }

// isScript tells the programs under scripts/, to which the table does not apply.
func isScript(dir string) bool { return dir == "scripts" || strings.HasPrefix(dir, "scripts/") }

func isForTests(dir string) bool { return slices.Contains(forTests, dir) }

// imports holds the tables above.
func imports(t *tree) (problems []string) {
	bad := func(n ast.Node, format string, args ...any) {
		problems = append(problems, t.at(n)+": "+fmt.Sprintf(format, args...))
	}
	for _, dir := range sorted(t.packages) {
		for _, name := range t.packages[dir] {
			f := t.goFiles[name]
			if isScript(dir) || f.ignored {
				if f.Name.Name != "main" {
					bad(f, "only programs stand here, and package %s is none", f.Name.Name)
				}
				continue
			}
			allowed, listed := mayImport[dir]
			if !listed {
				bad(f, "the table of imports has no package %s", dir)
				break
			}
			for _, spec := range f.Imports {
				what, err := strconv.Unquote(spec.Path.Value)
				if err != nil {
					bad(spec, "%v", err)
					continue
				}
				for _, r := range reserved {
					if below(what, r.name) && !r.to(dir) && (r.tests || !f.test) {
						bad(spec, "%s must not import %s: %s", dir, what, r.why)
					}
				}
				if f.test {
					continue
				}
				if slices.Contains(forbidden[dir], what) {
					bad(spec, "%s must not import %s: it is handed what it needs", dir, what)
				}
				own, ours := strings.CutPrefix(what, module+"/")
				switch {
				case !ours:
				case isForTests(own) && !isForTests(dir):
					bad(spec, "%s is for tests only", own)
				case slices.Contains(allowed, own):
				case slices.Contains(allowed, anything) && !isCmd(own):
				default:
					bad(spec, "%s must not import %s", dir, own)
				}
			}
		}
	}
	return problems
}

// below says whether an import path is name, or below it.
func below(what, name string) bool { return what == name || strings.HasPrefix(what, name+"/") }

// environmentOf says which names of which packages read the environment or the
// command line.
var environmentOf = map[string][]string{
	"os":      {"Args", "Getenv", "LookupEnv", "Environ", "ExpandEnv"},
	"syscall": {"Getenv", "Environ"},
}

// environment has nothing but a cmd, and what is there to be copied, read the environment or the command line,
// outside of tests: everything else is told what it needs. (A library may read
// some by itself, as tcell does with TERM.)
func environment(t *tree) (problems []string) {
	for _, dir := range sorted(t.packages) {
		if isCmd(dir) || isScript(dir) || isExample(dir) || isForTests(dir) {
			continue
		}
		for _, name := range t.packages[dir] {
			f := t.goFiles[name]
			if f.test || f.ignored {
				continue
			}
			local := map[string]string{} // the name in this file → the import path
			for _, spec := range f.Imports {
				what, _ := strconv.Unquote(spec.Path.Value)
				as := path.Base(what)
				if spec.Name != nil {
					as = spec.Name.Name
				}
				if _, matters := environmentOf[what]; !matters {
					continue
				}
				if as == "." {
					problems = append(problems, t.at(spec)+": a dot before "+what+" hides where its names come from")
				}
				local[as] = what
			}
			ast.Inspect(f.File, func(n ast.Node) bool {
				s, ok := n.(*ast.SelectorExpr)
				if !ok {
					return true
				}
				x, ok := s.X.(*ast.Ident)
				if ok && slices.Contains(environmentOf[local[x.Name]], s.Sel.Name) {
					problems = append(problems, fmt.Sprintf("%s: %s reads %s.%s, and only a cmd may", t.at(s), dir, local[x.Name], s.Sel.Name))
				}
				return true
			})
		}
	}
	return problems
}

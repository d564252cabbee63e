package house

import (
	"fmt"
	"go/ast"
	"regexp"
	"strings"
)

const (
	maxLines     = 500 // of a Go file
	maxTestLines = 700
)

// mayHave lists the foreign text that some file needs, as "file text", with the
// reason. It is empty.
var mayHave = map[string]string{}

// maySleep lists the test files that may call time.Sleep, with the reason. It is
// empty: wait for what is awaited, or use a synctest bubble.
var maySleep = map[string]string{}

// packageDocs wants one real sentence of every package, in exactly one file. Where
// there are tests only, one of them carries it.
func packageDocs(t *tree) (problems []string) {
	for _, dir := range sorted(t.packages) {
		var code, tests []string
		for _, file := range t.packages[dir] {
			switch f := t.goFiles[file]; {
			case f.ignored:
			case f.test:
				tests = append(tests, file)
			default:
				code = append(code, file)
			}
		}
		if len(code) == 0 {
			code = tests
		}
		var documented []string
		for _, file := range code {
			f := t.goFiles[file]
			if f.Doc == nil {
				continue
			}
			documented = append(documented, file)
			if begin := docBegin(f); !realSentence(f.Doc.Text(), begin) {
				problems = append(problems, fmt.Sprintf("%s: the package's doc does not begin with a real sentence (%s...)", file, begin))
			}
		}
		switch {
		case len(code) > 0 && len(documented) == 0:
			problems = append(problems, dir+": the package says nowhere what it is")
		case len(documented) > 1:
			problems = append(problems, fmt.Sprintf("%s: the package is documented in several files: %v", dir, documented))
		}
	}
	return problems
}

// docBegin is how the doc of a file's package begins.
func docBegin(f *goFile) string {
	name := strings.TrimSuffix(f.Name.Name, "_test")
	if name == "main" {
		return "" // a program's doc tells what the program does, in whatever words
	}
	return "Package " + name + " "
}

// realSentence looks at a doc's first paragraph. It may end in a colon, before a list.
func realSentence(text, begin string) bool {
	first, _, _ := strings.Cut(text, "\n\n")
	first = strings.TrimSpace(first)
	return strings.HasPrefix(first, begin) && len(first) >= len(begin)+20 && strings.ContainsAny(first, ".:")
}

var generatedLine = regexp.MustCompile(`(?m)^// Code generated .* DO NOT EDIT\.$`)

// fileLength bounds how much one has to read to know a file.
func fileLength(t *tree) (problems []string) {
	for _, name := range sorted(t.goFiles) {
		limit := maxLines
		if t.goFiles[name].test {
			limit = maxTestLines
		}
		if generatedLine.MatchString(t.text[name]) {
			continue
		}
		if n := strings.Count(t.text[name], "\n"); n > limit {
			problems = append(problems, fmt.Sprintf("%s: %d lines, more than %d: it holds two ideas, so split it", name, n, limit))
		}
	}
	return problems
}

// sleeps finds time.Sleep in tests: a test that waits a fixed time is slow where
// that is too long, and fails where it is too short. In a synctest bubble time is
// not real, and a sleep says what it means.
func sleeps(t *tree) (problems []string) {
	used := map[string]bool{}
	for _, dir := range sorted(t.packages) {
		helpers := bubbleHelpers(t, dir)
		for _, name := range t.packages[dir] {
			f := t.goFiles[name]
			if !f.test && !isForTests(dir) {
				continue
			}
			ast.Inspect(f.File, func(n ast.Node) bool {
				if call, ok := n.(*ast.CallExpr); ok {
					helper, ok := call.Fun.(*ast.Ident)
					return !isName(call.Fun, "synctest", "Test") && (!ok || !helpers[helper.Name])
				}
				if e, ok := n.(ast.Expr); !ok || !isName(e, "time", "Sleep") {
					return true
				}
				if maySleep[name] != "" {
					used[name] = true
				} else {
					problems = append(problems, t.at(n)+": a test sleeps; wait for what it is waiting for")
				}
				return true
			})
		}
	}
	for _, name := range sorted(maySleep) {
		if !used[name] && t.goFiles[name] != nil {
			problems = append(problems, name+": it may sleep and does not: remove it from the list")
		}
	}
	return problems
}

// bubbleHelpers are the functions of a package's tests that call one of their
// parameters inside synctest.Test, and so give a bubble to whoever calls them.
func bubbleHelpers(t *tree, dir string) map[string]bool {
	helpers := map[string]bool{}
	for _, name := range t.packages[dir] {
		for _, d := range t.goFiles[name].Decls {
			f, ok := d.(*ast.FuncDecl)
			if !ok || f.Body == nil || f.Recv != nil {
				continue
			}
			handed := map[string]bool{}
			for _, field := range f.Type.Params.List {
				if _, ok := field.Type.(*ast.FuncType); ok {
					for _, param := range field.Names {
						handed[param.Name] = true
					}
				}
			}
			inside := func(n ast.Node) bool {
				call, ok := n.(*ast.CallExpr)
				if !ok {
					return true
				}
				called, ok := call.Fun.(*ast.Ident)
				if ok && handed[called.Name] {
					helpers[f.Name.Name] = true
				}
				return true
			}
			ast.Inspect(f.Body, func(n ast.Node) bool {
				if call, ok := n.(*ast.CallExpr); ok && isName(call.Fun, "synctest", "Test") {
					ast.Inspect(call, inside)
				}
				return true
			})
		}
	}
	return helpers
}

func isName(e ast.Expr, pkg, name string) bool {
	s, ok := e.(*ast.SelectorExpr)
	if !ok || s.Sel.Name != name {
		return false
	}
	x, ok := s.X.(*ast.Ident)
	return ok && x.Name == pkg
}

var replaceLine = regexp.MustCompile(`(?m)^\s*(replace\b|[^/\n]*=>)`)

// goMod wants a module that others can build as it is.
func goMod(t *tree) (problems []string) {
	text, ok := t.text["go.mod"]
	if !ok {
		return []string{"go.mod: there is none"}
	}
	if !strings.HasPrefix(text, "module "+module+"\n") {
		problems = append(problems, "go.mod: the module is not "+module)
	}
	if replaceLine.MatchString(text) {
		problems = append(problems, "go.mod: a replace directive builds something else than others get")
	}
	return problems
}

// foreign is what belongs to one machine or another, not to the project. The
// expressions are written so that they do not find themselves.
var foreign = map[string]*regexp.Regexp{
	"a path of one machine": regexp.MustCompile(`(^|[^\w.~-])/(work)/`),
	"a registry's host":     regexp.MustCompile(`\b(proxy|sum)[.]golang[.]org\b|\b(registry)[.]npmjs[.]org\b|\b(deb)[.]debian[.]org\b`),
	"root's home":           regexp.MustCompile(`(^|[^\w.~-])/(root)/`),
}

// foreignText keeps such things out of every text file.
func foreignText(t *tree) (problems []string) {
	for _, name := range sorted(t.text) {
		for i, line := range strings.Split(t.text[name], "\n") {
			for _, what := range sorted(foreign) {
				found := foreign[what].FindString(line)
				if found != "" && mayHave[name+" "+what] == "" {
					problems = append(problems, fmt.Sprintf("%s:%d: %s (%s) does not belong here", name, i+1, strings.TrimSpace(found), what))
				}
			}
		}
	}
	return problems
}

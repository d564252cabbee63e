package house

import (
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// A rule gives the problems that it finds, each beginning with the file's path.
type rule func(*tree) []string

var rules = map[string]rule{
	"imports":      imports,
	"environment":  environment,
	"package docs": packageDocs,
	"file length":  fileLength,
	"sleeps":       sleeps,
	"go.mod":       goMod,
	"foreign text": foreignText,
	"page names":   pageNames,
}

func TestTheHouse(t *testing.T) {
	if _, err := os.Stat("../../go.mod"); err != nil {
		t.Fatalf("this is not the repository: %v", err)
	}
	repo, err := readTree(os.DirFS("../.."))
	if err != nil {
		t.Fatal(err)
	}
	for name, rule := range rules {
		t.Run(name, func(t *testing.T) {
			for _, problem := range rule(repo) {
				t.Error(problem)
			}
		})
	}
}

// tree is what the rules look at.
type tree struct {
	text     map[string]string   // every text file, by its path from the root
	goFiles  map[string]*goFile  // of them, the Go files
	packages map[string][]string // their paths, by directory, in order
	fset     *token.FileSet
}

type goFile struct {
	*ast.File
	test    bool // its name ends in _test.go
	ignored bool // has the build constraint "ignore": a program of its own
}

// maxText is the size above which a file is not read: test data, a program.
const maxText = 1 << 20

var ignoreLine = regexp.MustCompile(`(?m)^//go:build ignore$`)

func readTree(fsys fs.FS) (*tree, error) {
	t := &tree{
		text:     map[string]string{},
		goFiles:  map[string]*goFile{},
		packages: map[string][]string{},
		fset:     token.NewFileSet(),
	}
	err := fs.WalkDir(fsys, ".", func(name string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if d.IsDir() {
			if name == ".git" || name == "bin" || d.Name() == "node_modules" {
				return fs.SkipDir
			}
			return nil
		}
		if name == ".git" { // a worktree's: it says where the repository is
			return nil
		}
		if info, err := d.Info(); err != nil || !info.Mode().IsRegular() || info.Size() > maxText {
			return err
		}
		data, err := fs.ReadFile(fsys, name)
		if err != nil || slices.Contains(data, 0) { // a NUL: no text
			return err
		}
		t.text[name] = string(data)
		if !strings.HasSuffix(name, ".go") || slices.Contains(strings.Split(name, "/"), "testdata") {
			return nil
		}
		parsed, err := parser.ParseFile(t.fset, name, data, parser.ParseComments)
		if err != nil {
			return fmt.Errorf("no Go: %w", err)
		}
		t.goFiles[name] = &goFile{parsed, strings.HasSuffix(name, "_test.go"), ignoreLine.Match(data)}
		dir := path.Dir(name)
		t.packages[dir] = append(t.packages[dir], name)
		return nil
	})
	return t, err
}

// at says where in a file something stands.
func (t *tree) at(n ast.Node) string {
	p := t.fset.Position(n.Pos())
	return fmt.Sprintf("%s:%d", p.Filename, p.Line)
}

// sorted is the keys of a map in order, so that problems come in the same order.
func sorted[V any](m map[string]V) []string {
	keys := make([]string, 0, len(m))
	for k := range m {
		keys = append(keys, k)
	}
	slices.Sort(keys)
	return keys
}

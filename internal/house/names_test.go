package house

import (
	"fmt"
	"go/ast"
	"path"
	"regexp"
	"slices"
	"strings"
)

// foreignPackages are those outside of the project of which its pages speak.
var foreignPackages = []string{"net", "io"}

var (
	codeSpan = regexp.MustCompile("`([^`\n]+)`")
	pathName = regexp.MustCompile(`^(?:cmd|contrib|discovery|docs|examples|internal|protocol|scripts)/[\w./-]*$`)
	dotted   = regexp.MustCompile(`^([a-z]\w*)\.(\w+(?:\.\w+)?)$`)
)

// pageNames holds the pages in docs/ to what there is: every file or directory of
// which one speaks `so`, and every `package.Name` or `package.Type.Name`, exists.
// What stands in a fenced block is a test's who runs it.
func pageNames(t *tree) (problems []string) {
	declared := map[string]map[string]bool{} // package name → what it declares
	for dir, files := range t.packages {
		for _, name := range files {
			if f := t.goFiles[name]; !f.test && !f.ignored {
				into := declared[path.Base(dir)]
				if into == nil {
					into = map[string]bool{}
					declared[path.Base(dir)] = into
				}
				declarations(f, into)
			}
		}
	}
	for _, page := range sorted(t.text) {
		if path.Dir(page) != "docs" || path.Ext(page) != ".md" {
			continue
		}
		fenced := false
		for i, line := range strings.Split(t.text[page], "\n") {
			if strings.HasPrefix(line, "```") {
				fenced = !fenced
				continue
			}
			if fenced {
				continue
			}
			for _, span := range codeSpan.FindAllStringSubmatch(line, -1) {
				if what := unknownName(t, declared, span[1]); what != "" {
					problems = append(problems, fmt.Sprintf("%s:%d: %s", page, i+1, what))
				}
			}
		}
	}
	return problems
}

// unknownName says what is wrong with a name, if it is one.
func unknownName(t *tree, declared map[string]map[string]bool, name string) string {
	if pathName.MatchString(name) {
		dir := strings.TrimSuffix(name, "/") + "/"
		for file := range t.text {
			if file == name || strings.HasPrefix(file, dir) {
				return ""
			}
		}
		return "there is no " + name
	}
	m := dotted.FindStringSubmatch(name)
	switch {
	case m == nil || slices.Contains(foreignPackages, m[1]):
		return ""
	case declared[m[1]] == nil:
		return "there is no package " + m[1] + ", as in " + name
	case !declared[m[1]][m[2]]:
		return "there is no " + name
	}
	return ""
}

// declarations notes what a file declares: functions, types, variables, constants,
// and as Type.name the methods and fields of types.
func declarations(f *goFile, into map[string]bool) {
	for _, d := range f.Decls {
		switch d := d.(type) {
		case *ast.FuncDecl:
			name := d.Name.Name
			if d.Recv != nil {
				name = receiver(d.Recv.List[0].Type) + "." + name
			}
			into[name] = true
		case *ast.GenDecl:
			for _, s := range d.Specs {
				switch s := s.(type) {
				case *ast.ValueSpec:
					for _, n := range s.Names {
						into[n.Name] = true
					}
				case *ast.TypeSpec:
					into[s.Name.Name] = true
					members(s, into)
				}
			}
		}
	}
}

func members(s *ast.TypeSpec, into map[string]bool) {
	var list *ast.FieldList
	switch t := s.Type.(type) {
	case *ast.StructType:
		list = t.Fields
	case *ast.InterfaceType:
		list = t.Methods
	default:
		return
	}
	for _, f := range list.List {
		for _, n := range f.Names {
			into[s.Name.Name+"."+n.Name] = true
		}
	}
}

// receiver is the name of a method's type, without pointer and type parameters.
func receiver(e ast.Expr) string {
	for {
		switch t := e.(type) {
		case *ast.StarExpr:
			e = t.X
		case *ast.IndexExpr:
			e = t.X
		case *ast.Ident:
			return t.Name
		default:
			return ""
		}
	}
}

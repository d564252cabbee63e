package config

import (
	"fmt"
	"maps"
	"slices"
	"strings"
)

// reader puts what TOML has read into a File.
type reader struct {
	file     *File
	mistakes Mistakes
}

func (r *reader) wrong(path []string, format string, args ...any) {
	r.mistakes = append(r.mistakes, r.file.Mistake(fmt.Sprintf(format, args...), path...))
}

// field takes the value of one key; it is called with the key's path.
type field func(v any, path []string)

// table hands each value to the field that has its name.
func (r *reader) table(v any, path []string, fields map[string]field) {
	for _, name := range r.names(v, path) {
		at := append(slices.Clone(path), name)
		if take := fields[name]; take != nil {
			take(v.(map[string]any)[name], at)
			continue
		}
		known := slices.Sorted(maps.Keys(fields))
		r.wrong(at, "there is no such setting; %s", Suggest(name, known))
	}
}

// names are the keys of a table, in a fixed order; v is a mistake when it is none.
func (r *reader) names(v any, path []string) []string {
	t, ok := v.(map[string]any)
	if !ok {
		r.wrong(path, "this is a table: it begins with the line [%s]", strings.Join(path, "."))
		return nil
	}
	return slices.Sorted(maps.Keys(t))
}

func (r *reader) text(to *string) field {
	return func(v any, path []string) {
		if s, ok := v.(string); ok {
			*to = s
			return
		}
		r.wrong(path, "this is a text in quotation marks, not %s", kind(v))
	}
}

func (r *reader) oneOf(to *string, values ...string) field {
	return func(v any, path []string) {
		if s, ok := v.(string); ok && slices.Contains(values, s) {
			*to = s
			return
		}
		r.wrong(path, "this is one of %s", quoted(values))
	}
}

func (r *reader) yesNo(to *bool) field {
	return func(v any, path []string) {
		if b, ok := v.(bool); ok {
			*to = b
			return
		}
		r.wrong(path, "this is true or false, without quotation marks, not %s", kind(v))
	}
}

// list takes one text or several.
func (r *reader) list(v any, path []string) ([]string, bool) {
	if s, ok := v.(string); ok {
		return []string{s}, true
	}
	values, ok := v.([]any)
	out := []string{}
	for _, v := range values {
		s, isText := v.(string)
		out, ok = append(out, s), ok && isText
	}
	if !ok {
		r.wrong(path, `this is a text in quotation marks or a list of such, as in ["one", "two"]`)
	}
	return out, ok
}

// lists takes a table of them, whatever their names are.
func (r *reader) lists(v any, path []string) map[string][]string {
	out := map[string][]string{}
	for _, name := range r.names(v, path) {
		if l, ok := r.list(v.(map[string]any)[name], append(slices.Clone(path), name)); ok {
			out[name] = l
		}
	}
	return out
}

func (r *reader) top(top map[string]any) {
	f := r.file
	r.table(top, nil, map[string]field{
		"nick":  r.text(&f.Nick),
		"theme": r.text(&f.Theme),
		"keys":  func(v any, path []string) { f.Keys = r.lists(v, path) },
		"themes": func(v any, path []string) {
			f.Themes = map[string]map[string][]string{}
			for _, name := range r.names(v, path) {
				f.Themes[name] = r.lists(v.(map[string]any)[name], append(slices.Clone(path), name))
			}
		},
		"notify": func(v any, path []string) {
			n := &f.Notify
			r.table(v, path, map[string]field{
				"default":   r.oneOf(&n.Default, "all", "mentions", "nothing"),
				"bell":      r.yesNo(&n.Bell),
				"terminal":  r.oneOf(&n.Terminal, "", "osc9", "osc777"),
				"desktop":   r.yesNo(&n.Desktop),
				"hide_text": r.yesNo(&n.HideText),
				"title":     r.yesNo(&n.Title),
			})
		},
	})
}

func kind(v any) string {
	switch v.(type) {
	case string:
		return "a text"
	case bool:
		return "true or false"
	case int64, float64:
		return "a number"
	case map[string]any, []map[string]any:
		return "a table"
	case []any:
		return "a list"
	}
	return "a time"
}

func quoted(values []string) string {
	var b strings.Builder
	for i, v := range values {
		if i > 0 {
			b.WriteString(", ")
		}
		fmt.Fprintf(&b, "%q", v)
	}
	return b.String()
}

// Suggest says which of the known names was meant, or all of them.
func Suggest(name string, known []string) string {
	best, least := "", len(name)/3+2 // edits: more is another word
	for _, k := range known {
		if n := edits(strings.ToLower(name), k); n < least {
			best, least = k, n
		}
	}
	if best != "" {
		return "did you mean " + best + "?"
	}
	return "there are " + strings.Join(known, ", ")
}

// edits counts the letters to be put in, taken away or changed to come from a to b.
func edits(a, b string) int {
	if len(a) > 64 {
		return len(a) // no name is so long, and a file can hold many
	}
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		diagonal := row[0]
		row[0] = i + 1
		for j := range len(b) {
			n := diagonal
			if a[i] != b[j] {
				n = 1 + min(diagonal, row[j], row[j+1])
			}
			diagonal, row[j+1] = row[j+1], n
		}
	}
	return row[len(b)]
}

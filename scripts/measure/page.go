package main

import (
	_ "embed"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// Between these the page is written anew each time; what is around them is by hand.
const (
	beginMark = "<!-- What follows is written by scripts/performance. -->"
	endMark   = "<!-- What follows is written by hand. -->"
)

//go:embed page.md
var firstPage string

// writePage puts all results that there are on the page.
func writePage(o *options) error {
	all := map[string]*results{}
	for _, c := range cases {
		r, err := readResults(o, c.name)
		if errors.Is(err, os.ErrNotExist) {
			continue
		}
		if err != nil {
			return err
		}
		all[c.name] = r
	}
	for name, c := range curves(all) {
		if err := writeFile(filepath.Join(o.docs, "performance", name+".svg"), []byte(c.svg())); err != nil {
			return err
		}
	}
	file := filepath.Join(o.docs, "performance.md")
	page, err := os.ReadFile(file)
	if errors.Is(err, os.ErrNotExist) {
		page, err = []byte(firstPage), nil
	}
	if err != nil {
		return err
	}
	before, rest, ok1 := strings.Cut(string(page), beginMark)
	_, after, ok2 := strings.Cut(rest, endMark)
	if !ok1 || !ok2 {
		return fmt.Errorf("%s has not both of the lines %q and %q: put them back, or move the page away", file, beginMark, endMark)
	}
	return writeFile(file, []byte(before+beginMark+"\n\n"+measured(all)+"\n"+endMark+after))
}

// measured is what the results say.
func measured(all map[string]*results) string {
	var b strings.Builder
	b.WriteString("## Measured\n\n")
	var machines []string
	for _, c := range cases {
		r := all[c.name]
		if r == nil {
			continue
		}
		m := fmt.Sprintf("%s, on %s", r.Machine, r.At.Format("2 January 2006"))
		if !slices.Contains(machines, m) {
			machines = append(machines, m)
		}
	}
	for _, m := range machines {
		fmt.Fprintf(&b, "%s.\n", m)
	}
	if len(machines) > 1 {
		b.WriteString("The cases were measured apart; the files of results say which where.\n")
	}
	b.WriteString("\n| work | measure | reached | aim | | beside |\n|---|---|---:|---|---|---|\n")
	for _, c := range cases {
		r := all[c.name]
		if r == nil || strings.HasPrefix(c.name, "F") {
			continue
		}
		for _, row := range c.rows(r) {
			fmt.Fprintf(&b, "| %s | %s | %s | %s | %s | %s |\n", row.work, row.measure, row.shown, row.aims, row.reached(), row.beside)
		}
	}
	for _, c := range cases {
		if all[c.name] == nil && !strings.HasPrefix(c.name, "F") {
			fmt.Fprintf(&b, "\nCase %s (%s) has not been measured.\n", c.name, c.title)
		}
	}
	for _, f := range []struct{ name, file, title, text string }{
		{"F1", "rooms", "Rooms of 10 to 5,000", "As many connections and deliveries at each point; what differs is how many people are in one room, and so how many posts there are for them."},
		{"F2", "log", "A log that grows", "Half of the entries are in the room that is posted to. All are indexed for search."},
		{"F3", "memory", "Connections", "All of the server's memory, with connections that have joined one room and are silent."},
	} {
		r := all[f.name]
		if r == nil {
			continue
		}
		fmt.Fprintf(&b, "\n### %s\n\n![%s](performance/%s.svg)\n\n%s\n\n", f.title, f.title, f.file, f.text)
		for _, row := range find(f.name).rows(r) {
			fmt.Fprintf(&b, "- %s: %s %s%s\n", strings.TrimPrefix(row.work, "F, "), row.measure, row.shown, beside(row))
		}
	}
	b.WriteString("\n### To repeat it\n\n```\nscripts/performance              everything\nscripts/performance A            one case\nscripts/performance --short      in a few minutes; writes nothing\nscripts/performance --page       writes this page again from the results in docs/performance/\n```\n\n")
	b.WriteString("By hand, each is a server and a load (`go build ./cmd/chat` and `./cmd/chatd` make both programs; ADDRESS is what `chatd` says it is ready at):\n\n```\n")
	fmt.Fprintf(&b, "chatd %s\n", strings.Join(durable.flags("DIR"), " "))
	fmt.Fprintf(&b, "chatd %s\n\n", strings.Join(inMemory.flags(""), " "))
	for _, c := range cases {
		r := all[c.name]
		if r == nil {
			continue
		}
		var said []string
		for _, s := range r.Samples {
			if !slices.Contains(said, s.Bench) {
				said = append(said, s.Bench)
				fmt.Fprintf(&b, "%-3s chat bench ADDRESS --yes %s\n", c.name, s.Bench)
			}
		}
	}
	b.WriteString("```\n")
	return b.String()
}

func find(name string) benchCase {
	return cases[slices.IndexFunc(cases, func(c benchCase) bool { return c.name == name })]
}

func beside(r row) string {
	if r.beside == "" {
		return ""
	}
	return " (" + r.beside + ")"
}

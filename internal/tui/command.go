package tui

import (
	"slices"
	"strings"

	"lanchat/internal/client"
)

// uiCommand is a command that only a screen has. It goes before one of the same
// name in client.Commands.
type uiCommand struct {
	name, args, help string
	do               func(u *chat, rest string) error
}

var uiCommands []uiCommand

func init() { // not a literal: the help reads the table
	uiCommands = []uiCommand{
		{"help", "", "show the keys and the commands", func(u *chat, _ string) error { u.over = newHelp(u); return nil }},
		{"search", "[QUERY]", "search what was said: words, \"a phrase\", from:NICK, in:ROOM, after:DATE",
			func(u *chat, rest string) error { u.openSearch(rest); return nil }},
		{"theme", "[NAME]", "change how this looks; without NAME, show the themes there are", (*chat).setTheme},
		{"copy", "", "choose an entry, to copy, answer, change or delete it", func(u *chat, _ string) error { u.choose(); return nil }},
	}
}

// listed is a command as it is shown.
type listed struct {
	name, args, help string
	command          client.Command // of client.Commands, if it is one
}

// commands lists all commands there are, for the help, completion and the palette.
func commands() []listed {
	var all []listed
	for _, c := range client.Commands {
		if !slices.ContainsFunc(uiCommands, func(ui uiCommand) bool { return ui.name == c.Name }) {
			all = append(all, listed{c.Name, c.Args, c.Help, c})
		}
	}
	for _, c := range uiCommands {
		all = append(all, listed{name: c.name, args: c.args, help: c.help})
	}
	slices.SortStableFunc(all, func(a, b listed) int { return strings.Compare(a.name, b.name) })
	return all
}

// offered lists the commands that are for this user in the active room: completion and
// the palette have no others. The help has all.
func (u *chat) offered() []listed {
	return slices.DeleteFunc(commands(), func(c listed) bool { return !u.st.Offered(c.command, u.st.Active) })
}

// isCommand tells a command from text; two slashes begin a text with one.
func isCommand(line string) bool {
	return strings.HasPrefix(line, "/") && !strings.HasPrefix(line, "//")
}

// obey carries out a command of the screen's; it is false for all others.
func (u *chat) obey(line string) (done bool, err error) {
	if !isCommand(line) {
		return false, nil
	}
	name, rest, _ := strings.Cut(line[1:], " ")
	for _, c := range uiCommands {
		if strings.EqualFold(c.name, name) {
			return true, c.do(u, strings.TrimSpace(rest))
		}
	}
	return false, nil
}

package main

import (
	"lanchat/cmd/internal/man"
	"lanchat/cmd/internal/serve"
)

// aboutManual is what the manual's pages say beyond the commands' help.
func aboutManual() man.Info {
	return man.Info{
		Version: serve.Version(), Date: serve.Date(), Also: []string{"chatd"},
		Exit: []man.ExitCode{
			{Code: exitDone, Text: "It is done."},
			{Code: exitFailed, Text: "It has failed; standard error says why."},
			{Code: exitUsage, Text: "Wrong usage: nothing was done."},
			{Code: exitNotFound, Text: "No such server was found."},
			{Code: exitRefused, Text: "The server has refused it, or its key has changed."},
		},
		Env: [][2]string{
			{"CHAT_SERVER, CHAT_ROOM, CHAT_NICK, CHAT_DISCOVERY_INTERFACE", "Stand in for --server, --room, --nick and --discovery-interface."},
			{"NO_COLOR", "Switches colours off, whatever its value."},
		},
		Files: [][2]string{
			{"$XDG_CONFIG_HOME/lanchat (~/.config/lanchat)", "Your key, the pinned keys of servers, config.toml."},
			{"$XDG_DATA_HOME/lanchat/unsent (~/.local/share/lanchat/unsent)", "Your unsent messages, and how far you have read."},
		},
	}
}

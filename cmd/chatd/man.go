package main

import (
	"lanchat/cmd/internal/man"
	"lanchat/cmd/internal/serve"
)

// aboutManual is what the manual's pages say beyond the commands' help.
func aboutManual() man.Info {
	return man.Info{
		Version: serve.Version(), Date: serve.Date(), Also: []string{"chat"},
		Exit: []man.ExitCode{
			{Code: exitDone, Text: "It is done; a server has ended because it was told to."},
			{Code: exitFailed, Text: "It has failed; standard error says why."},
			{Code: exitUsage, Text: "Wrong usage: nothing was done."},
		},
		Env: [][2]string{{"CHATD_NAME, CHATD_LISTEN, CHATD_DATA, ...", "Stand in for the flags: --post-rate is CHATD_POST_RATE."}},
		Files: [][2]string{
			{"$XDG_DATA_HOME/lanchat/servers/NAME (~/.local/share/lanchat/servers/NAME)", "A server's key, its log, and the hashes of its webhook's tokens; --data names another directory."},
		},
	}
}

package serve

import "runtime/debug"

// Version is this build's: the module's, or "dev" with the commit when it was
// built from a checkout.
func Version() string {
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return "dev"
	}
	if v := info.Main.Version; v != "" && v != "(devel)" {
		return v
	}
	for _, s := range info.Settings {
		if s.Key == "vcs.revision" && len(s.Value) >= 12 {
			return "dev-" + s.Value[:12]
		}
	}
	return "dev"
}

// Date is the day of this build's commit, "" when it is not known.
func Date() string {
	if info, ok := debug.ReadBuildInfo(); ok {
		for _, s := range info.Settings {
			if s.Key == "vcs.time" && len(s.Value) >= len("2026-11-01") {
				return s.Value[:len("2026-11-01")]
			}
		}
	}
	return ""
}

// Software is how this build calls itself towards a peer.
func Software() string { return "lanchat/" + Version() }

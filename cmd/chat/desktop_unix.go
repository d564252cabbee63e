//go:build unix && !darwin

package main

import (
	"os"
	"os/exec"
	"strings"
)

// desktop shows notifications by notify-send, where there is a desktop and the
// program for it; else it is nil.
func desktop() func(title, text string) {
	if os.Getenv("DISPLAY") == "" && os.Getenv("WAYLAND_DISPLAY") == "" {
		return nil
	}
	path, err := exec.LookPath("notify-send")
	if err != nil {
		return nil
	}
	// The text may have markup and escapes, and somebody else wrote it.
	literal := strings.NewReplacer("&", "&amp;", "<", "&lt;", ">", "&gt;", `\`, `\\`)
	return func(title, text string) {
		runNotifier(path, "--app-name=lanchat", "--", title, literal.Replace(text))
	}
}

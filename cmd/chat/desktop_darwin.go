package main

import "os/exec"

// desktop shows notifications by osascript. What is said reaches the script as its
// arguments, and is never a part of it.
func desktop() func(title, text string) {
	path, err := exec.LookPath("osascript")
	if err != nil {
		return nil
	}
	return func(title, text string) {
		runNotifier(path, "-e", "on run argv", "-e", "display notification (item 2 of argv) with title (item 1 of argv)", "-e", "end run", "--", title, text)
	}
}

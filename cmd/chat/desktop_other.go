//go:build !unix

package main

// desktop is nil: what this system has for notifications needs an installed
// application. The terminal's own are left, see [notify] terminal.
func desktop() func(title, text string) { return nil }

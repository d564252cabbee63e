//go:build !unix

package main

import "os"

// onHangUp returns nothing: there are no such signals here.
func onHangUp() (hangUps <-chan os.Signal, ignore func()) { return nil, func() {} }

func terminalGone() bool { return false }

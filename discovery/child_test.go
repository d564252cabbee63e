package discovery

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/netip"
	"os"
	"strconv"
	"strings"
)

// childEnv, in the environment, makes the test binary a program that discovers:
// what another process, and another user, does can't be shown in this one.
const childEnv = "DISCOVERY_CHILD"

// child is what the second process does until its standard input ends. Each
// result is a line of standard output.
func child(args []string) error {
	ctx, cancel := context.WithCancel(context.Background())
	go func() {
		_, _ = io.Copy(io.Discard, os.Stdin)
		cancel()
	}()
	switch args[0] {
	case "announce": // NAME KEY PORT
		k, err := strconv.Atoi(args[2])
		if err != nil {
			return err
		}
		port, err := strconv.ParseUint(args[3], 10, 16)
		if err != nil {
			return err
		}
		a, err := NewAnnouncer(Config{}, Announcement{Name: args[1], Key: key(byte(k)),
			Listen: netip.AddrPortFrom(netip.IPv4Unspecified(), uint16(port))})
		if err != nil {
			return err
		}
		go func() {
			<-a.Ready()
			fmt.Println("ready")
		}()
		return a.Run(ctx)
	case "list":
		list, err := List(ctx, Config{}, 0)
		if err != nil {
			return err
		}
		fmt.Println(strings.Join(names(list), " "))
		return nil
	}
	return errors.New("no such program")
}

package discovery

import (
	"net"
	"testing"

	"lanchat/internal/netlab"
)

// hold takes the discovery port of a host for itself alone, as a program does
// that does not know SO_REUSEADDR.
func hold(t *testing.T, h *netlab.Host) {
	t.Helper()
	var held net.PacketConn
	err := h.Do(func() (err error) {
		held, err = net.ListenPacket("udp4", ":25252")
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = held.Close() })
}

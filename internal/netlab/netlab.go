// Package netlab gives a test several hosts on one machine. It is for tests
// only, and for Linux; elsewhere, and where the system does not permit it, [New]
// skips the test and says why.
//
// A host is a network namespace: its own interfaces, addresses, routes and
// ports. A LAN is a bridge in one more namespace; a host joins it with a pair of
// virtual Ethernet interfaces.
//
//	lab := netlab.New(t)
//	ann := lab.Host("ann", "10.77.0.1/24")
//	bob := lab.Host("bob", "10.77.0.2/24")
//	err := bob.Do(func() error { … })
//
// What makes networks hard is there too: firewalls ([Host.Firewall],
// [Host.Refuse]), loss ([Host.Lose]), ports that are isolated or unplugged
// ([Host.Isolate], [Host.Unplug]), a tunnel without broadcast ([Lab.Tunnel]) and
// a crowd of interfaces ([Host.Crowd]). Everything else is a command of the ip
// program ([Host.IP]).
//
// No host has a default route, and none is connected to the machine's own
// network: nothing that a test sends can leave the lab.
//
// The namespaces have no names. They exist as long as something refers to them:
// the open files of the test, which the end of the test closes, and the sockets
// and processes in them. So a test that is killed leaves nothing behind.
//
// It takes the right to make network namespaces: root's, or that of a user
// namespace, in which [Enter] runs the test binary again when its user is not
// root. It takes the programs ip (iproute2) and nsenter (util-linux), and for
// firewalls and loss nft (nftables).
//
// A Lab and its hosts may be used by several goroutines at once. But New and the
// methods that build something, all but Do, Command, IP and Addr, can end the
// test: only the goroutine that runs it may call them.
//
// Sources: namespaces(7), network_namespaces(7), veth(4), bridge in ip-link(8),
// nft(8), Documentation/networking/tuntap of the Linux kernel.
package netlab

package doctor

import (
	"bufio"
	"bytes"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"io"
	"math/bits"
	"net/netip"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
)

// maxTable bounds what is read of a table of the kernel's.
const maxTable = 1 << 20

// table reads a table of proc(5): the fields of each line but the first.
func table(path string) (rows [][]string, err error) {
	file, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer file.Close()
	return tableOf(file)
}

func tableOf(r io.Reader) (rows [][]string, err error) {
	lines := bufio.NewScanner(io.LimitReader(r, maxTable))
	for first := true; lines.Scan(); first = false {
		if !first {
			rows = append(rows, strings.Fields(lines.Text()))
		}
	}
	return rows, lines.Err()
}

func routes() (list []Route, err error) {
	rows, err := table("/proc/net/route")
	if err != nil {
		return nil, fmt.Errorf("the routes cannot be read: %w", err)
	}
	return routesOf(rows), nil
}

func routesOf(rows [][]string) (list []Route) {
	const interfaceAt, toAt, viaAt, flagsAt, maskAt = 0, 1, 2, 3, 7
	for _, row := range rows {
		if len(row) <= maskAt {
			continue
		}
		to, ok1 := address(row[toAt])
		via, ok2 := address(row[viaAt])
		mask, ok3 := address(row[maskAt])
		flags, err := strconv.ParseUint(row[flagsAt], 16, 16)
		if !ok1 || !ok2 || !ok3 || err != nil || flags&unix.RTF_UP == 0 || flags&unix.RTF_REJECT != 0 {
			continue
		}
		m := mask.As4()
		r := Route{To: netip.PrefixFrom(to, bits.OnesCount32(binary.BigEndian.Uint32(m[:]))), Interface: row[interfaceAt]}
		if flags&unix.RTF_GATEWAY != 0 {
			r.Via = via
		}
		list = append(list, r)
	}
	return list
}

// address reads an IPv4 address as /proc/net has it: the number that it is in the
// memory of this machine.
func address(text string) (netip.Addr, bool) {
	b, err := hex.DecodeString(text)
	if err != nil || len(b) != 4 {
		return netip.Addr{}, false
	}
	var a [4]byte
	binary.NativeEndian.PutUint32(a[:], binary.BigEndian.Uint32(b))
	return netip.AddrFrom4(a), true
}

func neighbours() []Neighbour {
	rows, err := table("/proc/net/arp")
	if err != nil {
		return nil
	}
	return neighboursOf(rows)
}

func neighboursOf(rows [][]string) (list []Neighbour) {
	const addrAt, flagsAt, interfaceAt, complete = 0, 2, 5, 0x2
	for _, row := range rows {
		if len(row) <= interfaceAt {
			continue
		}
		addr, err := netip.ParseAddr(row[addrAt])
		flags, err2 := strconv.ParseUint(row[flagsAt], 0, 16)
		if err == nil && err2 == nil {
			list = append(list, Neighbour{addr, row[interfaceAt], flags&complete != 0})
		}
	}
	return list
}

// holders are the programs that have a UDP port, with their names as far as this
// user may see them.
func holders(port uint16) (list []Holder) {
	inodes := map[string]int{} // of a socket → which of list
	for _, path := range []string{"/proc/net/udp", "/proc/net/udp6"} {
		rows, err := table(path)
		if err != nil {
			continue
		}
		for _, row := range rows {
			const localAt, uidAt, inodeAt = 1, 7, 9
			if len(row) <= inodeAt {
				continue
			}
			host, number, _ := strings.Cut(row[localAt], ":")
			if n, err := strconv.ParseUint(number, 16, 16); err != nil || uint16(n) != port {
				continue
			}
			addr, ok := address(host)
			if !ok {
				addr = netip.IPv6Unspecified()
			}
			uid, _ := strconv.Atoi(row[uidAt])
			inodes["socket:["+row[inodeAt]+"]"] = len(list)
			list = append(list, Holder{Addr: netip.AddrPortFrom(addr, port), UID: uid})
		}
	}
	if len(list) == 0 {
		return nil
	}
	fds, _ := filepath.Glob("/proc/[0-9]*/fd/*")
	for _, fd := range fds {
		target, err := os.Readlink(fd)
		if err != nil {
			continue
		}
		if i, ours := inodes[target]; ours && list[i].PID == 0 {
			dir := filepath.Dir(filepath.Dir(fd))
			list[i].PID, _ = strconv.Atoi(filepath.Base(dir))
			list[i].Program = command(dir)
		}
	}
	return list
}

// command is the name of a process.
func command(dir string) string {
	name, err := os.ReadFile(filepath.Join(dir, "comm"))
	if err != nil {
		return "a program"
	}
	return strings.TrimSpace(string(name))
}

// firewalls are those of which a file says that they are switched on.
func firewalls() (list []Firewall) {
	if text, err := os.ReadFile("/etc/ufw/ufw.conf"); err == nil && ufwIsOn(text) {
		list = append(list, Firewall{"ufw", "ENABLED=yes in /etc/ufw/ufw.conf"})
	}
	comms, _ := filepath.Glob("/proc/[0-9]*/comm")
	for _, path := range comms {
		if name := command(filepath.Dir(path)); name == "firewalld" {
			list = append(list, Firewall{"firewalld", "it is running"})
			break
		}
	}
	if found, _ := filepath.Glob("/etc/systemd/system/*.wants/nftables.service"); len(found) > 0 {
		list = append(list, Firewall{"nftables", "nftables.service starts with the system"})
	}
	// For root only; an empty one is a table that was never made.
	if text, err := os.ReadFile("/proc/net/ip_tables_names"); err == nil && bytes.Contains(text, []byte("filter")) {
		list = append(list, Firewall{"iptables", "it has a filter table"})
	}
	return list
}

func ufwIsOn(text []byte) bool {
	for line := range strings.Lines(string(text)) {
		if strings.EqualFold(strings.TrimSpace(line), "enabled=yes") {
			return true
		}
	}
	return false
}

// wireless reports whether an interface is a Wi-Fi's.
func wireless(name string) bool {
	_, err := os.Stat(filepath.Join("/sys/class/net", name, "phy80211"))
	return err == nil
}

package discovery

import (
	"net"
	"net/netip"
	"sync"
	"time"
)

// watcher tells of datagrams. Where nobody watches there is none.
type watcher struct {
	tell  func(Datagram)
	names map[int]string // of the interfaces, by index
	until time.Time      // names may be wrong from then on
}

// inOrder is held while a datagram is sent and told of: what it causes, at
// whichever socket of this process, may come before the call that sent it returns,
// and is to be told of after it. It guards all watchers.
var inOrder sync.Mutex

func newWatcher(cfg Config) *watcher {
	if cfg.Watch == nil {
		return nil
	}
	return &watcher{tell: cfg.Watch}
}

// write writes a datagram and tells how that went.
func (w *watcher) write(conn packetConn, b []byte, to netip.AddrPort, via link) error {
	inOrder.Lock()
	defer inOrder.Unlock()
	d := Datagram{At: time.Now(), Sent: true, Peer: via.zoned(to), Local: conn.local(), Interface: via.name, Bytes: b}
	if via.addr.IsValid() {
		d.Local = netip.AddrPortFrom(via.addr.Addr(), d.Local.Port())
	}
	d.Packet, _ = Parse(b) // which has passed Append
	d.Err = conn.write(b, to, via)
	w.tell(d)
	return d.Err
}

// came tells of a datagram that came in, and of what Parse said of it.
func (w *watcher) came(conn packetConn, b []byte, a arrival, p Packet, err error) {
	at := time.Now()
	inOrder.Lock()
	defer inOrder.Unlock()
	d := Datagram{At: at, Peer: a.from, To: a.to, Local: conn.local(), Interface: w.name(a.index, at), Bytes: b, Packet: p, Err: err}
	if a.to.IsValid() {
		d.Local = netip.AddrPortFrom(a.to, d.Local.Port())
	}
	w.tell(d)
}

// name is that of the interface with the given index. Another one may get the
// same number, so what is known of it does not stay.
func (w *watcher) name(index int, now time.Time) string {
	if index == 0 {
		return ""
	}
	if !now.Before(w.until) {
		w.names, w.until = map[int]string{}, now.Add(glance)
	}
	name, known := w.names[index]
	if !known {
		if i, err := net.InterfaceByIndex(index); err == nil {
			name = i.Name
		}
		w.names[index] = name // "" too: asking costs the same
	}
	return name
}

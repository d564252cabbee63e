package discovery

import (
	"context"
	"errors"
	"net"
	"net/netip"
	"slices"
	"sync/atomic"
	"testing"
	"time"
)

func TestLookupOnThisHost(t *testing.T) {
	t.Parallel()
	cfg := loopback(t)
	want := Announcement{Name: "Büro", Key: key(1), Flags: FlagPassphrase}
	a, _ := announce(t, nil, cfg, want)
	a.SetPeople(7)

	var list []Server
	eventually(t, "a lookup takes less than a second", func() bool { // where the machine does not stand still
		began := time.Now()
		var err error
		if list, err = Lookup(t.Context(), cfg, Want{Name: "bÜRO"}); err != nil || len(list) != 1 {
			t.Fatalf("%+v, %v", list, err)
		}
		return time.Since(began) < time.Second && list[0].Answered
	})
	s := list[0]
	if s.Name != want.Name || s.Key != want.Key || s.People != 7 || s.Flags != want.Flags || !s.Answered ||
		s.Instance != a.Instance() || s.Addr != netip.MustParseAddrPort("127.0.0.1:25252") ||
		s.Interface != cfg.Interfaces[0] || len(s.Others) != 0 || time.Since(s.Seen) > time.Minute {
		t.Errorf("found %+v", s)
	}
	// What is sent is counted behind its way out, when the answer may be here already.
	eventually(t, "the answer is counted", func() bool {
		st := a.Stats()
		return st.Answered > 0 && st.Received >= st.Answered && st.Sent > 0
	})
}

func TestLookupEnds(t *testing.T) {
	t.Parallel()
	cfg := loopback(t)
	announce(t, nil, cfg, Announcement{Name: "other", Key: key(1)})
	began := time.Now()
	list, err := Lookup(t.Context(), cfg, Want{Name: "absent"})
	took := time.Since(began) // when exactly: TestLookupSchedule
	if !nothingFound(err) || len(list) > 0 || took < lookupTime || took > lookupTime+patience {
		t.Errorf("%v, %v after %v", list, err, took)
	}

	stop := errors.New("stop")
	ctx, cancel := context.WithCancelCause(t.Context())
	cancel(stop)
	if _, err := Lookup(ctx, cfg, Want{Name: "absent"}); err != stop {
		t.Errorf("cancelled: %v", err)
	}
	if _, err := Lookup(t.Context(), cfg, Want{Name: "-h"}); !errors.Is(err, ErrName) {
		t.Errorf("an impossible name: %v", err)
	}
	if _, err := Lookup(t.Context(), Config{Port: 70000}, Want{}); err == nil {
		t.Error("an impossible port")
	}
}

// Two chatd on one host: of the sockets on one port only the last gets unicast,
// so the first must be found by broadcast.
func TestTwoServersOnOneHost(t *testing.T) {
	t.Parallel()
	cfg := loopback(t)
	announce(t, nil, cfg, Announcement{Name: "room", Key: key(1)})
	announce(t, nil, cfg, Announcement{Name: "Room", Key: key(2)})
	announce(t, nil, cfg, Announcement{Name: "third", Key: key(3), Listen: netip.MustParseAddrPort("127.0.0.1:1")})

	list, err := List(t.Context(), cfg, 0)
	if got := names(list); err != nil || !slices.Equal(got, []string{"room", "Room", "third"}) {
		t.Fatalf("listed %v, %v", got, err)
	}

	eventually(t, "a lookup shows the conflict", func() bool { // the other one has 50 ms
		both, err := Lookup(t.Context(), cfg, Want{Name: "ROOM"})
		return errors.Is(err, ErrConflict) && len(both) == 2 && both[0].Key != both[1].Key
	})
	pin := key(2)
	one, err := Lookup(t.Context(), cfg, Want{Name: "room", Key: &pin})
	if err != nil || len(one) != 1 || one[0].Key != pin {
		t.Errorf("the pinned one: %+v, %v", one, err)
	}
	unnamed, err := Lookup(t.Context(), cfg, Want{Key: &pin})
	if err != nil || len(unnamed) != 1 || unnamed[0].Key != pin {
		t.Errorf("the pinned one, without its name: %+v, %v", unnamed, err)
	}
	pin = key(9)
	others, err := Lookup(t.Context(), cfg, Want{Name: "room", Key: &pin})
	if !errors.Is(err, ErrOtherKey) || len(others) != 2 {
		t.Errorf("a changed key: %+v, %v", others, err)
	}
}

func TestSkip(t *testing.T) {
	t.Parallel()
	cfg := loopback(t)
	announce(t, nil, cfg, Announcement{Name: "room", Key: key(1), Listen: netip.MustParseAddrPort("0.0.0.0:1")})
	announce(t, nil, cfg, Announcement{Name: "room", Key: key(1), Listen: netip.MustParseAddrPort("0.0.0.0:2")})
	pin := key(1)
	for range 3 {
		list, err := Lookup(t.Context(), cfg, Want{Name: "room", Key: &pin, Skip: []netip.AddrPort{netip.MustParseAddrPort("127.0.0.1:1")}})
		if err != nil || len(list) != 1 || list[0].Addr.Port() != 2 {
			t.Fatalf("%+v, %v", list, err)
		}
	}
}

// A client on the server's host must not take its datagrams away.
func TestBrowserBesideServer(t *testing.T) {
	t.Parallel()
	cfg := loopback(t)
	_, stopServer := announce(t, nil, cfg, Announcement{Name: "room", Key: key(1)})
	confirming := cfg
	var there atomic.Bool
	there.Store(true)
	var asked atomic.Int32
	confirming.Confirm = func(_ context.Context, addr netip.AddrPort) bool {
		if addr != netip.MustParseAddrPort("127.0.0.1:25252") {
			t.Errorf("asked whether %v is there", addr)
		}
		asked.Add(1)
		return there.Load()
	}
	b, err := NewBrowser(confirming)
	if err != nil {
		t.Fatal(err)
	}
	start(t, nil, "Browser.Run", b.Run)
	await(t, b, "the server", func(l []Server) bool { return len(l) == 1 && l[0].Name == "room" })

	// By unicast alone: it reaches the last socket that was opened on the port.
	conn, err := net.Dial("udp4", netip.AddrPortFrom(local, cfg.port()).String())
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	query, err := Append(nil, &Query{Token: token(1), Name: "room"})
	if err != nil {
		t.Fatal(err)
	}
	_ = conn.SetDeadline(time.Now().Add(patience))
	if _, err := conn.Write(query); err != nil {
		t.Fatal(err)
	}
	buf := make([]byte, 2*MaxPacket)
	n, err := conn.Read(buf)
	if err != nil {
		t.Fatalf("the server is deaf beside a browser: %v", err)
	}
	if p, err := Parse(buf[:n]); err != nil || p.Type() != "answer" {
		t.Errorf("%v, %v", p, err)
	}

	// A goodbye that the server did not send.
	e := b.Servers()[0]
	forge(t, cfg, &Goodbye{Instance: e.Instance, Key: e.Key, Seq: 1 << 30})
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for deadline := time.Now().Add(patience); asked.Load() == 0; <-tick.C {
		if time.Now().After(deadline) {
			t.Fatal("the goodbye was not checked")
		}
	}
	if len(b.Servers()) != 1 {
		t.Error("a forged goodbye removed the server")
	}

	there.Store(false)
	stopServer()
	await(t, b, "the end of the server", func(l []Server) bool { return len(l) == 0 })
}

// forge sends a packet to the listeners on this host.
func forge(t *testing.T, cfg Config, p Packet) {
	t.Helper()
	b, err := Append(nil, p)
	if err != nil {
		t.Fatal(err)
	}
	conn, err := net.ListenPacket("udp4", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	to := net.UDPAddrFromAddrPort(netip.MustParseAddrPort("127.255.255.255:0"))
	to.Port = cfg.Port
	if _, err := conn.WriteTo(b, to); err != nil {
		t.Fatal(err)
	}
}

// A query that is shorter than the answer gets no answer.
func TestNoAmplification(t *testing.T) {
	t.Parallel()
	cfg := loopback(t)
	a, _ := announce(t, nil, cfg, Announcement{Name: "room", Key: key(1)})
	conn, err := net.Dial("udp4", netip.AddrPortFrom(local, cfg.port()).String())
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	_ = conn.SetDeadline(time.Now().Add(patience))
	bare, err := encode(&Query{Token: token(1), Name: "room"})
	if err != nil {
		t.Fatal(err)
	}
	full, err := Append(nil, &Query{Token: token(2), Name: "room"})
	if err != nil {
		t.Fatal(err)
	}
	for _, b := range [][]byte{bare, full, full, full} { // the third full one is a copy too many
		if _, err := conn.Write(b); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := conn.Write(must(Append(nil, &Query{Token: token(3), Name: "room"}))); err != nil {
		t.Fatal(err)
	}
	buf := make([]byte, 2*MaxPacket)
	for _, want := range []byte{2, 2, 3} {
		n, err := conn.Read(buf)
		if err != nil {
			t.Fatal(err)
		}
		p, err := Parse(buf[:n])
		if ans, ok := p.(*Answer); !ok || ans.Token != token(want) || n > len(full) {
			t.Errorf("%d bytes: %+v, %v; want the answer to %d", n, p, err, want)
		}
	}
	if got := a.Stats().Answered; got != 3 {
		t.Errorf("%d answers", got)
	}
}

// A datagram whose first 256 bytes are good is not good.
func TestTooLong(t *testing.T) {
	t.Parallel()
	cfg := loopback(t)
	a, _ := announce(t, nil, cfg, Announcement{Name: "room", Key: key(1)})
	conn, err := net.Dial("udp4", netip.AddrPortFrom(local, cfg.port()).String())
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	_ = conn.SetDeadline(time.Now().Add(patience))
	long := append(must(Append(nil, &Query{Token: token(1), Name: "room"})), 0)
	for _, b := range [][]byte{long, append(long, make([]byte, 60<<10)...), must(Append(nil, &Query{Token: token(2), Name: "room"}))} {
		if _, err := conn.Write(b); err != nil {
			t.Fatal(err)
		}
	}
	buf := make([]byte, 2*MaxPacket)
	n, err := conn.Read(buf)
	if err != nil {
		t.Fatal(err)
	}
	if p, err := Parse(buf[:n]); err != nil || p.(*Answer).Token != token(2) {
		t.Errorf("%+v, %v", p, err)
	}
	if s := a.Stats(); s.Malformed != 2 {
		t.Errorf("%d malformed", s.Malformed)
	}
}

// Stopping ends everything, however much comes in.
func TestStopInAFlood(t *testing.T) {
	t.Parallel()
	cfg := loopback(t)
	conn, err := net.ListenPacket("udp4", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() }) // behind what start registers
	to := net.UDPAddrFromAddrPort(netip.AddrPortFrom(netip.MustParseAddr("127.255.255.255"), cfg.port()))
	start(t, nil, "flood", func(ctx context.Context) error {
		b := beaconOf(1)
		for ctx.Err() == nil {
			b.Seq++
			b.Instance[0] = byte(b.Seq)
			if _, err := conn.WriteTo(must(Append(nil, b)), to); err != nil {
				return err
			}
		}
		return nil
	})
	for range 5 {
		b, err := NewBrowser(cfg)
		if err != nil {
			t.Fatal(err)
		}
		a, stopServer := announce(t, nil, cfg, Announcement{Name: "room", Key: key(1)})
		stopBrowser, _ := start(t, nil, "Browser.Run", b.Run)
		if _, err := List(t.Context(), cfg, 50*time.Millisecond); err != nil {
			t.Error(err)
		}
		await(t, b, "something", func(l []Server) bool { return len(l) > 0 && len(l) <= maxPerSource })
		stopBrowser()
		stopServer()
		if a.Stats().Received == 0 {
			t.Error("there was no flood")
		}
	}
}

func must(b []byte, err error) []byte {
	if err != nil {
		panic(err)
	}
	return b
}

func TestBindFails(t *testing.T) {
	t.Parallel()
	cfg := loopback(t)
	// Without SO_REUSEADDR: the port is this socket's alone.
	taken, err := net.ListenPacket("udp4", netip.AddrPortFrom(netip.IPv4Unspecified(), cfg.port()).String())
	if err != nil {
		t.Fatal(err)
	}
	defer taken.Close()
	a, err := NewAnnouncer(cfg, Announcement{Name: "room", Key: key(1), Listen: netip.MustParseAddrPort("0.0.0.0:1")})
	if err != nil {
		t.Fatal(err)
	}
	start(t, nil, "Announcer.Run", a.Run)
	<-a.Ready()
	var bind *BindError
	if err := a.Problem(); !errors.As(err, &bind) || bind.Port != cfg.Port {
		t.Errorf("Problem = %v", err)
	}
	if s := a.Stats(); len(s.Trouble) != 1 {
		t.Errorf("trouble: %+v", s.Trouble)
	}
	if err := taken.Close(); err != nil {
		t.Fatal(err)
	}
	// Beacons leave by another port, whatever becomes of this one.
	eventually(t, "it is found by beacons", func() bool {
		list, err := Lookup(t.Context(), cfg, Want{Name: "room"})
		return err == nil && len(list) == 1
	})
	eventually(t, "the port is opened", func() bool { return a.Problem() == nil })
	eventually(t, "an answer", func() bool { // a beacon may come before it
		list, err := Lookup(t.Context(), cfg, Want{Name: "room"})
		return err == nil && len(list) == 1 && list[0].Answered
	})
	if s := a.Stats(); len(s.Trouble) != 0 {
		t.Errorf("old trouble: %+v", s.Trouble)
	}
}

func TestNewAnnouncerRefuses(t *testing.T) {
	t.Parallel()
	at := netip.MustParseAddrPort("0.0.0.0:1")
	for _, ann := range []Announcement{{}, {Name: "-n", Key: key(1), Listen: at}, {Name: "n", Listen: at}, {Name: "n", Key: key(1)}} {
		if _, err := NewAnnouncer(Config{}, ann); err == nil {
			t.Errorf("%+v was accepted", ann)
		}
	}
}

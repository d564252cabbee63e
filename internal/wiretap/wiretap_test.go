package wiretap

import (
	"encoding/json"
	"errors"
	"net/netip"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"lanchat/discovery"
	"lanchat/internal/client"
	"lanchat/protocol"
)

var (
	here   = netip.MustParseAddrPort("10.77.0.1:40000")
	server = netip.MustParseAddrPort("10.77.0.2:25252")
)

func beacon(seq uint32) *discovery.Beacon {
	return &discovery.Beacon{Instance: [8]byte{1}, Key: [32]byte{2}, Name: "Hack Night", Port: 25252, Seq: seq, TTL: 35}
}

func answer(token byte, asked, seq uint32) *discovery.Answer {
	b := beacon(seq)
	return &discovery.Answer{Token: [16]byte{token}, Instance: b.Instance, Key: b.Key, Name: b.Name, Port: b.Port, Seq: seq, TTL: b.TTL, Asked: asked}
}

// came makes a datagram that came to one of our addresses.
func came(p discovery.Packet, to string) discovery.Datagram {
	b, err := discovery.Append(nil, p)
	if err != nil {
		panic(err)
	}
	return discovery.Datagram{At: time.Now(), Peer: server, To: netip.MustParseAddr(to), Local: here, Interface: "eth0", Bytes: b, Packet: p}
}

func sent(p discovery.Packet, to string) discovery.Datagram {
	d := came(p, to)
	d.Sent, d.Peer, d.To = true, netip.AddrPortFrom(d.To, 25252), netip.Addr{}
	return d
}

// last is a column's last row.
func last(t *testing.T, tap *Tap, stream bool) Row {
	t.Helper()
	tap.mu.Lock()
	n := tap.last[column(stream)]
	tap.mu.Unlock()
	rows, _ := tap.Rows(stream, n-1, 1)
	if len(rows) != 1 {
		t.Fatalf("no row %d", n)
	}
	return rows[0]
}

func has(r Row, kind NoteKind, text string) bool {
	for _, n := range r.Notes {
		if n.Kind == kind && strings.Contains(n.Text, text) {
			return true
		}
	}
	return false
}

// What the numbers of datagrams say: which are lost, doubled and late.
func TestNumbers(t *testing.T) {
	type want struct{ lost, doubled, late uint64 }
	tests := map[string]struct {
		seqs []uint32
		want want
	}{
		"one after the other":      {[]uint32{7, 8, 9}, want{}},
		"a gap":                    {[]uint32{7, 10}, want{lost: 2}},
		"late, and not lost":       {[]uint32{7, 9, 8}, want{late: 1}},
		"doubled":                  {[]uint32{7, 7, 8, 7}, want{doubled: 2}},
		"late and doubled":         {[]uint32{7, 9, 8, 8}, want{late: 1, doubled: 1}},
		"before the first":         {[]uint32{7, 6, 8}, want{late: 1}},
		"round the end":            {[]uint32{1<<32 - 1, 0, 2}, want{lost: 1}},
		"a leap counts for nobody": {[]uint32{7, 7 + 5000, 7 + 5001}, want{}},
		"far below":                {[]uint32{100, 200, 101}, want{lost: 99, late: 1}},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			tap := New()
			for _, seq := range tt.seqs {
				tap.Datagram(came(beacon(seq), "10.77.0.255"))
			}
			u := tap.Totals().UDP
			if got := (want{u.Lost, u.Doubled, u.Late}); got != tt.want {
				t.Errorf("%v: %+v, want %+v", tt.seqs, got, tt.want)
			}
			if u.Received != uint64(len(tt.seqs)) {
				t.Errorf("%d received", u.Received)
			}
		})
	}
}

// The second copy says by which way the first one came; only the very same way is
// something to be loud about.
func TestDoubledSaysByWhichWay(t *testing.T) {
	tap := New()
	tap.Datagram(came(beacon(7), "255.255.255.255"))
	tap.Datagram(came(beacon(7), "10.77.0.255"))
	if r := last(t, tap, false); !has(r, Doubled, "to 255.255.255.255 by eth0") || r.Loud() {
		t.Errorf("by another way: %+v", r.Notes)
	}
	tap.Datagram(came(beacon(7), "255.255.255.255"))
	if r := last(t, tap, false); !has(r, Doubled, "7 came") || !r.Loud() {
		t.Errorf("by the same way: %+v", r.Notes)
	}
}

func TestQueriesAndAnswers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		tap := New()
		q := &discovery.Query{Token: [16]byte{5}, Seq: 1}
		tap.Datagram(sent(q, "255.255.255.255"))
		tap.Datagram(sent(q, "10.77.0.255"))
		time.Sleep(50 * time.Millisecond)
		ans := answer(5, 1, 3)
		ans.Wait = 30_000
		tap.Datagram(came(ans, "10.77.0.1"))
		if r := last(t, tap, false); !has(r, RoundTrip, "answers query 1, round trip 20ms and 30ms of waiting") {
			t.Errorf("an answer: %+v", r.Notes)
		}
		tap.Datagram(came(q, "10.77.0.255"))
		if r := last(t, tap, false); !has(r, Own, "came back") {
			t.Errorf("our own query: %+v", r.Notes)
		}
		q2 := &discovery.Query{Token: [16]byte{5}, Seq: 2}
		tap.Datagram(sent(q2, "255.255.255.255"))
		time.Sleep(patience)
		if n := tap.Totals().UDP.Unanswered; n != 1 {
			t.Errorf("%d unanswered", n)
		}
		r := last(t, tap, false)
		if !has(r, Unanswered, "query 2") || r.Bytes != 0 || !r.Loud() {
			t.Errorf("silence: %+v", r)
		}
		tap.Datagram(came(answer(5, 2, 4), "10.77.0.1"))
		if n := tap.Totals().UDP.Unanswered; n != 0 {
			t.Errorf("%d unanswered after the answer came late", n)
		}
		// What was not sent has no answer to wait for.
		d := sent(&discovery.Query{Token: [16]byte{6}, Seq: 1}, "255.255.255.255")
		d.Err = errors.New("no route")
		tap.Datagram(d)
		if r := last(t, tap, false); !has(r, Failed, "no route") {
			t.Errorf("not sent: %+v", r.Notes)
		}
		time.Sleep(patience)
		if u := tap.Totals().UDP; u.Unanswered != 0 || u.Failed != 1 || u.Sent != 3 {
			t.Errorf("%+v", u)
		}
	})
}

// One broadcast that comes to two browsers of this process is one datagram; two
// that come to one are two.
func TestEars(t *testing.T) {
	tap := New()
	one, two := tap.Ear(), tap.Ear()
	d := came(beacon(7), "10.77.0.255")
	one(d)
	two(d)
	if n := tap.Totals().UDP.Received; n != 1 {
		t.Errorf("heard by two ears: %d datagrams", n)
	}
	two(d) // the network has doubled it
	one(d)
	if u := tap.Totals().UDP; u.Received != 2 || u.Doubled != 1 {
		t.Errorf("doubled by the network: %+v", u)
	}
}

func TestForeignDatagrams(t *testing.T) {
	tap := New()
	_, err := discovery.Parse([]byte("hello"))
	tap.Datagram(discovery.Datagram{At: time.Now(), Peer: server, Bytes: []byte("hello"), Err: err})
	if r := last(t, tap, false); !has(r, Failed, "not of this protocol") || r.Type != "" || r.Bytes != 5 {
		t.Errorf("%+v", r)
	}
	if n := tap.Totals().UDP.Foreign; n != 1 {
		t.Errorf("%d foreign", n)
	}
}

// frame is one that came, brought by the reads first to last.
func frame(m protocol.Message, first, last uint64, size, more int) protocol.Frame {
	b, err := protocol.AppendFrame(nil, m)
	if err != nil {
		panic(err)
	}
	return protocol.Frame{At: time.Now(), Body: b[4:], Type: protocol.Name(m), Message: m, First: first, Last: last, Size: size, More: more}
}

func TestFrames(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		tap := New()
		watch := tap.Stream(&client.Dialed{})
		ping := frame(&protocol.Ping{N: 9}, 1, 1, 14, 0)
		ping.Sent = true
		watch(ping)
		if r := last(t, tap, true); !has(r, Reads, "write 1 (14 bytes)") {
			t.Errorf("a write: %+v", r.Notes)
		}
		time.Sleep(3 * time.Millisecond)
		watch(frame(&protocol.Pong{N: 9}, 1, 1, 42, 2))
		if r := last(t, tap, true); !has(r, Reads, "frame 1 of 3 in read 1 (42 bytes)") || !has(r, RoundTrip, "answers ping 9, round trip 3ms") {
			t.Errorf("the first of three: %+v", r.Notes)
		}
		watch(frame(&protocol.Pong{N: 8}, 1, 1, 42, 1))
		watch(frame(&protocol.Typing{Room: "lobby"}, 1, 1, 42, 0))
		if r := last(t, tap, true); !has(r, Reads, "frame 3 of 3 in read 1 (42 bytes)") {
			t.Errorf("the last of three: %+v", r.Notes)
		}
		watch(frame(&protocol.Page{Ref: 4}, 2, 4, 100, 0))
		if r := last(t, tap, true); !has(r, Reads, "1 frame over 3 reads: 2 to 4") {
			t.Errorf("over three reads: %+v", r.Notes)
		}
		join := frame(&protocol.Join{Ref: 5, Room: "lobby"}, 2, 2, 20, 0)
		join.Sent = true
		watch(join)
		time.Sleep(time.Millisecond)
		watch(frame(&protocol.Joined{Ref: 5, Room: "lobby"}, 5, 5, 30, 0))
		if r := last(t, tap, true); !has(r, RoundTrip, "answers request 5, round trip 1ms") {
			t.Errorf("a request: %+v", r.Notes)
		}
		strange := protocol.Frame{At: time.Now(), Body: []byte{0x92}, Type: "new!\x1b[2J", First: 6, Last: 6, Size: 5}
		watch(strange)
		if r := last(t, tap, true); !has(r, Failed, "another version") || strings.Contains(r.Type, "\x1b") {
			t.Errorf("an unknown type: %+v", r)
		}
		if got := tap.Totals().TCP; got.Sent != 2 || got.Received != 6 || got.Reads != 6 || got.Writes != 2 || got.Connections != 1 || got.Kernel {
			t.Errorf("%+v", got)
		}
	})
}

// What a peer chose cannot reach a terminal as it is, and cannot grow.
func TestHostileText(t *testing.T) {
	tap := New()
	watch := tap.Stream(&client.Dialed{})
	watch(frame(&protocol.Entry{Room: "lobby", Nick: "ev\x1bil", Text: "\x1b]0;owned\x07\u202e" + strings.Repeat("x", 5000) + "\nforged"}, 1, 1, 1, 0))
	r := last(t, tap, true)
	for _, out := range []string{string(AppendText(nil, r)), string(AppendJSON(nil, r))} {
		if strings.ContainsAny(out, "\x1b\x07\u202e") || strings.Contains(out, `\u001b`) || strings.Contains(out, "forged") || len(out) > 1500 {
			t.Errorf("it shows %q", out)
		}
	}
	watch(frame(&protocol.Invite{Ref: 1, Room: "lobby", Token: "sesame"}, 2, 2, 1, 0))
	watch(frame(&protocol.Auth{Mech: "x", Data: []byte("sesame")}, 3, 3, 1, 0))
	rows, _ := tap.Rows(true, 0, 10)
	for _, r := range rows {
		if strings.Contains(string(AppendJSON(nil, r)), "sesame") {
			t.Errorf("a secret is shown: %+v", r.Fields)
		}
	}
}

func TestHistoryIsBounded(t *testing.T) {
	tap := New()
	events := tap.Follow(10)
	const all = 3 * History
	for seq := range uint32(all) {
		tap.Datagram(came(beacon(seq+1), "10.77.0.255"))
	}
	rows, n := tap.Rows(false, 0, all)
	if len(rows) != History || rows[0].N != all-History+1 || n != all || rows[History-1].N != all {
		t.Errorf("%d rows, from %d to %d", len(rows), rows[0].N, n)
	}
	if rows, n := tap.Rows(false, n, 10); len(rows) != 0 || n != all {
		t.Errorf("behind the last one: %d rows, %d", len(rows), n)
	}
	if rows, n := tap.Rows(false, all-5, 3); len(rows) != 3 || n != all-2 {
		t.Errorf("three of five: %d rows, to %d", len(rows), n)
	}
	if len(events) != 10 || tap.Missed() != all-10 {
		t.Errorf("%d wait, %d missed", len(events), tap.Missed())
	}
	for i := range 3 * maxSenders {
		b := beacon(1)
		b.Instance = [8]byte{2, byte(i), byte(i >> 8)}
		tap.Datagram(came(b, "10.77.0.255"))
		tap.Datagram(sent(&discovery.Query{Token: [16]byte{3, byte(i), byte(i >> 8)}, Seq: 1}, "10.77.0.255"))
	}
	if len(tap.senders) > maxSenders || len(tap.asked) > maxAsked {
		t.Errorf("it remembers %d senders and %d queries", len(tap.senders), len(tap.asked))
	}
}

// The JSON has the shape that its comment promises.
func TestJSON(t *testing.T) {
	tap := New()
	tap.Datagram(came(beacon(1), "10.77.0.255"))
	tap.Datagram(came(beacon(4), "10.77.0.255"))
	var got map[string]any
	line := AppendJSON(nil, last(t, tap, false))
	if err := json.Unmarshal(line, &got); err != nil || line[len(line)-1] != '\n' {
		t.Fatal(err, string(line))
	}
	for name, want := range map[string]any{"model": "udp", "n": 2.0, "sent": false, "peer": "10.77.0.2:25252", "local": "10.77.0.1:40000", "to": "10.77.0.255",
		"interface": "eth0", "type": "beacon"} {
		if got[name] != want {
			t.Errorf("%s is %v, want %v", name, got[name], want)
		}
	}
	fields, _ := got["fields"].(map[string]any)
	if fields["name"] != "Hack Night" || fields["seq"] != 4.0 || fields["instance"] != "0100000000000000" {
		t.Errorf("fields: %v", fields)
	}
	notes, _ := got["notes"].([]any)
	if len(notes) != 1 || notes[0].(map[string]any)["kind"] != "lost" {
		t.Errorf("notes: %v", notes)
	}
	if _, err := time.Parse(time.RFC3339Nano, got["at"].(string)); err != nil {
		t.Error(err)
	}
	var totals struct {
		Totals struct{ UDP, TCP map[string]float64 }
	}
	if err := json.Unmarshal(AppendTotalsJSON(nil, tap.Totals()), &totals); err != nil || totals.Totals.UDP["lost_at_most"] != 2 || totals.Totals.UDP["received"] != 2 {
		t.Errorf("%v, %+v", err, totals)
	}
}

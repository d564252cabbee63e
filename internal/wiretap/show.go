package wiretap

import (
	"encoding/json"
	"fmt"
	"net/netip"
	"strconv"
	"strings"
	"time"
)

// Model is "udp" or "tcp".
func (r *Row) Model() string {
	if r.Stream {
		return "tcp"
	}
	return "udp"
}

// Loud reports whether a note tells of something that a protocol has to cope with.
func (r *Row) Loud() bool {
	for _, n := range r.Notes {
		if n.Loud {
			return true
		}
	}
	return false
}

// jsonRow is a row as AppendJSON writes it.
type jsonRow struct {
	Model     string         `json:"model"`
	N         uint64         `json:"n"`
	At        string         `json:"at"`
	Sent      bool           `json:"sent"`
	Local     string         `json:"local,omitempty"`
	Peer      string         `json:"peer,omitempty"`
	To        string         `json:"to,omitempty"`
	Interface string         `json:"interface,omitempty"`
	Conn      uint64         `json:"conn,omitempty"`
	Bytes     int            `json:"bytes"`
	Type      string         `json:"type,omitempty"`
	Fields    map[string]any `json:"fields,omitempty"`
	Notes     []jsonNote     `json:"notes,omitempty"`
}

type jsonNote struct {
	Kind NoteKind `json:"kind"`
	Text string   `json:"text"`
}

// AppendJSON appends a row as one JSON object and a newline:
//
//	model      "udp" or "tcp"
//	n          the number of the row in its model, from 1
//	at         when it was sent or came, RFC 3339 in UTC
//	sent       true: from here; false: it came
//	local      this end, HOST:PORT, as far as it is known
//	peer       the other end
//	to         of a datagram that came: the address it was sent to, where that is told
//	interface  of a datagram, where that is told
//	conn       of a frame: which connection, from 1
//	bytes      of the datagram, or of the frame with its length; 0: nothing was on the
//	           wire, and the notes say what is missing
//	type       "beacon", "post", …; left out where it cannot be read
//	fields     by their names on the wire: text (cut to 200 bytes), number, true; ids
//	           and keys in their text form or hex; of a list how many it has
//	notes      how it came: kind (lost, doubled, late, own, unanswered, round_trip,
//	           reads, kernel, resent, reordered, failed) and text, for people
func AppendJSON(dst []byte, r Row) []byte {
	j := jsonRow{Model: r.Model(), N: r.N, At: r.At.UTC().Format(time.RFC3339Nano), Sent: r.Sent, Local: addrText(r.Local), Peer: addrText(r.Peer),
		Interface: r.Interface, Conn: r.Conn, Bytes: r.Bytes, Type: r.Type}
	if r.To.IsValid() {
		j.To = r.To.String()
	}
	if len(r.Fields) > 0 {
		j.Fields = map[string]any{}
		for _, f := range r.Fields {
			j.Fields[f.Name] = f.Value
		}
	}
	for _, n := range r.Notes {
		j.Notes = append(j.Notes, jsonNote{n.Kind, n.Text})
	}
	return appendLine(dst, j)
}

// AppendTotalsJSON appends the totals as one JSON object and a newline: totals,
// with udp and tcp, and in these the counts by the names of AppendTotals.
func AppendTotalsJSON(dst []byte, t Totals) []byte {
	counts := func(list []Count) map[string]any {
		m := map[string]any{}
		for _, c := range list {
			m[strings.ReplaceAll(c.Name, " ", "_")] = c.N
		}
		return m
	}
	tcp := counts(t.TCP.Counts())
	if t.TCP.RTT > 0 {
		tcp["rtt_ms"] = float64(t.TCP.RTT) / float64(time.Millisecond)
	}
	return appendLine(dst, map[string]any{"totals": map[string]any{"udp": counts(t.UDP.Counts()), "tcp": tcp}})
}

func appendLine(dst []byte, of any) []byte {
	b, err := json.Marshal(of)
	if err != nil { // of nothing that cannot be marshalled
		panic(err)
	}
	return append(append(dst, b...), '\n')
}

func addrText(a netip.AddrPort) string {
	if !a.IsValid() {
		return ""
	}
	return a.String()
}

// Count is one of the totals.
type Count struct {
	Name string
	N    uint64
}

// Counts lists the totals in the order in which they are shown.
func (u UDPTotals) Counts() []Count {
	return []Count{{"sent", u.Sent}, {"sent bytes", u.SentBytes}, {"received", u.Received}, {"received bytes", u.ReceivedBytes}, {"lost at most", u.Lost},
		{"doubled", u.Doubled}, {"late", u.Late}, {"unanswered", u.Unanswered}, {"failed", u.Failed}, {"foreign", u.Foreign}}
}

// Counts lists the totals in the order in which they are shown; those that only
// the kernel knows are there where it tells.
func (t TCPTotals) Counts() []Count {
	list := []Count{{"sent", t.Sent}, {"sent bytes", t.SentBytes}, {"received", t.Received}, {"received bytes", t.ReceivedBytes},
		{"reads", t.Reads}, {"writes", t.Writes}, {"connections", t.Connections}}
	if t.Kernel {
		list = append(list, Count{"segments sent", t.SegmentsOut}, Count{"segments received", t.SegmentsIn},
			Count{"retransmitted", t.Retransmitted}, Count{"reordered", t.Reordered})
	}
	return list
}

// Lines are the totals in short, for the head of each column.
func (t Totals) Lines() (udp, tcp []string) {
	u, s := t.UDP, t.TCP
	udp = []string{fmt.Sprintf("%d sent, %d received", u.Sent, u.Received),
		fmt.Sprintf("at most %d lost, %d doubled, %d late, %d unanswered", u.Lost, u.Doubled, u.Late, u.Unanswered)}
	tcp = []string{fmt.Sprintf("%d sent, %d received in %d reads", s.Sent, s.Received, s.Reads)}
	if s.Kernel {
		tcp = append(tcp, fmt.Sprintf("%d segments sent again, rtt %s", s.Retransmitted, short(s.RTT)))
	}
	return udp, tcp
}

// AppendTotals appends the totals as two lines for people.
func AppendTotals(dst []byte, t Totals) []byte {
	line := func(name string, list []Count) {
		dst = append(dst, name...)
		for i, c := range list {
			if i > 0 {
				dst = append(dst, ',')
			}
			dst = fmt.Appendf(dst, " %d %s", c.N, c.Name)
		}
		dst = append(dst, '\n')
	}
	line("UDP:", t.UDP.Counts())
	line("TCP:", t.TCP.Counts())
	return dst
}

// AppendText appends a row as two lines for people: what it is, and indented how
// it came.
func AppendText(dst []byte, r Row) []byte {
	dst = r.At.AppendFormat(dst, "15:04:05.000000")
	dst = fmt.Appendf(dst, " %s %s %s\n", strings.ToUpper(r.Model()), r.arrow(), strings.Join(append([]string{r.Head()}, r.Chief()...), "  "))
	if how := r.How(); how != "" {
		dst = fmt.Appendf(dst, "    %s\n", how)
	}
	return dst
}

func (r *Row) arrow() string {
	switch {
	case r.Bytes == 0:
		return "·"
	case r.Sent:
		return "→"
	}
	return "←"
}

// Head is what a row is, in a few words: its type, size and peer.
func (r *Row) Head() string {
	if r.Bytes == 0 {
		return "nothing"
	}
	kind := r.Type
	if kind == "" {
		kind = "?"
	}
	s := fmt.Sprintf("%-8s %4d bytes", kind, r.Bytes)
	if !r.Stream {
		s += "  " + addrText(r.Peer)
	}
	return s
}

// Chief are the fields as "name=value", long ids and keys cut short, and without
// what a query is filled up with.
func (r *Row) Chief() []string {
	list := make([]string, 0, len(r.Fields))
	for _, f := range r.Fields {
		if f.Name == "pad" {
			continue
		}
		list = append(list, f.Name+"="+f.Text())
	}
	return list
}

// Text is the value for people: text in quotation marks where it has a space, ids
// and keys in hex by their first 8 digits.
func (f Field) Text() string {
	switch v := f.Value.(type) {
	case string:
		switch {
		case len(v) >= 16 && isHex(v):
			return v[:8] + "…"
		case v == "" || strings.ContainsAny(v, " \"="):
			return `"` + strings.ReplaceAll(v, `"`, `\"`) + `"`
		}
		return v
	case uint64:
		return strconv.FormatUint(v, 10)
	}
	return fmt.Sprint(f.Value)
}

func isHex(s string) bool { return strings.Trim(s, "0123456789abcdef") == "" }

// How says how a row came: by which way, and its notes.
func (r *Row) How() string {
	var parts []string
	if by := r.By(); by != "" {
		parts = append(parts, by)
	}
	for _, n := range r.Notes {
		text := n.Text
		if n.Loud {
			text = "! " + text
		}
		parts = append(parts, text)
	}
	return strings.Join(parts, "; ")
}

// By is the way of a datagram: to which address and by which interface.
func (r *Row) By() string {
	var parts []string
	if r.To.IsValid() {
		parts = append(parts, "to "+r.To.String())
	}
	if r.Interface != "" {
		parts = append(parts, "by "+r.Interface)
	}
	return strings.Join(parts, " ")
}

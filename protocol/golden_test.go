package protocol

import (
	"bytes"
	"encoding/hex"
	"flag"
	"fmt"
	"os"
	"reflect"
	"strings"
	"testing"
)

var update = flag.Bool("update", false, "write testdata/golden.txt anew")

// id returns a UUIDv7 that is the same every day.
func id(n byte) ID {
	return ID{0x01, 0x9a, 0xb0, 0, 0, 0, 0x70, 0, 0x80, 0, 0, 0, 0, 0, 0, n}
}

func user(n byte) UserID { return UserID{n, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16} }

func textEntry() *Entry {
	return &Entry{Room: "lobby", Seq: 7, ID: id(1), User: user(1), Nick: "alice", At: 1_790_000_000_123_456_789, Text: "hello, world"}
}

// golden has at least one message of every type, with every field set in at
// least one of them.
var golden = []Message{
	&Hello{Version: 1, Nick: "alice"},
	&Hello{Version: 1, Software: "lanchat/1", Nick: "alice", Epoch: id(9), Bot: true, Wants: []string{"x"}},
	&Hello{Version: 1, Nick: "alice", Token: "k7orfkgknqaq7325z5inkryz56"},
	&Auth{Mech: "SCRAM-SHA-256-PLUS", Data: []byte("n,,n=,r=x")},
	&Welcome{Version: 1, Software: "lanchat/1", Server: "Hack Night", Epoch: id(9), User: user(1), Nick: "alice", Guest: true,
		Limits: Limits{Frame: MaxFrame, Text: 16384, Rooms: 100, Pending: 1024, PostRate: 20}},
	&Welcome{Version: 1, Server: "Hack Night", Epoch: id(9), User: user(1), Nick: "alice", Role: RoleAdmin, Room: "build", Limits: Limits{Frame: MaxFrame, Text: 16384, Rooms: 100, Pending: 1024, PostRate: 20}},
	&Join{Ref: 1, Room: "lobby", After: 41, Live: true},
	&Join{Ref: 1, Room: "build", Live: true, Quiet: true},
	&Joined{Ref: 1, Room: "lobby", Topic: "tonight: pizza", Head: 42, Read: 40, Reset: true, Count: 1,
		Members: []Member{{User: user(1), Nick: "alice", Guest: true, Bot: true}}, More: true},
	&Joined{Ref: 1, Room: "build", Head: 42, Count: 1, Members: []Member{{User: user(1), Nick: "alice", Role: RoleOp, NewKey: true}}, Role: RoleOp, Private: true, Locked: true, Slow: 10},
	&Leave{Ref: 2, Room: "lobby"},
	&Left{Ref: 2, Room: "lobby"},
	&Left{Room: "lobby", Text: "ann has put you out for 1 min"},
	&Post{ID: id(1), Room: "lobby", Text: "hello, world"},
	&Post{ID: id(2), Room: "lobby", Kind: KindEdit, Text: "hello, moon", Target: id(1)},
	&Ack{ID: id(1), Room: "lobby", Seq: 7, At: 1_790_000_000_123_456_789},
	textEntry(),
	&Entry{Room: "lobby", Seq: 8, ID: id(2), User: user(2), Nick: "bob", Guest: true, Bot: true, At: 1_790_000_000_223_456_789, Kind: KindReaction, Text: "👍", Target: id(1), TargetSeq: 7,
		Reactions: []Reaction{{Text: "👍", Count: 1, By: []UserID{user(2)}}}},
	&Entry{Room: "lobby", Seq: 7, ID: id(1), User: user(1), Nick: "alice", At: 1_790_000_000_123_456_789, Text: "hello, moon", Edited: true, Rev: 9,
		Reactions: []Reaction{{Text: "👍", Count: 20, By: []UserID{user(2), user(3)}}, {Text: ":+1:", Count: 1}}},
	&Entry{Room: "lobby", Seq: 9, ID: id(3), User: user(2), Nick: "bob", At: 1_790_000_000_323_456_789, Gone: true, Rev: 10},
	&History{Ref: 3, Room: "lobby", Before: 100, After: 10, Oldest: true, Limit: 50},
	&Page{Ref: 3, Room: "lobby", Entries: []Entry{*textEntry()}, More: true},
	&Search{Ref: 4, Query: "pizza", Room: "lobby", From: "alice", Before: 9, After: 1, Limit: 20},
	&Found{Ref: 4, Entries: []Entry{*textEntry()}, More: true},
	&Nick{Ref: 5, User: user(1), Nick: "alicia"},
	&Topic{Ref: 6, Room: "lobby", Topic: "tonight: pizza"},
	&Rooms{Ref: 7, After: "a", Limit: 10, Rooms: []RoomInfo{{Room: "lobby", Topic: "t", Head: 42, Count: 2}}, More: true},
	&Rooms{Ref: 7, Rooms: []RoomInfo{{Room: "build", Private: true}}},
	&Who{Ref: 8, Room: "lobby", After: user(1), Limit: 10, People: []Member{{User: user(2), Nick: "bob"}}, Count: 2, More: true},
	&Invite{Ref: 9, Room: "lobby", Uses: 1, TTL: 3600, Token: "t"},
	&Moderate{Ref: 9, Do: DeedMute, Room: "lobby", Who: "bob", For: 600, Text: "too loud"},
	&Read{Room: "lobby", Seq: 42},
	&Typing{Room: "lobby", User: user(1), Nick: "alice"},
	&Ping{N: 1},
	&Pong{N: 1},
	&Presence{Room: "lobby", Joined: []Member{{User: user(2), Nick: "bob"}}, Left: []UserID{user(1)}, Count: 2, Reset: true},
	&Slow{Why: "rate", For: 250},
	&Skipped{Room: "lobby", From: 1, To: 500},
	&Bye{Code: CodeShuttingDown, Text: "back in a minute", RetryAfter: 60_000},
	&Error{Ref: 10, ID: id(1), Code: CodeNotFound, Text: "no such room"},
	// From here on: extensions.
	&Welcome{Version: 1, Server: "Hack Night", Epoch: id(9), User: user(1), Nick: "alice", Limits: Limits{Frame: MaxFrame, Text: 16384, Rooms: 100, Pending: 1024, PostRate: 20}, Offers: []string{"whois"}},
	&Whois{Ref: 11, Who: "bob"},
	&Whois{Ref: 11, User: user(2), Nick: "bob", Guest: true, Bot: true, Role: RoleAdmin, Bound: 1_790_000_000_123_456_789, Seen: 1_790_000_000_223_456_789,
		Rooms: []string{"lobby"}, More: true, Addrs: []string{"192.168.1.7"}},
	&Rooms{Ref: 12, Direct: true},
	&Rooms{Ref: 12, Direct: true, Rooms: []RoomInfo{{Room: DirectRoom(user(1), user(2)), Head: 42, Nick: "bob", Read: 40}}},
	&Refuse{Ref: 13, What: RefuseFresh, Who: "bob", Off: true, Users: []UserID{user(2)}},
	&Notice{About: NoticeDisk, Room: "lobby", Text: "the disk is nearly full"},
	&Invite{Ref: 14, Room: "lobby", Uses: 1, TTL: 3600, Token: "t", Name: "k7or-1"},
	&Moderate{Ref: 15, Do: ModPurge, Who: "bob", For: 3600},
	&Entry{Room: "lobby", Seq: 400, ID: id(4), User: user(1), Nick: "alice", At: 1_790_000_000_423_456_789, Kind: KindDelete, Target: id(3), TargetSeq: 9, Purged: []uint64{9, 11, 300}},
	&Whois{Ref: 16, User: user(2), Nick: "bob", Here: true, Seen: 1_790_000_000_223_456_789},
}

const goldenFile = "testdata/golden.txt"

// Every row of the file is a message's type and its frame in hex. The bytes are
// a promise to every peer: a row that changes breaks it.
func TestGolden(t *testing.T) {
	var out strings.Builder
	covered := map[string]bool{}
	for _, m := range golden {
		frame, err := AppendFrame(nil, m)
		if err != nil {
			t.Fatal(err)
		}
		fmt.Fprintf(&out, "%s %x\n", Name(m), frame)
		covered[Name(m)] = true
	}
	for name := range messages {
		if !covered[name] {
			t.Errorf("no row for %q", name)
		}
	}
	if *update {
		if err := os.WriteFile(goldenFile, []byte(out.String()), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(goldenFile)
	if err != nil {
		t.Fatal(err)
	}
	if out.String() != string(want) {
		t.Errorf("the wire has changed; if that is meant, run with -update and read the diff:\n%s", out.String())
	}
	rows := strings.Split(strings.TrimSpace(string(want)), "\n")
	for i, row := range rows {
		name, text, _ := strings.Cut(row, " ")
		frame, err := hex.DecodeString(text)
		if err != nil {
			t.Fatal(err)
		}
		m, err := Decode(frame[frameHeader:])
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		if i < len(golden) && !reflect.DeepEqual(m, golden[i]) {
			t.Errorf("%s: read back %+v, was %+v", name, m, golden[i])
		}
	}
}

// Each field of each message stands in some golden row, so that no name on the
// wire can change unseen.
func TestGoldenCoversEveryField(t *testing.T) {
	set := map[string]bool{}
	var mark func(v reflect.Value)
	mark = func(v reflect.Value) {
		switch {
		case v.Kind() == reflect.Struct:
			for i := range v.NumField() {
				if !v.Field(i).IsZero() {
					set[v.Type().Name()+"."+v.Type().Field(i).Name] = true
				}
				mark(v.Field(i))
			}
		case v.Kind() == reflect.Slice && v.Type().Elem().Kind() == reflect.Struct:
			for i := range v.Len() {
				mark(v.Index(i))
			}
		}
	}
	for _, m := range golden {
		mark(reflect.ValueOf(m).Elem())
	}
	for name, make := range messages {
		typ := reflect.TypeOf(make()).Elem()
		for field := range typ.Fields() {
			if field := typ.Name() + "." + field.Name; !set[field] {
				t.Errorf("%s: %s is set in no row", name, field)
			}
		}
	}
}

// The entry of a text of 100 bytes costs each reader of the room at most 200
// bytes, however far the room's log has grown.
func TestEntrySize(t *testing.T) {
	e := textEntry()
	e.Text = strings.Repeat("x", 100)
	e.Seq = 1<<32 - 1
	frame, err := AppendFrame(nil, e)
	if err != nil {
		t.Fatal(err)
	}
	t.Logf("the entry of a 100-byte text is %d bytes on the wire", len(frame))
	if len(frame) > 200 {
		t.Errorf("it takes %d bytes, more than 200", len(frame))
	}
}

// MaxSize is what keeps a page within its frame.
func TestMaxSizeIsAnUpperBound(t *testing.T) {
	e := Entry{Room: strings.Repeat("r", 56), Seq: 1<<64 - 1, ID: id(1), User: user(1), Nick: strings.Repeat("n", 40), Guest: true, Bot: true,
		At: -1 << 63, Kind: Kind(strings.Repeat("k", 40)), Text: strings.Repeat("t", 40000), Target: id(2),
		TargetSeq: 1<<64 - 1, Edited: true, Gone: true, Rev: 1<<64 - 1}
	for range MaxReactions {
		e.Reactions = append(e.Reactions, Reaction{Text: strings.Repeat("r", MaxReaction), Count: 1<<32 - 1, By: make([]UserID, 16)})
	}
	for range MaxPurged {
		e.Purged = append(e.Purged, 1<<64-1)
	}
	frame, err := AppendFrame(nil, &e)
	if err != nil {
		t.Fatal(err)
	}
	if len(frame) > e.MaxSize() {
		t.Errorf("%d bytes, MaxSize says %d", len(frame), e.MaxSize())
	}
}

func FuzzDecode(f *testing.F) {
	for _, m := range golden {
		frame, err := AppendFrame(nil, m)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(frame[frameHeader:])
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		m, err := Decode(body)
		if err != nil || m == nil {
			return
		}
		frame, err := AppendFrame(nil, m)
		if err != nil {
			return // larger than a frame in our own encoding
		}
		again, err := Decode(frame[frameHeader:])
		if err != nil {
			t.Fatalf("our own bytes are refused: %v", err)
		}
		frame2, _ := AppendFrame(nil, again)
		if !bytes.Equal(frame, frame2) {
			t.Fatalf("%x, then %x", frame, frame2)
		}
	})
}

package lines

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"
	"testing/iotest"
	"time"
	"unicode/utf8"

	"lanchat/internal/safetext"
	"lanchat/protocol"

	"pgregory.net/rapid"
)

// said is what a room has, one text behind the other.
func said(t testing.TB, e Engine, room string) (texts []string) {
	t.Helper()
	page, err := ask[*protocol.Page](t.Context(), e, &protocol.History{Room: room, Oldest: true})
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range page.Entries {
		texts = append(texts, e.Text)
	}
	return texts
}

// A line that is longer than an entry may be is refused by its number, however long
// it is, and all others are sent.
func TestSendNamesLinesThatAreTooLong(t *testing.T) {
	dial := startServer(t)
	var in strings.Builder
	in.WriteString("one\n\n")
	in.WriteString(strings.Repeat("x", 16<<10+1) + "\n") // 3
	in.WriteString(strings.Repeat("y", 16<<10) + "\n")   // 4: just fits
	in.WriteString(strings.Repeat("\a", 6<<10) + "\n")   // 5: as it is shown it is three times as long
	in.WriteString(strings.Repeat("z", 1<<20) + "\n")    // 6
	in.WriteString("last, without an end")
	err := Send(t.Context(), SendConfig{Engine: run(t, dial, "ann", "lobby"), Room: "lobby", Lines: strings.NewReader(in.String())})
	se, ok := errors.AsType[*SendError](err)
	if !ok || se.Sent != 3 || se.NotSent != 3 {
		t.Errorf("Send = %v", err)
	}
	for _, want := range []string{"line 3: a message has at most 16384 bytes, this one has 16385", "line 5: a message has at most 16384 bytes, this one has 18432", "line 6: a message has at most 16384 bytes, this one has 1048576"} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("%q is not in: %v", want, err)
		}
	}
	got := said(t, run(t, dial, "bob"), "lobby")
	if len(got) != 3 || got[0] != "one" || len(got[1]) != 16<<10 || got[2] != "last, without an end" {
		t.Errorf("%d are in the room", len(got))
	}
}

// What a refused post was in the input is said, wherever the server refuses it.
func TestSendNamesLinesThatTheServerRefuses(t *testing.T) {
	dial := startServer(t)
	err := Send(t.Context(), SendConfig{Engine: run(t, dial, "ann", "lobby"), Room: "lobby", Lines: strings.NewReader("fine\n\u200b\nfine too\n")})
	if se, ok := errors.AsType[*SendError](err); !ok || se.Sent != 2 || se.NotSent != 1 || !strings.Contains(err.Error(), "line 2: ") {
		t.Errorf("Send = %v", err)
	}
}

// An input that breaks off is sent as far as it came.
func TestSendOfABrokenInput(t *testing.T) {
	dial := startServer(t)
	broken := errors.New("the disk is gone")
	err := Send(t.Context(), SendConfig{Engine: run(t, dial, "ann", "lobby"), Room: "lobby",
		Lines: io.MultiReader(strings.NewReader("one\ntwo\nthr"), iotest.ErrReader(broken))})
	if se, ok := errors.AsType[*SendError](err); !ok || se.Sent != 3 || se.NotSent != 0 || !errors.Is(err, broken) {
		t.Errorf("Send = %v", err)
	}
	if got := said(t, run(t, dial, "bob"), "lobby"); strings.Join(got, "|") != "one|two|thr" {
		t.Errorf("in the room: %q", got)
	}
}

// Whoever writes line by line is heard line by line: nothing waits for a batch.
func TestSendDoesNotHoldLinesBack(t *testing.T) {
	dial := startServer(t)
	r, w := io.Pipe()
	bob := talk(t, dial, "bob")
	ended := make(chan error, 1)
	ann := run(t, dial, "ann", "lobby")
	go func() { ended <- Send(t.Context(), SendConfig{Engine: ann, Room: "lobby", Lines: r}) }()
	fmt.Fprint(w, "one\ntw")
	bob.out.await(t, "<~ann> one\n")
	fmt.Fprint(w, "o\nthree\n")
	bob.out.await(t, "<~ann> three\n")
	w.Close()
	if err := <-ended; err != nil {
		t.Error(err)
	}
}

func TestReadBatches(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		lengths := rapid.SliceOfN(rapid.OneOf(rapid.IntRange(0, 40), rapid.IntRange(0, 200<<10)), 0, 20).Draw(t, "lengths")
		var in strings.Builder
		var want []numbered
		for i, n := range lengths {
			text := strings.Repeat(string(rune('a'+i)), n)
			in.WriteString(text + "\n")
			if n > 0 {
				want = append(want, numbered{line: i + 1, text: text, size: n})
			}
		}
		ctx, cancel := context.WithCancel(context.Background())
		defer cancel()
		b := readBatches(ctx, strings.NewReader(in.String()))
		var got []numbered
		for batch := range b.out {
			got = append(got, batch...)
		}
		if b.err != nil || len(got) != len(want) {
			t.Fatalf("%d lines, want %d; %v", len(got), len(want), b.err)
		}
		for i, g := range got {
			w := want[i]
			switch {
			case g.line != w.line:
				t.Fatalf("line %d is said to be %d", w.line, g.line)
			case w.size <= keptOfLine && g != w:
				t.Fatalf("line %d has %d bytes, want %d", g.line, g.size, w.size)
			case w.size > keptOfLine && (g.size < w.size || len(g.text) > keptOfLine || !strings.HasPrefix(w.text, g.text)):
				t.Fatalf("line %d of %d bytes came as %d, of which %d", g.line, w.size, g.size, len(g.text))
			}
		}
	})
}

func TestReadLineIsBounded(t *testing.T) {
	endless := io.LimitReader(zeroes{}, 64<<20)
	text, size, err := readLine(bufio.NewReaderSize(endless, 64<<10))
	if len(text) > keptOfLine || size != 64<<20 || !errors.Is(err, io.EOF) {
		t.Errorf("%d of %d bytes, %v", len(text), size, err)
	}
}

type zeroes struct{}

func (zeroes) Read(b []byte) (int, error) {
	for i := range b {
		b[i] = 'x'
	}
	return len(b), nil
}

func TestCodeBlocks(t *testing.T) {
	for _, tt := range []struct{ text, title, want string }{
		{"a\n  b\n", "", "```\na\n  b\n```"},
		{"a\n", "x.go", "x.go\n```\na\n```"},
		{"a\n```\nb\n````\n", "", "`````\na\n```\nb\n````\n`````"},
		{"\x1b[2Ja\r\nb", "e\nvil", "e vil\n```\n␛[2Ja\nb\n```"},
	} {
		got, err := CodeBlocks(tt.text, tt.title, 16<<10)
		if err != nil || len(got) != 1 || got[0] != tt.want {
			t.Errorf("CodeBlocks(%q) = %q, %v; want %q", tt.text, got, err, tt.want)
		}
	}
	for _, text := range []string{"", "\n \n", strings.Repeat("`", 10<<10)} {
		if got, err := CodeBlocks(text, "", 16<<10); err == nil {
			t.Errorf("%.20q becomes %.20q", text, got)
		}
	}
}

// Whatever is sent in several blocks is all there, in order; no block is too long,
// none ends within a character, and within a line only one that is too long itself.
func TestCodeBlocksLoseNothing(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		line := rapid.OneOf(rapid.StringN(0, 30, -1), rapid.SampledFrom([]string{"```", "", "日本語", strings.Repeat("é", 500)}))
		text := strings.Join(rapid.SliceOfN(line, 1, 200).Draw(t, "lines"), "\n")
		title := rapid.SampledFrom([]string{"", "build.log"}).Draw(t, "title")
		limit := rapid.IntRange(200, 2000).Draw(t, "limit")
		shown := strings.Trim(safetext.Text(text), "\n")
		blocks, err := CodeBlocks(text, title, limit)
		if err != nil {
			if strings.TrimSpace(shown) != "" && longestRun(shown, '`') < limit/10 {
				t.Fatal(err)
			}
			return
		}
		var lines []string
		broken := false // the line before goes on
		for i, b := range blocks {
			if len(b) > limit || !utf8.ValidString(b) {
				t.Fatalf("block %d has %d bytes, of at most %d", i, len(b), limit)
			}
			rest := b
			if title != "" || len(blocks) > 1 {
				head, behind, _ := strings.Cut(b, "\n")
				rest = behind
				want := title
				if len(blocks) > 1 {
					want = strings.TrimSpace(fmt.Sprintf("%s (%d of %d)", title, i+1, len(blocks)))
				}
				if head != want {
					t.Fatalf("block %d has the head %q, want %q", i, head, want)
				}
			}
			fence, rest, _ := strings.Cut(rest, "\n")
			code, closed := strings.CutSuffix(rest, "\n"+fence)
			if !closed || strings.Trim(fence, "`") != "" || strings.Contains(code, fence) {
				t.Fatalf("block %d is not closed by its fence %q", i, fence)
			}
			part := strings.Split(code, "\n")
			if broken {
				lines[len(lines)-1] += part[0]
				part = part[1:]
			}
			lines = append(lines, part...)
			last := lines[len(lines)-1]
			all := strings.Split(shown, "\n")
			broken = len(last) < len(all[len(lines)-1])
			if broken && len(all[len(lines)-1]) < limit/2 {
				t.Fatalf("block %d ends within a line of %d bytes", i, len(all[len(lines)-1]))
			}
		}
		if got := strings.Join(lines, "\n"); got != shown {
			t.Fatalf("%q became %q", shown, got)
		}
	})
}

func TestNotText(t *testing.T) {
	for _, tt := range []struct {
		data string
		text bool
	}{
		{"plain\n\tand \x1b[31mcoloured\n", true},
		{"Gr\xfc\xdfe aus dem Jahre 1998, als man so schrieb", true},
		{"日本語", true},
		{"a\x00b", false},
		{"\xff\xfeg\x00r\x00", false},
		{"\x89PNG\r\n\x1a\n\xff\xd8\xff\xe0", false},
	} {
		if err := NotText([]byte(tt.data)); err == nil != tt.text {
			t.Errorf("NotText(%q) = %v", tt.data, err)
		}
	}
}

func TestProgress(t *testing.T) {
	var out bytes.Buffer
	p := &progress{out: &out, ticker: time.NewTicker(time.Hour)}
	now := time.Unix(1e9, 0)
	p.begin, p.before = now, now
	s := &sender{read: 300, acked: 100, limits: protocol.Limits{PostRate: 100}}
	p.draw(now.Add(progressAfter/2), s)
	if out.Len() > 0 {
		t.Errorf("a short input shows %q", out.String())
	}
	now = now.Add(2 * time.Second)
	s.slow = now.Add(-time.Second)
	p.draw(now, s)
	const want = "300 lines read, 100 sent, 50/s; slow: the server takes 100/s"
	if got := out.String(); got != "\r"+want {
		t.Errorf("shown is %q", got)
	}
	out.Reset()
	s.down, s.refused = errors.New("x"), 2
	p.draw(now.Add(time.Second), s)
	if got := out.String(); !strings.Contains(got, "2 refused; no connection, trying again") || strings.Contains(got, "slow") {
		t.Errorf("shown is %q", got)
	}
	width := out.Len() - 1
	out.Reset()
	p.end()
	if got := out.String(); got != "\r"+strings.Repeat(" ", width)+"\r" {
		t.Errorf("at the end: %q", got)
	}
}

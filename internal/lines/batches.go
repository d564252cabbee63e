package lines

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"io"
	"strings"
)

// numbered is a line of an input, without its end.
type numbered struct {
	line int    // from 1; 0: of no input of lines
	text string // of a line longer than keptOfLine, its beginning
	size int    // all of it, in bytes
}

// batches is the lines of a reader, as many at once as have come: whoever writes
// line by line is heard line by line, and a file does not change goroutines for
// each. err is valid once out is closed.
type batches struct {
	out chan []numbered
	err error
}

const (
	batchLines = 128
	batchBytes = 64 << 10
	// keptOfLine is more than an entry can have: longer lines are counted only.
	keptOfLine = 64 << 10
)

// readBatches reads until the reader ends or ctx does. A read of a terminal or a
// pipe cannot be interrupted: the goroutine outlives ctx until the next line.
func readBatches(ctx context.Context, r io.Reader) *batches {
	b := &batches{out: make(chan []numbered, 1)}
	go func() {
		defer close(b.out)
		br := bufio.NewReaderSize(r, 64<<10)
		var batch []numbered
		size := 0
		for n := 1; ; n++ {
			text, length, err := readLine(br)
			if length > 0 {
				batch = append(batch, numbered{n, text, length})
				size += len(text)
			}
			if len(batch) > 0 && (err != nil || len(batch) == batchLines || size >= batchBytes || !hasLine(br)) {
				select {
				case b.out <- batch:
				case <-ctx.Done():
					return
				}
				batch, size = nil, 0
			}
			if err != nil {
				if !errors.Is(err, io.EOF) {
					b.err = err
				}
				return
			}
		}
	}()
	return b
}

// hasLine reports whether a whole line can be read without waiting.
func hasLine(br *bufio.Reader) bool {
	waiting, _ := br.Peek(br.Buffered())
	return bytes.IndexByte(waiting, '\n') >= 0
}

// readLine reads a line, the last one without an end too, and says how long it is.
// What stands behind keptOfLine bytes is passed over.
func readLine(br *bufio.Reader) (text string, size int, err error) {
	part, err := br.ReadSlice('\n')
	if !errors.Is(err, bufio.ErrBufferFull) {
		text = strings.TrimRight(string(part), "\r\n")
		return text, len(text), err
	}
	var line []byte
	for {
		size += len(part)
		line = append(line, part[:min(len(part), keptOfLine-len(line))]...)
		if !errors.Is(err, bufio.ErrBufferFull) {
			size -= len(part) - len(bytes.TrimRight(part, "\r\n"))
			return strings.TrimRight(string(line), "\r\n"), size, err
		}
		part, err = br.ReadSlice('\n')
	}
}

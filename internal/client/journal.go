package client

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"time"

	"lanchat/internal/files"
	"lanchat/protocol"
)

// A journal keeps, for one server, what a client must not forget when its
// process ends: the posts that are not yet acknowledged, and how far it has come
// in each room. It is a file of JSON lines, appended to and now and then written
// anew. What was written survives the process, however that ends; a power cut
// may take the last seconds.
//
// Each running client has a journal of its own: the first that nobody has
// locked of eight for a server. One that was left behind with posts in it is
// taken over by the next client.
type journal struct {
	path    string
	unlock  func()
	file    *os.File
	size    int
	live    int // what the file would have if it were written anew, about
	epoch   protocol.ID
	posts   []protocol.Post
	cursors map[string]uint64
	moved   map[string]uint64 // cursors that are not yet written
	written time.Time
	err     error // the first failure to write; posts are in memory only then
}

const (
	journals     = 8
	journalMax   = 64 << 20 // bytes; a larger file is none of ours
	journalSlack = 1 << 20  // what is no longer needed may take up so many bytes
	cursorEach   = time.Second
)

// ErrNoJournal says that eight clients are already connected to this server.
var ErrNoJournal = errors.New("too many clients of yours are connected to this server: unsent messages of this one end with it")

// line is one line of a journal: exactly one field is set.
type line struct {
	Epoch string            `json:"epoch,omitempty"`
	Post  *keptPost         `json:"post,omitempty"`
	Done  string            `json:"done,omitempty"`
	Seen  map[string]uint64 `json:"seen,omitempty"`
}

type keptPost struct {
	ID   string        `json:"id"`
	Room string        `json:"room"`
	Kind protocol.Kind `json:"kind,omitempty"`
	Text string        `json:"text,omitempty"`
	To   string        `json:"to,omitempty"`
}

func keep(p protocol.Post) *keptPost {
	k := &keptPost{ID: p.ID.String(), Room: p.Room, Kind: p.Kind, Text: p.Text}
	if !p.Target.IsZero() {
		k.To = p.Target.String()
	}
	return k
}

func (k *keptPost) post() (protocol.Post, error) {
	p := protocol.Post{Room: k.Room, Kind: k.Kind, Text: k.Text}
	var err error
	if p.ID, err = protocol.ParseID(k.ID); err == nil && k.To != "" {
		p.Target, err = protocol.ParseID(k.To)
	}
	return p, err
}

// openJournal opens a journal for the server with a key, in dir.
func openJournal(dir, key string) (*journal, error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, err
	}
	var j *journal
	for n := range journals {
		path := filepath.Join(dir, fmt.Sprintf("%s-%d.journal", key, n))
		unlock, err := files.TryLock(path + ".lock")
		if errors.Is(err, files.ErrLocked) {
			continue
		}
		if err != nil {
			return nil, errors.Join(err, j.close())
		}
		next := &journal{path: path, unlock: unlock, cursors: map[string]uint64{}, moved: map[string]uint64{}}
		if err := next.load(); err != nil {
			unlock()
			return nil, errors.Join(err, j.close())
		}
		if j == nil {
			j = next
			continue
		}
		err = j.takeOver(next)
		unlock()
		if err != nil {
			return nil, errors.Join(err, j.close())
		}
	}
	if j == nil {
		return nil, ErrNoJournal
	}
	if err := j.rewrite(); err != nil {
		return nil, errors.Join(err, j.close())
	}
	return j, nil
}

// load reads the file. Its last line may be cut off, by a crash; any other that
// cannot be read is a mistake that a person should see.
func (j *journal) load() error {
	data, err := files.Read(j.path, journalMax)
	if errors.Is(err, os.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	n := 0
	for text := range bytes.Lines(data) {
		n++
		var l line
		err := json.Unmarshal(text, &l)
		if err == nil {
			err = j.apply(l)
		}
		if err != nil {
			if bytes.HasSuffix(text, []byte{'\n'}) {
				return fmt.Errorf("%s, line %d: %w; it may hold unsent messages: mend it or move it away", j.path, n, err)
			}
			break
		}
	}
	return nil
}

func (j *journal) apply(l line) error {
	switch {
	case l.Epoch != "":
		epoch, err := protocol.ParseID(l.Epoch)
		if err != nil {
			return err
		}
		j.epoch = epoch
		clear(j.cursors)
	case l.Post != nil:
		p, err := l.Post.post()
		if err != nil {
			return err
		}
		j.posts = append(j.posts, p)
	case l.Done != "":
		id, err := protocol.ParseID(l.Done)
		if err != nil {
			return err
		}
		j.remove(id)
	}
	for room, seq := range l.Seen {
		j.cursors[room] = max(j.cursors[room], seq)
	}
	return nil
}

// remove takes out a post: nearly always the first.
func (j *journal) remove(id protocol.ID) {
	i := slices.IndexFunc(j.posts, func(p protocol.Post) bool { return p.ID == id })
	switch {
	case i == 0:
		j.posts = j.posts[1:]
	case i > 0:
		j.posts = slices.Delete(j.posts, i, i+1)
	}
}

// takeOver moves another journal's posts and cursors here. The other is emptied
// only when they are safe.
func (j *journal) takeOver(other *journal) error {
	if len(other.posts) == 0 && len(other.cursors) == 0 {
		return nil
	}
	j.posts = append(j.posts, other.posts...)
	if j.epoch.IsZero() {
		j.epoch = other.epoch
	}
	if j.epoch == other.epoch {
		for room, seq := range other.cursors {
			j.cursors[room] = max(j.cursors[room], seq)
		}
	}
	if err := j.rewrite(); err != nil {
		return err
	}
	return os.Remove(other.path)
}

// rewrite writes the file anew, with what counts.
func (j *journal) rewrite() error {
	if j.file != nil {
		if err := j.file.Close(); err != nil {
			return err
		}
		j.file = nil
	}
	var buf bytes.Buffer
	enc := json.NewEncoder(&buf)
	lines := []line{{Epoch: j.epoch.String()}, {Seen: j.cursors}}
	for _, p := range j.posts {
		lines = append(lines, line{Post: keep(p)})
	}
	for _, l := range lines {
		if err := enc.Encode(l); err != nil {
			return err
		}
	}
	if err := files.Replace(j.path, buf.Bytes()); err != nil {
		return err
	}
	var err error
	j.file, err = os.OpenFile(j.path, os.O_WRONLY|os.O_APPEND, 0o600)
	j.size, j.live = buf.Len(), buf.Len()
	return err
}

// add writes a line. The first failure is kept, and ends the writing.
func (j *journal) add(l line) {
	if j == nil || j.err != nil {
		return
	}
	data, err := json.Marshal(l)
	if err == nil {
		_, err = j.file.Write(append(data, '\n'))
	}
	j.size += len(data) + 1
	if err == nil && j.size > 2*j.live+journalSlack {
		err = j.rewrite()
	}
	j.err = err
}

func (j *journal) post(p protocol.Post) {
	if j != nil {
		j.posts = append(j.posts, p)
		j.add(line{Post: keep(p)})
	}
}

func (j *journal) done(id protocol.ID) {
	if j != nil {
		j.remove(id)
		j.add(line{Done: id.String()})
	}
}

func (j *journal) wiped(epoch protocol.ID) {
	if j != nil && j.epoch != epoch {
		j.epoch = epoch
		clear(j.cursors)
		clear(j.moved)
		j.add(line{Epoch: epoch.String()})
	}
}

// seen notes a cursor. They move with every entry, so they are written together,
// once a second.
func (j *journal) seen(room string, seq uint64, now time.Time) {
	if j == nil {
		return
	}
	j.moved[room] = seq
	if now.Sub(j.written) >= cursorEach {
		j.written = now
		j.writeCursors()
	}
}

func (j *journal) writeCursors() {
	if len(j.moved) == 0 {
		return
	}
	maps.Copy(j.cursors, j.moved)
	j.add(line{Seen: j.moved})
	clear(j.moved)
}

func (j *journal) close() error {
	if j == nil {
		return nil
	}
	j.writeCursors()
	var err error
	if j.file != nil {
		err = j.file.Close()
	}
	j.unlock()
	return err
}

package client

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"

	"lanchat/internal/files"
	"lanchat/internal/safetext"
	"lanchat/protocol"
)

// A keeper keeps, for one server, what a user interface wants to find again:
// drafts, whom not to hear, of what to be told. It is one small file of JSON,
// shared by all clients of the user that talk to this server: each brings its
// own changes into what the others have written, so of two that change the same
// thing the last one holds. What is changed is on disk a second later.
type keeper struct {
	dir  string
	wake chan struct{} // something is to be written

	mu    sync.Mutex // never held over a disk's work
	path  string     // "": no server has been met
	bad   bool       // the file cannot be used; it is left alone
	moved changes    // not yet written
}

// changes are the newest word on each thing.
type changes struct {
	drafts  []draft // in the order in which they were written; an empty text: none
	ignored map[protocol.UserID]Ignored
	notices map[string]Policy
}

type draft struct {
	Room string `json:"room"`
	Text string `json:"text"`
}

// kept is the file. What is newest stands last.
type kept struct {
	Drafts  []draft           `json:"drafts,omitempty"`
	Ignored []ignored         `json:"ignored,omitempty"`
	Notices map[string]Policy `json:"notices,omitempty"`
}

type ignored struct {
	User string `json:"user"`
	Nick string `json:"nick"`
}

const (
	keptMax   = 64 << 20 // bytes; a larger file is none of ours
	keepAfter = time.Second
)

func newKeeper(dir string) *keeper { return &keeper{dir: dir, wake: make(chan struct{}, 1)} }

// keep notes a change. It waits for nobody.
func (k *keeper) keep(ev Event) {
	if k.dir == "" {
		return
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	c := &k.moved
	switch ev := ev.(type) {
	case Drafted:
		c.drafts = withDraft(c.drafts, ev)
		if len(c.drafts) > 2*maxDrafts { // half of them may be removals
			c.drafts = slices.Delete(c.drafts, 0, 1)
		}
	case Ignored:
		if _, known := c.ignored[ev.User]; known || len(c.ignored) < 2*maxIgnored {
			put(&c.ignored, ev.User, ev)
		}
	case Told:
		if _, known := c.notices[ev.Room]; known || len(c.notices) < maxNotices {
			put(&c.notices, ev.Room, ev.Policy)
		}
	default:
		return
	}
	select {
	case k.wake <- struct{}{}:
	default:
	}
}

// withDraft puts a draft behind the others, in place of the room's old one.
func withDraft(drafts []draft, ev Drafted) []draft {
	drafts = slices.DeleteFunc(drafts, func(d draft) bool { return d.Room == ev.Room })
	text := ev.Text
	if len(text) > maxDraft {
		text = text[:maxDraft]
	}
	return append(drafts, draft{ev.Room, strings.ToValidUTF8(text, "")})
}

// run writes what is noted, until ctx ends and the last of it is written.
func (k *keeper) run(ctx context.Context) {
	for ctx.Err() == nil {
		select {
		case <-ctx.Done():
		case <-k.wake:
			select {
			case <-ctx.Done():
			case <-time.After(keepAfter):
				k.write()
			}
		}
	}
	k.write()
}

// open says which server it is, and returns what is kept for it together with
// what was noted before.
func (k *keeper) open(key string) (Recalled, error) {
	if k.dir == "" {
		return Recalled{}, nil
	}
	path := filepath.Join(k.dir, key+".kept")
	now, trouble, err := beginKept(path)
	k.mu.Lock()
	defer k.mu.Unlock()
	k.path, k.bad = path, err != nil
	now.take(k.moved)
	return now.recalled(), errors.Join(trouble, err)
}

// write brings what is noted into the file.
func (k *keeper) write() {
	k.mu.Lock()
	c, path := k.moved, k.path
	if path == "" || k.bad || c.empty() {
		k.mu.Unlock()
		return
	}
	k.moved = changes{}
	k.mu.Unlock()
	if err := mergeKept(path, c); err != nil {
		k.mu.Lock()
		defer k.mu.Unlock()
		k.moved = c.then(k.moved) // once more with the next change, or at the end
	}
}

func mergeKept(path string, c changes) error {
	unlock, err := files.Lock(path)
	if err != nil {
		return err
	}
	defer unlock()
	now, err := readKept(path)
	if err != nil {
		return err
	}
	now.take(c)
	data, err := json.MarshalIndent(now, "", "\t")
	if err != nil {
		return err
	}
	return files.Replace(path, append(data, '\n'))
}

func (c changes) empty() bool { return len(c.drafts)+len(c.ignored)+len(c.notices) == 0 }

// then is c, and newer changes on top of it.
func (c changes) then(newer changes) changes {
	for _, d := range newer.drafts {
		c.drafts = withDraft(c.drafts, Drafted(d))
	}
	for user, ev := range newer.ignored {
		put(&c.ignored, user, ev)
	}
	for room, policy := range newer.notices {
		put(&c.notices, room, policy)
	}
	return c
}

// take changes the file's content, and holds it to its bounds: the oldest go.
func (now *kept) take(c changes) {
	for _, d := range c.drafts {
		now.Drafts = withDraft(now.Drafts, Drafted(d))
	}
	now.Drafts = slices.DeleteFunc(now.Drafts, func(d draft) bool { return d.Text == "" })
	now.Drafts = now.Drafts[max(0, len(now.Drafts)-maxDrafts):]
	for user, ev := range c.ignored {
		now.Ignored = slices.DeleteFunc(now.Ignored, func(i ignored) bool { return i.User == user.String() })
		if ev.On {
			now.Ignored = append(now.Ignored, ignored{user.String(), ev.Nick})
		}
	}
	now.Ignored = now.Ignored[max(0, len(now.Ignored)-maxIgnored):]
	for room, policy := range c.notices {
		if _, known := now.Notices[room]; known || len(now.Notices) < maxNotices {
			put(&now.Notices, room, policy)
		}
	}
}

func (now kept) recalled() Recalled {
	ev := Recalled{Ignored: map[protocol.UserID]string{}, Notices: now.Notices, Drafts: map[string]string{}}
	for _, i := range now.Ignored {
		if user, err := protocol.ParseUserID(i.User); err == nil {
			ev.Ignored[user] = safetext.Line(i.Nick)
		}
	}
	for _, d := range now.Drafts {
		ev.Drafts[d.Room] = d.Text
	}
	return ev
}

// readKept reads the file; none is an empty one.
func readKept(path string) (now kept, err error) {
	data, err := files.Read(path, keptMax)
	if errors.Is(err, os.ErrNotExist) {
		return kept{}, nil
	}
	if err != nil {
		return kept{}, err
	}
	if err := json.Unmarshal(data, &now); err != nil {
		return kept{}, &damagedError{path: path, err: err}
	}
	for _, i := range now.Ignored {
		if _, err := protocol.ParseUserID(i.User); err != nil {
			return kept{}, &damagedError{path: path, err: err}
		}
	}
	for room, policy := range now.Notices {
		if !policy.valid() {
			return kept{}, &damagedError{path: path, err: fmt.Errorf("%q is no policy, for the room %q", string(policy), room)}
		}
	}
	return now, nil
}

// damagedError says that the file is not as it was written.
type damagedError struct {
	path string
	err  error
}

func (e *damagedError) Error() string {
	return fmt.Sprintf("the drafts and settings kept for this server cannot be read: %s: %v", e.path, e.err)
}

func (e *damagedError) Unwrap() error { return e.err }

// beginKept reads the file for the first time. A damaged one is moved out of the
// way, which trouble says, unless an earlier one is there: nothing that somebody
// may want to mend is lost. With an err nothing may be written.
func beginKept(path string) (now kept, trouble, err error) {
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return kept{}, nil, err
	}
	unlock, err := files.Lock(path)
	if err != nil {
		return kept{}, nil, err
	}
	defer unlock()
	now, err = readKept(path)
	if _, damaged := errors.AsType[*damagedError](err); !damaged {
		return now, nil, err
	}
	aside := path + ".damaged"
	if _, there := os.Lstat(aside); !errors.Is(there, os.ErrNotExist) {
		return kept{}, nil, fmt.Errorf("%w; it stays as it is, and nothing more is kept: mend it or remove it", err)
	}
	if moved := os.Rename(path, aside); moved != nil {
		return kept{}, nil, errors.Join(err, moved)
	}
	return kept{}, fmt.Errorf("%w; it is now %s, and a new one is begun", err, filepath.Base(aside)), nil
}

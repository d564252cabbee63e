package roomlog

import (
	"errors"
	"fmt"
	"sync"
	"testing"

	"lanchat/protocol"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// outcome collects what a poster hears.
type outcome struct {
	mu   sync.Mutex
	seqs []uint64
	errs []error
	done sync.WaitGroup
}

func (o *outcome) posted(e *protocol.Entry, err error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.seqs = append(o.seqs, e.Seq)
	o.errs = append(o.errs, err)
	o.done.Done()
}

func TestEveryPosterKeepsItsOrder(t *testing.T) {
	const posters, each = 20, 200
	l := Local(NewMemory())
	defer l.Close()
	var followed []protocol.Entry
	l.Follow(func(es []protocol.Entry) func() { followed = append(followed, es...); return nil })
	outcomes := make([]outcome, posters)
	var wg sync.WaitGroup
	for p := range posters {
		o := &outcomes[p]
		o.done.Add(each)
		wg.Go(func() {
			poster := l.Poster(o.posted)
			for i := range each {
				e := entry("lobby", fmt.Sprint(i))
				e.User = protocol.UserID{byte(p)}
				if err := poster.Submit(e); err != nil {
					t.Error(err)
				}
			}
			o.done.Wait()
		})
	}
	wg.Wait()
	if len(followed) != posters*each {
		t.Fatalf("followed %d entries", len(followed))
	}
	next := map[protocol.UserID]int{}
	for i, e := range followed {
		if e.Seq != uint64(i+1) {
			t.Fatalf("entry %d has seq %d", i, e.Seq)
		}
		if e.Text != fmt.Sprint(next[e.User]) {
			t.Fatalf("poster %d: %s where %d belongs", e.User[0], e.Text, next[e.User])
		}
		next[e.User]++
	}
	for p := range outcomes {
		for i := range each - 1 {
			if outcomes[p].seqs[i] >= outcomes[p].seqs[i+1] {
				t.Fatalf("poster %d heard of %d before %d", p, outcomes[p].seqs[i], outcomes[p].seqs[i+1])
			}
		}
	}
}

// faulty fails the second Append, as a full disk would, and then recovers.
type faulty struct {
	Store
	calls int
	gate  chan struct{}
}

func (f *faulty) Append(batch []Record) error {
	<-f.gate
	if f.calls++; f.calls == 2 {
		return errors.New("disk full")
	}
	return f.Store.Append(batch)
}

func TestNothingIsAcceptedBehindARefusedPost(t *testing.T) {
	f := &faulty{Store: NewMemory(), gate: make(chan struct{})}
	l := Local(f)
	defer l.Close()
	var o, other outcome
	p := l.Poster(o.posted)
	submit := func(p *Poster, o *outcome, text string) {
		o.done.Add(1)
		if err := p.Submit(entry("lobby", text)); err != nil {
			t.Fatal(err)
		}
	}
	for _, text := range []string{"one", "two"} { // one commit each
		submit(p, &o, text)
		f.gate <- struct{}{}
		o.done.Wait()
	}
	submit(p, &o, "three") // is refused without asking the store again
	o.done.Wait()
	q := l.Poster(other.posted)
	submit(q, &other, "from another poster")
	f.gate <- struct{}{}
	other.done.Wait()
	for i, want := range []bool{true, false, false} {
		if got := o.errs[i] == nil; got != want || !want && !errors.Is(o.errs[i], ErrUnavailable) {
			t.Errorf("post %d: %v", i+1, o.errs[i])
		}
	}
	if other.errs[0] != nil || other.seqs[0] != 2 {
		t.Errorf("the other poster: %v, seq %d", other.errs[0], other.seqs[0])
	}
}

func TestCloseCommitsWhatWasSubmitted(t *testing.T) {
	l := Local(NewMemory())
	var o outcome
	p := l.Poster(o.posted)
	o.done.Add(100)
	for range 100 {
		if err := p.Submit(entry("lobby", "x")); err != nil {
			t.Fatal(err)
		}
	}
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	if info, _ := l.Room("lobby"); info.Head != 100 || len(o.seqs) != 100 {
		t.Errorf("head %d, %d outcomes", info.Head, len(o.seqs))
	}
	if err := p.Submit(entry("lobby", "late")); !errors.Is(err, ErrClosed) {
		t.Errorf("Submit after Close: %v", err)
	}
	if err := l.Close(); err != nil {
		t.Errorf("the second Close: %v", err)
	}
}

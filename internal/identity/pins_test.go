package identity

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"lanchat/internal/files"
)

func openPins(t *testing.T, path string) *Pins {
	t.Helper()
	p, err := OpenPins(path)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func newPins(t *testing.T) *Pins {
	t.Helper()
	return openPins(t, filepath.Join(t.TempDir(), "config", "pins.json"))
}

func key(n byte) Fingerprint { return Fingerprint{0: n, 31: 1} }

func TestPins(t *testing.T) {
	p := newPins(t)
	clock := time.Date(2030, 5, 1, 12, 0, 0, 0, time.UTC)
	p.now = func() time.Time { return clock }
	if first, err := p.Check("Straße", key(1)); !first || err != nil {
		t.Fatalf("first meeting: %v, %v", first, err)
	}
	clock = clock.Add(48 * time.Hour)
	if first, err := p.Check("STRAßE", key(1)); first || err != nil {
		t.Fatalf("later: %v, %v", first, err)
	}
	first, err := p.Check("straße", key(2))
	changed, ok := errors.AsType[*ChangedError](err)
	if first || !ok || changed.Name != "straße" || changed.Old != key(1) || changed.New != key(2) {
		t.Errorf("another key: %v, %v", first, err)
	}
	if err := p.Verify("straße")(key(1)); err != nil {
		t.Errorf("the same key, within a handshake: %v", err)
	}
	if changed, ok = errors.AsType[*ChangedError](p.Verify("straße")(key(2))); !ok || changed.Old != key(1) || changed.New != key(2) {
		t.Errorf("another key, within a handshake: %v", changed)
	}
	pin, found, err := openPins(t, p.path).Lookup("straße") // as another process sees it
	if err != nil || !found {
		t.Fatalf("%v, %v", found, err)
	}
	if pin.Name != "Straße" || pin.Key != key(1) || !pin.Last.Equal(clock) || !pin.First.Equal(clock.Add(-48*time.Hour)) {
		t.Errorf("%+v", pin)
	}
	if _, found, err := p.Lookup("Strasse"); found || err != nil {
		t.Errorf("another name: %v, %v", found, err)
	}
	if err := p.Forget("STRAßE"); err != nil {
		t.Error(err)
	}
	if err := p.Forget("straße"); !errors.Is(err, ErrNotPinned) {
		t.Errorf("forgotten twice: %v", err)
	}
	if first, err := p.Check("straße", key(2)); !first || err != nil {
		t.Errorf("after forgetting: %v, %v", first, err)
	}
}

func TestVerifyWritesNothing(t *testing.T) {
	p := newPins(t)
	if err := p.Verify("room")(key(1)); err != nil {
		t.Error(err)
	}
	if _, err := os.Stat(p.path); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("a file was written (%v)", err)
	}
}

func TestAddresses(t *testing.T) {
	p := newPins(t)
	if err := p.Remember("room", "192.0.2.1:1"); !errors.Is(err, ErrNotPinned) {
		t.Errorf("an address without a key: %v", err)
	}
	if _, err := p.Check("room", key(1)); err != nil {
		t.Fatal(err)
	}
	for _, addr := range []string{"a:1", "b:1", "b:1", "c:1", "d:1", "a:1", "e:1"} {
		if err := p.Remember("ROOM", addr); err != nil {
			t.Fatal(err)
		}
	}
	for _, addr := range []string{"", "x\ny", "\xff", strings.Repeat("x", maxAddr+1)} {
		if err := p.Remember("room", addr); err == nil {
			t.Errorf("%q is remembered", addr)
		}
	}
	pin, _, err := p.Lookup("room")
	if want := []string{"e:1", "a:1", "d:1", "c:1"}; err != nil || !slices.Equal(pin.Addrs, want) {
		t.Errorf("%v, want %v (%v)", pin.Addrs, want, err)
	}
}

func TestNames(t *testing.T) {
	p := newPins(t)
	for _, name := range []string{"", "a\nb", "a\x1b[2Jb", "\x7f", "\u0085", "a\u2028b", "\xff", strings.Repeat("x", maxPinName+1)} {
		if _, err := p.Check(name, key(1)); err == nil {
			t.Errorf("%q is pinned", name)
		}
		if err := p.Verify(name)(key(1)); err == nil {
			t.Errorf("%q is accepted", name)
		}
		if err := p.Forget(name); err == nil || errors.Is(err, ErrNotPinned) {
			t.Errorf("%q: %v", name, err)
		}
	}
	for i, name := range []string{"<&>", `"\`, "\u202e", "👩‍👩‍👧", "K", "192.0.2.1:25252"} {
		for range 2 {
			if _, err := p.Check(name, key(byte(i))); err != nil {
				t.Errorf("%q: %v", name, err)
			}
		}
	}
	// The Kelvin sign is a K to those who ignore case, in the file's check too.
	if first, err := p.Check("\u212a", key(4)); first || err != nil {
		t.Errorf("Kelvin: %v, %v", first, err)
	}
	all, err := p.All()
	if err != nil || len(all) != 6 || !slices.IsSortedFunc(all, func(a, b Pin) int { return strings.Compare(fold(a.Name), fold(b.Name)) }) {
		t.Errorf("%v, %v", all, err)
	}
}

func TestChangedErrorIsForPeople(t *testing.T) {
	e := &ChangedError{Name: "Hack Night", Old: key(1), New: key(2)}
	for _, want := range []string{`"Hack Night"`, key(1).Words(), key(2).Words(), "set up anew", "another machine claims"} {
		if !strings.Contains(e.Error(), want) {
			t.Errorf("%q is missing in:\n%v", want, e)
		}
	}
	if e.New = key(1); e.New.Words() == e.Old.Words() {
		e.New[20] = 7
		if text := e.Error(); !strings.Contains(text, e.New.String()) || !strings.Contains(text, e.Old.String()) {
			t.Errorf("keys with the same words cannot be told apart:\n%v", text)
		}
	}
	if runtime.GOOS == "windows" {
		return
	}
	for name, want := range map[string]string{
		"lobby":      "  chat id forget lobby\n",
		"Hack Night": "  chat id forget 'Hack Night'\n",
		"$(reboot)":  "  chat id forget '$(reboot)'\n",
		"-rf":        "  chat id forget -- -rf\n",
		"- it's":     `  chat id forget -- '- it'\''s'` + "\n",
	} {
		if text := (&ChangedError{Name: name}).Error(); !strings.Contains(text, want) {
			t.Errorf("no %q in:\n%s", want, text)
		}
	}
}

func TestPinsAreBounded(t *testing.T) {
	p := newPins(t)
	clock := time.Date(2030, 5, 1, 12, 0, 0, 0, time.UTC)
	full := make([]Pin, MaxPins)
	for i := range full {
		full[i] = Pin{Name: fmt.Sprint("room ", i), Key: key(1), First: clock, Last: clock.Add(time.Duration(i) * time.Hour)}
	}
	full[0].Last = clock.Add(time.Hour * MaxPins)
	if err := p.update(func([]Pin) ([]Pin, error) { return full, nil }); err != nil {
		t.Fatal(err)
	}
	p.now = func() time.Time { return clock.Add(-time.Hour) } // set back: still the new one stays
	if first, err := p.Check("one more", key(2)); !first || err != nil {
		t.Fatalf("%v, %v", first, err)
	}
	all, err := p.All()
	if err != nil || len(all) != MaxPins {
		t.Fatalf("%d pins, %v", len(all), err)
	}
	for name, want := range map[string]bool{"one more": true, "room 0": true, "room 1": false, "room 2": true} {
		if _, found, err := p.Lookup(name); found != want || err != nil {
			t.Errorf("%s: %v, %v", name, found, err)
		}
	}
}

func TestLargestPinsFile(t *testing.T) {
	p := newPins(t)
	now := time.Now()
	full := make([]Pin, MaxPins)
	for i := range full { // "<" takes six bytes in JSON
		name := fmt.Sprintf("%s%04d", strings.Repeat("<", maxPinName-4), i)
		full[i] = Pin{Name: name, Key: key(1), First: now, Last: now}
		for range MaxAddrs {
			full[i].Addrs = append(full[i].Addrs, strings.Repeat("<", maxAddr))
		}
	}
	if err := p.update(func([]Pin) ([]Pin, error) { return full, nil }); err != nil {
		t.Fatal(err)
	}
	if all, err := p.All(); err != nil || len(all) != MaxPins {
		t.Errorf("%d pins, %v", len(all), err)
	}
}

func TestDamagedPinsFile(t *testing.T) {
	p := newPins(t)
	if _, err := p.Check("room", key(1)); err != nil {
		t.Fatal(err)
	}
	good, err := os.ReadFile(p.path)
	if err != nil {
		t.Fatal(err)
	}
	entry := func(fields string) string { return `{"version":1,"pins":[` + fields + `]}` }
	one := `{"name":"a","key":"` + key(1).String() + `","first_seen":"2030-05-01T12:00:00Z","last_seen":"2030-05-01T12:00:00Z"}`
	tests := map[string]string{
		"empty":           "",
		"cut":             string(good[:len(good)/2]),
		"zeros":           strings.Repeat("\x00", len(good)),
		"no JSON":         "room " + key(1).String(),
		"more behind it":  string(good) + "{}",
		"no version":      `{"pins":[]}`,
		"later version":   `{"version":2,"pins":[{"name":"a","colour":"red"}]}`,
		"unknown field":   `{"version":1,"pins":[],"colour":"red"}`,
		"no name":         entry(`{"key":"` + key(1).String() + `"}`),
		"no key":          entry(`{"name":"a"}`),
		"short key":       entry(`{"name":"a","key":"12"}`),
		"twice":           entry(strings.Replace(one, `"a"`, `"A"`, 1) + "," + one),
		"many":            entry(one + strings.Repeat(","+one, MaxPins)),
		"many addresses":  entry(strings.Replace(one, `"first`, `"addrs":["1","2","3","4","5"],"first`, 1)),
		"not its own way": `{"version":1,"pins":{}}`,
	}
	for name, data := range tests {
		t.Run(name, func(t *testing.T) {
			if err := os.WriteFile(p.path, []byte(data), 0o600); err != nil {
				t.Fatal(err)
			}
			_, open := OpenPins(p.path)
			_, _, lookup := p.Lookup("room")
			_, check := p.Check("room", key(2))
			_, all := p.All()
			for call, err := range map[string]error{"OpenPins": open, "Lookup": lookup, "Check": check, "All": all,
				"Verify": p.Verify("room")(key(2)), "Remember": p.Remember("room", "a:1"), "Forget": p.Forget("room")} {
				if err == nil || !strings.Contains(err.Error(), p.path) || !strings.Contains(err.Error(), "move it away") {
					t.Errorf("%s: %v", call, err)
				}
			}
			if now, _ := os.ReadFile(p.path); string(now) != data {
				t.Error("the file was changed")
			}
		})
	}
	if _, err := decodePins([]byte(entry(one))); err != nil {
		t.Errorf("the entry that the others are made of: %v", err)
	}
}

// TestKnownServerWithoutWriting checks that a directory that cannot be written to
// keeps nobody from a server that is known, and nobody is pinned in silence.
func TestKnownServerWithoutWriting(t *testing.T) {
	p := newPins(t)
	if _, err := p.Check("room", key(1)); err != nil {
		t.Fatal(err)
	}
	p.now = func() time.Time { return time.Now().Add(48 * time.Hour) }
	// A directory in the lock's place: works for root too, unlike modes.
	if err := os.Remove(p.path + ".lock"); err != nil {
		t.Fatal(err)
	}
	if err := os.Mkdir(p.path+".lock", 0o700); err != nil {
		t.Fatal(err)
	}
	if first, err := p.Check("room", key(1)); first || err != nil {
		t.Errorf("a known server: %v, %v", first, err)
	}
	if _, err := p.Check("room", key(2)); err == nil {
		t.Error("another key is accepted")
	}
	if first, err := p.Check("new", key(3)); first || err == nil {
		t.Errorf("a new server: %v, %v", first, err)
	}
}

// TestNoPinIsLost has goroutines of two processes pin and remember at once.
func TestNoPinIsLost(t *testing.T) {
	const each = 8
	pinAll := func(path, who string) {
		var wg sync.WaitGroup
		for i := range each {
			wg.Go(func() {
				p := openPins(t, path)
				name := fmt.Sprint(who, " ", i)
				if first, err := p.Check(name, key(byte(i))); !first || err != nil {
					t.Errorf("%s: %v, %v", name, first, err)
				}
				if err := p.Remember(name, "a:1"); err != nil {
					t.Error(err)
				}
			})
		}
		wg.Wait()
	}
	if path := os.Getenv("LANCHAT_TEST_PINS"); path != "" {
		pinAll(path, "other process")
		return
	}
	p := newPins(t)
	var wg sync.WaitGroup
	wg.Go(func() {
		c := exec.Command(os.Args[0], "-test.run=^TestNoPinIsLost$")
		c.Env = append(os.Environ(), "LANCHAT_TEST_PINS="+p.path)
		if out, err := c.CombinedOutput(); err != nil {
			t.Errorf("%v: %s", err, out)
		}
	})
	pinAll(p.path, "this process")
	wg.Wait()
	all, err := p.All()
	if err != nil || len(all) != 2*each {
		t.Fatalf("%d pins, want %d (%v)", len(all), 2*each, err)
	}
	for _, pin := range all {
		if !slices.Equal(pin.Addrs, []string{"a:1"}) {
			t.Errorf("%s lost its address", pin.Name)
		}
	}
}

// TestOneNameTwoKeys has many meet one name with different keys at once: one key
// wins, and everybody else is told.
func TestOneNameTwoKeys(t *testing.T) {
	p := newPins(t)
	var wg sync.WaitGroup
	var mu sync.Mutex
	won, told := 0, 0
	for i := range 8 {
		wg.Go(func() {
			first, err := p.Check("room", key(byte(i)))
			_, changed := errors.AsType[*ChangedError](err)
			mu.Lock()
			defer mu.Unlock()
			switch {
			case first && err == nil:
				won++
			case changed:
				told++
			default:
				t.Errorf("%v, %v", first, err)
			}
		})
	}
	wg.Wait()
	if won != 1 || told != 7 {
		t.Errorf("%d won, %d were told", won, told)
	}
}

func TestLockIsFreedByTheSystem(t *testing.T) {
	path := filepath.Join(t.TempDir(), "file")
	unlock, err := files.Lock(path)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := files.TryLock(path + ".lock"); !errors.Is(err, files.ErrLocked) {
		t.Errorf("locked twice: %v", err)
	}
	unlock()
	unlock, err = files.TryLock(path + ".lock")
	if err != nil {
		t.Fatalf("the file that stays behind locks: %v", err)
	}
	unlock()
}

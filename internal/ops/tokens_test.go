package ops

import (
	"errors"
	"net/netip"
	"os"
	"strings"
	"sync"
	"testing"
	"time"
)

func TestTokensFile(t *testing.T) {
	tokens := OpenTokens(t.TempDir())
	if list, err := tokens.List(); err != nil || len(list) != 0 {
		t.Errorf("at first: %v, %v", list, err)
	}
	var all sync.WaitGroup
	for range 8 { // several processes may add at once
		all.Go(func() {
			if _, _, err := tokens.Add("build", "ci", time.Now()); err != nil {
				t.Error(err)
			}
		})
	}
	all.Wait()
	token, made, err := tokens.Add("alerts", "nagios", time.Now())
	if err != nil || made.Number != 9 || len(token) < 50 {
		t.Fatalf("%q, %+v, %v", token, made, err)
	}
	data, err := os.ReadFile(tokens.path)
	if err != nil || strings.Contains(string(data), token) || strings.Contains(string(data), token[len(tokenPrefix):]) {
		t.Errorf("the file shows the token: %s, %v", data, err)
	}
	if info, err := os.Stat(tokens.path); err != nil || info.Mode().Perm()&0o077 != 0 && os.PathSeparator == '/' {
		t.Errorf("others can read it: %v, %v", info.Mode(), err)
	}
	if _, err := tokens.Remove(func(t Token) bool { return t.Number == 9 }); err != nil {
		t.Error(err)
	}
	if _, err := tokens.Remove(func(t Token) bool { return t.Number == 9 }); !errors.Is(err, ErrNoToken) {
		t.Errorf("removed again: %v", err)
	}
	if _, made, err = tokens.Add("build", "ci", time.Now()); err != nil || made.Number != 10 {
		t.Errorf("a number is given twice: %+v, %v", made, err)
	}
	for _, bad := range [][2]string{{"No Room", "ci"}, {"build", "a b"}, {"build", "guest-1"}, {"dm:x", "ci"}, {"", "ci"}, {"build", ""}} {
		if _, _, err := tokens.Add(bad[0], bad[1], time.Now()); err == nil {
			t.Errorf("%q is taken", bad)
		}
	}
}

func TestDamagedTokensFile(t *testing.T) {
	hash := hashOf("x")
	for _, data := range []string{"", "no JSON", `{"last":1,"tokens":[{"number":1,"room":"build","as":"ci","sha256":"short"}]}`,
		`{"last":1,"tokens":[{"number":1,"room":"No Room","as":"ci","sha256":"` + hash + `"}]}`,
		`{"last":0,"tokens":[{"number":1,"room":"build","as":"ci","sha256":"` + hash + `"}]}`,
		strings.Repeat(" ", maxTokensFile+1),
	} {
		tokens := OpenTokens(t.TempDir())
		if err := os.WriteFile(tokens.path, []byte(data), 0o600); err != nil {
			t.Fatal(err)
		}
		if _, err := tokens.List(); err == nil || !strings.Contains(err.Error(), tokens.path) {
			t.Errorf("%.40q: %v", data, err)
		}
		if _, _, err := tokens.Add("build", "ci", time.Now()); err == nil {
			t.Errorf("%.40q is overwritten", data)
		}
	}
}

// Wrong tokens from any number of addresses take bounded memory.
func TestStrikesAreBounded(t *testing.T) {
	var s strikes
	now := time.Now()
	told := 0
	for i := range 3 * maxStrikes {
		addr := netip.AddrFrom4([4]byte{10, 0, byte(i >> 8), byte(i)})
		wait, tell := s.another(now, addr)
		if told += tell; i < maxStrikes && wait != 0 {
			t.Fatalf("address %d waits", i)
		}
	}
	if len(s.by) > maxStrikes+1 {
		t.Errorf("%d addresses are kept", len(s.by))
	}
	if wait, _ := s.another(now, netip.MustParseAddr("10.9.9.9")); wait == 0 {
		t.Error("beyond the bound nobody is slowed down")
	}
	if told != 1 {
		t.Errorf("%d were told of within a minute, want the first", told)
	}
	now = now.Add(time.Minute)
	if wait, tell := s.another(now, netip.MustParseAddr("10.9.9.9")); wait != 0 || tell != 3*maxStrikes+1 {
		t.Errorf("a minute later: wait %v, told of %d", wait, tell)
	}
	if len(s.by) != 1 {
		t.Errorf("%d addresses are still kept", len(s.by))
	}
	if a, b := addressOf("[2001:db8::1:2]:80"), addressOf("[2001:db8::9]:81"); a != b {
		t.Errorf("one /64 is two: %v, %v", a, b)
	}
}

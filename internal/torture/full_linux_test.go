package torture

import (
	"os"
	"path/filepath"
	"syscall"
	"testing"

	"lanchat/protocol"
)

// smallDisk mounts a file system of its own.
func smallDisk(t *testing.T, size string) string {
	t.Helper()
	dir := t.TempDir()
	if err := syscall.Mount("tmpfs", dir, "tmpfs", 0, "size="+size); err != nil {
		t.Skipf("a file system of one's own takes root: %v", err)
	}
	t.Cleanup(func() {
		if err := syscall.Unmount(dir, 0); err != nil {
			t.Errorf("unmounting: %v", err)
		}
	})
	return dir
}

// A real server on a disk that fills up while somebody talks without waiting: the
// talker is sent away with unavailable and a time to come back, nothing behind the
// refused line is taken, and what is sent again when there is space stands in order.
func TestTalkOnAFullDisk(t *testing.T) {
	t.Parallel()
	dir := smallDisk(t, "4m")
	ballast := filepath.Join(dir, "ballast")
	if err := os.WriteFile(ballast, make([]byte, 2<<20), 0o600); err != nil {
		t.Fatal(err)
	}
	server := newProcess(t)
	server.data = filepath.Join(dir, "data")
	if err := server.start(); err != nil {
		t.Fatal(err)
	}
	j := newJudge()
	r := newRecord(j, "talker")

	var bye *protocol.Bye
	for round := 0; bye == nil && round < 100; round++ {
		bye = hear(t, dial(t, server.addr(), "talker"), r, 150)
	}
	if bye == nil || bye.Code != protocol.CodeUnavailable || bye.RetryAfter == 0 || bye.Text == "" {
		t.Fatalf("on the full disk the server says %+v", bye)
	}
	acked := r.acks
	if acked == 0 || r.waiting("") == 0 {
		t.Fatalf("%d acknowledged, %d not: the disk was not full in the middle of it", acked, r.waiting(""))
	}
	// Reading goes on meanwhile.
	reader := &run{target: server}
	log, err := reader.readAll(t.Context(), nil)
	if err != nil || len(log["lobby"]) < acked {
		t.Errorf("on the full disk %d entries can be read, %v; %d were acknowledged", len(log["lobby"]), err, acked)
	}
	// Still full: sent away again, and nothing is taken out of its turn.
	if bye := hear(t, dial(t, server.addr(), "talker"), r, 0); bye == nil || bye.Code != protocol.CodeUnavailable {
		t.Errorf("still full, and the server says %+v", bye)
	}

	if err := os.Remove(ballast); err != nil {
		t.Fatal(err)
	}
	if bye := hear(t, dial(t, server.addr(), "talker"), r, 0); bye != nil {
		t.Fatalf("with space again the server says %+v", bye)
	}
	if log, err = reader.readAll(t.Context(), nil); err != nil {
		t.Fatal(err)
	}
	j.check(log, []*record{r})
	for _, what := range j.told {
		t.Error(what)
	}
	t.Logf("%d acknowledged before the disk was full, %d in the end", acked, r.acks)
}

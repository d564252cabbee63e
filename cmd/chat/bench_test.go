package main

import (
	"encoding/json"
	"runtime"
	"strings"
	"testing"
)

// chat bench measures a server and two bare relays under the same load, and everybody
// has everything.
func TestBench(t *testing.T) {
	s := newSite(t)
	_, addr, _ := s.chatd("Hack Night", "--memory", "--post-rate", "1000000")
	code, out, errs := s.chat("", "bench", addr, "--readers", "5", "--posters", "2", "--rate", "0", "--window", "32", "--time", "500ms", "--warm-up", "100ms", "--baseline", "--json")
	if code != exitDone {
		t.Fatalf("exit code %d\n%s%s", code, out, errs)
	}
	var names []string
	for line := range strings.Lines(out) {
		var r struct {
			Name              string
			Posts, Deliveries int64
			Lost, Doubled     int64
			PerSecond         float64 `json:"deliveries_per_s"`
			P50, P99          float64 `json:"-"`
			Bytes             float64 `json:"bytes_per_delivery"`
			Server            *struct{ RSS int64 }
			Ratio             *struct {
				Deliveries float64 `json:"deliveries_per_s"`
			}
		}
		if err := json.Unmarshal([]byte(line), &r); err != nil {
			t.Fatalf("%v: %s", err, line)
		}
		names = append(names, r.Name)
		if r.Posts == 0 || r.Deliveries < r.Posts*5 || r.Lost != 0 || r.Doubled != 0 || r.PerSecond <= 0 || r.Bytes < 100 {
			t.Errorf("%s: %s", r.Name, line)
		}
		if (r.Ratio != nil) != (r.Name != "server") || r.Ratio != nil && r.Ratio.Deliveries <= 0 {
			t.Errorf("%s has the ratio %+v", r.Name, r.Ratio)
		}
		if runtime.GOOS == "linux" && (r.Server == nil || r.Server.RSS < 1<<20) {
			t.Errorf("%s uses %+v", r.Name, r.Server)
		}
	}
	if strings.Join(names, " ") != "server inline batched" {
		t.Errorf("what is measured: %q", names)
	}

	// Over TLS, as a table, with a server that takes less than it is given: it says so.
	_, slow, _ := s.chatd("Slow", "--memory", "--post-rate", "1000")
	code, out, errs = s.chat("", "bench", slow, "--readers", "1", "--posters", "1", "--rate", "0", "--window", "1200", "--time", "300ms", "--warm-up", "0s")
	if code != exitDone || !strings.Contains(out, "deliveries/s") || !strings.Contains(out, "--post-rate is lower") {
		t.Errorf("exit code %d\n%s%s", code, out, errs)
	}
	for _, bad := range [][]string{{"--rooms", "0"}, {"--size", "10"}, {"--rate", "0", "--window", "0"}, {"--time", "0s"}, {"--readers", "x"}} {
		if code, _, errs := s.chat("", append([]string{"bench", addr}, bad...)...); code != exitUsage || !strings.HasPrefix(errs, "chat: ") {
			t.Errorf("%v: exit code %d, %s", bad, code, errs)
		}
	}
}

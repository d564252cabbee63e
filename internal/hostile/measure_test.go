package hostile

import (
	"fmt"
	"os"
	"slices"
	"strconv"
	"strings"
	"time"
)

// times are seconds of processor time since a process, or the machine, began.
type times struct{ server, healthy, attackers, machine float64 }

func (t times) since(u times) times {
	return times{t.server - u.server, t.healthy - u.healthy, t.attackers - u.attackers, t.machine - u.machine}
}

// others is what everything else on this machine has used.
func (t times) others() float64 { return max(0, t.machine-t.server-t.healthy-t.attackers) }

// in says it in percent of one processor.
func (t times) in(d time.Duration) string {
	p := func(s float64) string { return fmt.Sprintf("%.0f %%", 100*s/d.Seconds()) }
	return fmt.Sprintf("processor (100 %% is one): server %s, healthy clients %s, attackers %s, everything else on the machine %s",
		p(t.server), p(t.healthy), p(t.attackers), p(t.others()))
}

// ticks is in how many parts of a second Linux tells processor time.
const ticks = 100

func processTime(pid int) float64 {
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil || pid == 0 {
		return 0
	}
	f := strings.Fields(string(stat[strings.LastIndexByte(string(stat), ')')+1:]))
	if len(f) < 13 {
		return 0
	}
	user, _ := strconv.ParseFloat(f[11], 64)
	system, _ := strconv.ParseFloat(f[12], 64)
	return (user + system) / ticks
}

// machineTime is what all processors were busy with together.
func machineTime() (busy float64) {
	stat, _ := os.ReadFile("/proc/stat")
	line, _, _ := strings.Cut(string(stat), "\n")
	for i, f := range strings.Fields(line) {
		if i == 0 || i == 4 || i == 5 || i > 8 { // the name, idle, waiting for disks, and what is counted twice
			continue
		}
		n, _ := strconv.ParseFloat(f, 64)
		busy += n / ticks
	}
	return busy
}

// spread is how long something took, for all of many.
type spread []time.Duration

// at is the value that a share of all does not exceed. The spread is sorted.
func (s spread) at(share float64) time.Duration {
	if len(s) == 0 {
		return 0
	}
	return s[min(len(s)-1, int(share*float64(len(s))))]
}

func (s spread) String() string {
	return fmt.Sprintf("median %v, p90 %v, p99 %v, at most %v (%d)", short(s.at(.5)), short(s.at(.9)), short(s.at(.99)), short(s.at(1)), len(s))
}

func sorted(s spread) spread { slices.Sort(s); return s }

func short(d time.Duration) time.Duration { return d.Round(10 * time.Microsecond) }

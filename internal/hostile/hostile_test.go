package hostile

import (
	"cmp"
	"context"
	"os"
	"testing"
	"time"
)

const (
	memoryLimit = 200 << 20
	factor      = 3                     // that the 99th percentile may grow by under attack,
	always      = 10 * time.Millisecond // unless it stays below this
	retries     = 1                     // of the time under attack, where something else had the machine
	logRate     = 10                    // lines a second that the server may log under attack
)

func TestHostile(t *testing.T) { underAttack(t, momentary) }

// What the attackers leave behind is bounded, and takes nothing from who comes later.
func TestLasting(t *testing.T) {
	s := underAttack(t, lasting)
	if err := firstTry(t.Context(), s.addr); err != nil {
		t.Errorf("after the attack, at the first try: %v", err)
	}
	s.stop()
	left := leftIn(t, s.data)
	left.within(t)
	t.Logf("the server has kept: %v", left)
}

// underAttack has people talk while others attack, judges that, and returns the server.
func underAttack(t *testing.T, kinds []kind) *server {
	if supported != "" {
		t.Skip(supported)
	}
	if kinds = chosen(kinds); len(kinds) == 0 {
		t.Skip("none of these attacks is wanted")
	}
	if flags.seconds == 0 {
		t.Parallel() // nothing is judged that takes the machine for itself
	}
	s := startServer(t)
	c := gather(t, s.addr, people)
	judged := flags.seconds > 0 && flags.only == ""
	long := time.Duration(cmp.Or(flags.seconds, 3)) * time.Second
	r := &run{T: t, server: s, crowd: c}

	r.phase(without, max(long/3, 2*time.Second))
	logged := s.log.count()
	began := time.Now()
	r.army = raise(t, kinds, s.addr, c.all[0].nick)
	r.phase(with, long)
	base, last := c.delay(without).at(.99), int32(with)
	limit := max(factor*base, always)
	for range retries {
		p99 := c.delay(last).at(.99)
		if p99 <= limit || !judged {
			break
		}
		t.Logf("the 99th percentile under attack is %v, and its limit %v; once more, since the machine may have been busy with something else (above)", short(p99), short(limit))
		last++
		r.phase(last, long)
	}
	logged = s.log.count() - logged
	lasted := time.Since(began)
	now, most := s.memory()
	done := r.army.dismiss(t)
	c.settle(t)

	p99 := c.delay(last).at(.99)
	t.Logf("the 99th percentile is %v without the attack and %v with it: %.1f times; its limit is %v", short(base), short(p99), float64(p99)/float64(base), short(limit))
	t.Logf("the server's memory: %d MiB, at most %d MiB; it has logged %d lines in %v", now>>20, most>>20, logged, lasted.Round(time.Second))
	for _, k := range kinds {
		if d, there := done[k.name]; there {
			t.Logf("%-8s %v", k.name, d)
			if len(d.Stolen) > 0 {
				t.Errorf("names were stolen: %q", d.Stolen)
			}
		}
	}
	for _, what := range c.told {
		t.Error(what)
	}
	if c.wrongs > len(c.told) {
		t.Errorf("and %d more", c.wrongs-len(c.told))
	}
	switch {
	case !s.lives():
		t.Errorf("the server has ended:\n%s", s.log.first())
	case most > memoryLimit:
		t.Errorf("the server had %d MiB of memory, more than %d", most>>20, memoryLimit>>20)
	}
	if p99 > limit && judged {
		t.Errorf("the 99th percentile under attack is %v, more than %v", short(p99), short(limit))
	}
	if float64(logged) > logRate*lasted.Seconds() {
		t.Errorf("the server has logged %d lines in %v:\n%s", logged, lasted, s.log.first())
	}
	if judged { // else others may have had the processors
		enough(t, kinds, done, lasted)
	}
	return s
}

// enough makes sure that there was an attack.
func enough(t *testing.T, kinds []kind, done map[string]counts, lasted time.Duration) {
	t.Helper()
	for _, k := range kinds {
		d, there := done[k.name]
		if !there {
			continue
		}
		least := int64(k.n)
		switch k.name {
		case "vanish":
			least = int64(0.8 * 200 * lasted.Seconds())
		case "bomb":
			least = int64(20 * lasted.Seconds())
		case "thief":
			least = int64(3 * lasted.Seconds())
		}
		if d.Connections < least {
			t.Errorf("%s: %d connections in %v, want at least %d: the attack was too easy", k.name, d.Connections, lasted.Round(time.Second), least)
		}
	}
}

// run is one test run.
type run struct {
	*testing.T
	server *server
	crowd  *crowd
	army   *army
}

// phase has people talk for a while and measures it, but for the first moment.
func (r *run) phase(phase int32, long time.Duration) {
	r.Helper()
	ctx, stop := context.WithTimeout(r.Context(), long+time.Second)
	defer stop()
	var before times
	began := time.Now()
	time.AfterFunc(time.Second, func() {
		before, began = r.times(), time.Now()
		r.crowd.phase.Store(phase)
	})
	r.crowd.talk(ctx, flags.rate)
	used, took := r.times().since(before), time.Since(began)
	r.Logf("%s, %v: from a post until another has it: %v", [...]string{without: "without the attack", with: "with it", again: "with it, again"}[phase], took.Round(100*time.Millisecond), r.crowd.delay(phase))
	r.Logf("  %s", used.in(took))
}

func (r *run) times() times {
	t := times{server: processTime(r.server.cmd.Process.Pid), healthy: processTime(os.Getpid()), machine: machineTime()}
	if r.army != nil {
		t.attackers = processTime(r.army.cmd.Process.Pid)
	}
	return t
}

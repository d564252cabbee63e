package main

import (
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"strconv"
	"strings"
)

// machine says what was measured on, without whose it is.
type machine struct {
	CPU    string `json:"cpu"`
	Cores  int    `json:"cores"`
	Memory string `json:"memory"`
	System string `json:"system"`
	Go     string `json:"go"`
	Disk   string `json:"disk"` // the kind of file system with the logs
}

func (m machine) String() string {
	return fmt.Sprintf("%s, %d cores, %s of memory; %s; %s; logs on %s", m.CPU, m.Cores, m.Memory, m.System, m.Go, m.Disk)
}

func thisMachine(work string) machine {
	return machine{
		CPU: lineOf("/proc/cpuinfo", "model name"), Cores: runtime.NumCPU(), Memory: memory(),
		System: output("uname", "-sr"), Go: runtime.Version() + " " + runtime.GOOS + "/" + runtime.GOARCH,
		Disk: lastWord(output("df", "--output=fstype", work)),
	}
}

// lineOf is what stands behind "name:" in a file.
func lineOf(file, name string) string {
	b, err := os.ReadFile(file)
	if err != nil {
		return "unknown"
	}
	for line := range strings.Lines(string(b)) {
		if key, value, ok := strings.Cut(line, ":"); ok && strings.TrimSpace(key) == name {
			return strings.TrimSpace(value)
		}
	}
	return "unknown"
}

func memory() string {
	kib, err := strconv.Atoi(strings.TrimSuffix(lineOf("/proc/meminfo", "MemTotal"), " kB"))
	if err != nil {
		return "an unknown amount"
	}
	return fmt.Sprintf("%.0f GiB", float64(kib)/(1<<20))
}

func output(name string, args ...string) string {
	b, err := exec.Command(name, args...).Output()
	if err != nil {
		return "unknown"
	}
	return strings.TrimSpace(string(b))
}

func lastWord(s string) string { return s[strings.LastIndexAny(s, " \n")+1:] }

// loadAverage is that of the last minute, 0 where it is not told.
func loadAverage() float64 {
	b, _ := os.ReadFile("/proc/loadavg")
	first, _, _ := strings.Cut(string(b), " ")
	load, _ := strconv.ParseFloat(first, 64)
	return load
}

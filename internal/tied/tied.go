// Package tied starts the real programs for tests, at ports that are theirs. What it starts ends with the test's
// own process, however that ends: on Linux even when it is killed.
//
// All functions may be called by any goroutine.
package tied

import (
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"sync"
	"testing"
)

// built are the programs that were built.
var built struct {
	mu    sync.Mutex
	dir   string
	paths map[string]string
}

// Program builds a program of cmd, once in a process, and returns its path.
// RemovePrograms is to be called when the tests have ended.
func Program(t testing.TB, name string) string {
	t.Helper()
	b := &built
	b.mu.Lock()
	defer b.mu.Unlock()
	if path, done := b.paths[name]; done {
		return path
	}
	if b.dir == "" {
		dir, err := os.MkdirTemp("", "lanchat-tied-")
		if err != nil {
			t.Fatal(err)
		}
		b.dir, b.paths = dir, map[string]string{}
	}
	path := filepath.Join(b.dir, name)
	if runtime.GOOS == "windows" {
		path += ".exe"
	}
	if out, err := exec.Command("go", "build", "-o", path, "lanchat/cmd/"+name).CombinedOutput(); err != nil {
		t.Fatalf("go build: %v\n%s", err, out)
	}
	b.paths[name] = path
	return path
}

// RemovePrograms removes what Program has built.
func RemovePrograms() {
	built.mu.Lock()
	defer built.mu.Unlock()
	if built.dir != "" {
		os.RemoveAll(built.dir)
	}
	built.dir, built.paths = "", nil
}

// launcher starts processes from one thread that lives as long as the test: Linux ties
// them to that.
var launcher = sync.OnceValue(func() chan<- func() {
	jobs := make(chan func())
	go func() {
		runtime.LockOSThread()
		for job := range jobs {
			job()
		}
	}()
	return jobs
})

// Start starts cmd as its Start does.
func Start(cmd *exec.Cmd) error {
	tie(cmd)
	started := make(chan error)
	launcher() <- func() { started <- cmd.Start() }
	return <-started
}

// FreePort returns an address of the loopback whose TCP port is free and stays so.
func FreePort(t testing.TB) string {
	t.Helper()
	return fmt.Sprint("127.0.0.1:", freePort(t, func(port string) (io.Closer, error) { return net.Listen("tcp", "127.0.0.1"+port) }))
}

// FreeUDPPort returns a UDP port that is free on every address and stays so.
func FreeUDPPort(t testing.TB) int {
	t.Helper()
	return freePort(t, func(port string) (io.Closer, error) { return net.ListenPacket("udp4", port) })
}

// freePort returns none of the ports that Linux gives to connections and to sockets that
// ask for any, nor the one where a server of this machine would be.
func freePort(t testing.TB, bind func(port string) (io.Closer, error)) int {
	t.Helper()
	var err error
	for range 100 {
		port := 26_000 + rand.IntN(6_000)
		var c io.Closer
		if c, err = bind(fmt.Sprint(":", port)); err == nil {
			defer c.Close()
			return port
		}
	}
	t.Fatal("no port is free: ", err)
	return 0
}

package torture

import (
	"context"
	"net"
	"path/filepath"
	"testing"
	"time"

	"lanchat/internal/identity"
	"lanchat/internal/roomlog"
	"lanchat/internal/server"
	"lanchat/internal/tied"
)

// engine is the server inside the test, over a store that outlives it. To kill it
// is to cut off everybody and to have the store lose what it has not kept.
type engine struct {
	testing.TB
	at     string
	id     *identity.Identity
	disk   *disk
	server *server.Server
	served chan error
	log    roomlog.Log
}

func newEngine(t testing.TB, d *disk) *engine {
	t.Helper()
	id, err := identity.LoadOrCreate(filepath.Join(t.TempDir(), "server"), "Torture")
	if err != nil {
		t.Fatal(err)
	}
	e := &engine{TB: t, at: tied.FreePort(t), id: id, disk: d}
	t.Cleanup(e.kill)
	return e
}

func (e *engine) addr() string              { return e.at }
func (e *engine) key() identity.Fingerprint { return e.id.Fingerprint() }

func (e *engine) start() error {
	l, err := net.Listen("tcp", e.at)
	if err != nil {
		return err
	}
	e.log = roomlog.Local(e.disk)
	e.server = server.New(server.Config{Name: "Torture", Log: e.log, TLS: e.id.ServerTLS(),
		Limits: server.Limits{PostRate: 1_000_000, PostBurst: 1_000_000}})
	e.served = make(chan error, 1)
	go func() { e.served <- e.server.Serve(context.Background(), l) }()
	return nil
}

func (e *engine) stillborn(time.Duration) {}

func (e *engine) kill() {
	if e.server == nil {
		return
	}
	e.server.Close()
	<-e.served
	e.log.Close()
	e.disk.crash()
	e.server = nil
}

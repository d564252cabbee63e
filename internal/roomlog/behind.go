package roomlog

import (
	"context"
	"database/sql"
	"errors"
	"sync"
	"time"
)

// behind is a goroutine that works behind the commits, whenever it is woken, on a
// connection of its own. What it does need not be on the disk at once: what a crash takes
// of it is done again, as all of it follows from what is in the file.
type behind struct {
	db   *sql.DB
	conn *sql.Conn
	wake chan struct{}
	quit context.CancelFunc
	done sync.WaitGroup
}

// What a connection does while another one has the file. Whoever empties the
// write-ahead log does not wait for a long reader: posting would wait with it.
const (
	waitsForOthers = "_pragma=busy_timeout(10000)&_txlock=immediate"
	waitsShortly   = "_pragma=busy_timeout(20)"
	neverWaits     = "_pragma=busy_timeout(0)"
)

func newBehind() behind { return behind{wake: make(chan struct{}, 1), quit: func() {}} }

// open opens the connection. What it takes out of the file it overwrites.
func (b *behind) open(s *SQLite, manners string) (err error) {
	if b.db, err = sql.Open("sqlite", dsn(s.dir, "log.db", "_pragma=synchronous(NORMAL)&_pragma=secure_delete(ON)&"+manners)); err != nil {
		return err
	}
	b.db.SetMaxOpenConns(1)
	if b.conn, err = b.db.Conn(context.Background()); err != nil {
		return errors.Join(err, b.db.Close())
	}
	return nil
}

// start begins the goroutine.
func (b *behind) start(run func(context.Context)) {
	ctx, quit := context.WithCancel(context.Background())
	b.quit = quit
	b.done.Go(func() { run(ctx) })
}

// wakeUp says that there is something to do. Often said, it is heard once.
func (b *behind) wakeUp() {
	select {
	case b.wake <- struct{}{}:
	default:
	}
}

// woken waits for that, and is false when ctx has ended.
func (b *behind) woken(ctx context.Context) bool {
	select {
	case <-b.wake:
		return true
	case <-ctx.Done():
		return false
	}
}

// rest waits, and is false when ctx has ended.
func rest(ctx context.Context, d time.Duration) bool {
	select {
	case <-time.After(d):
		return true
	case <-ctx.Done():
		return false
	}
}

// stop ends the goroutine, also in the middle of its work.
func (b *behind) stop() {
	b.quit()
	b.done.Wait()
}

// close stops it and closes the connection.
func (b *behind) close() error {
	b.stop()
	if b.conn == nil {
		return nil // it was never opened
	}
	return errors.Join(b.conn.Close(), b.db.Close())
}

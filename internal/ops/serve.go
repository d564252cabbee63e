package ops

import (
	"context"
	"errors"
	"io"
	"log"
	"net"
	"net/http"
	"sync"
)

// serve answers requests on l until ctx ends, within bounds. It returns when everything
// that it started has ended; nil unless l failed.
func serve(ctx context.Context, l net.Listener, handler http.Handler, limits limits) error {
	requests, cutOff := context.WithCancel(context.WithoutCancel(ctx))
	defer cutOff()
	var connections sync.WaitGroup
	h := &http.Server{
		Handler: handler, ReadHeaderTimeout: limits.header, ReadTimeout: limits.request, WriteTimeout: limits.answer,
		IdleTimeout: limits.idle, MaxHeaderBytes: maxHeader,
		BaseContext: func(net.Listener) context.Context { return requests },
		ConnContext: markBusy,
		// What it would print is what strangers do: nothing is logged for each.
		ErrorLog: log.New(io.Discard, "", 0),
		// New comes before the connection's goroutine begins, Closed at its end.
		ConnState: func(_ net.Conn, s http.ConnState) {
			switch s {
			case http.StateNew:
				connections.Add(1)
			case http.StateClosed, http.StateHijacked:
				connections.Done()
			}
		},
	}
	var background sync.WaitGroup
	served := make(chan struct{})
	background.Go(func() {
		select {
		case <-ctx.Done():
			grace, cancel := context.WithTimeout(context.WithoutCancel(ctx), limits.grace)
			defer cancel()
			_ = h.Shutdown(grace) // what is left is cut off below
		case <-served:
		}
	})
	err := h.Serve(&bounded{Listener: l, total: limits.connections, each: limits.perAddress})
	close(served)
	background.Wait()
	cutOff()
	h.Close()
	connections.Wait()
	if errors.Is(err, http.ErrServerClosed) {
		return nil
	}
	return err
}

package serve

import (
	"context"
	"fmt"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"lanchat/internal/ops"
	"lanchat/internal/server"
)

// webhookFile is the file, in the data directory, with the address at which the
// server's webhook was last: chatd webhook add shows it.
const webhookFile = "webhook.addr"

// WebhookAddr is the address that s means. Nobody else on the network reaches a
// bare port, which is on the loopback: what is posted there is not encrypted.
func WebhookAddr(s string) (string, error) {
	host, port, err := net.SplitHostPort(s)
	if err != nil {
		host, port = "", s
	}
	if n, err := strconv.ParseUint(port, 10, 16); err != nil || strings.HasPrefix(port, "+") || n > 65535 {
		return "", fmt.Errorf("%q is neither a PORT nor an ADDRESS:PORT, as 8080 and 192.168.1.5:8080 are", s)
	}
	switch host {
	case "", "localhost":
		host = "127.0.0.1"
	case "*":
		return "", fmt.Errorf("%q: every address is written 0.0.0.0:%s", s, port)
	}
	if _, err := netip.ParseAddr(host); err != nil {
		return "", fmt.Errorf("%q: %s is no address of this host; one is written as 192.168.1.5:%s", s, host, port)
	}
	return net.JoinHostPort(host, port), nil
}

// listenHTTP begins to listen at an address that WebhookAddr returned, and says what is
// worth a warning; nil where there is no address.
func (cfg *Config) listenHTTP(what, at, warning string) (net.Listener, error) {
	if at == "" {
		return nil, nil
	}
	network := "tcp6"
	if ap, err := netip.ParseAddrPort(at); err == nil && ap.Addr().Is4() {
		network = "tcp4" // 0.0.0.0 with tcp alone would be every IPv6 address, too
	}
	l, err := net.Listen(network, at)
	if err != nil {
		return nil, fmt.Errorf("cannot listen for %s on %s: %w", what, at, err)
	}
	if addr := unmapped(l.Addr().(*net.TCPAddr).AddrPort()); !addr.Addr().IsLoopback() {
		cfg.Logger.Warn(warning, "addr", addr)
	}
	return l, nil
}

// listenAll begins to listen wherever the server is asked over HTTP.
func (cfg *Config) listenAll() (hook, status net.Listener, err error) {
	hook, err = cfg.listenHTTP("the webhook", cfg.Webhook,
		"the webhook is open to the network, and is HTTP without encryption: whoever is on the way can read what is posted, and its tokens")
	if err != nil {
		return nil, nil, err
	}
	status, err = cfg.listenHTTP("the metrics", cfg.Metrics,
		"the metrics are open to the network: whoever reaches the address reads them, and can have profiles made, which cost time")
	if err != nil {
		closeAll(hook)
		return nil, nil, err
	}
	return hook, status, nil
}

func closeAll(all ...net.Listener) {
	for _, l := range all {
		if l != nil {
			l.Close()
		}
	}
}

// runStatus serves the page of metrics until ctx ends.
func (s *Server) runStatus(ctx context.Context, cfg Config, l net.Listener, engine *server.Server) {
	s.Metrics = reachable(l.Addr().(*net.TCPAddr).AddrPort(), cfg.Discovery.Interfaces)
	page := ops.NewStatus(engine, cfg.Software)
	s.group.Go(func() {
		if err := page.Serve(ctx, l); err != nil {
			cfg.Logger.Error("the metrics have ended", "err", err)
		}
	})
}

// runWebhook serves the webhook until ctx ends.
func (s *Server) runWebhook(ctx context.Context, cfg Config, l net.Listener, engine *server.Server) {
	s.Webhook = reachable(l.Addr().(*net.TCPAddr).AddrPort(), cfg.Discovery.Interfaces)
	if err := os.WriteFile(filepath.Join(cfg.Data, webhookFile), []byte(s.Webhook.String()+"\n"), 0o600); err != nil {
		cfg.Logger.Warn("chatd webhook add will not know the webhook's address", "err", err)
	}
	hook := ops.NewWebhook(engine, ops.OpenTokens(cfg.Data), cfg.Logger)
	s.group.Go(func() {
		if err := hook.Serve(ctx, l); err != nil {
			cfg.Logger.Error("the webhook has ended", "err", err)
		}
	})
}

// LastWebhook is where the webhook was last of the server that has its data in dir.
func LastWebhook(dir string) (netip.AddrPort, bool) {
	data, err := os.ReadFile(filepath.Join(dir, webhookFile))
	if err != nil {
		return netip.AddrPort{}, false
	}
	addr, err := netip.ParseAddrPort(strings.TrimSpace(string(data)))
	return addr, err == nil
}

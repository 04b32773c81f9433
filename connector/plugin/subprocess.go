package plugin

import (
	"context"
	"crypto/tls"
	"log/slog"
	"os"
	"slices"
	"sync/atomic"
	"time"

	"github.com/hashicorp/go-hclog"
	goplugin "github.com/hashicorp/go-plugin"
	"google.golang.org/grpc"

	"github.com/sluiceio/sluice/connector"
)

// How long calls may take to end after SIGTERM, sessions to close, and how often
// a connector looks for its host.
const (
	stopGrace   = 5 * time.Second
	closeGrace  = time.Second
	parentCheck = 250 * time.Millisecond
)

// serveHost serves the host that launched this process, until the host ends it,
// ctx ends (SIGTERM), or the host is gone.
func serveHost(ctx context.Context, c connector.Connector) int {
	nameProcess()
	orphaned, stop := parentGone(ctx, os.Getppid)
	defer stop()
	secure, certificate, err := connectorTLS(os.Getenv(clientCertEnv))
	if err == nil {
		err = announce(certificate)
	}
	if err != nil {
		slog.Error("serving the host", "error", err)
		return 1
	}
	impl, g := newServer(c), newGuard()
	record, recorded, err := impl.recordInto(os.Getenv(recordEnv))
	if err != nil {
		slog.Error("serving the host", "error", err)
		return 1
	}
	defer recorded()
	var server atomic.Pointer[grpc.Server]
	served := make(chan struct{})
	go func() { // go-plugin does not stop at a wish; it ends with the process
		defer close(served)
		goplugin.Serve(&goplugin.ServeConfig{
			HandshakeConfig: handshake(), Plugins: goplugin.PluginSet{name: &grpcPlugin{server: impl}}, Logger: hclog.NewNullLogger(),
			TLSProvider: func() (*tls.Config, error) { return secure, nil },
			GRPCServer: func(options []grpc.ServerOption) *grpc.Server {
				s := grpc.NewServer(slices.Concat(options, g.options(), record)...)
				server.Store(s)
				return s
			},
		})
	}()
	select {
	case <-served:
	case <-orphaned:
	case <-ctx.Done():
		g.stop(stopGrace)
	}
	if s := server.Load(); s != nil {
		s.Stop() // closes the listener, which removes the socket
	}
	closeInTime(impl.sessions)
	return 0
}

// closeInTime closes the sessions of a process that ends, but does not let them
// keep it.
func closeInTime(s *sessions) {
	closed := make(chan error, 1)
	go func() { closed <- s.close() }()
	timer := time.NewTimer(closeGrace)
	defer timer.Stop()
	select {
	case err := <-closed:
		if err != nil {
			slog.Warn("closing the sessions of the connector", "error", err)
		}
	case <-timer.C:
		slog.Warn("closing the sessions of the connector took too long")
	}
}

// parentGone returns a channel that is closed when this process gets another
// parent: the host was killed, and nobody else would say so. It looks again and
// again because no signal comes: PR_SET_PDEATHSIG is for the death of the thread
// that started the child.
func parentGone(ctx context.Context, parent func() int) (gone <-chan struct{}, stop func()) {
	ctx, stop = context.WithCancel(ctx)
	orphaned, first := make(chan struct{}), parent()
	go func() {
		ticker := time.NewTicker(parentCheck)
		defer ticker.Stop()
		for {
			select {
			case <-ticker.C:
				if parent() != first {
					close(orphaned)
					return
				}
			case <-ctx.Done():
				return
			}
		}
	}()
	return orphaned, stop
}

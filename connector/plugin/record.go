package plugin

import (
	"context"
	"os"

	"google.golang.org/grpc"

	"github.com/sluiceio/sluice/connector"
	"github.com/sluiceio/sluice/connector/egress"
	"github.com/sluiceio/sluice/connector/recording"
)

// recordEnv is the variable in which a host asks the connector it launches to
// record its requests, and says into which folder. A connector that does not know
// it, one in another language for instance, records nothing.
const recordEnv = "SLUICE_RECORD_TO"

// recordInto has all requests of the connector recorded, if the host asks for
// it. It returns options for the server and how to end.
func (s *server) recordInto(folder string) ([]grpc.ServerOption, func(), error) {
	if folder == "" {
		return nil, func() {}, nil
	}
	_ = os.Unsetenv(recordEnv) // for this process alone, not for those it starts
	r, err := recording.NewRecorder(folder)
	if err != nil {
		return nil, nil, err
	}
	s.sessions.base = egress.WithTap(s.sessions.base, r.Tap)
	s.sessions.opening = func(c connector.Connection) { r.Know(c.Secrets) }
	unary := func(ctx context.Context, request any, _ *grpc.UnaryServerInfo, handle grpc.UnaryHandler) (any, error) {
		return handle(egress.WithTap(ctx, r.Tap), request)
	}
	stream := func(srv any, call grpc.ServerStream, _ *grpc.StreamServerInfo, handle grpc.StreamHandler) error {
		return handle(srv, tapped{call, egress.WithTap(call.Context(), r.Tap)})
	}
	return []grpc.ServerOption{grpc.ChainUnaryInterceptor(unary), grpc.ChainStreamInterceptor(stream)}, func() { _ = r.Close() }, nil
}

// tapped is a call whose context carries the tap.
type tapped struct {
	grpc.ServerStream
	ctx context.Context
}

// Context returns the context with the tap.
func (t tapped) Context() context.Context { return t.ctx }

package plugin

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"strings"
	"sync"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/status"

	"github.com/sluiceio/sluice/connector"
	"github.com/sluiceio/sluice/connector/internal/wire"
)

// Codes that both halves know.
const (
	codeUnimplemented = wire.CodeUnimplemented
	codeTooLarge      = wire.CodeRecordTooLarge
	codeLost          = "CONNECTOR_LOST"   // of a call whose connector went away
	codeExited        = "CONNECTOR_EXITED" // likewise, when it is known that its process ended
)

// fromStatus reads the error of a call. Ours is true when the connector itself
// spoke, and not gRPC on its behalf.
func fromStatus(err error) (e *connector.Error, ours bool) { return wire.StatusFrom(err) }

// guard stands before every call of a server: it turns errors into statuses and
// panics into errors, and knows when no call is under way.
type guard struct {
	mu       sync.Mutex
	calls    int
	stopping bool
	idle     chan struct{} // closed when stopping and no call is under way
}

func newGuard() *guard { return &guard{idle: make(chan struct{})} }

// options are those of every server of connectors.
func (g *guard) options() []grpc.ServerOption {
	return []grpc.ServerOption{
		grpc.MaxRecvMsgSize(wire.MaxMessage), grpc.MaxSendMsgSize(wire.MaxMessage), grpc.ForceServerCodecV2(newCodec()),
		grpc.ChainUnaryInterceptor(g.unary), grpc.ChainStreamInterceptor(g.stream),
	}
}

func (g *guard) unary(ctx context.Context, request any, info *grpc.UnaryServerInfo, handle grpc.UnaryHandler) (response any, err error) {
	if _, ours := info.Server.(*server); !ours {
		return handle(ctx, request)
	}
	if err := g.enter(); err != nil {
		return nil, toStatus(err)
	}
	defer g.leave()
	defer func() { err = toStatus(err) }()
	defer recovered(&err)
	return handle(ctx, request)
}

func (g *guard) stream(srv any, stream grpc.ServerStream, _ *grpc.StreamServerInfo, handle grpc.StreamHandler) (err error) {
	if _, ours := srv.(*server); !ours {
		return handle(srv, stream)
	}
	if err := g.enter(); err != nil {
		return toStatus(err)
	}
	defer g.leave()
	defer func() { err = toStatus(err) }()
	defer recovered(&err)
	return handle(srv, stream)
}

func (g *guard) enter() error {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.stopping {
		return connector.Errorf(connector.ClassTransient, "STOPPING", "the connector is stopping and takes no more calls")
	}
	g.calls++
	return nil
}

func (g *guard) leave() {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.calls--; g.stopping && g.calls == 0 {
		close(g.idle)
	}
}

// stop refuses further calls and waits for those under way, for a while.
func (g *guard) stop(patience time.Duration) {
	g.mu.Lock()
	if !g.stopping {
		g.stopping = true
		if g.calls == 0 {
			close(g.idle)
		}
	}
	g.mu.Unlock()
	timer := time.NewTimer(patience)
	defer timer.Stop()
	select {
	case <-g.idle:
	case <-timer.C:
	}
}

// toStatus leaves the statuses of gRPC itself as they are.
func toStatus(err error) error {
	if err == nil {
		return nil
	}
	var own *connector.Error
	if !errors.As(err, &own) {
		if _, ok := status.FromError(err); ok { // gRPC's own
			return err
		}
		var violation *wire.Violation
		if errors.As(err, &violation) { // it names the field, and no value
			err = connectorBroke("what the connector answered", err)
		}
		own = connector.AsError(err)
	}
	return wire.Status(own)
}

// recovered turns a panic into an error. What was panicked with may hold a
// record or a secret, so only the runtime's own words are repeated.
func recovered(err *error) {
	p := recover()
	if p == nil {
		return
	}
	what := fmt.Sprintf("%T", p)
	if e, ok := p.(runtime.Error); ok {
		what = e.Error()
	}
	*err = connector.Errorf(connector.ClassInternal, "PANIC", "the connector panicked (%s) at %s; please report this to its author", what, panicPlace())
}

// panicPlace is the function and line that panicked.
func panicPlace() string {
	pcs := make([]uintptr, 32)
	frames := runtime.CallersFrames(pcs[:runtime.Callers(3, pcs)])
	for {
		f, more := frames.Next()
		if f.Function != "" && !strings.HasPrefix(f.Function, "runtime.") {
			return fmt.Sprintf("%s, line %d", f.Function, f.Line)
		}
		if !more {
			return "an unknown place"
		}
	}
}

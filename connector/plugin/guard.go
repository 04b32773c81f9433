package plugin

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"strings"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/sluiceio/sluice/connector"
	"github.com/sluiceio/sluice/connector/internal/wire"
)

// Codes that both halves know.
const (
	// codeUnimplemented is that of a call the connector does not have.
	codeUnimplemented = "UNIMPLEMENTED"
	// codeTooLarge is that of a message beyond the bound.
	codeTooLarge = "RECORD_TOO_LARGE"
)

// guardUnary turns errors into statuses, and panics into INTERNAL errors.
func guardUnary(ctx context.Context, request any, _ *grpc.UnaryServerInfo, handler grpc.UnaryHandler) (response any, err error) {
	defer func() { err = toStatus(err) }()
	defer recovered(&err)
	return handler(ctx, request)
}

// guardStream is guardUnary for conversations.
func guardStream(server any, stream grpc.ServerStream, _ *grpc.StreamServerInfo, handler grpc.StreamHandler) (err error) {
	defer func() { err = toStatus(err) }()
	defer recovered(&err)
	return handler(server, stream)
}

func toStatus(err error) error {
	if err == nil {
		return nil
	}
	var own *connector.Error
	if !errors.As(err, &own) {
		if _, ok := status.FromError(err); ok { // gRPC's own
			return err
		}
		own = connector.AsError(err)
	}
	if own.Code == codeUnimplemented {
		return wire.Status(own, codes.Unimplemented)
	}
	return wire.Status(err, codes.OK)
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

// fromStatus reads the error of a call. Ours is true when the connector itself
// spoke, and not gRPC on its behalf.
func fromStatus(err error) (e *connector.Error, ours bool) {
	e, ours = wire.StatusFrom(err)
	switch {
	case e == nil || ours:
	case strings.Contains(e.Message, "larger than max"): // gRPC's words for its own bound
		e.Class, e.Code = connector.ClassTooLarge, codeTooLarge
	case status.Code(err) == codes.Unimplemented:
		e.Code = codeUnimplemented
	}
	return e, ours
}

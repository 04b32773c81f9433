package plugin

import (
	"context"
	"errors"
	"time"

	goplugin "github.com/hashicorp/go-plugin"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/sluiceio/sluice/connector"
	"github.com/sluiceio/sluice/connector/internal/wire"
	pb "github.com/sluiceio/sluice/gen/sluice/connector/v1"
)

// ProtocolVersion is the version of the contract that the handshake
// negotiates: package sluice.connector.v1.
const ProtocolVersion = 1

// The handshake's cookie keeps a connector that is started by hand from waiting
// for a host; it is no secret.
const (
	CookieKey   = "SLUICE_CONNECTOR"
	CookieValue = "a-connector-is-a-program-that-serves-the-contract"
)

// name is what go-plugin calls the one thing that is served.
const name = "connector"

// The times that matter for liveness; proto/README.md states them.
const (
	heartbeat = 5 * time.Second
	stall     = 60 * time.Second
)

// window is the number of batches a connector asks for ahead: enough to keep
// the pipe busy (four are), and small enough to bound memory at 8 MiB or so.
const window = 8

func handshake() goplugin.HandshakeConfig {
	return goplugin.HandshakeConfig{ProtocolVersion: ProtocolVersion, MagicCookieKey: CookieKey, MagicCookieValue: CookieValue}
}

// grpcPlugin is what go-plugin wants to know of the contract.
type grpcPlugin struct {
	goplugin.NetRPCUnsupportedPlugin
	server *server // author's half
}

func (p *grpcPlugin) GRPCServer(_ *goplugin.GRPCBroker, s *grpc.Server) error {
	pb.RegisterConnectorServiceServer(s, p.server)
	return nil
}

func (p *grpcPlugin) GRPCClient(_ context.Context, _ *goplugin.GRPCBroker, conn *grpc.ClientConn) (any, error) {
	return pb.NewConnectorServiceClient(conn), nil
}

func newPlugin(c connector.Connector) *grpcPlugin { return &grpcPlugin{server: newServer(c)} }

// serverOptions apply to every way of serving.
func serverOptions() []grpc.ServerOption {
	return []grpc.ServerOption{
		grpc.MaxRecvMsgSize(wire.MaxMessage), grpc.MaxSendMsgSize(wire.MaxMessage),
		grpc.ChainUnaryInterceptor(guardUnary), grpc.ChainStreamInterceptor(guardStream),
	}
}

// callOptions apply to every call.
func callOptions() []grpc.CallOption {
	return []grpc.CallOption{grpc.MaxCallRecvMsgSize(wire.MaxMessage), grpc.MaxCallSendMsgSize(wire.MaxMessage)}
}

// guardUnary turns errors into statuses, and panics into INTERNAL errors.
func guardUnary(ctx context.Context, req any, _ *grpc.UnaryServerInfo, handler grpc.UnaryHandler) (resp any, err error) {
	defer func() { err = guarded(recover(), err) }()
	return handler(ctx, req)
}

func guardStream(srv any, stream grpc.ServerStream, _ *grpc.StreamServerInfo, handler grpc.StreamHandler) (err error) {
	defer func() { err = guarded(recover(), err) }()
	return handler(srv, stream)
}

// guarded never shows what a panic said: it may hold a record.
func guarded(panicked any, err error) error {
	if panicked != nil {
		err = connector.Errorf(connector.ClassInternal, "PANIC", "the connector panicked (%T)", panicked)
	}
	var own *connector.Error
	if _, ok := status.FromError(err); ok && !errors.As(err, &own) { // gRPC's own, or none
		return err
	}
	return wire.Status(err, codes.OK)
}

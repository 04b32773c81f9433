package plugin

import (
	"context"
	"time"

	goplugin "github.com/hashicorp/go-plugin"
	"google.golang.org/grpc"

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
	// authorPatience is how long a connector's own code may give no sign before
	// its progress is no longer repeated: three times as long as a request may
	// wait for its answer.
	authorPatience = 15 * time.Minute
	// stopPatience is the time to end in, for a host that sets no deadline.
	stopPatience = 30 * time.Second
	// closePatience is how long a connector in this process may take to end
	// calls that were cancelled; it cannot be killed.
	closePatience = 10 * time.Second
)

// The window of batches a connector asks for ahead: four in flight keep the pipe
// busy (one alone costs a third of the throughput), eight let the host read while
// the connector works. Batches larger than the recommended 1 MiB shrink it, so
// that it bounds memory and not only a count.
const (
	window      = 8
	windowBytes = 8 << 20
)

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

// callOptions apply to every call.
func callOptions() []grpc.CallOption {
	return []grpc.CallOption{grpc.MaxCallRecvMsgSize(wire.MaxMessage), grpc.MaxCallSendMsgSize(wire.MaxMessage), grpc.ForceCodecV2(newCodec())}
}

package plugin

import (
	"context"
	"crypto/tls"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/credentials/insecure"

	"github.com/sluiceio/sluice/connector"
	pb "github.com/sluiceio/sluice/gen/sluice/connector/v1"
)

// DialConfig says how to reach a connector that is running already.
type DialConfig struct {
	// TLS is used where set; without it the connection is in the clear, which
	// a connector serves on loopback only.
	TLS *tls.Config
	// Token is sent as a bearer token; it needs TLS, or a loopback address.
	Token string
}

// Dial reaches a connector that was started with serve, for instance under a
// debugger, and asks it for its manifest to see that it is one. The caller
// closes it, which does not end the connector.
func Dial(ctx context.Context, address string, config DialConfig) (*Process, error) {
	creds := insecure.NewCredentials()
	if config.TLS != nil {
		creds = credentials.NewTLS(config.TLS)
	}
	options := []grpc.DialOption{grpc.WithTransportCredentials(creds)}
	if config.Token != "" {
		options = append(options, grpc.WithPerRPCCredentials(bearer{token: config.Token, secure: config.TLS != nil}))
	}
	conn, err := grpc.NewClient(address, options...)
	if err != nil {
		return nil, connector.Errorf(connector.ClassConfig, "ADDRESS", "reaching a connector at %s: %w", address, err)
	}
	p := &Process{client: pb.NewConnectorServiceClient(conn), close: conn.Close}
	if _, err := p.Manifest(ctx); err != nil {
		_ = conn.Close() // the manifest's error says more
		return nil, connector.Errorf(connector.ClassConfig, "NO_CONNECTOR", "no connector answers at %s: %w", address, err)
	}
	return p, nil
}

// bearer sends a token with every call.
type bearer struct {
	token  string
	secure bool
}

func (b bearer) GetRequestMetadata(context.Context, ...string) (map[string]string, error) {
	return map[string]string{"authorization": "Bearer " + b.token}, nil
}

func (b bearer) RequireTransportSecurity() bool { return b.secure }

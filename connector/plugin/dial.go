package plugin

import (
	"context"
	"crypto/tls"
	"net"
	"net/netip"
	"strings"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/credentials/insecure"

	"github.com/sluiceio/sluice/connector"
	pb "github.com/sluiceio/sluice/gen/sluice/connector/v1"
)

// DialConfig says how to reach a connector that is running already.
type DialConfig struct {
	// TLS is used where it is set. Without it the connection is in the clear,
	// which is refused for any address that is not on this machine.
	TLS *tls.Config
	// Token is the bearer token that the connector wants; empty for none.
	Token string
}

// Dial reaches a connector that is served standalone, at "host:port" or
// "unix:///path". The caller closes it, which does not end the connector. It
// fails with an error of class TRANSIENT when nobody answers before ctx ends,
// with AUTH when the token is refused, with CONFIG when the address is of no use.
func Dial(ctx context.Context, target string, config DialConfig) (*Process, error) {
	secure := insecure.NewCredentials()
	switch {
	case config.TLS != nil:
		secure = credentials.NewTLS(config.TLS)
	case !local(target):
		return nil, connector.Errorf(connector.ClassConfig, "PLAINTEXT",
			"%s is not on this machine, and connections carry secrets: reach it with TLS", target)
	}
	options := []grpc.DialOption{grpc.WithTransportCredentials(secure)}
	if config.Token != "" {
		options = append(options, grpc.WithPerRPCCredentials(bearer{token: config.Token, secure: config.TLS != nil}))
	}
	conn, err := grpc.NewClient(target, options...)
	if err != nil {
		return nil, connector.Errorf(connector.ClassConfig, "ADDRESS", "%s is no address of a connector: %w", target, err)
	}
	p := &Process{client: pb.NewConnectorServiceClient(conn), close: conn.Close}
	if err := p.greet(ctx, target); err != nil {
		_ = conn.Close() // the other error says more
		return nil, err
	}
	return p, nil
}

// Attach reaches a connector that runs under a debugger, as Dial without TLS and
// token does: start it there with "serve --listen 127.0.0.1:7777".
func Attach(ctx context.Context, address string) (*Process, error) {
	return Dial(ctx, address, DialConfig{})
}

// local reports whether an address is on this machine.
func local(target string) bool {
	return strings.HasPrefix(target, "unix:") || loopback(strings.TrimPrefix(target, "passthrough:///"))
}

// loopback reports whether an address host:port can be reached from this machine
// only.
func loopback(address string) bool {
	host, _, err := net.SplitHostPort(address)
	if err != nil {
		return false
	}
	ip, err := netip.ParseAddr(host)
	return host == "localhost" || err == nil && ip.IsLoopback()
}

// bearer sends a token with every call.
type bearer struct {
	token  string
	secure bool
}

// GetRequestMetadata returns the token.
func (b bearer) GetRequestMetadata(context.Context, ...string) (map[string]string, error) {
	return map[string]string{"authorization": "Bearer " + b.token}, nil
}

// RequireTransportSecurity allows the token in the clear on this machine.
func (b bearer) RequireTransportSecurity() bool { return b.secure }

package plugin

import (
	"context"
	"crypto/subtle"
	"errors"
	"flag"
	"fmt"
	"io"
	"net"
	"net/netip"
	"os"
	"strings"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/health"
	healthpb "google.golang.org/grpc/health/grpc_health_v1"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/reflection"
	"google.golang.org/grpc/status"

	"github.com/sluiceio/sluice/connector"
	pb "github.com/sluiceio/sluice/gen/sluice/connector/v1"
)

// stopGrace is how long calls may take to end after a signal.
const stopGrace = 5 * time.Second

// standalone says how to serve without a host.
type standalone struct {
	listen, cert, key, tokenFile string
}

func serve(ctx context.Context, c connector.Connector, args []string, stderr io.Writer) int {
	var s standalone
	flags := flag.NewFlagSet("serve", flag.ContinueOnError)
	flags.SetOutput(stderr)
	flags.StringVar(&s.listen, "listen", "127.0.0.1:0", "the `address` to listen on")
	flags.StringVar(&s.cert, "tls-cert", "", "a PEM `file` with the certificate; needed off loopback")
	flags.StringVar(&s.key, "tls-key", "", "a PEM `file` with the certificate's key")
	flags.StringVar(&s.tokenFile, "token-file", "", "a `file` with the bearer token that calls must carry")
	if err := flags.Parse(args); err != nil {
		return 2
	}
	if err := s.run(ctx, c, stderr); err != nil {
		fmt.Fprintln(stderr, "serve:", err)
		return 1
	}
	return 0
}

func (s standalone) run(ctx context.Context, c connector.Connector, stderr io.Writer) error {
	options, err := s.options()
	if err != nil {
		return err
	}
	listener, err := net.Listen("tcp", s.listen)
	if err != nil {
		return err
	}
	impl := newServer(c)
	server := grpc.NewServer(options...)
	pb.RegisterConnectorServiceServer(server, impl)
	healthpb.RegisterHealthServer(server, health.NewServer())
	reflection.Register(server)
	fmt.Fprintln(stderr, "listening on", listener.Addr())
	stop := context.AfterFunc(ctx, func() {
		force := time.AfterFunc(stopGrace, server.Stop)
		defer force.Stop()
		server.GracefulStop()
	})
	defer stop()
	return errors.Join(server.Serve(listener), impl.sessions.close())
}

// options refuses to serve in the clear off loopback: connections carry secrets.
func (s standalone) options() ([]grpc.ServerOption, error) {
	options := serverOptions()
	switch {
	case s.cert != "" && s.key != "":
		creds, err := credentials.NewServerTLSFromFile(s.cert, s.key)
		if err != nil {
			return nil, err
		}
		options = append(options, grpc.Creds(creds))
	case s.cert != "" || s.key != "":
		return nil, errors.New("--tls-cert and --tls-key go together")
	case !loopback(s.listen):
		return nil, fmt.Errorf("%s is not a loopback address, and connections carry secrets: give --tls-cert and --tls-key", s.listen)
	}
	if s.tokenFile == "" {
		return options, nil
	}
	token, err := os.ReadFile(s.tokenFile)
	if err != nil {
		return nil, err
	}
	guard := tokenGuard(strings.TrimSpace(string(token)))
	if guard == "" {
		return nil, fmt.Errorf("%s holds no token", s.tokenFile)
	}
	return append(options, grpc.ChainUnaryInterceptor(guard.unary), grpc.ChainStreamInterceptor(guard.stream)), nil
}

func loopback(address string) bool {
	host, _, err := net.SplitHostPort(address)
	if err != nil {
		return false
	}
	ip, err := netip.ParseAddr(host)
	return host == "localhost" || err == nil && ip.IsLoopback()
}

// tokenGuard lets calls pass that carry the bearer token.
type tokenGuard string

func (g tokenGuard) check(ctx context.Context) error {
	md, _ := metadata.FromIncomingContext(ctx)
	for _, v := range md.Get("authorization") {
		if subtle.ConstantTimeCompare([]byte(v), []byte("Bearer "+string(g))) == 1 {
			return nil
		}
	}
	return status.Error(codes.Unauthenticated, "the call carries no bearer token, or a wrong one: send the metadata authorization: Bearer TOKEN")
}

func (g tokenGuard) unary(ctx context.Context, req any, _ *grpc.UnaryServerInfo, handler grpc.UnaryHandler) (any, error) {
	if err := g.check(ctx); err != nil {
		return nil, err
	}
	return handler(ctx, req)
}

func (g tokenGuard) stream(srv any, stream grpc.ServerStream, _ *grpc.StreamServerInfo, handler grpc.StreamHandler) error {
	if err := g.check(stream.Context()); err != nil {
		return err
	}
	return handler(srv, stream)
}

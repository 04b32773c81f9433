package plugin

import (
	"context"
	"crypto/subtle"
	"errors"
	"flag"
	"fmt"
	"io"
	"net"
	"os"
	"strings"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/health"
	healthpb "google.golang.org/grpc/health/grpc_health_v1"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/reflection"

	"github.com/sluiceio/sluice/connector"
	"github.com/sluiceio/sluice/connector/internal/wire"
	connectorv1 "github.com/sluiceio/sluice/gen/sluice/connector/v1"
)

// standalone says how to serve without a host.
type standalone struct {
	listen, cert, key, tokenFile string
}

func serve(ctx context.Context, c connector.Connector, args []string, stderr io.Writer) int {
	var s standalone
	flags := flag.NewFlagSet("serve", flag.ContinueOnError)
	flags.SetOutput(stderr)
	flags.StringVar(&s.listen, "listen", "127.0.0.1:0", "the `address` to listen on")
	flags.StringVar(&s.cert, "tls-cert", "", "a PEM `file` with the certificate; needed beyond loopback")
	flags.StringVar(&s.key, "tls-key", "", "a PEM `file` with the certificate's key")
	flags.StringVar(&s.tokenFile, "token-file", "", "a `file` with the bearer token that calls must carry")
	if err := flags.Parse(args); err != nil {
		return 2
	}
	if flags.NArg() > 0 {
		fmt.Fprintf(stderr, "serve: there is no argument %q\n", flags.Arg(0))
		return 2
	}
	if err := s.run(ctx, c, stderr); err != nil {
		fmt.Fprintln(stderr, "serve:", err)
		return 1
	}
	return 0
}

// run serves until ctx ends; then it waits for the calls under way, for a while.
func (s standalone) run(ctx context.Context, c connector.Connector, stderr io.Writer) error {
	g := newGuard()
	options, err := s.options()
	if err != nil {
		return err
	}
	listener, err := net.Listen("tcp", s.listen)
	if err != nil {
		return err
	}
	impl, alive := newServer(c), health.NewServer()
	server := grpc.NewServer(append(options, g.options()...)...)
	connectorv1.RegisterConnectorServiceServer(server, impl)
	healthpb.RegisterHealthServer(server, alive)
	reflection.Register(server)
	stopped := make(chan struct{})
	unhook := context.AfterFunc(ctx, func() {
		defer close(stopped)
		alive.Shutdown()
		g.stop(stopGrace)
		server.Stop()
	})
	fmt.Fprintln(stderr, "listening on", listener.Addr())
	err = server.Serve(listener)
	if !unhook() {
		<-stopped
	}
	closeInTime(impl.sessions)
	return err
}

// options refuses to serve in the clear beyond loopback: connections carry
// secrets.
func (s standalone) options() ([]grpc.ServerOption, error) {
	var options []grpc.ServerOption
	switch {
	case s.cert != "" && s.key != "":
		secure, err := credentials.NewServerTLSFromFile(s.cert, s.key)
		if err != nil {
			return nil, fmt.Errorf("reading the certificate and its key: %w", err)
		}
		options = append(options, grpc.Creds(secure))
	case s.cert != "" || s.key != "":
		return nil, errors.New("--tls-cert and --tls-key go together")
	case !loopback(s.listen):
		return nil, fmt.Errorf("%s can be reached from other machines, and connections carry secrets: give --tls-cert and --tls-key", s.listen)
	}
	if s.tokenFile == "" {
		return options, nil
	}
	text, err := os.ReadFile(s.tokenFile)
	if err != nil {
		return nil, fmt.Errorf("reading the token: %w", err)
	}
	t := token(strings.TrimSpace(string(text)))
	if t == "" {
		return nil, fmt.Errorf("%s holds no token", s.tokenFile)
	}
	return append(options, grpc.ChainUnaryInterceptor(t.unary), grpc.ChainStreamInterceptor(t.stream)), nil
}

// token lets those calls pass that carry it.
type token string

func (t token) check(ctx context.Context) error {
	md, _ := metadata.FromIncomingContext(ctx)
	for _, v := range md.Get("authorization") {
		if subtle.ConstantTimeCompare([]byte(v), []byte("Bearer "+string(t))) == 1 {
			return nil
		}
	}
	return wire.Status(connector.Errorf(connector.ClassAuth, "TOKEN",
		"the call does not carry the token of this server; send it as metadata, authorization: Bearer TOKEN"))
}

func (t token) unary(ctx context.Context, request any, _ *grpc.UnaryServerInfo, handle grpc.UnaryHandler) (any, error) {
	if err := t.check(ctx); err != nil {
		return nil, err
	}
	return handle(ctx, request)
}

func (t token) stream(srv any, stream grpc.ServerStream, _ *grpc.StreamServerInfo, handle grpc.StreamHandler) error {
	if err := t.check(stream.Context()); err != nil {
		return err
	}
	return handle(srv, stream)
}

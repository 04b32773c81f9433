package plugin

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/signal"
	"syscall"
	"time"

	"github.com/hashicorp/go-hclog"
	goplugin "github.com/hashicorp/go-plugin"
	"google.golang.org/grpc"

	"github.com/sluiceio/sluice/connector"
)

// Main is the whole of a connector's main function:
//
//	func main() { os.Exit(plugin.Main(myconnector.New())) }
//
// Started by a host, it serves the connector as a subprocess until the host
// ends it or is gone. Started by hand it understands
//
//	serve --listen ADDR [--tls-cert FILE --tls-key FILE] [--token-file FILE]
//	manifest
//
// and returns the exit code: 0 after success, 1 after an error, 2 for a wrong
// command line. It sets the default logger of log/slog to write JSON lines to
// stderr, which hosts read with their level.
func Main(c connector.Connector) int {
	slog.SetDefault(slog.New(logHandler(os.Stderr)))
	if os.Getenv(CookieKey) == CookieValue {
		return serveHost(c)
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	return command(ctx, c, os.Args, os.Stdout, os.Stderr)
}

// logHandler writes log lines with the keys that go-plugin reads.
func logHandler(w io.Writer) slog.Handler {
	names := map[string]string{slog.TimeKey: "@timestamp", slog.LevelKey: "@level", slog.MessageKey: "@message"}
	return slog.NewJSONHandler(w, &slog.HandlerOptions{ReplaceAttr: func(groups []string, a slog.Attr) slog.Attr {
		if name, ok := names[a.Key]; ok && len(groups) == 0 {
			a.Key = name
		}
		return a
	}})
}

// serveHost serves the host that launched this process.
func serveHost(c connector.Connector) int {
	over := make(chan struct{})
	defer close(over)
	go watchParent(over)
	p := newPlugin(c)
	goplugin.Serve(&goplugin.ServeConfig{
		HandshakeConfig: handshake(), Plugins: goplugin.PluginSet{name: p}, Logger: hclog.NewNullLogger(),
		GRPCServer: func(options []grpc.ServerOption) *grpc.Server {
			return grpc.NewServer(append(options, serverOptions()...)...)
		},
	})
	if err := p.server.sessions.close(); err != nil {
		slog.Warn("closing sessions", "error", err)
	}
	return 0
}

// watchParent ends this process when the host is gone: nothing else would, as
// a killed host closes no connection in an orderly way and its children live on.
func watchParent(over <-chan struct{}) {
	parent := os.Getppid()
	ticker := time.NewTicker(500 * time.Millisecond)
	defer ticker.Stop()
	for {
		select {
		case <-ticker.C:
			if os.Getppid() != parent {
				self, err := os.FindProcess(os.Getpid())
				if err == nil {
					_ = self.Kill() // what cannot be killed cannot be ended
				}
				return
			}
		case <-over:
			return
		}
	}
}

// command runs what was asked for on the command line.
func command(ctx context.Context, c connector.Connector, args []string, stdout, stderr io.Writer) int {
	word := ""
	if len(args) > 1 {
		word = args[1]
	}
	switch word {
	case "serve":
		return serve(ctx, c, args[2:], stderr)
	case "manifest":
		return printManifest(ctx, c, stdout, stderr)
	}
	fmt.Fprintf(stderr, `This is a Sluice connector. It is launched by a host:

  sluice connectors add %s

By hand it can be served for grpcurl or for a host in another language, and asked
what it is:

  %[1]s serve --listen 127.0.0.1:7777 [--tls-cert FILE --tls-key FILE] [--token-file FILE]
  %[1]s manifest
`, args[0])
	return 2
}

func printManifest(ctx context.Context, c connector.Connector, stdout, stderr io.Writer) int {
	m, err := c.Manifest(ctx)
	if err == nil {
		m.Icon.Data = nil // a picture is no use in a terminal
		e := json.NewEncoder(stdout)
		e.SetIndent("", "  ")
		err = e.Encode(m)
	}
	if err != nil {
		fmt.Fprintln(stderr, err)
		return 1
	}
	return 0
}

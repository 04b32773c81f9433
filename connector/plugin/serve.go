package plugin

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/signal"
	"path/filepath"
	"runtime/debug"
	"syscall"
	"time"

	"github.com/sluiceio/sluice/connector"
)

// Main is the whole of a connector's main function:
//
//	func main() { os.Exit(plugin.Main(myconnector.New())) }
//
// Started by a host, it serves the connector until the host ends it, or ends
// itself in any way. Started by hand it understands
//
//	serve --listen ADDR [--tls-cert FILE --tls-key FILE] [--token-file FILE]
//	manifest
//
// and returns the exit code: 0 after success, 1 after an error, 2 for a command
// line that it does not understand. It sets the default logger of log/slog to
// write JSON lines to stderr, which hosts read with their level.
func Main(c connector.Connector) int {
	stderr := os.Stderr // go-plugin puts another file in its place
	slog.SetDefault(slog.New(logHandler(stderr)))
	// A connector holds large batches for a short time: collecting twice as
	// often keeps its peak near what it holds, for a few percent of its CPU.
	debug.SetGCPercent(50)
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM)
	defer stop()
	if os.Getenv(CookieKey) == CookieValue {
		return serveHost(ctx, c)
	}
	ctx, stop = signal.NotifyContext(ctx, os.Interrupt)
	defer stop()
	return command(ctx, c, os.Args, os.Stdout, stderr)
}

// hostTime is the one form of a time that go-plugin reads; a line with another
// counts as plain text.
const hostTime = "2006-01-02T15:04:05.000000Z07:00"

// logHandler writes log lines with the keys that go-plugin reads.
func logHandler(w io.Writer) slog.Handler {
	return slog.NewJSONHandler(w, &slog.HandlerOptions{Level: slog.LevelDebug, ReplaceAttr: func(groups []string, a slog.Attr) slog.Attr {
		if len(groups) > 0 {
			return a
		}
		switch value := a.Value.Any().(type) { // an attribute of the connector's may have the same key
		case time.Time:
			if a.Key == slog.TimeKey {
				return slog.String("@timestamp", value.Format(hostTime))
			}
		case slog.Level:
			if a.Key == slog.LevelKey {
				a.Key = "@level"
			}
		case string:
			if a.Key == slog.MessageKey {
				a.Key = "@message"
			}
		}
		return a
	}})
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
	program := "connector"
	if len(args) > 0 {
		program = filepath.Base(args[0])
	}
	fmt.Fprintf(stderr, `%[1]s is a connector of Sluice. A host starts it; make it known with

  sluice connectors add PATH/%[1]s

By hand it is served for grpcurl or for a host in another language, or asked what
it is:

  %[1]s serve --listen 127.0.0.1:7777 [--tls-cert FILE --tls-key FILE] [--token-file FILE]
  %[1]s manifest
`, program)
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
		fmt.Fprintln(stderr, "manifest:", err)
		return 1
	}
	return 0
}

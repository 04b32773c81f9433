package plugin

import (
	"context"
	"io"
	"log/slog"
	"strings"
	"sync"

	"github.com/hashicorp/go-hclog"
)

// lastSize is how many bytes of the last lines are told in an error.
const lastSize = 1 << 10

// lastLines passes on what is written, and remembers the end of it. It may be
// written to by several goroutines.
type lastLines struct {
	next io.Writer

	mu   sync.Mutex
	text []byte
}

// Write takes everything.
func (l *lastLines) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.text = append(l.text, p...)
	if len(l.text) > 2*lastSize {
		l.text = append(l.text[:0], l.text[len(l.text)-lastSize:]...)
	}
	if l.next != nil {
		_, _ = l.next.Write(p) // a host that cannot keep it has said so itself
	}
	return len(p), nil
}

// String returns the last lines in one.
func (l *lastLines) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	text := strings.TrimSpace(string(l.text[max(0, len(l.text)-lastSize):]))
	return strings.Join(strings.FieldsFunc(text, func(r rune) bool { return r == '\n' || r == '\r' }), " | ")
}

// hostLogger takes what go-plugin reads from the connector's stderr and passes it
// to the host's logger. What go-plugin itself has to say is left out.
func hostLogger(config LaunchConfig) hclog.Logger {
	if config.Logger == nil {
		return hclog.NewNullLogger()
	}
	l := hclog.NewInterceptLogger(&hclog.LoggerOptions{Level: hclog.Debug, Output: io.Discard})
	l.RegisterSink(sink{config.Logger})
	return l
}

// sink passes log lines on.
type sink struct{ log *slog.Logger }

// Accept passes a line on if it is the connector's, which has a name.
func (s sink) Accept(name string, level hclog.Level, message string, args ...any) {
	if name == "" || strings.HasPrefix(name, "stdio") {
		return
	}
	levels := map[hclog.Level]slog.Level{hclog.Info: slog.LevelInfo, hclog.Warn: slog.LevelWarn, hclog.Error: slog.LevelError}
	at, ok := levels[level]
	if !ok {
		at = slog.LevelDebug
	}
	s.log.Log(context.Background(), at, message, append(args, "connector", name)...)
}

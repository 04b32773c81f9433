package pluginhost

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/sluiceio/sluice/connector"
	"github.com/sluiceio/sluice/connector/plugin"
	"github.com/sluiceio/sluice/runner"
)

// passed are the variables a connector inherits: what finds its temporary
// folder, its zone and its certificates, and the way through a proxy. Nothing
// that holds a secret of the host's, such as SLUICE_KEY, is among them.
var passed = []string{
	"PATH", "HOME", "TMPDIR", "TZ", "LANG", "LC_ALL", "SSL_CERT_FILE", "SSL_CERT_DIR",
	"HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY", "http_proxy", "https_proxy", "no_proxy", "GORACE", "GOCOVERDIR",
}

// Config adjusts a [Host].
type Config struct {
	// Environ, in the form of os.Environ, is what the environment of connectors
	// is taken from.
	Environ []string
	// Logger receives what connectors log; nil discards it.
	Logger *slog.Logger
	// Shelf has the programs that were installed, for errors to say what to do.
	Shelf Shelf
	// RecordTo is a folder into which connectors record what they say to their
	// apps; empty for no recording. It is how a connector learns of it: the
	// variable for it is not inherited.
	RecordTo string
}

// Host launches connectors.
type Host struct {
	environ  []string
	log      *slog.Logger
	shelf    Shelf
	recordTo string
}

var _ runner.Launcher = (*Host)(nil)

// New returns a host.
func New(config Config) *Host {
	h := &Host{environ: clean(config.Environ), log: config.Logger, shelf: config.Shelf, recordTo: config.RecordTo}
	if h.log == nil {
		h.log = slog.New(slog.DiscardHandler)
	}
	return h
}

// clean keeps the variables that connectors inherit, and those made for them:
// SLUICE_CONNECTOR_*.
func clean(environ []string) []string {
	kept := []string{}
	for _, entry := range environ {
		name, _, _ := strings.Cut(entry, "=")
		if slices.Contains(passed, name) || strings.HasPrefix(name, "SLUICE_CONNECTOR_") {
			kept = append(kept, entry)
		}
	}
	return kept
}

// Launch starts an installed connector whose content still is what it was.
func (h *Host) Launch(ctx context.Context, ref runner.ConnectorRef) (runner.RunningConnector, error) {
	words := &lastWords{}
	process, err := plugin.Launch(ctx, plugin.LaunchConfig{
		Path: ref.Path, Checksum: ref.SHA256, Env: h.environ, Stderr: words, Logger: h.log, RecordTo: h.recordTo,
	})
	if err != nil {
		return nil, h.helpful(err, ref)
	}
	return &running{Process: process, words: words}, nil
}

// helpful adds what is known of a program that is not, or no longer, the one that
// was installed, and what to do.
func (h *Host) helpful(err error, ref runner.ConnectorRef) error {
	said, ok := errors.AsType[*connector.Error](err)
	if !ok || said.Class != connector.ClassConfig {
		return err
	}
	told := *said
	if info, err := os.Stat(ref.Path); err == nil && said.Code == "CHECKSUM_MISMATCH" && !ref.AddedAt.IsZero() {
		told.Message += fmt.Sprintf("; it was installed at %s and changed at %s, and has %d bytes now",
			ref.AddedAt.UTC().Format(time.RFC3339), info.ModTime().UTC().Format(time.RFC3339), info.Size())
	}
	advice := "when the program was moved or replaced on purpose, install it again: sluice connectors add " + ref.Path
	if h.shelf.Holds(ref.Path) {
		advice = "nobody but sluice changes a program there; install it anew as it is pinned: sluice connectors install"
	}
	told.Help = append(slices.Clone(said.Help), connector.Help{Description: advice})
	return &told
}

// running is a launched connector and its last words.
type running struct {
	*plugin.Process
	words *lastWords
}

// LastWords returns the end of what the connector wrote to stderr.
func (r *running) LastWords() string { return r.words.String() }

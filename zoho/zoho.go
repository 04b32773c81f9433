package zoho

import (
	"context"
	"log/slog"
	"net/http"
	"time"

	"github.com/sluiceio/sluice/connector"
	"github.com/sluiceio/sluice/connector/egress"
	"github.com/sluiceio/sluice/zoho/crm"
)

// Option sets something on the connector made by [New].
type Option func(*config)

type config struct {
	logger    *slog.Logger
	transport http.RoundTripper
	tempDir   string
	version   string
	now       func() time.Time
	firstPoll time.Duration
	maxPoll   time.Duration
	// downloadBlock is how long Zoho refuses downloads after one too many.
	downloadBlock time.Duration
	retry         egress.Retry // the zero value is the default
}

// WithLogger sets where the connector writes its log; nothing in it is secret
// or a record's content. Default: slog.Default() at the time a session is
// opened.
func WithLogger(l *slog.Logger) Option { return func(c *config) { c.logger = l } }

// WithTransport sets the road below the limits and retries. Default: a
// transport of package egress.
func WithTransport(t http.RoundTripper) Option { return func(c *config) { c.transport = t } }

// WithTempDir sets where downloaded results are kept while they are read.
// Default: the system's temporary directory.
func WithTempDir(dir string) Option { return func(c *config) { c.tempDir = dir } }

// WithAPIVersion sets the version segment of API paths. Default:
// crm.DefaultVersion.
func WithAPIVersion(v string) Option { return func(c *config) { c.version = v } }

// WithPolling sets how long to wait before the first question about a job, and
// the longest wait between two questions. Each question costs a credit.
// Default: 200 milliseconds, 30 seconds.
func WithPolling(first, longest time.Duration) Option {
	return func(c *config) { c.firstPoll, c.maxPoll = first, longest }
}

// New returns the Zoho CRM connector.
func New(opts ...Option) connector.Connector {
	c := config{version: crm.DefaultVersion, now: time.Now, firstPoll: defaultFirstPoll, maxPoll: defaultMaxPoll, downloadBlock: time.Minute}
	for _, o := range opts {
		o(&c)
	}
	return &product{config: c}
}

// product implements [connector.Connector].
type product struct{ config config }

var _ connector.Connector = (*product)(nil)

// Manifest returns the static facts.
func (p *product) Manifest(context.Context) (connector.Manifest, error) { return manifest(), nil }

// ConnectionForm returns the two ways to connect.
func (p *product) ConnectionForm(_ context.Context, answers connector.Answers) (connector.ConnectionForm, error) {
	return connectionForm(answers), nil
}

// NetworkAddresses returns the hosts of the chosen data center and environment.
func (p *product) NetworkAddresses(_ context.Context, connection connector.Connection) ([]connector.NetworkAddress, error) {
	s, err := parseSettings(connection)
	if err != nil {
		return nil, err
	}
	return s.addresses(), nil
}

// Open checks the answers and prepares a session; nothing is sent.
func (p *product) Open(_ context.Context, connection connector.Connection) (connector.Session, error) {
	return newSession(p.config, connection)
}

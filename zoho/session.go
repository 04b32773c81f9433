package zoho

import (
	"bytes"
	"cmp"
	"context"
	"log/slog"
	"net/http"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"github.com/sluiceio/sluice/connector"
	"github.com/sluiceio/sluice/connector/egress"
	"github.com/sluiceio/sluice/zoho/crm"
)

// session is the connector bound to one connection.
type session struct {
	config   config
	settings settings
	limits   connector.Limits
	tokens   *tokens
	egress   *egress.Client
	client   *crm.Client
	catalog  *catalog
	zone     zone
	clock    clock
	secrets  connector.Answers

	// queryLimit is how many rows Zoho was found to give in a query; 0 before.
	queryLimit atomic.Int64
	// keyRefused is set once a job was refused for the field it finds records by.
	keyRefused atomic.Bool
	// rowLimit is how many rows Zoho was found to take in a file; 0 before.
	rowLimit atomic.Int64

	mu     sync.Mutex
	upload *crm.Client // client with the organisation's id, which uploads need
}

var (
	_ connector.Session         = (*session)(nil)
	_ connector.Outbound        = (*session)(nil)
	_ connector.Inbound         = (*session)(nil)
	_ connector.OptionLister    = (*session)(nil)
	_ connector.RecordValidator = (*session)(nil)
	_ connector.CostEstimator   = (*session)(nil)
)

func newSession(c config, connection connector.Connection) (*session, error) {
	set, err := parseSettings(connection)
	if err != nil {
		return nil, err
	}
	if c.logger == nil {
		c.logger = slog.Default()
	}
	s := &session{config: c, settings: set, limits: connection.Limits, secrets: connection.Secrets}
	if s.limits.Empty() {
		s.limits = set.defaultLimits()
	}
	if err := s.wire(); err != nil {
		return nil, err
	}
	return s, nil
}

// wire builds the road out: tokens, egress, client, catalog.
func (s *session) wire() error {
	s.tokens = newTokens(s.secrets)
	out, err := egress.New(egress.Config{
		Addresses:       s.settings.addresses(),
		Limits:          s.limits,
		Items:           func(r *http.Request) int64 { return callItems(r.Context()) },
		Tokens:          s.tokens,
		Unauthenticated: []connector.Matcher{{PathPattern: `/+oauth/.*`}},
		TokenExpired: func(r *http.Response, body []byte) bool {
			return r.StatusCode == http.StatusUnauthorized && bytes.Contains(body, []byte("INVALID_TOKEN"))
		},
		QuotaExhausted: creditsGone,
		Remaining: func(r *http.Response) (string, int64, bool) {
			s.clock.note(r)
			return creditsRemaining(r)
		},
		Retry:     s.config.retry,
		Logger:    s.config.logger,
		Transport: s.config.transport,
	})
	if err != nil {
		return connector.Errorf(connector.ClassConfig, "INVALID_LIMITS", "preparing the connection to Zoho CRM: %w", err)
	}
	s.egress = out
	s.tokens.bind(s.settings, out.HTTP())
	if s.client, err = crm.New(s.clientOptions()...); err != nil {
		out.Close()
		return connector.Errorf(connector.ClassConfig, "INVALID_ANSWER", "preparing the connection to Zoho CRM: %w", err)
	}
	s.catalog = newCatalog(s.client, s.config.now)
	s.zone.set(s.settings.timeZone)
	return nil
}

func (s *session) clientOptions() []crm.Option {
	opts := []crm.Option{
		crm.WithHTTPClient(s.egress.HTTP()), crm.WithDataCenter(s.settings.dc, s.settings.env), crm.WithVersion(cmp.Or(s.settings.version, s.config.version)),
		crm.WithCallContext(callContext), crm.WithUserAgent("sluice-connector-zoho/" + Version),
	}
	if s.config.tempDir != "" {
		opts = append(opts, crm.WithTempDir(s.config.tempDir))
	}
	if s.settings.orgID != "" {
		opts = append(opts, crm.WithOrgID(s.settings.orgID))
	}
	switch {
	case s.settings.endpoint != "":
		return append(opts, crm.WithEndpoint(s.settings.endpoint))
	case s.settings.upload != "":
		opts = append(opts, crm.WithUploadBase(s.settings.upload))
	}
	if s.settings.apiDomain != "" {
		opts = append(opts, crm.WithAPIBase(s.settings.apiDomain))
	}
	return opts
}

// uploader returns a client that knows the organisation's id, asking Zoho for
// it when Connect did not keep it.
func (s *session) uploader(ctx context.Context) (*crm.Client, error) {
	if s.settings.orgID != "" {
		return s.client, nil
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.upload != nil {
		return s.upload, nil
	}
	org, err := s.client.Organization(ctx)
	if err != nil {
		return nil, translate(err, "reading the organisation's id")
	}
	if s.upload, err = crm.New(append(s.clientOptions(), crm.WithOrgID(org.ZGID))...); err != nil {
		return nil, connector.Errorf(connector.ClassInternal, "INVALID_ORGANISATION", "preparing uploads: %w", err)
	}
	return s.upload, nil
}

// queryRows is the most rows that are asked for in a query.
func (s *session) queryRows() int {
	if n := s.queryLimit.Load(); n > 0 {
		return int(n)
	}
	return crm.COQLMaxRows
}

// Close releases the session's connections.
func (s *session) Close() error {
	s.egress.Close()
	return nil
}

type itemsKey struct{}

// callContext tells the egress what it must know about a request: how many
// records it carries, and whether it may be sent again.
func callContext(ctx context.Context, c crm.Call) context.Context {
	items := max(c.Records, 1)
	if c.Op == crm.OpCOQL {
		items = c.Credits * queryItems
	}
	ctx = context.WithValue(ctx, itemsKey{}, int64(items))
	if c.Repeatable {
		ctx = egress.WithIdempotent(ctx)
	}
	return ctx
}

func callItems(ctx context.Context) int64 {
	if n, ok := ctx.Value(itemsKey{}).(int64); ok {
		return n
	}
	return 1
}

// creditsHeader is sent once half of the day's credits are used
// (https://www.zoho.com/crm/developer/docs/api/v8/api-limits.html).
const creditsHeader = "X-API-CREDITS-REMAINING"

func creditsRemaining(r *http.Response) (pool string, units int64, ok bool) {
	n, err := strconv.ParseInt(r.Header.Get(creditsHeader), 10, 64)
	return poolCredits, max(n, 0), err == nil
}

// creditsGone tells a spent pool from a plain 429. Zoho does not say when the
// first credit comes back; an hour is when asking again makes sense.
func creditsGone(r *http.Response, _ []byte) (bool, time.Time) {
	_, left, ok := creditsRemaining(r)
	return ok && left == 0, time.Now().Add(time.Hour)
}

package todo

import (
	"context"
	"net/url"
	"time"

	"golang.org/x/oauth2"

	"github.com/sluiceio/sluice/connector"
	"github.com/sluiceio/sluice/connector/egress"
)

// session is the connector bound to one connection.
type session struct {
	base   *url.URL
	client *egress.Client
}

// limits are what the service allows: 20 requests a second.
var limits = connector.Limits{Limits: []connector.Limit{{
	Category: "requests", Label: "Requests",
	Matchers: []connector.Matcher{{PathPattern: ".*"}},
	Rates:    []connector.Rate{{Count: 20, Per: time.Second}},
}}}

// Open checks the answers and makes a client. It sends nothing.
func (t todo) Open(ctx context.Context, connection connector.Connection) (connector.Session, error) {
	if connection.Method != "api_key" {
		return nil, badAnswer("method", "the only way to connect is api_key")
	}
	key := connection.Secrets.Get("api_key")
	if key == "" {
		return nil, badAnswer("api_key", "the API key is missing")
	}
	addresses, err := t.NetworkAddresses(ctx, connection)
	if err != nil {
		return nil, err
	}
	base, err := baseURL(connection.Answers)
	if err != nil {
		return nil, err
	}
	inForce := connection.Limits // with what the user has overridden
	if inForce.Empty() {
		inForce = limits
	}
	client, err := egress.New(egress.Config{
		Addresses: addresses,
		Limits:    inForce,
		Tokens:    egress.OAuth2(oauth2.StaticTokenSource(&oauth2.Token{AccessToken: key})),
	})
	if err != nil {
		return nil, err
	}
	return &session{base: base, client: client}, nil
}

// Connect logs in, to see that it works.
func (s *session) Connect(ctx context.Context, _ connector.Authorization) (connector.Connected, error) {
	var me struct {
		Name string `json:"name"`
	}
	if err := s.call(ctx, "GET", "/v1/me", nil, &me); err != nil {
		return connector.Connected{}, err
	}
	return connector.Connected{Account: me.Name}, nil
}

// Limits says what the service allows.
func (s *session) Limits(context.Context) (connector.Limits, error) { return limits, nil }

// Close ends idle connections.
func (s *session) Close() error { s.client.Close(); return nil }

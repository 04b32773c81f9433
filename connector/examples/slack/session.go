package slack

import (
	"context"
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"time"

	"golang.org/x/oauth2"

	"github.com/sluiceio/sluice/connector"
	"github.com/sluiceio/sluice/connector/egress"
)

// session is the connector bound to one connection. A host keeps it open
// between calls, and makes several of them at once.
type session struct {
	base   *url.URL
	limits connector.Limits
	client *egress.Client
}

// What a session can do beyond the basic calls.
var (
	_ connector.Outbound        = (*session)(nil)
	_ connector.Inbound         = (*session)(nil)
	_ connector.OptionLister    = (*session)(nil)
	_ connector.RecordValidator = (*session)(nil)
)

// Open checks the answers and makes the client. It sends nothing.
func (slack) Open(_ context.Context, connection connector.Connection) (connector.Session, error) {
	if connection.Method != methodBot {
		return nil, badAnswer("method", "the only way to connect is "+methodBot)
	}
	base, err := endpoint(connection.Answers)
	if err != nil {
		return nil, err
	}
	token := strings.TrimSpace(connection.Secrets.Get(fieldToken))
	if token == "" {
		return nil, badAnswer(fieldToken, "the bot token is missing")
	}
	s := &session{base: base, limits: connection.Limits}
	if s.limits.Empty() { // the host has no opinion
		s.limits = limits()
	}
	s.client, err = egress.New(egress.Config{
		Addresses: addresses(base),
		Limits:    s.limits,
		Tokens:    egress.OAuth2(oauth2.StaticTokenSource(&oauth2.Token{AccessToken: token})),
	})
	if err != nil {
		return nil, err
	}
	return s, nil
}

// tiers is how often a method may be called: per workspace and app, and
// chat.postMessage per channel. The figures are the floor of what Slack allows
// (https://docs.slack.dev/apis/web-api/rate-limits/). A method that is not
// listed is not limited here; Slack answers 429 then, which package egress
// obeys in any case.
var tiers = []struct {
	method, label string
	rate          connector.Rate
}{
	{"chat.postMessage", "Messages", connector.Rate{Count: 1, Per: time.Second}}, // a tier of its own: one a second for each channel
	{"conversations.list", "Channel lists", connector.Rate{Count: 20, Per: time.Minute}},
	{"conversations.info", "Channel lookups", connector.Rate{Count: 50, Per: time.Minute}},
	{"auth.test", "Logins", connector.Rate{Count: 100, Per: time.Minute}}, // "hundreds of requests per minute"
}

func limits() connector.Limits {
	var all connector.Limits
	for _, t := range tiers {
		all.Limits = append(all.Limits, connector.Limit{
			Category: strings.ReplaceAll(t.method, ".", "_"), Label: t.label, Rates: []connector.Rate{t.rate},
			Matchers:  []connector.Matcher{{Methods: []string{http.MethodPost}, PathPattern: ".*/" + regexp.QuoteMeta(t.method)}},
			SourceURL: "https://docs.slack.dev/apis/web-api/rate-limits/",
		})
	}
	return all
}

// Limits says what Slack allows. The host shows it in sentences, lets the user
// override it, and gives it back in Connection.Limits.
func (s *session) Limits(context.Context) (connector.Limits, error) { return limits(), nil }

// Close ends idle connections.
func (s *session) Close() error { s.client.Close(); return nil }

// scopes are what the token needs. Slack names the ones it has with every answer.
var scopes = []string{"chat:write", "channels:read", "groups:read"}

// Connect logs in, which for a token is to ask whose it is.
func (s *session) Connect(ctx context.Context, _ connector.Authorization) (connector.Connected, error) {
	var who struct {
		Team   string `json:"team"`
		TeamID string `json:"team_id"`
		User   string `json:"user"`
	}
	header, err := s.call(ctx, "auth.test", nil, &who)
	if err != nil {
		return connector.Connected{}, err
	}
	connected := connector.Connected{
		Account:    who.Team + " as " + who.User,
		Parameters: connector.Answers{"team_id": {who.TeamID}},
	}
	if granted := header.Get("X-OAuth-Scopes"); granted != "" {
		for _, scope := range scopes {
			if !strings.Contains(","+granted+",", ","+scope+",") {
				connected.Notices = append(connected.Notices, "the bot lacks the scope "+scope+": what needs it will fail; add it to the app and install the app again")
			}
		}
	}
	return connected, nil
}

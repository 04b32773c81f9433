package slack

import (
	"net/http/httptest"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/sluiceio/sluice/connector"
	"github.com/sluiceio/sluice/connector/examples/slack/slackfake"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// quick are limits that do not slow a test down; a host gives them as overrides.
func quick() connector.Limits {
	l := limits()
	for i := range l.Limits {
		l.Limits[i].Rates = []connector.Rate{{Count: 100_000, Per: time.Second}}
	}
	return l
}

// workspace returns a fake workspace, and a connection to it.
func workspace(t *testing.T, config slackfake.Config) (*slackfake.Fake, connector.Connection) {
	t.Helper()
	fake := slackfake.New(config)
	server := httptest.NewServer(fake)
	t.Cleanup(server.Close)
	return fake, connector.Connection{
		ID: "c", Method: methodBot, Answers: connector.Answers{fieldEndpoint: {server.URL + "/api"}},
		Secrets: connector.Answers{fieldToken: {fake.Token()}}, Limits: quick(),
	}
}

// open returns a session that ends with the test.
func open(t *testing.T, connection connector.Connection) *session {
	t.Helper()
	s, err := New().Open(t.Context(), connection)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	return s.(*session)
}

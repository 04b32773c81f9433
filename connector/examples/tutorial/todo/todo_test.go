package todo

import (
	"context"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/sluiceio/sluice/connector"
	"github.com/sluiceio/sluice/connector/conformance"
	"github.com/sluiceio/sluice/connector/connectortest"
	"github.com/sluiceio/sluice/connector/examples/tutorial/todofake"
)

// TestConformance examines the connector by the laws of the contract.
func TestConformance(t *testing.T) {
	fake := todofake.New("let-me-in")
	server := httptest.NewServer(fake)
	defer server.Close()
	connection := connector.Connection{
		Method: "api_key", Answers: connector.Answers{"base_url": {server.URL}}, Secrets: connector.Answers{"api_key": {"let-me-in"}},
		Limits: connector.Limits{Limits: []connector.Limit{{ // the fake has none
			Category: "requests", Matchers: []connector.Matcher{{PathPattern: ".*"}}, Rates: []connector.Rate{{Count: 10_000, Per: time.Second}},
		}}},
	}
	refused := connection
	refused.Secrets = connector.Answers{"api_key": {"an-old-key"}}
	values := func(texts ...string) []*string {
		var all []*string
		for _, text := range texts {
			all = append(all, &text)
		}
		return all
	}
	kind := func(k connector.Kind) connector.Type { return connector.Type{Kind: k} }
	connectortest.Run(t, connectortest.Harness{
		Subject: conformance.Subject{
			Open:       func(context.Context) (connector.Connector, func(), error) { return New(), nil, nil },
			Connection: connection, Refused: &refused,
			Outbound: &conformance.Outbound{
				Strategy: "Upsert",
				Mapping:  []connector.MappedField{{Name: "title", Type: kind(connector.KindString)}, {Name: "done", Type: kind(connector.KindBool)}, {Name: "due", Type: kind(connector.KindDate)}},
				Records: []conformance.Record{
					{Identifier: "1", Values: values("Water the plants", "false", "2026-02-01")},
					{Identifier: "2", Values: values("", "false", "2026-02-01"), Bad: true},
					{Identifier: "3/a b", Values: append(values("Call home", "true"), nil)},
				},
				ReadAhead: 100, // chunks of 20, 4 at once, and one more
			},
			Inbound: &conformance.Inbound{Streams: []connector.StreamSelection{{Name: "tasks", Mode: connector.ReadIncremental}}},
		},
		Options: conformance.Options{Stop: 2 * time.Second, Deadline: time.Second, Pace: 10 * time.Millisecond},
	})
}

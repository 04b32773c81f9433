package slack

import (
	"context"
	"testing"
	"time"

	"github.com/sluiceio/sluice/connector"
	"github.com/sluiceio/sluice/connector/conformance"
	"github.com/sluiceio/sluice/connector/connectortest"
	"github.com/sluiceio/sluice/connector/examples/slack/slackfake"
)

// TestConformance examines the connector, bound directly, by every law.
func TestConformance(t *testing.T) {
	t.Parallel()
	_, connection := workspace(t, slackfake.Config{})
	refused := connection
	refused.Secrets = connector.Answers{fieldToken: {"xoxb-revoked-token"}}
	text := func(s string) []*string { return []*string{&s} }
	connectortest.Run(t, connectortest.Harness{
		Subject: conformance.Subject{
			Open:       func(context.Context) (connector.Connector, func(), error) { return New(), nil, nil },
			Connection: connection, Refused: &refused,
			Outbound: &conformance.Outbound{
				Strategy: "Send", Answers: connector.Answers{fieldChannel: {"C0SALES"}},
				Mapping: []connector.MappedField{{Name: textColumn, Type: connector.Type{Kind: connector.KindString}}},
				Records: []conformance.Record{
					{Identifier: "1", Values: text("A customer was won: " + conformance.Unique)},
					{Identifier: "2", Values: text(""), Bad: true},
					{Identifier: "3", Values: text("*Another* one: " + conformance.Unique)},
				},
				ReadAhead: 10,
			},
			Inbound: &conformance.Inbound{Streams: []connector.StreamSelection{{Name: streamChannels}}},
		},
		Options: conformance.Options{Stop: 2 * time.Second, Deadline: time.Second, Pace: 10 * time.Millisecond},
	})
}

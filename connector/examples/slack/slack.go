package slack

import (
	"context"
	"net/url"
	"strconv"
	"strings"

	"github.com/sluiceio/sluice/connector"
)

// version is the connector's own, not Slack's.
const version = "0.1.0"

// Fields of the connection form.
const (
	methodBot     = "bot"
	fieldToken    = "bot_token"
	fieldEndpoint = "endpoint_url"
)

// defaultEndpoint is where the methods of the Web API live
// (https://docs.slack.dev/apis/web-api/).
const defaultEndpoint = "https://slack.com/api"

// slack is the connector. It has no state: what a connection needs is made when
// a session is opened.
type slack struct{}

// New returns the connector.
func New() connector.Connector { return slack{} }

// Manifest says what the connector can do. It is the same at every call.
func (slack) Manifest(context.Context) (connector.Manifest, error) {
	return connector.Manifest{
		ID: "slack", Name: "Slack", Version: version, DocumentationURL: "https://docs.slack.dev/apis/web-api/",
		Features: []connector.Feature{
			connector.FeatureTickets,         // chat.postMessage must not be repeated: see send.go
			connector.FeatureValidateRecords, // texts are checked before they are sent
			connector.FeatureFormOptions,     // the channels are chosen from a list
		},
		Strategies:  []connector.Strategy{connector.StrategySend},
		TargetTypes: []connector.TargetType{{Name: "channel", Label: "Channel"}},
		Inbound:     true,
	}, nil
}

// ConnectionForm asks for the token of a bot. It is a secret: the host keeps it
// encrypted, and never shows it again.
func (slack) ConnectionForm(context.Context, connector.Answers) (connector.ConnectionForm, error) {
	return connector.ConnectionForm{Methods: []connector.ConnectionMethod{{
		Name: methodBot, Label: "Bot token", Help: "Make an app at https://api.slack.com/apps, give its bot the scopes chat:write, channels:read and groups:read, and install it.",
		Form: connector.Form{Fields: []connector.Field{
			{
				Name: fieldToken, Kind: connector.FieldInput, Label: "Bot token", Required: true, Secret: true,
				Help:       "The Bot User OAuth Token of the app, beginning with xoxb-.",
				Validation: connector.Validation{Pattern: `xoxb-\S+`, PatternMessage: "a token that begins with xoxb-"},
			},
			{
				Name: fieldEndpoint, Kind: connector.FieldInput, Label: "Endpoint override",
				Help:       "Send everything to this base URL, a simulator or a proxy, instead of Slack. Leave empty normally.",
				Validation: connector.Validation{Pattern: `(https?://\S+)?`, PatternMessage: "an http or https URL"},
			},
		}},
	}}}, nil
}

// NetworkAddresses says where the connector will connect to. The host shows it,
// and package egress lets nothing else out.
func (slack) NetworkAddresses(_ context.Context, connection connector.Connection) ([]connector.NetworkAddress, error) {
	base, err := endpoint(connection.Answers)
	if err != nil {
		return nil, err
	}
	return addresses(base), nil
}

func addresses(base *url.URL) []connector.NetworkAddress {
	port, _ := strconv.Atoi(base.Port()) // 0 when there is none
	return []connector.NetworkAddress{{Scheme: base.Scheme, Host: base.Hostname(), Port: port, Purpose: "Web API"}}
}

// endpoint is the base URL of the methods.
func endpoint(answers connector.Answers) (*url.URL, error) {
	text := strings.TrimRight(answers.Get(fieldEndpoint), "/")
	if text == "" {
		text = defaultEndpoint
	}
	u, err := url.Parse(text)
	if err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Hostname() == "" || u.RawQuery != "" || u.User != nil {
		return nil, badAnswer(fieldEndpoint, "it is not an http or https URL without a query")
	}
	return u, nil
}

// badAnswer is an error of class CONFIG that names the field.
func badAnswer(field, what string) *connector.Error {
	e := connector.Errorf(connector.ClassConfig, "INVALID_ANSWER", "the answer to %s cannot be used: %s", field, what)
	e.Fields = []connector.FieldViolation{{Field: field, Description: what}}
	return e
}

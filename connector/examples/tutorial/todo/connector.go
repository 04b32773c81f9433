package todo

import (
	"context"
	"net/url"
	"strconv"
	"strings"

	"github.com/sluiceio/sluice/connector"
)

// todo is the connector. Everything a connection needs is in its session.
type todo struct{}

// New returns the connector.
func New() connector.Connector { return todo{} }

// ConnectionForm asks for what it takes to log in.
func (todo) ConnectionForm(context.Context, connector.Answers) (connector.ConnectionForm, error) {
	return connector.ConnectionForm{Methods: []connector.ConnectionMethod{{
		Name: "api_key", Label: "API key",
		Form: connector.Form{Fields: []connector.Field{
			{Name: "base_url", Kind: connector.FieldInput, Label: "Address", Required: true, Help: "Where the service is, such as https://todo.example.com."},
			{Name: "api_key", Kind: connector.FieldInput, Label: "API key", Required: true, Secret: true},
		}},
	}}}, nil
}

// NetworkAddresses says where the connector will connect to, before it does.
func (todo) NetworkAddresses(_ context.Context, connection connector.Connection) ([]connector.NetworkAddress, error) {
	base, err := baseURL(connection.Answers)
	if err != nil {
		return nil, err
	}
	port, _ := strconv.Atoi(base.Port()) // 0 when there is none
	return []connector.NetworkAddress{{Scheme: base.Scheme, Host: base.Hostname(), Port: port, Purpose: "API"}}, nil
}

func baseURL(answers connector.Answers) (*url.URL, error) {
	base, err := url.Parse(strings.TrimRight(answers.Get("base_url"), "/"))
	if err != nil || base.Scheme != "http" && base.Scheme != "https" || base.Hostname() == "" {
		return nil, badAnswer("base_url", "an http or https URL is needed")
	}
	return base, nil
}

// badAnswer is an error that the host shows beside the field.
func badAnswer(field, what string) error {
	e := connector.Errorf(connector.ClassConfig, "INVALID_ANSWER", "%s: %s", field, what)
	e.Fields = []connector.FieldViolation{{Field: field, Description: what}}
	return e
}

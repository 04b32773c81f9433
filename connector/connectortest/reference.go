package connectortest

import (
	"context"
	"fmt"
	"time"

	"github.com/sluiceio/sluice/connector"
	"github.com/sluiceio/sluice/connector/conformance"
)

// Reference is a connector to an [App]. It obeys every law, except the one it
// was told to break.
type Reference struct {
	app    *App
	breaks string
}

var _ connector.Connector = (*Reference)(nil)

// NewReference returns a connector to an app that breaks the law with an id; ""
// breaks none.
func NewReference(app *App, breaks string) *Reference { return &Reference{app: app, breaks: breaks} }

// Subject returns what package conformance needs to examine such a connector.
func Subject(app *App, breaks string) conformance.Subject {
	refused := connection(badToken)
	text := func(s string) *string { return &s }
	record := func(id, name string, bad bool) conformance.Record {
		return conformance.Record{Identifier: id, Values: []*string{text(name)}, Bad: bad}
	}
	return conformance.Subject{
		Open: func(context.Context) (connector.Connector, func(), error) {
			return NewReference(app, breaks), nil, nil
		},
		Connection: connection(goodToken),
		Refused:    &refused,
		Outbound: &conformance.Outbound{
			Strategy: "Create", Answers: connector.Answers{"book": {"hall"}},
			Mapping: []connector.MappedField{{Name: "name", Type: connector.Type{Kind: connector.KindString}}},
			Records: []conformance.Record{
				record("1", "Ada Lovelace", false), record("2", unwanted, true), record("3", "Grace Hopper "+conformance.Unique, false), record("4", "Emmy Noether", false),
				record("5", "", true), record("6", "Sofya Kovalevskaya", false), record("7", "Mary Somerville", false),
			},
			ReadAhead: chunkRecords * (chunksAtOnce + 1),
		},
		Inbound: &conformance.Inbound{Streams: []connector.StreamSelection{{Name: "guests"}, {Name: "notes"}}},
	}
}

func connection(token string) connector.Connection {
	return connector.Connection{
		ID: "reference", Method: "token", Answers: connector.Answers{"host": {"book.example.com"}}, Secrets: connector.Answers{"token": {token}},
	}
}

// broken reports whether this is the law to break.
func (r *Reference) broken(law string) bool { return r.breaks == law }

// Manifest describes the connector.
func (r *Reference) Manifest(context.Context) (connector.Manifest, error) {
	m := connector.Manifest{
		ID: "reference", Name: "Reference", Version: "1.0.0", DocumentationURL: "https://book.example.com/manual",
		Icon: connector.Icon{MediaType: "image/svg+xml", Data: []byte(`<svg xmlns="http://www.w3.org/2000/svg"/>`)},
		Features: []connector.Feature{
			connector.FeatureTickets, connector.FeatureValidateRecords, connector.FeatureOutboundCosts,
			connector.FeatureFormOptions, connector.FeatureTombstones,
		},
		Strategies: []connector.Strategy{connector.StrategyCreate}, Inbound: true,
		TargetTypes: []connector.TargetType{{Name: "book", Label: "Book"}},
	}
	switch r.breaks {
	case "L-001":
		m.Name = fmt.Sprint("Reference ", r.app.count(&r.app.asked))
	case "L-002":
		m.ID = "Reference"
	case "L-003":
		m.Name = ""
	case "L-004":
		m.Version = "v1.0"
	case "L-005":
		m.DocumentationURL = "book.example.com/manual"
	case "L-006":
		m.Icon.MediaType = "image/gif"
	case "L-007":
		m.Strategies = append(m.Strategies, connector.StrategyCreate)
	case "L-008":
		m.TargetTypes = append(m.TargetTypes, m.TargetTypes[0])
	case "L-009":
		m.Strategies, m.Inbound = nil, false
	case "L-010":
		m.Rendering.Timestamp = "stardate"
	case "L-011":
		m.Features = append(m.Features, connector.FeatureTickets)
	}
	return m, nil
}

// ConnectionForm offers a token, or a login through the browser.
func (r *Reference) ConnectionForm(context.Context, connector.Answers) (connector.ConnectionForm, error) {
	host := connector.Field{Name: "host", Kind: connector.FieldInput, Label: "Host", Required: true}
	token := connector.Field{Name: "token", Kind: connector.FieldInput, Label: "Token", Required: true, Secret: true}
	client := connector.Field{Name: "client", Kind: connector.FieldInput, Label: "Client id", Required: true}
	form := connector.ConnectionForm{Methods: []connector.ConnectionMethod{
		{Name: "token", Label: "Token", Form: connector.Form{Fields: []connector.Field{host, token}}},
		{Name: "browser", Label: "Browser", Form: connector.Form{Fields: []connector.Field{client}}, OAuth: &connector.OAuthTemplate{
			Grant: connector.OAuthAuthorizationCode, AuthorizationURL: "https://book.example.com/consent", ClientIDField: "client",
		}},
	}}
	switch r.breaks {
	case "L-101":
		form.Methods[1].Name = "token"
	case "L-102":
		form.Methods[1].Help = fmt.Sprint("asked ", r.app.count(&r.app.asked), " times")
	case "L-103":
		form.Methods[1].OAuth.ClientIDField = "nothing"
	case "L-113":
		form.Methods[0].Form.Fields[1].Default = []string{"changeit"}
	}
	return form, nil
}

// NetworkAddresses is the host that was answered.
func (r *Reference) NetworkAddresses(ctx context.Context, c connector.Connection) ([]connector.NetworkAddress, error) {
	a := connector.NetworkAddress{Host: c.Answers.Get("host"), Purpose: "the guest book"}
	switch r.breaks {
	case "L-013":
		if err := sleep(ctx, time.Minute); err != nil {
			return nil, err
		}
	case "L-201":
		a.Port = r.app.count(&r.app.asked)
	case "L-202":
		a.Host = "*.example.com"
	case "L-203":
		return []connector.NetworkAddress{a, a}, nil
	}
	return []connector.NetworkAddress{a}, nil
}

// Open checks the answers.
func (r *Reference) Open(_ context.Context, c connector.Connection) (connector.Session, error) {
	if c.Method != "token" {
		class := connector.ClassConfig
		if r.broken("L-206") {
			class = connector.ClassInternal
		}
		return nil, connector.Errorf(class, "METHOD", "the connector has no method %q", c.Method)
	}
	for field, value := range map[string]string{"host": c.Answers.Get("host"), "token": c.Secrets.Get("token")} {
		if value != "" {
			continue
		}
		e := connector.Errorf(connector.ClassConfig, "MISSING", "the answer to %s is missing", field)
		if !r.broken("L-207") {
			e.Fields = []connector.FieldViolation{{Field: field, Description: "is required"}}
		}
		return nil, e
	}
	s := &session{Reference: r, connection: c}
	if r.broken("L-012") {
		return struct {
			connector.Session
			connector.Outbound
			connector.Inbound
			connector.OptionLister
			connector.CostEstimator
		}{s, s, s, s, s}, nil
	}
	return s, nil
}

package runner

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"strings"

	"github.com/sluiceio/sluice/connector"
)

// Manifest launches a connector, which need not be installed, and returns its
// static facts.
func (e *Engine) Manifest(ctx context.Context, ref ConnectorRef) (connector.Manifest, error) {
	running, err := e.launcher.Launch(ctx, ref)
	if err != nil {
		return connector.Manifest{}, fmt.Errorf("launching %s: %w", ref.Path, err)
	}
	manifest, err := running.Manifest(ctx)
	if err != nil {
		err = fmt.Errorf("manifest of %s: %w", ref.Path, withLastWords(err, running))
	}
	_ = running.Close() // the question is answered
	return manifest, err
}

// ConnectionForm returns the ways to connect with an installed connector, given
// the answers so far, which may be empty.
func (e *Engine) ConnectionForm(ctx context.Context, connectorID string, answers connector.Answers) (connector.ConnectionForm, error) {
	running, err := e.launch(ctx, connectorID)
	if err != nil {
		return connector.ConnectionForm{}, err
	}
	form, err := running.ConnectionForm(ctx, answers)
	if err != nil {
		err = fmt.Errorf("connection form of %s: %w", connectorID, withLastWords(err, running))
	}
	_ = running.Close() // the question is answered
	return form, err
}

// Addresses returns every host the connector would talk to with a connection,
// which need not be stored. Neither secrets nor the network are used.
func (e *Engine) Addresses(ctx context.Context, connection Connection) ([]connector.NetworkAddress, error) {
	running, err := e.launch(ctx, connection.Connector)
	if err != nil {
		return nil, err
	}
	addresses, err := running.NetworkAddresses(ctx, publicConnection(connection))
	if err != nil {
		err = fmt.Errorf("network addresses of connection %s: %w", connection.Name, withLastWords(err, running))
	}
	_ = running.Close() // the question is answered
	return addresses, err
}

// TestConnection logs in with a connection, which need not be stored, and
// returns it with parameters, secrets, addresses, account and limits filled in,
// together with the notices the user should read. It stores nothing: the caller
// decides. The zero authorization tests a connection that was authorized before.
func (e *Engine) TestConnection(ctx context.Context, connection Connection, authorization connector.Authorization) (Connection, []string, error) {
	h, err := e.open(ctx, connection)
	if err != nil {
		return connection, nil, err
	}
	tested, notices, err := e.test(ctx, connection, authorization, h)
	_ = h.close() // the question is answered
	return tested, notices, err
}

func (e *Engine) test(ctx context.Context, connection Connection, authorization connector.Authorization, h *handle) (Connection, []string, error) {
	connected, err := h.session.Connect(ctx, authorization)
	if err != nil {
		return connection, nil, fmt.Errorf("testing connection %s: %w", connection.Name, withLastWords(err, h.running))
	}
	tested := connection
	tested.Account = connected.Account
	tested.Parameters = merged(connection.Parameters, connected.Parameters)
	tested.Secrets = merged(connection.Secrets, connected.Secrets)
	tested.Addresses = mergedAddresses(connection.Addresses, connected.Addresses)
	tested.TestedAt = e.now()
	if tested.CreatedAt.IsZero() {
		tested.CreatedAt = tested.TestedAt
	}
	notices := connected.Notices
	limits, err := reportedLimits(ctx, h, tested)
	if err != nil {
		// The login is worth keeping although the limits could not be asked.
		notices = append(notices, fmt.Sprintf("The limits could not be read, so the connector's own apply: %v", err))
		return tested, notices, nil
	}
	tested.Limits = limits
	return tested, notices, nil
}

// reportedLimits asks for the limits as the tested connection, whose secrets
// the session that logged in does not have.
func reportedLimits(ctx context.Context, h *handle, tested Connection) (connector.Limits, error) {
	session, err := h.running.Open(ctx, sessionConnection(tested, limitsFor(tested, Sync{})))
	if err != nil {
		return connector.Limits{}, err
	}
	limits, err := session.Limits(ctx)
	return limits, errors.Join(err, session.Close())
}

// Limits asks what the app allows a connection, applies the user's overrides,
// and says it in sentences, one for each limit and pool. An override of a limit
// or pool that does not exist is an error that names it.
func (e *Engine) Limits(ctx context.Context, connectionName string) (connector.Limits, []string, error) {
	var limits connector.Limits
	err := e.withSession(ctx, connectionName, func(connection Connection, session connector.Session) error {
		reported, err := session.Limits(ctx)
		if err != nil {
			return fmt.Errorf("limits of connection %s: %w", connectionName, err)
		}
		if limits, err = ApplyOverrides(reported, connection.Overrides); err != nil {
			return fmt.Errorf("connection %s: %w", connectionName, err)
		}
		return nil
	})
	if err != nil {
		return connector.Limits{}, nil, err
	}
	return limits, limits.Sentences(), nil
}

// Form returns the configuration form of a sync over a connection, given the
// answers so far. The strategy is used outbound only.
func (e *Engine) Form(ctx context.Context, connectionName string, direction connector.Direction, strategy string, answers connector.Answers) (connector.Form, error) {
	var form connector.Form
	err := e.withSession(ctx, connectionName, func(_ Connection, session connector.Session) (err error) {
		form, err = syncForm(ctx, session, direction, connector.FormRequest{Strategy: strategy, Answers: answers})
		return err
	})
	return form, err
}

// Options returns one page of an option source.
func (e *Engine) Options(ctx context.Context, connectionName string, request connector.OptionsRequest) (connector.OptionsPage, error) {
	var page connector.OptionsPage
	err := e.withSession(ctx, connectionName, func(_ Connection, session connector.Session) error {
		lister, ok := session.(connector.OptionLister)
		if !ok {
			return connector.Errorf(connector.ClassConfig, "NO_OPTIONS", "the connector has no option sources, so not %q either", request.Source)
		}
		var err error
		if page, err = lister.Options(ctx, request); err != nil {
			return fmt.Errorf("options of %s: %w", request.Source, err)
		}
		return nil
	})
	return page, err
}

// Streams lists what can be read through a connection: without names all
// streams, with names exactly those with their schemas.
func (e *Engine) Streams(ctx context.Context, connectionName string, query connector.StreamQuery) ([]connector.Stream, error) {
	var streams []connector.Stream
	err := e.withSession(ctx, connectionName, func(_ Connection, session connector.Session) error {
		inbound, err := inboundOf(session)
		if err != nil {
			return err
		}
		if streams, err = inbound.Streams(ctx, query); err != nil {
			return fmt.Errorf("streams of connection %s: %w", connectionName, err)
		}
		return nil
	})
	return streams, err
}

// syncForm asks for the form of one direction.
func syncForm(ctx context.Context, session connector.Session, direction connector.Direction, request connector.FormRequest) (connector.Form, error) {
	var form connector.Form
	if direction == connector.DirectionInbound {
		inbound, err := inboundOf(session)
		if err != nil {
			return form, err
		}
		form, err = inbound.InboundForm(ctx, request)
		return form, err
	}
	outbound, err := outboundOf(session)
	if err != nil {
		return form, err
	}
	return outbound.OutboundForm(ctx, request)
}

func outboundOf(session connector.Session) (connector.Outbound, error) {
	if outbound, ok := session.(connector.Outbound); ok {
		return outbound, nil
	}
	return nil, connector.Errorf(connector.ClassConfig, "NOT_OUTBOUND", "the connector cannot write records: use it in an inbound sync")
}

func inboundOf(session connector.Session) (connector.Inbound, error) {
	if inbound, ok := session.(connector.Inbound); ok {
		return inbound, nil
	}
	return nil, connector.Errorf(connector.ClassConfig, "NOT_INBOUND", "the connector cannot read records: use it in an outbound sync")
}

// merged returns old with the values of fresh put over it.
func merged(old, fresh connector.Answers) connector.Answers {
	all := make(connector.Answers, len(old)+len(fresh))
	maps.Copy(all, old)
	maps.Copy(all, fresh)
	return all
}

// mergedAddresses returns old and those of fresh that are not among them.
func mergedAddresses(old, fresh []connector.NetworkAddress) []connector.NetworkAddress {
	type key struct {
		scheme, host string
		port         int
	}
	seen := map[key]bool{}
	var all []connector.NetworkAddress
	for _, list := range [][]connector.NetworkAddress{old, fresh} {
		for _, a := range list {
			k := key{a.Scheme, strings.ToLower(a.Host), a.Port}
			if !seen[k] {
				seen[k] = true
				all = append(all, a)
			}
		}
	}
	return all
}

// lastLine returns the last line of a text that is not empty.
func lastLine(text string) string {
	text = strings.TrimSpace(text)
	return text[strings.LastIndexByte(text, '\n')+1:]
}

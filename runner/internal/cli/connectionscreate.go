package cli

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/sluiceio/sluice/connector"
	"github.com/sluiceio/sluice/runner"
	"github.com/sluiceio/sluice/runner/internal/config"
)

// createConnection holds the flags of "connections create".
type createConnection struct {
	app                     *app
	name, connector, method string
	answers, secrets        []string
	code, redirect          string
	replace                 bool
}

func connectionsCreate(a *app) *cobra.Command {
	c := &createConnection{app: a}
	cmd := &cobra.Command{
		Use: "create CONNECTION --connector CONNECTOR", Short: "Connect to an app: answer its questions, log in, keep the connection",
		Long: `Connect to an app. On a terminal, questions are asked: all of them without flags,
with flags the required ones that they leave open. Elsewhere those are listed. Nothing is kept unless the login works.

Secrets given as NAME=VALUE can be seen in the process list; NAME=@FILE and
NAME=env:VARIABLE cannot. A secret the form does not ask for is kept as if an
earlier login had returned it, such as a refresh token.`,
		Args: takes(1, 1),
		RunE: func(cmd *cobra.Command, args []string) error {
			c.name = args[0]
			return a.with(cmd.Context(), nil, func(h *host) error { return c.run(cmd.Context(), h) })
		},
	}
	f := cmd.Flags()
	f.StringVar(&c.connector, "connector", "", "installed connector (needed when there are several)")
	f.StringVar(&c.method, "method", "", "connection method (default the connector's first)")
	f.StringArrayVar(&c.answers, "answer", nil, "answer NAME=VALUE; may be repeated")
	f.StringArrayVar(&c.secrets, "secret", nil, "secret NAME=VALUE, NAME=@FILE or NAME=env:VARIABLE; may be repeated")
	f.StringVar(&c.code, "code", "", "authorization code, when the login page was visited by other means")
	f.StringVar(&c.redirect, "redirect-url", "http://127.0.0.1:8765/callback", "where the login page sends the browser back to; register it with the app")
	f.BoolVar(&c.replace, "replace", false, "replace an existing connection")
	return cmd
}

func (c *createConnection) run(ctx context.Context, h *host) error {
	if err := config.CheckConnectionName(c.name); err != nil {
		return usagef("%v", err)
	}
	connection, old, err := c.begin(ctx, h)
	if err != nil {
		return err
	}
	method, err := c.fill(ctx, h, &connection)
	if err != nil {
		return err
	}
	addresses, err := h.Addresses(ctx, connection)
	if err != nil {
		return err
	}
	for _, address := range addresses {
		c.app.notice("will talk to %s", addressText(address))
	}
	authorization, err := c.authorize(ctx, method, connection)
	if err != nil {
		return err
	}
	tested, notices, err := h.TestConnection(ctx, connection, authorization)
	if err != nil {
		return fmt.Errorf("nothing was kept: %w", err)
	}
	if old != nil {
		tested.CreatedAt, tested.Overrides = old.CreatedAt, old.Overrides
	}
	if err := h.store.PutConnection(ctx, tested); err != nil {
		return err
	}
	return c.app.connected(tested, notices, "is ready")
}

// begin starts with what the flags say.
func (c *createConnection) begin(ctx context.Context, h *host) (runner.Connection, *runner.Connection, error) {
	connection := runner.Connection{Name: c.name}
	var old *runner.Connection
	switch existing, err := h.store.Connection(ctx, c.name); {
	case err == nil && !c.replace:
		return connection, nil, fmt.Errorf("connection %s %w; use --replace, or another name", c.name, runner.ErrExists)
	case err == nil:
		old = &existing
	case !errors.Is(err, runner.ErrNotFound):
		return connection, nil, err
	}
	var err error
	if connection.Connector, err = c.which(ctx, h); err != nil {
		return connection, nil, err
	}
	if connection.Answers, err = pairs("answer", c.answers); err != nil {
		return connection, nil, err
	}
	connection.Secrets, err = c.app.secretPairs(c.secrets)
	return connection, old, err
}

// which returns the connector asked for, or the only one.
func (c *createConnection) which(ctx context.Context, h *host) (string, error) {
	if c.connector != "" {
		_, err := h.store.Connector(ctx, c.connector)
		if errors.Is(err, runner.ErrNotFound) {
			return "", usagef("%v; install it with: sluice connectors add PATH", err)
		}
		return c.connector, err
	}
	all, err := h.store.Connectors(ctx)
	if err != nil {
		return "", err
	}
	if len(all) != 1 {
		return "", usagef("%d connectors are installed: name one with --connector (see: sluice connectors list)", len(all))
	}
	return all[0].ID, nil
}

// fill answers the form. Answers may change the form, so it is fetched again
// once they are complete.
func (c *createConnection) fill(ctx context.Context, h *host, connection *runner.Connection) (connector.ConnectionMethod, error) {
	method, err := c.methodOf(ctx, h, connection.Connector, connection.Answers)
	if err != nil {
		return method, err
	}
	ask := c.app.questions()
	ask.brief = len(connection.Answers)+len(connection.Secrets) > 0
	for range 2 {
		if err := ask.fill(method.Form, connection.Answers, connection.Secrets); err != nil {
			return method, err
		}
		if method, err = c.methodOf(ctx, h, connection.Connector, connection.Answers); err != nil {
			return method, err
		}
	}
	connection.Method = method.Name
	return method, unknown(method.Form, connection.Answers)
}

func (c *createConnection) methodOf(ctx context.Context, h *host, id string, answers connector.Answers) (connector.ConnectionMethod, error) {
	form, err := h.ConnectionForm(ctx, id, answers)
	if err != nil {
		return connector.ConnectionMethod{}, err
	}
	var names []string
	for _, m := range form.Methods {
		if c.method == "" || m.Name == c.method {
			return m, nil
		}
		names = append(names, m.Name)
	}
	return connector.ConnectionMethod{}, usagef("there is no connection method %q; the connector has %s", c.method, strings.Join(names, ", "))
}

// authorize sends the user through the login page where the method has one. A
// secret the form does not ask for stands for a login that has happened.
func (c *createConnection) authorize(ctx context.Context, method connector.ConnectionMethod, connection runner.Connection) (connector.Authorization, error) {
	if method.OAuth == nil || method.OAuth.Grant != connector.OAuthAuthorizationCode {
		return connector.Authorization{}, nil
	}
	if c.code != "" {
		return connector.Authorization{Code: c.code, RedirectURI: c.redirect}, nil
	}
	for name := range connection.Secrets {
		if !slices.ContainsFunc(method.Form.Fields, func(f connector.Field) bool { return f.Name == name }) {
			return connector.Authorization{}, nil
		}
	}
	return c.app.login(ctx, *method.OAuth, connection.Answers, c.redirect)
}

func addressText(a connector.NetworkAddress) string {
	shape := addressShape(a)
	text := shape.Scheme + "://" + shape.Host
	if shape.Port != 0 {
		text += fmt.Sprintf(":%d", shape.Port)
	}
	if shape.Purpose != "" {
		text += " (" + shape.Purpose + ")"
	}
	return text
}

func sortedNames[V any](m map[string]V) []string { return slices.Sorted(maps.Keys(m)) }

package cli

import (
	"strings"

	"github.com/spf13/cobra"

	"github.com/sluiceio/sluice/connector"
	"github.com/sluiceio/sluice/runner"
)

func connectionsCommand(a *app) *cobra.Command {
	return group("connections", "Connect to apps", connectionsCreate(a), connectionsTest(a), connectionsList(a),
		connectionsShow(a), connectionsLimits(a), connectionsAddresses(a), connectionsDelete(a))
}

func connectionsList(a *app) *cobra.Command {
	return &cobra.Command{
		Use: "list", Short: "List connections", Args: takes(0, 0),
		RunE: func(cmd *cobra.Command, _ []string) error {
			return a.with(cmd.Context(), nil, func(h *host) error {
				all, err := h.store.Connections(cmd.Context())
				if err != nil {
					return err
				}
				return a.result(shapes(all, connectionShape), func() {
					var rows [][]string
					for _, c := range all {
						rows = append(rows, []string{c.Name, c.Connector, orDash(c.Account), when(c.TestedAt)})
					}
					a.table([]string{"CONNECTION", "CONNECTOR", "ACCOUNT", "TESTED"}, rows)
				})
			})
		},
	}
}

func connectionsShow(a *app) *cobra.Command {
	return &cobra.Command{
		Use: "show CONNECTION", Short: "Show a connection, without secrets", Args: takes(1, 1),
		RunE: func(cmd *cobra.Command, args []string) error {
			return a.with(cmd.Context(), nil, func(h *host) error {
				c, err := h.store.Connection(cmd.Context(), args[0])
				if err != nil {
					return err
				}
				return a.result(connectionShape(c), func() { a.sayConnection(c) })
			})
		},
	}
}

func (a *app) sayConnection(c runner.Connection) {
	shape := connectionShape(c)
	a.say("connection %s, connector %s, method %s", c.Name, c.Connector, c.Method)
	a.say("account   %s", orDash(c.Account))
	a.say("tested    %s", when(c.TestedAt))
	a.sayAnswers("answer   ", c.Answers)
	a.sayAnswers("parameter", c.Parameters)
	a.say("secrets   %s (sealed)", orDash(strings.Join(shape.Secrets, ", ")))
	for _, sentence := range c.Limits.Sentences() {
		a.say("limit     %s", sentence)
	}
}

func (a *app) sayAnswers(label string, answers connector.Answers) {
	for _, name := range sortedNames(answers) {
		a.say("%s %s = %s", label, name, strings.Join(answers[name], ", "))
	}
}

func connectionsTest(a *app) *cobra.Command {
	return &cobra.Command{
		Use: "test CONNECTION", Short: "Log in, and read the limits anew", Args: takes(1, 1),
		RunE: func(cmd *cobra.Command, args []string) error {
			ctx := cmd.Context()
			return a.with(ctx, nil, func(h *host) error {
				c, err := h.store.Connection(ctx, args[0])
				if err != nil {
					return err
				}
				tested, notices, err := h.TestConnection(ctx, c, connector.Authorization{})
				if err != nil {
					return err
				}
				if err := h.store.PutConnection(ctx, tested); err != nil {
					return err
				}
				return a.connected(tested, notices, "works")
			})
		},
	}
}

// connected reports a login.
func (a *app) connected(c runner.Connection, notices []string, what string) error {
	shape := connectionShape(c)
	shape.Notices = notices
	return a.result(shape, func() {
		a.say("connection %s %s: %s", c.Name, what, orDash(c.Account))
		for _, n := range notices {
			a.say("notice: %s", n)
		}
	})
}

func connectionsAddresses(a *app) *cobra.Command {
	return &cobra.Command{
		Use: "addresses CONNECTION", Short: "List the hosts the connector talks to", Args: takes(1, 1),
		RunE: func(cmd *cobra.Command, args []string) error {
			ctx := cmd.Context()
			return a.with(ctx, nil, func(h *host) error {
				c, err := h.store.Connection(ctx, args[0])
				if err != nil {
					return err
				}
				all, err := h.Addresses(ctx, c)
				if err != nil {
					return err
				}
				return a.result(shapes(all, addressShape), func() {
					for _, address := range all {
						a.say("%s", addressText(address))
					}
				})
			})
		},
	}
}

func connectionsDelete(a *app) *cobra.Command {
	return &cobra.Command{
		Use: "delete CONNECTION", Short: "Forget a connection and its secrets", Args: takes(1, 1),
		RunE: func(cmd *cobra.Command, args []string) error {
			ctx := cmd.Context()
			return a.with(ctx, nil, func(h *host) error {
				if err := h.store.DeleteConnection(ctx, args[0]); err != nil {
					return usagef("%v", err)
				}
				a.notice("deleted connection %s", args[0])
				return nil
			})
		},
	}
}

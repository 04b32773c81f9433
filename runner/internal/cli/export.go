package cli

import (
	"os"

	"github.com/spf13/cobra"

	"github.com/sluiceio/sluice/runner/internal/config"
)

func exportCommand(a *app) *cobra.Command {
	return &cobra.Command{
		Use: "export [FILE]", Short: "Write connections and syncs as a project file, without secrets", Args: takes(0, 1),
		RunE: func(cmd *cobra.Command, args []string) error {
			ctx := cmd.Context()
			return a.with(ctx, nil, func(h *host) error {
				connections, err := h.store.Connections(ctx)
				if err != nil {
					return err
				}
				syncs, err := h.store.Syncs(ctx)
				if err != nil {
					return err
				}
				text, err := config.Write(connections, syncs)
				if err != nil {
					return err
				}
				if len(args) == 0 {
					_, err = a.env.Stdout.Write(text)
					return err
				}
				return os.WriteFile(a.env.path(args[0]), text, 0o644)
			})
		},
	}
}

package cli

import (
	"strings"

	"github.com/spf13/cobra"

	"github.com/sluiceio/sluice/connector"
)

func streamsCommand(a *app) *cobra.Command {
	return group("streams", "See what can be read from an app", streamsList(a), streamsShow(a))
}

func streamsList(a *app) *cobra.Command {
	return streamsVerb(a, &cobra.Command{Use: "list CONNECTION", Short: "List the streams of a connection", Args: takes(1, 1)},
		func(streams []connector.Stream) {
			var rows [][]string
			for _, s := range streams {
				var modes []string
				for _, m := range s.Modes {
					modes = append(modes, string(m))
				}
				rows = append(rows, []string{s.Name, orDash(s.Label), orDash(strings.Join(s.Key, ",")), orDash(s.Cursor), orDash(strings.Join(modes, ","))})
			}
			a.table([]string{"STREAM", "LABEL", "KEY", "CURSOR", "MODES"}, rows)
		})
}

func streamsShow(a *app) *cobra.Command {
	return streamsVerb(a, &cobra.Command{Use: "show CONNECTION STREAM...", Short: "Show streams with their schemas", Args: takes(2, -1)},
		func(streams []connector.Stream) {
			for _, s := range streams {
				a.say("stream %s: %s %s", s.Name, s.Label, s.Description)
				a.say("key %s, cursor %s, reports deletions: %s", orDash(strings.Join(s.Key, ",")), orDash(s.Cursor), yesNo(s.Tombstones))
				a.say("%s", s.Schema)
			}
		})
}

// streamsVerb completes a command that asks for streams: all of a connection, or
// those named after it.
func streamsVerb(a *app, cmd *cobra.Command, words func([]connector.Stream)) *cobra.Command {
	var answers []string
	cmd.Flags().StringArrayVar(&answers, "answer", nil, "answer NAME=VALUE to the inbound form; may be repeated")
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		given, err := pairs("answer", answers)
		if err != nil {
			return err
		}
		return a.with(cmd.Context(), nil, func(h *host) error {
			streams, err := h.Streams(cmd.Context(), args[0], connector.StreamQuery{Answers: given, Names: args[1:]})
			if err != nil {
				return err
			}
			return a.result(shapes(streams, streamShape), func() { words(streams) })
		})
	}
	return cmd
}

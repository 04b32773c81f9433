package cli

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"

	"github.com/spf13/cobra"

	"github.com/sluiceio/sluice/connector"
	"github.com/sluiceio/sluice/connector/recording"
	"github.com/sluiceio/sluice/runner"
)

// record is the command "record" with its flags.
type record struct {
	app     *app
	to      string
	options runner.RunOptions
}

func recordCommand(a *app) *cobra.Command {
	r := &record{app: a}
	cmd := &cobra.Command{
		Use: "record SYNC --to FOLDER", Short: "Run a sync and make a test case of it",
		Long: `Run a sync and write what was said into a folder, as a test case: the records the
connector was given and what it answered (conversation.jsonl), and its requests to
the app with their answers (exchanges.json). In a test of a connector in Go,

    replay.Run(t, acme.New(), "FOLDER")

goes through it again, without network and without waits.

Secrets are replaced by names: those of the connection wherever and however they
are written, and tokens, passwords, cookies and signatures in headers, addresses
and bodies, requests and answers alike. What was written is searched for the
connection's secrets once more; when one is found, nothing is kept. The values of
records are kept as they are: record with made-up data what others may see.`,
		Args: takes(1, 1),
		RunE: func(cmd *cobra.Command, args []string) error { return r.run(cmd.Context(), args[0]) },
	}
	f := cmd.Flags()
	f.StringVar(&r.to, "to", "", "the `folder` for the test case; what was recorded there before is replaced")
	f.Int64Var(&r.options.Limit, "limit", 0, "send at most this many records (default all)")
	f.BoolVar(&r.options.Resync, "resync", false, "send every record again, or read everything again")
	return cmd
}

func (r *record) run(ctx context.Context, name string) error {
	if r.to == "" {
		return usagef("say where the test case goes: sluice record %s --to FOLDER", name)
	}
	folder := r.app.env.path(r.to)
	if err := os.MkdirAll(folder, 0o755); err != nil {
		return usagef("the folder for the test case cannot be made: %v", err)
	}
	work, err := os.MkdirTemp(folder, ".recording-")
	if err != nil {
		return usagef("the folder for the test case cannot be written: %v", err)
	}
	defer os.RemoveAll(work)
	before, err := r.secrets(ctx, name)
	if err != nil {
		return err
	}
	r.app.recordTo = work
	err = r.app.captured(filepath.Join(work, recording.ConversationFile), func() error {
		return r.app.runOne(ctx, name, r.options)
	})
	if end := (*runEnd)(nil); err != nil && (!errors.As(err, &end) || end.run.State == runner.RunDelayed) {
		return fmt.Errorf("nothing was recorded: %w", err) // an incomplete or a failed run is a test case too
	}
	after, secretsErr := r.secrets(ctx, name)
	if secretsErr != nil {
		return secretsErr
	}
	return errors.Join(err, r.keep(folder, work, slices.Concat(before, after)))
}

// secrets lists the secrets of a sync's connection.
func (r *record) secrets(ctx context.Context, sync string) ([]string, error) {
	var all []string
	err := r.app.with(ctx, nil, func(h *host) error {
		s, err := h.store.Sync(ctx, sync)
		if err != nil {
			return err
		}
		c, err := h.store.Connection(ctx, s.Connection)
		if err != nil {
			return err
		}
		for _, values := range c.Secrets {
			all = append(all, values...)
		}
		return nil
	})
	return all, err
}

// keep makes a test case of what was written, if it holds no secret.
func (r *record) keep(folder, work string, secrets []string) error {
	exchanges, err := recording.GatherExchanges(work)
	if err != nil {
		return err
	}
	if len(exchanges) == 0 {
		return &connector.Error{
			Class: connector.ClassConfig, Code: "NOTHING_RECORDED", Message: "the connector recorded no request to its app",
			Help: []connector.Help{{Description: "only connectors in Go whose requests go through connector/egress can be recorded; was there anything to send?"}},
		}
	}
	done := filepath.Join(work, "done")
	if err := os.Mkdir(done, 0o700); err != nil {
		return err
	}
	if err := recording.WriteExchanges(done, exchanges); err != nil {
		return err
	}
	if err := os.Rename(filepath.Join(work, recording.ConversationFile), filepath.Join(done, recording.ConversationFile)); err != nil {
		return err
	}
	found, err := recording.Scan(done, secrets)
	if err != nil {
		return err
	}
	if len(found) > 0 {
		return fmt.Errorf("%d secrets of the connection were found in the recording (%s); nothing was kept", len(found), found[0])
	}
	for _, name := range []string{recording.ConversationFile, recording.ExchangesFile} {
		if err := os.Rename(filepath.Join(done, name), filepath.Join(folder, name)); err != nil {
			return err
		}
	}
	r.app.notice("recorded %d exchanges with the app in %s; it holds the values of records: look at it before others do", len(exchanges), folder)
	r.app.notice("next, in a test of the connector: replay.Run(t, acme.New(), %q)", r.to)
	return nil
}

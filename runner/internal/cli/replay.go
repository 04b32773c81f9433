package cli

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/sluiceio/sluice/connector"
	"github.com/sluiceio/sluice/connector/plugin"
	"github.com/sluiceio/sluice/connector/recording"
	"github.com/sluiceio/sluice/runner"
)

// replay is the command "replay" with its flags.
type replay struct {
	app        *app
	attach     string
	connection string
}

func replayCommand(a *app) *cobra.Command {
	r := &replay{app: a}
	cmd := &cobra.Command{
		Use: "replay FILE --attach ADDRESS", Short: "Give captured records to a connector that runs under a debugger",
		Long: `Give the records that a run captured (sluice syncs run SYNC --capture FILE) to a
connector that is running already, such as one under a debugger:

    dlv debug ./cmd/acme -- serve --listen 127.0.0.1:7777

and say how what it answers differs from what was captured. A capture holds no
secrets: they are taken from the connection of the same name, or from the one that
--connection names. The connector writes to the app it is connected to. Nothing is
written to the warehouse. A time limit of the captured run does not apply.`,
		Args: takes(1, 1),
		RunE: func(cmd *cobra.Command, args []string) error { return r.run(cmd.Context(), args[0]) },
	}
	f := cmd.Flags()
	f.StringVar(&r.attach, "attach", "", "the `address` host:port of the connector, on this machine")
	f.StringVar(&r.connection, "connection", "", "the connection to take instead of the captured one")
	return cmd
}

func (r *replay) run(ctx context.Context, name string) error {
	if r.attach == "" {
		return usagef("say where the connector is: start it with serve --listen 127.0.0.1:7777, and add --attach 127.0.0.1:7777")
	}
	path := r.app.env.path(name)
	if info, err := os.Stat(path); err == nil && info.IsDir() {
		path = filepath.Join(path, recording.ConversationFile)
	}
	conversations, err := recording.ReadConversations(path)
	if err != nil {
		return usagef("%v", err)
	}
	process, err := plugin.Attach(ctx, r.attach)
	if err != nil {
		return &launchError{cause: err}
	}
	shapes := []ReplayShape{}
	for _, c := range conversations {
		shape, err := r.one(ctx, process, c)
		if err != nil {
			return errors.Join(err, process.Close())
		}
		shapes = append(shapes, shape)
	}
	return errors.Join(process.Close(), r.app.result(shapes, func() { r.say(shapes) }))
}

// one has the connector go through one conversation.
func (r *replay) one(ctx context.Context, process *plugin.Process, c *recording.Conversation) (ReplayShape, error) {
	shape := ReplayShape{Direction: string(c.About.Direction), Batches: len(c.Batches), Differences: []string{}}
	manifest, err := process.Manifest(ctx)
	if err != nil {
		return shape, err
	}
	if manifest.ID != c.About.Connector {
		return shape, usagef("the connector at %s is %s, the capture is of %s", r.attach, manifest.ID, c.About.Connector)
	}
	if err := r.secrets(ctx, &c.Connection); err != nil {
		return shape, err
	}
	c.Live = true
	if c.Outbound != nil {
		c.Outbound.Deadline = time.Time{}
	}
	if c.Inbound != nil {
		c.Inbound.Deadline = time.Time{}
	}
	session, err := process.Open(ctx, c.Connection)
	if err != nil {
		return shape, err
	}
	differences, err := c.Play(ctx, session, r.tell)
	shape.Differences = append(shape.Differences, differences...)
	return shape, errors.Join(err, session.Close())
}

// secrets puts the secrets of a stored connection where the capture has names.
func (r *replay) secrets(ctx context.Context, captured *connector.Connection) error {
	name := captured.ID
	if r.connection != "" {
		name = r.connection
	}
	if len(captured.Secrets) == 0 && r.connection == "" {
		return nil
	}
	return r.app.with(ctx, nil, func(h *host) error {
		c, err := h.store.Connection(ctx, name)
		if errors.Is(err, runner.ErrNotFound) {
			return usagef("the capture is of the connection %s, whose secrets are needed: %v; name one with --connection", captured.ID, err)
		}
		if err != nil {
			return err
		}
		captured.Secrets = c.Secrets
		if r.connection != "" {
			captured.Method, captured.Answers, captured.Parameters, captured.Addresses = c.Method, c.Answers, c.Parameters, c.Addresses
		}
		return nil
	})
}

// tell shows what the connector reports.
func (r *replay) tell(report connector.Report) {
	if report.Progress != nil && !r.app.json {
		r.app.notice("%s", strings.TrimPrefix(report.Progress.Stream+": "+report.Progress.Activity, ": "))
	}
}

func (r *replay) say(shapes []ReplayShape) {
	for i, s := range shapes {
		if len(s.Differences) == 0 {
			r.app.say("%s conversation %d: answered as captured", s.Direction, i+1)
			continue
		}
		r.app.say("%s conversation %d: %d differences", s.Direction, i+1, len(s.Differences))
		for _, d := range s.Differences {
			r.app.say("  %s", d)
		}
	}
}

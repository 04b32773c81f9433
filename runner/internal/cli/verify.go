package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/sluiceio/sluice/connector"
	"github.com/sluiceio/sluice/connector/conformance"
	"github.com/sluiceio/sluice/runner"
	"github.com/sluiceio/sluice/runner/internal/pluginhost"
)

// brokenLaws is what "verify" ends with when laws are broken. The report was
// written already.
type brokenLaws struct{ ids []string }

func (e *brokenLaws) Error() string {
	return fmt.Sprintf("%d laws of the contract are broken: %s", len(e.ids), strings.Join(e.ids, ", "))
}

// verify is one "verify" under way.
type verify struct {
	app      *app
	config   string
	format   string
	laws     []string
	limits   []string
	patience time.Duration
}

func verifyCommand(a *app) *cobra.Command {
	v := &verify{app: a}
	cmd := &cobra.Command{
		Use: "verify PATH|NAME", Short: "Examine a connector program by the laws of the contract",
		Long: `Examine a connector program, written in any language, by the laws of the contract.

Without --config only what needs no connection is examined; laws that cannot be
judged are skipped, with the reason. The file says how to connect, and what to
write and read: records are sent several hundred times, so let it be a simulator
or a sandbox.

  connection:
    method: token
    answers: {host: localhost}
    secrets: {token: env:TOKEN}        # or file:PATH
  refused:                             # what differs in a login the app refuses
    secrets: {token: env:EXPIRED_TOKEN}
  outbound:
    strategy: Create
    answers: {book: hall}
    mapping: [{field: name, type: string}]
    records:
      - {id: 1, values: {name: "Ada {unique}"}}    # another text at each sending
      - {id: 2, values: {name: null}, bad: true}   # is not accepted
    read_ahead: 6000                   # records it may hold without an outcome
  inbound:
    answers: {}
    streams: [{name: guests, mode: incremental}]

The exit code is 1 when a law is broken.`,
		Args: takes(1, 1),
		RunE: func(cmd *cobra.Command, args []string) error { return v.run(cmd.Context(), args[0]) },
	}
	flags := cmd.Flags()
	flags.StringVar(&v.config, "config", "", "YAML file with what to connect, write and read with")
	flags.StringVar(&v.format, "format", "text", "text, json or junit")
	flags.StringArrayVar(&v.limits, "set", nil, "override a limit that would make the examination slow, as in: sluice connections limits")
	flags.StringSliceVar(&v.laws, "laws", nil, "examine these laws only, such as L-001,L-502")
	flags.DurationVar(&v.patience, "patience", 0, "longest time of a call or a run (default 2m)")
	return cmd
}

func (v *verify) run(ctx context.Context, name string) error {
	write, err := v.writer()
	if err != nil {
		return err
	}
	if err := knownLaws(v.laws); err != nil {
		return err
	}
	path, err := v.app.finder().Find(name)
	if err != nil {
		return usagef("%v", err)
	}
	var subject conformance.Subject
	if v.config != "" {
		file := v.app.env.path(v.config)
		if subject, err = readVerifyFile(file, v.app.env.lookup); err != nil {
			return usagef("%s: %v", file, err)
		}
	}
	if subject.Open, err = v.open(path); err != nil {
		return err
	}
	if subject.Connection.Limits, err = v.try(ctx, subject); err != nil {
		return err
	}
	report := conformance.Check(ctx, subject, conformance.Options{Only: v.laws, Patience: v.patience})
	if err := write(report, v.app.env.Stdout); err != nil {
		return err
	}
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	if broken := report.Broken(); len(broken) > 0 {
		return &brokenLaws{broken}
	}
	return nil
}

// try launches the program once, so that one that is no connector is not
// examined, and returns the limits with the overrides that were given.
func (v *verify) try(ctx context.Context, subject conformance.Subject) (limits connector.Limits, err error) {
	overrides, err := overridden(nil, v.limits, nil, nil)
	if err != nil {
		return limits, err
	}
	c, done, err := subject.Open(ctx)
	if err != nil {
		return limits, &launchError{cause: err}
	}
	defer done()
	if overrides == nil {
		return limits, nil
	}
	session, err := c.Open(ctx, subject.Connection)
	if err != nil {
		return limits, err
	}
	limits, err = session.Limits(ctx)
	if err := errors.Join(err, session.Close()); err != nil {
		return limits, err
	}
	return runner.ApplyOverrides(limits, overrides)
}

// open launches the program anew each time, pinned to its content of now.
func (v *verify) open(path string) (func(context.Context) (connector.Connector, func(), error), error) {
	sum, err := pluginhost.Checksum(path)
	if err != nil {
		return nil, err
	}
	host := pluginhost.New(pluginhost.Config{Environ: v.app.env.Environ, Logger: v.app.logger()})
	return func(ctx context.Context) (connector.Connector, func(), error) {
		running, err := host.Launch(ctx, runner.ConnectorRef{Path: path, SHA256: sum})
		if err != nil {
			return nil, nil, err
		}
		return running, func() { _ = running.Close() }, nil // what it did before is what counts
	}, nil
}

func (v *verify) writer() (func(conformance.Report, io.Writer) error, error) {
	format := v.format
	if v.app.json {
		format = "json"
	}
	switch format {
	case "text":
		return conformance.Report.WriteText, nil
	case "json":
		return conformance.Report.WriteJSON, nil
	case "junit":
		return conformance.Report.WriteJUnit, nil
	}
	return nil, usagef("there is no format %q; use text, json or junit", v.format)
}

func knownLaws(ids []string) error {
	for _, id := range ids {
		if !slices.ContainsFunc(conformance.Laws(), func(l conformance.Law) bool { return l.ID == id }) {
			return usagef("there is no law %q; laws are named L-001 and so on", id)
		}
	}
	return nil
}

// readVerifyFile reads what to examine a connector with.
func readVerifyFile(path string, lookup func(string) (string, bool)) (conformance.Subject, error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return conformance.Subject{}, err
	}
	file, err := parseVerifyFile(text)
	if err != nil {
		return conformance.Subject{}, err
	}
	return file.subject(secretReader{path: path, lookup: lookup})
}

// secretReader resolves references to secrets.
type secretReader struct {
	path   string // of the file that has the references
	lookup func(string) (string, bool)
}

var errReference = errors.New("is neither env:VARIABLE nor file:PATH; secrets do not belong in a file")

package cli

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"os"
	"slices"

	"github.com/spf13/cobra"

	"github.com/sluiceio/sluice/connector"
	"github.com/sluiceio/sluice/runner"
	"github.com/sluiceio/sluice/runner/internal/config"
)

// ApplyShape is the result of "apply": what changed, by path.
type ApplyShape struct {
	Changes []config.Change `json:"changes"`
	DryRun  bool            `json:"dry_run"`
}

func applyCommand(a *app) *cobra.Command {
	var dry bool
	cmd := &cobra.Command{
		Use: "apply FILE", Short: "Make connections and syncs what a project file says, and show what changed",
		Long: `Make connections and syncs what a project file says. Applying it again changes
nothing. Connections that change are tested before they are kept; what the file
does not name is left alone.`,
		Args: takes(1, 1),
		RunE: func(cmd *cobra.Command, args []string) error {
			path := a.env.path(args[0])
			text, err := os.ReadFile(path)
			if err != nil {
				return usagef("reading the project file: %v", err)
			}
			project, err := config.Parse(path, text)
			if err != nil {
				return usagef("%v", err)
			}
			return a.with(cmd.Context(), nil, func(h *host) error {
				p := &applying{app: a, host: h, project: project, dry: dry, shape: ApplyShape{Changes: []config.Change{}, DryRun: dry}}
				err := p.all(cmd.Context())
				return errors.Join(a.result(p.shape, p.say), err)
			})
		},
	}
	cmd.Flags().BoolVar(&dry, "dry-run", false, "show what would change, change nothing")
	return cmd
}

// applying is one apply under way.
type applying struct {
	app     *app
	host    *host
	project *config.Project
	dry     bool
	shape   ApplyShape
}

func (p *applying) say() {
	for _, c := range p.shape.Changes {
		p.app.say("%s", c)
	}
	if len(p.shape.Changes) == 0 {
		p.app.say("nothing to change")
	}
}

func (p *applying) all(ctx context.Context) error {
	for _, c := range p.project.Connections {
		if err := p.connection(ctx, c); err != nil {
			return err
		}
	}
	for _, s := range p.project.Syncs {
		if err := p.sync(ctx, s); err != nil {
			return err
		}
	}
	return nil
}

// connection makes one connection what the file says. Secrets, parameters and
// addresses kept before stay; a connection with the same answers and secrets is
// not tested again.
func (p *applying) connection(ctx context.Context, wanted runner.Connection) error {
	old, err := p.host.store.Connection(ctx, wanted.Name)
	isNew := errors.Is(err, runner.ErrNotFound)
	if err != nil && !isNew {
		return err
	}
	secrets, err := p.project.Secrets(wanted.Name, p.app.env.lookup)
	if err != nil {
		return usagef("%v", err)
	}
	next := old
	next.Name, next.Connector, next.Answers, next.Overrides = wanted.Name, wanted.Connector, wanted.Answers, wanted.Overrides
	if next.Method = wanted.Method; next.Method == "" {
		next.Method = old.Method
	}
	if err := p.complete(ctx, &next); err != nil {
		return err
	}
	next.Secrets = maps.Clone(old.Secrets)
	if next.Secrets == nil {
		next.Secrets = connector.Answers{}
	}
	maps.Copy(next.Secrets, secrets)
	changes, err := config.Diff(written(old, isNew), config.WrittenConnection(next))
	if err != nil {
		return err
	}
	for _, field := range sortedNames(secrets) {
		if !slices.Equal(old.Secrets[field], secrets[field]) {
			changes = append(changes, config.Change{Path: "secrets." + field, Is: "(sealed)"})
		}
	}
	if len(changes) == 0 {
		return nil
	}
	if !p.dry {
		if err := p.keep(ctx, old, next, secrets, isNew); err != nil {
			return err
		}
	}
	p.note("connections."+wanted.Name, changes)
	return nil
}

// complete fills in the method and the answers the file leaves to the
// connector's defaults, as creating the connection by hand does.
func (p *applying) complete(ctx context.Context, next *runner.Connection) error {
	c := &createConnection{app: p.app, method: next.Method}
	method, err := c.methodOf(ctx, p.host, next.Connector, next.Answers)
	if err != nil {
		return fmt.Errorf("connection %s: %w", next.Name, err)
	}
	next.Method = method.Name
	answers := connector.Answers{}
	maps.Copy(answers, next.Answers)
	for _, f := range method.Form.Fields {
		if _, given := answers[f.Name]; !given && !f.Secret && len(f.Default) > 0 && applies(f, answers) {
			answers[f.Name] = slices.Clone(f.Default)
		}
	}
	next.Answers = answers
	return unknown(method.Form, answers)
}

func written(c runner.Connection, isNew bool) any {
	if isNew {
		return nil
	}
	return config.WrittenConnection(c)
}

// keep tests a connection, unless only its overrides changed, and stores it.
func (p *applying) keep(ctx context.Context, old, next runner.Connection, secrets connector.Answers, isNew bool) error {
	same := !isNew && old.Connector == next.Connector && old.Method == next.Method && maps.EqualFunc(old.Answers, next.Answers, slices.Equal)
	for field := range secrets {
		same = same && slices.Equal(old.Secrets[field], secrets[field])
	}
	if same {
		if _, err := runner.ApplyOverrides(next.Limits, next.Overrides); err != nil {
			return fmt.Errorf("connection %s: %w", next.Name, err)
		}
		return p.host.store.PutConnection(ctx, next)
	}
	tested, notices, err := p.host.TestConnection(ctx, next, connector.Authorization{})
	if err != nil {
		if connector.ClassOf(err) == connector.ClassAuth {
			err = fmt.Errorf("%w; a method that logs in through the browser needs: sluice connections create %s --replace", err, next.Name)
		}
		return err
	}
	for _, n := range notices {
		p.app.notice("connection %s: %s", next.Name, n)
	}
	return p.host.store.PutConnection(ctx, tested)
}

func (p *applying) sync(ctx context.Context, next runner.Sync) error {
	old, found, err := exists(ctx, p.host, next.Name)
	if err != nil {
		return err
	}
	var before any
	if found {
		before = config.WrittenSync(old)
	}
	changes, err := config.Diff(before, config.WrittenSync(next))
	if err != nil || len(changes) == 0 {
		return err
	}
	if !p.dry {
		if next.CreatedAt = old.CreatedAt; !found {
			next.CreatedAt = p.app.env.Now()
		}
		if err := p.host.ValidateSync(ctx, next); err != nil {
			return err
		}
		if err := p.host.store.PutSync(ctx, next); err != nil {
			return err
		}
	}
	p.note("syncs."+next.Name, changes)
	return nil
}

func (p *applying) note(prefix string, changes []config.Change) {
	for _, c := range changes {
		c.Path = prefix + "." + c.Path
		p.shape.Changes = append(p.shape.Changes, c)
	}
}

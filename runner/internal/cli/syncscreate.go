package cli

import (
	"context"
	"fmt"
	"maps"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/sluiceio/sluice/connector"
	"github.com/sluiceio/sluice/runner"
	"github.com/sluiceio/sluice/runner/internal/config"
)

// createSync holds the flags of "syncs create".
type createSync struct {
	app                            *app
	name, connection               string
	table, query, file, identifier string
	strategy                       string
	answers, maps, expressions     []string
	template                       string
	autoMap, replace               bool
	streams, tables, fields        []string
	attempts                       int
	backoff, deadline              time.Duration
}

func syncsCreate(a *app) *cobra.Command {
	c := &createSync{app: a}
	cmd := &cobra.Command{
		Use: "create SYNC --connection CONNECTION", Short: "Configure a sync and check it against the app",
		Long: `Configure a sync. Outbound, from the warehouse to the app:

  sluice syncs create companies --connection crm --source-table companies \
    --identifier id --strategy Upsert --set module=Accounts \
    --map Account_Name=name --map-sql "Website='https://' || domain"

A connector that takes one text per record, such as a message, is given a
template in Liquid, in which the columns of the source stand for their values:

  sluice syncs create welcome --connection chat --source-table customers \
    --identifier id --strategy Send --set channel=C0SALES \
    --template "{{ name }} of {{ country }} is a customer now"

Inbound, from the app to the warehouse:

  sluice syncs create crm --connection crm --stream Accounts --fields Accounts=Account_Name,Website \
    --stream Deals:full_refresh:append

What can be answered and mapped is shown by: sluice syncs form`,
		Args: takes(1, 1),
		RunE: func(cmd *cobra.Command, args []string) error {
			c.name = args[0]
			return a.with(cmd.Context(), nil, func(h *host) error { return c.run(cmd.Context(), h) })
		},
	}
	f := cmd.Flags()
	f.StringVar(&c.connection, "connection", "", "connection (needed when there are several)")
	f.StringVar(&c.table, "source-table", "", "take rows from a table or view")
	f.StringVar(&c.query, "source-query", "", "take rows from a SELECT statement")
	f.StringVar(&c.file, "source-file", "", "take rows from a CSV, Parquet or JSON file")
	f.StringVar(&c.identifier, "identifier", "", "source column that identifies a record")
	f.StringVar(&c.strategy, "strategy", "", "strategy, such as Upsert (see: sluice connectors show)")
	f.StringArrayVar(&c.answers, "set", nil, "answer NAME=VALUE of the form; may be repeated")
	f.StringArrayVar(&c.maps, "map", nil, "fill an app field from a column, FIELD=COLUMN; may be repeated")
	f.StringArrayVar(&c.expressions, "map-sql", nil, "fill an app field from a SQL expression, FIELD=EXPRESSION; may be repeated")
	f.StringVar(&c.template, "template", "", "render a text for each record, for connectors that take one; @FILE reads it from a file")
	f.BoolVar(&c.autoMap, "auto-map", false, "map columns to app fields of the same name, ignoring case and punctuation")
	f.StringArrayVar(&c.streams, "stream", nil, "read a stream, NAME[:full_refresh|incremental][:merge|append]; may be repeated")
	f.StringArrayVar(&c.tables, "table", nil, "fill this table from a stream, STREAM=TABLE; may be repeated")
	f.StringArrayVar(&c.fields, "fields", nil, "read only these fields of a stream and its key, STREAM=FIELD,FIELD; may be repeated (default all)")
	f.IntVar(&c.attempts, "max-attempts", 0, "runs that may try a record before it is held back (default 10)")
	f.DurationVar(&c.backoff, "backoff", 0, "pause after a record's first failed attempt, doubled after each further one")
	f.DurationVar(&c.deadline, "deadline", 0, "stop runs after this long; the next run goes on (default never)")
	f.BoolVar(&c.replace, "replace", false, "replace an existing sync")
	return cmd
}

func (c *createSync) run(ctx context.Context, h *host) error {
	sync, err := c.sync(ctx, h)
	if err != nil {
		return err
	}
	if err := h.ValidateSync(ctx, sync); err != nil {
		return err
	}
	if err := h.store.PutSync(ctx, sync); err != nil {
		return err
	}
	return c.app.result(syncShape(sync), func() {
		c.app.say("sync %s is ready", sync.Name)
		if sync.Outbound != nil {
			c.app.say("next: sluice syncs plan %s", sync.Name)
		} else {
			c.app.say("next: sluice syncs run %s", sync.Name)
		}
	})
}

// sync builds the sync from the flags.
func (c *createSync) sync(ctx context.Context, h *host) (runner.Sync, error) {
	sync := runner.Sync{Name: c.name, CreatedAt: c.app.env.Now()}
	if err := config.CheckSyncName(c.name); err != nil {
		return sync, usagef("%v", err)
	}
	old, found, err := exists(ctx, h, c.name)
	if err != nil {
		return sync, err
	}
	if found && !c.replace {
		return sync, fmt.Errorf("sync %s %w; use --replace, or another name", c.name, runner.ErrExists)
	}
	if found {
		sync.CreatedAt, sync.Overrides = old.CreatedAt, old.Overrides
	}
	if c.deadline < 0 {
		return sync, usagef("--deadline %s is not a time a run could take", c.deadline)
	}
	sync.Deadline = c.deadline
	if sync.Connection, err = whichConnection(ctx, h, c.connection); err != nil {
		return sync, err
	}
	answers, err := pairs("set", c.answers)
	if err != nil {
		return sync, err
	}
	outbound := c.table != "" || c.query != "" || c.file != "" || c.strategy != ""
	switch {
	case outbound && c.streams != nil:
		return sync, usagef("a sync has either a source (outbound) or streams (inbound), not both")
	case outbound:
		sync.Outbound, err = c.outbound(ctx, h, sync.Connection, answers)
	case c.streams != nil:
		sync.Inbound, err = c.inbound(answers)
	default:
		err = usagef("give --source-table, --source-query or --source-file for an outbound sync, or --stream for an inbound one")
	}
	return sync, err
}

// whichConnection returns the connection asked for, or the only one.
func whichConnection(ctx context.Context, h *host, name string) (string, error) {
	if name != "" {
		_, err := h.store.Connection(ctx, name)
		return name, err
	}
	all, err := h.store.Connections(ctx)
	if err != nil {
		return "", err
	}
	if len(all) != 1 {
		return "", usagef("there are %d connections: name one with --connection (see: sluice connections list)", len(all))
	}
	return all[0].Name, nil
}

func (c *createSync) outbound(ctx context.Context, h *host, connection string, answers connector.Answers) (*runner.OutboundSpec, error) {
	if given := slices.DeleteFunc([]string{c.table, c.query, c.file}, func(s string) bool { return s == "" }); len(given) != 1 {
		return nil, usagef("give exactly one of --source-table, --source-query and --source-file")
	}
	if c.identifier == "" {
		return nil, usagef("give --identifier, the source column that identifies a record")
	}
	if c.strategy == "" {
		return nil, usagef("give a --strategy, such as Upsert (see: sluice connectors show)")
	}
	spec := &runner.OutboundSpec{
		Source: runner.Source{Table: c.table, Query: c.query, File: c.app.env.path(c.file)}, Identifier: c.identifier,
		Strategy: c.strategy, Answers: answers, Retry: runner.RetryPolicy{MaxAttempts: c.attempts, Backoff: c.backoff},
	}
	for _, text := range c.maps {
		field, column, ok := strings.Cut(text, "=")
		if !ok || field == "" || column == "" {
			return nil, usagef("--map %s is not FIELD=COLUMN", text)
		}
		spec.Mappings = append(spec.Mappings, runner.Mapping{Field: field, Column: column})
	}
	for _, text := range c.expressions {
		field, expression, ok := strings.Cut(text, "=")
		if !ok || field == "" || expression == "" {
			return nil, usagef("--map-sql %s is not FIELD=EXPRESSION", text)
		}
		spec.Mappings = append(spec.Mappings, runner.Mapping{Field: field, Expression: expression})
	}
	template, err := c.readTemplate()
	if err != nil {
		return nil, err
	}
	spec.Template = template
	if spec.Template != "" {
		if c.autoMap || spec.Mappings != nil {
			return nil, usagef("a sync has either a --template or mappings, not both")
		}
		return spec, nil
	}
	if c.autoMap {
		return spec, c.mapByName(ctx, h, connection, spec)
	}
	if spec.Mappings == nil {
		return nil, usagef("map at least one field with --map FIELD=COLUMN, or use --auto-map, or give a --template where the connector takes a text (see: sluice syncs form)")
	}
	return spec, nil
}

// readTemplate returns the template, from a file where the flag says so.
func (c *createSync) readTemplate() (string, error) {
	file, ok := strings.CutPrefix(c.template, "@")
	if !ok {
		return c.template, nil
	}
	text, err := os.ReadFile(c.app.env.path(file))
	if err != nil {
		return "", usagef("--template: %v", err)
	}
	if strings.TrimSpace(string(text)) == "" {
		return "", usagef("--template: %s is empty", file)
	}
	return strings.TrimSuffix(string(text), "\n"), nil
}

func (c *createSync) inbound(answers connector.Answers) (*runner.InboundSpec, error) {
	tables, err := pairs("table", c.tables)
	if err != nil {
		return nil, err
	}
	fields, err := pairs("fields", c.fields)
	if err != nil {
		return nil, err
	}
	spec := &runner.InboundSpec{Answers: answers}
	for _, text := range c.streams {
		stream, err := config.ParseStream(text)
		if err != nil {
			return nil, usagef("%v", err)
		}
		stream.Table = tables.Get(stream.Name)
		delete(tables, stream.Name)
		for _, list := range fields[stream.Name] {
			for field := range strings.SplitSeq(list, ",") {
				if field = strings.TrimSpace(field); field == "" {
					return nil, usagef("--fields %s=%s has an empty name; write STREAM=FIELD,FIELD", stream.Name, list)
				}
				stream.Fields = append(stream.Fields, field)
			}
		}
		delete(fields, stream.Name)
		spec.Streams = append(spec.Streams, stream)
	}
	if len(tables) > 0 {
		return nil, usagef("--table names streams that are not read: %s", strings.Join(slices.Sorted(maps.Keys(tables)), ", "))
	}
	if len(fields) > 0 {
		return nil, usagef("--fields names streams that are not read: %s", strings.Join(slices.Sorted(maps.Keys(fields)), ", "))
	}
	return spec, nil
}

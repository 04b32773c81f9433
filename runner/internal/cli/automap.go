package cli

import (
	"context"
	"slices"
	"strings"
	"unicode"

	"github.com/sluiceio/sluice/connector"
	"github.com/sluiceio/sluice/runner"
)

// mapByName maps every source column that has the name or the label of an app
// field, unless the field is mapped already, and says what it did.
func (c *createSync) mapByName(ctx context.Context, h *host, connection string, spec *runner.OutboundSpec) error {
	columns, err := c.app.sourceColumns(ctx, spec.Source)
	if err != nil {
		return err
	}
	options, err := mapperFields(ctx, h, connection, spec.Strategy, spec.Answers)
	if err != nil {
		return err
	}
	for _, column := range columns {
		field, ok := fieldFor(column, options)
		if !ok || slices.ContainsFunc(spec.Mappings, func(m runner.Mapping) bool { return m.Field == field }) {
			c.app.notice("column %s is not mapped", column)
			continue
		}
		spec.Mappings = append(spec.Mappings, runner.Mapping{Field: field, Column: column})
		c.app.notice("column %s fills field %s", column, field)
	}
	if spec.Mappings == nil {
		return usagef("no column has the name of an app field: map them with --map FIELD=COLUMN (see: sluice syncs form)")
	}
	return nil
}

// fieldFor returns the writable app field whose name or label equals a column's.
func fieldFor(column string, options []connector.Option) (string, bool) {
	wanted := plain(column)
	for _, same := range []func(connector.Option) string{
		func(o connector.Option) string { return o.Value }, func(o connector.Option) string { return o.Label },
	} {
		for _, o := range options {
			if !o.Disabled && plain(same(o)) == wanted {
				return o.Value, true
			}
		}
	}
	return "", false
}

// plain keeps letters and digits, in lower case.
func plain(name string) string {
	return strings.Map(func(r rune) rune {
		if unicode.IsLetter(r) || unicode.IsDigit(r) {
			return unicode.ToLower(r)
		}
		return -1
	}, name)
}

// sourceColumns asks the warehouse for a source's columns.
func (a *app) sourceColumns(ctx context.Context, source runner.Source) ([]string, error) {
	from := source.Table
	switch {
	case source.Query != "":
		from = "(" + strings.TrimRight(strings.TrimSpace(source.Query), ";") + "\n)"
	case source.File != "":
		from = "'" + strings.ReplaceAll(source.File, "'", "''") + "'"
	}
	var names []string
	err := a.withWarehouse(ctx, func(w runner.Warehouse) error {
		rows, err := w.Query(ctx, "SELECT * FROM "+from+" LIMIT 0")
		if err != nil {
			return &runner.PlanError{Kind: runner.PlanSource, Message: "the source cannot be read: " + err.Error(), Cause: err}
		}
		for _, column := range rows.Columns {
			names = append(names, column.Name)
		}
		for _, err := range rows.All { // releases the query
			if err != nil {
				return err
			}
		}
		return nil
	})
	return names, err
}

// mapperFields lists the app fields of the outbound form's mapper.
func mapperFields(ctx context.Context, h *host, connection, strategy string, answers connector.Answers) ([]connector.Option, error) {
	form, err := h.Form(ctx, connection, connector.DirectionOutbound, strategy, answers)
	if err != nil {
		return nil, err
	}
	if form.Mapper == nil || form.Mapper.Fields == nil {
		return nil, nil
	}
	return allOptions(ctx, h, connection, connector.OptionsRequest{
		Source: form.Mapper.Fields.OptionSource, Direction: connector.DirectionOutbound, Strategy: strategy, Answers: answers,
	})
}

// allOptions fetches all pages of an option source.
func allOptions(ctx context.Context, h *host, connection string, request connector.OptionsRequest) ([]connector.Option, error) {
	var all []connector.Option
	for {
		page, err := h.Options(ctx, connection, request)
		if err != nil {
			return nil, err
		}
		all = append(all, page.Options...)
		if page.NextPageToken == "" || page.NextPageToken == request.PageToken {
			return all, nil
		}
		request.PageToken = page.NextPageToken
	}
}

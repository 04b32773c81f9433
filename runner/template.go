package runner

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"slices"
	"unicode/utf8"

	"github.com/sluiceio/sluice/connector"
)

// Templates reads the templates of syncs.
type Templates interface {
	// Parse reads a template. Its error says what is wrong with it, and on
	// which line.
	Parse(text string) (Template, error)
}

// Template makes one text of a row. It is safe for concurrent use.
type Template interface {
	// Columns are the source columns the template names, each once.
	Columns() []string
	// Render returns the text of a row that has these columns. A text of more
	// than limit bytes is [ErrTextTooLarge]. Other errors say what went wrong,
	// and on which line, without the content of the row.
	Render(ctx context.Context, columns []connector.Column, row Row, limit int) (string, error)
}

// ErrTextTooLarge is the error of a text that was not rendered to its end.
var ErrTextTooLarge = errors.New("the text is too large")

// Bounds of rendered texts: of one text, and of the texts of one batch (a
// single one may exceed it).
const (
	maxTextBytes  = 1 << 20
	maxBatchBytes = 1 << 20
)

// textField is the one column of records made by a template.
const textField = "text"

var textType = connector.Type{Kind: connector.KindString}

// parseTemplate reads a template that was given with a sync.
func (e *Engine) parseTemplate(text string) (Template, error) {
	if e.templates == nil {
		return nil, badTemplate("this host renders no templates")
	}
	t, err := e.templates.Parse(text)
	if err != nil {
		return nil, badTemplate(err.Error())
	}
	return t, nil
}

func badTemplate(what string) *connector.Error {
	e := connector.Errorf(connector.ClassConfig, "BAD_TEMPLATE", "the template cannot be used: %s", what)
	e.Fields = []connector.FieldViolation{{Field: "template", Description: what}}
	return e
}

// textMapper returns what the connector says of the texts it takes.
func textMapper(ctx context.Context, session connector.Session, sync Sync) (*connector.TemplateMapper, error) {
	form, err := syncForm(ctx, session, connector.DirectionOutbound, connector.FormRequest{Strategy: sync.Outbound.Strategy, Answers: sync.Outbound.Answers})
	if err != nil {
		return nil, fmt.Errorf("asking what the connector takes: %w", err)
	}
	if form.Mapper == nil || form.Mapper.Template == nil {
		return nil, badTemplate("the connector takes fields, not a text: map them")
	}
	return form.Mapper.Template, nil
}

// withTemplate has the plan map what a template names: these columns are what a
// change is a change of, and what the outbox holds. The text is rendered from
// them when records are handed to the connector, and dates in it are for people,
// so they are written as in ISO 8601 whatever the connector asks for.
func (e *Engine) withTemplate(ctx context.Context, session connector.Session, sync Sync, plan OutboundPlan) (OutboundPlan, error) {
	text := sync.Outbound.Template
	if text == "" {
		return plan, nil
	}
	if _, err := textMapper(ctx, session, sync); err != nil {
		return plan, err
	}
	t, err := e.parseTemplate(text)
	if err != nil {
		return plan, err
	}
	plan.Template, plan.Rendering, plan.Mappings = text, connector.Rendering{}, nil
	for _, c := range t.Columns() {
		plan.Mappings = append(plan.Mappings, Mapping{Field: c, Column: c})
	}
	return plan, nil
}

// texts renders the records of an outbox that was made for a template. Nil
// leaves records as they are.
type texts struct {
	template  Template
	columns   []connector.Column // of the outbox
	schema    *connector.Schema  // of the rendered records
	maxLength int                // in code points, 0 for none
}

// textsFor returns what renders the records of an outbox, which keeps the
// template it was made for: the sync's may have been changed since.
func (e *Engine) textsFor(ctx context.Context, session connector.Session, sync Sync, report PlanReport) (*texts, error) {
	if report.Template == "" {
		return nil, nil
	}
	t, err := e.parseTemplate(report.Template)
	if err != nil {
		return nil, err
	}
	mapper, err := textMapper(ctx, session, sync)
	if err != nil {
		return nil, err
	}
	return &texts{
		template: t, columns: report.Schema.Columns, maxLength: mapper.MaxLength,
		schema: &connector.Schema{ID: report.Schema.ID + ".text", Columns: []connector.Column{{Name: textField, Type: textType}}},
	}, nil
}

// render returns the text of a row, or why the record cannot be sent.
func (t *texts) render(ctx context.Context, row Row) (string, *connector.Error) {
	limit := maxTextBytes
	if t.maxLength > 0 {
		limit = min(limit, utf8.UTFMax*t.maxLength)
	}
	text, err := t.template.Render(ctx, t.columns, row, limit)
	switch {
	case errors.Is(err, ErrTextTooLarge) && t.maxLength > 0, err == nil && t.maxLength > 0 && utf8.RuneCountInString(text) > t.maxLength:
		return "", connector.Errorf(connector.ClassTooLarge, "TEXT_TOO_LONG", "the rendered text has more than the %d characters that the app takes", t.maxLength)
	case errors.Is(err, ErrTextTooLarge):
		return "", connector.Errorf(connector.ClassTooLarge, "TEXT_TOO_LONG", "the rendered text has more than %d bytes", maxTextBytes)
	case err != nil:
		return "", connector.Errorf(connector.ClassRejected, "TEMPLATE_FAILED", "the template: %w", err)
	}
	return text, nil
}

// of renders records of the outbox into batches of bounded size, and names the
// rows that cannot be rendered. Records to be deleted have no text: what they
// were is gone. Records of a ticket are all kept, since the app has them.
func (t *texts) of(ctx context.Context, batch *connector.RecordBatch) (rendered []*connector.RecordBatch, refused connector.Outcomes) {
	row := Row{Texts: make([]string, len(t.columns)), Null: make([]bool, len(t.columns))}
	var out *connector.RecordBatch
	size := 0
	for i := range batch.Rows {
		text, null := "", batch.Action == connector.ActionDelete
		if !null {
			var err *connector.Error
			readRow(batch, i, row)
			if text, err = t.render(ctx, row); err != nil && batch.Ticket == "" {
				refused.Exceptions = append(refused.Exceptions, connector.RowOutcome{Row: len(refused.Seqs), Status: connector.StatusInvalid, Error: err})
				refused.Seqs = append(refused.Seqs, batch.Seqs[i])
				continue
			}
		}
		if out == nil || size+len(text) > maxBatchBytes {
			out = &connector.RecordBatch{Schema: t.schema, Action: batch.Action, Ticket: batch.Ticket, Columns: make([]connector.Values, 1)}
			rendered = append(rendered, out)
			size = 0
		}
		if null {
			out.Columns[0].Nulls = append(out.Columns[0].Nulls, uint32(out.Rows))
		}
		out.Columns[0].Texts = append(out.Columns[0].Texts, text)
		out.Seqs, out.Identifiers = append(out.Seqs, batch.Seqs[i]), append(out.Identifiers, batch.Identifiers[i])
		if batch.AppIdentifiers != nil {
			out.AppIdentifiers = append(out.AppIdentifiers, batch.AppIdentifiers[i])
		}
		out.Rows++
		size += len(text)
	}
	return rendered, refused
}

// readRow copies a row of a batch.
func readRow(batch *connector.RecordBatch, row int, into Row) {
	for c := range into.Texts {
		into.Texts[c], into.Null[c] = batch.Columns[c].Texts[row], batch.Columns[c].IsNull(row)
	}
}

// rendered renders the records of an outbox on their way, and settles those for
// which that fails: they are INVALID.
func (r *outboundRun) rendered(ctx context.Context, records iter.Seq2[*connector.RecordBatch, error]) iter.Seq2[*connector.RecordBatch, error] {
	if r.texts == nil {
		return records
	}
	return func(yield func(*connector.RecordBatch, error) bool) {
		for batch, err := range records {
			if err != nil {
				yield(nil, err)
				return
			}
			batches, refused := r.texts.of(ctx, batch)
			if ctx.Err() != nil {
				return // rows may have failed for that alone
			}
			if len(refused.Seqs) > 0 {
				if err := r.settle(refused); err != nil {
					yield(nil, err)
					return
				}
			}
			for _, b := range batches {
				if !yield(b, nil) {
					return
				}
			}
		}
	}
}

// sampled renders the samples of a plan. Those that cannot be rendered are
// findings.
func (t *texts) sampled(ctx context.Context, report PlanReport) (PlanReport, []Finding) {
	if t == nil {
		return report, nil
	}
	var found []Finding
	samples := slices.Clone(report.Samples)
	report.Schema, report.Samples = t.schema, nil
	for _, s := range samples {
		text, null := "", s.Action == connector.ActionDelete
		if !null {
			var err *connector.Error
			if text, err = t.render(ctx, Row{Texts: s.Values, Null: s.Null}); err != nil {
				found = append(found, Finding{Identifier: s.Identifier, Action: s.Action, Status: connector.StatusInvalid, Error: err})
				continue
			}
		}
		s.Values, s.Null = []string{text}, []bool{null}
		report.Samples = append(report.Samples, s)
	}
	return report, found
}

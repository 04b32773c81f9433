package runner

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/sluiceio/sluice/connector"
)

// fakeTemplates reads templates that name the column Email and put their own
// text before it. "broken" is none; identifiers that end in 3 cannot be rendered,
// and those that end in 4 are long.
type fakeTemplates struct{}

func (fakeTemplates) Parse(text string) (Template, error) {
	if text == "broken" {
		return nil, errors.New("line 1: it is broken")
	}
	return fakeTemplate(text), nil
}

type fakeTemplate string

func (fakeTemplate) Columns() []string { return []string{"Email"} }

func (t fakeTemplate) Render(_ context.Context, columns []connector.Column, row Row, limit int) (string, error) {
	text := string(t) + " " + row.Texts[0]
	switch {
	case len(columns) != 1 || columns[0].Name != "Email":
		return "", fmt.Errorf("the columns are %v", columns)
	case strings.HasSuffix(text, "3"):
		return "", errors.New("line 1: a filter")
	case strings.HasSuffix(text, "4"):
		text = strings.Repeat("long", 300_000)
	}
	if len(text) > limit {
		return "", ErrTextTooLarge
	}
	return text, nil
}

// newTextRig has a sync with a template.
func newTextRig(t *testing.T, records, maxLength int) *rig {
	r := newRig(t, records)
	r.script.form = connector.Form{Mapper: &connector.Mapper{Template: &connector.TemplateMapper{MaxLength: maxLength}}}
	r.give("Hello")
	return r
}

// give gives the sync a template.
func (r *rig) give(template string) {
	sync := r.store.syncs["out"]
	spec := *sync.Outbound
	spec.Template, spec.Mappings = template, nil
	sync.Outbound = &spec
	r.store.syncs["out"] = sync
}

func TestTheHostRendersTemplates(t *testing.T) {
	bubble(t, func(t *testing.T) {
		r := newTextRig(t, 5, 0)
		got := map[string]string{}
		r.script.outbound = func(ctx context.Context, sync connector.OutboundSync, stream connector.OutboundStream) error {
			if len(sync.Mapping) != 1 || sync.Mapping[0].Name != "text" || sync.Mapping[0].Type.Kind != connector.KindString {
				t.Errorf("the mapping is %v", sync.Mapping)
			}
			return each(func(ctx context.Context, b *connector.RecordBatch, stream connector.OutboundStream) error {
				if b.Schema.Column("text") != 0 || len(b.Columns) != 1 || len(b.Seqs) != b.Rows {
					t.Errorf("a batch has the columns %v and %d rows", b.Schema.Columns, b.Rows)
				}
				for i, id := range b.Identifiers {
					got[id] = b.Columns[0].Texts[i]
				}
				return succeed(ctx, b, stream)
			})(ctx, sync, stream)
		}
		run := mustRun(t, r, RunOptions{})
		wantRun(t, run, RunIncomplete, map[connector.Status]int64{connector.StatusSucceeded: 3, connector.StatusInvalid: 2})
		if d := cmp.Diff(map[string]string{"id-1": "Hello id-1", "id-2": "Hello id-2", "id-5": "Hello id-5"}, got); d != "" {
			t.Errorf("texts (-want +got):\n%s", d)
		}
		var reasons []string
		for o, err := range r.warehouse.Outcomes(t.Context(), "out", run.ID, OutcomeFilter{Statuses: []connector.Status{connector.StatusInvalid}}) {
			if err != nil {
				t.Fatal(err)
			}
			reasons = append(reasons, fmt.Sprint(o.Seq)+" "+o.Code+" "+o.Message)
		}
		slices.Sort(reasons)
		want := []string{"3 TEMPLATE_FAILED the template: line 1: a filter", "4 TEXT_TOO_LONG the rendered text has more than 1048576 bytes"}
		if d := cmp.Diff(want, reasons); d != "" {
			t.Errorf("reasons (-want +got):\n%s", d)
		}
		// What could not be rendered is tried again by the next run, the rest is not.
		run = mustRun(t, r, RunOptions{})
		if run.Outcomes[connector.StatusSucceeded] != 0 {
			t.Errorf("the next run sent %v", run.Outcomes)
		}
	})
}

func TestTextsKeepTheLengthTheAppTakes(t *testing.T) {
	bubble(t, func(t *testing.T) {
		r := newTextRig(t, 10, len("Hello id-1"))
		r.script.outbound = each(succeed)
		run := mustRun(t, r, RunOptions{})
		// 3 fails, 4 and 10 are too long.
		wantRun(t, run, RunIncomplete, map[connector.Status]int64{connector.StatusSucceeded: 7, connector.StatusInvalid: 3})
	})
}

func TestAResumedRunKeepsItsTemplate(t *testing.T) {
	bubble(t, func(t *testing.T) {
		r := newTextRig(t, 2, 0)
		r.script.outbound = func(context.Context, connector.OutboundSync, connector.OutboundStream) error {
			r.machine.reboot(1, false) // the next step is its last
			return errBusy
		}
		if _, err := r.Run(t.Context(), "out", RunOptions{}); err == nil {
			t.Fatal("the machine did not crash")
		}
		r.machine.reboot(0, false)
		r.restart(t)
		r.give("Bye")
		var got []string
		r.script.outbound = each(func(ctx context.Context, b *connector.RecordBatch, stream connector.OutboundStream) error {
			got = append(got, b.Columns[0].Texts...)
			return succeed(ctx, b, stream)
		})
		wantRun(t, mustRun(t, r, RunOptions{}), RunHealthy, map[connector.Status]int64{})
		if d := cmp.Diff([]string{"Hello id-1", "Hello id-2"}, got); d != "" {
			t.Errorf("texts (-want +got):\n%s", d)
		}
	})
}

// TestTextsOfABatch covers what a run does not easily come to.
func TestTextsOfABatch(t *testing.T) {
	t.Parallel()
	x := &texts{template: fakeTemplate(strings.Repeat("x", 400_000)), columns: fakeSchema.Columns, schema: &connector.Schema{ID: "s"}}
	batch := func(action connector.Action, ticket string, ids ...string) *connector.RecordBatch {
		b := &connector.RecordBatch{Schema: fakeSchema, Action: action, Ticket: ticket, Rows: len(ids), Identifiers: ids, AppIdentifiers: ids, Columns: []connector.Values{{Texts: ids}}}
		for i := range ids {
			b.Seqs = append(b.Seqs, int64(i+1))
		}
		return b
	}
	got, refused := x.of(t.Context(), batch(connector.ActionSend, "", "1", "2", "3", "5", "6", "7"))
	if len(got) != 3 || got[0].Rows != 2 || got[2].Rows != 1 || !slices.Equal(got[1].Seqs, []int64{4, 5}) || !slices.Equal(got[1].AppIdentifiers, []string{"5", "6"}) {
		t.Errorf("%d batches: %+v", len(got), got)
	}
	if !slices.Equal(refused.Seqs, []int64{3}) || refused.Exceptions[0].Row != 0 || refused.Exceptions[0].Status != connector.StatusInvalid {
		t.Errorf("refused: %+v", refused)
	}
	// The app has the records of a ticket, whatever becomes of their texts.
	if got, refused = x.of(t.Context(), batch(connector.ActionSend, "t", "3")); len(got) != 1 || got[0].Rows != 1 || got[0].Ticket != "t" || len(refused.Seqs) != 0 {
		t.Errorf("of a ticket: %+v, %+v", got, refused)
	}
	// What is deleted has no values any more.
	if got, _ = x.of(t.Context(), batch(connector.ActionDelete, "", "3")); len(got) != 1 || !got[0].Columns[0].IsNull(0) || got[0].Columns[0].Texts[0] != "" {
		t.Errorf("deleted: %+v", got)
	}
}

func TestAPlanShowsRenderedTexts(t *testing.T) {
	t.Parallel()
	r := newTextRig(t, 5, 0)
	r.script.validate = func(b *connector.RecordBatch) []connector.RowOutcome {
		if b.Columns[0].Texts[0] != "Hello id-1" {
			t.Errorf("the connector was shown %q", b.Columns[0].Texts)
		}
		return []connector.RowOutcome{{Row: 1, Status: connector.StatusInvalid, Error: connector.Errorf(connector.ClassRejected, "UGLY", "ugly")}}
	}
	plan, err := r.Plan(t.Context(), "out", PlanOptions{Samples: 5})
	if err != nil {
		t.Fatal(err)
	}
	var shown []string
	for _, s := range plan.Report.Samples {
		shown = append(shown, s.Values[0])
	}
	if d := cmp.Diff([]string{"Hello id-1", "Hello id-2", "Hello id-5"}, shown); d != "" || plan.Report.Schema.Columns[0].Name != "text" {
		t.Errorf("samples (-want +got):\n%s", d)
	}
	var findings []string
	for _, f := range plan.Findings {
		findings = append(findings, f.Identifier+" "+f.Error.Code)
	}
	if d := cmp.Diff([]string{"id-3 TEMPLATE_FAILED", "id-4 TEXT_TOO_LONG", "id-2 UGLY"}, findings); d != "" {
		t.Errorf("findings (-want +got):\n%s", d)
	}
}

func TestTemplatesThatDoNotFitAreRefused(t *testing.T) {
	t.Parallel()
	r := newTextRig(t, 1, 0)
	sync := r.store.syncs["out"]
	check := func(want ...string) {
		t.Helper()
		wantViolations(t, r.ValidateSync(t.Context(), sync), want)
	}
	check()
	sync.Outbound.Template = "broken"
	check("template: line 1: it is broken")
	sync.Outbound.Mappings = []Mapping{{Field: "text", Column: "c"}}
	check("template: a sync has either a template or mappings", "template: line 1: it is broken")
	sync.Outbound.Template = ""
	check() // SQL may make the text as well
	r.script.form.Mapper = &connector.Mapper{Fields: &connector.FieldMapper{OptionSource: "fields"}}
	r.script.options = map[string][]connector.Option{"fields": {{Value: "text"}}}
	sync.Outbound.Template, sync.Outbound.Mappings = "Hello", nil
	check("template: the connector takes fields, not a text: map them")

	// A run finds out before it plans.
	r.script.outbound = each(succeed)
	run, err := r.Run(t.Context(), "out", RunOptions{})
	if e := connector.AsError(err); e == nil || e.Code != "BAD_TEMPLATE" || run.State != RunFailed || len(r.warehouse.outbox) != 0 {
		t.Errorf("a run gave %v and %s", err, run.State)
	}
}

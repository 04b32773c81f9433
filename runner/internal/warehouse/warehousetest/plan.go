package warehousetest

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/google/go-cmp/cmp"

	"github.com/sluiceio/sluice/connector"
	"github.com/sluiceio/sluice/runner"
)

var standardStrategies = []connector.Strategy{
	connector.StrategyCreate, connector.StrategyUpdate, connector.StrategyUpsert, connector.StrategyDelete,
	connector.StrategyMirror, connector.StrategySend, connector.StrategyReplace,
}

func testStrategies(e *exam) {
	e.sql(`CREATE TABLE leads (id VARCHAR, name VARCHAR, email VARCHAR, note VARCHAR)`)
	for _, s := range standardStrategies {
		e.sql(`DELETE FROM leads`, `INSERT INTO leads VALUES ('same', 'a', NULL, NULL), ('changed', 'a', NULL, NULL), ('removed', 'a', NULL, NULL)`)
		plan := e.leadsPlan(s)
		plan.SyncID = "sync-" + strings.ToLower(s.Name)
		first := e.run(plan, connector.StatusSucceeded)
		if got, want := sent(first), []string{"same:" + string(s.New), "changed:" + string(s.New), "removed:" + string(s.New)}; !slices.Equal(got, want) {
			e.Errorf("%s: first run sends %v, want %v", s.Name, got, want)
		}
		e.sql(`DELETE FROM leads WHERE id = 'removed'`, `UPDATE leads SET name = 'b' WHERE id = 'changed'`, `INSERT INTO leads VALUES ('new', 'a', NULL, NULL)`)
		second := e.leadsPlan(s)
		second.SyncID = plan.SyncID
		e.plan(second)
		got := map[string]connector.Action{}
		for _, r := range e.records(second, runner.OutboxSelection{}) {
			got[r.identifier] = r.action
			if r.identifier == "changed" && r.app != "app-changed" {
				e.Errorf("%s: the changed record goes without its app identifier", s.Name)
			}
		}
		want := map[string]connector.Action{}
		for id, a := range map[string]connector.Action{"new": s.New, "changed": s.Changed, "removed": s.Removed, "same": s.Unchanged} {
			if a != "" {
				want[id] = a
			}
		}
		if d := cmp.Diff(want, got); d != "" {
			e.Errorf("%s: second run (-want +got)\n%s", s.Name, d)
		}
	}
}

// planError plans and returns the plan error it must meet.
func (e *exam) planError(plan runner.OutboundPlan, kind runner.PlanErrorKind) *runner.PlanError {
	e.Helper()
	_, err := e.w.Plan(e.ctx(), plan)
	var p *runner.PlanError
	if !errors.As(err, &p) {
		e.Fatalf("Plan: error is %v, want a PlanError of kind %s", err, kind)
	}
	if p.Kind != kind {
		e.Fatalf("Plan: error is of kind %s (%v), want %s", p.Kind, p, kind)
	}
	return p
}

func testNullIdentifiers(e *exam) {
	e.leads(`'1', 'a', NULL, NULL`, `NULL, 'b', NULL, NULL`, `'', 'c', NULL, NULL`)
	p := e.planError(e.leadsPlan(connector.StrategyUpsert), runner.PlanNullIdentifiers)
	if p.Count != 2 || !slices.Equal(p.Examples, []string{"row 2", "row 3"}) || !strings.Contains(p.Message, "row 2, row 3") {
		e.Errorf("error is %+v, want it to name rows 2 and 3", p)
	}
}

func testDuplicateIdentifiers(e *exam) {
	e.leads(`'1', 'a', NULL, NULL`, `'2', 'b', NULL, NULL`, `'1', 'c', NULL, NULL`)
	for i := range 7 {
		e.sql(fmt.Sprintf(`INSERT INTO leads VALUES ('d%[1]d', 'x', NULL, NULL), ('d%[1]d', 'y', NULL, NULL)`, i))
	}
	p := e.planError(e.leadsPlan(connector.StrategyUpsert), runner.PlanDuplicateIdentifiers)
	if p.Count != 16 || !slices.Equal(p.Examples, []string{"1", "d0", "d1", "d2", "d3"}) {
		e.Errorf("error has count %d and examples %v, want 16 and the first five", p.Count, p.Examples)
	}
}

// Records that the state knows are compared with it and not with each other: one that
// is there twice must be found all the same, and be it beside one that is gone.
func testKnownDuplicates(e *exam) {
	e.leads(`'1', 'a', NULL, NULL`, `'2', 'b', NULL, NULL`, `'3', 'c', NULL, NULL`)
	e.run(e.leadsPlan(connector.StrategyMirror), connector.StatusSucceeded)
	for name, change := range map[string][]string{
		"the same again":      {`INSERT INTO leads VALUES ('2', 'b', NULL, NULL)`},
		"other values":        {`INSERT INTO leads VALUES ('2', 'x', NULL, NULL)`},
		"another one is gone": {`INSERT INTO leads VALUES ('2', 'b', NULL, NULL)`, `DELETE FROM leads WHERE id = '1'`},
		"another one is new":  {`INSERT INTO leads VALUES ('2', 'b', NULL, NULL), ('4', 'd', NULL, NULL)`},
	} {
		e.sql(append([]string{`CREATE TABLE kept AS FROM leads`}, change...)...)
		p := e.planError(e.leadsPlan(connector.StrategyMirror), runner.PlanDuplicateIdentifiers)
		if p.Count != 2 || !slices.Equal(p.Examples, []string{"2"}) {
			e.Errorf("%s: error has count %d and examples %v, want 2 and 2", name, p.Count, p.Examples)
		}
		e.sql(`DELETE FROM leads`, `INSERT INTO leads FROM kept`, `DROP TABLE kept`)
	}
	if got := e.run(e.leadsPlan(connector.StrategyMirror), connector.StatusSucceeded); len(got) != 0 {
		e.Errorf("the source is as it was and %v was sent", sent(got))
	}
}

func testPlanErrors(e *exam) {
	e.leads(`'1', 'x', NULL, NULL`)
	for name, c := range map[string]struct {
		change func(*runner.OutboundPlan)
		kind   runner.PlanErrorKind
		says   string
	}{
		"no such table":              {func(p *runner.OutboundPlan) { p.Source = runner.Source{Table: "nowhere"} }, runner.PlanSource, "nowhere"},
		"broken query":               {func(p *runner.OutboundPlan) { p.Source = runner.Source{Query: "SELEC 1"} }, runner.PlanSource, ""},
		"no source":                  {func(p *runner.OutboundPlan) { p.Source = runner.Source{} }, runner.PlanSource, "exactly one"},
		"no such file":               {func(p *runner.OutboundPlan) { p.Source = runner.Source{File: "/nowhere/x.csv"} }, runner.PlanSource, "/nowhere/x.csv"},
		"no identifier":              {func(p *runner.OutboundPlan) { p.Identifier = "key" }, runner.PlanIdentifier, "key"},
		"no such column":             {func(p *runner.OutboundPlan) { p.Mappings[0].Column = "nam" }, runner.PlanMapping, "nam"},
		"broken expression":          {func(p *runner.OutboundPlan) { p.Mappings[1].Expression = "lower(" }, runner.PlanMapping, "Email"},
		"unknown in an expression":   {func(p *runner.OutboundPlan) { p.Mappings[1].Expression = "lower(mail)" }, runner.PlanMapping, "Email"},
		"two expressions":            {func(p *runner.OutboundPlan) { p.Mappings[1].Expression = "1) AS a, (2" }, runner.PlanMapping, "Email"},
		"an aggregate":               {func(p *runner.OutboundPlan) { p.Mappings[1].Expression = "count(*)" }, runner.PlanMapping, "Email"},
		"neither":                    {func(p *runner.OutboundPlan) { p.Mappings[1].Expression = "" }, runner.PlanMapping, "Email"},
		"a field twice":              {func(p *runner.OutboundPlan) { p.Mappings[1].Field = "Name" }, runner.PlanMapping, "twice"},
		"a cast that fails on a row": {func(p *runner.OutboundPlan) { p.Mappings[1].Expression = "CAST(name AS INTEGER)" }, runner.PlanMapping, "Email"},
	} {
		plan := e.leadsPlan(connector.StrategyUpsert)
		c.change(&plan)
		_, err := e.w.Plan(e.ctx(), plan)
		var p *runner.PlanError
		if !errors.As(err, &p) || p.Kind != c.kind || !strings.Contains(p.Message, c.says) {
			e.Errorf("%s: error is %v, want kind %s naming %q", name, err, c.kind, c.says)
		}
	}
}

func testPlanOnce(e *exam) {
	e.leads(`'1', 'a', NULL, NULL`)
	plan := e.leadsPlan(connector.StrategyUpsert)
	first := e.plan(plan)
	e.sql(`INSERT INTO leads VALUES ('2', 'b', NULL, NULL)`)
	if d := cmp.Diff(first, e.plan(plan)); d != "" {
		e.Errorf("planning again reports something else (-first +again)\n%s", d)
	}
	if got := sent(e.records(plan, runner.OutboxSelection{})); !slices.Equal(got, []string{"1:Create"}) {
		e.Errorf("the outbox has become %v", got)
	}
	if _, err := e.w.Plan(e.ctx(), e.leadsPlan(connector.StrategyUpsert)); !errors.Is(err, runner.ErrRunning) {
		e.Errorf("planning another run of the sync gives %v, want ErrRunning", err)
	}
}

func testPreview(e *exam) {
	e.leads(`'1', 'a', 'A@B', NULL`, `'2', 'b', NULL, NULL`)
	plan := e.leadsPlan(connector.StrategyUpsert)
	plan.RunID, plan.Samples = "", 1
	preview := e.plan(plan)
	plan.RunID = "run"
	report := e.plan(plan)
	want := []runner.Sample{{Identifier: "1", Action: connector.ActionCreate, Values: []string{"a", "a@b"}, Null: []bool{false, false}}}
	if d := cmp.Diff(want, preview.Samples); d != "" {
		e.Errorf("samples (-want +got)\n%s", d)
	}
	preview.Schema.ID = report.Schema.ID
	if d := cmp.Diff(report, preview); d != "" {
		e.Errorf("the preview promised something else (-plan +preview)\n%s", d)
	}
}

func testUnmapped(e *exam) {
	e.leads(`'1', 'a', NULL, NULL`)
	e.run(e.leadsPlan(connector.StrategyUpsert), connector.StatusSucceeded)
	e.sql(`UPDATE leads SET note = 'seen'`)
	if got := e.run(e.leadsPlan(connector.StrategyUpsert), connector.StatusSucceeded); len(got) != 0 {
		e.Errorf("a note changed and %v was sent", sent(got))
	}
	e.sql(`UPDATE leads SET name = NULL`)
	e.run(e.leadsPlan(connector.StrategyUpsert), connector.StatusSucceeded)
	e.sql(`UPDATE leads SET name = ''`)
	if got := sent(e.run(e.leadsPlan(connector.StrategyUpsert), connector.StatusSucceeded)); !slices.Equal(got, []string{"1:Update"}) {
		e.Errorf("null became empty and %v was sent", got)
	}
}

func testRemapped(e *exam) {
	e.leads(`'1', 'a', 'b', NULL`)
	e.run(e.leadsPlan(connector.StrategyUpsert), connector.StatusSucceeded)
	swapped := e.leadsPlan(connector.StrategyUpsert)
	slices.Reverse(swapped.Mappings)
	if got := e.run(swapped, connector.StatusSucceeded); len(got) != 0 {
		e.Errorf("the order of the mapping changed and %v was sent", sent(got))
	}
	renamed := e.leadsPlan(connector.StrategyUpsert)
	renamed.Mappings[0].Field = "Last_Name"
	if got := sent(e.run(renamed, connector.StatusSucceeded)); !slices.Equal(got, []string{"1:Update"}) {
		e.Errorf("a field was renamed and %v was sent", got)
	}
}

// templated plans leads for a template.
func (e *exam) templated(template string, columns ...string) runner.OutboundPlan {
	plan := e.leadsPlan(connector.StrategyUpsert)
	plan.Mappings, plan.Template = nil, template
	for _, c := range columns {
		plan.Mappings = append(plan.Mappings, runner.Mapping{Field: c, Column: c})
	}
	return plan
}

func testTemplate(e *exam) {
	e.leads(`'1', 'a', 'b', NULL`)
	plan := e.templated("Hello {{ name }}", "name")
	if report := e.plan(plan); report.Template != plan.Template {
		e.Errorf("the report has the template %q", report.Template)
	}
	other := plan
	other.Template = "Bye {{ name }}"
	if report := e.plan(other); report.Template != plan.Template {
		e.Errorf("the outbox is said to be for the template %q", report.Template)
	}
	e.run(plan, connector.StatusSucceeded)
	if got := e.run(e.templated("Hello {{ name }}", "name"), connector.StatusSucceeded); len(got) != 0 {
		e.Errorf("nothing changed and %v was sent", sent(got))
	}
	for _, changed := range []runner.OutboundPlan{e.templated("Bye {{ name }}", "name"), e.templated("Hello")} {
		if got := sent(e.run(changed, connector.StatusSucceeded)); !slices.Equal(got, []string{"1:Update"}) {
			e.Errorf("the template became %q and %v was sent", changed.Template, got)
		}
	}
	if p := e.planError(e.templated("Hello {{ nme }}", "nme"), runner.PlanMapping); !strings.Contains(p.Message, `the template names "nme"`) {
		e.Errorf("a name that is no column: %s", p.Message)
	}
}

func testLimit(e *exam) {
	e.leads(`'3', 'a', NULL, NULL`, `'1', 'a', NULL, NULL`, `'2', 'a', NULL, NULL`)
	plan := e.leadsPlan(connector.StrategyMirror)
	plan.Limit = 2
	if got := sent(e.run(plan, connector.StatusSucceeded)); !slices.Equal(got, []string{"1:Create", "2:Create"}) {
		e.Errorf("a limit of 2 sent %v", got)
	}
	e.sql(`DELETE FROM leads WHERE id = '1'`)
	plan = e.leadsPlan(connector.StrategyMirror)
	plan.Limit = 1
	report := e.plan(plan)
	if got := sent(e.records(plan, runner.OutboxSelection{})); !slices.Equal(got, []string{"1:Delete"}) || report.Records != 1 {
		e.Errorf("a limit of 1 sent %v and reported %d", got, report.Records)
	}
}

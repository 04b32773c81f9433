package runner

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/sluiceio/sluice/connector"
)

func someLimits() connector.Limits {
	return connector.Limits{
		Pools: []connector.Pool{{Name: "credits", Label: "Credits", Capacity: 170_000, Window: 24 * time.Hour}},
		Limits: []connector.Limit{
			{Category: "bulk", Label: "Bulk Write Initialize", MaxConcurrency: 10, Cost: &connector.Cost{Pool: "credits", Units: 500}},
			{Category: "records", Label: "Records", Cost: &connector.Cost{Pool: "credits", Units: 1, Items: 10}},
			{Category: "download", Rates: []connector.Rate{{Count: 10, Per: time.Minute}}, Shared: "heavy", MaxConcurrency: 2},
			{Category: "free"},
		},
	}
}

func TestOverridesChangeWhatTheyNameAndNothingElse(t *testing.T) {
	t.Parallel()
	two, thousand := 2, int64(1000)
	reported := someLimits()
	limits, err := ApplyOverrides(reported, []LimitOverride{
		{Category: "bulk", MaxConcurrency: &two},
		{Category: "free", Rates: []connector.Rate{{Count: 1, Per: time.Hour}}},
		{Pool: "credits", Capacity: &thousand},
		{Category: "nonsense", MaxConcurrency: &two},
	})
	if err == nil || !strings.Contains(err.Error(), `"nonsense"`) || !strings.Contains(err.Error(), "limit bulk") {
		t.Errorf("err = %v, want it to name what does not exist and what does", err)
	}
	want := someLimits()
	want.Limits[0].MaxConcurrency, want.Pools[0].Capacity = 2, 1000
	want.Limits[3].Rates = []connector.Rate{{Count: 1, Per: time.Hour}}
	if diff := cmp.Diff(want, limits); diff != "" {
		t.Errorf("limits (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff(someLimits(), reported); diff != "" {
		t.Errorf("the reported limits were changed:\n%s", diff)
	}
}

func TestTestingAConnectionFillsIt(t *testing.T) {
	t.Parallel()
	r := newRig(t, 0)
	r.script.limits = someLimits()
	c := r.store.connections["conn"]
	c.Addresses = []connector.NetworkAddress{{Host: "FILES.example.com"}}
	tested, notices, err := r.TestConnection(t.Context(), c, connector.Authorization{})
	if err != nil {
		t.Fatal(err)
	}
	if tested.Account != "Acme" || tested.Parameters.Get("org") != "1" || tested.Secrets.Get("token") != "t" || tested.Secrets.Get("key") != "k" {
		t.Errorf("tested = %+v", tested)
	}
	if len(tested.Addresses) != 1 || len(tested.Limits.Pools) != 1 || tested.TestedAt.IsZero() || tested.CreatedAt.IsZero() || len(notices) != 1 {
		t.Errorf("tested = %+v, notices %q", tested, notices)
	}
	if got := r.script.opened[len(r.script.opened)-1].Secrets.Get("token"); got != "t" {
		t.Errorf("the limits were asked for with the token %q, want the one the login returned", got)
	}
	if stored := r.store.connections["conn"]; stored.Account != "" {
		t.Error("the test stored the connection")
	}
	r.script.openErr = connector.Errorf(connector.ClassConfig, "BAD", "bad answer")
	if _, _, err := r.TestConnection(t.Context(), c, connector.Authorization{}); connector.ClassOf(err) != connector.ClassConfig {
		t.Errorf("a refused answer: %v", err)
	}
}

func TestQuestionsReachTheConnector(t *testing.T) {
	t.Parallel()
	r := newRig(t, 0)
	ctx := t.Context()
	r.script.limits = someLimits()
	r.script.options = map[string][]connector.Option{"modules": {{Value: "Leads"}}}
	r.script.streams = []connector.Stream{{Name: "Leads"}}
	r.script.form = connector.Form{Fields: []connector.Field{{Name: "module"}}}
	if m, err := r.Manifest(ctx, ConnectorRef{}); err != nil || m.ID != "fake" {
		t.Errorf("Manifest: %+v, %v", m, err)
	}
	if f, err := r.ConnectionForm(ctx, "fake", nil); err != nil || len(f.Methods) != 1 {
		t.Errorf("ConnectionForm: %+v, %v", f, err)
	}
	if a, err := r.Addresses(ctx, r.store.connections["conn"]); err != nil || len(a) != 1 {
		t.Errorf("Addresses, without secrets: %+v, %v", a, err)
	}
	if _, sentences, err := r.Limits(ctx, "conn"); err != nil || len(sentences) != 5 {
		t.Errorf("Limits: %q, %v", sentences, err)
	}
	if f, err := r.Form(ctx, "conn", connector.DirectionInbound, "", nil); err != nil || len(f.Fields) != 1 {
		t.Errorf("Form: %+v, %v", f, err)
	}
	if p, err := r.Options(ctx, "conn", connector.OptionsRequest{Source: "modules"}); err != nil || len(p.Options) != 1 {
		t.Errorf("Options: %+v, %v", p, err)
	}
	if s, err := r.Streams(ctx, "conn", connector.StreamQuery{}); err != nil || len(s) != 1 {
		t.Errorf("Streams: %+v, %v", s, err)
	}
	if _, err := r.Streams(ctx, "nobody", connector.StreamQuery{}); !errors.Is(err, ErrNotFound) {
		t.Errorf("an unknown connection: %v", err)
	}
}

func TestAPlanShowsWhatWouldHappen(t *testing.T) {
	t.Parallel()
	r := newRig(t, 25)
	c := r.store.connections["conn"]
	c.Limits = someLimits()
	r.store.connections["conn"] = c
	r.store.spent["credits"] = 1000
	r.store.runs = []Run{{ID: "r1", Sync: "out", State: RunHealthy, Records: 50, Usage: []connector.Usage{{Category: "bulk", Pool: "credits", Units: 500}}}}
	r.script.validate = func(batch *connector.RecordBatch) []connector.RowOutcome {
		if batch.Action != connector.ActionCreate || batch.Columns[0].Texts[1] != "id-2" {
			t.Errorf("sample batch = %+v", batch)
		}
		return []connector.RowOutcome{{Row: 1, Status: connector.StatusInvalid, Error: errBusy}}
	}
	plan, err := r.Plan(t.Context(), "out", PlanOptions{})
	if err != nil {
		t.Fatal(err)
	}
	if plan.Report.Records != 25 || len(plan.Report.Samples) != 3 || !plan.Validated || len(plan.Findings) != 1 || plan.Findings[0].Identifier != "id-2" {
		t.Errorf("plan = %+v", plan)
	}
	want := []CostEstimate{
		{Pool: "credits", Units: 250, Basis: "run r1 took 500 for 50 records"},
		{Category: "records", Pool: "credits", Units: 3, Basis: "25 records through Records, 1 for every 10 of them"},
	}
	if diff := cmp.Diff(want, plan.Costs); diff != "" {
		t.Errorf("costs (-want +got):\n%s", diff)
	}
	if len(plan.Left) != 1 || plan.Left[0].Left != 169_000 {
		t.Errorf("left = %+v", plan.Left)
	}
	if len(r.warehouse.outbox) != 0 || len(r.store.runs) != 1 {
		t.Error("the plan wrote something")
	}
}

func TestAPlanLooksAtMoreRecordsThanItShows(t *testing.T) {
	t.Parallel()
	r := newRig(t, 2500)
	looked := 0
	r.script.validate = func(batch *connector.RecordBatch) []connector.RowOutcome {
		looked += batch.Rows
		var bad []connector.RowOutcome
		for row, text := range batch.Columns[0].Texts {
			if strings.HasSuffix(text, "99") {
				bad = append(bad, connector.RowOutcome{Row: row, Status: connector.StatusInvalid, Error: errBusy})
			}
		}
		return bad
	}
	for _, c := range []struct {
		options                  PlanOptions
		shown, checked, findings int
	}{
		{PlanOptions{}, 3, 1000, 10},
		{PlanOptions{Samples: 7, Check: -1}, 7, 7, 0},
		{PlanOptions{Samples: -1, Check: 2500}, 0, 2500, 25},
		{PlanOptions{Samples: -1, Check: -1}, 0, 0, 0},
	} {
		looked = 0
		plan, err := r.Plan(t.Context(), "out", c.options)
		if err != nil {
			t.Fatal(err)
		}
		if got := len(plan.Report.Samples); got != c.shown || int(plan.Checked) != c.checked || looked != c.checked || len(plan.Findings) != c.findings {
			t.Errorf("%+v: %d samples are shown, %d of %d looked at have %d findings; want %+v", c.options, got, looked, plan.Checked, len(plan.Findings), c)
		}
	}
}

func TestTheConnectorPricesAPlan(t *testing.T) {
	t.Parallel()
	r := newRig(t, 25)
	r.script.manifest.Features = append(r.script.manifest.Features, connector.FeatureOutboundCosts)
	r.script.price = func(counts []connector.ActionCount) []connector.OutboundPath {
		if diff := cmp.Diff([]connector.ActionCount{{Action: connector.ActionCreate, Records: 25}}, counts); diff != "" {
			t.Errorf("counts (-want +got):\n%s", diff)
		}
		return []connector.OutboundPath{{Name: "calls", Chosen: true}}
	}
	plan, err := r.Plan(t.Context(), "out", PlanOptions{})
	if err != nil || len(plan.Paths) != 1 || len(plan.Costs) != 0 {
		t.Errorf("paths = %+v, costs = %+v, %v", plan.Paths, plan.Costs, err)
	}
}

func TestAWrongSyncIsRefusedFieldByField(t *testing.T) {
	t.Parallel()
	low := 1.0
	form := connector.Form{
		Fields: []connector.Field{
			{Name: "module", Kind: connector.FieldDropdown, Label: "Module", Required: true, OptionSource: "modules"},
			{Name: "size", Kind: connector.FieldNumber, Validation: connector.Validation{Min: &low}},
			{Name: "note", Kind: connector.FieldInput, Required: true, DependsOn: []connector.Condition{{Field: "size", Values: []string{"7"}}}},
			{Name: "code", Kind: connector.FieldInput, Validation: connector.Validation{Pattern: "[A-Z]+", PatternMessage: "capitals, please"}},
		},
		Mapper: &connector.Mapper{Fields: &connector.FieldMapper{OptionSource: "fields"}},
	}
	options := map[string][]connector.Option{
		"modules": {{Value: "Leads"}, {Value: "Contacts"}, {Value: "Old", Disabled: true, DisabledReason: "it is retired"}},
		"fields":  {{Value: "Last_Name", Label: "Last Name", Required: true}, {Value: "Email"}, {Value: "Created_Time", Disabled: true}},
	}
	mapped := func(fields ...string) (m []Mapping) {
		for _, f := range fields {
			m = append(m, Mapping{Field: f, Column: "c"})
		}
		return m
	}
	leads := connector.Answers{"module": {"Leads"}}
	for name, row := range map[string]struct {
		spec OutboundSpec
		want []string // field: words of the description
	}{
		"nothing wrong":           {OutboundSpec{Strategy: "Create", Answers: leads, Mappings: mapped("Last_Name", "Email")}, nil},
		"unknown strategy":        {OutboundSpec{Strategy: "Mirror"}, []string{"strategy: choose one of Create, Upsert"}},
		"required answer missing": {OutboundSpec{Strategy: "Create"}, []string{"module: Module: an answer is required"}},
		"unknown option":          {OutboundSpec{Strategy: "Create", Answers: connector.Answers{"module": {"leeds"}}}, []string{`module: there is no "leeds" to choose; did you mean Leads?`}},
		"disabled option":         {OutboundSpec{Strategy: "Create", Answers: connector.Answers{"module": {"Old"}}}, []string{`module: "Old" cannot be chosen: it is retired`}},
		"unknown answer":          {OutboundSpec{Strategy: "Create", Answers: connector.Answers{"module": {"Leads"}, "siz": {"1"}}}, []string{"siz: the form has no such field; did you mean size?"}},
		"answers out of bounds":   {OutboundSpec{Strategy: "Create", Answers: connector.Answers{"module": {"Leads"}, "size": {"0"}, "code": {"abc"}}}, []string{"size: must be at least 1", "code: capitals, please"}},
		"dependent answer":        {OutboundSpec{Strategy: "Create", Answers: connector.Answers{"module": {"Leads"}, "size": {"7"}}}, []string{"note: note: an answer is required"}},
		"unknown field":           {OutboundSpec{Strategy: "Create", Answers: leads, Mappings: mapped("Last_Name", "e-mail")}, []string{"mappings.e-mail: the app has no such field; did you mean Email?"}},
		"read-only field":         {OutboundSpec{Strategy: "Create", Answers: leads, Mappings: mapped("Last_Name", "Created_Time")}, []string{"mappings.Created_Time: cannot be written: it is read-only"}},
		"mandatory field missing": {OutboundSpec{Strategy: "Create", Answers: leads, Mappings: mapped("Email")}, []string{"mappings.Last_Name: Last Name is mandatory and must be mapped"}},
		"field mapped twice":      {OutboundSpec{Strategy: "Create", Answers: leads, Mappings: mapped("Last_Name", "Last_Name")}, []string{"mappings.Last_Name: is mapped twice"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := newRig(t, 0)
			r.script.form, r.script.options = form, options
			wantViolations(t, r.ValidateSync(t.Context(), Sync{Name: "s", Connection: "conn", Outbound: &row.spec}), row.want)
		})
	}
}

func TestWrongStreamsAreRefused(t *testing.T) {
	t.Parallel()
	r := newRig(t, 0)
	r.script.streams = []connector.Stream{
		{Name: "Leads", Key: []string{"id"}, Modes: []connector.ReadMode{connector.ReadFullRefresh}},
		{Name: "Log", Modes: []connector.ReadMode{connector.ReadFullRefresh}},
	}
	spec := InboundSpec{Streams: []StreamSpec{{Name: "Leeds"}, {Name: "Leads", Mode: connector.ReadIncremental}, {Name: "Log", Storage: StorageMerge}}}
	wantViolations(t, r.ValidateSync(t.Context(), Sync{Name: "s", Connection: "conn", Inbound: &spec}), []string{
		"streams.Leeds: there is no such stream; did you mean Leads?",
		"streams.Leads: it cannot be read as incremental; it can as full_refresh",
		"streams.Log: it has no key to merge by; keep it with storage append",
	})
	spec.Streams = []StreamSpec{{Name: "Leads"}, {Name: "Log", Table: "S.LEADS"}}
	wantViolations(t, r.ValidateSync(t.Context(), Sync{Name: "s", Connection: "conn", Inbound: &spec}), []string{
		"streams.Log: fills the same table as stream Leads: S.LEADS",
	})
}

func wantViolations(t *testing.T, err error, want []string) {
	t.Helper()
	var got []string
	if err != nil {
		e := connector.AsError(err)
		if e.Class != connector.ClassConfig {
			t.Errorf("class = %s: %v", e.Class, err)
		}
		for _, f := range e.Fields {
			got = append(got, f.Field+": "+f.Description)
		}
	}
	if !slices.Equal(got, want) {
		t.Errorf("violations differ (-want +got):\n%s", cmp.Diff(want, got))
	}
}

func TestAnEngineNeedsItsParts(t *testing.T) {
	t.Parallel()
	if _, err := New(Config{Launcher: newScripted()}); err == nil || !strings.Contains(err.Error(), "Config.Store") {
		t.Errorf("without a store: %v", err)
	}
	store := newFakeStore(&machine{})
	if _, err := New(Config{Store: store}); err == nil || !strings.Contains(err.Error(), "Config.Launcher") {
		t.Errorf("without a launcher: %v", err)
	}
	e, err := New(Config{Store: store, Launcher: newScripted()})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := e.warehouse.acquire(context.Background()); err == nil {
		t.Error("a warehouse was opened from nowhere")
	}
}

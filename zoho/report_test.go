package zoho

import (
	"context"
	"testing"

	"github.com/sluiceio/sluice/connector"
	"github.com/sluiceio/sluice/zoho/crm"
)

// settled gives rows with the given echoes to a report and returns what became
// of them, by row.
func settled(t *testing.T, p *plan, echoes [][]string, report []verdict) map[int64]outcome {
	t.Helper()
	rows := make([][]string, len(echoes))
	batch := newFileBatch(len(echoes), len(echoes[0]))
	for i, echo := range echoes {
		rows[i] = []string{""}
		batch.add(i, echo)
	}
	out := newOut(t, batchOf(connector.ActionCreate, []string{"A"}, 0, rows...))
	w := &writer{plan: p}
	m := connector.ManagedOutbound{MaxRecords: 1000, Write: func(_ context.Context, chunk *connector.Chunk) error {
		w.settle(chunk, batch, report)
		return nil
	}}
	if err := m.Run(t.Context(), connector.OutboundSync{}, out); err != nil {
		t.Fatal(err)
	}
	out.count()
	return out.outcomes
}

func TestReportsAreMatchedToRows(t *testing.T) {
	t.Parallel()
	added := func(id string, echo ...string) verdict {
		return verdict{status: crm.RowAdded, raw: "ADDED", id: id, echo: echo}
	}
	skipped := func(code string, echo ...string) verdict {
		return verdict{status: crm.RowSkipped, raw: "SKIPPED", errors: []crm.FieldError{{Code: code, Columns: []string{"A"}}}, echo: echo}
	}
	insert, upsert := &plan{strategy: strategyCreate}, &plan{strategy: strategyUpsert, key: "K"}
	const ok, no, again, doubt = connector.StatusSucceeded, connector.StatusRejected, connector.StatusRetry, connector.StatusInDoubt
	for name, c := range map[string]struct {
		plan   *plan
		echoes [][]string
		report []verdict
		want   []connector.Status
		ids    []string
	}{
		"in order":                           {upsert, [][]string{{"a", "1"}, {"b", "2"}}, []verdict{added("1", "a", "1"), skipped("INVALID_DATA", "b", "2")}, []connector.Status{ok, no}, []string{"1", ""}},
		"out of order":                       {upsert, [][]string{{"a", "1"}, {"b", "2"}}, []verdict{added("2", "b", "2"), added("1", "a", "1")}, []connector.Status{ok, ok}, []string{"1", "2"}},
		"line ends and outer spaces changed": {upsert, [][]string{{"a\r\nb", " 1"}}, []verdict{added("1", "a\nb", "1")}, []connector.Status{ok}, []string{"1"}},
		"only the key is echoed":             {upsert, [][]string{{"a", "1"}, {"b", "2"}}, []verdict{added("1", "a"), added("2", "b")}, []connector.Status{ok, ok}, []string{"1", "2"}},
		"nothing is echoed":                  {upsert, [][]string{{"a"}, {"b"}}, []verdict{added("1"), skipped("INVALID_DATA")}, []connector.Status{ok, no}, []string{"1", ""}},
		"a row is missing":                   {upsert, [][]string{{"a"}, {"b"}}, []verdict{added("1", "a")}, []connector.Status{ok, again}, nil},
		"a row is missing, plain insert":     {insert, [][]string{{"a"}, {"b"}}, []verdict{added("2", "b")}, []connector.Status{doubt, ok}, nil},
		"a row too many":                     {upsert, [][]string{{"a"}}, []verdict{added("1", "a"), added("2", "x")}, []connector.Status{ok}, []string{"1"}},
		"alike and all written":              {insert, [][]string{{"a"}, {"b"}, {"a"}}, []verdict{added("2", "b"), added("1", "a"), added("3", "a")}, []connector.Status{ok, ok, ok}, []string{"", "2", ""}},
		"alike and different fates":          {insert, [][]string{{"a"}, {"b"}, {"a"}}, []verdict{added("2", "b"), added("1", "a"), skipped("DUPLICATE_DATA", "a")}, []connector.Status{doubt, ok, doubt}, nil},
		"an empty report":                    {upsert, [][]string{{"a"}}, nil, []connector.Status{again}, nil},
		"unprocessed":                        {insert, [][]string{{"a"}}, []verdict{{status: crm.RowUnprocessed, raw: "UNPROCESSED", echo: []string{"a"}}}, []connector.Status{again}, nil},
		"a status never seen":                {insert, [][]string{{"a"}}, []verdict{{status: crm.RowUnknown, raw: "PONDERED", echo: []string{"a"}}}, []connector.Status{no}, nil},
	} {
		got := settled(t, c.plan, c.echoes, c.report)
		for i, want := range c.want {
			o := got[int64(i)]
			if o.status != want || len(c.ids) > 0 && o.id != c.ids[i] {
				t.Errorf("%s: row %d is %s (%s), want %s", name, i, o.status, o.id, want)
			}
			if o.status != ok && (o.err == nil || o.err.Code == "" || o.err.Message == "") {
				t.Errorf("%s: row %d does not say why: %v", name, i, o.err)
			}
		}
	}
}

func TestAReportsErrorsNameEveryField(t *testing.T) {
	t.Parallel()
	v := verdict{status: crm.RowSkipped, raw: "SKIPPED", errors: crm.ParseRowErrors("MANDATORY_NOT_FOUND-Company,Last_Name:DUPLICATE_DATA-Email"), echo: []string{"secret cell"}}
	_, e := v.refusal()
	if e.Code != "MANDATORY_NOT_FOUND" || len(e.Fields) != 3 || e.Fields[2].Field != "Email" {
		t.Errorf("%+v", e)
	}
	want := `{"status":"SKIPPED","errors":[{"code":"MANDATORY_NOT_FOUND","fields":["Company","Last_Name"]},{"code":"DUPLICATE_DATA","fields":["Email"]}]}`
	if got := v.detail(); got != want {
		t.Errorf("detail %s", got)
	}
}

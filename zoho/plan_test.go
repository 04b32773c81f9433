package zoho

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/sluiceio/sluice/connector"
	"github.com/sluiceio/sluice/zoho/crm"
)

// leadPlan is a plan over 18 columns, as a lead usually has.
func leadPlan(key string) *plan {
	p := &plan{strategy: strategyUpsert, key: key, module: crm.Module{APIName: "Leads"}}
	add := func(name, dataType string) {
		t := target{name: name, field: crm.Field{APIName: name, DataType: dataType}}
		t.render(time.UTC)
		p.columns = append(p.columns, t)
	}
	add("External_Key", "text")
	for i := range 10 {
		add(fmt.Sprint("Text_", i), "text")
	}
	for name, dataType := range map[string]string{
		"Revenue": "currency", "Employees": "integer", "Opt_Out": "boolean", "Visit": "date", "Seen": "datetime", "Languages": "multiselectpicklist", "Mail": "email",
	} {
		add(name, dataType)
	}
	return p
}

// leadBatch is a batch for [leadPlan].
func leadBatch(p *plan, n int) (*connector.RecordBatch, []int, []int) {
	b := &connector.RecordBatch{Schema: &connector.Schema{ID: "s"}, Rows: n, Columns: make([]connector.Values, len(p.columns))}
	at, rows := make([]int, len(p.columns)), make([]int, n)
	values := map[string]string{
		"currency": "12345.50", "integer": "42", "boolean": "true", "date": "2026-01-31", "datetime": "2026-01-31T12:00:00Z", "multiselectpicklist": "English;Tamil",
		"email": "somebody@example.com", "text": "Some text, quoted",
	}
	for i, t := range p.columns {
		at[i] = i
		b.Schema.Columns = append(b.Schema.Columns, connector.Column{Name: t.name})
		for row := range n {
			text := values[t.field.DataType]
			if i == 0 {
				text = fmt.Sprintf("K%09d", row)
			}
			b.Columns[i].Texts = append(b.Columns[i].Texts, text)
		}
	}
	for i := range rows {
		rows[i] = i
	}
	return b, at, rows
}

func TestPackLeavesOutWhatCannotBeSent(t *testing.T) {
	t.Parallel()
	p := leadPlan("External_Key")
	b, at, rows := leadBatch(p, 10)
	for i, target := range p.columns {
		if target.name == "Employees" {
			b.Columns[i].Texts[3] = "several"
			b.Columns[i].Texts[4] = ""
		}
	}
	batch, problems, err := p.pack(b, at, rows)
	if err != nil || len(batch.rows) != 9 || len(problems) != 1 || problems[3] == nil || problems[3].Fields[0].Field != "Employees" {
		t.Fatalf("%v, %d rows, problems %v", err, len(batch.rows), problems)
	}
	if strings.Contains(problems[3].Error(), "several") {
		t.Error("a record's content is in an error")
	}
	for i, row := range batch.rows {
		if echo := batch.echo(i); echo[0] != b.Columns[0].Texts[row] || len(echo) != 3 {
			t.Errorf("row %d echoes %v", row, echo)
		}
	}
	b, at, rows = leadBatch(p, 25_001)
	if _, _, err := p.pack(b, at, rows); !errors.Is(err, crm.ErrZipFull) {
		t.Errorf("25,001 rows: %v", err)
	}
}

func TestKeyProblems(t *testing.T) {
	t.Parallel()
	keys := connector.Values{Texts: []string{"a", "A", " ", "b", "b "}}
	rows := []int{0, 1, 2, 3, 4}
	if got := keyProblems(&plan{key: "K", keyCase: true}, keys, rows); len(got) != 3 || got[2].Code != "KEY_MISSING" || got[3] == nil || got[4].Code != "KEY_REPEATED" {
		t.Errorf("case matters: %v", got)
	}
	if got := keyProblems(&plan{key: "K"}, keys, rows); len(got) != 5 {
		t.Errorf("case does not matter: %v", got)
	}
}

func TestTheBestEchoComesFirst(t *testing.T) {
	t.Parallel()
	p := &plan{key: ""}
	unique := target{field: crm.Field{DataType: "text", Unique: true}}
	long := target{field: crm.Field{DataType: "textarea"}}
	if p.rank(unique) >= p.rank(long) {
		t.Error("a unique field tells records apart better than a text area")
	}
	p.key = "x"
	if p.rank(target{name: "x", field: crm.Field{DataType: "textarea"}}) != 0 {
		t.Error("the key comes first")
	}
}

func TestStateRoundTrip(t *testing.T) {
	t.Parallel()
	at := time.Date(2026, 1, 31, 12, 0, 0, 0, time.UTC)
	st := readState{Version: 1, Cursor: at, Open: &openRead{From: at, To: at.Add(time.Hour), Page: 3, Token: "t", Job: "5", Fields: []string{"A"}}}
	got, err := parseState(st.text())
	if err != nil || got.text() != st.text() || !got.Open.To.Equal(st.Open.To) {
		t.Errorf("%v %+v", err, got)
	}
	for _, bad := range []string{"rubbish", `{"v":2}`, `[]`} {
		if _, err := parseState(bad); connector.ClassOf(err) != connector.ClassConfig {
			t.Errorf("%s: %v", bad, err)
		}
	}
	if empty, err := parseState(""); err != nil || !empty.Cursor.IsZero() {
		t.Errorf("no state: %+v %v", empty, err)
	}
}

func FuzzParseState(f *testing.F) {
	f.Add(`{"v":1,"cursor":"2026-01-31T12:00:00Z"}`)
	f.Fuzz(func(t *testing.T, text string) {
		st, err := parseState(text)
		if err != nil || text == "" {
			return
		}
		if again, err := parseState(st.text()); err != nil || again.text() != st.text() {
			t.Errorf("%q became %s", text, st.text())
		}
	})
}

func BenchmarkPack(b *testing.B) {
	p := leadPlan("External_Key")
	batch, at, rows := leadBatch(p, 25_000)
	b.ReportAllocs()
	for b.Loop() {
		if _, _, err := p.pack(batch, at, rows); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(len(rows))*float64(b.N)/b.Elapsed().Seconds(), "records/s")
}

func BenchmarkReadValues(b *testing.B) {
	p := leadPlan("")
	readers := make([]reader, len(p.columns))
	cells := make([]string, len(p.columns))
	batch, _, _ := leadBatch(p, 1)
	for i, t := range p.columns {
		readers[i], cells[i] = readerOf(t.field, time.UTC), batch.Columns[i].Texts[0]
	}
	b.ReportAllocs()
	for b.Loop() {
		for i, read := range readers {
			_ = read(cells[i])
		}
	}
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "records/s")
}

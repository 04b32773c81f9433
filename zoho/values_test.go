package zoho

import (
	"encoding/json"
	"slices"
	"testing"
	"time"

	"github.com/sluiceio/sluice/connector"
	"github.com/sluiceio/sluice/zoho/crm"
)

func TestCanonicalValues(t *testing.T) {
	t.Parallel()
	la, err := time.LoadLocation("America/Los_Angeles")
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct{ dataType, cell, want string }{
		{"boolean", "TRUE", "true"}, {"boolean", "0", "false"}, {"boolean", "maybe", "maybe"},
		{"integer", "-12", "-12"}, {"integer", "12.0", "12"}, {"integer", "12.5", "12.5"}, {"integer", "1.2E1", "12"},
		{"bigint", "9223372036854775807", "9223372036854775807"},
		{"currency", "12345678901234567.123456789", "12345678901234567.123456789"}, {"double", "1.5E-3", "0.0015"}, {"double", "1E21", "1000000000000000000000"},
		{"percent", "n/a", "n/a"}, {"double", "+-1", "+-1"}, {"double", "+1.5", "1.5"}, {"double", "1E999999999", "1E999999999"}, {"double", "1e-", "1e-"},
		{"date", "2026-01-31", "2026-01-31"}, {"date", "31.01.2026", "31.01.2026"},
		{"datetime", "2026-07-01T10:00:00-07:00", "2026-07-01T10:00:00-07:00"}, {"datetime", "2026-07-01 10:00:00", "2026-07-01T10:00:00-07:00"},
		{"datetime", "2026-07-01T10:00:00+0530", "2026-07-01T10:00:00+05:30"}, {"datetime", "soon", "soon"},
		{"lookup", "5700000000000001001", "5700000000000001001"}, {"text", " a\nb ", " a\nb "},
	} {
		if got := readerOf(crm.Field{DataType: c.dataType}, la)(c.cell); got != c.want {
			t.Errorf("%s %q: %q, want %q", c.dataType, c.cell, got, c.want)
		}
	}
}

func TestMultiSelectSplitsByKnownChoices(t *testing.T) {
	t.Parallel()
	known := []string{"Food; Wine, Spirits", "Paper, Print", "Food", "A"}
	for cell, want := range map[string][]string{
		"A;Food": {"A", "Food"}, "A,Food": {"A", "Food"}, "Paper, Print;A": {"Paper, Print", "A"}, "Food; Wine, Spirits;Food": {"Food; Wine, Spirits", "Food"},
		"New one;A": {"New one", "A"}, "New, one;A": {"New, one", "A"}, "Odd": {"Odd"}, "": nil, "Foods;A": {"Foods", "A"},
	} {
		if got := splitMultiSelect(cell, known); !slices.Equal(got, want) {
			t.Errorf("%q: %q, want %q", cell, got, want)
		}
	}
	f := crm.Field{DataType: "multiselectpicklist", PickList: []crm.PickListValue{{Actual: "A"}, {Actual: `B"q`}}}
	if got := readerOf(f, time.UTC)(`A;B"q`); got != `["A","B\"q"]` {
		t.Errorf("got %s", got)
	}
}

func FuzzCanonicalDecimal(f *testing.F) {
	for _, s := range []string{"1", "-1.50", "1.5E-3", "1e9", ".5", "5.", "+-1", "1e", "e1", "1E-400"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		once := canonicalDecimal(s)
		if again := canonicalDecimal(once); again != once {
			t.Errorf("%q became %q and then %q", s, once, again)
		}
	})
}

func FuzzSplitMultiSelect(f *testing.F) {
	f.Add("A;B", "A")
	f.Add("A;B;", "A;B")
	f.Fuzz(func(t *testing.T, cell, known string) {
		if b, _ := json.Marshal(splitMultiSelect(cell, []string{known})); !json.Valid(b) {
			t.Errorf("not JSON: %s", b)
		}
	})
}

func TestTypes(t *testing.T) {
	t.Parallel()
	for dataType, want := range map[string]connector.Kind{
		"text": "string", "email": "string", "phone": "string", "website": "string", "textarea": "string", "picklist": "string",
		"multiselectpicklist": "json", "boolean": "bool", "integer": "int64", "bigint": "int64", "double": "decimal", "currency": "decimal", "percent": "decimal",
		"date": "date", "datetime": "timestamptz", "lookup": "string", "ownerlookup": "string", "userlookup": "string", "autonumber": "string", "never_seen": "string",
	} {
		if got := typeOf(crm.Field{DataType: dataType}).Kind; got != want {
			t.Errorf("%s: %s, want %s", dataType, got, want)
		}
	}
	if got := typeOf(crm.Field{DataType: "formula", ReturnType: "Double"}); got.Kind != connector.KindDecimal || got.Scale != decimalScale {
		t.Errorf("formula: %+v", got)
	}
	if got := typeOf(crm.Field{DataType: "formula", ReturnType: "datetime"}).Kind; got != connector.KindTimestampTZ {
		t.Errorf("formula of a date-time: %s", got)
	}
}

func TestCells(t *testing.T) {
	t.Parallel()
	la, err := time.LoadLocation("America/Los_Angeles")
	if err != nil {
		t.Fatal(err)
	}
	lookup := func(by string) target { return target{findBy: by, field: crm.Field{DataType: "lookup"}} }
	of := func(dataType string) target { return target{field: crm.Field{DataType: dataType}} }
	for name, c := range map[string]struct {
		t                    target
		text, cell, json, no string
	}{
		"text":                 {of("text"), `a "b"`, `a "b"`, `"a \"b\""`, ""},
		"boolean":              {of("boolean"), "True", "true", "true", ""},
		"not a boolean":        {of("boolean"), "perhaps", "", "", "not true or false"},
		"integer":              {of("integer"), "007", "007", "7", ""},
		"not an integer":       {of("integer"), "7.5", "", "", "not a whole number"},
		"bigint stays text":    {of("bigint"), "123456789012345678", "123456789012345678", `"123456789012345678"`, ""},
		"decimal":              {of("currency"), "-0.50", "-0.50", "-0.50", ""},
		"decimal, exponent":    {of("double"), "1.5e2", "150", "150", ""},
		"infinity":             {of("double"), "Infinity", "", "", "not a number"},
		"date":                 {of("date"), "2026-01-31", "2026-01-31", `"2026-01-31"`, ""},
		"date of an instant":   {of("date"), "2026-02-01T03:00:00Z", "2026-01-31", `"2026-01-31"`, ""},
		"not a date":           {of("date"), "31/01/2026", "", "", "not a date (YYYY-MM-DD)"},
		"instant in summer":    {of("datetime"), "2026-07-01T17:00:00.123456Z", "2026-07-01 10:00:00", `"2026-07-01T10:00:00-07:00"`, ""},
		"instant in winter":    {of("datetime"), "2026-01-01T17:00:00Z", "2026-01-01 09:00:00", `"2026-01-01T09:00:00-08:00"`, ""},
		"wall clock":           {of("datetime"), "2026-07-01T10:00:00", "2026-07-01 10:00:00", `"2026-07-01T10:00:00-07:00"`, ""},
		"date as a date-time":  {of("datetime"), "2026-07-01", "2026-07-01 00:00:00", `"2026-07-01T00:00:00-07:00"`, ""},
		"not an instant":       {of("datetime"), "now", "", "", "not a date-time (ISO 8601)"},
		"choices of an array":  {of("multiselectpicklist"), `["A","B"]`, "A;B", `["A","B"]`, ""},
		"choices joined":       {of("multiselectpicklist"), "A; B", "A;B", `["A","B"]`, ""},
		"broken array":         {of("multiselectpicklist"), `["A",`, "", "", "not a JSON array of texts"},
		"lookup":               {lookup(idField), " 5700000000000001001 ", "5700000000000001001", `{"id":"5700000000000001001"}`, ""},
		"lookup without an id": {lookup(idField), "Acme", "", "", "not a record id of Zoho, which is digits only"},
		"user by e-mail":       {target{findBy: "email", field: crm.Field{DataType: "ownerlookup"}}, "a@b.c", "a@b.c", `{"email":"a@b.c"}`, ""},
		"record id":            {target{isID: true}, "57", "57", `"57"`, ""},
	} {
		c.t.render(la)
		cell, problem := c.t.cell(c.text)
		if name == "instant in summer" || problem == "" {
			if cell != c.cell {
				t.Errorf("%s: cell %q, want %q", name, cell, c.cell)
			}
		}
		b, jsonProblem := c.t.json(nil, c.text)
		if problem != c.no || jsonProblem != c.no {
			t.Errorf("%s: problems %q and %q, want %q", name, problem, jsonProblem, c.no)
		}
		if c.no == "" && string(b) != c.json {
			t.Errorf("%s: JSON %s, want %s", name, b, c.json)
		}
	}
}

package connector_test

import (
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/sluiceio/sluice/connector"
)

// An error says who has to act, what failed, and how to fix it. What it means for
// a record that was not applied follows from its class.
func ExampleError() {
	err := connector.Errorf(connector.ClassPermission, "missing_scope", "listing channels was refused: %w", io.EOF)
	err.Code = "MISSING_SCOPE"
	err.Help = []connector.Help{{Description: "add the scope channels:read", URL: "https://example.com/scopes"}}
	fmt.Println(err)
	fmt.Println(connector.StatusFor(err.Class), errors.Is(err, io.EOF))

	wrapped := fmt.Errorf("run 7: %w", err)
	fmt.Println(connector.ClassOf(wrapped), connector.AsError(wrapped).Code)
	fmt.Println(connector.ClassOf(errors.New("anything else")), connector.AsError(nil) == nil)
	// Output:
	// listing channels was refused: EOF [MISSING_SCOPE]; add the scope channels:read https://example.com/scopes
	// DELAYED true
	// PERMISSION MISSING_SCOPE
	// INTERNAL true
}

// The host shows limits in sentences.
func ExampleLimits_Sentences() {
	limits := connector.Limits{
		Pools: []connector.Pool{{Name: "credits", Label: "Credits", Capacity: 60_000, Window: 24 * time.Hour}},
		Limits: []connector.Limit{
			{Category: "bulk", Label: "Bulk jobs", Cost: &connector.Cost{Pool: "credits", Units: 500}},
			{Category: "read", Label: "Reads", Rates: []connector.Rate{{Count: 10, Per: time.Minute}}, MaxConcurrency: 5},
		},
	}
	for _, sentence := range limits.Sentences() {
		fmt.Println(sentence)
	}
	// Output:
	// Credits: 60,000 a day, rolling
	// Bulk jobs: 120 a day (500 of 60,000 credits each)
	// Reads: 10 a minute, 5 at once
}

// A cost may depend on the number of records in a request.
func ExampleCost_For() {
	cost := connector.Cost{Pool: "credits", Units: 1, Items: 10}
	fmt.Println(cost.For(1), cost.For(10), cost.For(11), cost.For(95))
	// Output: 1 1 2 10
}

// Answers to a form are texts, by the name of the field.
func ExampleAnswers() {
	answers := connector.Answers{"module": {"Leads"}, "trigger": {"true"}, "tags": {"new", "hot"}, "owner": {}}
	_, answered := answers["owner"]
	fmt.Println(answers.Get("module"), answers.Bool("trigger"), answers["tags"], answers.Get("owner") == "", answered)
	// Output: Leads true [new hot] true true
}

// A batch carries columns of text, with the rows that are null.
func ExampleRecordBatch() {
	batch := connector.RecordBatch{
		Schema: &connector.Schema{ID: "1", Columns: []connector.Column{
			{Name: "Last_Name", Type: connector.Type{Kind: connector.KindString}},
			{Name: "Revenue", Type: connector.Type{Kind: connector.KindDecimal, Precision: 18, Scale: 2}},
		}},
		Action: connector.ActionCreate, Rows: 2, Seqs: []int64{1, 2}, Identifiers: []string{"a", "b"},
		Columns: []connector.Values{{Texts: []string{"Miller", ""}}, {Texts: []string{"9007199254740993.10", ""}, Nulls: []uint32{1}}},
	}
	revenue := batch.Schema.Column("Revenue")
	for row, identifier := range batch.Identifiers {
		fmt.Printf("%s: %q %q null %v\n", identifier, batch.Columns[0].Texts[row], batch.Columns[revenue].Texts[row], batch.Columns[revenue].IsNull(row))
	}
	fmt.Println(batch.Schema.Column("Phone"))
	// Output:
	// a: "Miller" "9007199254740993.10" null false
	// b: "" "" null true
	// -1
}

// Record numbers travel as ranges.
func ExampleSeqRanges() {
	fmt.Println(connector.SeqRanges([]int64{1, 2, 3, 7, 9, 10}))
	// Output: [{1 3} {7 7} {9 10}]
}

// A strategy says which action each kind of row leads to.
func ExampleStrategy() {
	for _, s := range []connector.Strategy{connector.StrategyUpsert, connector.StrategyMirror, connector.StrategySend} {
		fmt.Printf("%s: new %s, changed %s, removed %s\n", s.Name, or(s.New), or(s.Changed), or(s.Removed))
	}
	// Output:
	// Upsert: new Create, changed Update, removed -
	// Mirror: new Create, changed Update, removed Delete
	// Send: new Send, changed -, removed -
}

func or(a connector.Action) connector.Action {
	if a == "" {
		return "-"
	}
	return a
}

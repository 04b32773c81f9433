package conformance_test

import (
	"context"
	"fmt"

	"github.com/sluiceio/sluice/connector"
	"github.com/sluiceio/sluice/connector/conformance"
	"github.com/sluiceio/sluice/connector/connectortest"
)

// A report has a finding for each law. What was not given (here: how to connect)
// is not examined.
func ExampleCheck() {
	report := conformance.Check(context.Background(), conformance.Subject{
		Open: func(context.Context) (connector.Connector, func(), error) {
			return connectortest.NewReference(connectortest.NewApp(), "L-002"), nil, nil // which breaks that law
		},
	}, conformance.Options{Only: []string{"L-001", "L-002", "L-204"}})
	for _, f := range report.Findings {
		fmt.Printf("%s %s: %s\n", f.Law.ID, f.Verdict, f.Law.Sentence)
	}
	fmt.Println(report.Broken())
	// Output:
	// L-001 held: Manifest answers, and the same at every call and in every process.
	// L-002 broken: The id has 1 to 64 bytes of a-z, 0-9 and "-", beginning with a letter.
	// L-204 skipped: A connection that the app accepts connects, any number of times.
	// [L-002]
}

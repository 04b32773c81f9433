package connectortest_test

import (
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/sluiceio/sluice/connector/conformance"
	"github.com/sluiceio/sluice/connector/connectortest"
)

// slowly is for a clock that costs nothing.
var slowly = conformance.Options{Pace: 500 * time.Millisecond, Stop: 3 * time.Second, BatchRows: 2}

func TestTheReferenceObeysEveryLaw(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		report := conformance.Check(t.Context(), connectortest.Subject(connectortest.NewApp(), ""), slowly)
		var text strings.Builder
		if err := report.WriteText(&text); err != nil {
			t.Fatal(err)
		}
		if n := len(conformance.Laws()); report.Count(conformance.Held) != n || n < 40 {
			t.Errorf("%d laws, of which %d are held:\n%s", n, report.Count(conformance.Held), text.String())
		}
	})
}

func TestEachBreachIsCaughtByItsLawAlone(t *testing.T) {
	t.Parallel()
	for _, law := range conformance.Laws() {
		t.Run(law.ID, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				report := conformance.Check(t.Context(), connectortest.Subject(connectortest.NewApp(), law.ID), slowly)
				if diff := cmp.Diff([]string{law.ID}, report.Broken()); diff != "" {
					var text strings.Builder
					_ = report.WriteText(&text)
					t.Errorf("%s\nbroken (-want +got):\n%s%s", law.Sentence, diff, text.String())
				}
			})
		})
	}
}

package zoho

import (
	"slices"
	"strings"
	"testing"

	"github.com/sluiceio/sluice/zoho/crm"
)

func TestLimitsReadAsSentences(t *testing.T) {
	t.Parallel()
	l := limitsFor(crm.Budget(crm.License{PaidType: "enterprise", Paid: true, Users: 10}))
	got := l.Sentences()
	for _, want := range []string{
		"Bulk Write Initialize: 120 a day (500 of 60,000 credits each)", "Bulk Read Initialize: 1,200 a day", "Bulk Read Download: 10 a minute",
		"Records Insert, Update and Upsert: 600,000 records a day", "10 at once (shared: heavy calls)",
	} {
		if !slices.ContainsFunc(got, func(s string) bool { return strings.Contains(s, want) }) {
			t.Errorf("no sentence says %q: %q", want, got)
		}
	}
}

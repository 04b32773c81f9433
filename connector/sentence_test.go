package connector_test

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/sluiceio/sluice/connector"
)

func TestLimitsAreSaidInSentences(t *testing.T) {
	limits := connector.Limits{
		Limits: []connector.Limit{
			{Category: "bulk_write_create", Label: "Bulk Write Initialize", Cost: &connector.Cost{Pool: "credits", Units: 500}},
			{Category: "records", Label: "Records", Cost: &connector.Cost{Pool: "credits", Units: 1, Items: 10}, MaxConcurrency: 10, Shared: "heavy"},
			{Category: "download", Rates: []connector.Rate{{Count: 10, Per: time.Minute}, {Count: 1000, Per: 90 * time.Minute}}, MaxConcurrency: 1},
			{Category: "free", Label: "Everything else"},
		},
		Pools: []connector.Pool{{Name: "credits", Label: "Credits", Capacity: 60_000, Window: 24 * time.Hour}},
	}
	want := []string{
		"Credits: 60,000 a day, rolling",
		"Bulk Write Initialize: 120 a day (500 of 60,000 credits each)",
		"Records: 600,000 records a day (1 of 60,000 credits for every 10 records), 10 at once (shared: heavy)",
		"download: 10 a minute, 1,000 in 90 minutes, 1 at once",
		"Everything else: no limit",
	}
	if diff := cmp.Diff(want, limits.Sentences()); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

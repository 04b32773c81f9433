package zoho

import (
	"fmt"
	"testing"
	"time"

	"github.com/sluiceio/sluice/connector"
	"github.com/sluiceio/sluice/zoho/zohosim"
)

// A day's credits that run out delay the rest; nothing is rejected for it, and
// Zoho never has to refuse a call.
func TestASpentBudgetDelaysTheRest(t *testing.T) {
	t.Parallel()
	w := newWorld(t, func(c *zohosim.Config) { c.Edition = "free"; c.Users = 3 })
	w.connect()
	header := []string{"External_Key", "Last_Name", "Company"}
	rows := make([][]string, 14)
	for i := range rows {
		rows[i] = []string{fmt.Sprint("k", i), "Ray", "Acme"}
	}
	answers := upsertAnswers(pathBulk)
	answers[fieldBatchSize], answers[fieldConcurrency] = []string{"1"}, []string{"2"}
	out := newOut(t, batchOf(connector.ActionCreate, header, 1, rows...))
	err := w.run(syncFor(connector.StrategyUpsert, answers, header), out)
	if connector.ClassOf(err) != connector.ClassQuotaExhausted {
		t.Errorf("the run ended with %v", err)
	}
	got := out.count()
	if got[connector.StatusSucceeded] < 8 || got[connector.StatusSucceeded]+got[connector.StatusDelayed] != len(rows) {
		t.Errorf("outcomes %v", got)
	}
	for _, o := range out.outcomes {
		if o.status == connector.StatusDelayed && o.err.Class != connector.ClassQuotaExhausted && o.err.Class != connector.ClassCancelled {
			t.Errorf("delayed for %v", o.err)
		}
	}
	if c := w.sim.Counters(); c.ThrottledCredits != 0 {
		t.Errorf("Zoho refused %d calls", c.ThrottledCredits)
	}
}

// Several jobs run at once, within the organisation's concurrency.
func TestJobsOverlapWithinTheLimits(t *testing.T) {
	t.Parallel()
	w := newWorld(t, func(c *zohosim.Config) { c.JobPolls = 3; c.Edition = "standard" })
	w.connect()
	var batches []*connector.RecordBatch
	for i := range 20 {
		batches = append(batches, batchOf(connector.ActionCreate, leadHeader, int64(i*1000), leads(i*1000, 1000)...))
	}
	answers := upsertAnswers(pathBulk)
	answers[fieldBatchSize] = []string{"2500"}
	out := newOut(t, batches...)
	start := time.Now()
	w.must(syncFor(connector.StrategyUpsert, answers, leadHeader), out)
	t.Logf("20,000 records in 8 jobs took %s", time.Since(start).Round(time.Millisecond))
	out.want(connector.StatusSucceeded, 20_000)
	c := w.sim.Counters()
	if c.BulkWriteJobs != 8 || c.PeakConcurrency < 2 || c.PeakConcurrency > 10 || c.ThrottledConcurrency != 0 {
		t.Errorf("%d jobs, %d calls at once, %d throttled", c.BulkWriteJobs, c.PeakConcurrency, c.ThrottledConcurrency)
	}
	for _, seq := range []int64{0, 9_999, 19_999} {
		if r := w.sim.Record("Leads", out.outcomes[seq].id); r["External_Key"] != fmt.Sprintf("K%07d", seq) {
			t.Errorf("record %d became %v", seq, r)
		}
	}
}

package zoho

import (
	"fmt"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/sluiceio/sluice/connector"
	"github.com/sluiceio/sluice/zoho/crm"
	"github.com/sluiceio/sluice/zoho/zohosim"
)

// price is what one run costs by the way that is chosen and by each way.
type price struct{ chosen, bulk, records int }

func (p price) plus(q price) price {
	return price{p.chosen + q.chosen, p.bulk + q.bulk, p.records + q.records}
}

func (p price) times(n int) price { return price{p.chosen * n, p.bulk * n, p.records * n} }

func (p price) row(what string) string {
	return fmt.Sprintf("| %s | %s | %s | %s |\n", what, thousands(p.chosen), thousands(p.bulk), thousands(p.records))
}

func thousands(n int) string {
	s := fmt.Sprint(n)
	for i := len(s) - 3; i > 0; i -= 3 {
		s = s[:i] + "," + s[i:]
	}
	return s
}

// looks is how often a job is asked for before it is done: the questions follow
// each other ever more slowly.
const looks = bulkReadExtras - 1

// writePrice is a run that writes n records, by the functions that the connector
// chooses by.
func writePrice(n int) (p price) {
	asked := crm.Cost(crm.OpModules, 0) + crm.Cost(crm.OpFields, 0) + crm.Cost(crm.OpLayouts, 0)
	job := jobCost + (looks-1)*crm.Cost(crm.OpBulkWriteStatus, 0)
	plan := &plan{strategy: strategyUpsert, key: "External_Key", path: pathAuto}
	p = price{asked, asked, asked}
	for left := n; left > 0; left -= defaultBatchSize {
		rows := min(left, defaultBatchSize)
		p.bulk += job
		p.records += recordsCost(rows)
		if plan.byRecords(rows, false) {
			p.chosen += recordsCost(rows)
		} else {
			p.chosen += job
		}
	}
	return p
}

// readPrice is a run that reads n changed records of a module, and which were
// deleted.
func readPrice(n int) price {
	asked := crm.Cost(crm.OpModules, 0) + crm.Cost(crm.OpFields, 0) + crm.Cost(crm.OpDeletedList, 0)
	byQueries, _ := planQueries([]crm.Field{{APIName: "Last_Name", DataType: "text"}})
	count := crm.Cost(crm.OpCOQL, 1)
	queries := count + int(byQueries.cost(int64(n), crm.COQLMaxRows))
	size := querySize(int64(n), crm.COQLMaxRows)
	if n%size == 0 { // whether more follows a full answer is asked
		queries += crm.Cost(crm.OpCOQL, querySize(1, crm.COQLMaxRows))
	}
	p := price{bulk: asked + int(bulkReadCost(int64(n))), records: asked + queries}
	if p.chosen = p.records; byQueries.cost(int64(n), crm.COQLMaxRows) > bulkReadCost(int64(n)) {
		p.chosen = p.bulk + count
	}
	return p
}

// TestTheMonthInTheDocumentation writes CREDITS.md from the cost functions and
// compares it with what is there.
func TestTheMonthInTheDocumentation(t *testing.T) {
	t.Parallel()
	const all, changed, runs = 200_000, 2_000, 24 * 30
	budget := crm.Budget(crm.License{PaidType: "enterprise", Paid: true, Users: 10})
	both := writePrice(changed).plus(readPrice(changed))
	var b strings.Builder
	fmt.Fprintf(&b, `# What it costs in API credits

Zoho CRM sells calls by credits that come back after 24 hours. The connector takes the way that costs the least, writing and
reading, and says what it chose and for how much. This page is computed from the functions it chooses by, and a test compares it
with the books of the simulator.

| call | credits |
|---|---|
| create a bulk write job, whatever it holds up to %s records | %d |
| insert, update or upsert records | 1 for every 10, so 10 for a call of 100 |
| create a bulk read job, whatever it brings up to %s records | %d |
| query up to 200, 1,000 or 2,000 records | %d, %d or %d |
| a page of the list of deleted records | %d |
| a look at a job, a download, a list of fields, and most others | 1 |

So a bulk job is cheaper for more than %s records at once, and a bulk read for more than %s changed records of a module whose
fields fit one query. A job is taken to need %d looks; each further one costs a credit.

## A month

%s records in one module, a run every hour, 1 %% of them changed each time (%s), written to Zoho and, by a second sync, read
from it. Credits, with what a run asks about the module before it moves anything:

| | chosen | all by bulk jobs | all by record calls and queries |
|---|---|---|---|
`, thousands(crm.BulkWriteMaxRows), crm.Cost(crm.OpBulkWriteCreate, 0), thousands(crm.BulkReadMaxRows), crm.Cost(crm.OpBulkReadCreate, 0),
		crm.Cost(crm.OpCOQL, 200), crm.Cost(crm.OpCOQL, 1000), crm.Cost(crm.OpCOQL, 2000), crm.Cost(crm.OpDeletedList, 0),
		thousands(breakEven(func(n int) bool { return recordsCost(n) > jobCost })), thousands(breakEven(func(n int) bool { p := readPrice(n); return p.chosen != p.records })),
		looks, thousands(all), thousands(changed))
	b.WriteString(writePrice(changed).row("one run, writing"))
	b.WriteString(readPrice(changed).row("one run, reading"))
	b.WriteString(both.times(24).row("a day of both"))
	b.WriteString(both.times(runs).row("**30 days of both**"))
	once := readPrice(all)
	once.chosen = once.bulk // a first read is known not to be small: nothing is counted
	b.WriteString(writePrice(all).plus(once).row("all records once, written and read"))
	share := func(n int) string { return fmt.Sprintf("%d %%", (n*24*100+int(budget.Credits)/2)/int(budget.Credits)) }
	fmt.Fprintf(&b, "| a day's share of the %s credits of Enterprise with 10 users | %s | %s | %s |\n", thousands(int(budget.Credits)), share(both.chosen), share(both.bulk), share(both.records))
	b.WriteString("\n\"All records once\" is what the first runs cost, and what a full refresh costs each time.\n\n## One run, by how much changed\n\n" +
		"| changed | writing: chosen | bulk jobs | record calls | reading: chosen | bulk read | queries |\n|---|---|---|---|---|---|---|\n")
	for _, n := range []int{0, 20, 200, 2_000, 5_001, 10_000, 20_000, 50_000, all} {
		w, r := writePrice(n), readPrice(n)
		fmt.Fprintf(&b, "| %s | %s | %s | %s | %s | %s | %s |\n", thousands(n), thousands(w.chosen), thousands(w.bulk), thousands(w.records), thousands(r.chosen), thousands(r.bulk), thousands(r.records))
	}
	b.WriteString("\nA bulk read that was chosen costs a credit more than one that was asked for: what changed was counted first.\n")
	const path = "CREDITS.md"
	if *update {
		if err := os.WriteFile(path, []byte(b.String()), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	have, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(have), b.String()); diff != "" {
		t.Errorf("%s (-) and what is so (+); look it through and run with -update:\n%s", path, diff)
	}
}

// breakEven is the last number before over begins to hold.
func breakEven(over func(n int) bool) int {
	n := 1
	for !over(n) {
		n++
	}
	return n - 1
}

// TestTheSimulatorsBooksSayTheSame runs an hour of the month, each way, and one in
// which nothing changed.
func TestTheSimulatorsBooksSayTheSame(t *testing.T) {
	t.Parallel()
	for _, n := range []int{0, 200, 2_000, 5_001, 20_000} {
		t.Run(fmt.Sprint(n), func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, func(c *zohosim.Config) { c.JobPolls = looks; c.DisableDownloadLimit = true })
			w.connect()
			w.insertLead("old", nil)
			w.sim.AdvanceClock(time.Hour)
			first := w.readBy(pathBulk, "Leads", connector.ReadIncremental, "", newIn(t), slimHeader...)
			if first.Error != nil {
				t.Fatal(first.Error)
			}
			w.sim.AdvanceClock(time.Hour)
			var wrote, read price
			for path, into := range map[string]*[2]*int{pathAuto: {&wrote.chosen, &read.chosen}, pathBulk: {&wrote.bulk, &read.bulk}, pathRecords: {&wrote.records, &read.records}} {
				out := newOut(t, batchOf(connector.ActionCreate, slimHeader, 1, slim(n)...))
				*into[0] = w.ledgerOf(func() { w.must(syncFor(connector.StrategyUpsert, upsertAnswers(path), slimHeader), out) })
				out.want(connector.StatusSucceeded, n)
			}
			w.sim.AdvanceClock(time.Minute)
			for path, into := range map[string]*int{pathAuto: &read.chosen, pathBulk: &read.bulk, pathRecords: &read.records} {
				in := newIn(t)
				*into = w.ledgerOf(func() {
					if d := w.readBy(path, "Leads", connector.ReadIncremental, first.State, in, slimHeader...); d.Error != nil || len(in.rows["Leads"]) != n {
						t.Errorf("%s: %v, %d rows", path, d.Error, len(in.rows["Leads"]))
					}
				})
			}
			if wrote != writePrice(n) || read != readPrice(n) {
				t.Errorf("%d records: the books say %+v and %+v, the page %+v and %+v", n, wrote, read, writePrice(n), readPrice(n))
			}
		})
	}
}

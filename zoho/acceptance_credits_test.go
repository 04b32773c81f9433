package zoho

import (
	"fmt"
	"testing"
	"time"

	"github.com/sluiceio/sluice/connector"
	"github.com/sluiceio/sluice/zoho/zohosim"
)

var slimHeader = []string{"External_Key", "Last_Name", "Company"}

// slim makes n small leads.
func slim(n int) [][]string {
	rows := make([][]string, n)
	for i := range rows {
		rows[i] = []string{fmt.Sprintf("k%06d", i), "Ray", "Acme"}
	}
	return rows
}

// ledgerOf tells what the credit ledger of Zoho says about an action.
func (w *world) ledgerOf(do func()) int {
	before := w.sim.Credits().SpentEver
	do()
	return w.sim.Credits().SpentEver - before
}

// writeCost writes n changed records by a path and returns what the ledger says.
func writeCost(t *testing.T, n int, path string) int {
	t.Helper()
	w := newWorld(t, func(c *zohosim.Config) { c.JobPolls = 1 })
	w.connect()
	out := newOut(t, batchOf(connector.ActionCreate, slimHeader, 1, slim(n)...))
	spent := w.ledgerOf(func() { w.must(syncFor(connector.StrategyUpsert, upsertAnswers(path), slimHeader), out) })
	out.want(connector.StatusSucceeded, n)
	writes := w.sim.WritesPerRecord("Leads")
	for id, times := range writes {
		if times != 1 {
			t.Errorf("%s was written %d times", id, times)
		}
	}
	if len(writes) != n {
		t.Errorf("%d records in Zoho, %d sent", len(writes), n)
	}
	return spent
}

// TestWritingTakesTheCheaperPath compares ledgers: what is chosen costs no more
// than either path does.
func TestWritingTakesTheCheaperPath(t *testing.T) {
	t.Parallel()
	for _, n := range []int{100, 1_000, 4_999, 5_001, 26_000, 100_000} {
		t.Run(fmt.Sprint(n), func(t *testing.T) {
			t.Parallel()
			auto, bulk, records := writeCost(t, n, pathAuto), writeCost(t, n, pathBulk), writeCost(t, n, pathRecords)
			t.Logf("%d changed records: chosen %d credits, bulk jobs %d, record calls %d", n, auto, bulk, records)
			if least := min(bulk, records); auto > least || n < 25_000 && auto != least {
				t.Errorf("%d changed records cost %d credits, bulk jobs %d, record calls %d", n, auto, bulk, records)
			}
		})
	}
}

// readCost reads an increment of n records by a way and returns what the ledger
// says.
func readCost(t *testing.T, n int, path string) int {
	t.Helper()
	w := newWorld(t, func(c *zohosim.Config) { c.JobPolls = 1; c.DisableDownloadLimit = true })
	w.connect()
	w.insertLead("old", nil)
	w.sim.AdvanceClock(time.Hour)
	fields := []string{"External_Key", "Last_Name", "Company"}
	first := w.readBy(pathBulk, "Leads", connector.ReadIncremental, "", newIn(t), fields...)
	if first.Error != nil {
		t.Fatal(first.Error)
	}
	w.sim.AdvanceClock(time.Hour)
	for _, row := range slim(n) {
		if _, err := w.sim.Insert("Leads", map[string]string{"External_Key": row[0], "Last_Name": row[1], "Company": row[2]}); err != nil {
			t.Fatal(err)
		}
	}
	w.sim.AdvanceClock(time.Minute)
	in := newIn(t)
	spent := w.ledgerOf(func() {
		if d := w.readBy(path, "Leads", connector.ReadIncremental, first.State, in, fields...); d.Error != nil {
			t.Fatal(d.Error)
		}
	})
	if len(in.rows["Leads"]) != n || in.received != n {
		t.Errorf("%d records came, %d of them different, of %d", in.received, len(in.rows["Leads"]), n)
	}
	return spent
}

// TestReadingTakesTheCheaperWay is the same for increments. Where bulk reads are
// chosen, the query that counted what there is costs a credit more.
func TestReadingTakesTheCheaperWay(t *testing.T) {
	t.Parallel()
	for _, n := range []int{100, 1_000, 4_999, 5_001, 100_000} {
		t.Run(fmt.Sprint(n), func(t *testing.T) {
			t.Parallel()
			auto, bulk, queries := readCost(t, n, pathAuto), readCost(t, n, pathBulk), readCost(t, n, pathRecords)
			t.Logf("%d changed records: chosen %d credits, bulk read %d, queries %d", n, auto, bulk, queries)
			want := queries
			if bulk < queries {
				want = bulk + 1
			}
			if auto != want {
				t.Errorf("%d changed records cost %d credits to read, bulk read %d, queries %d", n, auto, bulk, queries)
			}
		})
	}
}

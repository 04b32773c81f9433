package zoho

import (
	"fmt"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/sluiceio/sluice/connector"
	"github.com/sluiceio/sluice/zoho/zohosim"
)

// TestARunCostsWhatWasSaid prices a run, runs it, and compares the requests that
// carry records: none is left out, none is too many.
func TestARunCostsWhatWasSaid(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		records int
		path    string
		chosen  string
		units   int64
	}{
		{100, pathAuto, pathRecords, 10},
		{4_999, pathAuto, pathRecords, 500},
		{5_001, pathAuto, pathRecords, 501},
		{5_021, pathAuto, pathBulk, 502},
		{5_001, pathRecords, pathRecords, 501},
		{26_000, pathAuto, pathMixed, 602},
		{100, pathBulk, pathBulk, 502},
	} {
		t.Run(fmt.Sprint(c.records, " records by ", c.path), func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, nil)
			sync := syncFor(connector.StrategyUpsert, upsertAnswers(c.path), leadHeader)
			paths, err := w.open().OutboundCosts(t.Context(), sync, []connector.ActionCount{{Action: connector.ActionCreate, Records: int64(c.records)}})
			if err != nil {
				t.Fatal(err)
			}
			want := map[string]int64{}
			for _, p := range paths {
				if !p.Chosen {
					continue
				}
				if p.Name != c.chosen || p.Units(poolCredits) != c.units {
					t.Errorf("%s for %d credits is chosen, want %s for %d", p.Name, p.Units(poolCredits), c.chosen, c.units)
				}
				for _, cost := range p.Costs {
					want[cost.Category] = cost.Requests
				}
			}
			out := newOut(t, batchOf(connector.ActionCreate, leadHeader, 0, leads(0, c.records)...))
			w.must(sync, out)
			delete(out.usage, "other") // metadata, and how far a job is
			delete(out.usage, "token")
			if diff := cmp.Diff(want, out.usage); diff != "" {
				t.Errorf("requests by category (-said +sent):\n%s", diff)
			}
		})
	}
}

func TestPathsThatCannotBeTakenAreNotPriced(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil)
	sync := syncFor(connector.StrategyUpdate, upsertAnswers(pathAuto), leadHeader)
	paths, err := w.open().OutboundCosts(t.Context(), sync, []connector.ActionCount{{Action: connector.ActionUpdate, Records: 10}})
	if err != nil || len(paths) != 1 || paths[0].Name != pathBulk || !paths[0].Chosen {
		t.Errorf("updates by a key: %+v, %v", paths, err)
	}
	sync = syncFor(connector.StrategyMirror, upsertAnswers(pathAuto), leadHeader)
	paths, err = w.open().OutboundCosts(t.Context(), sync, []connector.ActionCount{{Action: connector.ActionDelete, Records: 201}})
	if err != nil || len(paths) != 1 || paths[0].Name != pathRecords || paths[0].Units(poolCredits) != 3 {
		t.Errorf("deletions: %+v, %v", paths, err)
	}
}

// By Zoho's own ledger no other way would have been cheaper.
func TestTheChosenWayIsTheCheapestByTheLedger(t *testing.T) {
	t.Parallel()
	for _, records := range []int{100, 4_999, 5_001, 5_100} {
		t.Run(fmt.Sprint(records), func(t *testing.T) {
			t.Parallel()
			spent := map[string]int{}
			for _, path := range []string{pathAuto, pathBulk, pathRecords} {
				w := newWorld(t, func(c *zohosim.Config) { c.JobPolls = 1 }) // one question a job
				out := newOut(t, batchOf(connector.ActionCreate, leadHeader, 0, leads(0, records)...))
				w.must(syncFor(connector.StrategyUpsert, upsertAnswers(path), leadHeader), out)
				spent[path] = w.sim.Credits().SpentEver
			}
			if best := min(spent[pathBulk], spent[pathRecords]); spent[pathAuto] > best {
				t.Errorf("credits %v", spent)
			}
		})
	}
}

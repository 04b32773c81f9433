package warehousetest

import (
	"fmt"
	"sync"
	"time"

	"github.com/sluiceio/sluice/connector"
	"github.com/sluiceio/sluice/runner"
)

// testConcurrent runs several syncs both ways at once, each in its own tables.
func testConcurrent(e *exam) {
	e.leads(`'1', 'a', NULL, NULL`, `'2', 'b', NULL, NULL`, `'3', 'c', NULL, NULL`)
	const syncs, rounds = 4, 4
	var group sync.WaitGroup
	for n := range syncs {
		group.Go(func() {
			for round := range rounds {
				if err := e.outboundRound(fmt.Sprintf("sync-%d", n), fmt.Sprint(round)); err != nil {
					e.Errorf("sync %d, round %d: %v", n, round, err)
				}
			}
		})
		group.Go(func() {
			for round := range rounds {
				if err := e.inboundRound(n, round); err != nil {
					e.Errorf("stream %d, round %d: %v", n, round, err)
				}
			}
		})
	}
	group.Wait()
	e.want(`SELECT count(*) FROM sluice.outcomes WHERE status = 'SUCCEEDED'`, []string{fmt.Sprint(3 * syncs * rounds)})
	for n := range syncs {
		e.want(fmt.Sprintf(`SELECT count(*), min(name) FROM inbound.t%d`, n), []string{"20", fmt.Sprint(rounds - 1)})
	}
}

// outboundRound runs one sync once, settling record by record.
func (e *exam) outboundRound(syncID, run string) error {
	plan := runner.OutboundPlan{
		SyncID: syncID, RunID: run, Source: runner.Source{Table: "leads"}, Identifier: "id", Strategy: connector.StrategyReplace, Now: e.now,
		Mappings: []runner.Mapping{{Field: "Name", Column: "name"}},
	}
	if _, err := e.w.Plan(e.ctx(), plan); err != nil {
		return err
	}
	for b, err := range e.w.Records(e.ctx(), syncID, run, runner.OutboxSelection{}) {
		if err != nil {
			return err
		}
		for _, seq := range b.Seqs {
			if err := e.w.Settle(e.ctx(), syncID, run, e.now, []connector.Outcomes{{Seqs: []int64{seq}}}); err != nil {
				return err
			}
		}
	}
	return e.w.Finish(e.ctx(), syncID, run, e.now)
}

// inboundRound receives one stream once.
func (e *exam) inboundRound(n, round int) error {
	target := runner.StreamTarget{
		SyncID: "in", RunID: fmt.Sprint(round), Stream: fmt.Sprint("s", n), Table: fmt.Sprintf("inbound.t%d", n), Key: []string{"id"},
		Storage: runner.StorageMerge, RetrievedAt: e.now.Add(time.Duration(round) * time.Hour),
	}
	w, err := e.w.OpenStream(e.ctx(), target)
	if err != nil {
		return err
	}
	defer w.Close()
	for i := range 20 {
		if err := w.Append(e.ctx(), rows(deal, []string{fmt.Sprint(i), fmt.Sprint(round)})); err != nil {
			return err
		}
		if i%5 == 4 {
			if _, err := w.Commit(e.ctx(), fmt.Sprint(i), i == 19); err != nil {
				return err
			}
		}
	}
	return nil
}

package zoho

import (
	"context"

	"github.com/sluiceio/sluice/connector"
	"github.com/sluiceio/sluice/zoho/crm"
)

const pathMixed = "mixed"

// OutboundCosts prices bulk jobs and record calls for a run, and, where a run
// would use both, that. Jobs are counted by their records; a job whose file would
// be too large becomes several, which cannot be known here.
func (s *session) OutboundCosts(ctx context.Context, sync connector.OutboundSync, counts []connector.ActionCount) ([]connector.OutboundPath, error) {
	p, err := s.compile(ctx, sync)
	if err != nil {
		return nil, err
	}
	bulk, records, mixed := &tally{}, &tally{}, &tally{}
	jobs, calls := 0, 0 // of the chosen way
	for _, c := range counts {
		if c.Action == connector.ActionDelete {
			for _, t := range []*tally{bulk, records, mixed} {
				t.deletions(c.Records)
			}
			continue
		}
		for left := c.Records; left > 0; left -= int64(p.batch) {
			rows := int(min(left, int64(p.batch)))
			bulk.job()
			records.calls(rows)
			if p.byRecords(rows, p.key == idField) {
				mixed.calls(rows)
				calls++
				continue
			}
			mixed.job()
			jobs++
		}
	}
	if jobs+calls == 0 {
		return []connector.OutboundPath{{Name: pathRecords, Label: "Record calls", Chosen: true, Costs: records.costs}}, nil
	}
	paths := []connector.OutboundPath{
		{Name: pathBulk, Label: "Bulk jobs", Chosen: calls == 0, Costs: bulk.costs, Reason: "Each look at how far a job is takes one credit more."},
	}
	if p.recordsPossible(p.key == idField) {
		paths = append(paths, connector.OutboundPath{Name: pathRecords, Label: "Record calls", Chosen: jobs == 0, Costs: records.costs})
	}
	if jobs > 0 && calls > 0 {
		paths = append(paths, connector.OutboundPath{
			Name: pathMixed, Label: "Bulk jobs and record calls", Chosen: true, Costs: mixed.costs, Reason: "Record calls for what is too little for a job.",
		})
	}
	return paths, nil
}

// tally adds up requests by category.
type tally struct{ costs []connector.PathCost }

func (t *tally) add(category string, units int) {
	for i := range t.costs {
		if t.costs[i].Category == category {
			t.costs[i].Requests++
			t.costs[i].Units += int64(units)
			return
		}
	}
	t.costs = append(t.costs, connector.PathCost{Category: category, Requests: 1, Pool: poolCredits, Units: int64(units)})
}

func (t *tally) job() {
	t.add("upload", crm.Cost(crm.OpUpload, 0))
	t.add("bulk_write_create", crm.Cost(crm.OpBulkWriteCreate, 0))
	t.add("bulk_write_result", crm.Cost(crm.OpBulkWriteResult, 0))
}

func (t *tally) calls(rows int) {
	for ; rows > 0; rows -= crm.MaxRecordsPerWrite {
		t.add("records_write", crm.Cost(crm.OpRecordsUpsert, min(rows, crm.MaxRecordsPerWrite)))
	}
}

// deletions go by ids, a hundred in a call.
func (t *tally) deletions(rows int64) {
	for ; rows > 0; rows -= crm.MaxRecordsPerWrite {
		t.add("other", crm.Cost(crm.OpRecordsDelete, 0))
	}
}

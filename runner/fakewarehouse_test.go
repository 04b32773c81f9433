package runner

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"maps"
	"slices"
	"sync"
	"time"

	"github.com/sluiceio/sluice/connector"
)

// fakeWarehouse is a warehouse in memory: one source of identifiers, and per
// sync what the contract of the interface asks for.
type fakeWarehouse struct {
	machine   *machine
	mu        sync.Mutex
	source    []string
	batchRows int
	// state is the record state: the outcome that was last moved into it.
	state  map[string]connector.Status
	outbox map[string][]outboxRow // by run; dropped by Finish
	// template is what the outbox of a run was made for.
	template map[string]string
	log      map[string]map[int64]RecordOutcome
	closed   map[string]bool
	plan     error // refuses to plan
	// takes is how long planning and finishing take.
	takes time.Duration
	// hidden delays Settle, for tests of grouping.
	settles int

	cursors map[string]string
	tables  map[string]*fakeTable
	broken  map[string]error // streams whose Append fails
}

type outboxRow struct {
	seq        int64
	identifier string
}

var _ Warehouse = (*fakeWarehouse)(nil)

func newFakeWarehouse(m *machine, records int) *fakeWarehouse {
	w := &fakeWarehouse{
		machine: m, batchRows: 7, state: map[string]connector.Status{}, outbox: map[string][]outboxRow{}, template: map[string]string{},
		log: map[string]map[int64]RecordOutcome{}, closed: map[string]bool{},
		cursors: map[string]string{}, tables: map[string]*fakeTable{}, broken: map[string]error{},
	}
	for i := range records {
		w.source = append(w.source, fmt.Sprintf("id-%d", i+1))
	}
	return w
}

func (w *fakeWarehouse) step(do func()) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.machine.step(do)
}

func (w *fakeWarehouse) Close() error { return nil }

func (w *fakeWarehouse) Query(context.Context, string) (Rows, error) {
	return Rows{}, errors.ErrUnsupported
}

var fakeSchema = &connector.Schema{ID: "s1", Columns: []connector.Column{{Name: "Email", Type: connector.Type{Kind: connector.KindString}}}}

// due are the records a new run sends: those the app has not said a last word on.
func (w *fakeWarehouse) due(plan OutboundPlan) []outboxRow {
	var rows []outboxRow
	for _, id := range w.source {
		switch w.state[id] {
		case connector.StatusSucceeded, connector.StatusRejected, connector.StatusInDoubt, connector.StatusInvalid:
			if !plan.Resync {
				continue
			}
		}
		if plan.Limit > 0 && int64(len(rows)) == plan.Limit {
			break
		}
		rows = append(rows, outboxRow{int64(len(rows) + 1), id})
	}
	return rows
}

func (w *fakeWarehouse) Plan(ctx context.Context, plan OutboundPlan) (PlanReport, error) {
	if w.plan != nil {
		return PlanReport{}, w.plan
	}
	if w.takes > 0 {
		<-time.After(w.takes)
	}
	if err := ctx.Err(); err != nil {
		return PlanReport{}, err
	}
	var report PlanReport
	var refused error
	err := w.step(func() {
		if w.closed[plan.RunID] {
			refused = fmt.Errorf("run %s is finished", plan.RunID)
			return
		}
		for other := range w.outbox {
			if other != plan.RunID {
				refused = fmt.Errorf("the outbox of run %s is unfinished", other)
				return
			}
		}
		rows, ok := w.outbox[plan.RunID]
		if !ok {
			rows = w.due(plan)
		}
		if !ok {
			w.template[plan.RunID] = plan.Template
		}
		if plan.RunID != "" && !ok {
			w.outbox[plan.RunID], w.log[plan.RunID] = rows, map[int64]RecordOutcome{}
		}
		report = PlanReport{Schema: fakeSchema, Template: w.template[plan.RunID], SourceRows: int64(len(w.source)), Records: int64(len(rows)), Samples: samples(rows, plan.Samples)}
		report.Actions = []ActionCount{{Action: connector.ActionCreate, Reason: ReasonNew, Count: report.Records}}
	})
	return report, errors.Join(err, refused)
}

func samples(rows []outboxRow, n int) []Sample {
	var all []Sample
	for _, r := range rows[:min(n, len(rows))] {
		all = append(all, Sample{Identifier: r.identifier, Action: connector.ActionCreate, Values: []string{r.identifier}, Null: []bool{false}})
	}
	return all
}

func (w *fakeWarehouse) Records(ctx context.Context, _, runID string, selection OutboxSelection) iter.Seq2[*connector.RecordBatch, error] {
	return func(yield func(*connector.RecordBatch, error) bool) {
		last := int64(0)
		for {
			batch, err := w.page(runID, selection, last)
			if err != nil {
				yield(nil, err)
				return
			}
			if batch.Rows == 0 || ctx.Err() != nil || !yield(batch, nil) {
				return
			}
			last = batch.Seqs[batch.Rows-1]
		}
	}
}

// page returns the next rows after a number, as they are selected now.
func (w *fakeWarehouse) page(runID string, selection OutboxSelection, last int64) (*connector.RecordBatch, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	rows, ok := w.outbox[runID]
	if !ok {
		return nil, fmt.Errorf("run %s has no outbox", runID)
	}
	batch := &connector.RecordBatch{Schema: fakeSchema, Action: connector.ActionCreate, Ticket: selection.Ticket, Columns: make([]connector.Values, 1)}
	for _, r := range rows {
		if r.seq <= last || batch.Rows == w.batchRows || !w.selected(runID, r.seq, selection) {
			continue
		}
		batch.Seqs = append(batch.Seqs, r.seq)
		batch.Identifiers = append(batch.Identifiers, r.identifier)
		batch.Columns[0].Texts = append(batch.Columns[0].Texts, r.identifier)
		batch.Rows++
	}
	return batch, nil
}

func (w *fakeWarehouse) selected(runID string, seq int64, selection OutboxSelection) bool {
	if selection.Seqs != nil && !newSeqSet(selection.Seqs...).has(seq) {
		return false
	}
	if newSeqSet(selection.Except...).has(seq) {
		return false
	}
	o, ok := w.log[runID][seq]
	return !selection.Unsettled || !ok || o.Status == connector.StatusRetry
}

func (w *fakeWarehouse) Settle(_ context.Context, _, runID string, at time.Time, outcomes []connector.Outcomes) error {
	return w.step(func() {
		w.settles++
		for _, o := range outcomes {
			status := make([]RecordOutcome, len(o.Seqs))
			for i, seq := range o.Seqs {
				status[i] = RecordOutcome{Seq: seq, Status: connector.StatusSucceeded, At: at}
				if o.AppIdentifiers != nil {
					status[i].AppIdentifier = o.AppIdentifiers[i]
				}
			}
			for _, x := range o.Exceptions {
				status[x.Row].Status = x.Status
				if x.Error != nil {
					status[x.Row].Class, status[x.Row].Code, status[x.Row].Message = x.Error.Class, x.Error.Code, x.Error.Message
				}
			}
			for _, s := range status {
				w.log[runID][s.Seq] = s
			}
		}
	})
}

func (w *fakeWarehouse) Delay(_ context.Context, _, runID string, at time.Time, except []connector.SeqRange, why *connector.Error) (n int64, err error) {
	err = w.step(func() {
		held := newSeqSet(except...)
		for _, r := range w.outbox[runID] {
			if _, settled := w.log[runID][r.seq]; settled || held.has(r.seq) {
				continue
			}
			w.log[runID][r.seq] = RecordOutcome{
				Seq: r.seq, Status: connector.StatusDelayed, Class: why.Class, Code: why.Code, Message: why.Message, At: at,
			}
			n++
		}
	})
	return n, err
}

func (w *fakeWarehouse) Counts(_ context.Context, _, runID string) (map[connector.Status]int64, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	counts := map[connector.Status]int64{}
	for _, r := range w.outbox[runID] {
		counts[w.log[runID][r.seq].Status]++
	}
	return counts, nil
}

func (w *fakeWarehouse) Finish(_ context.Context, _, runID string, _ time.Time) error {
	if w.takes > 0 {
		<-time.After(w.takes)
	}
	return w.step(func() {
		for _, r := range w.outbox[runID] {
			if o, ok := w.log[runID][r.seq]; ok {
				w.state[r.identifier] = o.Status
			}
		}
		delete(w.outbox, runID)
		w.closed[runID] = true
	})
}

func (w *fakeWarehouse) Outcomes(_ context.Context, _, runID string, filter OutcomeFilter) iter.Seq2[RecordOutcome, error] {
	w.mu.Lock()
	log := maps.Clone(w.log[runID])
	w.mu.Unlock()
	return func(yield func(RecordOutcome, error) bool) {
		for _, seq := range slices.Sorted(maps.Keys(log)) {
			if filter.Statuses != nil && !slices.Contains(filter.Statuses, log[seq].Status) {
				continue
			}
			if !yield(log[seq], nil) {
				return
			}
		}
	}
}

func (w *fakeWarehouse) Mark(context.Context, string, []string, Mark) (int64, error) {
	return 0, errors.ErrUnsupported
}

func (w *fakeWarehouse) Accept(context.Context, string, []string, []string, time.Time) (int64, error) {
	return 0, errors.ErrUnsupported
}

func (w *fakeWarehouse) RecordStates(context.Context, string, OutcomeFilter) iter.Seq2[RecordState, error] {
	return func(yield func(RecordState, error) bool) { yield(RecordState{}, errors.ErrUnsupported) }
}

// fakeTable is a stream's table.
type fakeTable struct {
	target    StreamTarget
	rows      map[string]string // app identifier -> run that brought it
	deleted   map[string]bool
	refreshed map[string]bool // seen in the full refresh going on
}

func (w *fakeWarehouse) States(context.Context, string) (map[string]string, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	return maps.Clone(w.cursors), nil
}

func (w *fakeWarehouse) ResetStream(_ context.Context, _, stream string) error {
	return w.step(func() { delete(w.cursors, stream) })
}

func (w *fakeWarehouse) OpenStream(_ context.Context, target StreamTarget) (StreamWriter, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	table := w.tables[target.Stream]
	if table == nil {
		table = &fakeTable{rows: map[string]string{}, deleted: map[string]bool{}}
		w.tables[target.Stream] = table
	}
	table.target = target
	if target.FullRefresh && !target.Resumed {
		table.refreshed = map[string]bool{}
	}
	return &fakeWriter{warehouse: w, table: table, target: target}, nil
}

type fakeWriter struct {
	warehouse *fakeWarehouse
	table     *fakeTable
	target    StreamTarget
	rows      []string
	deleted   []string
	counts    StreamCounts
}

func (f *fakeWriter) Append(_ context.Context, batch *connector.RecordBatch) error {
	if err := f.warehouse.broken[f.target.Stream]; err != nil {
		return err
	}
	f.rows = append(f.rows, batch.AppIdentifiers...)
	return nil
}

func (f *fakeWriter) Delete(_ context.Context, tombstones connector.Tombstones) error {
	f.deleted = append(f.deleted, tombstones.AppIdentifiers...)
	return nil
}

func (f *fakeWriter) Commit(_ context.Context, state string, final bool) (StreamCounts, error) {
	err := f.warehouse.step(func() {
		for _, id := range f.rows {
			f.table.rows[id] = f.target.RunID
			delete(f.table.deleted, id)
			if f.target.FullRefresh {
				f.table.refreshed[id] = true
			}
		}
		for _, id := range f.deleted {
			f.table.deleted[id] = true
		}
		if final && f.target.FullRefresh {
			for id := range f.table.rows {
				if !f.table.refreshed[id] {
					f.table.deleted[id] = true
				}
			}
		}
		f.warehouse.cursors[f.target.Stream] = state
		f.counts.Rows += int64(len(f.rows))
		f.counts.Deleted += int64(len(f.deleted))
		f.rows, f.deleted = nil, nil
	})
	return f.counts, err
}

func (f *fakeWriter) Close() error { return nil }

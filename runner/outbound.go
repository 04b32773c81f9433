package runner

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/sluiceio/sluice/connector"
)

// outboundRun is one outbound run under way.
type outboundRun struct {
	*work
	buffer  outcomeBuffer
	report  PlanReport
	request connector.OutboundSync
	texts   *texts

	books sync.Mutex
	// retrying are the records whose outcome so far is RETRY.
	retrying *seqSet
	// delayed is why the first record was delayed, in the connector's words.
	delayed *connector.Error
}

// outbound carries an outbound run from where it stands to its end.
func (w *work) outbound(options RunOptions) error {
	r := &outboundRun{work: w, retrying: newSeqSet()}
	r.buffer.settle = r.commit
	if w.run.Closing {
		return r.close() // everything has its outcome
	}
	strategy, err := strategyNamed(w.manifest, w.sync.Outbound.Strategy)
	if err != nil {
		return w.refuse(err)
	}
	if err := r.plan(options, strategy); err != nil {
		return err
	}
	if err := r.recall(); err != nil {
		return err
	}
	verdict, err := r.rounds()
	if err != nil {
		return err
	}
	if verdict.err != nil {
		w.update(func(run *Run) { run.Error = verdict.err })
	}
	return r.conclude(verdict)
}

// plan fills the outbox, or finds it filled.
func (r *outboundRun) plan(options RunOptions, strategy connector.Strategy) error {
	defer r.stage(stagePlan, "planning in the warehouse")()
	ctx, cancel := r.untilStopped()
	defer cancel()
	report, err := r.fill(ctx, options, strategy)
	if err != nil && r.stop.why() != nil {
		return errRunStopped // whether the outbox was filled is for the next run to find out
	}
	if err != nil {
		err = fmt.Errorf("planning sync %s: %w", r.sync.Name, err)
		var refused *PlanError
		var template *connector.Error // or the connector that is to take its text
		if errors.As(err, &refused) || errors.As(err, &template) || errors.Is(err, ErrRunning) {
			return r.refuse(err)
		}
		return err // the outbox may be filled all the same
	}
	r.report = report
	r.update(func(run *Run) { run.Records = report.Records })
	if err := r.save(); err != nil {
		return err
	}
	r.show(Event{Plan: &report})
	schema := report.Schema
	r.texts, err = r.engine.textsFor(ctx, r.handle.session, r.sync, report)
	if err != nil && r.stop.why() != nil {
		return errRunStopped
	}
	if err != nil {
		return fmt.Errorf("planning sync %s: %w", r.sync.Name, err)
	}
	if r.texts != nil {
		schema = r.texts.schema
	}
	r.request = connector.OutboundSync{
		SyncID: r.sync.Name, RunID: r.run.ID, Strategy: strategy, Answers: r.sync.Outbound.Answers,
		Mapping: mappedFields(schema), Deadline: r.run.Deadline,
		KeepsTickets: true, KeepsLedger: true, Records: report.Records,
	}
	return nil
}

// fill has the warehouse make the outbox.
func (r *outboundRun) fill(ctx context.Context, options RunOptions, strategy connector.Strategy) (PlanReport, error) {
	plan, err := r.engine.withTemplate(ctx, r.handle.session, r.sync, outboundPlan(r.sync, r.run.ID, strategy, r.manifest.Rendering, options, r.engine.now()))
	if err != nil {
		return PlanReport{}, err
	}
	return r.warehouse.Plan(ctx, plan)
}

func outboundPlan(sync Sync, runID string, strategy connector.Strategy, rendering connector.Rendering, options RunOptions, now time.Time) OutboundPlan {
	spec := sync.Outbound
	return OutboundPlan{
		SyncID: sync.Name, RunID: runID, Source: spec.Source, Identifier: spec.Identifier,
		Mappings: spec.Mappings, Strategy: strategy, Rendering: rendering,
		Limit: options.Limit, Retry: spec.Retry, Now: now, Resync: options.Resync,
	}
}

// mappedFields is the schema of the outbox as the connector is told it.
func mappedFields(schema *connector.Schema) []connector.MappedField {
	if schema == nil {
		return nil
	}
	fields := make([]connector.MappedField, len(schema.Columns))
	for i, c := range schema.Columns {
		fields[i] = connector.MappedField(c)
	}
	return fields
}

// round sends what has no final outcome yet through one conversation, open
// tickets first, and brings the books of its tickets in order.
func (r *outboundRun) round(open []connector.Ticket) (roundEnd, error) {
	if r.handle == nil {
		if err := r.spawn(); err != nil {
			return roundEnd{err: err}, nil
		}
	}
	outbound, err := outboundOf(r.handle.session)
	if err != nil {
		return roundEnd{err: err}, nil
	}
	batches := make(chan fetched, 1) // one waits here, one in the reader's hand
	c := r.newConversation(batches, open)
	ctx, cancel := context.WithCancel(r.ctx)
	var background errgroup.Group
	background.Go(func() error { defer close(batches); r.fetch(ctx, open, batches); return nil })
	background.Go(func() error { return r.commitInTime(ctx, c) })

	request := r.request
	request.Tickets = open
	sent := r.conversing()
	err = r.converse(c.host, c.failed, func(ctx context.Context) error {
		return outbound.SyncOutbound(connector.WithHost(ctx, c), request, c)
	})
	sent()
	c.gate.close()
	cancel()
	if failure := background.Wait(); failure != nil {
		return roundEnd{}, failure
	}
	select {
	case failure := <-c.failed: // the connector returned before it was broken off
		return roundEnd{}, failure
	default:
	}
	return c.end(err)
}

// fetch reads the outbox ahead of the connector: first the records of tickets
// handed back, then all others without a final outcome.
func (r *outboundRun) fetch(ctx context.Context, open []connector.Ticket, batches chan<- fetched) {
	var held []connector.SeqRange
	for _, t := range open {
		held = append(held, t.Seqs...)
		if !r.fetchSelection(ctx, OutboxSelection{Seqs: t.Seqs, Ticket: t.ID}, batches) {
			return
		}
	}
	r.fetchSelection(ctx, OutboxSelection{Unsettled: true, Except: held}, batches)
}

func (r *outboundRun) fetchSelection(ctx context.Context, selection OutboxSelection, batches chan<- fetched) bool {
	read := r.timed(stageRead)
	for batch, err := range r.rendered(ctx, r.warehouse.Records(ctx, r.sync.Name, r.run.ID, selection)) {
		read()
		if ctx.Err() != nil {
			return false
		}
		queued := r.timed(stageQueue)
		select {
		case batches <- fetched{batch, err}:
		case <-ctx.Done():
			return false
		}
		queued()
		if err != nil {
			return false
		}
		read = r.timed(stageRead)
	}
	read()
	return true
}

// commitInTime writes outcomes that have waited long enough.
func (r *outboundRun) commitInTime(ctx context.Context, c *conversation) error {
	tick := time.NewTicker(bookEvery)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
			if err := r.flush(); err != nil {
				return c.fail(err)
			}
		}
	}
}

// settle takes outcomes into the log, now or a little later.
func (r *outboundRun) settle(o connector.Outcomes) error {
	counts := map[connector.Status]int64{connector.StatusSucceeded: int64(len(o.Seqs))}
	var retry []int64
	r.books.Lock()
	for _, x := range o.Exceptions {
		counts[connector.StatusSucceeded]--
		counts[x.Status]++
		if x.Status == connector.StatusRetry {
			retry = append(retry, o.Seqs[x.Row])
		}
		if x.Status == connector.StatusDelayed && r.delayed == nil {
			r.delayed = x.Error
		}
	}
	again := r.retrying.size()
	r.retrying.removeSeqs(o.Seqs)
	again -= r.retrying.size()
	r.retrying.addSeqs(retry)
	r.books.Unlock()
	counts[connector.StatusRetry] -= again
	r.update(func(run *Run) { addCounts(run, counts) })
	r.showOutcomes()
	return r.buffer.add(r.ctx, o)
}

func addCounts(run *Run, counts map[connector.Status]int64) {
	sums := maps.Clone(run.Outcomes)
	if sums == nil {
		sums = map[connector.Status]int64{}
	}
	for status, n := range counts {
		if sums[status] += n; sums[status] <= 0 {
			delete(sums, status)
		}
	}
	run.Outcomes = sums
}

// flush makes all outcomes so far durable.
func (r *outboundRun) flush() error { return r.buffer.flush(r.ctx) }

// commit writes outcomes to the warehouse's log.
func (r *outboundRun) commit(ctx context.Context, outcomes []connector.Outcomes) error {
	defer r.timed(stageSettle)()
	if err := r.warehouse.Settle(ctx, r.sync.Name, r.run.ID, r.engine.now(), outcomes); err != nil {
		return fmt.Errorf("writing outcomes of run %s: %w", r.run.ID, err)
	}
	return nil
}

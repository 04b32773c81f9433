package runner

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/sluiceio/sluice/connector"
)

// PlanOptions adjusts [Engine.Plan].
type PlanOptions struct {
	// Samples is the number of sample records wanted for each action; 0 means 3,
	// a negative number none.
	Samples int
	// Check is the number of records of each action that are looked at for being
	// invalid, samples among them; 0 means 1,000, a negative number the samples
	// alone.
	Check int64
	// Limit bounds the number of records, as in a run with the same limit; 0 for all.
	Limit int64
	// Resync plans every record of the source again.
	Resync bool
}

// Plan is what a run would do, found without sending anything.
type Plan struct {
	// Report is what the warehouse found.
	Report PlanReport
	// Findings are what would be refused among the records looked at, before the
	// app is asked; the connector's part is empty also when it does not validate.
	Findings []Finding
	// Checked is the number of records looked at.
	Checked int64
	// Validated says whether the connector looked at them.
	Validated bool
	// Paths are the ways the connector could send the records and what each
	// takes; empty when the connector does not say.
	Paths []connector.OutboundPath
	// Costs estimate the same where the connector does not say: one line for
	// each limit with a price per record, and one for each pool the latest runs
	// of the sync drew on.
	Costs []CostEstimate
	// Left is what may still be spent of each pool of the connection.
	Left []PoolLeft
}

// Finding is a record that would not be sent: the template cannot be rendered
// for it, or the connector would not take it.
type Finding struct {
	Identifier string
	Action     connector.Action
	Status     connector.Status
	Error      *connector.Error
}

// CostEstimate is what a run would take from a pool.
type CostEstimate struct {
	// Category is the limit drawn upon; empty for an estimate from earlier runs.
	Category string
	Pool     string
	Units    int64
	// Basis says in words what the figure rests on.
	Basis string
}

// PoolLeft is a pool of a connection and what is left of it now.
type PoolLeft struct {
	Pool connector.Pool
	Left int64
	// Said is what the app itself says is left, where Bound is true: that bounds
	// what may be spent, whatever capacity the pool was given.
	Said  int64
	Bound bool
}

// How many records of each action a plan shows, and looks at, by default.
const (
	defaultSamples = 3
	defaultCheck   = 1000
)

func (o PlanOptions) samples() int {
	if o.Samples == 0 {
		return defaultSamples
	}
	return max(0, o.Samples)
}

func (o PlanOptions) check() int {
	if o.Check == 0 {
		return defaultCheck
	}
	return int(max(0, min(o.Check, 1_000_000)))
}

// firstOfEach keeps so many samples of each action.
func firstOfEach(samples []Sample, most int) []Sample {
	seen := map[connector.Action]int{}
	return slices.DeleteFunc(samples, func(s Sample) bool { seen[s.Action]++; return seen[s.Action] > most })
}

// Plan shows what a run of an outbound sync would do. It writes nothing. A
// source that cannot be planned is a [PlanError].
func (e *Engine) Plan(ctx context.Context, syncName string, options PlanOptions) (Plan, error) {
	sync, err := e.store.Sync(ctx, syncName)
	if err != nil {
		return Plan{}, fmt.Errorf("sync %s: %w", syncName, err)
	}
	if sync.Outbound == nil {
		return Plan{}, connector.Errorf(connector.ClassConfig, "NOT_OUTBOUND", "sync %s reads from the app: there is nothing to plan; run it", syncName)
	}
	connection, err := e.store.Connection(ctx, sync.Connection)
	if err != nil {
		return Plan{}, fmt.Errorf("connection %s of sync %s: %w", sync.Connection, syncName, err)
	}
	h, err := e.openWithin(ctx, connection, limitsFor(connection, sync))
	if err != nil {
		return Plan{}, err
	}
	plan, err := e.planWith(ctx, h, sync, connection, options)
	_ = h.close() // the question is answered
	return plan, err
}

func (e *Engine) planWith(ctx context.Context, h *handle, sync Sync, connection Connection, options PlanOptions) (plan Plan, err error) {
	manifest, err := h.running.Manifest(ctx)
	if err != nil {
		return plan, fmt.Errorf("manifest of connector %s: %w", connection.Connector, withLastWords(err, h.running))
	}
	strategy, err := strategyNamed(manifest, sync.Outbound.Strategy)
	if err != nil {
		return plan, err
	}
	if plan.Report, err = e.preview(ctx, h.session, sync, strategy, manifest.Rendering, options); err != nil {
		return plan, fmt.Errorf("planning sync %s: %w", sync.Name, err)
	}
	texts, err := e.textsFor(ctx, h.session, sync, plan.Report)
	if err != nil {
		return plan, fmt.Errorf("planning sync %s: %w", sync.Name, err)
	}
	plan.Checked = int64(len(plan.Report.Samples))
	plan.Report, plan.Findings = texts.sampled(ctx, plan.Report)
	if slices.Contains(manifest.Features, connector.FeatureValidateRecords) {
		found, validated, err := findings(ctx, h.session, sync, strategy, plan.Report)
		if err != nil {
			return plan, fmt.Errorf("validating samples of sync %s: %w", sync.Name, withLastWords(err, h.running))
		}
		plan.Findings, plan.Validated = append(plan.Findings, found...), validated
	}
	plan.Report.Samples = firstOfEach(plan.Report.Samples, options.samples())
	limits := limitsFor(connection, sync)
	if plan.Left, err = e.left(ctx, connection, sync); err != nil {
		return plan, err
	}
	if slices.Contains(manifest.Features, connector.FeatureOutboundCosts) {
		if plan.Paths, err = paths(ctx, h.session, sync, strategy, plan.Report); err != nil {
			return plan, fmt.Errorf("asking what a run of sync %s costs: %w", sync.Name, withLastWords(err, h.running))
		}
		return plan, nil
	}
	plan.Costs, err = e.costs(ctx, sync.Name, plan.Report.Records, limits)
	return plan, err
}

// previewSync is what the connector is told about a run that is only planned.
func previewSync(sync Sync, strategy connector.Strategy, report PlanReport) connector.OutboundSync {
	return connector.OutboundSync{
		SyncID: sync.Name, RunID: previewRun, Strategy: strategy, Answers: sync.Outbound.Answers,
		Mapping: mappedFields(report.Schema), Records: report.Records,
	}
}

// paths has the connector price the records of a plan.
func paths(ctx context.Context, session connector.Session, sync Sync, strategy connector.Strategy, report PlanReport) ([]connector.OutboundPath, error) {
	estimator, ok := session.(connector.CostEstimator)
	if !ok || report.Records == 0 {
		return nil, nil
	}
	var counts []connector.ActionCount
	for _, a := range report.Actions {
		i := slices.IndexFunc(counts, func(c connector.ActionCount) bool { return c.Action == a.Action })
		switch {
		case a.Count == 0:
		case i < 0:
			counts = append(counts, connector.ActionCount{Action: a.Action, Records: a.Count})
		default:
			counts[i].Records += a.Count
		}
	}
	if len(counts) == 0 {
		return nil, nil
	}
	return estimator.OutboundCosts(ctx, previewSync(sync, strategy, report), counts)
}

// preview opens the warehouse for a plan that writes nothing.
func (e *Engine) preview(ctx context.Context, session connector.Session, sync Sync, strategy connector.Strategy, rendering connector.Rendering, options PlanOptions) (PlanReport, error) {
	outbox, err := e.withTemplate(ctx, session, sync, outboundPlan(sync, "", strategy, rendering, RunOptions{Limit: options.Limit, Resync: options.Resync}, e.now()))
	if err != nil {
		return PlanReport{}, err
	}
	warehouse, err := e.warehouse.acquire(ctx)
	if err != nil {
		return PlanReport{}, fmt.Errorf("opening the warehouse: %w", err)
	}
	outbox.Samples = max(options.samples(), options.check())
	report, err := warehouse.Plan(ctx, outbox)
	return report, errors.Join(err, warehouse.Close())
}

// previewRun is the run id that a connector sees when samples are validated for
// a plan: the contract requires one, and there is no run.
const previewRun = "preview"

// findings has the connector look at the samples.
func findings(ctx context.Context, session connector.Session, sync Sync, strategy connector.Strategy, report PlanReport) ([]Finding, bool, error) {
	validator, ok := session.(connector.RecordValidator)
	if !ok {
		return nil, false, nil
	}
	request := previewSync(sync, strategy, report)
	var found []Finding
	for _, batch := range sampleBatches(report) {
		rows, err := validator.ValidateRecords(ctx, request, batch)
		if err != nil {
			return nil, false, err
		}
		for _, row := range rows {
			if row.Row < 0 || row.Row >= batch.Rows {
				return nil, false, defect("it found fault with row %d of a batch of %d", row.Row, batch.Rows)
			}
			found = append(found, Finding{Identifier: batch.Identifiers[row.Row], Action: batch.Action, Status: row.Status, Error: row.Error})
		}
	}
	return found, true, nil
}

// sampleBatchBytes is when another batch is begun, as the contract recommends.
const sampleBatchBytes = 1 << 20

// sampleBatches makes batches of the samples, of one action each.
func sampleBatches(report PlanReport) []*connector.RecordBatch {
	var batches []*connector.RecordBatch
	byAction := map[connector.Action]*connector.RecordBatch{}
	size := map[connector.Action]int{}
	for i, s := range report.Samples {
		batch := byAction[s.Action]
		if batch == nil || size[s.Action] >= sampleBatchBytes {
			size[s.Action] = 0
			batch = &connector.RecordBatch{Schema: report.Schema, Action: s.Action, Columns: make([]connector.Values, len(report.Schema.Columns))}
			byAction[s.Action] = batch
			batches = append(batches, batch)
		}
		for c := range batch.Columns {
			if s.Null[c] {
				batch.Columns[c].Nulls = append(batch.Columns[c].Nulls, uint32(batch.Rows))
			}
			batch.Columns[c].Texts = append(batch.Columns[c].Texts, s.Values[c])
			size[s.Action] += len(s.Values[c])
		}
		batch.Seqs = append(batch.Seqs, int64(i+1))
		batch.Identifiers = append(batch.Identifiers, s.Identifier)
		batch.Rows++
	}
	return batches
}

// left asks the ledger what a run may spend of each pool: the least of what is
// left of the connection's and of the sync's own.
func (e *Engine) left(ctx context.Context, connection Connection, sync Sync) ([]PoolLeft, error) {
	var all []PoolLeft
	accounts := newAccounts(connection, sync)
	for _, pool := range limitsFor(connection, sync).Pools {
		least := PoolLeft{Pool: pool, Left: pool.Capacity}
		for i, account := range accounts.pools(pool.Name) {
			units, err := e.store.Left(ctx, connection.Name, account, e.now())
			if err != nil {
				return nil, fmt.Errorf("asking what is left of %s: %w", pool.Name, err)
			}
			if least.Left = min(least.Left, units); i > 0 {
				continue
			}
			if least.Said, least.Bound, err = e.store.Said(ctx, connection.Name, account, e.now()); err != nil {
				return nil, fmt.Errorf("asking what the app said of %s: %w", pool.Name, err)
			}
		}
		all = append(all, least)
	}
	return all, nil
}

// Left returns what runs of a sync may spend of each pool of its connection now,
// by the limits of both; the zero sync has none of its own.
func (e *Engine) Left(ctx context.Context, connection Connection, sync Sync) ([]PoolLeft, error) {
	return e.left(ctx, connection, sync)
}

// costs estimates what sending records takes. Which way the connector will take
// only it knows, so each is priced, and the latest run is extrapolated.
func (e *Engine) costs(ctx context.Context, sync string, records int64, limits connector.Limits) ([]CostEstimate, error) {
	if records == 0 {
		return nil, nil
	}
	estimates, err := e.costsAsBefore(ctx, sync, records)
	if err != nil {
		return nil, err
	}
	for _, l := range limits.Limits {
		if l.Cost == nil || l.Cost.Items == 0 {
			continue
		}
		estimates = append(estimates, CostEstimate{
			Category: l.Category, Pool: l.Cost.Pool, Units: l.Cost.For(records),
			Basis: fmt.Sprintf("%s records through %s, %s for every %s of them", grouped(records), nameOr(l.Label, l.Category), grouped(l.Cost.Units), grouped(l.Cost.Items)),
		})
	}
	return estimates, nil
}

func (e *Engine) costsAsBefore(ctx context.Context, sync string, records int64) ([]CostEstimate, error) {
	runs, err := e.store.Runs(ctx, sync, 10)
	if err != nil {
		return nil, fmt.Errorf("reading the runs of sync %s: %w", sync, err)
	}
	for _, run := range runs {
		units := map[string]int64{}
		var pools []string
		for _, u := range run.Usage {
			if u.Pool == "" || u.Units == 0 {
				continue
			}
			if units[u.Pool] == 0 {
				pools = append(pools, u.Pool)
			}
			units[u.Pool] += u.Units
		}
		if run.Records == 0 || len(pools) == 0 {
			continue
		}
		var estimates []CostEstimate
		for _, pool := range pools {
			estimates = append(estimates, CostEstimate{
				Pool: pool, Units: (units[pool]*records + run.Records - 1) / run.Records,
				Basis: fmt.Sprintf("run %s took %s for %s records", run.ID, grouped(units[pool]), grouped(run.Records)),
			})
		}
		return estimates, nil
	}
	return nil, nil
}

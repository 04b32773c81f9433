package warehousetest

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/sluiceio/sluice/connector"
	"github.com/sluiceio/sluice/runner"
)

// known is what the model remembers of one record.
type known struct {
	synced, inApp bool
	value         string // the app said yes to
	status        connector.Status
	tried         string // "-" for a removal
	attempts      int
	lastAt        time.Time
	mark          runner.Mark
}

// model is the planner in plain words: a map for the source, a map for the state.
type model struct {
	strategy connector.Strategy
	source   map[string]string
	state    map[string]*known
}

// verdict is what a plan does with one record.
type verdict struct {
	Action connector.Action
	Reason runner.Reason
}

// outcome of planning in the model.
type planned struct {
	Send                         map[string]verdict
	Unchanged, Skipped, HeldBack int64
}

func (m *model) plan(plan runner.OutboundPlan) planned {
	p := planned{Send: map[string]verdict{}}
	for id, value := range m.source {
		k := m.state[id]
		if k == nil {
			k = &known{}
		}
		v, open := m.judge(k, value, plan.Resync)
		m.decide(&p, id, k, v, open, plan)
	}
	for id, k := range m.state {
		if _, here := m.source[id]; here || !k.synced || !k.inApp || m.strategy.Removed == "" {
			continue
		}
		v := verdict{m.strategy.Removed, runner.ReasonRemoved}
		open := failed(k.status) && k.tried == "-" && k.mark != runner.MarkResync
		if open {
			v.Reason = runner.ReasonRetry
		}
		m.decide(&p, id, k, v, open, plan)
	}
	if plan.Limit > 0 {
		for i, id := range slices.Sorted(maps.Keys(p.Send)) {
			if int64(i) >= plan.Limit {
				delete(p.Send, id)
			}
		}
	}
	return p
}

// judge says what a row of the source would be sent as, and whether it was
// tried with the same values and failed.
func (m *model) judge(k *known, value string, all bool) (v verdict, open bool) {
	s := m.strategy
	deletes := s.New == connector.ActionDelete
	synced := k.synced && k.inApp == !deletes
	resync := all || k.mark == runner.MarkResync
	open = failed(k.status) && k.tried == value && !resync
	switch {
	case !synced:
		v = verdict{s.New, runner.ReasonNew}
	case resync || k.value != value:
		v = verdict{s.Changed, runner.ReasonChanged}
	case open && s.Unchanged == "":
		v = verdict{s.Changed, ""}
	default:
		v = verdict{s.Unchanged, runner.ReasonUnchanged}
	}
	if open {
		v.Reason = runner.ReasonRetry
	}
	return v, open
}

func failed(s connector.Status) bool {
	return s == connector.StatusRejected || s == connector.StatusInvalid || s == connector.StatusRetry || s == connector.StatusDelayed
}

func (m *model) decide(p *planned, id string, k *known, v verdict, open bool, plan runner.OutboundPlan) {
	doubt := k.status == connector.StatusInDoubt && k.mark != runner.MarkResync
	switch {
	case v.Action == "" && !doubt:
		p.Unchanged++
	case k.mark == runner.MarkSkipOnce || k.mark == runner.MarkSkipAlways:
		p.Skipped++
	case doubt || open && !due(k, plan):
		p.HeldBack++
	default:
		p.Send[id] = v
	}
}

func due(k *known, plan runner.OutboundPlan) bool {
	switch k.status {
	case connector.StatusDelayed:
		return true
	case connector.StatusRetry:
		return k.attempts < plan.Retry.MaxAttempts
	}
	pause := plan.Retry.Backoff
	for range k.attempts - 1 {
		pause *= 2
	}
	return k.attempts < plan.Retry.MaxAttempts && !plan.Now.Before(k.lastAt.Add(min(pause, 24*time.Hour)))
}

// marked uses up the marks for one run.
func (m *model) marked(p planned) {
	for id, k := range m.state {
		if k.mark == runner.MarkSkipOnce {
			k.mark = ""
		}
		if _, sent := p.Send[id]; sent && k.mark == runner.MarkResync {
			k.mark, k.status, k.tried = "", connector.StatusDelayed, "-"
			if value, here := m.source[id]; here {
				k.tried = value
			}
		}
		if _, here := m.source[id]; !here && k.synced && !k.inApp && k.mark == "" {
			delete(m.state, id)
		}
	}
}

// settle applies an outcome; an empty status is none.
func (m *model) settle(id string, v verdict, value string, removed bool, status connector.Status, at time.Time) {
	if status == connector.StatusSkipped {
		return
	}
	k := m.state[id]
	if k == nil {
		k = &known{tried: "?"}
		m.state[id] = k
	}
	tried := value
	if removed {
		tried = "-"
	}
	switch status {
	case connector.StatusSucceeded:
		if removed {
			delete(m.state, id)
			return
		}
		k.synced, k.inApp, k.value, k.attempts = true, v.Action != connector.ActionDelete, value, 0
	case connector.StatusDelayed, "":
		status = connector.StatusDelayed
		if k.tried != tried {
			k.attempts = 0
		}
	default:
		if k.tried != tried {
			k.attempts = 0
		}
		k.attempts++
	}
	k.status, k.tried, k.lastAt = status, tried, at
}

// testModel compares the planner with the model over random histories of
// edits, marks, plans and outcomes.
func testModel(e *exam) {
	e.sql(`CREATE TABLE leads (id VARCHAR, name VARCHAR, email VARCHAR, note VARCHAR)`)
	for seed := range uint64(4 * len(standardStrategies)) {
		m := &model{strategy: standardStrategies[seed%uint64(len(standardStrategies))], source: map[string]string{}, state: map[string]*known{}}
		rng := rand.New(rand.NewPCG(seed, 7))
		e.sql(`DELETE FROM leads`)
		for step := range 12 {
			if rng.IntN(6) == 0 {
				m.strategy = standardStrategies[rng.IntN(len(standardStrategies))]
			}
			e.edit(m, rng)
			e.mark(m, rng, seed)
			e.now = e.now.Add(time.Duration(rng.IntN(90)) * time.Minute)
			if !e.step(m, rng, seed) {
				e.Fatalf("seed %d, step %d, strategy %s", seed, step, m.strategy.Name)
			}
		}
	}
}

// edit changes the source at random.
func (e *exam) edit(m *model, rng *rand.Rand) {
	var rows []string
	for i := range 12 {
		id := fmt.Sprintf("r%02d", i)
		switch rng.IntN(6) {
		case 0:
			delete(m.source, id)
		case 1, 2:
			m.source[id] = fmt.Sprint(rng.IntN(3))
		}
	}
	for id, v := range m.source {
		rows = append(rows, fmt.Sprintf("('%s', '%s', NULL, NULL)", id, v))
	}
	e.sql(`DELETE FROM leads`)
	if len(rows) > 0 {
		e.sql(`INSERT INTO leads VALUES ` + strings.Join(rows, ", "))
	}
}

// mark marks a few records.
func (e *exam) mark(m *model, rng *rand.Rand, seed uint64) {
	for range rng.IntN(5) {
		id := fmt.Sprintf("r%02d", rng.IntN(12))
		mark := []runner.Mark{runner.MarkSkipOnce, runner.MarkSkipAlways, runner.MarkResync, runner.MarkNone}[rng.IntN(4)]
		n, err := e.w.Mark(e.ctx(), fmt.Sprintf("sync-%d", seed), []string{id}, mark)
		if err != nil {
			e.Fatal(err)
		}
		k := m.state[id]
		if k == nil && (mark == runner.MarkSkipOnce || mark == runner.MarkSkipAlways) {
			k = &known{tried: "?"}
			m.state[id] = k
		}
		want := int64(0)
		if k != nil {
			want, k.mark = 1, mark
			if mark == runner.MarkResync {
				k.attempts = 0
			}
		}
		if n != want {
			e.Errorf("Mark %q changed %d records, want %d", mark, n, want)
		}
	}
}

// step plans in both, compares, and settles alike.
func (e *exam) step(m *model, rng *rand.Rand, seed uint64) bool {
	plan := e.leadsPlan(m.strategy)
	plan.SyncID = fmt.Sprintf("sync-%d", seed)
	plan.Mappings = plan.Mappings[:1]
	plan.Retry = runner.RetryPolicy{MaxAttempts: 3, Backoff: time.Hour}
	plan.Resync = rng.IntN(8) == 0
	if rng.IntN(4) == 0 {
		plan.Limit = int64(1 + rng.IntN(5))
	}
	want := m.plan(plan)
	report := e.plan(plan)
	got := planned{Send: map[string]verdict{}, Unchanged: report.Unchanged, Skipped: report.Skipped, HeldBack: report.HeldBack}
	records := e.records(plan, runner.OutboxSelection{})
	for _, r := range records {
		got.Send[r.identifier] = verdict{Action: r.action}
	}
	counts := map[verdict]int64{}
	for id, v := range want.Send {
		counts[v]++
		want.Send[id] = verdict{Action: v.Action}
	}
	for _, c := range report.Actions {
		counts[verdict{c.Action, c.Reason}] -= c.Count
	}
	maps.DeleteFunc(counts, func(_ verdict, n int64) bool { return n == 0 })
	if d := cmp.Diff(want, got) + cmp.Diff(map[verdict]int64{}, counts); d != "" {
		e.Errorf("(-model +warehouse)\n%s", d)
		return false
	}
	m.marked(want)
	statuses := []connector.Status{
		connector.StatusSucceeded, connector.StatusSucceeded, connector.StatusSucceeded, connector.StatusRejected, connector.StatusInvalid,
		connector.StatusRetry, connector.StatusDelayed, connector.StatusInDoubt, connector.StatusSkipped, "",
	}
	for _, r := range records {
		status := statuses[rng.IntN(len(statuses))]
		if status != "" {
			e.settle(plan, r.seq, status, "")
		}
		value, here := m.source[r.identifier]
		m.settle(r.identifier, verdict{Action: r.action}, value, !here, status, plan.Now)
	}
	e.finish(plan)
	return true
}

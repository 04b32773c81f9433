package e2e

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"text/tabwriter"
	"time"

	"github.com/sluiceio/sluice/connector"
	"github.com/sluiceio/sluice/runner"
	"github.com/sluiceio/sluice/runner/internal/cli"
	"github.com/sluiceio/sluice/runner/internal/warehouse/duckdb"
	"github.com/sluiceio/sluice/zoho/zohosim"
)

// TestFaults runs syncs of every road while the simulator does what its fault
// panel can do, one fault alone and two at once. Every record must get its
// outcome, and the app must hold what the outcomes say; when the faults are over,
// a few runs must bring everything in order.
//
// FAULTS is the number of troubles on each road, 1 by default, or all; FAULT_PAIRS
// is how many pairs there are on each road, FAULT_SEED the seed.
func TestFaults(t *testing.T) {
	if testing.Short() {
		t.Skip("it takes half a minute")
	}
	seed, pairs := numberFrom(t, "FAULT_SEED", 1), numberFrom(t, "FAULT_PAIRS", 20)
	write := append([]target{tokenCall, fieldsCall}, writeCalls...)
	roads := []*road{
		{name: "Create, bulk", plot: &creation{path: "bulk", step: 60}, calls: write},
		{name: "Create, record calls", plot: &creation{path: "records", step: 60}, calls: []target{tokenCall, fieldsCall, insertCall}},
		{name: "Upsert, bulk", plot: newKeyed("Upsert", "bulk"), calls: write},
		{name: "Upsert, record calls", plot: newKeyed("Upsert", "records"), calls: append([]target{tokenCall, fieldsCall}, upsertCalls...)},
		{name: "Mirror, bulk", plot: newKeyed("Mirror", "bulk"), calls: append([]target{deleteCall}, write...)},
		{name: "inbound, bulk", plot: &reading{path: "bulk"}, calls: append([]target{tokenCall, fieldsCall}, readCalls...)},
		{name: "inbound, queries", plot: &reading{path: "records"}, calls: []target{tokenCall, fieldsCall, queryCall, deletedCall}},
	}
	began := time.Now()
	t.Run("roads", func(t *testing.T) {
		for i, r := range roads {
			random := rand.New(rand.NewPCG(uint64(seed), uint64(i)))
			list := troubles(r.calls, pairs, random)
			if os.Getenv("FAULTS") != "all" {
				random.Shuffle(len(list), func(i, j int) { list[i], list[j] = list[j], list[i] })
				list = list[:min(len(list), numberFrom(t, "FAULTS", 1))]
			}
			r.siege = &siege{name: r.name, plot: r.plot, random: random}
			t.Run(r.name, func(t *testing.T) { t.Parallel(); r.run(t, list) })
		}
	})
	t.Logf("seed %d, %s\n%s\n%s", seed, time.Since(began).Round(time.Second), roadTable(roads), mishapTable(roads))
}

// road is one sync whose runs meet troubles.
type road struct {
	name  string
	plot  faultyPlot
	calls []target
	siege *siege

	met   []meeting
	found verdict
	stuck int // records held by a job that never ends
}

// faultyPlot is a plot of which single outcomes are judged.
type faultyPlot interface {
	plot
	// disagree says what the app holds other than an outcome says.
	disagree(s *siege, outcomes []outcome) []string
}

// outcome is what the log says of a record.
type outcome struct{ identifier, action, status string }

// meeting is what came of a run in trouble.
type meeting struct {
	trouble  trouble
	struck   bool
	exit     int
	runs     int // until everything was in order
	statuses map[string]int
}

func (r *road) run(t *testing.T, list []trouble) {
	s := r.siege
	s.begin(t)
	defer s.keep(t)
	s.plot.change(t, s)
	s.attempt(t, nil)
	s.sim.ClearFaults()
	for _, trouble := range list {
		r.meet(t, trouble)
		if t.Failed() {
			t.Fatalf("after %v", trouble)
		}
	}
	r.found = s.plot.judge(t, s)
	s.checkDoubts(t)
	if os.Getenv("FAULTS") == "all" && slices.ContainsFunc(r.calls, func(c target) bool { return c.job }) {
		r.meetStuck(t)
	}
}

// meetStuck runs the sync into a job that never ends. What the job holds stays
// with it, run after run; nothing else waits for it, and nothing is sent twice.
func (r *road) meetStuck(t *testing.T) {
	t.Helper()
	s := r.siege
	s.plot.change(t, s)
	if _, inbound := r.plot.(*reading); inbound {
		// A read ends where the second it starts in begins. One that started in the
		// second of the read before would make no job.
		<-time.After(time.Until(time.Now().Truncate(time.Second).Add(1100 * time.Millisecond)))
	}
	i := slices.IndexFunc(r.calls, func(c target) bool { return c.job })
	fault := zohosim.Fault{Match: zohosim.Match{Method: r.calls[i].method, PathPattern: r.calls[i].path, Count: 1}, Action: zohosim.Action{Kind: zohosim.ActionStuckJob}}
	if err := s.sim.Fault(fault); err != nil {
		t.Fatal(err)
	}
	for range 2 {
		if code, said := s.exits("syncs", "run", "sync", "--deadline", "15s"); code != cli.ExitDelayed {
			t.Errorf("stuck job: the run ends with exit code %d\n%s", code, said)
		}
		r.check(t, trouble{{name: "stuck job", at: r.calls[i].name}}, false)
		v, held := s.plot.judge(t, s), 0
		for _, tickets := range s.tickets(t) {
			for _, ticket := range tickets {
				for _, seqs := range ticket.Seqs {
					if ticket.State == connector.TicketSubmitted {
						held += int(seqs.Last - seqs.First + 1)
					}
				}
			}
		}
		if _, inbound := r.plot.(*reading); !inbound && (v.lost != held || held == 0) || v.doubled != 0 {
			t.Errorf("stuck job: %d records are missing, %d are held by a ticket, %d are doubled", v.lost, held, v.doubled)
		}
		r.stuck = max(r.stuck, v.lost)
	}
}

// meet runs the sync into a trouble, and until all is in order afterwards.
func (r *road) meet(t *testing.T, trouble trouble) {
	t.Helper()
	s := r.siege
	s.plot.change(t, s)
	counted := maps.Clone(s.sim.Counters().Faults)
	deadline := "30s"
	for _, m := range trouble {
		if err := s.sim.Fault(m.fault); err != nil {
			t.Fatal(err)
		}
		if m.lasting {
			deadline = "10s"
		}
	}
	m := meeting{trouble: trouble, struck: true}
	var said string
	m.exit, said = s.exits("syncs", "run", "sync", "--deadline", deadline)
	// A call that the app refuses as wrong may be one that the configuration asks for.
	if !slices.Contains([]int{cli.ExitOK, cli.ExitIncomplete, cli.ExitUsage, cli.ExitConnector, cli.ExitDelayed, cli.ExitFailed}, m.exit) {
		t.Errorf("%v: the run ends with exit code %d\n%s", trouble, m.exit, said)
	}
	for _, mishap := range trouble {
		kind := string(mishap.fault.Action.Kind)
		n := s.sim.Counters().Faults[kind] - counted[kind]
		m.struck = m.struck && n > 0
		mishap.undo(s.sim, n)
		counted[kind] += n
	}
	s.sim.ClearFaults()
	m.statuses = r.check(t, trouble, false)
	for m.runs = 1; m.runs <= 6; m.runs++ {
		s.attempt(t, nil)
		if s.plot.judge(t, s).lost == 0 {
			break
		}
		<-time.After(time.Second) // times in the app are whole seconds
	}
	if v := s.plot.judge(t, s); v.lost != 0 || v.doubled != 0 || v.doubt != 0 && !s.plot.mayDoubt() {
		t.Errorf("%v: of %d records %d are lost, %d doubled and %d in doubt", trouble, v.records, v.lost, v.doubled, v.doubt)
	}
	r.check(t, trouble, true)
	r.met = append(r.met, m)
}

// exits runs a command and returns its exit code and what it said.
func (s *siege) exits(args ...string) (int, string) {
	cmd, said := s.command(args...)
	s.runs++
	_ = cmd.Run() // the exit code says it
	return cmd.ProcessState.ExitCode(), said.String()
}

// check compares outcomes with each other and with the app. It returns how many
// records of the last run had which outcome. Settled is whether no run may be
// open any more.
func (r *road) check(t *testing.T, trouble trouble, settled bool) map[string]int {
	t.Helper()
	s := r.siege
	statuses := map[string]int{}
	if _, inbound := r.plot.(*reading); inbound {
		return statuses
	}
	err := s.inWarehouse(t.Context(), func(query func(string) [][]string) {
		for _, row := range query(`SELECT run_id, records, (SELECT count(*) FROM sluice.outcomes c WHERE c.run_id = o.run_id) FROM sluice.outboxes o WHERE finished_at IS NOT NULL`) {
			if row[1] != row[2] {
				t.Errorf("%v: run %s has %s records and %s outcomes", trouble, row[0], row[1], row[2])
			}
		}
		if open := query(`SELECT run_id FROM sluice.outboxes WHERE finished_at IS NULL`); settled && len(open) > 0 {
			t.Errorf("%v: run %s is still open", trouble, open[0][0])
		}
		var outcomes []outcome
		for _, row := range query(`SELECT run_id, seq, identifier, action, status FROM sluice.outcomes WHERE run_id = (SELECT max_by(run_id, planned_at) FROM sluice.outboxes)`) {
			statuses[row[4]]++
			// What is with the app stays open: the run goes on with it.
			if settled || row[4] != "DELAYED" || !s.withApp(t, row[0], row[1]) {
				outcomes = append(outcomes, outcome{row[2], row[3], row[4]})
			}
		}
		problems := r.plot.disagree(s, outcomes)
		for _, problem := range problems[:min(3, len(problems))] {
			t.Errorf("%v: %s (one of %d)", trouble, problem, len(problems))
		}
	})
	if err != nil {
		t.Fatal(err)
	}
	return statuses
}

// withApp reports whether a record belongs to a ticket that is SUBMITTED.
func (s *siege) withApp(t *testing.T, run, seq string) bool {
	t.Helper()
	n, err := strconv.ParseInt(seq, 10, 64)
	if err != nil {
		t.Fatal(err)
	}
	return slices.ContainsFunc(s.tickets(t)[run], func(ticket connector.Ticket) bool {
		return ticket.State == connector.TicketSubmitted && holds(ticket, n)
	})
}

// inWarehouse opens the warehouse, which no run has open now, and asks it.
func (s *siege) inWarehouse(ctx context.Context, do func(query func(string) [][]string)) error {
	w, err := duckdb.Open(ctx, duckdb.Config{Path: filepath.Join(s.dir, ".sluice", "warehouse.duckdb")})
	if err != nil {
		return err
	}
	var failures []error
	do(func(sql string) [][]string {
		var found [][]string
		rows, err := w.Query(ctx, sql)
		if err != nil {
			failures = append(failures, err)
			return nil
		}
		rows.All(func(row runner.Row, err error) bool {
			failures = append(failures, err)
			found = append(found, slices.Clone(row.Texts))
			return err == nil
		})
		return found
	})
	return errors.Join(append(failures, w.Close())...)
}

// roadTable shows what each road met, and what came of it.
func roadTable(roads []*road) string {
	var text strings.Builder
	w := tabwriter.NewWriter(&text, 0, 0, 2, ' ', tabwriter.AlignRight)
	fmt.Fprintln(w, "\ttroubles\talone\tin pairs\tstruck\truns\trecords\tlost\tdoubled\tin doubt\tstuck\t")
	for _, r := range roads {
		alone, struck := 0, 0
		for _, m := range r.met {
			if len(m.trouble) == 1 {
				alone++
			}
			if m.struck {
				struck++
			}
		}
		v := r.found
		fmt.Fprintf(w, "%s\t%d\t%d\t%d\t%d\t%d\t%d\t%d\t%d\t%d\t%d\t\n", r.name, len(r.met), alone, len(r.met)-alone, struck, r.siege.runs, v.records, v.lost, v.doubled, v.doubt, r.stuck)
	}
	_ = w.Flush() // a builder takes everything
	return text.String()
}

// mishapTable shows what records had as outcomes when a fault struck alone.
func mishapTable(roads []*road) string {
	type line struct {
		runs, most int
		statuses   map[string]int
	}
	lines := map[string]*line{}
	var statuses []string
	for _, r := range roads {
		for _, m := range r.met {
			if len(m.trouble) != 1 || !m.struck {
				continue
			}
			name := m.trouble[0].name
			if m.trouble[0].lasting {
				name = "always " + name
			}
			l := lines[name]
			if l == nil {
				l = &line{statuses: map[string]int{}}
				lines[name] = l
			}
			l.runs++
			l.most = max(l.most, m.runs)
			for status, n := range m.statuses {
				l.statuses[status] += n
				if !slices.Contains(statuses, status) {
					statuses = append(statuses, status)
				}
			}
		}
	}
	slices.Sort(statuses)
	var text strings.Builder
	w := tabwriter.NewWriter(&text, 0, 0, 2, ' ', tabwriter.AlignRight)
	fmt.Fprintf(w, "fault\truns\tmost runs to mend\t%s\t\n", strings.Join(statuses, "\t"))
	for _, name := range slices.SortedFunc(maps.Keys(lines), func(a, b string) int {
		return cmp.Or(cmp.Compare(strings.TrimPrefix(a, "always "), strings.TrimPrefix(b, "always ")), cmp.Compare(len(a), len(b)))
	}) {
		l := lines[name]
		fmt.Fprintf(w, "%s\t%d\t%d\t", name, l.runs, l.most)
		for _, status := range statuses {
			fmt.Fprintf(w, "%d\t", l.statuses[status])
		}
		fmt.Fprintln(w)
	}
	_ = w.Flush() // a builder takes everything
	return text.String()
}

package cli

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/spf13/cobra"

	"github.com/sluiceio/sluice/connector"
	"github.com/sluiceio/sluice/runner"
)

func syncsRun(a *app) *cobra.Command {
	var options runner.RunOptions
	var capture string
	cmd := &cobra.Command{
		Use: "run SYNC...", Short: "Run syncs once, several of them side by side; unfinished runs are resumed first",
		Long: `Run a sync once; several are run side by side in one process, sharing the budget
of their connections, and the exit code is that of the worst. Ctrl-C stops runs
gracefully: what was settled stays settled and the next run goes on. A second
Ctrl-C stops at once; nothing is lost or doubled by that either.`,
		Args: takes(1, -1),
		RunE: func(cmd *cobra.Command, args []string) error {
			if capture != "" && len(args) > 1 {
				return usagef("--capture goes with one sync: what is said in several would be mixed")
			}
			return a.captured(capture, func() error { return a.runAll(cmd.Context(), args, options) })
		},
	}
	f := cmd.Flags()
	f.StringVar(&capture, "capture", "", "write what is said to the connector and by it to this `file`, without secrets, for \"sluice replay\"")
	f.Int64Var(&options.Limit, "limit", 0, "send at most this many records (default all)")
	f.DurationVar(&options.Deadline, "deadline", 0, "stop after this long; the next run goes on (default what the sync says, or never)")
	f.BoolVar(&options.Resync, "resync", false, "send every record again, or read everything again")
	return cmd
}

// runAll runs syncs side by side.
func (a *app) runAll(ctx context.Context, names []string, options runner.RunOptions) error {
	if len(names) == 1 {
		return a.runOne(ctx, names[0], options)
	}
	if unique := slices.Compact(slices.Sorted(slices.Values(names))); len(unique) < len(names) {
		return usagef("a sync is named twice: each is run once")
	}
	progress := a.progress(true)
	ends := make([]ending, len(names))
	err := a.with(ctx, progress, func(h *host) error {
		beside, err := besides(ctx, h, names)
		if err != nil {
			return err
		}
		var runs sync.WaitGroup
		for i, name := range names {
			runs.Go(func() {
				own := options
				own.Beside = beside[name]
				ends[i] = runAfterResumed(ctx, h, name, own)
			})
		}
		runs.Wait()
		return nil
	})
	progress.finish()
	if err != nil {
		return err
	}
	var ended []runner.Run
	for _, e := range ends {
		if e.resumed.ID != "" {
			ended = append(ended, e.resumed)
		}
		ended = append(ended, e.run)
	}
	if err := a.result(shapes(ended, runShape), func() {
		for _, e := range ends {
			if e.resumed.ID != "" {
				a.sayRun(e.resumed)
			}
			if e.run.ID != "" && e.err == nil {
				a.sayRun(e.run)
			}
		}
	}); err != nil {
		return err
	}
	return worst(ends)
}

// ending is how a sync ended: its run, and the unfinished one that was resumed
// before it, whose ID is "" when there was none.
type ending struct {
	resumed, run runner.Run
	err          error
}

// runAfterResumed runs a sync, and finds the run that was resumed first.
func runAfterResumed(ctx context.Context, h *host, name string, options runner.RunOptions) ending {
	open, found, err := h.store.OpenRun(ctx, name)
	if err != nil {
		return ending{err: err}
	}
	var e ending
	if e.run, e.err = h.Run(ctx, name, options); found && e.run.ID != open.ID {
		var failed error
		e.resumed, failed = h.store.Run(ctx, open.ID)
		e.err = errors.Join(e.err, failed)
	}
	return e
}

// leftInDoubt is not nil when the resumed run left records in doubt: they mark the
// exit code, since the fresh run does not send them.
func (e ending) leftInDoubt() error {
	if e.resumed.Outcomes[connector.StatusInDoubt] > 0 {
		return &runEnd{run: e.resumed}
	}
	return nil
}

// runOne runs a sync. A run that was resumed first is told of too.
func (a *app) runOne(ctx context.Context, name string, options runner.RunOptions) error {
	var end ending
	err := a.run(ctx, func(ctx context.Context, h *host) (runner.Run, error) {
		end = runAfterResumed(ctx, h, name, options)
		if end.resumed.ID != "" && !a.json {
			a.sayRun(end.resumed)
		}
		return end.run, end.err
	})
	if doubt := end.leftInDoubt(); doubt != nil && gravity(exitCode(err)) < gravity(ExitIncomplete) {
		return doubt
	}
	return err
}

// besides counts, for each sync, those to be run at once on its connection.
func besides(ctx context.Context, h *host, names []string) (map[string]int, error) {
	connections := map[string]string{}
	counts := map[string]int{}
	for _, name := range names {
		s, err := h.store.Sync(ctx, name)
		if err != nil {
			return nil, err
		}
		connections[name] = s.Connection
		counts[s.Connection]++
	}
	beside := map[string]int{}
	for name, connection := range connections {
		beside[name] = counts[connection]
	}
	return beside, nil
}

// worst gathers how runs ended that were not Healthy: the exit code is that of
// the gravest.
func worst(ends []ending) error {
	var bad []error
	for _, e := range ends {
		if doubt := e.leftInDoubt(); doubt != nil {
			bad = append(bad, doubt)
		}
		switch {
		case e.err != nil:
			bad = append(bad, e.err)
		case e.run.State != runner.RunHealthy:
			bad = append(bad, &runEnd{run: e.run})
		}
	}
	if bad == nil {
		return nil
	}
	slices.SortStableFunc(bad, func(a, b error) int { return gravity(exitCode(b)) - gravity(exitCode(a)) })
	return &severalEnds{ends: bad}
}

// run does a run with its progress shown, and reports how it ended.
func (a *app) run(ctx context.Context, do func(context.Context, *host) (runner.Run, error)) error {
	progress := a.progress(false)
	var run runner.Run
	err := a.with(ctx, progress, func(h *host) (err error) {
		run, err = do(ctx, h)
		return err
	})
	progress.finish()
	if run.ID != "" && (err == nil || a.json) {
		if err := a.result(runShape(run), func() { a.sayRun(run) }); err != nil {
			return err
		}
	}
	if err == nil && run.State != runner.RunHealthy {
		err = &runEnd{run: run}
	}
	return err
}

// sayRun writes a run in words.
func (a *app) sayRun(r runner.Run) {
	a.say("run %s of sync %s: %s", r.ID, r.Sync, r.State)
	took := "-"
	if !r.FinishedAt.IsZero() {
		took = r.FinishedAt.Sub(r.StartedAt).Round(1e6).String()
	}
	a.say("started %s, took %s", when(r.StartedAt), took)
	if r.Direction == connector.DirectionOutbound {
		a.say("records %d: %s", r.Records, outcomesText(r.Outcomes))
	}
	for _, s := range r.Streams {
		a.say("stream %s", streamText(s))
	}
	for _, u := range r.Usage {
		cost := ""
		if u.Pool != "" {
			cost = fmt.Sprintf(", %d of %s", u.Units, u.Pool)
		}
		a.say("used %s: %d requests%s", u.Category, u.Requests, cost)
	}
	if text := timingsText(r.Timings); text != "" {
		a.say("time %s", text)
	}
	if r.Error != nil {
		a.say("why: %v", r.Error)
		for _, h := range r.Error.Help {
			a.say("what to do: %s", strings.TrimSpace(h.Description+" "+h.URL))
		}
	}
}

// timingsText says how long the stages of a run took, in the order in which a
// record passes them.
func timingsText(timings map[string]time.Duration) string {
	order := []string{"open", "plan", "read", "queue", "send", "app", "limit", "retry", "host", "ack", "store", "settle", "wait", "finish"}
	rank := func(stage string) int {
		if i := slices.Index(order, stage); i >= 0 {
			return i
		}
		return len(order)
	}
	stages := slices.SortedFunc(maps.Keys(timings), func(a, b string) int { return cmp.Or(rank(a)-rank(b), strings.Compare(a, b)) })
	var parts []string
	for _, stage := range stages {
		parts = append(parts, stage+" "+timings[stage].Round(time.Millisecond).String())
	}
	return strings.Join(parts, ", ")
}

// outcomesText counts outcomes in words, good ones first.
func outcomesText(outcomes map[connector.Status]int64) string {
	order := []connector.Status{
		connector.StatusSucceeded, connector.StatusSkipped, connector.StatusRejected, connector.StatusInvalid,
		connector.StatusRetry, connector.StatusDelayed, connector.StatusInDoubt,
	}
	var parts []string
	for _, status := range order {
		if n := outcomes[status]; n > 0 {
			parts = append(parts, fmt.Sprintf("%d %s", n, status))
		}
	}
	for status, n := range outcomes {
		if n > 0 && !slices.Contains(order, status) {
			parts = append(parts, fmt.Sprintf("%d not settled", n))
		}
	}
	if parts == nil {
		return "nothing to send"
	}
	return strings.Join(parts, ", ")
}

func streamText(s runner.StreamResult) string {
	text := fmt.Sprintf("%s: %d rows, %d deleted into %s", s.Stream, s.Counts.Rows, s.Counts.Deleted, s.Table)
	if s.Counts.Unparsed > 0 {
		text += fmt.Sprintf(", %d values did not fit their type (see column _sluice_unparsed)", s.Counts.Unparsed)
	}
	switch {
	case s.Error != nil:
		text += ", failed: " + s.Error.Error()
	case !s.Done:
		text += ", not finished"
	}
	return text
}

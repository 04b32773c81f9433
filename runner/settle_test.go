package runner

import (
	"context"
	"errors"
	"slices"
	"testing"
	"time"

	"github.com/sluiceio/sluice/connector"
)

func TestTheJudgeDecides(t *testing.T) {
	t.Parallel()
	classed := func(class connector.Class, wait time.Duration) error {
		e := connector.Errorf(class, "X", "x")
		e.RetryAfter = wait
		return e
	}
	const never = time.Duration(-1)
	for name, row := range map[string]struct {
		judge judge
		end   roundEnd
		left  time.Duration
		again bool
		wait  time.Duration
		class connector.Class
	}{
		"all settled: the end":                       {end: roundEnd{}, left: never},
		"retries: again after a second":              {end: roundEnd{retries: 1}, left: never, again: true, wait: time.Second},
		"third round: the wait has doubled twice":    {judge: judge{rounds: 2}, end: roundEnd{retries: 1}, left: never, again: true, wait: 4 * time.Second},
		"the app's own wait wins":                    {end: roundEnd{retries: 1, retryAfter: time.Minute}, left: never, again: true, wait: time.Minute},
		"a wait beyond the deadline: the end":        {end: roundEnd{retries: 1, retryAfter: time.Minute}, left: 30 * time.Second, class: connector.ClassRateLimited},
		"a wait beyond all measure: the end":         {end: roundEnd{retries: 1, retryAfter: time.Hour}, left: never, class: connector.ClassRateLimited},
		"no round is left":                           {judge: judge{rounds: maxRounds - 1}, end: roundEnd{retries: 1}, left: never},
		"a ticket is open: again":                    {end: roundEnd{open: 1}, left: never, again: true, wait: time.Second},
		"first death: again":                         {end: roundEnd{err: classed(connector.ClassTransient, 0)}, left: never, again: true, wait: time.Second, class: connector.ClassTransient},
		"second death: the end":                      {judge: judge{deaths: 1}, end: roundEnd{err: classed(connector.ClassInternal, 0)}, left: never, class: connector.ClassInternal},
		"too fast: again when the app says so":       {end: roundEnd{err: classed(connector.ClassRateLimited, 9*time.Second)}, left: never, again: true, wait: 9 * time.Second, class: connector.ClassRateLimited},
		"no login: the end":                          {end: roundEnd{err: classed(connector.ClassAuth, 0)}, left: never, class: connector.ClassAuth},
		"no budget: the end":                         {end: roundEnd{err: classed(connector.ClassQuotaExhausted, 0)}, left: never, class: connector.ClassQuotaExhausted},
		"a broken contract: the end at once":         {end: roundEnd{err: defect("x")}, left: never, class: connector.ClassInternal},
		"records were lost: the end, and a defect":   {end: roundEnd{lost: 3}, left: never, class: connector.ClassInternal},
		"records were left: the end, and a defect":   {end: roundEnd{unpulled: 3}, left: never, class: connector.ClassInternal},
		"a plain Go error counts as a death: again":  {end: roundEnd{err: errors.New("x")}, left: never, again: true, wait: time.Second, class: connector.ClassInternal},
		"a failure after which the deadline is near": {end: roundEnd{err: classed(connector.ClassTransient, 0)}, left: 0, class: connector.ClassTransient},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			v := row.judge.decide(row.end, nil, row.left)
			if v.again != row.again || v.wait != row.wait {
				t.Errorf("again %v after %s, want %v after %s", v.again, v.wait, row.again, row.wait)
			}
			if (v.err == nil) != (row.class == "") || v.err != nil && v.err.Class != row.class {
				t.Errorf("error = %v, want class %q", v.err, row.class)
			}
		})
	}
	stopped := connector.Errorf(connector.ClassCancelled, "CANCELLED", "stop")
	if v := new(judge).decide(roundEnd{retries: 1}, stopped, never); v.again || v.err != stopped {
		t.Errorf("after a stop: %+v", v)
	}
}

func TestTheStateOfARunFollowsFromItsOutcomes(t *testing.T) {
	t.Parallel()
	type counts = map[connector.Status]int64
	for _, row := range []struct {
		counts counts
		err    *connector.Error
		want   RunState
	}{
		{counts{}, nil, RunHealthy},
		{counts{connector.StatusSucceeded: 3, connector.StatusSkipped: 1}, nil, RunHealthy},
		{counts{connector.StatusSucceeded: 3, connector.StatusInDoubt: 1}, nil, RunIncomplete},
		{counts{connector.StatusSucceeded: 3}, defect("x"), RunIncomplete},
		{counts{connector.StatusDelayed: 1, connector.StatusRejected: 1}, nil, RunDelayed},
		{counts{connector.StatusDelayed: 1}, connector.Errorf(connector.ClassQuotaExhausted, "", ""), RunDelayed},
		{counts{connector.StatusDelayed: 1}, connector.Errorf(connector.ClassAuth, "", ""), RunFailed},
	} {
		if got := outboundState(row.counts, row.err); got != row.want {
			t.Errorf("%v with error %v is %s, want %s", row.counts, row.err, got, row.want)
		}
	}
}

// Outcomes that could not be written must not let a later ticket be done.
func TestAFailedCommitIsRemembered(t *testing.T) {
	t.Parallel()
	failure := errors.New("disk full")
	commits := 0
	b := outcomeBuffer{settle: func(context.Context, []connector.Outcomes) error {
		if commits++; commits == 1 {
			return failure
		}
		return nil
	}}
	if err := b.add(t.Context(), connector.Outcomes{Seqs: []int64{1}}); err != nil {
		t.Fatal(err)
	}
	for range 2 {
		if err := b.flush(t.Context()); !errors.Is(err, failure) {
			t.Errorf("flush = %v, want the failure each time", err)
		}
		if err := b.add(t.Context(), connector.Outcomes{Seqs: []int64{2}}); err != nil {
			t.Fatal(err)
		}
	}
}

func TestAStopReachesConversationsThatBeginLater(t *testing.T) {
	t.Parallel()
	s := newStopper()
	before := s.inbox()
	want := connector.Stop{Mode: connector.StopNow, Deadline: time.Unix(1, 0)}
	s.ask(want, errBusy)
	s.ask(connector.Stop{Mode: connector.StopDrain}, nil)
	for _, inbox := range []<-chan connector.Stop{before, s.inbox()} {
		if got := <-inbox; got != want {
			t.Errorf("stop = %+v, want the first one asked for", got)
		}
		if _, open := <-inbox; open {
			t.Error("the channel is not closed after the request")
		}
	}
	if s.why() != errBusy || !s.deadline().Equal(want.Deadline) {
		t.Errorf("why = %v, deadline = %v", s.why(), s.deadline())
	}
}

// The records of a ticket handed back come first, under its name, and once.
func TestARecordHeldByATicketIsHandedOutOnce(t *testing.T) {
	bubble(t, func(t *testing.T) {
		r := newRig(t, 20)
		started := make(chan struct{})
		r.script.outbound = obedient(started)
		r.machine.reboot(0, false)
		go func() { <-started; r.machine.mu.Lock(); r.machine.crashed = true; r.machine.mu.Unlock() }()
		ctx, cancel := context.WithCancel(t.Context())
		time.AfterFunc(time.Second, cancel)
		if _, err := r.Run(ctx, "out", RunOptions{}); !errors.Is(err, errCrashed) {
			t.Fatalf("err = %v", err)
		}
		r.machine.reboot(0, false)
		r.restart(t)
		var seqs []int64
		var tickets []string
		r.script.outbound = func(ctx context.Context, sync connector.OutboundSync, stream connector.OutboundStream) error {
			err := each(func(_ context.Context, batch *connector.RecordBatch, _ connector.OutboundStream) error {
				seqs, tickets = append(seqs, batch.Seqs...), append(tickets, batch.Ticket)
				return nil
			})(ctx, sync, stream)
			return errors.Join(err, stream.Settle(ctx, connector.Outcomes{Seqs: seqs}))
		}
		open, found, err := r.store.OpenRun(t.Context(), "out")
		if err != nil || !found {
			t.Fatalf("no run to resume: %v", err)
		}
		run, err := r.Resume(t.Context(), open.ID)
		if err != nil {
			t.Fatal(err)
		}
		wantRun(t, run, RunHealthy, map[connector.Status]int64{connector.StatusSucceeded: 20})
		if len(seqs) != 20 || !ascending(seqs) || !slices.Equal(tickets, []string{"job", "", ""}) {
			t.Errorf("handed out %v under tickets %q", seqs, tickets)
		}
	})
}

// A batch the app refuses as a whole is split: new tickets take its records
// over, and the old one may then be done although it settled none of them.
func TestATicketMayHandItsRecordsOn(t *testing.T) {
	bubble(t, func(t *testing.T) {
		r := newRig(t, 7)
		ticket := func(id string, state connector.TicketState, seqs []int64) connector.Ticket {
			return connector.Ticket{ID: id, State: state, Seqs: connector.SeqRanges(seqs)}
		}
		r.script.outbound = each(func(ctx context.Context, batch *connector.RecordBatch, stream connector.OutboundStream) error {
			return errors.Join(
				stream.Ticket(ctx, ticket("all", connector.TicketPrepared, batch.Seqs)),
				stream.Ticket(ctx, ticket("all", connector.TicketDone, nil)),
				stream.Ticket(ctx, ticket("half", connector.TicketPrepared, batch.Seqs[:3])),
				stream.Ticket(ctx, ticket("rest", connector.TicketPrepared, batch.Seqs[3:])),
				stream.Ticket(ctx, ticket("half", connector.TicketSubmitted, nil)),
				stream.Settle(ctx, connector.Outcomes{Seqs: batch.Seqs[:3]}),
				stream.Ticket(ctx, ticket("half", connector.TicketDone, nil)))
		})
		run := mustRun(t, r, RunOptions{})
		wantRun(t, run, RunIncomplete, map[connector.Status]int64{connector.StatusSucceeded: 3, connector.StatusInDoubt: 4})
		if run.Error != nil || run.Tickets != 3 {
			t.Errorf("%d tickets, error %v", run.Tickets, run.Error)
		}
		if open := r.store.open(run.ID); len(open) != 0 {
			t.Errorf("open tickets: %v", open)
		}
	})
}

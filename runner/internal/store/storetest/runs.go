package storetest

import (
	"errors"
	"testing"
	"time"

	"github.com/sluiceio/sluice/connector"
	"github.com/sluiceio/sluice/runner"
)

func runs(t *testing.T, open func() runner.Store) {
	store, ctx := open(), t.Context()
	withSync(t, store, "leads", "deals")
	remaining := int64(7)
	run := runner.Run{
		ID: "r1", Sync: "leads", Direction: connector.DirectionOutbound, State: runner.RunRunning, StartedAt: day,
		Deadline: day.Add(time.Hour), Records: 3, Batches: 1, Tickets: 1,
	}
	must(t, store.StartRun(ctx, run))
	same(t, run)(open().Run(ctx, "r1"))
	run.State, run.FinishedAt = runner.RunIncomplete, day.Add(time.Minute)
	run.Outcomes = map[connector.Status]int64{connector.StatusSucceeded: 2, connector.StatusRejected: 1}
	run.Usage = []connector.Usage{{Category: "c", Requests: 2, Pool: "p", Units: 3, Remaining: &remaining}}
	run.Timings = map[string]time.Duration{"plan": time.Second}
	run.Streams = []runner.StreamResult{{Stream: "Leads", Error: connector.Errorf(connector.ClassAuth, "NO", "no")}}
	run.Error = &connector.Error{
		Class: connector.ClassQuotaExhausted, Code: "SPENT", Message: "spent", RetryAfter: time.Minute, ResetAt: day,
		Fields: []connector.FieldViolation{{Field: "f", Description: "d"}}, Help: []connector.Help{{Description: "wait", URL: "https://example.org"}},
	}
	run.Stderr = "last words"
	must(t, store.SaveRun(ctx, run))
	same(t, run)(open().Run(ctx, "r1"))

	withCause := run
	withCause.Error = connector.AsError(errors.New("a cause is not kept"))
	must(t, store.SaveRun(ctx, withCause))
	withCause.Error = &connector.Error{Class: connector.ClassInternal, Code: "INTERNAL", Message: "a cause is not kept"}
	same(t, withCause)(store.Run(ctx, "r1"))
	must(t, store.SaveRun(ctx, run))

	later := runner.Run{ID: "r2", Sync: "leads", State: runner.RunHealthy, StartedAt: day.Add(time.Second)}
	other := runner.Run{ID: "r0", Sync: "deals", State: runner.RunHealthy, StartedAt: day.Add(time.Minute)}
	must(t, store.StartRun(ctx, later))
	must(t, store.StartRun(ctx, other))
	same(t, []runner.Run{other, later, run})(store.Runs(ctx, "", 0))
	same(t, []runner.Run{later, run})(store.Runs(ctx, "leads", 0))
	same(t, []runner.Run{later})(store.Runs(ctx, "leads", 1))
	must(t, store.DeleteSync(ctx, "leads"))
	same(t, []runner.Run{other})(store.Runs(ctx, "", 0))
}

func runLease(t *testing.T, open func() runner.Store) {
	mine, theirs, ctx := open(), open(), t.Context()
	withSync(t, mine, "leads")
	run := runner.Run{ID: "r1", Sync: "leads", State: runner.RunRunning, StartedAt: day}
	must(t, mine.StartRun(ctx, run))

	second := runner.Run{ID: "r2", Sync: "leads", State: runner.RunRunning, StartedAt: day}
	_, _, opening := theirs.OpenRun(ctx, "leads")
	for name, err := range map[string]error{
		"StartRun": theirs.StartRun(ctx, second), "OpenRun": opening, "SaveRun": theirs.SaveRun(ctx, run),
		"PutTicket":  theirs.PutTicket(ctx, "r1", connector.Ticket{ID: "t", State: connector.TicketPrepared}),
		"DeleteSync": theirs.DeleteSync(ctx, "leads"),
	} {
		if !errors.Is(err, runner.ErrRunning) {
			t.Errorf("%s while another holds the run: %v, want ErrRunning", name, err)
		}
	}

	got, found, err := mine.OpenRun(ctx, "leads")
	if err != nil || !found || got.ID != "r1" {
		t.Fatalf("the holder's own OpenRun: %v, %v, %v", got.ID, found, err)
	}
	if err := mine.StartRun(ctx, second); !errors.Is(err, runner.ErrRunning) {
		t.Errorf("a second run beside an unfinished one: %v, want ErrRunning", err)
	}
	run.State = runner.RunFailed
	must(t, mine.SaveRun(ctx, run))
	must(t, theirs.StartRun(ctx, second))
	if err := mine.SaveRun(ctx, second); !errors.Is(err, runner.ErrRunning) {
		t.Errorf("saving a run that another started: %v, want ErrRunning", err)
	}
}

func delayedRun(t *testing.T, open func() runner.Store) {
	store, ctx := open(), t.Context()
	withSync(t, store, "leads")
	run := runner.Run{ID: "r1", Sync: "leads", State: runner.RunRunning, StartedAt: day}
	must(t, store.StartRun(ctx, run))
	ticket := connector.Ticket{ID: "t", State: connector.TicketSubmitted}
	must(t, store.PutTicket(ctx, "r1", ticket))
	run.State, run.FinishedAt = runner.RunDelayed, day
	must(t, store.SaveRun(ctx, run))

	other := open()
	got, found, err := other.OpenRun(ctx, "leads")
	if err != nil || !found || got.ID != "r1" {
		t.Fatalf("a delayed run with open tickets: %v, %v, %v", got.ID, found, err)
	}
	if _, _, err := store.OpenRun(ctx, "leads"); !errors.Is(err, runner.ErrRunning) {
		t.Errorf("opening it a second time: %v, want ErrRunning", err)
	}
	ticket.State = connector.TicketDone
	must(t, other.PutTicket(ctx, "r1", ticket))
	must(t, other.SaveRun(ctx, run))
	if _, found, err := store.OpenRun(ctx, "leads"); found || err != nil {
		t.Errorf("a delayed run without open tickets: %v, %v", found, err)
	}
}

func openRuns(t *testing.T, open func() runner.Store) {
	store, ctx := open(), t.Context()
	withSync(t, store, "leads")
	run := runner.Run{ID: "r1", Sync: "leads", State: runner.RunRunning, StartedAt: day}
	must(t, store.StartRun(ctx, run))
	for name, c := range map[string]struct {
		change func(*runner.Run)
		open   bool
	}{
		"left in the middle":     {func(r *runner.Run) { r.State = runner.RunDelayed }, true},
		"left while it closes":   {func(r *runner.Run) { r.State, r.FinishedAt, r.Closing = runner.RunDelayed, day, true }, true},
		"delayed to its end":     {func(r *runner.Run) { r.State, r.FinishedAt = runner.RunDelayed, day }, false},
		"failed without its end": {func(r *runner.Run) { r.State = runner.RunFailed }, false},
	} {
		changed := run
		c.change(&changed)
		must(t, store.SaveRun(ctx, changed))
		got, found, err := store.OpenRun(ctx, "leads")
		if err != nil || found != c.open || found && got.ID != "r1" {
			t.Errorf("%s: open %v, %v; want %v", name, found, err, c.open)
		}
	}
}

func cancelledRun(t *testing.T, open func() runner.Store) {
	mine, theirs, ctx := open(), open(), t.Context()
	withSync(t, mine, "leads")
	run := runner.Run{ID: "r1", Sync: "leads", State: runner.RunRunning, StartedAt: day}
	must(t, mine.StartRun(ctx, run))
	asked := func(want bool, grace time.Duration) {
		t.Helper()
		got, found, err := mine.CancelAsked(ctx, "r1")
		if must(t, err); found != want || got != grace {
			t.Errorf("asked %v with %s, want %v with %s", found, got, want, grace)
		}
	}
	asked(false, 0)
	same(t, true)(theirs.CancelRun(ctx, "r1", 3*time.Second))
	asked(true, 3*time.Second)
	must(t, mine.SaveRun(ctx, run))
	asked(true, 3*time.Second)
	run.State = runner.RunDelayed
	must(t, mine.SaveRun(ctx, run))
	same(t, false)(theirs.CancelRun(ctx, "r1", time.Second)) // nobody holds it
	if _, found, err := theirs.OpenRun(ctx, "leads"); !found || err != nil {
		t.Fatalf("it is not open: %v, %v", found, err)
	}
	asked(false, 0) // whoever goes on with it was not asked to stop
	if _, err := mine.CancelRun(ctx, "r9", 0); !errors.Is(err, runner.ErrNotFound) {
		t.Errorf("cancelling a run that does not exist: %v", err)
	}
}

func tickets(t *testing.T, open func() runner.Store) {
	store, ctx := open(), t.Context()
	withSync(t, store, "leads")
	must(t, store.StartRun(ctx, runner.Run{ID: "r1", Sync: "leads", State: runner.RunRunning, StartedAt: day}))
	first := connector.Ticket{ID: "b", State: connector.TicketPrepared, Seqs: []connector.SeqRange{{First: 1, Last: 5}, {First: 9, Last: 9}}, Handle: `{"job":"1"}`, Idempotent: true}
	second := connector.Ticket{ID: "a", State: connector.TicketPrepared, Seqs: []connector.SeqRange{{First: 6, Last: 8}}}
	must(t, store.PutTicket(ctx, "r1", first))
	must(t, store.PutTicket(ctx, "r1", second))
	first.State, first.Handle = connector.TicketSubmitted, `{"job":"2"}`
	must(t, store.PutTicket(ctx, "r1", first))
	same(t, []connector.Ticket{first, second})(open().OpenTickets(ctx, "r1"))

	back := first
	back.State = connector.TicketPrepared
	if err := store.PutTicket(ctx, "r1", back); err == nil {
		t.Error("a ticket went back from SUBMITTED to PREPARED")
	}
	first.State = connector.TicketDone
	must(t, store.PutTicket(ctx, "r1", first))
	must(t, store.PutTicket(ctx, "r1", first)) // saying it again does no harm
	back.State = connector.TicketSubmitted
	if err := store.PutTicket(ctx, "r1", back); err == nil {
		t.Error("a ticket went back from DONE to SUBMITTED")
	}
	same(t, []connector.Ticket{second})(store.OpenTickets(ctx, "r1"))
}

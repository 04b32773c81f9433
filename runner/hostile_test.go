package runner

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/sluiceio/sluice/connector"
)

// TestAHostileConnectorIsNamedAndDoesNoHarm has connectors break the contract in
// every way they can. The run ends, says what the connector did, and each record
// has one outcome.
func TestAHostileConnectorIsNamedAndDoesNoHarm(t *testing.T) {
	type counts = map[connector.Status]int64
	const succeeded, doubt, delayed = connector.StatusSucceeded, connector.StatusInDoubt, connector.StatusDelayed
	for name, row := range map[string]struct {
		do       outboundFunc
		state    RunState
		outcomes counts
		says     string
	}{
		"settles a record twice": {
			do: each(func(ctx context.Context, batch *connector.RecordBatch, stream connector.OutboundStream) error {
				return errors.Join(succeed(ctx, batch, stream), stream.Settle(ctx, exceptional(batch, connector.StatusRejected, errBusy)))
			}),
			state: RunIncomplete, outcomes: counts{succeeded: 10}, says: "settled records twice: number [1 2 3 4 5] and 2 more",
		},
		"settles a record twice in one message": {
			do: each(func(ctx context.Context, batch *connector.RecordBatch, stream connector.OutboundStream) error {
				return stream.Settle(ctx, connector.Outcomes{Seqs: append(batch.Seqs, batch.Seqs[0])})
			}),
			state: RunIncomplete, outcomes: counts{succeeded: 10}, says: "settled records twice: number [1]",
		},
		"settles records it was not given": {
			do: each(func(ctx context.Context, batch *connector.RecordBatch, stream connector.OutboundStream) error {
				return stream.Settle(ctx, connector.Outcomes{Seqs: append([]int64{-4, 999}, batch.Seqs...)})
			}),
			state: RunIncomplete, outcomes: counts{succeeded: 10}, says: "not given: number [-4 999]",
		},
		"never settles": {
			do:    each(func(context.Context, *connector.RecordBatch, connector.OutboundStream) error { return nil }),
			state: RunFailed, outcomes: counts{delayed: 10}, says: "without an outcome for 10 records",
		},
		"never pulls": {
			do:    func(context.Context, connector.OutboundSync, connector.OutboundStream) error { return nil },
			state: RunFailed, outcomes: counts{delayed: 10}, says: "without having asked for 10 records",
		},
		"gives too few app identifiers": {
			do: each(func(ctx context.Context, batch *connector.RecordBatch, stream connector.OutboundStream) error {
				return stream.Settle(ctx, connector.Outcomes{Seqs: batch.Seqs, AppIdentifiers: []string{"a"}})
			}),
			state: RunIncomplete, outcomes: counts{succeeded: 10}, says: "7 records with 1 app identifiers",
		},
		"means a row that is not there": {
			do: each(func(ctx context.Context, batch *connector.RecordBatch, stream connector.OutboundStream) error {
				return stream.Settle(ctx, connector.Outcomes{Seqs: batch.Seqs, Exceptions: []connector.RowOutcome{{Row: 70, Status: connector.StatusRejected, Error: errBusy}}})
			}),
			state: RunIncomplete, outcomes: counts{doubt: 10}, says: "exception for row 70",
		},
		"invents an outcome": {
			do: each(func(ctx context.Context, batch *connector.RecordBatch, stream connector.OutboundStream) error {
				return stream.Settle(ctx, connector.Outcomes{Seqs: batch.Seqs, Exceptions: []connector.RowOutcome{{Row: 0, Status: connector.StatusSkipped}, {Row: 1, Status: "WON"}}})
			}),
			state: RunIncomplete, outcomes: counts{succeeded: 6, doubt: 4}, says: `outcome "SKIPPED"`,
		},
		"does not say why": {
			do: each(func(ctx context.Context, batch *connector.RecordBatch, stream connector.OutboundStream) error {
				return stream.Settle(ctx, exceptional(batch, connector.StatusRejected, nil))
			}),
			state: RunIncomplete, outcomes: counts{connector.StatusRejected: 10}, says: "REJECTED without saying why",
		},
		"says done for records it did not settle": {
			do: each(func(ctx context.Context, batch *connector.RecordBatch, stream connector.OutboundStream) error {
				t := connector.Ticket{ID: fmt.Sprint(batch.Seqs[0]), State: connector.TicketSubmitted, Seqs: connector.SeqRanges(batch.Seqs)}
				err := stream.Ticket(ctx, t)
				t.State = connector.TicketDone
				return errors.Join(err, stream.Ticket(ctx, t))
			}),
			state: RunIncomplete, outcomes: counts{doubt: 10}, says: "done without an outcome for",
		},
		"uses a ticket for other records": {
			do: each(func(ctx context.Context, batch *connector.RecordBatch, stream connector.OutboundStream) error {
				return stream.Ticket(ctx, connector.Ticket{ID: "t", State: connector.TicketPrepared, Seqs: connector.SeqRanges(batch.Seqs)})
			}),
			state: RunFailed, outcomes: counts{doubt: 7, delayed: 3}, says: "ticket t went from PREPARED to PREPARED with other records",
		},
		"puts records it does not hold on a ticket": {
			do: func(ctx context.Context, _ connector.OutboundSync, stream connector.OutboundStream) error {
				return stream.Ticket(ctx, connector.Ticket{ID: "t", State: connector.TicketPrepared, Seqs: []connector.SeqRange{{First: 1, Last: 5}}})
			},
			state: RunFailed, outcomes: counts{delayed: 10}, says: "ticket t holds records 1 to 5",
		},
		"panics": {
			do:    func(context.Context, connector.OutboundSync, connector.OutboundStream) error { panic("boo") },
			state: RunFailed, outcomes: counts{delayed: 10}, says: "panicked: boo",
		},
		"talks garbage": {
			do: each(func(ctx context.Context, batch *connector.RecordBatch, stream connector.OutboundStream) error {
				garbage := &connector.Error{Class: "?", Code: "\xff\x00", Message: strings.Repeat("\xfe", 1<<20)}
				o := exceptional(batch, connector.StatusRejected, garbage)
				o.AppIdentifiers = make([]string, len(o.Seqs))
				o.AppIdentifiers[0] = "\x00"
				return stream.Settle(ctx, o)
			}),
			state: RunIncomplete, outcomes: counts{connector.StatusRejected: 10}, says: "",
		},
	} {
		t.Run(name, func(t *testing.T) {
			bubble(t, func(t *testing.T) {
				r := newRig(t, 10)
				r.script.inProcess = true
				r.script.outbound = row.do
				run := mustRun(t, r, RunOptions{})
				wantRun(t, run, row.state, row.outcomes)
				if row.says != "" && (run.Error == nil || !strings.Contains(run.Error.Message, row.says)) {
					t.Errorf("error = %v, want it to say %q", run.Error, row.says)
				}
				for _, o := range r.warehouse.log[run.ID] {
					if text := o.Message + o.Code + o.AppIdentifier; len(o.Message) > maxMessage || strings.Contains(text, "\x00") || !utf8.ValidString(text) {
						t.Errorf("what cannot be stored was stored: %d bytes of %q", len(o.Message), o.Code+o.AppIdentifier)
					}
				}
			})
		})
	}
}

func TestAHangingConnectorIsKilled(t *testing.T) {
	t.Run("when it says nothing", func(t *testing.T) {
		bubble(t, func(t *testing.T) {
			r := newRig(t, 10)
			release := make(chan struct{})
			defer close(release)
			r.script.outbound = func(context.Context, connector.OutboundSync, connector.OutboundStream) error { <-release; return nil }
			begun := time.Now()
			run := mustRun(t, r, RunOptions{})
			wantRun(t, run, RunFailed, map[connector.Status]int64{connector.StatusDelayed: 10})
			if run.Error == nil || run.Error.Code != "STALLED" || time.Since(begun) > 5*time.Minute {
				t.Errorf("after %s: %v", time.Since(begun), run.Error)
			}
		})
	})
	t.Run("but not when it says that it waits", func(t *testing.T) {
		bubble(t, func(t *testing.T) {
			r := newRig(t, 5)
			r.script.outbound = each(func(ctx context.Context, batch *connector.RecordBatch, stream connector.OutboundStream) error {
				for range 100 { // a quarter of an hour of polling
					<-time.After(9 * time.Second)
					stream.Report(ctx, connector.Report{Progress: &connector.Progress{Activity: "polling", Waiting: connector.WaitingApp}})
				}
				return succeed(ctx, batch, stream)
			})
			wantRun(t, mustRun(t, r, RunOptions{}), RunHealthy, map[connector.Status]int64{connector.StatusSucceeded: 5})
		})
	})
	t.Run("when it ignores a stop", func(t *testing.T) {
		bubble(t, func(t *testing.T) {
			r := newRig(t, 10)
			release := make(chan struct{})
			defer close(release)
			r.script.outbound = func(context.Context, connector.OutboundSync, connector.OutboundStream) error { <-release; return nil }
			ctx, cancel := context.WithCancel(t.Context())
			time.AfterFunc(time.Second, cancel)
			begun := time.Now()
			run, err := r.Run(ctx, "out", RunOptions{})
			if err != nil {
				t.Fatal(err)
			}
			wantRun(t, run, RunDelayed, map[connector.Status]int64{connector.StatusDelayed: 10})
			if took := time.Since(begun); took > time.Second+StopGrace+2*killGrace {
				t.Errorf("a cancelled run took %s to end", took)
			}
		})
	})
}

// A connector that goes on talking when its conversation is over reaches nobody.
func TestAStragglerIsKeptOut(t *testing.T) {
	bubble(t, func(t *testing.T) {
		r := newRig(t, 10)
		late := make(chan error, 1)
		goOn := make(chan struct{})
		r.script.outbound = func(ctx context.Context, _ connector.OutboundSync, stream connector.OutboundStream) error {
			batch, err := stream.Next(ctx)
			if err != nil {
				return err
			}
			go func() { <-goOn; late <- succeed(ctx, batch, stream) }()
			return nil
		}
		run := mustRun(t, r, RunOptions{})
		close(goOn)
		if err := <-late; connector.ClassOf(err) != connector.ClassCancelled {
			t.Errorf("a late Settle returned %v, want CANCELLED", err)
		}
		wantRun(t, run, RunFailed, map[connector.Status]int64{connector.StatusDelayed: 10})
	})
}

// A connector may settle the records of a ticket handed back before it pulls
// them, since the ticket says which they are.
func TestATicketsRecordsMayBeSettledUnpulled(t *testing.T) {
	bubble(t, func(t *testing.T) {
		r := newRig(t, 7)
		started := make(chan struct{})
		r.script.outbound = obedient(started)
		ctx, cancel := context.WithCancel(t.Context())
		go func() { <-started; cancel() }()
		first, err := r.Run(ctx, "out", RunOptions{})
		if err != nil {
			t.Fatal(err)
		}
		r.script.outbound = func(ctx context.Context, sync connector.OutboundSync, stream connector.OutboundStream) error {
			ticket := sync.Tickets[0]
			var seqs []int64
			for _, s := range ticket.Seqs {
				for seq := s.First; seq <= s.Last; seq++ {
					seqs = append(seqs, seq)
				}
			}
			if err := stream.Settle(ctx, connector.Outcomes{Seqs: seqs}); err != nil {
				return err
			}
			ticket.State = connector.TicketDone
			if err := stream.Ticket(ctx, ticket); err != nil {
				return err
			}
			return each(func(context.Context, *connector.RecordBatch, connector.OutboundStream) error { return nil })(ctx, sync, stream)
		}
		run, err := r.Resume(t.Context(), first.ID)
		if err != nil {
			t.Fatal(err)
		}
		wantRun(t, run, RunHealthy, map[connector.Status]int64{connector.StatusSucceeded: 7})
	})
}
